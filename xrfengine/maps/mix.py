"""Three maps as one picture: each lends its strength to one colour, and colours add like light."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from xrfengine.errors import SettingsError

RED_GREEN_BLUE = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
ORANGE_GREEN_VIOLET = ((255, 128, 0), (0, 127, 96), (0, 0, 159))
"""Adds up to white, too; red-green colour-blind people tell its corners apart by lightness."""

_MOST_COMPARED_PX = 20_000


def percentile_range(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """The values below which ``low`` and ``high`` percent of a map's pixels lie; rising.

    Parameters
    ----------
    values : ndarray
        Any shape; pixels that are no numbers do not count.
    low, high : float
        0…100.

    Raises
    ------
    SettingsError
        If the percentiles do not rise or leave 0…100.
    """
    if not 0.0 <= low < high <= 100.0:
        raise SettingsError(
            f"a range from the {low:g}th to the {high:g}th percentile",
            "Choose two percentiles from 0 to 100, the second above the first.",
        )
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    bottom, top = (float(v) for v in np.percentile(finite, (low, high)))
    return bottom, top if top > bottom else bottom + max(abs(bottom), 1.0) * 1e-3


def mix(
    maps: np.ndarray,
    ranges: tuple[tuple[float, float], ...],
    colours: tuple[tuple[int, int, int], ...] = RED_GREEN_BLUE,
) -> np.ndarray:
    """One picture of three maps.

    Parameters
    ----------
    maps : ndarray, shape (3, y, x)
        Pixels that are no numbers count as dark.
    ranges : three of (low, high)
        Where each map is dark, and where it shines in full.
    colours : three of (red, green, blue), 0…255

    Returns
    -------
    ndarray, uint8, shape (y, x, 3)

    Raises
    ------
    SettingsError
        If there are not three of each, or a range does not rise.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or not len(maps) == len(ranges) == len(colours) == 3:
        raise SettingsError(
            f"maps of shape {maps.shape} with {len(ranges)} ranges and {len(colours)} colours",
            "A mix takes three maps of the same pixels, each with a range and a colour.",
        )
    picture = np.zeros((*maps.shape[1:], 3), np.float32)
    for values, (low, high), colour in zip(maps, ranges, colours, strict=True):
        if not high > low:
            raise SettingsError(
                f"a range from {low:g} to {high:g}", "Its second value must be larger."
            )
        share = np.clip((values - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
        picture += np.nan_to_num(share, nan=0.0)[..., None] * np.asarray(colour, np.float32)
    return np.minimum(picture + 0.5, 255.0).astype(np.uint8)


def most_different(maps: np.ndarray) -> tuple[int, int, int]:
    """Which three of several maps make the most colourful mix, in rising order.

    Those that span the largest volume, each scaled from zero to its brightest pixels and counted
    the less the evener it is: an even map only tints, and one like another adds nothing. Every
    pixel is held against its neighbour instead of itself, for noise does not repeat there.

    Parameters
    ----------
    maps : ndarray, shape (map, y, x), at least three
        A pixel a region: of an averaged region all pixels would be alike, noise and all.

    Raises
    ------
    SettingsError
        If there are fewer than three.
    """
    if len(maps) < 3:
        raise SettingsError(f"a mix of {len(maps)} maps", "It takes three.")
    own, beside = _neighbours(np.asarray(maps))
    for mine, next_to_it in zip(own, beside, strict=True):
        top = max(percentile_range(mine, 0.0, 99.0)[1], 1e-12)
        for values in (mine, next_to_it):
            values[:] = np.nan_to_num(np.clip(values / top, 0.0, 1.0), nan=0.0)
    overlap = own @ beside.T / own.shape[1]
    overlap = 0.5 * (overlap + overlap.T)
    varied = np.maximum(np.diag(overlap) - own.mean(axis=1) * beside.mean(axis=1), 0.0)

    def volume(three: tuple[int, int, int]) -> float:
        return float(np.linalg.det(overlap[np.ix_(three, three)]) * varied[list(three)].prod())

    return max(combinations(range(len(maps)), 3), key=volume)


def _neighbours(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each map and those beside them, float64, both (map, pixel); some of a large map.

    Beside along the rows, or down a map of one column.
    """
    height, width = maps.shape[1:]
    down, right = (0, 1) if width > 1 else (int(height > 1), 0)
    rows, columns = height - down, width - right
    y, x = divmod(
        np.arange(0, rows * columns, max(1, rows * columns // _MOST_COMPARED_PX)), columns
    )
    return maps[:, y, x].astype(np.float64), maps[:, y + down, x + right].astype(np.float64)
