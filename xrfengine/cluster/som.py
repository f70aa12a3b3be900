"""A self-organising map, learned in batches.

A batch of pixels is assigned to its nearest nodes at once, and every node moves towards the mean
of the pixels around it on the grid (Kohonen, Neural Networks 37, 2013, 52–65, section 4). It is
the thesis's online rule (3.1.1) taken many pixels at a time, so that the work is matrix products.
Batches stay small enough to be a little random: one batch of everything is the fastest of all
and is caught in the first bad arrangement it meets. For the same reason several starts are
tried, and passes over all pixels end the learning.
"""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress, part

if TYPE_CHECKING:
    from torch import Tensor

POLISH_PASSES = 3
"""Passes over all pixels at the end, without a neighbourhood."""

_CHUNK = 1 << 12  # short sums: their order, and so the result, does not hang on threads


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
        Learn from so many pixels, drawn at random, where there are more; 0 learns from all.
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
        for name, least in (("n_passes", 1), ("n_starts", 1), ("max_learn", 0)):
            if getattr(self, name) < least:
                raise SettingsError(
                    f"{name} is {getattr(self, name)}", f"It must be {least} or more."
                )
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
    device: str | None = None,
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
    device : str, optional
        Where torch computes: "cpu" or "cuda"; by default "cuda" where there is one.

    Returns
    -------
    labels : ndarray, int32, shape (n,)
        Index of the nearest node, row by row of the grid.
    nodes : ndarray, float32, shape (rows·columns, d)

    Raises
    ------
    SettingsError
        If the features are empty or not a matrix, or there is no such device.
    Cancelled
        Between two chunks, when ``cancel`` was set.
    """
    import torch

    settings = settings or SomSettings()
    data = np.ascontiguousarray(features, dtype=np.float32)
    if data.ndim != 2 or 0 in data.shape:
        raise SettingsError(f"a map needs features of shape (n, d), got {data.shape}")
    place = _device(device)
    # Distances are taken by products: subtracting the mean first keeps their digits.
    centre = data.mean(axis=0, dtype=np.float64).astype(np.float32)
    data = data - centre
    random = np.random.default_rng(settings.seed)
    sample = data
    if 0 < settings.max_learn < len(data):
        sample = data[np.sort(random.choice(len(data), settings.max_learn, replace=False))]
    grid = np.indices((settings.rows, settings.columns)).reshape(2, -1).T.astype(np.float64)
    if initial is None:
        starts = _starts(sample, grid, settings.n_starts, random)
    else:
        if initial.shape != (len(grid), data.shape[1]):
            raise SettingsError(
                f"the map starts from nodes of shape {initial.shape}",
                f"It needs {(len(grid), data.shape[1])}.",
            )
        starts = [np.asarray(initial, dtype=np.float32) - centre]
    with torch.inference_mode(), _one_wide():
        rows = _with_ones(data, place)
        learn = rows if sample is data else _with_ones(sample, place)
        best, nodes = np.inf, torch.from_numpy(starts[0]).to(place)
        for i, start in enumerate(starts):
            step = part(progress, 0.9 * i / len(starts), 0.9 * (i + 1) / len(starts))
            learned = _learn(learn, start, grid, settings, random, step, cancel)
            error = _mean_distance(learn, learned, cancel) if len(starts) > 1 else 0.0
            if error < best:
                best, nodes = error, learned
        for i in range(POLISH_PASSES):
            totals, _ = _assign(rows, nodes, cancel)
            members = totals[:, -1:]
            # A node without pixels stays where it is.
            means = (totals[:, :-1] / members.clamp(min=1.0)).to(nodes.dtype)
            nodes = torch.where(members > 0, means, nodes)
            progress(0.9 + 0.1 * (i + 1) / (POLISH_PASSES + 1), "Self-organising map")
        _, labels = _assign(rows, nodes, cancel)
    progress(1.0, "Self-organising map")
    return labels.cpu().numpy().astype(np.int32), nodes.cpu().numpy() + centre


def quantisation_error(features: np.ndarray, nodes: np.ndarray) -> float:
    """Mean Euclidean distance of the rows (n, d) to their nearest node (node, d)."""
    nodes = np.asarray(nodes, dtype=np.float64)
    centre = nodes.mean(axis=0)  # subtracted, so that products keep their digits
    nodes = nodes - centre
    total = 0.0
    for chunk in chunks(len(features), _CHUNK):
        rows = features[chunk] - centre
        nearest = (rows @ nodes.T - 0.5 * (nodes * nodes).sum(axis=1)).argmax(axis=1)
        total += float(np.linalg.norm(rows - nodes[nearest], axis=1).sum())
    return total / len(features)


def _device(asked: str | None) -> str:
    import torch

    here = torch.cuda.is_available()
    if asked is None:
        return "cuda" if here else "cpu"
    if asked not in ("cpu", "cuda") or (asked == "cuda" and not here):
        raise SettingsError(f"there is no device {asked!r}", "Use 'cpu', or leave it out.")
    return asked


def _one_wide() -> contextlib.AbstractContextManager[Any]:
    """Keep this thread's products on one core; other threads keep theirs.

    They are too small to gain from more, and threads that wait for each other after each of them
    lose a hundredfold where cores are busy: 2,400 rows took 92 s on two, 0.8 s on one.
    """
    import torch
    from threadpoolctl import threadpool_limits

    torch.get_num_threads()  # torch sets a new thread's width at its first call: before ours
    return threadpool_limits(1, "openmp")


def _with_ones(rows: np.ndarray, device: str) -> Tensor:
    """Rows (n, d + 1) on the device, the last column 1.

    With it one product scores the nodes, norm included, and one product sums and counts.
    """
    import torch

    made = torch.ones(len(rows), rows.shape[1] + 1, dtype=torch.float32, device=device)
    made[:, :-1] = torch.from_numpy(rows).to(device)
    return made


def _learn(
    sample: Tensor,
    start: np.ndarray,
    grid: np.ndarray,
    settings: SomSettings,
    random: np.random.Generator,
    progress: Progress,
    cancel: CancelToken,
) -> Tensor:
    """Nodes (node, d) after ``n_passes`` over the sample (n, d + 1), from ``start``."""
    import torch

    device = sample.device
    nodes = torch.from_numpy(start).to(device, copy=True)
    apart = torch.from_numpy(((grid[:, None] - grid[None]) ** 2).sum(axis=2)).to(device)
    first = settings.sigma_start or max(settings.rows, settings.columns) / 3.0
    size = int(np.clip(len(sample) // 64, 16, 512))
    for i in range(settings.n_passes):
        order = torch.from_numpy(random.permutation(len(sample))).to(device)
        mixed = sample[order]
        for chunk in chunks(len(sample), size):
            cancel.check()
            done = (i + chunk.start / len(sample)) / settings.n_passes
            sigma = first * (settings.sigma_stop / first) ** done
            rate = 0.5 / (1.0 + 2.0 * done)
            pull = torch.exp(apart / (-2.0 * sigma**2)).to(torch.float32)
            block = mixed[chunk]
            pulled = pull @ _totals(block, _nearest(block, nodes), len(nodes))
            weight = pulled[:, -1:]
            aim = pulled[:, :-1] / weight.clamp(min=1e-9)
            # As many small steps, one after another, would have moved the node.
            far = torch.where(weight > 1e-9, 1.0 - (1.0 - rate) ** weight, 0.0)
            nodes += far * (aim - nodes)
        progress((i + 1) / settings.n_passes, "Self-organising map")
    return nodes


def _nearest(rows: Tensor, nodes: Tensor) -> Tensor:
    """Index of the nearest node (node, d) of every row (n, d + 1)."""
    import torch

    n, d = nodes.shape
    scores = torch.zeros(d + 1, _padded(n), dtype=rows.dtype, device=rows.device)
    scores[:-1, :n] = nodes.T
    scores[-1, :n] = -0.5 * (nodes * nodes).sum(dim=1)
    scores[-1, n:] = -np.inf
    return (rows @ scores).argmax(dim=1)


def _totals(rows: Tensor, nearest: Tensor, n: int) -> Tensor:
    """Sum of the rows of each node, (n, d + 1), their number in the last column."""
    import torch

    numbers = torch.arange(_padded(n), device=rows.device)
    return ((nearest == numbers[:, None]).to(rows.dtype) @ rows)[:n]


def _padded(n: int) -> int:
    """Products as wide as the processor's blocks: else the last bits hang on the threads."""
    return -(-n // 16) * 16


def _assign(rows: Tensor, nodes: Tensor, cancel: CancelToken) -> tuple[Tensor, Tensor]:
    """Totals of each node, float64, as of `_totals`, and the nearest node of every row."""
    import torch

    totals = torch.zeros(len(nodes), rows.shape[1], dtype=torch.float64, device=rows.device)
    labels = torch.empty(len(rows), dtype=torch.int64, device=rows.device)
    for chunk in chunks(len(rows), _CHUNK):
        cancel.check()
        labels[chunk] = _nearest(rows[chunk], nodes)
        totals += _totals(rows[chunk], labels[chunk], len(nodes))
    return totals, labels


def _mean_distance(rows: Tensor, nodes: Tensor, cancel: CancelToken) -> float:
    """Mean distance of the rows (n, d + 1) to their nearest node."""
    total = 0.0
    for chunk in chunks(len(rows), _CHUNK):
        cancel.check()
        block = rows[chunk]
        gap = block[:, :-1] - nodes[_nearest(block, nodes)]
        total += float(gap.norm(dim=1).double().sum())
    return total / len(rows)


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
