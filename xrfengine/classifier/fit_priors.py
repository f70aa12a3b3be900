"""What a fit knows beforehand: ratios of line groups, smoothness, how far the response may be off.

All enter as Gaussian priors whose widths follow the amounts found in the round before.
"""

from __future__ import annotations

import functools

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


def tie(extra, shapes, rows, counts, variance, x) -> None:
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


def smooth(extra, amounts, first, n_hats) -> None:
    """Second differences of the background small against its level."""
    level = amounts[first : first + n_hats]
    around = np.convolve(np.pad(level, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    floor = 0.02 * level.max() + 1e-6
    bend = np.diff(np.eye(n_hats), 2, axis=0) / (_ROUGHNESS * (around[1:-1] + floor))[:, None]
    extra[first : first + n_hats, first : first + n_hats] += bend.T @ bend


@functools.lru_cache(maxsize=12)
def _shift_hats(shapes: Shapes) -> np.ndarray:
    centres = 0.5 * (shapes.edges_kev[1:] + shapes.edges_kev[:-1])
    eye = np.eye(SHIFT_KNOTS_KEV.size)
    return np.array([np.interp(centres, SHIFT_KNOTS_KEV, one) for one in eye])


def corrections(shapes, rows, amounts, line_fine, turn) -> tuple[np.ndarray, np.ndarray]:
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
    # The gain of a gas detector drifts with pressure and rate, by a few percent.
    drift = _GAS_DRIFT if shapes.setup.detector.kind == "gem" else 1.0
    cov[:n, :n] = drift**2 * (
        np.eye(n) * _SHIFT_SIGMA_KEV**2
        + _OFFSET_SIGMA_KEV**2 * np.outer(one, one)
        + _GAIN_SIGMA**2 * np.outer(kev, kev)
    )
    rest = [_WIDTH_SIGMA, 0.5 * _WIDTH_SIGMA, _TAIL_SIGMA, _TAIL_SIGMA, _SHELF_SIGMA, _ESCAPE_SIGMA]
    cov[np.arange(n, len(parts)), np.arange(n, len(parts))] = np.square(rest)
    return shapes.to_bins(np.array(parts)), cov
