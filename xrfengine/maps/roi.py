"""Region-of-interest maps: counts in a window around an element's main line, less background.

The conservators' usual tool, kept for comparison. Overlapping lines are not told apart: what a
neighbour puts into the window counts as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xrfengine.cube import Calibration, Cube, ElementMaps, Instrument
from xrfengine.detector import Detector
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress
from xrfengine.lines import ELEMENTS, Line, main_line
from xrfengine.maps.pooling import block_grid, block_sizes, block_sums, expand

USUAL_FWHM_MN_KEV = 0.15
"""Resolution taken where the calibration states none: a silicon drift detector in the field."""

USUAL_TUBE_KV = 50.0
BLOCK_BYTES = 8 << 20


@dataclass(frozen=True)
class Window:
    """Channels of a window and of the two stretches of background beside it, half-open ranges.

    ``line`` is the one it was put on, None for a window of one's own.
    """

    line: Line | None
    start: int
    stop: int
    left: tuple[int, int]
    right: tuple[int, int]

    @classmethod
    def between(cls, start: int, stop: int, n_channels: int, line: Line | None = None) -> Window:
        """Channels start…stop−1, and stretches half as wide beside them where there are any."""
        beside = max(1, (stop - start) // 2)
        left = (max(0, start - beside), start)
        right = (stop, min(n_channels, stop + beside))
        return cls(line, start, stop, left, right)

    def shares(self) -> list[tuple[int, int, float]]:
        """First channel, last + 1, and what each count there adds to the net counts.

        The background is the straight line through the means of the two stretches; one that
        falls off the spectrum leaves the other's mean.
        """
        width = self.stop - self.start
        centre = (self.start + self.stop) / 2
        found = [(self.start, self.stop, 1.0)]
        sides = [side for side in (self.left, self.right) if side[1] > side[0]]
        middles = [(start + stop) / 2 for start, stop in sides]
        for i, (start, stop) in enumerate(sides):
            share = 1.0
            if len(sides) == 2:
                share = abs(centre - middles[1 - i]) / (middles[1] - middles[0])
            found.append((start, stop, -share * width / (stop - start)))
        return found

    def weights(self, power: int = 1) -> dict[int, float]:
        """Net counts as a weighted sum of the cumulative spectrum at these channels.

        With ``power`` 2 their variance: counts vary by their own number (Poisson), and what is
        taken off adds to it.
        """
        weights: dict[int, float] = {}
        for start, stop, factor in self.shares():
            weights[stop] = weights.get(stop, 0.0) + factor**power
            weights[start] = weights.get(start, 0.0) - factor**power
        return weights


def roi_window(
    element: str, calibration: Calibration, n_channels: int, instrument: Instrument
) -> Window | None:
    """The window of an element: its main line ± one FWHM, stretches half as wide on both sides.

    Returns None if no line of the element lies far enough inside the spectrum or is excited.

    Raises
    ------
    SettingsError
        If there is no such element.
    """
    detector = Detector.sdd(fwhm_mn_kev=calibration.fwhm_mn_kev or USUAL_FWHM_MN_KEV)
    low, high = calibration.edges_kev(n_channels)[[0, -1]]
    excitation = instrument.tube_kv or USUAL_TUBE_KV
    line = main_line(element, float(low), float(high), excitation)
    if line is None:
        return None
    width = float(detector.fwhm_kev(line.energy_kev))
    ends = calibration.channel(np.array([line.energy_kev - width, line.energy_kev + width]))
    # Channel c reaches from c - 0.5 to c + 0.5, so its lower limit is limit number c.
    start, stop = (int(np.rint(end + 0.5)) for end in ends)
    stop = max(stop, start + 1)
    if start < 0 or stop > n_channels:
        return None
    return Window.between(start, stop, n_channels, line)


def roi_maps(
    cube: Cube,
    elements: Sequence[str] | None = None,
    region_px: int = 1,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> ElementMaps:
    """Net counts per pixel in the window of every element.

    Parameters
    ----------
    cube : Cube
    elements : sequence of str or None
        Symbols; None for all of Na…U. Those without a line in the range are left out.
    region_px : int
        Side of the averaged regions, k ≥ 1.

    Returns
    -------
    ElementMaps
        Kind ``"roi"``: counts per pixel, float32, below 0 where noise outweighs the line.

    Raises
    ------
    SettingsError
        If a symbol is unknown, or no element has a line in the range.
    """
    windows = _windows(cube, elements)
    net, sizes = _sums(cube, windows, 1, region_px, progress, cancel)
    return _maps(cube, windows, net / sizes, region_px)


def roi_errors(
    cube: Cube,
    elements: Sequence[str] | None = None,
    region_px: int = 1,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> ElementMaps:
    """Standard errors of :func:`roi_maps` from counting statistics, window and background.

    Parameters and exceptions as there; the maps hold counts per pixel, ≥ 0: 0 where neither the
    window nor the stretches beside it have any counts.
    """
    windows = _windows(cube, elements)
    variance, sizes = _sums(cube, windows, 2, region_px, progress, cancel)
    return _maps(cube, windows, np.sqrt(np.maximum(variance, 0.0)) / sizes, region_px)


def _windows(cube: Cube, elements: Sequence[str] | None) -> dict[str, Window]:
    n_channels = cube.shape[2]
    asked = tuple(elements) if elements is not None else ELEMENTS
    found = {
        element: roi_window(element, cube.calibration, n_channels, cube.instrument)
        for element in asked
    }
    windows = {element: window for element, window in found.items() if window is not None}
    if not windows:
        low, high = cube.calibration.at(np.array([0, n_channels - 1]))
        raise SettingsError(
            f"none of {', '.join(asked) or 'no elements'} has a line to put a window on between "
            f"{low:.2f} and {high:.2f} keV",
            "Choose other elements, or check the energy calibration.",
        )
    return windows


def _sums(
    cube: Cube,
    windows: dict[str, Window],
    power: int,
    region_px: int,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted sums of every region's spectrum (element, by, bx), and pixels a region (by, bx)."""
    shape_yx, n_channels = cube.shape[:2], cube.shape[2]
    channels, matrix = _cumulative_weights(list(windows.values()), power)
    by, bx = block_grid(shape_yx, region_px)
    found = np.empty((len(windows), by, bx))
    for rows in chunks(by, max(1, BLOCK_BYTES // (8 * n_channels * bx))):
        cancel.check()
        cumulative = _cumulative(block_sums(cube.counts, region_px, rows))
        found[:, rows] = np.moveaxis(cumulative[..., channels] @ matrix, -1, 0)
        progress(rows.stop / by, "Net counts")
    return found, block_sizes(shape_yx, region_px)


def _maps(
    cube: Cube, windows: dict[str, Window], values: np.ndarray, region_px: int
) -> ElementMaps:
    full = expand(values.astype(np.float32), region_px, cube.shape[:2])
    return ElementMaps(tuple(windows), full, "roi", int(region_px), cube.digest)


def _cumulative_weights(windows: list[Window], power: int) -> tuple[np.ndarray, np.ndarray]:
    """Channels at which the cumulative spectrum is needed, and weights (channel, element)."""
    weights = [window.weights(power) for window in windows]
    channels = np.array(sorted({channel for each in weights for channel in each}))
    matrix = np.zeros((channels.size, len(windows)))
    for column, each in enumerate(weights):
        matrix[np.searchsorted(channels, list(each)), column] = list(each.values())
    return channels, matrix


def _cumulative(sums: np.ndarray) -> np.ndarray:
    """Sum of all channels below each, float64, shape (by, bx, channel + 1).

    Float64 is exact for whole counts up to 2**53.
    """
    cumulative = np.empty((*sums.shape[:2], sums.shape[2] + 1))
    cumulative[..., 0] = 0.0
    np.cumsum(sums, axis=-1, dtype=np.float64, out=cumulative[..., 1:])
    return cumulative
