"""Many spectra of one instrument fitted at once: the fit of :mod:`fit_solve`, without its loops.

Everything that depends on the instrument alone is made once (:class:`Operators`): shapes on the
bins, how each responds to an error of energy, width, tail, shelf and escape, which line groups
are tied. What is left for a spectrum is the arithmetic of normal equations of about a hundred
columns, which numpy does for a stack of spectra in one call that other threads run beside.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from xrfengine.classifier import scatter
from xrfengine.classifier.fit_priors import (
    Ties,
    correction_covariance,
    correction_table,
    roughness,
    tie_level,
    ties_of,
)
from xrfengine.classifier.fit_shapes import Shapes
from xrfengine.classifier.fit_solve import FLOOR_COUNTS, PAIRS_ERROR, PAIRS_SIGMA, ridge
from xrfengine.classifier.stacked_nnls import stacked_nnls
from xrfengine.lines import ELEMENTS

N_ROUNDS = 3
_RIDGE = 1e-7
_MISFIT_REACH = 8


@dataclass(frozen=True, eq=False)
class Operators:
    """What all fits on one instrument share.

    Attributes
    ----------
    rows : ndarray, shape (row + 1, bin)
        Line groups and scatter; the last, empty one stands for "none".
    corrections : ndarray, shape (correction, row, bin)
        First-order change of each row.
    prior : ndarray, shape (correction, correction)
        Inverse covariance of the corrections.
    ties : Ties
    escape : ndarray, shape (line row, bin)
        Escape peaks alone, as contained in ``rows``.
    first_row : ndarray of int, shape (element + 1,)
        Rows of element e are ``first_row[e]`` … ``first_row[e + 1] − 1``.
    """

    shapes: Shapes
    rows: np.ndarray
    corrections: np.ndarray
    prior: np.ndarray
    ties: Ties
    escape: np.ndarray
    first_row: np.ndarray


@functools.lru_cache(maxsize=4)
def operators_of(shapes: Shapes) -> Operators:
    """Tables of one instrument; kept for its next spectra."""
    first = np.searchsorted(shapes.element, np.arange(len(ELEMENTS) + 1))
    return Operators(
        shapes=shapes,
        rows=np.concatenate([shapes.binned, np.zeros((1, shapes.binned.shape[1]))]),
        corrections=correction_table(shapes),
        prior=np.linalg.inv(correction_covariance(shapes)),
        ties=ties_of(shapes),
        escape=shapes.to_bins(shapes.escape).astype(np.float64),
        first_row=first,
    )


@dataclass(frozen=True, eq=False)
class BatchFit:
    """Fits of several spectra; columns are line groups, scatter, sums, background, corrections.

    Attributes
    ----------
    operators : Operators
    counts, model, background, variance : ndarray, shape (n, bin)
    sums, scattered, corrected : ndarray, shape (n, bin)
        Parts of the model: sum peaks; scatter of the tube; corrections of the response.
    row : ndarray of int, shape (n, slot)
        Row behind each of the first columns; the empty one where a spectrum has fewer.
    columns : ndarray, shape (n, column, bin)
    amounts : ndarray, shape (n, column)
    inverse : ndarray, shape (n, column, column)
        Covariance of the free amounts, 0 where one rests at its limit.
    misfit : ndarray, shape (n, bin)
        Reduced χ² around each bin, at least 1.
    """

    operators: Operators
    counts: np.ndarray
    model: np.ndarray
    background: np.ndarray
    variance: np.ndarray
    sums: np.ndarray
    scattered: np.ndarray
    corrected: np.ndarray
    row: np.ndarray
    columns: np.ndarray
    amounts: np.ndarray
    inverse: np.ndarray
    misfit: np.ndarray


def fit_batch(
    operators: Operators,
    counts: np.ndarray,
    chosen: np.ndarray,
    *,
    model_error: float,
    n_rounds: int = N_ROUNDS,
) -> BatchFit:
    """Fit spectra, each with its own elements.

    Parameters
    ----------
    operators : Operators
    counts : ndarray, shape (n, channel)
    chosen : ndarray of bool, shape (n, element of ``ELEMENTS``)
    model_error : float
        Relative error of the model, of the highest count within a peak width.
    n_rounds : int, ≥ 2
        Times the weights, ties and corrections are renewed.

    Returns
    -------
    BatchFit
        That of each spectrum does not depend on its neighbours but for rounding.
    """
    shapes = operators.shapes
    fine = shapes.to_fine(counts)
    y = shapes.to_bins(fine)
    n, n_bins = y.shape
    row, n_slots = _slots(operators, chosen)
    n_lines, n_all = shapes.element.size, shapes.binned.shape[0]
    n_scatter, n_hats = n_all - n_lines, shapes.background.shape[0]
    n_bent = operators.corrections.shape[0]
    at_pairs = n_slots + n_scatter
    at_hats = at_pairs + 1
    at_bent = at_hats + n_hats
    columns = np.zeros((n, at_bent + n_bent, n_bins))
    columns[:, :n_slots] = operators.rows[row]
    columns[:, n_slots:at_pairs] = shapes.binned[n_lines:]
    pairs = shapes.to_bins(_pairs(shapes, fine))
    columns[:, at_pairs] = pairs
    columns[:, at_hats:at_bent] = shapes.background
    usable = np.ones((n, at_bent), dtype=bool)
    usable[:, :n_slots] = row < n_all
    model = _smoothed(y)
    amounts = np.zeros((n, at_bent))
    unknown = np.where(usable, ridge(y.sum(axis=1))[:, None], 1.0)
    passive = usable.copy()
    inflation = np.ones_like(y)
    for turn in range(n_rounds):
        size = at_bent + (n_bent if turn else 0)
        seen = columns[:, :size]
        variance = _variance(model, amounts[:, at_pairs, None] * pairs, model_error)
        if turn and turn == n_rounds - 1:
            inflation = _misfit(y, model, variance)
        variance *= inflation
        if turn:
            columns[:, at_bent:] = _bent(operators, row, amounts, n_slots, n_scatter)
        weighted = seen / variance[:, None]
        hessian = weighted @ seen.transpose(0, 2, 1)
        right = (weighted @ y[:, :, None])[:, :, 0]
        diagonal = np.arange(size)
        noise = 1.0 / np.sqrt(hessian[:, diagonal, diagonal] + 1e-12)
        hessian[:, diagonal[:at_bent], diagonal[:at_bent]] += unknown
        hessian[:, at_pairs, at_pairs] += PAIRS_SIGMA**-2
        if turn:
            _tie(hessian, operators.ties, row, amounts, noise, n_slots)
            hats = slice(at_hats, at_bent)
            hessian[:, hats, hats] += roughness(amounts[:, hats])
            hessian[:, at_bent:, at_bent:] += operators.prior
        amounts, bent, passive = _solve(hessian, right, at_bent, passive & usable, usable)
        both = np.concatenate([amounts, bent], axis=1)
        model = np.maximum((both[:, None, :] @ seen)[:, 0], 1e-3)
    lines = (amounts[:, None, n_slots:at_pairs] @ shapes.binned[None, n_lines:])[:, 0]
    return BatchFit(
        operators=operators,
        counts=y,
        model=model,
        background=amounts[:, at_hats:at_bent] @ shapes.background,
        variance=variance,
        sums=amounts[:, at_pairs, None] * pairs,
        scattered=lines,
        corrected=(bent[:, None, :] @ columns[:, at_bent:])[:, 0],
        row=row,
        columns=columns,
        amounts=np.concatenate([amounts, bent], axis=1),
        inverse=_inverse(hessian, passive),
        misfit=inflation,
    )


def _slots(operators: Operators, chosen: np.ndarray) -> tuple[np.ndarray, int]:
    """Rows of the chosen elements of each spectrum, packed to the left."""
    n_lines, none = operators.shapes.element.size, operators.rows.shape[0] - 1
    wanted = chosen[:, operators.shapes.element]
    n_slots = max(int(wanted.sum(axis=1).max(initial=0)), 1)
    order = np.argsort(~wanted, axis=1, kind="stable")[:, :n_slots]
    if n_lines < n_slots:
        order = np.pad(order, ((0, 0), (0, n_slots - n_lines)))
    used = np.arange(n_slots) < wanted.sum(axis=1)[:, None]
    return np.where(used, order, none), n_slots


def _pairs(shapes: Shapes, fine: np.ndarray) -> np.ndarray:
    """Sum peaks of all pairs for a share of one: each spectrum folded with itself."""
    width = np.diff(shapes.edges_kev).mean()
    offset = float((shapes.edges_kev[0] + 0.5 * width) / width)
    positive = np.where(shapes.edges_kev[1:] > 0.3, fine, 0.0).astype(np.float32)
    return scatter.pile_up(positive, offset, np.full(len(fine), 1e-3)) / 1e-3


def _smoothed(y: np.ndarray) -> np.ndarray:
    padded = np.pad(y, ((0, 0), (2, 2)), mode="edge")
    n = y.shape[1]
    return sum(w * padded[:, k : k + n] for k, w in enumerate((1, 2, 3, 2, 1))) / 9.0


def _variance(model: np.ndarray, pairs: np.ndarray, model_error: float) -> np.ndarray:
    from scipy.ndimage import maximum_filter1d

    near = maximum_filter1d(model, 5, axis=1, mode="nearest")
    return model + (model_error * near) ** 2 + (PAIRS_ERROR * pairs) ** 2 + FLOOR_COUNTS


def _misfit(y: np.ndarray, model: np.ndarray, variance: np.ndarray) -> np.ndarray:
    from scipy.ndimage import uniform_filter1d

    pull2 = np.minimum((y - model) ** 2 / variance, 100.0)
    size = 2 * _MISFIT_REACH + 1
    return np.maximum(uniform_filter1d(pull2, size, axis=1, mode="nearest"), 1.0)


def _bent(operators, row, amounts, n_slots, n_scatter) -> np.ndarray:
    """First-order changes of the response to each spectrum's own lines, (n, correction, bin)."""
    table = operators.corrections
    n_bent, n_all, n_bins = table.shape
    every = np.zeros((len(row), n_all + 1))
    np.put_along_axis(every, row, amounts[:, :n_slots], axis=1)
    every[:, n_all - n_scatter : n_all] = amounts[:, n_slots : n_slots + n_scatter]
    used = np.flatnonzero(every[:, :n_all].any(axis=0))
    flat = table[:, used].transpose(1, 0, 2).reshape(used.size, n_bent * n_bins)
    return (every[:, used] @ flat).reshape(len(row), n_bent, n_bins)


def _tie(hessian, ties, row, amounts, noise, n_slots) -> None:
    """Hold each group near its expected ratio to its mate, as :func:`fit_priors.tie` does."""
    mate, spread, ratio = ties.mate[row], ties.spread[row], ties.ratio[row]
    spectrum, at = np.nonzero(mate)
    to = at + mate[spectrum, at]
    spread, ratio = spread[spectrum, at], ratio[spectrum, at]
    own, other = amounts[spectrum, at] / ratio, amounts[spectrum, to]
    level = tie_level(own, other, noise[spectrum, to])
    weight = (spread * ratio * level) ** -2
    np.add.at(hessian, (spectrum, at, at), weight)
    np.add.at(hessian, (spectrum, to, to), weight * ratio**2)
    np.add.at(hessian, (spectrum, at, to), -weight * ratio)
    np.add.at(hessian, (spectrum, to, at), -weight * ratio)


def _solve(hessian, right, n, passive, usable):
    """Non-negative amounts of the first ``n`` columns and free ones of the others."""
    scale = np.sqrt(hessian[:, np.arange(n), np.arange(n)])
    reduced, target = hessian[:, :n, :n], right[:, :n]
    m = hessian.shape[1] - n
    if m:
        both = np.concatenate([hessian[:, n:, :n], right[:, n:, None]], axis=2)
        gain = np.linalg.solve(hessian[:, n:, n:], both)
        reduced = reduced - hessian[:, :n, n:] @ gain[:, :, :n]
        target = target - (hessian[:, :n, n:] @ gain[:, :, n:])[:, :, 0]
    unit = reduced / (scale[:, :, None] * scale[:, None, :])
    unit[:, np.arange(n), np.arange(n)] += _RIDGE
    found, passive = stacked_nnls(unit, np.where(usable, target / scale, -1.0), passive)
    amounts = found / scale
    if not m:
        return amounts, np.zeros((len(right), 0)), passive
    return amounts, gain[:, :, n] - (gain[:, :, :n] @ amounts[:, :, None])[:, :, 0], passive


def _inverse(hessian: np.ndarray, passive: np.ndarray) -> np.ndarray:
    """Covariance of what is free."""
    size = hessian.shape[1]
    free = np.ones((len(hessian), size), dtype=bool)
    free[:, : passive.shape[1]] = passive
    diagonal = np.arange(size)
    scale = np.where(free, 1.0 / np.sqrt(hessian[:, diagonal, diagonal]), 0.0)
    unit = hessian * (scale[:, :, None] * scale[:, None, :])
    unit[:, diagonal, diagonal] += np.where(free, _RIDGE, 1.0)
    return np.linalg.inv(unit) * (scale[:, :, None] * scale[:, None, :])
