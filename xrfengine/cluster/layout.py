"""The steps of UMAP, in the process that calls them; only the worker imports this.

Neighbours are exact (blocked products, no approximate index), their graph is umap-learn's in
NumPy: neither leaves anything to compile, which would cost the first embedding seconds. The
layout is umap-learn's own function. With many pixels it is learned from a share of them and the
rest are placed as ``UMAP.transform`` does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import umap.umap_ as umap
from umap.layouts import optimize_layout_euclidean

from xrfengine.cluster.neighbours import choose, nearest
from xrfengine.jobs import Progress, chunks, no_progress, part

if TYPE_CHECKING:
    from xrfengine.cluster.embedding import EmbeddingSettings

_INT32 = np.iinfo(np.int32)
_SPREAD, _GAMMA, _NEGATIVES, _ALPHA = 1.0, 1.0, 5.0, 1.0  # umap-learn's defaults
_PLACE_EPOCHS = 30


def embed_here(
    features: np.ndarray, settings: EmbeddingSettings, progress: Progress = no_progress
) -> tuple[np.ndarray, int]:
    """Coordinates (n, n_components) float32 of all rows, and how many were learned from."""
    # Equal rows (blank pixels) are embedded once: copies would only hide each other's
    # neighbours.
    distinct, copies = _distinct(features)
    n = len(distinct)
    if n <= settings.n_components + 2:
        flat = np.zeros((n, settings.n_components), dtype=np.float32)
        flat[:, 0] = np.arange(n) * 10.0
        return flat[copies], n
    random = np.random.RandomState(settings.seed)
    a, b = umap.find_ab_params(_SPREAD, settings.min_dist)
    if settings.max_fit == 0 or n <= settings.max_fit:
        placed = _fit(distinct, settings, (a, b), random, progress)
        return placed[copies], n
    share = choose(
        distinct, settings.max_fit, settings.n_neighbors, settings.seed, part(progress, 0.0, 0.25)
    )
    chosen, rest = share.chosen, share.rest
    placed = np.empty((n, settings.n_components), dtype=np.float32)
    learned = settings.for_a_share(len(chosen))
    placed[chosen] = _fit(distinct[chosen], learned, (a, b), random, part(progress, 0.25, 0.7))
    placed[rest] = _place(
        share.indices,
        share.distances,
        placed[chosen],
        settings,
        (a, b),
        random,
        part(progress, 0.7, 1.0),
    )
    return placed[copies], len(chosen)


def _distinct(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows in order of first appearance, and for every row which one it is."""
    rows = np.ascontiguousarray(features + np.float32(0.0))  # −0 and 0 are the same
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return rows[first[order]], rank[inverse]


def strengths(distances: np.ndarray, *, nearest_is_certain: bool = True) -> np.ndarray:
    """How strongly each row belongs to its neighbours: ``exp(−(distance − ρ) / σ)``.

    ρ is the smallest distance above 0, so that the nearest neighbour is certain, or 0; σ makes
    the strengths of a row sum to log₂ k (McInnes, Healy, Melville, arXiv:1802.03426, section
    3.1; bounds as in umap-learn's ``smooth_knn_dist``).

    Parameters
    ----------
    distances : ndarray, float32, shape (n, k)
        Rising along a row.

    Returns
    -------
    ndarray, float32, shape (n, k)
    """
    result = np.empty_like(distances)
    overall = float(distances.mean())
    for chunk in chunks(len(distances), 8192):
        d = distances[chunk]
        rho = np.zeros(len(d), dtype=np.float32)
        if nearest_is_certain:
            rho = np.where(d > 0, d, np.inf).min(axis=1)
            rho[~np.isfinite(rho)] = 0.0
        beyond = np.maximum(d - rho[:, None], 0.0)
        sigma = _bandwidth(beyond[:, 1:], float(np.log2(d.shape[1])))
        sigma = np.maximum(sigma, 1e-3 * np.where(rho > 0, d.mean(axis=1), overall))
        near = beyond / np.where(sigma > 0, sigma, 1.0)[:, None]
        result[chunk] = np.exp(-near)
    return result


def _bandwidth(beyond: np.ndarray, target: float) -> np.ndarray:
    """σ (n,) at which ``Σ exp(−beyond / σ)`` over a row is ``target``, by bisection."""
    low = np.zeros(len(beyond), dtype=np.float32)
    high = np.full(len(beyond), np.inf, dtype=np.float32)
    sigma = np.ones(len(beyond), dtype=np.float32)
    left = np.arange(len(beyond))
    for _ in range(64):
        total = np.exp(-beyond[left] / sigma[left, None]).sum(axis=1)
        left, total = left[(off := np.abs(total - target) >= 1e-5)], total[off]
        if left.size == 0:
            break
        above = total > target
        high[left[above]] = sigma[left[above]]
        low[left[~above]] = sigma[left[~above]]
        bounded = np.isfinite(high[left])
        sigma[left] = np.where(bounded, (low[left] + high[left]) / 2.0, sigma[left] * 2.0)
    return sigma


def fuzzy_graph(indices: np.ndarray, distances: np.ndarray) -> Any:
    """The symmetric graph of all rows, a sparse (n, n) matrix: a ∪ b = a + b − a·b.

    Parameters
    ----------
    indices, distances : ndarray, shape (n, k)
        Nearest neighbours of every row, itself included.
    """
    import scipy.sparse

    n, k = indices.shape
    weights = strengths(distances)
    weights[indices == np.arange(n)[:, None]] = 0.0
    directed = scipy.sparse.csr_matrix(
        (weights.ravel(), (np.repeat(np.arange(n), k), indices.ravel())), shape=(n, n)
    )
    back = directed.T.tocsr()
    both = (directed + back - directed.multiply(back)).tocoo()
    both.eliminate_zeros()
    return both


def _fit(
    rows: np.ndarray,
    settings: EmbeddingSettings,
    ab: tuple[float, float],
    random: np.random.RandomState,
    progress: Progress,
) -> np.ndarray:
    k = min(settings.n_neighbors, len(rows) - 1)
    indices, distances = nearest(rows, rows, k, part(progress, 0.0, 0.1))
    graph = fuzzy_graph(indices, distances)
    progress(0.15, "Neighbourhood graph")
    epochs = settings.n_epochs or (500 if len(rows) <= 10_000 else 200)
    coordinates, _ = umap.simplicial_set_embedding(
        rows,
        graph,
        settings.n_components,
        _ALPHA,
        *ab,
        _GAMMA,
        _NEGATIVES,
        epochs,
        "spectral" if len(rows) > 50 else "random",
        random,
        "euclidean",
        {},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        tqdm_kwds=_epochs_told(epochs, part(progress, 0.15, 1.0)),
    )
    return coordinates


def _place(
    indices: np.ndarray,
    distances: np.ndarray,
    coordinates: np.ndarray,
    settings: EmbeddingSettings,
    ab: tuple[float, float],
    random: np.random.RandomState,
    progress: Progress,
) -> np.ndarray:
    """Coordinates of new rows among known ones, their neighbours, that stay where they are."""
    import scipy.sparse

    n, k = indices.shape
    weights = strengths(distances, nearest_is_certain=False)
    graph = scipy.sparse.coo_matrix(
        (weights.ravel(), (np.repeat(np.arange(n), k), indices.ravel())),
        shape=(n, len(coordinates)),
    )
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    start = np.einsum("nk,nkd->nd", weights / total, coordinates[indices]).astype(np.float32)
    epochs = min(settings.n_epochs, _PLACE_EPOCHS) if settings.n_epochs else _PLACE_EPOCHS
    graph.data[graph.data < graph.data.max() / epochs] = 0.0
    graph.eliminate_zeros()
    progress(0.1, "Placing the other pixels")
    return optimize_layout_euclidean(
        np.ascontiguousarray(start),
        np.ascontiguousarray(coordinates),
        graph.row,
        graph.col,
        epochs,
        len(coordinates),
        umap.make_epochs_per_sample(graph.data, epochs),
        *ab,
        random.randint(_INT32.min, _INT32.max, 3).astype(np.int64),
        _GAMMA,
        _ALPHA / 4.0,  # as UMAP.transform: the known points hold their places
        _NEGATIVES,
        tqdm_kwds=_epochs_told(epochs, part(progress, 0.1, 1.0)),
    )


class _EpochLine:
    """A text file for tqdm that hands on the number of the epoch."""

    encoding = "utf-8"

    def __init__(self, epochs: int, progress: Progress) -> None:
        self._epochs, self._progress = epochs, progress

    def write(self, text: str) -> None:
        number = text.strip()
        if number.isdigit():
            done = int(number)
            self._progress(done / self._epochs, f"Epoch {done} of {self._epochs}")

    def flush(self) -> None:
        pass


def _epochs_told(epochs: int, progress: Progress) -> dict[str, Any]:
    """What makes umap-learn's own progress bar speak to ``progress``."""
    return {
        "disable": False,
        "file": _EpochLine(epochs, progress),
        "bar_format": "{n}",
        "mininterval": 0.1,
    }
