"""Greedy likelihood search: one line group after another (matching pursuit), Poisson statistics.

From a smooth background on, the group that improves the fit most is added and everything is
fitted again, until none improves it by three standard deviations; then each element is judged by
what the fit loses without it. Candidates are the K, L and M groups of all elements, with escape
peaks; always there are the pile-up of the whole spectrum with itself and the Compton peaks of the
tube's anode, at several angles and widths. The anode is the one whose Compton peaks the spectrum
asks for most, as if the user had known it. Energies and resolution are refined on the way.

At high counts not statistics but the model limits what can be told: its relative error is added to
the Poisson variance, and the score is divided by a slowly growing function of the counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from peers.line_shapes import Bins, bins_of, element_shapes, seen, smooth_shapes
from xrfengine.classifier.evaluate import Verdict
from xrfengine.classifier.scatter import compton_kev
from xrfengine.cube import Spectrum
from xrfengine.detector import render_groups
from xrfengine.lines import ELEMENTS, line_groups

CUT = 7.7
"""Best on tune rows."""

_MODEL_ERROR = 0.01
_FLANK_ERROR = 0.03
_EASE_COUNTS, _EASE_POWER = 1e4, 0.25
_LEAST_Z = 3.0
_MOST_GROUPS = 45
_ANODES = ("Rh", "Ag", "Mo", "Pd", "W", "Au")
_ANGLES = (75.0, 95.0, 115.0, 135.0, 155.0)
_COMPTON_WIDTHS = (1.4, 2.4)  # in peak widths
_CLEARLY = 30.0
_EARLY = 6  # groups after which energies are refined first
_SHIFT_KEV, _GAIN, _WIDTH = 0.012, 0.0025, 0.10  # how far a calibration is off, 1 σ


@dataclass(frozen=True, eq=False)
class _Dictionary:
    """Shapes to choose from, and those always there; rows sum to about 1."""

    bins: Bins
    names: list[tuple[str, str]]
    candidates: np.ndarray
    always: np.ndarray

    def with_always(self, more: np.ndarray) -> _Dictionary:
        return replace(self, always=np.concatenate([self.always, more]))


def greedy(spectrum: Spectrum) -> Mapping[str, Verdict]:
    """Verdicts on one spectrum."""
    shift, scale, anode = (0.0, 0.0), 1.0, None
    for groups in (_EARLY, 2 * _EARLY):
        book = _dictionary(spectrum, shift, scale, anode)
        y = book.bins.sums(spectrum.counts)
        chosen = _search(book, y, groups)
        if anode is None:
            anode = spectrum.instrument.tube_anode or _anode(book, y, chosen)
        shift, scale = _refined(book, y, chosen, shift, scale)
    book = _dictionary(spectrum, shift, scale, anode)
    y = book.bins.sums(spectrum.counts)
    z = _judged(book, y, _search(book, y, _MOST_GROUPS))
    z = {element: float(value / _ease(y.sum())) for element, value in z.items()}
    return {element: Verdict(value, value >= CUT) for element, value in z.items()}


def _ease(counts: float) -> float:
    return max(counts / _EASE_COUNTS, 1.0) ** _EASE_POWER


def _dictionary(
    spectrum: Spectrum, shift: tuple[float, float], scale: float, anode: str | None
) -> _Dictionary:
    bins = bins_of(spectrum, shift_kev=shift, fwhm_scale=scale)
    names, shapes = element_shapes(bins)
    always = np.concatenate([smooth_shapes(bins), _pile_up(bins, spectrum.counts)])
    book = _Dictionary(bins, names, shapes, always)
    return book if anode is None else book.with_always(_compton_shapes(bins, anode))


def _anode(book: _Dictionary, y: np.ndarray, chosen: list[int]) -> str | None:
    """The anode whose Compton peaks improve the fit most, if any does clearly."""
    columns = np.concatenate([book.always, book.candidates[chosen]])
    _, model = _fit(columns, y, np.maximum(y, 1.0), 2)
    weight = 1.0 / np.sqrt(_variance(model))
    best, found = _loss(columns, y, weight) - _CLEARLY, None
    for anode in _ANODES:
        compton = _compton_shapes(book.bins, anode)
        if len(compton):
            loss = _loss(np.concatenate([columns, compton]), y, weight)
            if loss < best:
                best, found = loss, anode
    return found


def _compton_shapes(bins: Bins, anode: str) -> np.ndarray:
    """Compton peaks of an anode's groups, unit sums, shape (angle and width, bin)."""
    groups, widths = [], []
    for group in line_groups(anode, bins.end_kev):
        main = group.lines[0].energy_kev
        if group.strength == 0 or main < 7.0:
            continue  # unresolved from the Rayleigh peak, which is the element's own group
        energy = np.array([line.energy_kev for line in group.lines])
        weight = np.array([line.weight for line in group.lines])
        for angle, width in product(_ANGLES, _COMPTON_WIDTHS):
            moved = compton_kev(energy, angle)
            if bins.edges_kev[0] < moved[0] < bins.edges_kev[-1]:
                groups.append((moved, weight * seen(bins, moved)))
                widths.append(width)
    if not groups:
        return np.zeros((0, bins.centres_kev.size))
    rendered = render_groups(groups, bins.edges_kev, bins.detector, sigma_scale=widths)
    shapes = bins.sums(rendered)
    shapes = shapes[shapes.sum(axis=1) > 0]
    return shapes / shapes.sum(axis=1, keepdims=True)


def _pile_up(bins: Bins, counts: np.ndarray) -> np.ndarray:
    """The spectrum folded with itself, shape (0 or 1, bin): two photons counted as one."""
    from scipy.signal import fftconvolve

    centres = 0.5 * (bins.edges_kev[1:] + bins.edges_kev[:-1])
    rate = np.where(centres > 0.7, counts, 0.0)
    folded = np.maximum(fftconvolve(rate, rate), 0.0)
    energy = 2.0 * centres[0] + np.arange(folded.size) * (centres[-1] - centres[0]) / (
        centres.size - 1
    )
    shape = bins.sums(np.interp(centres, energy, folded))
    total = shape.sum()
    return shape[None] / total if total > 0 else np.zeros((0, shape.size))


def _variance(model: np.ndarray) -> np.ndarray:
    # The flanks of peaks are wrong by the error of the energies: a share of a bin's width, which
    # is a third of a peak's.
    flank = _FLANK_ERROR * np.gradient(model)
    return model + (_MODEL_ERROR * model) ** 2 + flank**2 + 0.3


def _fit(columns: np.ndarray, y: np.ndarray, model: np.ndarray, rounds: int) -> tuple:
    """Amounts ≥ 0 of the columns (column, bin), reweighted by the model; and the model."""
    from scipy.optimize import nnls

    amount = np.zeros(len(columns))
    for _ in range(rounds):
        weight = 1.0 / np.sqrt(_variance(model))
        amount, _ = nnls((columns * weight).T, y * weight, maxiter=50 * len(columns))
        model = amount @ columns
    return amount, model


def _search(book: _Dictionary, y: np.ndarray, most: int) -> list[int]:
    """Places of the chosen candidates."""
    chosen: list[int] = []
    dropped: set[int] = set()
    start = np.maximum(np.convolve(y, np.ones(5) / 5, mode="same"), 0.5)
    _, model = _fit(book.always, y, start, 4)
    for _ in range(most):
        columns = np.concatenate([book.always, book.candidates[chosen]])
        z = _outside_z(book.candidates, columns, y, model)
        z[[*chosen, *dropped]] = 0.0
        best = int(z.argmax())
        if z[best] < _LEAST_Z:
            break
        chosen.append(best)
        columns = np.concatenate([book.always, book.candidates[chosen]])
        amount, model = _fit(columns, y, np.maximum(model, 0.1), 2)
        # What later groups explain better goes, and does not come back.
        gone = [c for c, a in zip(chosen, amount[len(book.always) :], strict=True) if a <= 0]
        chosen = [c for c in chosen if c not in gone]
        dropped.update(gone)
    return chosen


def _outside_z(
    candidates: np.ndarray, columns: np.ndarray, y: np.ndarray, model: np.ndarray
) -> np.ndarray:
    """Significance of each candidate, the columns in the fit free, shape (candidate,)."""
    weight = 1.0 / np.sqrt(_variance(model))
    inside, trial = columns * weight, candidates * weight
    residual = (y - model) * weight
    gram = inside @ inside.T
    gram[np.diag_indices_from(gram)] *= 1.0 + 1e-8
    shared = trial @ inside.T
    solved = np.linalg.solve(gram, shared.T)
    left = (trial**2).sum(axis=1) - (shared * solved.T).sum(axis=1)
    slope = trial @ residual - shared @ np.linalg.solve(gram, inside @ residual)
    own = (trial**2).sum(axis=1)
    return np.where(left > 1e-4 * own, slope / np.sqrt(np.maximum(left, 1e-12 * own)), 0.0)


def _refined(
    book: _Dictionary, y: np.ndarray, chosen: list[int], shift: tuple[float, float], scale: float
) -> tuple[tuple[float, float], float]:
    """Offset, gain and width that the model's derivatives ask for (one Gauss-Newton step)."""
    if not chosen:
        return shift, scale
    columns = np.concatenate([book.always, book.candidates[chosen]])
    amount, model = _fit(columns, y, np.maximum(y, 1.0), 3)
    peaks = amount[len(book.always) :] @ book.candidates[chosen]
    centres, widths = book.bins.centres_kev, book.bins.widths_kev
    slope = np.gradient(peaks / widths, centres)
    curve = np.gradient(slope, centres)
    sigma2 = (book.bins.fwhm_kev / 2.3548) ** 2
    steps = np.array([_SHIFT_KEV * slope, _GAIN * centres * slope, _WIDTH * sigma2 * curve])
    weight = 1.0 / np.sqrt(_variance(model))
    design = np.concatenate([columns[amount > 0], steps * widths]) * weight
    prior = np.zeros(len(design))
    prior[-3:] = 1.0
    gram = design @ design.T + np.diag(prior + 1e-9)
    found = np.linalg.lstsq(gram, design @ ((y - model) * weight), rcond=None)[0][-3:]
    found = np.clip(found, -2.5, 2.5)
    # A model moved up by d is what a spectrum read d too low asks for.
    return (
        (shift[0] + _SHIFT_KEV * found[0], shift[1] + _GAIN * found[1]),
        float(np.clip(scale * (1.0 + _WIDTH * found[2]), 0.75, 1.35)),
    )


def _judged(book: _Dictionary, y: np.ndarray, chosen: list[int]) -> dict[str, float]:
    """Element → √(loss of the fit without it); of those not chosen, what adding them would gain."""
    columns = np.concatenate([book.always, book.candidates[chosen]])
    _, model = _fit(columns, y, np.maximum(y, 1.0), 3)
    weight = 1.0 / np.sqrt(_variance(model))
    # Outside the fit nothing reaches what it takes to be chosen.
    outside = np.clip(_outside_z(book.candidates, columns, y, model), 0.0, _LEAST_Z)
    z = dict.fromkeys(ELEMENTS, 0.0)
    for (element, _), value in zip(book.names, outside, strict=True):
        z[element] = max(z[element], 0.5 * float(value))
    best = _loss(columns, y, weight)
    for element in {book.names[c][0] for c in chosen}:
        others = [c for c in chosen if book.names[c][0] != element]
        without = np.concatenate([book.always, book.candidates[others]])
        z[element] = float(np.sqrt(max(_loss(without, y, weight) - best, 0.0)))
    return z


def _loss(columns: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    from scipy.optimize import nnls

    return nnls((columns * weight).T, y * weight, maxiter=50 * len(columns))[1] ** 2
