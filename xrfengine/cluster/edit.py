"""Clusters edited by hand: which pixels a cluster is, and clusters made one.

A cluster is named by its pixels, not by its place in a list: a name or a merge belongs to the one
result it was made in, and is there again whenever that result is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xrfengine.cache import digest
from xrfengine.cluster import Clustering

Merge = tuple[str, ...]
"""Clusters to be one, by :func:`identities`."""


def identities(clustering: Clustering) -> tuple[str, ...]:
    """A short digest of the pixels of each cluster; the same pixels have the same, always."""
    flat = clustering.labels.ravel()
    order = np.argsort(flat, kind="stable").astype(np.int32)
    ends = np.cumsum(np.append(clustering.n_unassigned, clustering.sizes))
    runs = pairwise(ends)
    return tuple(digest(clustering.labels.shape, order[a:b])[:12] for a, b in runs)


@dataclass(frozen=True, eq=False)
class Merged:
    """Clusters after merges.

    Attributes
    ----------
    clustering : Clustering
    members : tuple of tuple of int
        For each cluster the labels it had before; more than one if it was merged.
    ids : tuple of str
        :func:`identities` of the clusters.
    merges : tuple of int
        For each cluster the place of the merge that made it; −1 if none did.
    parts : tuple of tuple of int
        As ``members``, by their numbers: of nodes, of branches.
    """

    clustering: Clustering
    members: tuple[tuple[int, ...], ...]
    ids: tuple[str, ...]
    merges: tuple[int, ...]
    parts: tuple[tuple[int, ...], ...] = ()


def merged(clustering: Clustering, merges: tuple[Merge, ...]) -> Merged:
    """Apply merges, one after the other, each to what those before it left.

    One whose clusters are not all there belongs to another result and is passed over. A merged
    cluster has the lowest number of its parts.
    """
    members = [(label,) for label in range(clustering.n_clusters)]
    ids, made_by = list(identities(clustering)), [-1] * len(members)
    for place, merge in enumerate(merges):
        parts = [ids.index(part) for part in dict.fromkeys(merge) if part in ids]
        if len(parts) < 2 or len(parts) != len(set(merge)):
            continue
        into = min(parts)
        joined = tuple(sorted(label for part in parts for label in members[part]))
        for part in sorted(set(parts) - {into}, reverse=True):
            del members[part], ids[part], made_by[part]
        pixels = np.flatnonzero(np.isin(clustering.labels, joined)).astype(np.int32)
        members[into], made_by[into] = joined, place
        ids[into] = digest(clustering.labels.shape, pixels)[:12]
    renumber = np.full(clustering.n_clusters + 1, -1, dtype=np.int32)  # last: for −1
    for label, old in enumerate(members):
        renumber[list(old)] = label
    parts = tuple(tuple(clustering.numbers[label] for label in old) for old in members)
    made = Clustering(
        renumber[clustering.labels],
        len(members),
        clustering.method,
        tuple(min(each) for each in parts),
    )
    return Merged(made, tuple(members), tuple(ids), tuple(made_by), parts)
