"""The condensed tree as something to look at and to cut by hand.

A branch is a cluster of the condensed tree: it splits off at some density and ends, at a higher
one, where it splits in two or dissolves. Clusters chosen by hand are branches of which none holds
another; each keeps its number, and so its colour, while others are split or joined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xrfengine.cluster.density import ClusterTree, Selection, condense, selected
from xrfengine.errors import SettingsError

Branch = tuple[int, int, int]
"""A chosen branch: its number from 0, and its run of the tree's points: first, size."""

MOST_STEPS = 24
"""Corners of the drawn outline of a branch, on either side."""

_HEADROOM = 1.5
"""All points are together at any lower density, too: so much of it is shown."""


@dataclass(frozen=True, eq=False)
class CondensedTree:
    """Branches of at least so many points, parents before children; the first holds all points.

    Attributes
    ----------
    first, size : ndarray of int, shape (branch,)
        The points of a branch are a run of the tree's points.
    parent : ndarray of int, shape (branch,)
        Index; −1 for the first.
    born, ends : ndarray, shape (branch,)
        Densities, 1 / distance in the embedding, between which it exists.
    outlines : tuple of ndarray, shape (step, 3) each
        From where it is born to where it ends: density, first and last place (excluded) of the
        points that still belong to it.
    automatic : tuple of Branch
        Those an automatic cut chooses.
    n_points : int
    """

    first: np.ndarray
    size: np.ndarray
    parent: np.ndarray
    born: np.ndarray
    ends: np.ndarray
    outlines: tuple[np.ndarray, ...]
    automatic: tuple[Branch, ...]
    n_points: int

    def index(self, branch: Branch) -> int | None:
        """Where a chosen branch is among these; None if it is not."""
        at = np.flatnonzero((self.first == branch[1]) & (self.size == branch[2]))
        return int(at[0]) if at.size else None

    def children(self, index: int) -> tuple[int, ...]:
        """The two branches it splits into; empty if it dissolves."""
        return tuple(int(i) for i in np.flatnonzero(self.parent == index))

    def is_within(self, inner: int, outer: int) -> bool:
        """Whether a branch lies within another, or is it."""
        while inner > outer:
            inner = int(self.parent[inner])
        return inner == outer


def condensed_tree(tree: ClusterTree, least: int, selection: Selection = "eom") -> CondensedTree:
    """What :func:`xrfengine.cluster.density.cut` looks at, as a picture needs it.

    Parameters
    ----------
    tree : ClusterTree
    least : int
        Points of the smallest branch, at least 2.
    selection : {"eom", "leaf"}
        How the automatic cut chooses.

    Raises
    ------
    SettingsError
        If ``least`` is below 2, or above the number of points.
    """
    if not 2 <= least <= max(tree.n_points, 2):
        raise SettingsError(
            f"branches of {least} points cannot be shown",
            f"Choose a smallest cluster from 2 to {tree.n_points:,} pixels.",
        )
    chains = condense(tree, least)
    outlines = []
    for born, start, end in zip(chains.born, chains.start, chains.end, strict=True):
        steps = np.unique(np.linspace(start, end, MOST_STEPS).round().astype(int))
        first, size = chains.merge_first[steps], chains.merge_size[steps]
        begins = born or chains.merge_density[start] / _HEADROOM
        # The first step is the branch at its birth, which has the points of its first merge.
        density = np.concatenate([[begins], chains.merge_density[steps]])
        first, size = np.append(first[0], first), np.append(size[0], size)
        outlines.append(np.stack([density, first, first + size], axis=1))
    best = selected(chains, selection)
    return CondensedTree(
        first=chains.first,
        size=chains.size,
        parent=chains.parent,
        born=np.array([outline[0, 0] for outline in outlines]),
        ends=chains.merge_density[chains.end],
        outlines=tuple(outlines),
        automatic=tuple(
            (number, int(chains.first[i]), int(chains.size[i])) for number, i in enumerate(best)
        ),
        n_points=tree.n_points,
    )


def branch_labels(tree: ClusterTree, branches: tuple[Branch, ...]) -> np.ndarray:
    """The number of each point's branch; int32 (n,), −1 for points in none.

    Raises
    ------
    SettingsError
        If a branch lies outside of the tree or overlaps another.
    """
    labels = np.full(tree.n_points, -1, dtype=np.int32)
    for number, first, size in branches:
        stop = first + size
        if not (0 <= first < stop <= tree.n_points and number >= 0):
            raise SettingsError("clusters chosen by hand belong to another tree")
        points = tree.points[first:stop]
        if (labels[points] >= 0).any():
            raise SettingsError("clusters chosen by hand overlap")
        labels[points] = number
    return labels


def keep(tree: CondensedTree, chosen: tuple[Branch, ...], index: int) -> tuple[Branch, ...]:
    """Make one branch a cluster.

    What was chosen within it becomes part of it. If it lies within a chosen one, that one is
    split down to it: the branches beside its path become clusters, too.
    """
    wanted = [index]
    for other in _indices(tree, chosen):
        if tree.is_within(index, other):
            step = index
            while step != other:
                above = int(tree.parent[step])
                wanted += [child for child in tree.children(above) if child != step]
                step = above
        elif not tree.is_within(other, index):
            wanted.append(other)
    return _numbered(tree, chosen, wanted)


def split(tree: CondensedTree, chosen: tuple[Branch, ...], index: int) -> tuple[Branch, ...]:
    """Split a chosen branch into its two; nothing, if it dissolves into single points."""
    children, now = tree.children(index), _indices(tree, chosen)
    if not children or index not in now:
        return chosen
    rest = [other for other in now if other != index]
    return _numbered(tree, chosen, [*rest, *children])


def leave_out(tree: CondensedTree, chosen: tuple[Branch, ...], index: int) -> tuple[Branch, ...]:
    """Without a chosen branch: its pixels belong to no cluster."""
    return _numbered(tree, chosen, [i for i in _indices(tree, chosen) if i != index])


def at_density(
    tree: CondensedTree, chosen: tuple[Branch, ...], density: float
) -> tuple[Branch, ...]:
    """All branches that exist at one density: the tree cut straight through."""
    there = (tree.born <= density) & (density < tree.ends)
    return _numbered(tree, chosen, [int(i) for i in np.flatnonzero(there)])


def _indices(tree: CondensedTree, chosen: tuple[Branch, ...]) -> list[int]:
    found = (tree.index(branch) for branch in chosen)
    return [index for index in found if index is not None]


def _numbered(
    tree: CondensedTree, before: tuple[Branch, ...], wanted: list[int]
) -> tuple[Branch, ...]:
    """Who was there keeps its number; the others get the lowest free ones, the largest first."""
    numbers = {(first, size): number for number, first, size in before}
    runs = [(int(tree.first[i]), int(tree.size[i])) for i in dict.fromkeys(wanted)]
    taken = {numbers[run] for run in runs if run in numbers}
    free = (number for number in range(len(runs) + len(taken)) if number not in taken)
    for run in sorted((r for r in runs if r not in numbers), key=lambda r: (-r[1], r[0])):
        numbers[run] = next(free)
    return tuple(sorted((numbers[run], *run) for run in runs))
