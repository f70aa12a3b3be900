"""A self-organising map, learned in batches.

Every pass assigns all pixels to their nearest node and moves each node to the mean of the
pixels around it on the grid; the neighbourhood shrinks from pass to pass (Kohonen, Neural
Networks 37, 2013, 52–65, section 4). Unlike the online rule of the thesis (3.1.1) this needs
no learning rate, does not depend on the order of pixels, and is a matrix product per pass.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress, part

_CHUNK = 1 << 15


@dataclass(frozen=True)
class SomSettings:
    """Shape and learning of the map; the thesis takes 3×3.

    Attributes
    ----------
    rows, columns : int
        Grid of nodes; one cluster each.
    n_passes : int
        Passes over all pixels.
    sigma_start, sigma_stop : float
        Radius of the neighbourhood in grid steps, first and last; it falls geometrically.
        A start of 0 takes half the longer side of the grid.
    seed : int
        Draws the pixels the map starts from when the data have too few directions.
    """

    rows: int = 3
    columns: int = 3
    n_passes: int = 20
    sigma_start: float = 0.0
    sigma_stop: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or self.rows * self.columns > 4096:
            raise SettingsError(
                f"a self-organising map of {self.rows}×{self.columns} nodes cannot be trained",
                "Use at least 1×1 and at most 4096 nodes.",
            )
        if self.n_passes < 1:
            raise SettingsError(f"n_passes is {self.n_passes}", "It must be 1 or more.")
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
        Where the nodes start; by default on a sheet along the two widest directions of the data.

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
    grid = np.indices((settings.rows, settings.columns)).reshape(2, -1).T.astype(np.float64)
    if initial is None:
        nodes = _sheet(data, grid, settings.seed)
    else:
        nodes = np.array(initial, dtype=np.float32) - centre
        if nodes.shape != (len(grid), data.shape[1]):
            raise SettingsError(f"the map starts from {nodes.shape} instead of {len(grid)} nodes")
    apart = ((grid[:, None] - grid[None]) ** 2).sum(axis=2)
    sigma = settings.sigma_start or max(settings.rows, settings.columns) / 2.0
    shrink = (settings.sigma_stop / sigma) ** (1.0 / max(settings.n_passes - 1, 1))
    labels = np.full(len(data), -1, dtype=np.int32)
    for i in range(settings.n_passes):
        step = part(progress, i / (settings.n_passes + 1), (i + 1) / (settings.n_passes + 1))
        sums, members = _assign(data, nodes, labels, step, cancel)
        pull = np.exp(-apart / (2.0 * sigma**2))
        weight = pull @ members
        moved = weight > 1e-12  # a node nobody is near stays where it is
        nodes[moved] = ((pull @ sums)[moved] / weight[moved, None]).astype(np.float32)
        sigma *= shrink
    last = part(progress, settings.n_passes / (settings.n_passes + 1), 1.0)
    _assign(data, nodes, labels, last, cancel)
    return labels, nodes + centre


def quantisation_error(features: np.ndarray, nodes: np.ndarray) -> float:
    """Mean Euclidean distance of the rows (n, d) to their nearest node (node, d)."""
    total = 0.0
    for chunk in chunks(len(features), max(1, (1 << 22) // nodes.size)):
        gap = features[chunk, None, :].astype(np.float64) - nodes[None]
        total += float(np.sqrt((gap**2).sum(axis=2).min(axis=1)).sum())
    return total / len(features)


def _assign(
    data: np.ndarray,
    nodes: np.ndarray,
    labels: np.ndarray,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[np.ndarray, np.ndarray]:
    """Write the nearest node of every row into ``labels``.

    Returns the sum of the rows of each node, (node, d) float64, and their number, (node,).
    """
    sums = np.zeros(nodes.shape)
    half = 0.5 * (nodes.astype(np.float64) ** 2).sum(axis=1).astype(np.float32)
    for chunk in chunks(len(data), _CHUNK):
        cancel.check()
        block = data[chunk]
        nearest = (block @ nodes.T - half).argmax(axis=1)
        labels[chunk] = nearest
        chosen = np.zeros((len(block), len(nodes)), dtype=np.float32)
        chosen[np.arange(len(block)), nearest] = 1.0
        sums += chosen.T @ block
        progress(chunk.stop / len(data), "Self-organising map")
    return sums, np.bincount(labels, minlength=len(nodes)).astype(np.float64)


def _sheet(data: np.ndarray, grid: np.ndarray, seed: int) -> np.ndarray:
    """Nodes spread over the two widest directions of the data, as the grid is spread."""
    random = np.random.default_rng(seed)
    some = data
    if len(data) > 20_000:
        some = data[np.sort(random.choice(len(data), 20_000, replace=False))]
    values, axes = np.linalg.eigh((some.T @ some).astype(np.float64) / len(some))
    place = grid - grid.mean(axis=0)
    place /= np.maximum(np.abs(place).max(axis=0), 1.0)
    if np.ptp(grid[:, 1]) > np.ptp(grid[:, 0]):
        place = place[:, ::-1]  # the longer side of the grid takes the wider direction
    nodes = np.zeros((len(grid), data.shape[1]))
    for k in range(min(2, data.shape[1])):
        axis = axes[:, -1 - k]
        axis = axis * (np.sign(axis[np.abs(axis).argmax()]) or 1.0)
        nodes += np.outer(place[:, k], axis) * np.sqrt(max(values[-1 - k], 0.0))
    if data.shape[1] == 1:  # one direction cannot tell the columns apart
        nodes[:, 0] = np.quantile(some[:, 0], (np.arange(len(grid)) + 0.5) / len(grid))
    return nodes.astype(np.float32)
