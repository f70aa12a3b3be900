"""From paint films to the spectrum a detector is expected to record.

Every pixel's expected spectrum is a mixture of the same few hundred *components*: one cluster of
fluorescence lines of one element, one band of scattered continuum, one scattered tube line, one
sum peak. What differs from pixel to pixel are their weights, which follow from the films by
Beer–Lambert absorption on the way in and out (Sherman's equation for layers, without secondary
enhancement).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xrfengine.classifier.excitation import GRID_KEV, Source, tube_source
from xrfengine.detector import Detector, render_groups, transmission
from xrfengine.lines import ELEMENTS, SYMBOLS, Line, line_groups
from xrfengine.phantom.pigments import NAMES, film_composition

AIR_G_CM2 = 1.5 * 1.2e-3
"""1.5 cm of air between painting and detector."""
EXIT_PATH = 1.0 / np.sin(np.deg2rad(45.0))
"""The beam comes in upright, the detector looks from 45°."""
SCATTER_RAD = np.deg2rad(135.0)
_ELECTRON_KEV = 511.0
_SAME_PEAK_KEV = 0.12  # lines of a family closer than this are absorbed alike
_COMPTON_WIDTH = 1.9  # Doppler broadening and solid angle, over the detector's own width
_N_BANDS = 18


@dataclass(frozen=True, eq=False)
class Components:
    """The building blocks of all spectra of one instrument.

    Attributes
    ----------
    elements : tuple of str
        Symbol a component belongs to, ``""`` for scatter.
    energy_kev, shapes : ndarray
        Main energy, shape (component,), and counts for weight 1, shape (component, channel).
    production, absorption : ndarray, float32, shape (pigment, component)
        Counts per µm of film at full beam, and how much one µm weakens them (in and out).
    instrument : ndarray, float32, shape (component,)
        For lines of air and instrument, the same at every pixel: their share of a mean pixel's
        counts; 0 for all that comes from the painting.
    """

    elements: tuple[str, ...]
    energy_kev: np.ndarray
    shapes: np.ndarray
    production: np.ndarray
    absorption: np.ndarray
    instrument: np.ndarray


@dataclass
class _Draft:
    """One component before it is rendered."""

    element: str
    energy_kev: float
    excited_at_kev: float
    production: np.ndarray  # (pigment,)
    lines: tuple[np.ndarray, np.ndarray] | None  # energies, shares; None: a continuum band
    sigma_scale: float = 1.0
    instrument: float = 0.0


def _clusters(lines: tuple[Line, ...]) -> list[list[Line]]:
    """Lines of a family in runs without a gap wider than ``_SAME_PEAK_KEV``."""
    runs: list[list[Line]] = []
    for line in sorted(lines, key=lambda a: a.energy_kev):
        if runs and line.energy_kev - runs[-1][-1].energy_kev < _SAME_PEAK_KEV:
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs


def _beam(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Energies and photon numbers that stand for the whole beam: continuum bins and lines."""
    step = np.gradient(GRID_KEV)
    bins = np.geomspace(2.0, source.end_kev * 0.985, 22)
    width = np.gradient(bins)
    # Mean flux of each bin; the grid is much finer than the bins.
    owner = np.abs(np.log(GRID_KEV)[:, None] - np.log(bins)[None]).argmin(axis=1)
    flux = np.bincount(owner, source.continuum * step, minlength=bins.size)
    assert width.size == flux.size
    strong = source.line_flux > 0.01 * source.line_flux.max()
    return (
        np.concatenate([bins, source.line_kev[strong]]),
        np.concatenate([flux, source.line_flux[strong]]),
    )


def _fluorescence(
    energies: np.ndarray, flux: np.ndarray, low_kev: float, high_kev: float
) -> list[_Draft]:
    composition = film_composition()
    drafts = []
    for number in np.flatnonzero(composition.any(axis=0)):
        symbol = SYMBOLS[number]
        if symbol not in ELEMENTS:
            continue
        by_family: dict[str, np.ndarray] = {}
        for j, energy in enumerate(energies):
            for group in line_groups(symbol, round(float(energy), 4)):
                strengths = by_family.setdefault(group.family, np.zeros(energies.size))
                strengths[j] = group.strength
        for family, strengths in by_family.items():
            excited = strengths * flux
            if excited.sum() <= 0:
                continue
            mean_kev = float((excited * energies).sum() / excited.sum())
            group = next(g for g in line_groups(symbol, mean_kev) if g.family == family)
            for run in _clusters(group.lines):
                share = sum(line.weight for line in run)
                kev = sum(line.weight * line.energy_kev for line in run) / share
                if not low_kev < kev < high_kev or share < 0.002:
                    continue
                lines = (
                    np.array([line.energy_kev for line in run]),
                    np.array([line.weight for line in run]) / share,
                )
                production = composition[:, number] * excited.sum() * share
                drafts.append(_Draft(symbol, kev, mean_kev, production, lines))
    return drafts


def _scatter_section(number: int, energy: float, compton: bool) -> float:
    """Cross section into the detector's direction times 4π, cm²/g."""
    import xraylib as xrl

    section = xrl.DCS_Compt if compton else xrl.DCS_Rayl
    return 4.0 * np.pi * section(int(number), float(energy), float(SCATTER_RAD))


def _compton_kev(energy: float) -> float:
    return energy / (1.0 + energy / _ELECTRON_KEV * (1.0 - np.cos(SCATTER_RAD)))


def _scatter(source: Source, low_kev: float, high_kev: float) -> list[_Draft]:
    composition = film_composition()
    numbers = np.flatnonzero(composition.any(axis=0))

    def per_um(energy: float, compton: bool) -> np.ndarray:
        sections = np.array([_scatter_section(z, energy, compton) for z in numbers])
        return composition[:, numbers] @ sections

    drafts = []
    for run in _clusters(
        tuple(
            Line("", "", "", "K", e, f)
            for e, f in zip(source.line_kev, source.line_flux, strict=True)
            if f > 0.004 * source.line_flux.max() and low_kev < e < high_kev
        )
    ):
        energies = np.array([line.energy_kev for line in run])
        flux = np.array([line.weight for line in run])
        kev = float((energies * flux).sum() / flux.sum())
        shares = flux / flux.sum()
        for compton in (False, True):
            out = np.array([_compton_kev(e) for e in energies]) if compton else energies
            drafts.append(
                _Draft(
                    "", _compton_kev(kev) if compton else kev, kev,
                    per_um(kev, compton) * flux.sum(), (out, shares),
                    _COMPTON_WIDTH if compton else 1.0,
                )
            )  # fmt: skip
    for kev in np.geomspace(max(low_kev, 1.0), 0.97 * source.end_kev, _N_BANDS):
        production = per_um(kev, False) + per_um(kev, True)
        drafts.append(_Draft("", float(kev), float(kev), production, None))
    return drafts


def _bands(source: Source, nodes: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The continuum cut into overlapping hats around the nodes: energies and photons of each.

    Steps of 40 eV are finer than any detector's resolution: rendered, no ripple is left.
    """
    energy = np.arange(0.5, source.end_kev, 0.04)
    flux = np.interp(energy, GRID_KEV, source.continuum) * 0.04
    place = np.interp(np.log(energy), np.log(nodes), np.arange(nodes.size))
    hats = np.clip(1.0 - np.abs(place - np.arange(nodes.size)[:, None]), 0.0, None) * flux
    return [(energy[hat > 0], hat[hat > 0]) for hat in hats]


def _attenuation(energies: np.ndarray) -> np.ndarray:
    """Attenuation by one µm of each film, shape (pigment, energy)."""
    import xraylib as xrl

    composition = film_composition()
    numbers = np.flatnonzero(composition.any(axis=0))
    table = np.array([[xrl.CS_Total(int(z), float(e)) for e in energies] for z in numbers])
    return composition[:, numbers] @ table


def make_components(
    detector: Detector, anode: str, tube_kv: float, edges_kev: np.ndarray
) -> Components:
    """Components for one instrument; counts in arbitrary units, the same for all components."""
    source = tube_source(anode, tube_kv)
    low, high = max(0.9, edges_kev[0]), min(edges_kev[-1] - 0.1, tube_kv)
    energies, flux = _beam(source)
    drafts = _fluorescence(energies, flux, low, high)
    drafts += _scatter(source, low, high)
    drafts += _instrument(detector)
    kev = np.array([d.energy_kev for d in drafts])

    def passed(e: np.ndarray) -> np.ndarray:
        return transmission("N1.56O0.42Ar0.0093", AIR_G_CM2, e) * detector.efficiency(e)

    bands = iter(_bands(source, kev[[d.lines is None for d in drafts]]))
    groups = [next(bands) if d.lines is None else d.lines for d in drafts]
    shapes = render_groups(
        [(energy, photons * passed(energy)) for energy, photons in groups],
        edges_kev,
        detector,
        sigma_scale=[d.sigma_scale for d in drafts],
    )
    inward = _attenuation(np.array([d.excited_at_kev for d in drafts]))
    outward = _attenuation(kev)
    production = np.array([d.production for d in drafts]).T
    return Components(
        elements=tuple(d.element for d in drafts),
        energy_kev=kev,
        shapes=shapes,
        production=np.ascontiguousarray(production, dtype=np.float32),
        absorption=(inward + EXIT_PATH * outward).astype(np.float32),
        instrument=np.array([d.instrument for d in drafts], dtype=np.float32),
    )


def _instrument(detector: Detector) -> list[_Draft]:
    """Argon of the air; copper of a gas detector's foils."""

    def line(symbol: str, share: float) -> _Draft:
        group = line_groups(symbol, 25.0)[0]
        energy = np.array([a.energy_kev for a in group.lines])
        weight = np.array([a.weight for a in group.lines])
        nothing = np.zeros(len(NAMES))
        return _Draft("", float(energy[0]), 25.0, nothing, (energy, weight), instrument=share)

    return [line("Ar", 0.02)] if detector.kind == "sdd" else [line("Ar", 0.02), line("Cu", 0.10)]


def pixel_weights(components: Components, layers: list[np.ndarray]) -> np.ndarray:
    """Weight of every component at some pixels, but for lines of air and instrument.

    Parameters
    ----------
    layers : list of ndarray, float32, shape (n, pigment)
        Film thickness in µm, from the support upwards.

    Returns
    -------
    ndarray, float32, shape (n, component)
    """
    n = layers[0].shape[0]
    weights = np.zeros((n, components.energy_kev.size), np.float32)
    above = np.zeros_like(weights)
    for film in reversed(layers):
        laid = film.any(axis=0)
        if not laid.any():
            continue
        own = film[:, laid] @ components.absorption[laid]
        # Mean over the depth of the layer of what gets in and out again.
        survive = -np.expm1(-own) / np.maximum(own, 1e-6)
        weights += (film[:, laid] @ components.production[laid]) * survive * np.exp(-above)
        above += own
    return weights


@dataclass(frozen=True, eq=False)
class SumPeaks:
    """Pile-up: two photons counted as one, for the strongest components."""

    first: np.ndarray
    second: np.ndarray
    shapes: np.ndarray
    rate: float

    def weights(self, weights: np.ndarray) -> np.ndarray:
        """Weights of the sum peaks, shape (n, pair)."""
        return self.rate * weights[:, self.first] * weights[:, self.second]


def make_sum_peaks(
    components: Components,
    mean_counts: np.ndarray,
    detector: Detector,
    edges_kev: np.ndarray,
    share: float,
    strongest: int = 9,
) -> SumPeaks:
    """Sum peaks of the ``strongest`` line components.

    Parameters
    ----------
    mean_counts : ndarray, shape (component,)
        Counts of each component at a mean pixel.
    share : float
        Of all counts of the mean pixel, how many are two photons.
    """
    is_line = np.array([bool(e) for e in components.elements])
    order = np.argsort(np.where(is_line, mean_counts, -1.0))[::-1][:strongest]
    first, second = np.triu_indices(order.size)
    first, second = order[first], order[second]
    area = components.shapes.sum(axis=1)
    # Two unlike photons meet twice as often as two like ones.
    twice = np.where(first == second, 1.0, 2.0)
    groups = [
        (np.array([components.energy_kev[i] + components.energy_kev[j]]),
         np.array([t * area[i] * area[j]]))
        for i, j, t in zip(first, second, twice, strict=True)
    ]  # fmt: skip
    shapes = render_groups(groups, edges_kev, detector)
    return SumPeaks(first, second, shapes, share / float(mean_counts.sum()))
