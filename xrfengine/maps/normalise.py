"""Maps of counts evened out: per second, or by what tells how much each pixel was seen at all.

A surface that is nearer, flatter or measured longer gives more counts of everything. Counts are
made comparable by the live time where it is known, by the tube's own radiation scattered back
(Compton and Rayleigh peaks of the anode), or by all counts of the pixel.

Scatter and total counts leave the maps in counts: each pixel is brought to the scan's mean, so
thresholds keep their meaning. Both depend on the sample, too (light materials scatter more; heavy
pigments fill the total), so what is evened out is told apart from distance by no more than that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from xrfengine.cube import Calibration, Cube, ElementMaps
from xrfengine.detector import Detector
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress
from xrfengine.lines import main_line
from xrfengine.maps.pooling import block_sizes, block_sums, expand
from xrfengine.maps.roi import USUAL_FWHM_MN_KEV, USUAL_TUBE_KV

By = Literal["live_time", "scatter", "total"]

UNITS: dict[str, str] = {
    "none": "net counts",
    "live_time": "net counts per second",
    "scatter": "net counts at mean scatter",
    "total": "net counts at mean total",
}
COUNTED = ("fit", "roi")
"""Kinds of maps that hold counts; a probability does not grow with the time it is measured."""

_SOFTEST_ANODE_KEV = 15.0
"""Below, the anode's lines lie among those of samples (Cu, Zn, Pb, Hg) and tell nothing of
scatter alone."""
_LARGEST_ANGLE_DEG = 150.0
_LEAST_SHARE = 0.05
"""A pixel that saw less than this share of the mean is not blown up further: it saw nothing."""


@dataclass(frozen=True, eq=False)
class Monitor:
    """What the counts of each pixel are multiplied by.

    Attributes
    ----------
    factor : ndarray, float32, shape (y, x)
    relative_error : ndarray, float32, shape (y, x)
        Standard error of the factor over the factor, from counting statistics.
    unit : str
        Of the counts once multiplied.
    """

    factor: np.ndarray
    relative_error: np.ndarray
    unit: str


def scatter_window(
    calibration: Calibration, n_channels: int, anode: str | None, tube_kv: float | None
) -> tuple[int, int]:
    """Channels (start, stop) that hold the anode's Kα, scattered with and without loss.

    From the Compton energy at 150° less one FWHM to the line itself and one FWHM more, whatever
    the angle of the instrument is.

    Raises
    ------
    SettingsError
        If the anode is not known, or its Kα is not excited, too soft, or outside of the spectrum.
    """
    hint = "Even the maps out by live time or by total counts."
    if anode is None:
        raise SettingsError("the anode of the X-ray tube is not known, nor what it scatters", hint)
    low, high = calibration.edges_kev(n_channels)[[0, -1]]
    line = main_line(anode, float(low), float(high), tube_kv or USUAL_TUBE_KV)
    if line is None or line.family != "K" or line.energy_kev < _SOFTEST_ANODE_KEV:
        raise SettingsError(
            f"scatter of the anode {anode} cannot be told from the sample's lines in this scan",
            hint,
        )
    fwhm_kev = Detector.sdd(fwhm_mn_kev=calibration.fwhm_mn_kev or USUAL_FWHM_MN_KEV).fwhm_kev
    energy = line.energy_kev
    turned = energy / (1 + energy / 510.999 * (1 - np.cos(np.radians(_LARGEST_ANGLE_DEG))))
    ends = (turned - float(fwhm_kev(turned)), energy + float(fwhm_kev(energy)))
    start, stop = np.rint(calibration.channel(np.array(ends)) + 0.5).astype(int)
    return max(int(start), 0), min(int(stop), n_channels)


def monitor(
    cube: Cube,
    by: By,
    region_px: int = 1,
    *,
    anode: str | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Monitor:
    """What evens out maps of this cube, averaged over ``region_px``×``region_px`` pixels.

    Parameters
    ----------
    by : {"live_time", "scatter", "total"}
    anode : str or None
        Symbol of the tube's anode, where the cube does not state one; for ``"scatter"``.

    Raises
    ------
    SettingsError
        If the cube does not know what is asked for; see also :func:`scatter_window`.
    """
    shape_yx = cube.shape[:2]
    if by == "live_time":
        seconds = cube.instrument.live_time_s
        if not seconds:
            raise SettingsError(
                "the file does not say how long each spectrum was measured",
                "Even the maps out by scatter or by total counts.",
            )
        factor = np.full(shape_yx, 1.0 / seconds, np.float32)
        return Monitor(factor, np.zeros(shape_yx, np.float32), UNITS[by])
    if by == "total":
        seen = cube.total_counts
    else:
        anode = cube.instrument.tube_anode or anode
        start, stop = scatter_window(
            cube.calibration, cube.shape[2], anode, cube.instrument.tube_kv
        )
        seen = np.empty(shape_yx, np.float64)
        rows_at_once = max(1, (8 << 20) // (shape_yx[1] * cube.shape[2] * 2))
        for rows in chunks(shape_yx[0], rows_at_once):
            cancel.check()
            seen[rows] = cube.counts[rows, :, start:stop].sum(axis=2, dtype=np.float64)
            progress(rows.stop / shape_yx[0], "Scatter")
    return _even(seen, region_px, UNITS[by])


def _even(seen: np.ndarray, region_px: int, unit: str) -> Monitor:
    """Bring every region to the mean of what was seen, counts (y, x)."""
    sums = block_sums(np.asarray(seen, np.float64)[..., None], region_px)[..., 0]
    mean = float(np.mean(seen))
    least = max(_LEAST_SHARE * mean, 1e-12)
    per_pixel = np.maximum(sums / block_sizes(seen.shape, region_px), least)
    factor = mean / per_pixel if mean > 0 else np.ones_like(per_pixel)
    error = 1.0 / np.sqrt(np.maximum(sums, 1.0))
    full = (expand(each.astype(np.float32), region_px, seen.shape) for each in (factor, error))
    return Monitor(*full, unit)


def normalised(maps: ElementMaps, by: Monitor) -> ElementMaps:
    """The maps evened out.

    Raises
    ------
    SettingsError
        If they hold no counts.
    """
    if maps.kind not in COUNTED:
        raise SettingsError(
            f"{maps.kind} maps are not normalised: they hold no counts",
            "Choose a map of net counts.",
        )
    return replace(maps, values=maps.values * by.factor)


def normalised_error(values: np.ndarray, error: np.ndarray, by: Monitor) -> np.ndarray:
    """Standard error of an evened-out map, shape (y, x), from that map and the error before it.

    The error of the monitor adds in quadrature; how both hang together in one pixel is left out.
    """
    return np.hypot(error * by.factor, values * by.relative_error).astype(np.float32)
