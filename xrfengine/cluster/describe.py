"""What distinguishes groups of pixels: elements by effect size, and a sentence that says it.

The effect is the rank-biserial correlation (Cureton, Psychometrika 21, 1956, 287–290; equal to
Cliff's delta): the chance that a pixel of the group shows more of an element than one of the rest,
less the chance that it shows less. It needs no normal distribution, which neither counts nor
probabilities have. What is below an element's threshold counts as equal: it is noise of counting
or of the network, and ranks among noise mean nothing. An effect smaller than three standard errors
of its own is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken

CLEAR = 0.28
"""Effect from which it is worth a word: as Cohen's d of 0.5, 2Φ(d/√2) − 1."""
STRONG = 0.43
"""As Cohen's d of 0.8."""

HARDLY = 0.05
"""Share of the group's pixels above the threshold below which an element is hardly there."""
_ERRORS = 3.0
_SAMPLE = 60_000
"""Pixels compared: standard errors are then far below any effect worth a word."""


@dataclass(frozen=True)
class Effect:
    """One element in a group of pixels, compared with all others.

    Attributes
    ----------
    effect : float
        −1 (always less than elsewhere) … 1 (always more).
    error : float
        Its standard error if there were no difference.
    share, share_elsewhere : float
        Pixels at or above the threshold, 0…1.
    """

    element: str
    effect: float
    error: float
    share: float
    share_elsewhere: float

    @property
    def is_clear(self) -> bool:
        return abs(self.effect) >= max(CLEAR, _ERRORS * self.error)


def effects(
    values: np.ndarray,
    elements: tuple[str, ...],
    thresholds: dict[str, float],
    labels: np.ndarray,
    n_groups: int,
    *,
    region_px: int = 1,
    cancel: CancelToken = NEVER,
) -> tuple[tuple[Effect, ...], ...]:
    """For each group all elements, by falling size of the effect.

    Parameters
    ----------
    values : ndarray, shape (element, y, x)
        Maps of one kind, probabilities or net counts. Not modified.
    thresholds : dict
        By symbol, in the unit of the maps: from where an element counts as seen.
    labels : ndarray of int, shape (y, x)
        Groups numbered from 0; −1 belongs to none, but to the rest of every group.
    region_px : int
        Values were averaged over k×k pixels: so many pixels are one observation.

    Raises
    ------
    SettingsError
        If the labels do not fit the maps.
    Cancelled
        Between two elements, when ``cancel`` was set.
    """
    labels = np.asarray(labels)
    if values.shape != (len(elements), *labels.shape):
        raise SettingsError(
            f"maps of the shape {values.shape} do not fit {len(elements)} elements and labels "
            f"of the shape {labels.shape}"
        )
    flat = labels.ravel()
    if flat.size > _SAMPLE:
        # Every group keeps its share, and no group is lost: a regular step over the sorted labels.
        order = np.argsort(flat, kind="stable")
        step = flat.size / _SAMPLE
        at = np.unique(np.concatenate([
            order[(np.arange(_SAMPLE) * step).astype(np.int64)],
            *(np.flatnonzero(flat == group)[:500] for group in range(n_groups)),
        ]))  # fmt: skip
    else:
        at = np.arange(flat.size)
    groups = flat[at] + 1
    n = np.bincount(groups, minlength=n_groups + 1)[1:].astype(np.float64)
    rest = groups.size - n
    # Neighbours that share one averaged spectrum are one observation.
    independent = float(region_px) ** 2
    found: list[list[Effect]] = [[] for _ in range(n_groups)]
    for element, each in zip(elements, values.reshape(len(elements), -1), strict=True):
        cancel.check()
        limit = thresholds[element]
        sample = each[at]
        above = sample >= limit
        ranks, ties = _ranks(np.where(above, sample, -np.inf))
        sums = np.bincount(groups, weights=ranks, minlength=n_groups + 1)[1:]
        seen = np.bincount(groups, weights=above, minlength=n_groups + 1)[1:]
        seen_all = np.count_nonzero(above)
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = 2.0 * (sums - n * (n + 1) / 2) / (n * rest) - 1.0
            error = np.sqrt(independent * ties * (groups.size + 1) / (3.0 * n * rest))
            share, elsewhere = seen / n, (seen_all - seen) / rest
        for group in np.flatnonzero((n > 0) & (rest > 0)):
            found[group].append(
                Effect(
                    element,
                    float(effect[group]),
                    float(error[group]),
                    float(share[group]),
                    float(elsewhere[group]),
                )
            )
    return tuple(tuple(sorted(each, key=lambda e: -abs(e.effect))) for each in found)


def _ranks(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Mid-ranks from 1, and the share of the variance of ranks that ties leave."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(starts, values.size)).astype(np.float64)
    ranks = np.empty(values.size)
    ranks[order] = np.repeat(starts + (counts + 1) / 2, counts.astype(np.int64))
    n = float(values.size)
    return ranks, 1.0 - float((counts**3 - counts).sum()) / max(n**3 - n, 1.0)


def sentence(found: tuple[Effect, ...], most: int = 3) -> str:
    """What distinguishes a group, in words: ``"More Pb and Sn than elsewhere, hardly any Cu"``.

    ``found`` as :func:`effects` gives them, elements of the instrument left out; at most ``most``
    elements are named of each kind.
    """
    clear = [each for each in found if each.is_clear]
    more = [each.element for each in clear if each.effect > 0]
    hardly = [each.element for each in clear if each.effect < 0 and each.share < HARDLY]
    less = [each.element for each in clear if each.effect < 0 and each.share >= HARDLY]
    parts = []
    if more:
        much = "Much more" if all(e.effect >= STRONG for e in clear if e.effect > 0) else "More"
        parts.append(f"{much} {_listed(more[:most])} than elsewhere")
    if less:
        parts.append(f"less {_listed(less[:most])}" + ("" if more else " than elsewhere"))
    if hardly:
        parts.append(f"hardly any {_listed(hardly[:most], 'or')}")
    if not parts:
        return "No element differs clearly from elsewhere"
    text = ", ".join(parts)
    return text[0].upper() + text[1:]


def _listed(words: list[str], join: str = "and") -> str:
    return f" {join} ".join(filter(None, (", ".join(words[:-1]), words[-1])))
