"""Random detectors, paths and energy axes, over what real instruments have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.classifier.excitation import Source
from xrfengine.cube import Calibration
from xrfengine.detector import Detector

if TYPE_CHECKING:
    from xrfengine.classifier.simulate import SimulationSettings

_AIR = "N156O42Ar1"  # atoms; 1.2 mg/cm³
_AIR_G_CM3 = 1.2e-3


def draw_detector(settings: SimulationSettings, source: Source, rng) -> Detector:
    """A silicon drift detector, at times an older PIN diode, or a gas detector."""
    if source.kind == "tube" and rng.random() < settings.share_gas:
        return Detector(
            "gem",
            fwhm_mn_kev=rng.uniform(0.6, 1.1),
            tail_fraction=0.0,
            shelf_fraction=10 ** rng.uniform(-3, -1.5) if settings.tail_and_shelf else 0.0,
            escape_scale=rng.uniform(0.5, 1.1) if settings.escape else 0.0,
            thickness_g_cm2=rng.uniform(2e-4, 8e-4),
            dead_layer_g_cm2=0.0,
            window="C10H8O4",
            window_g_cm2=rng.uniform(1e-3, 8e-3),
        )
    low, high = settings.fwhm_kev
    kind = rng.random()
    if kind < 0.6:
        fwhm = rng.uniform(low, min(0.155, high))
    elif kind < 0.94:
        fwhm = rng.uniform(low, high)
    else:
        fwhm = rng.uniform(high, max(0.32, high))
    polymer = rng.random() < (0.9 if source.kind == "electrons" else 0.2)
    tails = settings.tail_and_shelf
    return Detector(
        "sdd",
        fwhm_mn_kev=fwhm,
        tail_fraction=10 ** rng.uniform(-2.7, -1.1) if tails else 0.0,
        tail_kev=rng.uniform(0.05, 0.4),
        shelf_fraction=10 ** rng.uniform(-3.7, -1.8) if tails else 0.0,
        escape_scale=rng.uniform(0.7, 1.3) if settings.escape else 0.0,
        thickness_g_cm2=rng.choice([0.07, 0.1048, 0.1048, 0.1165, 0.233]),
        dead_layer_g_cm2=10 ** rng.uniform(-5.2, -4.2),
        window="C10H8O4" if polymer else "Be",
        window_g_cm2=10 ** rng.uniform(-5.0, -4.0) if polymer else 10 ** rng.uniform(-2.9, -2.3),
    )


def draw_path(settings: SimulationSettings, source: Source, rng) -> tuple[list, bool]:
    """Layers between sample and detector as (formula, g/cm²), and whether there is air."""
    if source.kind == "electrons" or not settings.path:
        return [], False
    layers, kind = [], rng.random()
    air = kind < 0.55
    if air:
        layers.append((_AIR, rng.uniform(0.2, 3.5) * _AIR_G_CM3))
    elif kind < 0.7:
        layers.append(("He", rng.uniform(0.5, 5.0) * 1.7e-4))
    if rng.random() < 0.2:  # foil of a cell or of a handheld's nose
        layers.append(("C3H6", rng.uniform(3e-4, 3e-3)))
    return layers, air


# What stands near the beam: steel, brass and shields in nearly every instrument, whether they
# show or not; collimators, contacts and filters of all kinds. In an electron microscope the pole
# piece, whose iron shows in carbon and boron.
_HOUSING = {"Fe": 3.0, "Cu": 3.0, "Ni": 2.5, "Zn": 2.0, "Cr": 1.0, "Pb": 1.0, "Mn": 0.7}
_FITTINGS = {
    "Zr": 0.7, "Al": 0.7, "Si": 0.7, "W": 0.5, "Ta": 0.5, "Mo": 0.5, "Ti": 0.5, "Au": 0.3,
    "Ag": 0.3, "Sn": 0.3,
}  # fmt: skip
_SHOWN_HOUSING, _SHOWN_FITTINGS = 0.45, 0.09
_INTERNAL_SILICON = 0.6
_IN_CHAMBER = {"Fe": 6.0, "Cr": 1.5, "Ni": 1.0, "Cu": 1.5, "Al": 1.5, "Zn": 0.5, "Au": 0.3}


def draw_stray(source: Source, detector: Detector, rng) -> dict[str, float]:
    """The instrument's own lines: element → log10 of their share of all counts.

    Scattered radiation excites what stands near the beam, and photons absorbed in the dead layer
    of a silicon detector make silicon radiate into it (internal fluorescence): of 0.1 µm, 10⁻³ of
    photons of 2 to 3 keV and below 10⁻⁴ of those of iron, by yield and absorption. Under electrons
    the continuum is strongest just there: measured spectra of pure iron and others hold 0.7 to 3
    thousandths (Goldstein et al., Scanning Electron Microscopy and X-Ray Microanalysis, tell of
    some tenths of a weight percent of apparent silicon). Capillary optics are of glass.
    """
    levels: dict[str, float] = {}
    electrons = source.kind == "electrons"
    kinds = (
        ((0.5, 3, _IN_CHAMBER),)
        if electrons
        else ((_SHOWN_HOUSING, 3, _HOUSING), (_SHOWN_FITTINGS, 2, _FITTINGS))
    )
    for chance, most, near in kinds:
        if rng.random() < chance:
            share = np.array(list(near.values())) / sum(near.values())
            number = int(rng.integers(1, most + 1))
            for symbol in rng.choice(list(near), size=number, replace=False, p=share):
                levels[str(symbol)] = float(rng.uniform(-4.5, -2.3))
    if (
        detector.kind == "sdd"
        and "Si" not in levels
        and rng.random() < (0.85 if electrons else _INTERNAL_SILICON)
    ):
        levels["Si"] = float(rng.uniform(-4.0, -2.4) if electrons else rng.uniform(-5.0, -3.3))
    return levels


def own_chance(element: str) -> float:
    """How often an X-ray instrument shows an element by itself, 0…1, roughly."""
    chance = _INTERNAL_SILICON if element == "Si" else 0.0
    kinds = (_SHOWN_HOUSING, 2.0, _HOUSING), (_SHOWN_FITTINGS, 1.5, _FITTINGS)
    for shown, number, near in kinds:
        chance += shown * number * near.get(element, 0.0) / sum(near.values())
    return min(chance, 1.0)


def draw_channels(
    settings: SimulationSettings, source: Source, fwhm_kev: float, rng
) -> tuple[Calibration, int]:
    """Energy axis of the file: start −1…+0.1 keV, end 10…50 keV, channels of 5…80 eV."""
    n_channels = int(rng.choice([512, 1024, 2048, 4096], p=[0.07, 0.38, 0.35, 0.2]))
    highest = 30.0 if source.kind == "electrons" else 50.0
    end = rng.uniform(10.0, highest)
    if rng.random() < 0.55:
        end = np.clip(source.end_kev * rng.uniform(0.7, 1.5), 10.0, highest)
    gain = end / n_channels
    if rng.random() < 0.4:  # round gains are the rule on many instruments
        gain = float(np.asarray([0.005, 0.01, 0.02, 0.04])[np.argmin(
            np.abs(np.log(np.array([0.005, 0.01, 0.02, 0.04]) / gain)))])  # fmt: skip
    gain = float(np.clip(gain, 0.005, min(0.08, 0.6 * fwhm_kev)))
    kind = rng.random()
    if kind < 0.2:
        start = rng.normal(-0.955, 0.01)
    elif kind < 0.7:
        start = rng.normal(0.0, 0.02)
    else:
        start = rng.uniform(-1.0, 0.1)
    n_channels = int(np.clip(n_channels, 10.0 / gain, 50.0 / gain))
    return Calibration(float(start), gain), n_channels


def misread(edges_kev: np.ndarray, settings: SimulationSettings, coarse: bool, rng) -> np.ndarray:
    """True energies behind the stated channel edges: offset, gain, curvature, low-energy bend."""
    if not settings.calibration_error:
        return edges_kev
    scale = 3.0 if coarse else 1.0
    top = edges_kev[-1]
    bow = rng.normal(0.0, 0.004) * scale * 4.0 * edges_kev * (top - edges_kev) / top**2
    bend = rng.normal(0.0, 0.006) * np.exp(-np.clip(edges_kev, 0, None) / 0.9)
    return (
        edges_kev
        + rng.normal(0.0, settings.offset_sigma_kev * scale)
        + rng.normal(0.0, settings.gain_sigma * scale) * edges_kev
        + bow
        + bend
    )


@dataclass(frozen=True, eq=False)
class ShapeError:
    """What a detector's peaks differ from any model's; see :func:`draw_shape_error`.

    Attributes
    ----------
    left, right : ndarray of int, shape (channel,)
        First channel of a peak's width around each channel, and one past the last.
    relative : ndarray, float32, shape (channel,)
        Error over the mean counts within that width.
    """

    left: np.ndarray
    right: np.ndarray
    relative: np.ndarray

    def applied(self, rates: np.ndarray) -> np.ndarray:
        """Expected counts with the error, ≥ 0; ``rates`` (n, channel) is left as it is."""
        running = np.zeros((rates.shape[0], rates.shape[1] + 1))
        np.cumsum(rates, axis=1, dtype=np.float64, out=running[:, 1:])
        near = running.take(self.right, axis=1) - running.take(self.left, axis=1)
        near *= self.relative / (self.right - self.left)
        # At the foot of a tall peak the error may exceed what is there, but counts are no less
        # than none.
        return (rates + np.maximum(near, -0.5 * rates)).astype(np.float32)


def draw_shape_error(edges_kev: np.ndarray, detector: Detector, rng) -> ShapeError:
    """A random error of peak shapes and continua, alike in all spectra of an instrument.

    Fits of measured spectra with tails, shelves, escape and sum peaks leave residuals of some
    tenths of a percent to a percent of the counts nearby: unresolved satellites, incomplete
    charge, channels of unequal width (Van Grieken and Markowicz, Handbook of X-Ray Spectrometry,
    ch. 4). Their width is about the resolution. A classifier that never saw them takes any bump
    of a bright spectrum for a line.
    """
    centres = 0.5 * (edges_kev[1:] + edges_kev[:-1])
    fwhm = detector.fwhm_kev(np.maximum(centres, 0.05))
    half = np.maximum(0.75 * fwhm / np.diff(edges_kev), 0.5)
    channel = np.arange(centres.size)
    left = np.clip(np.floor(channel - half + 0.5), 0, channel).astype(np.intp)
    right = np.clip(np.ceil(channel + half + 0.5), channel + 1, centres.size).astype(np.intp)
    position = np.cumsum(np.diff(edges_kev) / fwhm) / rng.uniform(0.4, 1.2)
    knots = np.arange(int(position[-1]) + 2, dtype=np.float64)
    size = min(10 ** rng.normal(-2.4, 0.3), 0.012)
    relative = size * np.interp(position, knots, rng.standard_normal(knots.size))
    return ShapeError(left, right, relative.astype(np.float32))
