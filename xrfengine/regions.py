"""Regions of a scan: geometry to pixels, pixels to a spectrum.

A pixel belongs to a polygon when its *centre* lies inside; centres are at whole numbers, so the
pixel in column 3, row 2 is the point (3.0, 2.0) and covers 2.5…3.5 by 1.5…2.5.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xrfengine.cube import Cube, Spectrum
from xrfengine.errors import SettingsError

Shape = Literal["box", "polygon", "labels"]
Operation = Literal["new", "add", "subtract", "intersect"]

OKABE_ITO = ("#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#F0E442", "#E69F00")
"""Region colours in fixed order, distinguishable with every kind of colour vision
(Okabe & Ito, Color Universal Design, 2008). Orange, which marks what is selected, comes last, and
yellow, faint on white, before it."""
_VARIED = (0.0, -0.35, 0.4)
"""From the eighth region on the colours come darker, then lighter, then again."""
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


def region_colour(index: int) -> str:
    """The colour of the region number ``index``, from 0, as ``#RRGGBB``."""
    colour = OKABE_ITO[index % len(OKABE_ITO)]
    shift = _VARIED[index // len(OKABE_ITO) % len(_VARIED)]
    goal = 255 if shift > 0 else 0
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(v + abs(shift) * (goal - v)):02X}" for v in parts)


@dataclass(frozen=True)
class Region:
    """A named set of pixels, by its geometry in data coordinates.

    Attributes
    ----------
    shape : {"box", "polygon", "labels"}
    geometry : tuple
        ``box``: (x0, y0, x1, y1); ``polygon``: ((x, y), …), closed by itself; ``labels``:
        the pixels as runs (start, length, start, length, …) over the flattened image.
    """

    id: str
    name: str
    colour: str
    shape: Shape
    geometry: tuple

    def mask(self, shape_yx: tuple[int, int]) -> np.ndarray:
        """The region's pixels, bool, shape (y, x)."""
        if self.shape == "box":
            return box_mask(*self.geometry, shape_yx=shape_yx)
        if self.shape == "polygon":
            return polygon_mask(np.asarray(self.geometry, dtype=np.float64), shape_yx)
        return mask_of_runs(self.geometry, shape_yx)

    @classmethod
    def of_mask(cls, mask: np.ndarray, id: str, name: str, colour: str) -> Region:
        """A region of any pixels, such as a cluster; shape (y, x)."""
        return cls(id, name, colour, "labels", runs_of(mask))

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Region:
        """The region behind :meth:`to_dict`, also after a trip through JSON."""
        try:
            shape, geometry = state["shape"], state["geometry"]
            if shape == "polygon":
                geometry = tuple((float(x), float(y)) for x, y in geometry)
            elif shape == "box":
                x0, y0, x1, y1 = (float(v) for v in geometry)
                geometry = (x0, y0, x1, y1)
            elif shape == "labels":
                geometry = checked_runs(tuple(int(v) for v in geometry))
            else:
                raise ValueError(shape)
            colour = str(state["colour"])
            if not _COLOUR.fullmatch(colour):
                raise ValueError(f"“{colour}” is no colour like #56B4E9")
            return cls(str(state["id"]), str(state["name"]), colour, shape, geometry)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise SettingsError(
                f"a saved region cannot be read ({error})", "Draw the region anew."
            ) from None


def box_mask(x0: float, y0: float, x1: float, y1: float, shape_yx: tuple[int, int]) -> np.ndarray:
    """Pixels whose centres lie in the box, limits included; bool, shape (y, x)."""
    height, width = shape_yx
    x, y = np.arange(width), np.arange(height)
    inside_x = (x >= min(x0, x1)) & (x <= max(x0, x1))
    inside_y = (y >= min(y0, y1)) & (y <= max(y0, y1))
    return inside_y[:, None] & inside_x[None, :]


def polygon_mask(vertices_xy: np.ndarray, shape_yx: tuple[int, int]) -> np.ndarray:
    """Pixels whose centres lie inside a polygon, by the even-odd rule.

    Every edge toggles, in each row whose centre line it crosses, all pixels to the right of the
    crossing: exact, and in time proportional to the rows crossed, not to the area times the
    number of vertices. Drawing libraries round vertices to pixels, which shifts borders.

    Parameters
    ----------
    vertices_xy : ndarray, shape (vertex, 2)
        Columns x and y in pixels; the last vertex joins the first.
    shape_yx : (int, int)

    Returns
    -------
    ndarray of bool, shape (y, x)
        All False for fewer than three vertices.
    """
    vertices = np.asarray(vertices_xy, dtype=np.float64)
    height, width = shape_yx
    if vertices.ndim != 2 or vertices.shape[1] != 2 or not np.isfinite(vertices).all():
        raise SettingsError(
            f"a polygon needs finite (x, y) pairs, got an array of shape {vertices.shape}"
        )
    toggles = np.zeros((height, width + 1), dtype=np.int32)
    if len(vertices) >= 3:
        following = np.roll(vertices, -1, axis=0)
        # Every edge is walked upwards, so that neighbours that share it round alike.
        upward = (vertices[:, 1] <= following[:, 1])[:, None]
        start, stop = np.where(upward, vertices, following), np.where(upward, following, vertices)
        # Half-open rows [start, stop): a vertex on a centre line counts for one edge only.
        first = np.clip(np.ceil(start[:, 1]), 0, height).astype(np.int64)
        last = np.clip(np.ceil(stop[:, 1]), 0, height).astype(np.int64)
        n_rows = last - first
        edge = np.repeat(np.arange(len(vertices)), n_rows)
        row = first[edge] + np.arange(edge.size) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
        (x0, y0), (x1, y1) = start[edge].T, stop[edge].T
        crossing = x0 + (row - y0) / (y1 - y0) * (x1 - x0)
        column = np.clip(np.ceil(crossing), 0, width).astype(np.int64)
        np.add.at(toggles, (row, column), 1)
    return (np.cumsum(toggles[:, :width], axis=1) & 1).astype(bool)


def checked_mask(cube: Cube, mask: np.ndarray) -> np.ndarray:
    """The mask as bool, shape (y, x).

    Raises
    ------
    SettingsError
        If it does not fit the cube or holds no pixel.
    """
    mask = np.asarray(mask, dtype=bool)
    if mask.shape != cube.shape[:2]:
        raise SettingsError(
            f"the region was drawn on {mask.shape[0]}×{mask.shape[1]} pixels, "
            f"the scan has {cube.shape[0]}×{cube.shape[1]}",
            "Draw it anew on this scan.",
        )
    if not mask.any():
        raise SettingsError(
            "the selection holds no pixel", "Draw it around the centre of at least one pixel."
        )
    return mask


def region_spectrum(cube: Cube, mask: np.ndarray, name: str = "selection") -> Spectrum:
    """Sum spectrum of the masked pixels; counts float64.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)

    Raises
    ------
    SettingsError
        If the mask does not fit the cube or holds no pixel.
    """
    mask = checked_mask(cube, mask)
    n_pixels = int(np.count_nonzero(mask))
    total = np.zeros(cube.shape[2])
    for row in np.flatnonzero(mask.any(axis=1)):
        columns = np.flatnonzero(mask[row])
        counts = cube.counts[row]
        # A run of neighbours is a view; picking single pixels would copy them first.
        if columns.size == columns[-1] - columns[0] + 1:
            total += counts[columns[0] : columns[-1] + 1].sum(axis=0, dtype=np.float64)
        else:
            total += counts[columns].sum(axis=0, dtype=np.float64)
    return cube.spectrum(total, name, n_pixels)


def runs_of(mask: np.ndarray) -> tuple[int, ...]:
    """The True pixels of a mask (y, x) as runs (start, length, …) over the flattened image."""
    flat = np.concatenate([[False], np.asarray(mask, dtype=bool).ravel(), [False]])
    turns = np.flatnonzero(np.diff(flat.astype(np.int8)))
    starts, stops = turns[::2], turns[1::2]
    return tuple(np.stack([starts, stops - starts], axis=1).ravel().tolist())


def mask_of_runs(runs: tuple[int, ...], shape_yx: tuple[int, int]) -> np.ndarray:
    """The inverse of :func:`runs_of`; bool, shape (y, x).

    Raises
    ------
    SettingsError
        If the runs reach beyond the image: they were drawn on another scan.
    """
    runs = checked_runs(runs)
    n_pixels = shape_yx[0] * shape_yx[1]
    starts, lengths = (np.asarray(runs[i::2], dtype=np.int64) for i in (0, 1))
    if starts.size and starts[-1] + lengths[-1] > n_pixels:
        raise SettingsError(
            f"the region reaches beyond the {n_pixels:,} pixels of the scan",
            "It was drawn on another scan; draw it anew on this one.",
        )
    turns = np.zeros(n_pixels + 1, dtype=np.int8)
    turns[starts] += 1
    np.subtract.at(turns, starts + lengths, 1)
    return np.cumsum(turns[:-1], dtype=np.int8).astype(bool).reshape(shape_yx)


def checked_runs(runs: tuple[int, ...]) -> tuple[int, ...]:
    """The runs (start, length, …) as they are.

    Raises
    ------
    SettingsError
        If they are no pairs, empty, overlap, or do not rise.
    """
    if len(runs) % 2 or any(length < 1 for length in runs[1::2]):
        raise SettingsError("the runs of a region are no pairs of start and length")
    stops = [0, *(a + b for a, b in zip(runs[::2], runs[1::2], strict=True))]
    if any(start < stop for start, stop in zip(runs[::2], stops, strict=False)):
        raise SettingsError("the runs of a region overlap or do not rise")
    return runs


def stroke_mask(points_xy: np.ndarray, radius_px: float, shape_yx: tuple[int, int]) -> np.ndarray:
    """Pixels whose centres lie within ``radius_px`` of a path, as a brush paints them.

    Parameters
    ----------
    points_xy : ndarray, shape (point, 2)
        Columns x and y in pixels; a single point paints a disc.
    radius_px : float
        Above 0; the pixel under every point belongs even to the finest brush.
    shape_yx : (int, int)

    Returns
    -------
    ndarray of bool, shape (y, x)

    Raises
    ------
    SettingsError
        If the points are no finite pairs, or the radius is not above 0.
    """
    points = np.asarray(points_xy, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise SettingsError(
            f"a brush stroke needs finite (x, y) pairs, got an array of shape {points.shape}"
        )
    if not 0 < radius_px < np.inf:
        raise SettingsError(f"the brush is {radius_px:g} pixels wide", "Choose a size above 0.")
    height, width = shape_yx
    mask = np.zeros(shape_yx, dtype=bool)
    under = np.floor(points + 0.5).astype(np.int64)
    here = ((under >= 0) & (under < (width, height))).all(axis=1)
    mask[under[here, 1], under[here, 0]] = True
    for start, stop in zip(points, np.concatenate([points[1:], points[-1:]]), strict=True):
        low = np.ceil(np.minimum(start, stop) - radius_px).astype(np.int64)
        high = np.floor(np.maximum(start, stop) + radius_px).astype(np.int64) + 1
        (x0, y0), (x1, y1) = np.maximum(low, 0), np.minimum(high, (width, height))
        if x0 >= x1 or y0 >= y1:
            continue
        along = stop - start
        dx = np.arange(x0, x1)[None, :] - start[0]
        dy = np.arange(y0, y1)[:, None] - start[1]
        share = (dx * along[0] + dy * along[1]) / max(float(along @ along), 1e-12)
        share = np.clip(share, 0.0, 1.0)
        near = (dx - share * along[0]) ** 2 + (dy - share * along[1]) ** 2 <= radius_px**2
        mask[y0:y1, x0:x1] |= near
    return mask


def combined(before: np.ndarray, part: np.ndarray, operation: Operation) -> np.ndarray:
    """Two masks (y, x) joined: ``add`` both, ``subtract`` the second, ``intersect`` what both hold.

    ``new`` is the second alone. Neither is changed.
    """
    if operation == "add":
        return before | part
    if operation == "subtract":
        return before & ~part
    return before & part if operation == "intersect" else part
