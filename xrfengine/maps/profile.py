"""Values of an image along a line."""

from __future__ import annotations

import numpy as np

from xrfengine.errors import SettingsError


def line_profile(
    image: np.ndarray, line: tuple[float, float, float, float], width_px: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels under a line, one about every pixel of its length.

    Values are those of the nearest pixel, never between two: nothing is told that was not
    measured. What lies outside of the image is NaN.

    Parameters
    ----------
    image : ndarray, shape (y, x)
    line : (x0, y0, x1, y1)
        Ends in pixels; centres are at whole numbers.
    width_px : int
        So many lines side by side, one pixel apart, are averaged.

    Returns
    -------
    distance_px : ndarray, float64, shape (n,)
        From the first end, n ≥ 2.
    values : ndarray, float64, shape (n,)

    Raises
    ------
    SettingsError
        If the ends coincide or are no numbers, or the width is below 1.
    """
    start, stop = np.reshape(np.asarray(line, dtype=np.float64), (2, 2))
    length = float(np.hypot(*(stop - start)))
    if not np.isfinite(length) or length < 1e-6 or width_px < 1:
        raise SettingsError("a profile needs two different ends", "Draw a longer line.")
    n = int(np.ceil(length)) + 1
    along, across = (stop - start) / length, np.array([start[1] - stop[1], stop[0] - start[0]])
    distance = np.linspace(0.0, length, n)
    sides = np.arange(width_px) - (width_px - 1) / 2
    points = (
        start
        + distance[None, :, None] * along
        + sides[:, None, None] * (across / length)
    )  # fmt: skip
    column, row = np.moveaxis(np.floor(points + 0.5).astype(int), -1, 0)
    inside = (row >= 0) & (row < image.shape[0]) & (column >= 0) & (column < image.shape[1])
    values = np.where(inside, image[np.where(inside, row, 0), np.where(inside, column, 0)], np.nan)
    n_inside = inside.sum(axis=0)
    total = np.where(inside, values, 0.0).sum(axis=0, dtype=np.float64)
    return distance, np.where(n_inside > 0, total / np.maximum(n_inside, 1), np.nan)
