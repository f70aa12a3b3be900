"""The arithmetic of a full-spectrum fit: weights, ties between line groups, non-negative solution.

Linear in everything: amplitudes of line groups, scatter, background and sum peaks are not
negative; errors of energies, widths, tail, shelf and escape are first-order corrections with a
prior. Weights and priors follow the model found (iteratively reweighted least squares, which for
Poisson counts is Fisher scoring).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from xrfengine.classifier import scatter
from xrfengine.classifier.fit_priors import corrections, smooth, tie
from xrfengine.classifier.fit_shapes import (
    SHIFT_KNOTS_KEV,
    Shapes,
)
from xrfengine.detector import FWHM_PER_SIGMA
from xrfengine.lines import ELEMENTS

PAIRS_SIGMA, PAIRS_ERROR = 0.01, 0.1
FLOOR_COUNTS = 0.4


@dataclass(frozen=True, eq=False)
class Solution:
    """Result of one fit, on the bins of :class:`Shapes`; all arrays float64.

    Attributes
    ----------
    elements : ndarray of int, shape (chosen,)
    rows : ndarray of int, shape (chosen row,)
        Rows of the shapes: line groups of the chosen elements, by element.
    counts : ndarray, shape (chosen row,)
        Net counts of each line group.
    covariance : ndarray, shape (chosen row, chosen row)
        Of these, everything else free; 0 where an amplitude rests at its limit.
    z : ndarray, shape (chosen,)
        Marginal significance of each element: root of what the fit would lose without it.
    outside_z, outside_counts : ndarray, shape (element of ``ELEMENTS``,)
        For elements that are not chosen: significance and counts if it were added, to first
        order; may be negative. NaN for the chosen, and 0 where nothing of it is in range.
    model, background, sums, variance : ndarray, shape (bin,)
    line_fine : ndarray, shape (fine,)
        Lines and scatter on fine bins.
    scatter_counts, scatter_z : ndarray, shape (scatter row,)
    shifts_kev : ndarray, shape (knot,)
        By how much peaks stand too high on the energies of the setup.
    width_change : float
        Change of σ² at all energies, keV².
    pairs : float
        Share of events in sum peaks.
    columns : ndarray, shape (free, bin)
        Everything whose amplitude is free at the solution: amounts above 0, and corrections.
    hessian : ndarray, shape (free, free)
        Of the amplitudes, ties and priors included.
    inverse : ndarray, shape (free, free)
        Of the hessian: their covariance.
    column_row : ndarray of int, shape (free,)
        Row of the shapes behind each column; −1 for what is no element's.
    chi2 : float
        Reduced, against the variance that includes the error of the model.
    """

    elements: np.ndarray
    rows: np.ndarray
    counts: np.ndarray
    covariance: np.ndarray
    z: np.ndarray
    outside_z: np.ndarray
    outside_counts: np.ndarray
    model: np.ndarray
    background: np.ndarray
    sums: np.ndarray
    variance: np.ndarray
    line_fine: np.ndarray
    scatter_counts: np.ndarray
    scatter_z: np.ndarray
    shifts_kev: np.ndarray
    width_change: float
    pairs: float
    columns: np.ndarray
    hessian: np.ndarray
    inverse: np.ndarray
    column_row: np.ndarray
    chi2: float


@functools.lru_cache(maxsize=12)
def composites(shapes: Shapes) -> np.ndarray:
    """Every element with its groups in the expected ratio, shape (element, bin)."""
    out = np.zeros((len(ELEMENTS), shapes.binned.shape[1]))
    n = shapes.element.size
    np.add.at(out, shapes.element, shapes.share[:, None] * shapes.binned[:n])
    return out


def fit_bins(
    shapes: Shapes,
    counts: np.ndarray,
    chosen: np.ndarray,
    *,
    model_error: float,
    n_rounds: int = 3,
    start: np.ndarray | None = None,
    inflation: np.ndarray | None = None,
    inflate: bool = False,
) -> Solution:
    """Fit one spectrum with the chosen elements.

    Parameters
    ----------
    counts : ndarray, shape (channel,)
    chosen : ndarray of int
        Indices into ``ELEMENTS``.
    model_error : float
        Relative error of the model, of the highest count within a peak width.
    n_rounds : int
        Times the weights, ties and corrections are renewed.
    start : ndarray or None, shape (bin,)
        Model to take the first weights from.
    inflation : ndarray or None, shape (bin,)
        Factor on the variance, see :func:`misfit`.
    inflate : bool
        Take that factor, for the last round, from the fit before it.
    """
    fine = shapes.to_fine(counts)
    y = shapes.to_bins(fine)
    chosen = np.unique(np.asarray(chosen, dtype=int))
    rows = np.flatnonzero(np.isin(shapes.element, chosen))
    pairs_fine = _pairs(shapes, fine)
    pairs = shapes.to_bins(pairs_fine)
    n_lines = shapes.element.size
    n_scatter = shapes.binned.shape[0] - n_lines
    x = np.concatenate(
        [shapes.binned[rows], shapes.binned[n_lines:], shapes.background, pairs[None]]
    )
    at_background = rows.size + n_scatter
    model = _smoothed(y) if start is None else start
    amounts = None
    for turn in range(n_rounds):
        variance = _variance(model, pairs * (amounts[-1] if turn else 0.0), model_error)
        if inflate and turn == n_rounds - 1:
            inflation = misfit(y, model, variance)
        if inflation is not None:
            variance = variance * inflation
        prior = np.full(x.shape[0], ridge(y.sum()))
        prior[-1] = PAIRS_SIGMA**-2
        extra = np.diag(prior)
        signed = np.zeros((0, y.size))
        sigma = np.zeros(0)
        if turn:
            tie(extra, shapes, rows, amounts[: rows.size], variance, x)
            smooth(extra, amounts, at_background, shapes.background.shape[0])
            line_fine = _lines(shapes, rows, amounts, n_scatter)
            signed, sigma = corrections(shapes, rows, amounts, line_fine)
        amounts, bent, hessian, active = _solve(x, signed, y, variance, extra, sigma)
        model = np.maximum(amounts @ x + bent @ signed, 1e-3)
    return _solution(
        shapes, y, chosen, rows, x, signed, amounts, bent, hessian, active, model, variance,
        pairs, n_scatter,
    )  # fmt: skip


def ridge(total: np.ndarray | float) -> np.ndarray | float:
    """Weight that keeps an amplitude without any data at 0, from the counts of a spectrum.

    It falls with the square of the counts, as the weight of data does that are certain to a
    hundredth of themselves: a fixed one pulls down the strong lines of a bright spectrum. An
    amplitude of all counts is then known to an eighth beforehand, ten times worse than by data;
    much weaker, it leaves columns that are nearly alike undecided, and net counts with them.
    """
    return (8.0 / np.maximum(np.asarray(total), 8e6)) ** 2


def misfit(y: np.ndarray, model: np.ndarray, variance: np.ndarray, reach: int = 8) -> np.ndarray:
    """Reduced χ² around each bin, at least 1: how much worse than its noise a model is there.

    Where something unknown is left over (diffraction, a lost line, a badly shaped tail), the
    uncertainties of what is fitted nearby grow by as much (Birge's ratio).
    """
    from scipy.ndimage import uniform_filter1d

    pull2 = np.minimum((y - model) ** 2 / variance, 100.0)
    return np.maximum(uniform_filter1d(pull2, 2 * reach + 1, mode="nearest"), 1.0)


def _pairs(shapes: Shapes, fine: np.ndarray) -> np.ndarray:
    """Sum peaks of all pairs for a share of one: the spectrum folded with itself."""
    widths = np.diff(shapes.edges_kev).mean()
    offset = float((shapes.edges_kev[0] + 0.5 * widths) / widths)
    positive = np.where(shapes.edges_kev[1:] > 0.3, fine, 0.0)
    one = np.full(1, 1e-3)
    return scatter.pile_up(positive[None].astype(np.float32), offset, one)[0] / 1e-3


def _smoothed(y: np.ndarray) -> np.ndarray:
    padded = np.pad(y, 2, mode="edge")
    return np.convolve(padded, np.array([1, 2, 3, 2, 1]) / 9.0, mode="valid")


def _variance(model: np.ndarray, pairs: np.ndarray, model_error: float) -> np.ndarray:
    from scipy.ndimage import maximum_filter1d

    near = maximum_filter1d(model, 5, mode="nearest")
    return model + (model_error * near) ** 2 + (PAIRS_ERROR * pairs) ** 2 + FLOOR_COUNTS


def _lines(shapes: Shapes, rows: np.ndarray, amounts: np.ndarray, n_scatter: int) -> np.ndarray:
    every = np.zeros(shapes.fine.shape[0], dtype=np.float32)
    every[rows] = amounts[: rows.size]
    if n_scatter:
        every[-n_scatter:] = amounts[rows.size : rows.size + n_scatter]
    used = np.flatnonzero(every)
    return (every[used] @ shapes.fine[used]).astype(np.float64)


def _solve(x, signed, y, variance, extra, covariance):
    """Non-negative amounts of ``x`` and free ones of ``signed``; inverse of the Hessian."""
    from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
    from scipy.optimize import nnls

    n, m = x.shape[0], signed.shape[0]
    both = np.concatenate([x, signed]) if m else x
    weighted = both / variance
    hessian = weighted @ both.T
    right = weighted @ y
    hessian[:n, :n] += extra
    scale = np.sqrt(np.diag(hessian)[:n])
    if m:
        hessian[n:, n:] += np.linalg.inv(covariance)
        factor = cho_factor(hessian[n:, n:])
        gain = cho_solve(factor, hessian[n:, :n])
        reduced = hessian[:n, :n] - hessian[:n, n:] @ gain
        target = right[:n] - right[n:] @ gain
    else:
        reduced, target = hessian.copy(), right
    unit = reduced / np.outer(scale, scale)
    unit[np.arange(n), np.arange(n)] += 1e-7
    upper = cholesky(unit)
    found, _ = nnls(upper, solve_triangular(upper, target / scale, trans="T"))
    amounts = found / scale
    active = np.flatnonzero(found > 0)
    bent = cho_solve(factor, right[n:] - hessian[n:, :n] @ amounts) if m else np.zeros(0)
    free = np.concatenate([active, np.arange(n, n + m)])
    part = hessian[np.ix_(free, free)]
    size = np.sqrt(np.diag(part))
    eased = part / np.outer(size, size)
    eased[np.arange(free.size), np.arange(free.size)] += 1e-7
    eased *= np.outer(size, size)
    return amounts, bent, eased, free


def _solution(
    shapes, y, chosen, rows, x, signed, amounts, bent, hessian, free, model, variance, pairs,
    n_scatter,
) -> Solution:  # fmt: skip
    n_rows = rows.size
    size = np.sqrt(np.diag(hessian))
    inverse = np.linalg.inv(hessian / np.outer(size, size)) / np.outer(size, size)
    covariance = np.zeros((n_rows, n_rows))
    lines = free < n_rows
    covariance[np.ix_(free[lines], free[lines])] = inverse[np.ix_(lines, lines)]
    z = _marginal_z(chosen, shapes.element[rows], amounts[:n_rows], covariance)
    both = np.concatenate([x, signed])[free]
    outside_z, outside_counts = _score(shapes, y - model, variance, both, inverse)
    outside_z[chosen] = np.nan
    at = np.arange(n_rows, n_rows + n_scatter)
    scatter_z = np.zeros(n_scatter)
    place = {int(v): i for i, v in enumerate(free)}
    for i, v in enumerate(at):
        if v in place:
            scatter_z[i] = amounts[v] / np.sqrt(inverse[place[v], place[v]])
    knots = SHIFT_KNOTS_KEV.size
    mn = (shapes.setup.detector.fwhm_mn_kev / FWHM_PER_SIGMA) ** 2
    freedom = max(y.size - free.size, 1)
    return Solution(
        elements=chosen,
        rows=rows,
        counts=amounts[:n_rows],
        covariance=covariance,
        z=z,
        outside_z=outside_z,
        outside_counts=outside_counts,
        model=model,
        background=amounts[n_rows + n_scatter : -1] @ shapes.background,
        sums=amounts[-1] * pairs,
        variance=variance,
        line_fine=_lines(shapes, rows, amounts, n_scatter),
        scatter_counts=amounts[at],
        scatter_z=scatter_z,
        shifts_kev=bent[:knots] if bent.size else np.zeros(knots),
        width_change=float(bent[knots] * mn) if bent.size else 0.0,
        pairs=float(amounts[-1]),
        columns=both,
        hessian=hessian,
        inverse=inverse,
        column_row=np.where(free < n_rows, np.append(rows, -1)[np.minimum(free, n_rows)], -1),
        chi2=float(((y - model) ** 2 / variance).sum() / freedom),
    )


def _marginal_z(
    chosen: np.ndarray, element: np.ndarray, amounts: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Significance of the groups of each element together, shape (chosen,).

    ``element`` and ``amounts`` are of the rows, by element.
    """
    at = np.flatnonzero(amounts > 0)
    first = np.searchsorted(element[at], chosen)
    number = np.searchsorted(element[at], chosen, side="right") - first
    squared = np.zeros(chosen.size)
    for n in range(1, number.max(initial=0) + 1):
        mine = np.flatnonzero(number == n)
        rows = at[first[mine, None] + np.arange(n)]
        value = amounts[rows][:, :, None]
        own = covariance[rows[:, :, None], rows[:, None, :]]
        squared[mine] = (value * np.linalg.solve(own, value)).sum(axis=(1, 2))
    return np.sqrt(np.maximum(squared, 0.0))


def _score(shapes, residual, variance, both, inverse) -> tuple[np.ndarray, np.ndarray]:
    """First-order significance and counts of every element if it were added to the fit."""
    candidates = composites(shapes)
    weighted = candidates / variance
    gradient = weighted @ residual
    mixed = weighted @ both.T
    curvature = (weighted * candidates).sum(axis=1)
    left = curvature - ((mixed @ inverse) * mixed).sum(axis=1)
    usable = left > 1e-5 * curvature
    left = np.where(usable, left, 1.0)
    z = np.where(usable, gradient / np.sqrt(left), 0.0)
    return z, np.where(usable, gradient / left, 0.0)
