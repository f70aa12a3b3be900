"""Figures beyond those of ``xrfengine.classifier.evaluate``: best cuts, macro F1, bootstraps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xrfengine.classifier.evaluate import LabelledFile, Verdict, labelled_pairs

Verdicts = Sequence[Mapping[str, Verdict]]

_LIKE = 0.6


def best_cut(rows: Sequence[LabelledFile], verdicts: Verdicts) -> float:
    """The score from which reporting gives the best F1 over all pairs; inf if none is right."""
    scores, truths, _ = labelled_pairs(rows, verdicts)
    order = np.argsort(-scores, kind="stable")
    hits, reported = np.cumsum(truths[order]), np.arange(1, order.size + 1)
    f1 = 2 * hits / (reported + max(int(truths.sum()), 1))
    # A cut may lie only between different scores, and not among what a method does not know.
    falling = np.append(np.diff(scores[order]) < 0, True) & np.isfinite(scores[order])
    if not falling.any() or not truths.any():
        return float("inf")
    return float(scores[order][int(np.argmax(np.where(falling, f1, -1.0)))])


def at_cut(verdicts: Verdicts, cut: float) -> list[dict[str, Verdict]]:
    """The same scores, present from another cut on."""
    return [{e: Verdict(v.score, v.score >= cut) for e, v in said.items()} for said in verdicts]


def by_element(per_file: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Element → found, missed and false alarms, as ``score_verdicts`` lists them by file."""
    counts = {what: Counter() for what in ("found", "missed", "false_alarms")}
    for file in per_file:
        for what, counter in counts.items():
            counter.update(list(file[what]))
    elements = sorted(set().union(*counts.values()))
    return {e: {what: counter[e] for what, counter in counts.items()} for e in elements}


def macro_f1(per_file: Sequence[Mapping[str, Any]]) -> float:
    """Mean F1 over the elements that are certain in at least one spectrum; NaN without any."""
    values = [
        2 * c["found"] / (2 * c["found"] + c["missed"] + c["false_alarms"])
        for c in by_element(per_file).values()
        if c["found"] + c["missed"] > 0
    ]
    return float(np.mean(values)) if values else float("nan")


def file_counts(per_file: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Found, missed and false alarms of every spectrum, int, shape (spectrum, 3)."""
    rows = [[len(f["found"]), len(f["missed"]), len(f["false_alarms"])] for f in per_file]
    return np.array(rows, dtype=int).reshape(-1, 3)


def f1_of(counts: np.ndarray) -> np.ndarray:
    """F1 of summed counts, shape (…,), from shape (…, 3)."""
    wrong = counts[..., 1] + counts[..., 2]
    return 2 * counts[..., 0] / np.maximum(2 * counts[..., 0] + wrong, 1)


def materials(rows: Sequence[LabelledFile]) -> np.ndarray:
    """Which material each spectrum is of, int, shape (spectrum,).

    The tables of labels name no materials. Spectra of one instrument (``group``) whose certain
    elements agree to 60 % (of all that either has) are taken for one material, directly or over
    a third: so the repeats on a certified soil, a rock or a blank, of which one shows a weak
    element more, are drawn together. Taking too many together widens an interval, never narrows
    it.
    """
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for i, one in enumerate(rows):
        for j in range(i):
            other = rows[j]
            union = one.certain | other.certain
            like = len(one.certain & other.certain) >= _LIKE * len(union)
            if (one.domain, one.group) == (other.domain, other.group) and like:
                parent[root(i)] = root(j)
    return np.unique([root(i) for i in range(len(rows))], return_inverse=True)[1]


def bootstrap(
    counts: np.ndarray, material: np.ndarray, *, n: int = 4000, seed: int = 1
) -> np.ndarray:
    """Resampled F1, materials drawn with replacement, shape (n,).

    With counts of shape (method, spectrum, 3) the draws are shared (paired), shape (method, n).
    """
    n_materials = int(material.max()) + 1
    summed = np.zeros((*counts.shape[:-2], n_materials, 3))
    for m in range(n_materials):
        summed[..., m, :] = counts[..., material == m, :].sum(axis=-2)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(n_materials, np.full(n_materials, 1.0 / n_materials), n)
    return f1_of(np.einsum("nm,...mk->...nk", times, summed))


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(values, [tail, 100.0 - tail])
    return float(low), float(high)
