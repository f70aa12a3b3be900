"""The map of any window of energies: its counts, with or without the background beside it.

What is dragged over a spectrum must show at once: only the channels of the window and beside it
are read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xrfengine.cube import Calibration, Cube
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress
from xrfengine.maps.pooling import block_grid, block_sizes, expand
from xrfengine.maps.roi import Window

_ROWS_AT_ONCE_BYTES = 16 << 20


@dataclass(frozen=True, eq=False)
class WindowMap:
    """Counts between two energies.

    Attributes
    ----------
    low_kev, high_kev : float
        Limits of the channels that were summed.
    net : bool
        Less the straight line through the stretches beside the window, each half as wide.
    values : ndarray, float32, shape (y, x)
        Counts per pixel; a k×k region fills its pixels with its mean. Below 0, where ``net``,
        when noise outweighs what is there.
    errors : ndarray, float32, shape (y, x)
        Their standard errors from counting statistics, ≥ 0.
    region_px : int
    unit : str
        Of the values: ``"net counts"``, ``"counts"``, or these by what evens them out.
    """

    low_kev: float
    high_kev: float
    net: bool
    values: np.ndarray
    errors: np.ndarray
    region_px: int = 1
    unit: str = "net counts"

    @property
    def name(self) -> str:
        """The window in keV, such as ``"6.20–6.60 keV"``."""
        return f"{self.low_kev:.2f}–{self.high_kev:.2f} keV"


def energy_window(
    low_kev: float, high_kev: float, calibration: Calibration, n_channels: int
) -> Window:
    """Whole channels nearest to a window of energies, and the stretches beside it.

    Raises
    ------
    SettingsError
        If the window lies outside the spectrum or is empty.
    """
    first, last = calibration.at(np.array([-0.5, n_channels - 0.5]))
    if not (low_kev < high_kev and high_kev > first and low_kev < last):
        raise SettingsError(
            f"there are no counts between {low_kev:.2f} and {high_kev:.2f} keV",
            f"The spectrum reaches from {max(first, 0.0):.2f} to {last:.2f} keV.",
        )
    ends = calibration.channel(np.clip([low_kev, high_kev], first, last)) + 0.5
    start, stop = (int(np.clip(np.rint(end), 0, n_channels)) for end in ends)
    start = min(start, n_channels - 1)
    stop = max(stop, start + 1)
    return Window.between(start, stop, n_channels)


def window_map(
    cube: Cube,
    low_kev: float,
    high_kev: float,
    *,
    net: bool = True,
    region_px: int = 1,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> WindowMap:
    """Counts per pixel between two energies.

    Parameters
    ----------
    cube : Cube
    low_kev, high_kev : float
        Rounded to whole channels.
    net : bool
        Take off the background beside the window.
    region_px : int
        Side of the averaged regions, k ≥ 1.

    Raises
    ------
    SettingsError
        If the window lies outside the spectrum or is empty.
    """
    n_channels = cube.shape[2]
    window = energy_window(low_kev, high_kev, cube.calibration, n_channels)
    parts = window.shares() if net else [(window.start, window.stop, 1.0)]
    height, width = cube.shape[:2]
    values, variance = np.zeros((height, width)), np.zeros((height, width))
    size = max(1, _ROWS_AT_ONCE_BYTES // max(cube.counts[0].nbytes, 1))
    for rows in chunks(height, size):
        cancel.check()
        for start, stop, factor in parts:
            counts = cube.counts[rows, :, start:stop].sum(axis=2, dtype=np.float64)
            values[rows] += factor * counts
            variance[rows] += factor**2 * np.maximum(counts, 0.0)
        progress(rows.stop / height, "Counts in the window")
    values, errors = _averaged(values, variance, region_px)
    edges = cube.calibration.edges_kev(n_channels)
    return WindowMap(
        float(edges[window.start]), float(edges[window.stop]), net, values, errors, region_px,
        "net counts" if net else "counts",
    )  # fmt: skip


def _averaged(
    values: np.ndarray, variance: np.ndarray, region_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means of k×k regions and their standard errors, float32, on every pixel."""
    shape_yx = values.shape
    by, bx = block_grid(shape_yx, region_px)
    at_y, at_x = np.arange(by) * region_px, np.arange(bx) * region_px
    sizes = block_sizes(shape_yx, region_px)
    total, spread = (
        np.add.reduceat(np.add.reduceat(image, at_y, axis=0), at_x, axis=1)
        for image in (values, variance)
    )
    return (
        expand((total / sizes).astype(np.float32), region_px, shape_yx),
        expand((np.sqrt(spread) / sizes).astype(np.float32), region_px, shape_yx),
    )
