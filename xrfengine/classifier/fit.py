"""Restricted full-spectrum fit: net counts and significance of elements in one spectrum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from xrfengine.classifier.fit_shapes import Setup, Shapes, shapes_of
from xrfengine.classifier.fit_solve import Solution, fit_bins
from xrfengine.classifier.instrument import PARTS
from xrfengine.cube import Spectrum
from xrfengine.detector import FWHM_PER_SIGMA, MN_KA_KEV, Detector
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS

MODEL_ERROR = 0.01
"""Relative error of a model that knows the instrument well (1 σ of the local counts)."""

_FILTERS_UM = (0.0, 600.0, 1200.0, 2500.0)
_ALL = np.arange(len(ELEMENTS))
_N_REFINED = 3
_MOST_PEAKS = 8
_CLEAR = 8.0  # standard deviations from which a peak tells its width
_WIDEST_SILICON_KEV = 0.32
_HIGHEST_LINE_KEV, _HIGHEST_RAYLEIGH_KEV = 18.0, 24.0


def guess_setup(spectrum: Spectrum, anode: str | None = None) -> Setup:
    """What can be said of the instrument before any fit: range, resolution, voltage."""
    counts = np.asarray(spectrum.counts, dtype=np.float64)
    seen = np.flatnonzero(counts > 0)
    first, last = (int(seen[0]), int(seen[-1]) + 1) if seen.size else (0, counts.size)
    energy = spectrum.energy_kev
    fwhm = spectrum.calibration.fwhm_mn_kev or guess_fwhm(counts, energy)
    detector = Detector.gem(fwhm / MN_KA_KEV) if fwhm > 0.45 else Detector.sdd(fwhm)
    end = spectrum.instrument.tube_kv or guess_end(counts, energy)
    last = min(last, int(np.searchsorted(energy, 1.08 * end + 1.0)))
    return Setup(
        calibration=replace(spectrum.calibration, fwhm_mn_kev=None),
        n_channels=counts.size,
        detector=detector,
        anode=anode or spectrum.instrument.tube_anode,
        end_kev=float(round(end, 1)),
        first_channel=first,
        last_channel=last,
    )


def guess_end(counts: np.ndarray, energy_kev: np.ndarray) -> float:
    """Energy at which the spectrum ends, keV: where the last 0.05 % of the counts begin."""
    inside = energy_kev > 0.5
    total = np.cumsum(np.where(inside, counts, 0.0))
    if total[-1] <= 0:
        return float(energy_kev[-1])
    place = int(np.searchsorted(total, (1 - 5e-4) * total[-1]))
    return float(np.clip(energy_kev[min(place, counts.size - 1)] * 1.15, 8.0, 50.0))


def guess_fwhm(counts: np.ndarray, energy_kev: np.ndarray) -> float:
    """Resolution at Mn Kα from the clearest peaks, keV.

    Peaks that a silicon detector would show are looked for first, anywhere above the continuum: a
    single one proves it, for the humps of scatter and continuum are in every spectrum. Light
    samples may show none but the Rayleigh peak of the anode, up to that of silver. Without any,
    the widths are those of a gas detector.
    """
    gain = float(np.diff(energy_kev).mean())
    clear = standing_out(counts, gain)
    for top_kev in (_HIGHEST_LINE_KEV, _HIGHEST_RAYLEIGH_KEV):
        narrow = _peak_widths(counts, energy_kev, 0.5, clear, _CLEAR, top_kev)
        narrow = narrow[narrow < _WIDEST_SILICON_KEV]
        if narrow.size:
            return float(np.clip(np.percentile(narrow, 30), 0.11, _WIDEST_SILICON_KEV))
    wide = _peak_widths(counts, energy_kev, 2.2, counts, 30.0, _HIGHEST_LINE_KEV)
    if wide.size and np.percentile(wide, 30) > 0.4:
        return float(np.clip(np.percentile(wide, 30), 0.4, 1.3))
    return 0.15


def standing_out(counts: np.ndarray, gain_kev: float) -> np.ndarray:
    """By how many standard deviations each channel rises over those 0.4 keV to both sides."""
    reach, half = max(int(0.4 / gain_kev), 2), max(int(0.04 / gain_kev), 0)
    box = np.full(2 * half + 1, 1.0)
    sums = np.convolve(counts, box, mode="same")
    padded = np.pad(sums, reach, mode="edge")
    base = 0.5 * (padded[: -2 * reach] + padded[2 * reach :])
    return (sums - base) / np.sqrt(sums + 0.5 * base + 1.0)


def _peak_widths(
    counts: np.ndarray,
    energy_kev: np.ndarray,
    reach_kev: float,
    rank: np.ndarray,
    least: float,
    top_kev: float,
) -> np.ndarray:
    """Widths of the peaks first in rank, brought to Mn Kα, keV."""
    gain = float(np.diff(energy_kev).mean())
    reach = max(int(reach_kev / gain), 4)
    found = []
    left = np.where((energy_kev > 1.2) & (energy_kev < top_kev), rank, 0.0)
    for _ in range(_MOST_PEAKS):
        top = int(left.argmax())
        if left[top] < least:
            break
        first = max(top - reach, 0)
        around, centre = counts[first : top + reach + 1], top - first
        if 0 < centre < around.size - 1:
            base = min(np.percentile(around[:centre], 10), np.percentile(around[centre:], 10))
            width = _half_width(around - base, centre) * gain
            if width:
                fano = FWHM_PER_SIGMA**2 * 0.00365 * 0.115
                at_mn = width**2 + fano * (MN_KA_KEV - energy_kev[top])
                found.append(np.sqrt(max(at_mn, 0.08**2)))
        left[first : top + reach + 1] = 0.0
    return np.array(found)


def _half_width(peak: np.ndarray, centre: int) -> float:
    """Full width at half maximum in channels, straight between channels."""
    top = peak[max(centre - 1, 0) : centre + 2].mean()
    if top <= 0:
        return 0.0
    right = np.flatnonzero(peak[centre:] < 0.5 * top)
    left = np.flatnonzero(peak[centre::-1] < 0.5 * top)
    if not right.size or not left.size:
        return 0.0

    def edge(profile: np.ndarray, k: int) -> float:
        a, b = profile[k - 1], profile[k]
        return k - 1 + (a - 0.5 * top) / max(a - b, 1e-9)

    return edge(peak[centre:], int(right[0])) + edge(peak[centre::-1], int(left[0]))


def improved(setup: Setup, solution: Solution) -> Setup:
    """The setup with the corrections of energies and width that a fit found."""
    shifts = np.clip(np.array(setup.shifts_kev) - solution.shifts_kev, -0.2, 0.2)
    detector = setup.detector
    change = FWHM_PER_SIGMA**2 * solution.width_change
    squared = detector.fwhm_mn_kev**2
    fwhm = float(np.sqrt(np.clip(squared + change, 0.7 * squared, 1.45 * squared)))
    return replace(
        setup,
        shifts_kev=tuple(float(round(s, 5)) for s in shifts),
        detector=replace(detector, fwhm_mn_kev=max(round(fwhm, 5), 0.05)),
    )


def select(
    shapes: Shapes, counts: np.ndarray, chosen: np.ndarray, *, z_keep: float = 3.0
) -> Solution:
    """From a set of elements, drop what the fit does not need, then add what it misses.

    Weakest first, everything else free at every step: which of two like elements stays is
    decided by all lines of both, not by which came first. The tube's anode is never added: its
    lines are there by scatter, which must explain them.

    Parameters
    ----------
    chosen : ndarray of int
        Indices into ``ELEMENTS`` to begin with.
    z_keep : float
        Marginal significance below which an element is dropped; 1.5 times it to be added.
    """
    chosen = np.asarray(chosen, dtype=int)
    solution = fit_bins(shapes, counts, chosen, model_error=MODEL_ERROR, n_rounds=3)
    for limit in (0.3, 1.0, 2.0, z_keep):
        while (solution.z < limit).any():
            # What is at its limit 0 does nothing, and may go all at once.
            at_most = max(1, chosen.size // 4, int((solution.z == 0).sum()))
            weakest = np.argsort(solution.z)[:at_most]
            chosen = np.delete(chosen, weakest[solution.z[weakest] < limit])
            solution = fit_bins(
                shapes, counts, chosen, model_error=MODEL_ERROR, n_rounds=2, start=solution.model
            )
    for _ in range(3):
        outside = np.nan_to_num(solution.outside_z, nan=-1.0)
        outside[scattered(shapes.setup)] = -1.0
        best = int(outside.argmax())
        if outside[best] < 1.5 * z_keep:
            break
        chosen = np.union1d(chosen, best)
        solution = fit_bins(
            shapes, counts, chosen, model_error=MODEL_ERROR, n_rounds=3, start=solution.model
        )
    return solution


def scattered(setup: Setup) -> list[int]:
    """Indices into ``ELEMENTS`` of what the tube scatters: its anode, where it is known."""
    return [ELEMENTS.index(setup.anode)] if setup.anode in ELEMENTS else []


@dataclass(frozen=True, eq=False)
class SpectrumFit:
    """A spectrum taken apart.

    Attributes
    ----------
    setup : Setup
        The instrument as refined on the spectrum.
    shapes : Shapes
    solution : Solution
    counts : ndarray, shape (bin,)
        Measured counts in the bins of the fit.
    """

    setup: Setup
    shapes: Shapes
    solution: Solution
    counts: np.ndarray

    @property
    def z(self) -> dict[str, float]:
        """Marginal significance of every element, by symbol; 0 for what is not in range."""
        return {e: float(z) for e, z in zip(ELEMENTS, self.z_array, strict=True)}

    @cached_property
    def z_array(self) -> np.ndarray:
        """Marginal significance, float64, shape (element of ``ELEMENTS``,)."""
        z = np.nan_to_num(self.solution.outside_z, nan=0.0)
        z[self.solution.elements] = self.solution.z
        z.flags.writeable = False
        return z

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements in the fit, by falling significance."""
        order = np.argsort(-self.solution.z)
        return tuple(ELEMENTS[self.solution.elements[i]] for i in order)

    def net_counts(self, element: str) -> tuple[float, float]:
        """Net counts of all lines of an element in range, and their standard deviation.

        Of an element outside the fit: to first order, and may be negative.
        """
        index = int(_indices((element,))[0])
        mine = self.shapes.element[self.solution.rows] == index
        if mine.any():
            cov = self.solution.covariance[np.ix_(mine, mine)]
            return float(self.solution.counts[mine].sum()), float(np.sqrt(max(cov.sum(), 0.0)))
        counts, z = self.solution.outside_counts[index], self.solution.outside_z[index]
        return float(counts), float(abs(counts / z)) if z else 0.0

    def group_counts(self, element: str) -> dict[str, tuple[float, float]]:
        """Net counts and standard deviation of each line group (``Kα``, ``L3`` …) in the fit."""
        index = int(_indices((element,))[0])
        rows = self.solution.rows
        return {
            PARTS[self.shapes.part[rows[i]]]: (
                float(self.solution.counts[i]),
                float(np.sqrt(self.solution.covariance[i, i])),
            )
            for i in np.flatnonzero(self.shapes.element[rows] == index)
        }

    def row_counts(self) -> dict[str, dict[int, float]]:
        """Counts of every row of the shapes, by element in the fit."""
        return self._row_counts

    @cached_property
    def _row_counts(self) -> dict[str, dict[int, float]]:
        found: dict[str, dict[int, float]] = {}
        for row, n in zip(self.solution.rows, self.solution.counts, strict=True):
            if n > 0:
                found.setdefault(ELEMENTS[self.shapes.element[row]], {})[int(row)] = float(n)
        return found

    def is_column_of(self, element: str) -> np.ndarray:
        """Which free columns of the solution are the element's, bool, shape (free,)."""
        index = int(_indices((element,))[0])
        row = self.solution.column_row
        return (row >= 0) & (self.shapes.element[np.maximum(row, 0)] == index)

    def model_without(self, element: str) -> np.ndarray:
        """The model less the element's own lines, shape (bin,)."""
        rows = self.row_counts().get(element, {})
        if not rows:
            return self.solution.model
        own = np.array([*rows.values()]) @ self.shapes.binned[[*rows]]
        return self.solution.model - own

    @property
    def residual(self) -> np.ndarray:
        """Counts minus model over the standard deviation, shape (bin,)."""
        return (self.counts - self.solution.model) / np.sqrt(self.solution.variance)


def refine_setup(
    spectrum: Spectrum,
    candidates: tuple[str, ...] | None = None,
    anode: str | None = None,
    *,
    setup: Setup | None = None,
    begun: Solution | None = None,
) -> Setup:
    """Find energies, resolution and hardness of the beam on the spectrum itself.

    Parameters
    ----------
    spectrum : Spectrum
        One with many counts: for a cube, its sum.
    candidates : tuple of str or None
        Elements it may hold; None allows all.
    anode : str or None
        Of the tube, where known.
    setup : Setup or None
        To start from, instead of a guess.
    begun : Solution or None
        Of :func:`select` with that setup, where it is at hand: the first of three rounds.
    """
    setup = setup or guess_setup(spectrum, anode)
    chosen = _ALL if candidates is None else _indices(candidates)
    # As an element of the sample it would let a filter pass for one that takes its L lines away.
    chosen = np.setdiff1d(chosen, scattered(setup))
    for turn in range(_N_REFINED):
        if turn or begun is None:
            solution = select(shapes_of(setup), spectrum.counts, chosen)
        else:
            solution = begun
        setup, chosen = improved(setup, solution), solution.elements
    if setup.excitation != "tube":
        return setup
    best = (np.inf, setup)
    for filter_um in _FILTERS_UM:
        trial = replace(setup, filter_um=filter_um)
        shapes = shapes_of(trial, elements=tuple(chosen.tolist()))
        solution = fit_bins(shapes, spectrum.counts, chosen, model_error=MODEL_ERROR)
        best = min(best, (solution.chi2, trial), key=lambda pair: pair[0])
    return best[1]


def fit_spectrum(
    spectrum: Spectrum,
    candidates: tuple[str, ...] | None = None,
    anode: str | None = None,
    *,
    setup: Setup | None = None,
    keep: bool = False,
) -> SpectrumFit:
    """Fit a spectrum with the elements it may hold.

    Parameters
    ----------
    spectrum : Spectrum
    candidates : tuple of str or None
        Elements to begin with; None: all. Those that the fit does not need are dropped, and what
        it clearly misses is added.
    anode : str or None
        Anode of the tube (``"Rh"``), whose scattered lines are then fitted; None: as the file
        says, else none.
    setup : Setup or None
        Instrument as found by :func:`refine_setup`, to save the time of finding it.
    keep : bool
        Fit just the candidates: drop and add none.

    Returns
    -------
    SpectrumFit

    Raises
    ------
    SettingsError
        If a candidate or the anode is no element the fit knows.
    """
    if anode is not None:
        _indices((anode,))
    if setup is None:
        setup = refine_setup(spectrum, candidates, anode)
    shapes = shapes_of(setup)
    chosen = _ALL if candidates is None else _indices(candidates)
    start = None
    if not keep:
        solution = select(shapes, spectrum.counts, chosen)
        chosen, start = solution.elements, solution.model
    solution = fit_bins(
        shapes, spectrum.counts, chosen, model_error=MODEL_ERROR, start=start, inflate=True
    )
    y = shapes.to_bins(shapes.to_fine(spectrum.counts))
    return SpectrumFit(setup, shapes, solution, y)


def _indices(symbols: tuple[str, ...]) -> np.ndarray:
    unknown = [s for s in symbols if s not in ELEMENTS]
    if unknown:
        raise SettingsError(
            f"no lines are fitted for {', '.join(unknown)}", f"Choose from {', '.join(ELEMENTS)}."
        )
    return np.array([ELEMENTS.index(s) for s in symbols], dtype=int)
