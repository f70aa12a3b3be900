"""HDBSCAN in two halves: the slow tree, and the fast cut.

:func:`build_tree` finds which points lie densely together at every scale (core distances,
minimum spanning tree, single linkage; through the library ``hdbscan``). :func:`cut` reads
clusters off that tree for one smallest cluster size. The tree depends on ``min_samples`` only,
so that a slider of ``min_cluster_size`` costs a cut.

The cut follows Campello, Moulavi and Sander (PAKDD 2013) as ``hdbscan`` implements it, and
gives the same labels up to their numbers. It is fast because the tree is kept in preorder: every
subtree is one run of nodes and one run of points, and every cluster of the condensed tree is one
run of the nodes that are large enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xrfengine.cluster.process import run_task
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress

Selection = Literal["eom", "leaf"]


@dataclass(frozen=True, eq=False)
class ClusterTree:
    """The single-linkage tree of n points, its n − 1 merges in preorder (root first).

    Attributes
    ----------
    points : ndarray, int32, shape (n,)
        Points in the order of the leaves: each subtree holds a run of them.
    sizes : ndarray, int32, shape (n − 1,)
        Points below each merge.
    left_sizes : ndarray, int32, shape (n − 1,)
        Points below its left branch, which follows it directly in preorder.
    first : ndarray, int32, shape (n − 1,)
        Where its run of ``points`` starts.
    distances : ndarray, float64, shape (n − 1,)
        Mutual reachability distance of the merge.
    min_samples : int
    """

    points: np.ndarray
    sizes: np.ndarray
    left_sizes: np.ndarray
    first: np.ndarray
    distances: np.ndarray
    min_samples: int

    @property
    def n_points(self) -> int:
        return self.points.size

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        names = ("points", "sizes", "left_sizes", "first", "distances")
        return {name: getattr(self, name) for name in names}, {"min_samples": self.min_samples}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> ClusterTree:
        return cls(**arrays, min_samples=int(meta["min_samples"]))

    @classmethod
    def from_linkage(cls, linkage: np.ndarray, min_samples: int) -> ClusterTree:
        """From merges (n − 1, 4) in SciPy's format: two children, distance, size."""
        n = len(linkage) + 1
        left = linkage[:, 0].astype(np.int64).tolist()
        right = linkage[:, 1].astype(np.int64).tolist()
        size = [1] * n + linkage[:, 3].astype(np.int64).tolist()
        place = [0] * (n - 1)
        first = [0] * (2 * n - 1)
        order = [0] * n
        # A left branch of k points has k − 1 merges: positions follow from sizes alone, so one
        # walk from the root down, in the order of falling distance, places everything.
        for merge in range(n - 2, -1, -1):
            a, b = left[merge], right[merge]
            at, start, size_a = place[merge], first[n + merge], size[a]
            first[a], first[b] = start, start + size_a
            if a < n:
                order[start] = a
            else:
                place[a - n] = at + 1
            if b < n:
                order[start + size_a] = b
            else:
                place[b - n] = at + size_a
        position = np.asarray(place, dtype=np.int64)

        def placed(values: Any, dtype: type) -> np.ndarray:
            out = np.empty(n - 1, dtype=dtype)
            out[position] = values
            return out

        sizes = np.asarray(size, dtype=np.int32)
        return cls(
            points=np.asarray(order, dtype=np.int32),
            sizes=placed(sizes[n:], np.int32),
            left_sizes=placed(sizes[linkage[:, 0].astype(np.int64)], np.int32),
            first=placed(np.asarray(first[n:]), np.int32),
            distances=placed(linkage[:, 2], np.float64),
            min_samples=min_samples,
        )


def build_tree(
    coordinates: np.ndarray,
    min_samples: int = 10,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> ClusterTree:
    """The slow half: the density tree of all points, for one ``min_samples``.

    Runs in the worker process, so that it can be stopped at once.

    Parameters
    ----------
    coordinates : ndarray, shape (n, d)
        Finite; few dimensions, as of an embedding. Points may coincide.
    min_samples : int
        Neighbours a point needs to lie in the core of a cluster, 1 or more; higher values
        leave more points unassigned.

    Raises
    ------
    SettingsError
        If ``min_samples`` is below 1, or coordinates are not finite.
    Cancelled
        When ``cancel`` was set.
    """
    coordinates = np.asarray(coordinates)
    _check(coordinates, min_samples)
    if len(coordinates) < 3:
        return _tiny(coordinates, min_samples)
    arrays, _ = run_task(
        "tree",
        {"coordinates": coordinates},
        {"min_samples": int(min_samples)},
        progress=progress,
        cancel=cancel,
    )
    return ClusterTree.from_arrays(arrays, {"min_samples": min_samples})


def single_linkage(coordinates: np.ndarray, min_samples: int) -> np.ndarray:
    """Merges (n − 1, 4) of the mutual reachability distances; here, in this process.

    ``hdbscan`` takes short cuts to the spanning tree unless told not to. They change the
    clusters: of a one-dimensional UMAP of 182,352 spectra its own default finds 20 clusters, its
    exact tree 16, and so does ``fast_hdbscan`` (the same points in the same clusters); Prim's
    algorithm, too slow for all points, confirms the exact tree on 20,000 of them.
    """
    import hdbscan

    n = len(coordinates)
    model = hdbscan.HDBSCAN(
        min_samples=min(min_samples, n - 1),
        min_cluster_size=max(2, n // 2),  # only the tree is wanted
        approx_min_span_tree=False,
        core_dist_n_jobs=1,
    )
    # A copy: the library needs a writable array.
    model.fit(np.array(coordinates, dtype=np.float64, order="C"))
    return model.single_linkage_tree_.to_numpy()


def cut(tree: ClusterTree, min_cluster_size: int, selection: Selection = "eom") -> np.ndarray:
    """The fast half: clusters of at least ``min_cluster_size`` points.

    Parameters
    ----------
    tree : ClusterTree
    min_cluster_size : int
        At least 2.
    selection : {"eom", "leaf"}
        The most stable clusters (excess of mass), or the finest.

    Returns
    -------
    ndarray, int32, shape (n,)
        Clusters numbered from 0 by falling size; −1 for points in none.

    Raises
    ------
    SettingsError
        If a setting is out of range.
    """
    if min_cluster_size < 2:
        raise SettingsError(
            f"min_cluster_size is {min_cluster_size}", "A cluster needs at least 2 points."
        )
    if selection not in ("eom", "leaf"):
        raise SettingsError(f"selection is {selection!r}", "Use 'eom' or 'leaf'.")
    labels = np.full(tree.n_points, -1, dtype=np.int32)
    if tree.sizes.max(initial=0) < min_cluster_size:
        return labels
    chains = condense(tree, min_cluster_size)
    for number, chain in enumerate(selected(chains, selection)):
        start = chains.first[chain]
        labels[tree.points[start : start + chains.size[chain]]] = number
    return labels


@dataclass(frozen=True, eq=False)
class Chains:
    """Clusters of the condensed tree, in preorder: the root is 0, parents before children.

    Attributes
    ----------
    first, size : ndarray of int, shape (chain,)
        Its run of ``points`` where it splits off.
    stability : ndarray, shape (chain,)
        Excess of mass.
    splits : ndarray of bool, shape (chain,)
        Whether it ends in two clusters.
    parent : ndarray of int, shape (chain,)
        Index; −1 for the root.
    born : ndarray, shape (chain,)
        Density (1 / distance) where it splits off; 0 for the root.
    start, end : ndarray of int, shape (chain,)
        Its first and last merge among the following.
    merge_first, merge_size, merge_density : ndarray, shape (merge,)
        The merges that chains run through: points below each, and its density.
    """

    first: np.ndarray
    size: np.ndarray
    stability: np.ndarray
    splits: np.ndarray
    parent: np.ndarray
    born: np.ndarray
    start: np.ndarray
    end: np.ndarray
    merge_first: np.ndarray
    merge_size: np.ndarray
    merge_density: np.ndarray


def selected(chains: Chains, selection: Selection) -> np.ndarray:
    """Indices of the chains that are the clusters, by falling size."""
    chosen = _leaves(chains) if selection == "leaf" else _most_stable(chains)
    return chosen[np.lexsort((chains.first[chosen], -chains.size[chosen]))]


def condense(tree: ClusterTree, least: int) -> Chains:
    """Clusters of at least ``least`` points at every density; the tree has so many.

    Follow each cluster from where it splits off down to where it splits or dissolves.

    Among the merges of at least ``least`` points, one with a single large branch is followed in
    preorder by that branch. So clusters are runs, and sums over them are sums over runs.
    """
    big = np.flatnonzero(tree.sizes >= least)
    size, left = tree.sizes[big].astype(np.int64), tree.left_sizes[big].astype(np.int64)
    right = size - left
    distance = tree.distances[big]
    # Points that coincide are never told apart, and their density must stay a number: they
    # count as dense as the closest pair that does not coincide.
    apart = distance > 0
    closest = distance[apart].min() if apart.any() else 1.0
    density = 1.0 / np.where(apart, distance, closest)
    splits = (left >= least) & (right >= least) & apart
    # A cluster goes on in its only large branch; merges at distance 0 end it.
    goes_on = ((left >= least) != (right >= least)) & apart
    inside = np.zeros(big.size, dtype=bool)  # below a merge at distance 0: nothing to see
    stop = 0
    for at in np.flatnonzero(~apart & (size > least)):
        if big[at] >= stop:
            stop = big[at] + size[at] - 1
            inside[at + 1 : np.searchsorted(big, stop)] = True
    use = ~inside
    big, size, left, right = big[use], size[use], left[use], right[use]
    density, splits, goes_on = density[use], splits[use], goes_on[use]

    starts = np.ones(big.size, dtype=bool)
    starts[1:] = ~goes_on[:-1]
    start = np.flatnonzero(starts)
    end = np.append(start[1:], big.size) - 1
    chain = np.cumsum(starts) - 1
    lost = np.where(goes_on, np.minimum(left, right), size)

    parent = np.full(start.size, -1)
    born = np.zeros(start.size)
    where = np.flatnonzero(splits)
    for branch in (big[where] + 1, big[where] + left[where]):
        child = chain[np.searchsorted(big, branch)]
        parent[child] = chain[where]
        born[child] = density[where]
    stability = np.add.reduceat((density - born[chain]) * lost, start)
    first = tree.first[big].astype(np.int64)
    return Chains(
        first[start], size[start], stability, splits[end], parent, born, start, end,
        first, size, density,
    )  # fmt: skip


def _leaves(chains: Chains) -> np.ndarray:
    return np.flatnonzero(~chains.splits & (chains.parent >= 0))


def _most_stable(chains: Chains) -> np.ndarray:
    """Clusters of the greatest total stability; the root is none (all points in one cluster)."""
    n = chains.size.size
    below = [0.0] * n
    best = chains.stability.tolist()
    parent = chains.parent.tolist()
    selected = np.ones(n, dtype=bool)
    for i in range(n - 1, 0, -1):
        if below[i] > best[i]:
            best[i] = below[i]
            selected[i] = False
        below[parent[i]] += best[i]
    selected[0] = False
    covered = np.zeros(n, dtype=bool)
    for i in range(1, n):
        above = parent[i]
        covered[i] = covered[above] or selected[above]
    selected &= ~covered
    return np.flatnonzero(selected)


def _check(coordinates: np.ndarray, min_samples: int) -> None:
    if min_samples < 1:
        raise SettingsError(f"min_samples is {min_samples}", "It must be 1 or more.")
    if coordinates.ndim != 2 or 0 in coordinates.shape:
        raise SettingsError(f"a tree needs coordinates (n, d), got {coordinates.shape}")
    if not np.isfinite(coordinates).all():
        raise SettingsError("some coordinates are no numbers", "Compute the embedding again.")


def _tiny(coordinates: np.ndarray, min_samples: int) -> ClusterTree:
    n = len(coordinates)
    gap = float(np.linalg.norm(np.ptp(np.asarray(coordinates, dtype=np.float64), axis=0)))
    linkage = np.array([[0, 1, gap, 2]])[: n - 1]
    return ClusterTree.from_linkage(linkage, min_samples)
