"""What a fit knows beforehand: ratios of line groups, smoothness, how far the response may be off.

All enter as Gaussian priors whose widths follow the amounts found in the round before.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

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
_GAS_DRIFT = 4.0
_WIDTH_SIGMA = 0.15
_TAIL_KEV = (0.15, 0.6)
_TAIL_SIGMA, _SHELF_SIGMA, _ESCAPE_SIGMA = 0.02, 0.006, 0.4
_ROUGHNESS = 0.5


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


@dataclass(frozen=True, eq=False)
class Ties:
    """Which group each row of the shapes follows, for all its elements' rows being in the fit.

    Attributes
    ----------
    mate : ndarray of int, shape (row + 1,)
        Rows from here to the mate, 0 where there is none. Scatter and the empty row have none.
    spread, ratio : ndarray, shape (row + 1,)
        Relative width of the tie, and the expected ratio to the mate.
    """

    mate: np.ndarray
    spread: np.ndarray
    ratio: np.ndarray


def ties_of(shapes: Shapes) -> Ties:
    """The ties of every row, see :func:`tie`."""
    n = shapes.binned.shape[0] + 1
    mate, spread, ratio = np.zeros(n, dtype=int), np.ones(n), np.ones(n)
    main_of = _main_rows(shapes)
    element, part, share = shapes.element, shapes.part, shapes.share
    for i in range(element.size):
        main = int(main_of[element[i]])
        follows = i and element[i - 1] == element[i] and part[i - 1] == part[i] - 1
        if part[i] in _WITHIN_SIGMA and follows:
            to, width = i - 1, _WITHIN_SIGMA[part[i]]
        elif main in (i, -1):
            continue
        elif FAMILY_OF_PART[part[main]] == FAMILY_OF_PART[part[i]]:
            to, width = main, _WITHIN_SIGMA[max(part[i], part[main])]
        else:
            to, width = main, _BETWEEN_SIGMA
        mate[i], spread[i], ratio[i] = to - i, width, share[i] / share[to]
    return Ties(mate, spread, ratio)


def tie(extra, shapes, rows, counts, variance, x) -> None:
    """Hold each group near its expected ratio to the main group of its element or family."""
    ties = _ties_of(shapes)
    # What noise alone could be of a group: ties narrower than that would decide by themselves.
    noise = 1.0 / np.sqrt((x[: rows.size] ** 2 / variance).sum(axis=1) + 1e-12)
    at = np.flatnonzero(ties.mate[rows])
    if not at.size:
        return
    to = at + ties.mate[rows[at]]
    spread, ratio = ties.spread[rows[at]], ties.ratio[rows[at]]
    level = tie_level(counts[at] / ratio, counts[to], noise[to])
    weight = (spread * ratio * level) ** -2
    np.add.at(extra, (at, at), weight)
    np.add.at(extra, (to, to), weight * ratio**2)
    np.add.at(extra, (at, to), -weight * ratio)
    np.add.at(extra, (to, at), -weight * ratio)


_ties_of = functools.lru_cache(maxsize=12)(ties_of)


def tie_level(own: np.ndarray, other: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Counts that the width of a tie is relative to: of both sides, so that neither opens it alone.

    Parameters
    ----------
    own, other : ndarray
        Counts of the mate, by the group's own counts and as found.
    noise : ndarray
        Of the mate's counts, everything else fixed.
    """
    return np.maximum(np.minimum(other, 3.0 * own + noise), 0.5 * noise)


def smooth(extra, amounts, first, n_hats) -> None:
    """Second differences of the background small against its level."""
    level = amounts[None, first : first + n_hats]
    extra[first : first + n_hats, first : first + n_hats] += roughness(level)[0]


def roughness(level: np.ndarray) -> np.ndarray:
    """Hessian of the second differences of backgrounds, (n, hat, hat), from amounts (n, hat)."""
    n_hats = level.shape[1]
    padded = np.pad(level, ((0, 0), (1, 1)), mode="edge")
    around = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3.0
    floor = 0.02 * level.max(axis=1, keepdims=True) + 1e-6
    bend = np.diff(np.eye(n_hats), 2, axis=0)
    weight = (_ROUGHNESS * (around[:, 1:-1] + floor)) ** -2
    outer = (bend[:, :, None] * bend[:, None, :]).reshape(n_hats - 2, -1)
    return (weight @ outer).reshape(-1, n_hats, n_hats)


@functools.lru_cache(maxsize=12)
def _shift_hats(shapes: Shapes) -> np.ndarray:
    centres = 0.5 * (shapes.edges_kev[1:] + shapes.edges_kev[:-1])
    eye = np.eye(SHIFT_KNOTS_KEV.size)
    return np.array([np.interp(centres, SHIFT_KNOTS_KEV, one) for one in eye])


def corrections(shapes, rows, amounts, line_fine) -> tuple[np.ndarray, np.ndarray]:
    """First-order changes of the response, shape (correction, bin), and prior covariance."""
    escaped = amounts[: rows.size] @ shapes.escape[rows]
    bent = _responses(shapes, line_fine[None], escaped[None])[:, 0]
    return bent, correction_covariance(shapes)


def correction_table(shapes: Shapes) -> np.ndarray:
    """First-order change of every row for one count in it, shape (correction, row, bin)."""
    escaped = np.zeros(shapes.fine.shape)
    escaped[: shapes.element.size] = shapes.escape
    return _responses(shapes, shapes.fine.astype(np.float64), escaped)


def _responses(shapes: Shapes, fine: np.ndarray, escaped: np.ndarray) -> np.ndarray:
    """Changes with energy at the knots, width, tails, shelf and escape; (correction, n, bin)."""
    from scipy.signal import lfilter

    step = np.gradient(shapes.edges_kev)[:-1]
    slope = np.gradient(fine, axis=1) / step
    curve = np.gradient(slope, axis=1) / step
    centres = 0.5 * (shapes.edges_kev[1:] + shapes.edges_kev[:-1])
    mn = (shapes.setup.detector.fwhm_mn_kev / FWHM_PER_SIGMA) ** 2
    parts = [shapes.to_bins(-slope * hat) for hat in _shift_hats(shapes)]
    parts.append(shapes.to_bins(0.5 * curve * mn))
    parts.append(shapes.to_bins(0.5 * curve * mn * np.clip(centres / 5.9 - 1.0, -1.0, 4.0)))
    for length in _TAIL_KEV:
        keep = float(np.exp(-step.mean() / length))
        folded = lfilter([1.0 - keep], [1.0, -keep], fine[:, ::-1], axis=1)[:, ::-1]
        parts.append(shapes.to_bins(folded - fine))
    positive = np.maximum(centres, step)
    above = np.cumsum((fine / positive)[:, ::-1], axis=1)[:, ::-1] * step
    parts.append(shapes.to_bins(np.where(centres > 0, above, 0.0)))
    parts.append(shapes.to_bins(escaped))
    return np.array(parts)


def correction_covariance(shapes: Shapes) -> np.ndarray:
    """How far the response may be off beforehand, shape (correction, correction)."""
    rest = [_WIDTH_SIGMA, 0.5 * _WIDTH_SIGMA, _TAIL_SIGMA, _TAIL_SIGMA, _SHELF_SIGMA, _ESCAPE_SIGMA]
    n = SHIFT_KNOTS_KEV.size
    one, kev = np.ones(n), SHIFT_KNOTS_KEV
    cov = np.zeros((n + len(rest), n + len(rest)))
    # The gain of a gas detector drifts with pressure and rate, by a few percent.
    drift = _GAS_DRIFT if shapes.setup.detector.kind == "gem" else 1.0
    cov[:n, :n] = drift**2 * (
        np.eye(n) * _SHIFT_SIGMA_KEV**2
        + _OFFSET_SIGMA_KEV**2 * np.outer(one, one)
        + _GAIN_SIGMA**2 * np.outer(kev, kev)
    )
    cov[np.arange(n, len(cov)), np.arange(n, len(cov))] = np.square(rest)
    return cov
