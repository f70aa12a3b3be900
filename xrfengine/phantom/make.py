"""Painting plus instrument → cube of counts with its truth."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from xrfengine.cache import digest
from xrfengine.cube import Calibration, Cube, ElementMaps, Instrument
from xrfengine.detector import Detector
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress
from xrfengine.lines import ELEMENTS, SYMBOLS
from xrfengine.phantom.easel import AREAS, LAYERS, Painting
from xrfengine.phantom.painting import compose
from xrfengine.phantom.pigments import NAMES, film_composition, render_colour
from xrfengine.phantom.spectra import (
    Components,
    SumPeaks,
    make_components,
    make_sum_peaks,
    pixel_weights,
)
from xrfengine.phantom.visibility import VISIBLE_Z, rebin_factor, significance

TITLE = "Demo: portrait, painted over"

_BAND_PIXELS = 512
_SAMPLE_PIXELS = 6000
_PILE_UP_SHARE = 0.004
_BACKGROUND_KEV = np.array([2.5, 5.0, 9.0, 15.0, 21.5])
_TUBES = {"sdd": ("Rh", 50.0, 40.96), "gem": ("Mo", 40.0, 30.72)}
_WIDTH_MM = 174.0
"""Width of the painting: 0.5 mm a pixel at 348 columns."""


@dataclass(frozen=True)
class PhantomSettings:
    """What painting to measure, and with what.

    Attributes
    ----------
    shape_yx : (int, int)
        Pixels. The composition is made for 3:2 upright and stretches to any shape.
    n_channels : int
        16…16384; the energy range stays the same (0–41 keV, ``gem`` 0–31 keV).
    detector : {"sdd", "gem"}
        Silicon drift detector, 140 eV at Mn Kα, rhodium tube at 50 kV; or gas electron
        multiplier, 18 % at 5.9 keV, molybdenum tube at 40 kV.
    counts_per_pixel : float
        Mean over all pixels, above 0.
    seed : int
        Of brush marks and counting noise alike, ≥ 0.
    """

    shape_yx: tuple[int, int] = (200, 150)
    n_channels: int = 2048
    detector: Literal["sdd", "gem"] = "sdd"
    counts_per_pixel: float = 20_000.0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape_yx", tuple(int(n) for n in self.shape_yx))
        object.__setattr__(self, "counts_per_pixel", float(self.counts_per_pixel))
        if len(self.shape_yx) != 2 or not all(1 <= n <= 8192 for n in self.shape_yx):
            raise SettingsError(
                f"a painting of {self.shape_yx} pixels", "Give rows and columns, 1 to 8192 each."
            )
        if not 16 <= self.n_channels <= 16384:
            raise SettingsError(f"{self.n_channels} channels", "Give a number from 16 to 16384.")
        if self.detector not in _TUBES:
            raise SettingsError(f"a detector {self.detector!r}", "Choose sdd or gem.")
        if not 0 < self.counts_per_pixel <= 1e6:
            raise SettingsError(
                f"{self.counts_per_pixel:g} counts per pixel", "Give more than 0, at most 1e6."
            )
        if self.seed < 0:
            raise SettingsError(f"the seed {self.seed}", "Give a whole number, 0 or more.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"shape_yx": list(self.shape_yx)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PhantomSettings:
        return cls(**values)


@dataclass(frozen=True, eq=False)
class Phantom:
    """A measured painting of which everything is known.

    Attributes
    ----------
    cube : Cube
        uint16 counts.
    truth : ElementMaps
        Areal density of each element in all layers, of its maximum: 0…1.
    visible : ElementMaps
        1 where the element can be told from the pixel's spectrum at these counts (marginal
        significance z ≥ 4), else 0.
    significance : ElementMaps
        That z, in standard deviations; below 1.5 an element counts as absent (METHOD).
    picture, underpainting : ndarray, uint8, shape (y, x, 3)
        sRGB: what the eye sees, and what it would see without the upper layers.
    areas : ndarray, int8, shape (y, x)
        Index into ``area_names``: which part of the picture a pixel belongs to.
    pigments_um : ndarray, float32, shape (pigment, y, x)
        Film thickness of each pigment, all layers together; names in ``pigment_names``.
    """

    cube: Cube
    truth: ElementMaps
    visible: ElementMaps
    significance: ElementMaps
    picture: np.ndarray
    underpainting: np.ndarray
    areas: np.ndarray
    area_names: tuple[str, ...]
    pigments_um: np.ndarray
    pigment_names: tuple[str, ...]
    settings: PhantomSettings


def calibration(settings: PhantomSettings) -> Calibration:
    """Energy calibration of the phantom's spectra."""
    gain = _TUBES[settings.detector][2] / settings.n_channels
    return Calibration(gain / 2, gain, fwhm_mn_kev=_detector(settings).fwhm_mn_kev)


def _detector(settings: PhantomSettings) -> Detector:
    return Detector.sdd(0.140) if settings.detector == "sdd" else Detector.gem(0.18)


def _srgb(linear: np.ndarray) -> np.ndarray:
    value = np.clip(linear, 0.0, 1.0)
    value = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.round(255.0 * value).astype(np.uint8)


def _colour(painting: Painting, n_layers: int) -> np.ndarray:
    """The lowest ``n_layers`` as the eye sees them under a lamp at the upper left."""
    rows, columns = painting.areas.shape
    picture = np.empty((rows, columns, 3), np.uint8)
    light = _raking_light(painting)
    for row in range(rows):
        colour = render_colour(tuple(painting.films_um[:n_layers, row]))
        picture[row] = _srgb(colour * light[row, :, None])
    return picture


def _raking_light(painting: Painting) -> np.ndarray:
    """Brightness from the relief of brush marks and canvas, about 1, shape (y, x)."""
    films = painting.films_um
    visible = films[LAYERS.index("paint") : LAYERS.index("details") + 1].sum(axis=(0, 3))
    height_um = visible + 0.12 * films[LAYERS.index("canvas")].sum(axis=2)
    padded = np.pad(height_um, 1, mode="edge")
    # Between diagonal neighbours, so that a single row or column is lit as well.
    slope_um = 0.5 * (padded[2:, 2:] - padded[:-2, :-2])
    return np.clip(1.0 + 0.010 * slope_um, 0.88, 1.10)


def _truth(painting: Painting) -> ElementMaps:
    """Areal densities from the films, each over its own maximum."""
    per_um = film_composition()
    numbers = [z for z in np.flatnonzero(per_um.any(axis=0)) if SYMBOLS[z] in ELEMENTS]
    films = painting.films_um.sum(axis=0)
    density = films @ per_um[:, numbers].astype(np.float32)
    peak = density.max(axis=(0, 1))
    present = peak > 0
    maps = np.moveaxis(density[..., present] / peak[present], 2, 0)
    elements = tuple(SYMBOLS[z] for z, there in zip(numbers, present, strict=True) if there)
    return ElementMaps(elements, np.ascontiguousarray(maps, dtype=np.float32), "truth")


def _dose(settings: PhantomSettings) -> np.ndarray:
    """Exposure of each pixel: the tube drifts, the stage does not move quite evenly."""
    rng = np.random.default_rng([settings.seed, 0xD05E])
    rows, columns = settings.shape_yx
    drift = np.cumsum(rng.standard_normal(rows))
    drift = 0.02 * (drift - drift.mean()) / max(float(np.abs(drift).max()), 1.0)
    dose = 1.0 + drift[:, None] + 0.015 * rng.standard_normal((rows, columns))
    dose *= 1.0 + 0.01 * rng.standard_normal((rows, 1))
    return np.clip(dose / dose.mean(), 0.5, 1.5).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Measurement:
    """Everything that turns the films of a band of pixels into counts; shared by all threads."""

    films: np.ndarray  # (layer, pixel, pigment)
    exposure: np.ndarray  # (pixel,): dose times the factor to counts
    components: Components
    constant: np.ndarray  # (component,): weights of air and instrument
    sums: SumPeaks
    shapes: np.ndarray  # (component + sum peak, channel)
    elements: tuple[str, ...]
    split: np.ndarray  # (template, component): counts that a component gives to a template
    templates: np.ndarray  # (template, bin)
    bins: int
    seed: int

    def expected(self, pixels: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected counts (n, channel) and counts per template (n, template)."""
        layers = [self.films[i, pixels] for i in range(len(LAYERS))]
        weights = pixel_weights(self.components, layers) + self.constant
        exposure = self.exposure[pixels, None]
        both = np.concatenate([weights, self.sums.weights(weights)], axis=1) * exposure
        return both @ self.shapes, (weights * exposure) @ self.split.T

    def measure(self, band: int, pixels: slice, counts: np.ndarray, z: np.ndarray) -> None:
        """Draw the counts of one band; the noise depends on the band's number only."""
        expected, amplitudes = self.expected(pixels)
        n = len(expected)
        binned = expected.reshape(n, -1, self.bins).sum(axis=2)
        rng = np.random.default_rng([self.seed, 0xC07, band])
        noisy = rng.poisson(expected)
        np.minimum(noisy, 65535, out=noisy)
        counts[pixels] = noisy
        del noisy, expected
        for part in chunks(n, 128):
            z[pixels][part] = significance(
                binned[part], amplitudes[part], self.templates, len(self.elements)
            )


def _prepare(
    painting: Painting, settings: PhantomSettings, elements: tuple[str, ...]
) -> _Measurement:
    n_pixels = painting.areas.size
    films = painting.films_um.reshape(len(LAYERS), n_pixels, len(NAMES))
    scale = calibration(settings)
    edges = scale.edges_kev(settings.n_channels)
    detector = _detector(settings)
    anode, tube_kv, _ = _TUBES[settings.detector]
    components = make_components(detector, anode, tube_kv, edges)
    sample = np.unique(np.linspace(0, n_pixels - 1, min(n_pixels, _SAMPLE_PIXELS)).astype(int))
    weights = pixel_weights(components, [films[i, sample] for i in range(len(LAYERS))])
    area = components.shapes.sum(axis=1)
    painted = float(weights.mean(axis=0, dtype=np.float64) @ area)
    share = components.instrument
    constant = (share / (1.0 - share.sum()) * painted / np.maximum(area, 1e-30)).astype(np.float32)
    weights += constant
    mean = weights.mean(axis=0, dtype=np.float64)
    sums = make_sum_peaks(components, mean * area, detector, edges, _PILE_UP_SHARE)
    shapes = np.concatenate([components.shapes, sums.shapes])
    total = (mean * area).sum() + sums.weights(weights).mean(axis=0) @ sums.shapes.sum(axis=1)
    dose = _dose(settings).ravel()
    exposure = dose * np.float32(settings.counts_per_pixel / total)
    # Templates of the significance: one an element, and some for what always lies beneath.
    owners = np.array([
        elements.index(e) if e in elements else len(elements) + k
        for e, k in zip(components.elements, _background_kind(components), strict=True)
    ])  # fmt: skip
    split = np.zeros((len(elements) + _BACKGROUND_KEV.size + 2, owners.size), np.float32)
    split[owners, np.arange(owners.size)] = area
    bins = rebin_factor(settings.n_channels, scale.gain_kev)
    templates = (split > 0) * mean @ components.shapes
    templates = templates.reshape(len(templates), -1, bins).sum(axis=2)
    templates /= np.maximum(templates.sum(axis=1, keepdims=True), 1e-30)
    return _Measurement(
        films, exposure, components, constant, sums, shapes, elements, split,
        templates.astype(np.float32), bins, settings.seed,
    )  # fmt: skip


def _background_kind(components: Components) -> np.ndarray:
    """0: air and instrument, then the scatter in bands of energy: each is free in the fit."""
    band = 1 + np.searchsorted(_BACKGROUND_KEV, components.energy_kev)
    return np.where(components.instrument > 0, 0, band)


def make_phantom(
    settings: PhantomSettings | None = None,
    *,
    threads: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Phantom:
    """Paint the picture and measure it.

    Parameters
    ----------
    settings : PhantomSettings
        Default: 200×150 pixels, 2048 channels, silicon detector, 20,000 counts per pixel.
    threads : int or None
        Default: as many as there are processors. The counts do not depend on it.
    """
    settings = settings or PhantomSettings()
    progress(0.0, "Painting")
    painting = compose(settings.shape_yx, settings.seed)
    cancel.check()
    picture = _colour(painting, len(LAYERS))
    underpainting = _colour(painting, LAYERS.index("underpainting") + 1)
    truth = _truth(painting)
    cancel.check()
    progress(0.08, "Computing spectra")
    measurement = _prepare(painting, settings, truth.elements)
    n_pixels = painting.areas.size
    counts = np.empty((n_pixels, settings.n_channels), np.uint16)
    z = np.zeros((n_pixels, len(truth.elements)), np.float32)
    bands = list(enumerate(chunks(n_pixels, _BAND_PIXELS)))
    done, lock = [0], threading.Lock()

    def work(item: tuple[int, slice]) -> None:
        cancel.check()
        measurement.measure(*item, counts, z)
        with lock:
            done[0] += 1
            progress(0.1 + 0.9 * done[0] / len(bands), "Measuring")

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        for result in [pool.submit(work, item) for item in bands]:
            result.result()
    anode, tube_kv, _ = _TUBES[settings.detector]
    rows, columns = settings.shape_yx
    instrument = Instrument(anode, tube_kv, pixel_size_mm=round(_WIDTH_MM / columns, 4))
    cube = Cube(
        counts.reshape(rows, columns, -1), calibration(settings), TITLE, instrument=instrument
    )
    key = digest("phantom", settings)
    z_maps = np.ascontiguousarray(z.T).reshape(-1, rows, columns)
    elements = truth.elements

    def maps(values: np.ndarray) -> ElementMaps:
        return ElementMaps(elements, values, "truth", source=key)

    return Phantom(
        cube=cube,
        truth=maps(truth.values),
        visible=maps((z_maps >= VISIBLE_Z).astype(np.float32)),
        significance=maps(z_maps),
        picture=picture,
        underpainting=underpainting,
        areas=painting.areas,
        area_names=AREAS,
        pigments_um=np.ascontiguousarray(np.moveaxis(painting.films_um.sum(axis=0), 2, 0)),
        pigment_names=NAMES,
        settings=settings,
    )
