"""How the maps of elements go together: correlations over pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken


@dataclass(frozen=True, eq=False)
class Correlations:
    """Correlation of every pair of maps.

    Attributes
    ----------
    elements : tuple of str
    pearson, spearman : ndarray, shape (element, element)
        −1…1; NaN where a map is the same everywhere. Pearson's coefficient tells of a straight
        line, Spearman's of any rising or falling relation, since it compares ranks.
    n_pixels : int
        Over so many.
    """

    elements: tuple[str, ...]
    pearson: np.ndarray
    spearman: np.ndarray
    n_pixels: int


def correlations(
    values: np.ndarray,
    elements: tuple[str, ...],
    mask: np.ndarray | None = None,
    *,
    cancel: CancelToken = NEVER,
) -> Correlations:
    """Correlate maps, pixel by pixel.

    Noise of counting makes both coefficients smaller than those of the true amounts; it never
    makes a relation that is not there.

    Parameters
    ----------
    values : ndarray, shape (element, y, x)
        Not modified.
    mask : ndarray of bool, shape (y, x), optional
        Pixels to take; all by default.

    Raises
    ------
    SettingsError
        If the shapes do not fit, or fewer than three pixels are taken.
    Cancelled
        Between two maps, when ``cancel`` was set.
    """
    from scipy.stats import rankdata

    if values.ndim != 3 or len(values) != len(elements):
        raise SettingsError(f"{len(elements)} elements do not fit maps of shape {values.shape}")
    if mask is not None and mask.shape != values.shape[1:]:
        raise SettingsError(f"a mask of shape {mask.shape} does not fit maps of {values.shape[1:]}")
    taken = values.reshape(len(values), -1) if mask is None else values[:, mask]
    n = taken.shape[1]
    if n < 3:
        raise SettingsError(
            f"{n} pixel{'s' if n != 1 else ''} cannot show how elements go together",
            "Choose at least three.",
        )
    ranks = np.empty(taken.shape)
    for i, row in enumerate(taken):
        cancel.check()
        ranks[i] = rankdata(row)
    cancel.check()
    return Correlations(elements, _coefficients(taken), _coefficients(ranks), n)


def _coefficients(rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(axis=1, keepdims=True, dtype=np.float64)
    norm = np.sqrt((centred**2).sum(axis=1))
    # What rounding leaves of a map that is the same everywhere is no variation.
    size = np.abs(rows).max(axis=1, initial=0.0) * np.sqrt(rows.shape[1])
    norm[norm <= 1e-7 * size] = np.nan
    unit = centred / norm[:, None]
    return np.clip(unit @ unit.T, -1.0, 1.0)
