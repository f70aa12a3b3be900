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
from xrfengine.classifier.fit_shapes import (
    FAMILY_OF_PART,
    SHIFT_KNOTS_KEV,
    SOFT_KEV,
    SOFT_WEIGHT,
    Shapes,
)
from xrfengine.detector import FWHM_PER_SIGMA
from xrfengine.lines import ELEMENTS

# How far the ratio of a line group to the element's main one may stray from the expected (1 σ,
# relative). Within a family self-absorption bends it by 1.1 to 1.3; between families depth, tube
# voltage and windows count for factors. FIELD: cover layers bend Kβ/Kα by up to 2, L/M by 5.
_WITHIN_SIGMA = {1: 0.12, 3: 0.45}
_BETWEEN_SIGMA = 0.9

_SHIFT_SIGMA_KEV, _OFFSET_SIGMA_KEV, _GAIN_SIGMA = 0.003, 0.02, 0.003
_WIDTH_SIGMA = 0.15
_TAIL_KEV = (0.15, 0.6)
_TAIL_SIGMA, _SHELF_SIGMA, _ESCAPE_SIGMA = 0.02, 0.006, 0.4
_PAIRS_SIGMA, _PAIRS_ERROR = 0.01, 0.1
_ROUGHNESS = 0.5
_FLOOR_COUNTS = 0.4


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
        Of the amplitudes, ties and priors included; its inverse is their covariance.
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
    column_row: np.ndarray
    chi2: float


@functools.lru_cache(maxsize=12)
def composites(shapes: Shapes) -> np.ndarray:
    """Every element with its groups in the expected ratio, shape (element, bin)."""
    out = np.zeros((len(ELEMENTS), shapes.binned.shape[1]))
    n = shapes.element.size
    np.add.at(out, shapes.element, shapes.share[:, None] * shapes.binned[:n])
    return out


@functools.lru_cache(maxsize=12)
def _main_rows(shapes: Shapes) -> np.ndarray:
    """Row of the group that vouches for each element, −1 where none is in range."""
    main = np.full(len(ELEMENTS), -1)
    best = np.zeros(len(ELEMENTS))
    weight = shapes.share * np.where(shapes.row_kev < SOFT_KEV, SOFT_WEIGHT, 1.0)
    for row, (element, share) in enumerate(zip(shapes.element, weight, strict=True)):
        if share > best[element]:
            main[element], best[element] = row, share
    return main


def fit_bins(
    shapes: Shapes,
    counts: np.ndarray,
    chosen: np.ndarray,
    *,
    model_error: float,
    n_rounds: int = 3,
    start: np.ndarray | None = None,
    inflation: np.ndarray | None = None,
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
        if inflation is not None:
            variance = variance * inflation
        prior = np.full(x.shape[0], 1e-12)
        prior[-1] = _PAIRS_SIGMA**-2
        extra = np.diag(prior)
        signed = np.zeros((0, y.size))
        sigma = np.zeros(0)
        if turn:
            _tie(extra, shapes, rows, amounts[: rows.size], variance, x)
            _smooth(extra, amounts, at_background, shapes.background.shape[0])
            line_fine = _lines(shapes, rows, amounts, n_scatter)
            signed, sigma = _corrections(shapes, rows, amounts, line_fine, turn)
        amounts, bent, hessian, active = _solve(x, signed, y, variance, extra, sigma)
        model = np.maximum(amounts @ x + bent @ signed, 1e-3)
    return _solution(
        shapes, y, chosen, rows, x, signed, amounts, bent, hessian, active, model, variance,
        pairs, n_scatter,
    )  # fmt: skip


def misfit(solution: Solution, y: np.ndarray, reach: int = 8) -> np.ndarray:
    """Reduced χ² around each bin, at least 1: how much worse than its noise a model is there.

    Where something unknown is left over (diffraction, a lost line, a badly shaped tail), the
    uncertainties of what is fitted nearby grow by as much (Birge's ratio).
    """
    from scipy.ndimage import uniform_filter1d

    pull2 = np.minimum((y - solution.model) ** 2 / solution.variance, 100.0)
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
    return model + (model_error * near) ** 2 + (_PAIRS_ERROR * pairs) ** 2 + _FLOOR_COUNTS


def _tie(extra, shapes, rows, counts, variance, x) -> None:
    """Hold each group near its expected ratio to the main group of its element or family."""
    element, part, share = shapes.element[rows], shapes.part[rows], shapes.share[rows]
    # What noise alone could be of a group: ties narrower than that would decide by themselves.
    noise = 1.0 / np.sqrt((x[: rows.size] ** 2 / variance).sum(axis=1) + 1e-12)
    place = {int(row): i for i, row in enumerate(rows)}
    main_of = _main_rows(shapes)
    for i in range(rows.size):
        mate, spread = None, _BETWEEN_SIGMA
        follows = i and element[i - 1] == element[i] and part[i - 1] == part[i] - 1
        if part[i] in _WITHIN_SIGMA and follows:
            mate, spread = i - 1, _WITHIN_SIGMA[part[i]]
        if mate is None:
            main = place.get(int(main_of[element[i]]))
            if main is None or main == i:
                continue
            if FAMILY_OF_PART[part[main]] == FAMILY_OF_PART[part[i]]:
                mate, spread = main, _WITHIN_SIGMA[max(part[i], part[main])]
            else:
                mate = main
        ratio = share[i] / share[mate]
        # The mean of both sides, so that neither can open the tie alone.
        level = max(min(counts[mate], 3.0 * counts[i] / ratio + noise[mate]), 0.5 * noise[mate])
        if spread < _BETWEEN_SIGMA:
            level = max(counts[mate], counts[i] / ratio, 0.5 * noise[mate])
        weight = (spread * ratio * level) ** -2
        extra[i, i] += weight
        extra[mate, mate] += weight * ratio**2
        extra[i, mate] -= weight * ratio
        extra[mate, i] -= weight * ratio


def _smooth(extra, amounts, first, n_hats) -> None:
    """Second differences of the background small against its level."""
    level = amounts[first : first + n_hats]
    around = np.convolve(np.pad(level, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    floor = 0.02 * level.max() + 1e-6
    for i in range(1, n_hats - 1):
        weight = (_ROUGHNESS * (around[i] + floor)) ** -2
        at = np.arange(first + i - 1, first + i + 2)
        bend = np.array([1.0, -2.0, 1.0])
        extra[np.ix_(at, at)] += weight * np.outer(bend, bend)


def _lines(shapes: Shapes, rows: np.ndarray, amounts: np.ndarray, n_scatter: int) -> np.ndarray:
    n_lines = shapes.element.size
    fine = amounts[: rows.size] @ shapes.fine[rows]
    if n_scatter:
        fine = fine + amounts[rows.size : rows.size + n_scatter] @ shapes.fine[n_lines:]
    return fine


@functools.lru_cache(maxsize=12)
def _shift_hats(shapes: Shapes) -> np.ndarray:
    centres = 0.5 * (shapes.edges_kev[1:] + shapes.edges_kev[:-1])
    eye = np.eye(SHIFT_KNOTS_KEV.size)
    return np.array([np.interp(centres, SHIFT_KNOTS_KEV, one) for one in eye])


def _corrections(shapes, rows, amounts, line_fine, turn) -> tuple[np.ndarray, np.ndarray]:
    """First-order changes of the response, shape (correction, bin), and prior covariance."""
    from scipy.signal import lfilter

    step = np.gradient(shapes.edges_kev)[:-1]
    slope = np.gradient(line_fine) / step
    curve = np.gradient(slope) / step
    centres = 0.5 * (shapes.edges_kev[1:] + shapes.edges_kev[:-1])
    parts = [*(-slope * _shift_hats(shapes))]
    mn = (shapes.setup.detector.fwhm_mn_kev / FWHM_PER_SIGMA) ** 2
    parts.append(0.5 * curve * mn)
    parts.append(0.5 * curve * mn * np.clip(centres / 5.9 - 1.0, -1.0, 4.0))
    for length in _TAIL_KEV:
        keep = float(np.exp(-step.mean() / length))
        folded = lfilter([1.0 - keep], [1.0, -keep], line_fine[::-1])[::-1]
        parts.append(folded - line_fine)
    positive = np.maximum(centres, step)
    above = np.cumsum((line_fine / positive)[::-1])[::-1] * step
    parts.append(np.where(centres > 0, above, 0.0))
    parts.append(amounts[: rows.size] @ shapes.escape[rows])
    n = SHIFT_KNOTS_KEV.size
    one, kev = np.ones(n), SHIFT_KNOTS_KEV
    cov = np.zeros((len(parts), len(parts)))
    cov[:n, :n] = (
        np.eye(n) * _SHIFT_SIGMA_KEV**2
        + _OFFSET_SIGMA_KEV**2 * np.outer(one, one)
        + _GAIN_SIGMA**2 * np.outer(kev, kev)
    )
    rest = [_WIDTH_SIGMA, 0.5 * _WIDTH_SIGMA, _TAIL_SIGMA, _TAIL_SIGMA, _SHELF_SIGMA, _ESCAPE_SIGMA]
    cov[np.arange(n, len(parts)), np.arange(n, len(parts))] = np.square(rest)
    return shapes.to_bins(np.array(parts)), cov


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
    z = np.zeros(chosen.size)
    for i, element in enumerate(chosen):
        mine = np.flatnonzero((shapes.element[rows] == element) & (amounts[:n_rows] > 0))
        if mine.size:
            value = amounts[mine]
            z[i] = np.sqrt(max(value @ np.linalg.solve(covariance[np.ix_(mine, mine)], value), 0.0))
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
        column_row=np.where(free < n_rows, np.append(rows, -1)[np.minimum(free, n_rows)], -1),
        chi2=float(((y - model) ** 2 / variance).sum() / freedom),
    )


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
