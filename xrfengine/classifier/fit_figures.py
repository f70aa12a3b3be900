"""What a fit has to say of an element, in a dozen figures: input of the verification.

The figures are those a spectroscopist looks at: is the element needed at all, are its other lines
there, does another element or the instrument explain its peak, does the peak stand where it
should, is the fit any good around it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np

from xrfengine.classifier.element_peaks import peaks_of
from xrfengine.classifier.fit import MODEL_ERROR
from xrfengine.classifier.fit_batch import BatchFit, Operators, fit_batch, operators_of
from xrfengine.classifier.fit_shapes import Setup, Shapes, shapes_of
from xrfengine.classifier.fit_solve import composites
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress
from xrfengine.lines import ELEMENTS

FEATURES: tuple[str, ...] = (
    "network log-odds",
    "significance",
    "lines missing of what was found",
    "lines missing of the whole peak",
    "best line",
    "second line",
    "share other elements explain",
    "share sum, escape and scatter peaks explain",
    "log counts",
    "off centre",
    "misfit around",
    "significance × log-odds",
    "significance × missing",
    "log counts × log-odds",
)
"""In this order on the last axis of :attr:`Figures.features`."""

PER_FWHM = 2.0
"""Bins of the fit in a peak width: two lose little and halve the work."""

N_ROUNDS = 2
"""Rounds of weights and ties: a third changes no verdict on simulated spectra."""

_ADDED_Z = 6.0
_AT_ONCE = 8  # spectra stacked: more do not fit the processor's cache
_BLOCK = 512  # sorted among each other, so that those stacked have like numbers of elements
_LARGEST_LOGIT = 8.0
_MOST_PEAKS = 4
_MOST_ROWS = 5
_NOTHING = 1e-12


@dataclass(frozen=True, eq=False)
class Figures:
    """Figures of (spectrum, element) pairs.

    Attributes
    ----------
    spectrum, element : ndarray of int, shape (pair,)
        Places in the batch, and in ``ELEMENTS``.
    features : ndarray, shape (pair, feature)
    z : ndarray, shape (pair,)
        Marginal significance.
    """

    spectrum: np.ndarray
    element: np.ndarray
    features: np.ndarray
    z: np.ndarray


@dataclass(frozen=True, eq=False)
class _Peaks:
    """The foremost peaks of an element, padded: templates (peak, bin), shares (peak,)."""

    templates: np.ndarray
    shares: np.ndarray
    comparable: np.ndarray
    used: np.ndarray
    near: np.ndarray
    away_kev: np.ndarray
    fwhm_kev: float


@functools.lru_cache(maxsize=512)
def _peak_table(shapes: Shapes, element: int) -> _Peaks:
    peaks = peaks_of(shapes, ELEMENTS[element])[:_MOST_PEAKS]
    n_bins = shapes.centres_kev.size
    templates, shares = np.zeros((_MOST_PEAKS, n_bins)), np.zeros(_MOST_PEAKS)
    comparable, near = np.zeros(_MOST_PEAKS, dtype=bool), np.zeros(n_bins, dtype=bool)
    away, fwhm = np.zeros(n_bins), 1.0
    for i, (line, template, share) in enumerate(peaks):
        main = peaks[0][0]
        templates[i], shares[i] = template, share
        comparable[i] = i > 0 and (line.family == main.family or line.energy_kev > main.energy_kev)
    if peaks:
        fwhm = float(shapes.setup.detector.fwhm_kev(peaks[0][0].energy_kev))
        away = shapes.centres_kev - peaks[0][0].energy_kev
        near = np.abs(away) < fwhm
    used = np.arange(_MOST_PEAKS) < len(peaks)
    return _Peaks(templates, shares, comparable, used, near, away, fwhm)


def squeezed(z: np.ndarray) -> np.ndarray:
    """Between linear (noise) and logarithmic (beyond doubt)."""
    return np.arcsinh(z / 2.0)


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Of the network, −8…8."""
    p = np.clip(np.asarray(probability, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.clip(np.log(p / (1 - p)), -_LARGEST_LOGIT, _LARGEST_LOGIT)


def left_over(fit: BatchFit) -> np.ndarray:
    """By how much each element would help, nothing else changing; z, shape (n, element).

    That is less than its significance if it were added: what the fit put in its place stays.
    """
    shapes_of_elements = composites(fit.operators.shapes)
    weight = 1.0 / fit.variance
    gradient = ((fit.counts - fit.model) * weight) @ shapes_of_elements.T
    curvature = weight @ np.square(shapes_of_elements).T
    seen = shapes_of_elements.sum(axis=1) > 0
    return np.where(seen, gradient / np.sqrt(np.maximum(curvature, _NOTHING)), 0.0)


def figures(
    counts: np.ndarray,
    setup: Setup,
    proposed: np.ndarray,
    between: tuple[float, float],
    places: np.ndarray,
    n_threads: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Iterator[tuple[np.ndarray, Figures]]:
    """Figures of every element in doubt, some spectra at a time, in no order.

    Parameters
    ----------
    counts : ndarray, shape (n, channel)
    proposed : ndarray, shape (n, element of ``ELEMENTS``), 0…1
    between : (floor, ceiling)
        Probability from which an element is in the fit, and up to which it is in doubt.
    places : ndarray of int
        Spectra to look at.

    Yields
    ------
    places : ndarray of int
        Spectra that the figures' ``spectrum`` points into.
    figures : Figures
    """
    from threadpoolctl import threadpool_limits

    operators = operators_of(shapes_of(setup, PER_FWHM))
    n_threads = n_threads or min(os.cpu_count() or 1, 8)
    done = 0

    def look(mine: np.ndarray) -> list[tuple[np.ndarray, Figures]]:
        cancel.check()
        return list(_looked_at(operators, counts[mine], proposed[mine], between, mine))

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(n_threads, "verify") as pool:
        for block in chunks(places.size, _BLOCK):
            mine = places[block]
            mine = mine[np.argsort((proposed[mine] >= between[0]).sum(axis=1), kind="stable")]
            coming = [pool.submit(look, mine[some]) for some in chunks(mine.size, _AT_ONCE)]
            try:
                for future in as_completed(coming):
                    yield from future.result()
            finally:
                for future in coming:
                    future.cancel()
            done += mine.size
            progress(done / places.size, "verifying")


def _looked_at(
    operators: Operators,
    counts: np.ndarray,
    said: np.ndarray,
    between: tuple[float, float],
    places: np.ndarray,
) -> Iterator[tuple[np.ndarray, Figures]]:
    """Fit the proposed elements, and once more where something is plainly left over."""
    chosen, doubtful = said >= between[0], said <= between[1]
    fit = fit_batch(operators, counts, chosen, model_error=MODEL_ERROR, n_rounds=N_ROUNDS)
    left = np.where(chosen, 0.0, left_over(fit))
    best = left.argmax(axis=1)
    missing = left[np.arange(len(left)), best] >= _ADDED_Z
    yield places, figures_of(fit, chosen & doubtful & ~missing[:, None], said)
    if missing.any():
        chosen = chosen[missing]
        chosen[np.arange(len(chosen)), best[missing]] = True
        fit = fit_batch(
            operators, counts[missing], chosen, model_error=MODEL_ERROR, n_rounds=N_ROUNDS
        )
        yield places[missing], figures_of(fit, chosen & doubtful[missing], said[missing])


def figures_of(fit: BatchFit, asked: np.ndarray, probability: np.ndarray) -> Figures:
    """Figures of elements in the fits.

    Parameters
    ----------
    fit : BatchFit
    asked : ndarray of bool, shape (n, element of ``ELEMENTS``)
        Of elements in the fit.
    probability : ndarray, shape (n, element of ``ELEMENTS``), 0…1
        Of the network.
    """
    spectrum, element = np.nonzero(asked)
    if not spectrum.size:
        return Figures(spectrum, element, np.zeros((0, len(FEATURES))), np.zeros(0))
    shapes = fit.operators.shapes
    tables = {int(e): _peak_table(shapes, int(e)) for e in np.unique(element)}

    def stacked(name: str) -> np.ndarray:
        return np.array([getattr(tables[int(e)], name) for e in element])

    own_slots, own_used = _own_slots(fit.operators, fit.row, spectrum, element)
    value = np.where(own_used, fit.amounts[spectrum[:, None], own_slots], 0.0)
    covariance = _own_block(fit.inverse, spectrum, own_slots, value > 0)
    significance = np.einsum(
        "pi,pi->p", value, np.linalg.solve(covariance, value[:, :, None])[..., 0]
    )
    z = np.sqrt(np.maximum(significance, 0.0))
    rows = fit.columns[spectrum[:, None], own_slots] * value[:, :, None]
    own = rows.sum(axis=1)

    templates, shares, used = stacked("templates"), stacked("shares"), stacked("used")
    weight = templates / fit.variance[spectrum, None]
    net = fit.counts[spectrum] - fit.background[spectrum]
    found, error = _free_lines(fit, spectrum, templates, weight, used, own, own_slots, value > 0)

    comparable = stacked("comparable")
    scale = np.maximum(shares[:, 0], 1e-3)
    # Near the line only: shelf and escape of a strong peak would weigh more than its top.
    under = weight[:, 0] * stacked("near")
    curvature = np.maximum((under * templates[:, 0]).sum(axis=1), _NOTHING)
    whole = np.maximum((under * net).sum(axis=1) / curvature, 0.0) / scale
    alone = np.maximum(found[:, 0], 0.0) / scale
    missing = [
        np.where(comparable, (amount[:, None] * shares - found) / error, 0.0).max(axis=1)
        for amount in (alone, whole)
    ]
    missing = [np.log1p(np.maximum(m, 0.0)) for m in missing]
    order = np.sort(np.where(used, found / error, -np.inf), axis=1)[:, ::-1]
    order = np.where(np.isfinite(order), order, 0.0)

    shown = (under * net).sum(axis=1)
    escaped = _escaped(fit, spectrum, own_slots, value)
    machine = (under * (fit.sums[spectrum] + fit.scattered[spectrum] + escaped)).sum(axis=1)
    others = (under * (fit.model - fit.background)[spectrum]).sum(axis=1)
    others = others - (under * own).sum(axis=1) - machine
    total_share = np.where(shown > 0, shown, 1.0)
    others = np.where(shown > 0, np.clip(others / total_share, 0.0, 1.5), 1.0)
    machine = np.where(shown > 0, np.clip(machine / total_share, 0.0, 1.5), 0.0)

    odds = log_odds(probability[spectrum, element])
    total = np.log10(np.maximum(fit.counts.sum(axis=1), 1.0))[spectrum] - 4.0
    around = templates[:, 0] / np.maximum(templates[:, 0].sum(axis=1, keepdims=True), _NOTHING)
    misfit = np.log((around * fit.misfit[spectrum]).sum(axis=1) + _NOTHING).clip(0.0, 5.0)
    off = _off_centre(fit, spectrum, templates[:, 0], own, stacked)
    hard = squeezed(z)
    features = np.stack(
        [
            odds, hard, *missing, squeezed(order[:, 0]), squeezed(order[:, 1]), others, machine,
            total, off, misfit, hard * odds, hard * missing[0], total * odds,
        ],
        axis=1,
    )  # fmt: skip
    return Figures(spectrum, element, features, z)


def _own_slots(
    operators: Operators, row: np.ndarray, spectrum: np.ndarray, element: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Columns of each pair's element, (pair, 5), and which of them there are."""
    first = operators.first_row[element]
    n_own = operators.first_row[element + 1] - first
    at = np.argmax(row[spectrum] == first[:, None], axis=1)
    step = np.arange(_MOST_ROWS)
    used = step < n_own[:, None]
    return np.where(used, at[:, None] + step, 0), used


def _own_block(
    inverse: np.ndarray, spectrum: np.ndarray, slots: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """Covariance of the element's own amounts, (pair, 5, 5); one where there is none."""
    block = inverse[spectrum[:, None, None], slots[:, :, None], slots[:, None, :]]
    block = block * (free[:, :, None] & free[:, None, :])
    diagonal = np.arange(_MOST_ROWS)
    block[:, diagonal, diagonal] += ~free
    return block


def _free_lines(fit, spectrum, templates, weight, used, own, slots, free):
    """Counts of each peak and their error, all else free but the element's own groups gone."""
    n_pairs, n_peaks, n_bins = templates.shape
    mixed = np.empty((n_pairs, n_peaks, fit.columns.shape[1]))
    gain = np.empty_like(mixed)
    pull = np.empty(mixed.shape[::2])
    residual = own / fit.variance[spectrum]
    for i in np.unique(spectrum):
        mine = np.flatnonzero(spectrum == i)
        flat = weight[mine].reshape(-1, n_bins) @ fit.columns[i].T
        mixed[mine] = flat.reshape(mine.size, n_peaks, -1)
        pull[mine] = residual[mine] @ fit.columns[i].T
    pair, slot = np.nonzero(free)
    mixed[pair, :, slots[pair, slot]] = 0.0
    for i in np.unique(spectrum):
        mine = np.flatnonzero(spectrum == i)
        flat = mixed[mine].reshape(-1, mixed.shape[2]) @ fit.inverse[i]
        gain[mine] = flat.reshape(mine.size, n_peaks, -1)
    # The covariance with the element gone: Σ − Σe Σee⁻¹ Σe'.
    block = _own_block(fit.inverse, spectrum, slots, free)
    across = fit.inverse[spectrum[:, None], slots] * free[:, :, None]
    leaving = np.take_along_axis(gain, slots[:, None, :], axis=2) * free[:, None, :]
    gain -= leaving @ np.linalg.solve(block, across)
    gain[pair, :, slots[pair, slot]] = 0.0
    left = weight @ templates.transpose(0, 2, 1) - gain @ mixed.transpose(0, 2, 1)
    diagonal = np.arange(n_peaks)
    left[:, diagonal, diagonal] *= 1.0 + 1e-6
    left = left * (used[:, :, None] & used[:, None, :])
    left[:, diagonal, diagonal] += np.where(used, _NOTHING, 1.0)
    right = (weight @ (fit.counts[spectrum] - fit.model[spectrum] + own)[:, :, None])[..., 0]
    right -= (gain @ pull[:, :, None])[..., 0]
    covariance = np.linalg.inv(left)
    found = (covariance @ np.where(used, right, 0.0)[:, :, None])[..., 0]
    return found, np.sqrt(np.maximum(covariance[:, diagonal, diagonal], _NOTHING))


def _escaped(fit, spectrum, slots, value) -> np.ndarray:
    """Escape peaks of everything but the pair's own element, (pair, bin)."""
    table = np.concatenate([fit.operators.escape, np.zeros((1, fit.counts.shape[1]))])
    at = np.minimum(fit.row, len(table) - 1)
    n_slots = fit.row.shape[1]
    every = (fit.amounts[:, None, :n_slots] @ table[at])[:, 0]
    mine = np.minimum(fit.row[spectrum[:, None], np.minimum(slots, n_slots - 1)], len(table) - 1)
    return every[spectrum] - (value[:, None, :] @ table[mine])[:, 0]


def _off_centre(fit, spectrum, template, own, stacked) -> np.ndarray:
    """How far the peak stands from where it should, beyond its error; in peak widths, 0…0.5."""
    near, fwhm = stacked("away_kev"), stacked("fwhm_kev")
    weight = template * stacked("near")
    # What the fit took for an error of energies is no excuse here: the setup was refined before.
    mine = (fit.counts - fit.model + fit.corrected)[spectrum] + own
    height = np.maximum((weight * mine).sum(axis=1), _NOTHING)
    # The product of two like Gaussians lies half way between them.
    away = 2.0 * (weight * near * mine).sum(axis=1) / height
    error = 2.0 * np.sqrt((np.square(weight * near) * fit.variance[spectrum]).sum(axis=1)) / height
    return np.clip((np.abs(away) - error) / fwhm, 0.0, 0.5)
