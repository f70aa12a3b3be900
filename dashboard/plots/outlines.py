"""Outlines of regions, for masks that a plain outline would turn into a haze, too."""

from __future__ import annotations

import numpy as np

from dashboard.plots.pictures import outline


def borders(mask: np.ndarray) -> np.ndarray:
    """The border of a mask (y, x) as straight runs, float32 (n, 4): x0, y0, x1, y1.

    Where it would be a haze of single pixels, that of the places where most pixels belong. Takes
    a moment on large scans, so any thread but the loop's.
    """
    runs = outline(mask)
    side = 3
    while not len(runs) and mask.any() and side < max(mask.shape):
        mostly = _mostly(mask, side)
        runs = outline(mostly)
        if not mostly.any():
            break
        side = 2 * side + 1
    return runs


def within(runs: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """What of straight runs (n, 4) lies in a box (x0, y0, x1, y1)."""
    low, high = np.array(box[:2]), np.array(box[2:])
    start, stop = runs[:, :2], runs[:, 2:]
    meets = ((np.maximum(start, stop) >= low) & (np.minimum(start, stop) <= high)).all(axis=1)
    return np.hstack([np.clip(start, low, high), np.clip(stop, low, high)])[meets]


def path(runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Straight runs (n, 4) as one broken line: x and y, float32, with NaN at the breaks."""
    x0, y0, x1, y1 = runs.astype(np.float32).T
    gap = np.full(len(runs), np.nan, np.float32)
    return np.stack([x0, x1, gap], 1).ravel(), np.stack([y0, y1, gap], 1).ravel()


def _mostly(mask: np.ndarray, side: int) -> np.ndarray:
    """Pixels with a majority of the mask's in the square of ``side`` pixels around them."""
    half = side // 2
    sums = np.pad(mask, ((half + 1, half), (half + 1, half))).astype(np.int32)
    sums = sums.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)
    around = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return 2 * around > side * side
