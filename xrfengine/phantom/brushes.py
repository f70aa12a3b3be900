"""Brushes: soft shapes, strokes, noise and form on a board of any resolution.

Coordinates are those of the composition, not pixels: ``x`` runs from 0 to 1 and ``y`` from 0 to
1.4, downwards, whatever the number of pixels; so the same painting can be had in any size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

HEIGHT = 1.4
_SUPERSAMPLING = 4

Points = Sequence[tuple[float, float]]
Mix = dict[str, float | np.ndarray]


def curve(points: Points, closed: bool, steps: int = 12) -> np.ndarray:
    """A smooth (Catmull–Rom) curve through points, shape (n, 2)."""
    p = np.asarray(points, dtype=np.float64)
    p = (
        np.vstack([p[-1:], p, p[:2]])
        if closed
        else np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    )
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None]
    a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
    smooth = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    result = smooth.reshape(-1, 2)
    return result if closed else np.vstack([result, p[-2]])


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between; ``low`` may exceed ``high``."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def ramp(tone: np.ndarray, *mixes: Mix) -> Mix:
    """Blend paint mixtures along a tone from 0 (first) to 1 (last)."""
    position = np.clip(tone, 0.0, 1.0) * (len(mixes) - 1)
    blended: Mix = {}
    for i, mix in enumerate(mixes):
        weight = np.clip(1.0 - np.abs(position - i), 0.0, 1.0).astype(np.float32)
        for name, share in mix.items():
            blended[name] = blended.get(name, 0.0) + weight * share
    return blended


class Board:
    """A painting ground of some pixels: makes masks and textures, all float32 (y, x)."""

    def __init__(self, shape_yx: tuple[int, int], seed: int) -> None:
        self.shape = shape_yx
        self.seed = seed
        rows, columns = shape_yx
        x = (np.arange(columns, dtype=np.float32) + 0.5) / columns
        y = (np.arange(rows, dtype=np.float32) + 0.5) / rows * HEIGHT
        self.y, self.x = (np.ascontiguousarray(a) for a in np.meshgrid(y, x, indexing="ij"))

    def _pixels(self, points: np.ndarray, factor: int) -> np.ndarray:
        rows, columns = self.shape
        return points * np.array([columns * factor, rows * factor / HEIGHT])

    def _draw(self, outlines: list[np.ndarray]) -> np.ndarray:
        rows, columns = self.shape
        factor = _SUPERSAMPLING
        image = Image.new("L", (columns * factor, rows * factor), 0)
        brush = ImageDraw.Draw(image)
        for outline in outlines:
            brush.polygon([tuple(p) for p in self._pixels(outline, factor)], fill=255)
        fine = np.asarray(image, dtype=np.float32) / 255.0
        return fine.reshape(rows, factor, columns, factor).mean(axis=(1, 3))

    def blur(self, field: np.ndarray, width: float) -> np.ndarray:
        """Gaussian blur by ``width`` in composition units."""
        rows, columns = self.shape
        sigma = (width * rows / HEIGHT, width * columns)
        return ndimage.gaussian_filter(field, sigma, mode="nearest").astype(np.float32)

    def shape_of(self, points: Points, soft: float = 0.0) -> np.ndarray:
        """Mask of a closed smooth outline; ``soft`` blurs its edge."""
        mask = self._draw([curve(points, closed=True)])
        return self.blur(mask, soft) if soft else mask

    def line(self, points: Points, widths: Sequence[float], soft: float = 0.0) -> np.ndarray:
        """Mask of a brush stroke through points with the given widths, thin to thick to thin."""
        path = curve(points, closed=False)
        width = np.interp(
            np.linspace(0, 1, len(path)), np.linspace(0, 1, len(widths)), np.asarray(widths)
        )
        along = np.gradient(path, axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        half = 0.5 * width[:, None] * normal
        mask = self._draw([np.vstack([path + half, (path - half)[::-1]])])
        return self.blur(mask, soft) if soft else mask

    def discs(self, centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """Mask of round dots: centres (n, 2), radii (n,)."""
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return self._draw([c + r * ring for c, r in zip(centres, radii, strict=True)])

    def text(self, words: str, x: float, y: float, height: float) -> np.ndarray:
        """Mask of lettering centred at (x, y), letters ``height`` tall."""
        rows, columns = self.shape
        factor = _SUPERSAMPLING
        image = Image.new("L", (columns * factor, rows * factor), 0)
        font = ImageFont.load_default(size=max(4.0, 1.35 * height * rows * factor / HEIGHT))
        ImageDraw.Draw(image).text(
            (x * columns * factor, y * rows * factor / HEIGHT), words, 255, font, anchor="mm"
        )
        fine = np.asarray(image, dtype=np.float32) / 255.0
        return fine.reshape(rows, factor, columns, factor).mean(axis=(1, 3))

    def blob(self, x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> np.ndarray:
        """A Gaussian spot, 1 at its centre; ``angle`` in degrees."""
        a = np.deg2rad(angle)
        u = (self.x - x) * np.cos(a) + (self.y - y) * np.sin(a)
        v = (self.y - y) * np.cos(a) - (self.x - x) * np.sin(a)
        return np.exp(-0.5 * ((u / rx) ** 2 + (v / ry) ** 2))

    def rng(self, tag: str) -> np.random.Generator:
        """Random numbers of one named purpose, so that additions leave the others alone."""
        return np.random.default_rng([self.seed, *tag.encode()])

    def noise(self, tag: str, along: float, across: float, angle: float = 0.0) -> np.ndarray:
        """Smooth random field of about −1…1 with grains ``along`` × ``across``, turned."""
        a = np.deg2rad(angle)
        u = (self.x * np.cos(a) + self.y * np.sin(a)) / along
        v = (self.y * np.cos(a) - self.x * np.sin(a)) / across
        return self._lattice(tag, u, v)

    def _lattice(self, tag: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        grid = self.rng(tag).standard_normal((128, 128)).astype(np.float32)
        field = ndimage.map_coordinates(grid, [v % 128, u % 128], order=1, mode="grid-wrap")
        return np.clip(field, -2.5, 2.5)

    def strands(self, tag: str, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Long fibres in curved coordinates (grains): hair, threads; about −1…1."""
        coarse = self._lattice(tag, along, across)
        return 0.65 * coarse + 0.5 * self._lattice(f"{tag} fine", 1.7 * along, 2.3 * across)

    def fbm(self, tag: str, along: float, across: float, angle: float = 0.0, octaves: int = 4):
        """Fractal noise of about −1…1: clouds, stains, foliage."""
        total = np.zeros(self.shape, np.float32)
        for octave in range(octaves):
            shrink = 2.0**octave
            total += self.noise(f"{tag}{octave}", along / shrink, across / shrink, angle) / shrink
        return total / 1.4

    def bristle(self, direction: np.ndarray, tag: str, length: float = 0.05) -> np.ndarray:
        """Brush marks: fine noise smeared along ``direction`` (radians), about −1…1."""
        grain = 1.0 / 190.0
        steps = 13
        dx, dy = np.cos(direction), np.sin(direction)
        total = np.zeros(self.shape, np.float32)
        for s in np.linspace(-0.5, 0.5, steps) * length:
            total += self._lattice(tag, (self.x + s * dx) / grain, (self.y + s * dy) / grain)
        return total / (0.45 * steps)

    def relief(self, mask: np.ndarray, radius: float, light: tuple[float, float, float]):
        """Light falling on a mask blown up into a rounded body: about 0…1.

        ``light`` points from the body towards the lamp (x right, y down, z to the viewer).
        """
        height = sum(self.blur(mask, radius * s) for s in (0.25, 0.5, 1.0)) / 3.0
        height = np.sqrt(np.clip(2.0 * height - 0.6, 0.0, None)) * radius * 1.6
        rows, columns = self.shape
        # A single row or column has no slope.
        gy = np.gradient(height, HEIGHT / rows, axis=0) if rows > 1 else 0.0 * height
        gx = np.gradient(height, 1.0 / columns, axis=1) if columns > 1 else 0.0 * height
        lx, ly, lz = np.asarray(light) / np.linalg.norm(light)
        shade = (lz - gx * lx - gy * ly) / np.sqrt(1.0 + gx * gx + gy * gy)
        return np.clip(shade, 0.0, 1.0).astype(np.float32)
