"""A self-organising map, learned in batches.

A batch of pixels is assigned to its nearest nodes at once, and every node moves towards the mean
of the pixels around it on the grid (Kohonen, Neural Networks 37, 2013, 52–65, section 4). It is
the thesis's online rule (3.1.1) taken many pixels at a time, so that the work is matrix products.
Batches stay small enough to be a little random: one batch of everything is the fastest of all
and is caught in the first bad arrangement it meets. For the same reason several starts are
tried, and passes over all pixels end the learning.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress, part

_CHUNK = 1 << 15
_POLISH = 3  # passes over all pixels at the end


@dataclass(frozen=True)
class SomSettings:
    """Shape and learning of the map; the thesis takes 3×3.

    Attributes
    ----------
    rows, columns : int
        Grid of nodes; one cluster each.
    n_passes : int
        Passes over the pixels it learns from.
    sigma_start, sigma_stop : float
        Radius of the neighbourhood in grid steps, first and last; it falls geometrically.
        A start of 0 takes a third of the longer side of the grid.
    n_starts : int
        Arrangements tried; the one with the least quantisation error is kept.
    max_learn : int
        Learn from so many pixels, drawn at random, where there are more.
    seed : int
    """

    rows: int = 3
    columns: int = 3
    n_passes: int = 20
    sigma_start: float = 0.0
    sigma_stop: float = 0.33
    n_starts: int = 8
    max_learn: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or self.rows * self.columns > 4096:
            raise SettingsError(
                f"a self-organising map of {self.rows}×{self.columns} nodes cannot be trained",
                "Use at least 1×1 and at most 4096 nodes.",
            )
        for name in ("n_passes", "n_starts", "max_learn"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}", "It must be 1 or more.")
        if self.sigma_stop <= 0 or self.sigma_start < 0:
            raise SettingsError(
                f"the neighbourhood shrinks from {self.sigma_start:g} to {self.sigma_stop:g}",
                "The last radius must be above 0, the first 0 (automatic) or above.",
            )

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SomSettings:
        return cls(**values)


def train_som(
    features: np.ndarray,
    settings: SomSettings | None = None,
    *,
    initial: np.ndarray | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> tuple[np.ndarray, np.ndarray]:
    """Learn a map and assign every pixel to its nearest node.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        One row a pixel, finite. Not modified.
    settings : SomSettings, optional
    initial : ndarray, shape (rows·columns, d), optional
        Where the nodes start, the only start then; by default on a sheet along the two widest
        directions of the data, then on pixels drawn at random.

    Returns
    -------
    labels : ndarray, int32, shape (n,)
        Index of the nearest node, row by row of the grid.
    nodes : ndarray, float32, shape (rows·columns, d)

    Raises
    ------
    SettingsError
        If the features are empty or not a matrix.
    Cancelled
        Between two chunks, when ``cancel`` was set.
    """
    settings = settings or SomSettings()
    data = np.ascontiguousarray(features, dtype=np.float32)
    if data.ndim != 2 or 0 in data.shape:
        raise SettingsError(f"a map needs features of shape (n, d), got {data.shape}")
    # Distances are taken by products: subtracting the mean first keeps their digits.
    centre = data.mean(axis=0, dtype=np.float64).astype(np.float32)
    data = data - centre
    random = np.random.default_rng(settings.seed)
    sample = data
    if len(data) > settings.max_learn:
        sample = data[np.sort(random.choice(len(data), settings.max_learn, replace=False))]
    grid = np.indices((settings.rows, settings.columns)).reshape(2, -1).T.astype(np.float64)
    starts = _starts(sample, grid, settings.n_starts, random)
    if initial is not None:
        if initial.shape != (len(grid), data.shape[1]):
            raise SettingsError(
                f"the map starts from nodes of shape {initial.shape}",
                f"It needs {(len(grid), data.shape[1])}.",
            )
        starts = [np.asarray(initial, dtype=np.float32) - centre]
    best, nodes = np.inf, starts[0]
    for i, start in enumerate(starts):
        step = part(progress, 0.9 * i / len(starts), 0.9 * (i + 1) / len(starts))
        learned = _learn(sample, start, grid, settings, random, step, cancel)
        error = quantisation_error(sample, learned)
        if error < best:
            best, nodes = error, learned
    labels = np.full(len(data), -1, dtype=np.int32)
    for i in range(_POLISH):
        cancel.check()
        sums, members = _assign(data, nodes, labels, cancel)
        held = members > 0  # a node without pixels stays where it is
        nodes[held] = (sums[held] / members[held, None]).astype(np.float32)
        progress(0.9 + 0.1 * (i + 1) / (_POLISH + 1), "Self-organising map")
    _assign(data, nodes, labels, cancel)
    progress(1.0, "Self-organising map")
    return labels, nodes + centre


def quantisation_error(features: np.ndarray, nodes: np.ndarray) -> float:
    """Mean Euclidean distance of the rows (n, d) to their nearest node (node, d)."""
    total = 0.0
    for chunk in chunks(len(features), max(1, (1 << 22) // nodes.size)):
        gap = features[chunk, None, :].astype(np.float64) - nodes[None]
        total += float(np.sqrt((gap**2).sum(axis=2).min(axis=1)).sum())
    return total / len(features)


def _learn(
    sample: np.ndarray,
    start: np.ndarray,
    grid: np.ndarray,
    settings: SomSettings,
    random: np.random.Generator,
    progress: Progress,
    cancel: CancelToken,
) -> np.ndarray:
    """Nodes (node, d) after ``n_passes`` over the sample, from ``start``."""
    nodes = start.copy()
    apart = ((grid[:, None] - grid[None]) ** 2).sum(axis=2)
    first = settings.sigma_start or max(settings.rows, settings.columns) / 3.0
    size = int(np.clip(len(sample) // 64, 16, 512))
    for i in range(settings.n_passes):
        cancel.check()
        order = random.permutation(len(sample))
        for chunk in chunks(len(sample), size):
            done = (i + chunk.start / len(sample)) / settings.n_passes
            sigma = first * (settings.sigma_stop / first) ** done
            rate = 0.5 / (1.0 + 2.0 * done)
            pull = np.exp(-apart / (2.0 * sigma**2)).astype(np.float32)
            block = sample[order[chunk]]
            sums, members = _sums(block, _nearest(block, nodes), len(nodes))
            weight = pull @ members
            moved = weight > 1e-9
            aim = (pull @ sums)[moved] / weight[moved, None]
            # As many small steps, one after another, would have moved the node.
            nodes[moved] += (1.0 - (1.0 - rate) ** weight[moved, None]) * (aim - nodes[moved])
        progress((i + 1) / settings.n_passes, "Self-organising map")
    return nodes


def _nearest(rows: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Index of the nearest node of every row."""
    return (rows @ nodes.T - 0.5 * (nodes * nodes).sum(axis=1)).argmax(axis=1)


def _sums(rows: np.ndarray, nearest: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the rows of each node, (n, d), and their number, (n,)."""
    chosen = np.zeros((len(rows), n), dtype=np.float32)
    chosen[np.arange(len(rows)), nearest] = 1.0
    return chosen.T @ rows, chosen.sum(axis=0)


def _assign(
    data: np.ndarray, nodes: np.ndarray, labels: np.ndarray, cancel: CancelToken
) -> tuple[np.ndarray, np.ndarray]:
    """Write the nearest node of every row into ``labels``; sums and numbers as of `_sums`."""
    sums, members = np.zeros(nodes.shape), np.zeros(len(nodes))
    for chunk in chunks(len(data), _CHUNK):
        cancel.check()
        labels[chunk] = _nearest(data[chunk], nodes)
        more, held = _sums(data[chunk], labels[chunk], len(nodes))
        sums += more
        members += held
    return sums, members


def _starts(
    sample: np.ndarray, grid: np.ndarray, n: int, random: np.random.Generator
) -> list[np.ndarray]:
    """A sheet over the two widest directions of the data, then rows drawn at random."""
    values, axes = np.linalg.eigh((sample.T @ sample).astype(np.float64) / len(sample))
    place = grid - grid.mean(axis=0)
    place /= np.maximum(np.abs(place).max(axis=0), 1.0)
    if np.ptp(grid[:, 1]) > np.ptp(grid[:, 0]):
        place = place[:, ::-1]  # the longer side of the grid takes the wider direction
    sheet = np.zeros((len(grid), sample.shape[1]))
    for k in range(min(2, sample.shape[1])):
        axis = axes[:, -1 - k]
        axis = axis * (np.sign(axis[np.abs(axis).argmax()]) or 1.0)
        sheet += np.outer(place[:, k], axis) * np.sqrt(max(values[-1 - k], 0.0))
    if sample.shape[1] == 1:  # one direction cannot tell the columns apart
        sheet[:, 0] = np.quantile(sample[:, 0], (np.arange(len(grid)) + 0.5) / len(grid))
    drawn = [sample[random.integers(0, len(sample), len(grid))] for _ in range(n - 1)]
    return [sheet.astype(np.float32), *drawn]
