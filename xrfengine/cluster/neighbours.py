"""Nearest neighbours among all rows, and a share of the rows that stands for all.

The search is exact: blocked products, no approximate index, nothing to compile. It is the larger
part of placing many pixels, so that nothing is searched for twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xrfengine.jobs import Progress, chunks, no_progress, part


@dataclass(frozen=True, eq=False)
class Share:
    """Rows that stand for all, and where the others lie among them.

    Attributes
    ----------
    chosen, rest : ndarray of int
        Rising row numbers; together all rows.
    indices, distances : ndarray, shape (rest, k)
        Nearest chosen rows, as positions in ``chosen``, of each other row; nearest first.
    """

    chosen: np.ndarray
    rest: np.ndarray
    indices: np.ndarray
    distances: np.ndarray


def choose(rows: np.ndarray, n: int, k: int, seed: int, progress: Progress = no_progress) -> Share:
    """``n`` rows that stand for all, and the ``k`` nearest of them of every other row.

    Four of five are drawn evenly, so that dense regions stay dense. The fifth is drawn by the
    distance to the nearest of those, so that rare spectra are not lost; the largest distances
    are clipped, since single outliers stand for nobody. What was found for that serves again:
    only the neighbours among the fifth are searched for anew.
    """
    random = np.random.default_rng(seed)
    even = np.sort(random.choice(len(rows), n - n // 5, replace=False))
    left = np.setdiff1d(np.arange(len(rows)), even)
    near, gaps = nearest(rows[even], rows[left], min(k, even.size), part(progress, 0.0, 0.75))
    reach = gaps[:, 0].astype(np.float64)
    reach = np.minimum(reach, np.quantile(reach, 0.99)) + 1e-12
    far = np.sort(random.choice(left, n // 5, replace=False, p=reach / reach.sum()))
    chosen = np.sort(np.concatenate([even, far]))
    others = ~np.isin(left, far)
    rest, near, gaps = left[others], near[others], gaps[others]
    more, far_gaps = nearest(rows[far], rows[rest], min(k, far.size), part(progress, 0.75, 1.0))
    indices = np.empty((rest.size, min(k, n)), dtype=np.int32)
    distances = np.empty(indices.shape, dtype=np.float32)
    places = [np.searchsorted(chosen, known).astype(np.int32) for known in (even, far)]
    for chunk in chunks(rest.size, 8192):
        both = np.concatenate([gaps[chunk], far_gaps[chunk]], axis=1)
        first = np.argsort(both, axis=1, kind="stable")[:, : indices.shape[1]]
        names = np.concatenate([places[0][near[chunk]], places[1][more[chunk]]], axis=1)
        distances[chunk] = np.take_along_axis(both, first, axis=1)
        indices[chunk] = np.take_along_axis(names, first, axis=1)
    return Share(chosen, rest, indices, distances)


def nearest(
    known: np.ndarray, asked: np.ndarray, k: int, progress: Progress = no_progress
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and distances of the ``k`` nearest ``known`` rows of every row, nearest first."""
    from sklearn.neighbors import NearestNeighbors

    finder = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(known)
    indices = np.empty((len(asked), k), dtype=np.int32)
    distances = np.empty((len(asked), k), dtype=np.float32)
    for chunk in chunks(len(asked), 4096):
        distances[chunk], indices[chunk] = finder.kneighbors(asked[chunk])
        progress(chunk.stop / len(asked), "Nearest neighbours")
    return indices, distances
