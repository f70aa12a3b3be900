"""A scan's tiles: sums and maxima of 5×5 and 25×25 pixels, made in one pass over the cube.

With them the spectrum of any region costs about as much as its outline: what lies inside is read
from tiles, only the edge pixel by pixel. Sums of 5, 10, 15 … pixels' regions come from the same
tiles, so that a coarse map need not read the cube again.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from xrfengine.cube import Cube
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress
from xrfengine.maps.pooling import block_grid, expand
from xrfengine.regions import checked_mask

SIDES_PX = (5, 25)
"""Sides of the tiles; each a multiple of the one before. Five and ten are the region sizes of the
thesis (3.3.3)."""


@njit(cache=True, nogil=True)
def _add_tiles(counts: Any, side: int, sums: Any, maxima: Any) -> None:
    """Sum and maximum of each tile of a band of rows; counts (y, x, channel)."""
    height, width, n_channels = counts.shape
    for y in range(height):
        for x in range(width):
            total, most = sums[y // side, x // side], maxima[y // side, x // side]
            pixel = counts[y, x]
            for c in range(n_channels):
                total[c] += pixel[c]
                most[c] = max(most[c], pixel[c])


@njit(cache=True, nogil=True)
def _gather(sums: Any, maxima: Any, index: Any, total: Any, most: Any) -> None:
    """Add rows of ``sums`` (n, channel) to a total and raise a maximum to rows of ``maxima``."""
    for i in index:
        add, highest = sums[i], maxima[i]
        for c in range(total.size):
            total[c] += add[c]
            most[c] = max(most[c], highest[c])


@njit(cache=True, nogil=True)
def _coarser(fine: Any, ratio: int, coarse: Any) -> None:
    """Add up ratio×ratio tiles (y, x, channel)."""
    height, width, n_channels = fine.shape
    for y in range(height):
        for x in range(width):
            add, total = fine[y, x], coarse[y // ratio, x // ratio]
            for c in range(n_channels):
                total[c] += add[c]


@dataclass(frozen=True, eq=False)
class Tiles:
    """Sums and maxima of a cube's spectra over squares of pixels.

    Attributes
    ----------
    shape : (int, int, int)
        Of the cube: y, x, channel.
    sums : tuple of ndarray, shape (tile y, tile x, channel)
        For each of :data:`SIDES_PX`; wide enough not to overflow.
    maxima : tuple of ndarray, same shapes
        Of the cube's type.
    """

    shape: tuple[int, int, int]
    sums: tuple[np.ndarray, ...]
    maxima: tuple[np.ndarray, ...]

    @property
    def nbytes(self) -> int:
        """Memory in bytes: 12 % of a cube of 16-bit counts."""
        return sum(a.nbytes for a in (*self.sums, *self.maxima))


def _sum_type(dtype: np.dtype, side: int) -> np.dtype:
    if dtype.kind == "f":
        return np.dtype(np.float64)
    most = 1 if dtype.kind == "b" else int(np.iinfo(dtype).max)
    if dtype.kind == "i":
        return np.dtype(np.int32 if most * side * side < 2**31 else np.int64)
    return np.dtype(np.uint32 if most * side * side < 2**32 else np.uint64)


def make_tiles(
    cube: Cube, *, progress: Progress = no_progress, cancel: CancelToken = NEVER, threads: int = 2
) -> Tiles:
    """Go once over a cube.

    Parameters
    ----------
    cube : Cube
        Any numeric type; not modified.
    threads : int
        Bands of tiles worked on side by side; the result does not depend on it.

    Raises
    ------
    Cancelled
        Between two bands after ``cancel`` was set.
    """
    counts = cube.counts
    if counts.dtype.kind == "b":
        counts = counts.view(np.uint8)
    height, width, n_channels = counts.shape
    sums, maxima = [], []
    for side in SIDES_PX:
        grid = (-(-height // side), -(-width // side), n_channels)
        sums.append(np.zeros(grid, dtype=_sum_type(counts.dtype, side)))
        lowest = -np.inf if counts.dtype.kind == "f" else np.iinfo(counts.dtype).min
        maxima.append(np.full(grid, lowest, dtype=counts.dtype))
    small, large = SIDES_PX
    ratio = large // small
    every = np.arange(0, sums[0].shape[1], ratio)

    def band(rows: slice) -> None:
        """One row of large tiles."""
        cancel.check()
        for tile in range(rows.start, rows.stop):
            _add_tiles(
                counts[tile * small : (tile + 1) * small],
                small,
                sums[0][tile : tile + 1],
                maxima[0][tile : tile + 1],
            )
        place = rows.start // ratio
        _coarser(sums[0][rows], ratio, sums[1][place : place + 1])
        np.maximum.reduceat(maxima[0][rows].max(axis=0), every, axis=0, out=maxima[1][place])

    bands = list(chunks(sums[0].shape[0], ratio))
    with ThreadPoolExecutor(max(threads, 1), thread_name_prefix="tiles") as pool:
        for done, _ in enumerate(pool.map(band, bands)):
            progress((done + 1) / len(bands), "summing tiles")
    for array in (*sums, *maxima):
        array.flags.writeable = False
    return Tiles((height, width, n_channels), tuple(sums), tuple(maxima))


def region_totals(cube: Cube, tiles: Tiles, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and maximum of the spectra of the masked pixels.

    Parameters
    ----------
    cube : Cube
    tiles : Tiles
        Of this cube.
    mask : ndarray of bool, shape (y, x)

    Returns
    -------
    total : ndarray, float64, shape (channel,)
        Exact for whole numbers up to 2⁵³.
    most : ndarray, float64, shape (channel,)
        The largest count of any pixel in each channel.

    Raises
    ------
    SettingsError
        If the mask does not fit the cube or holds no pixel.
    """
    mask = checked_mask(cube, mask)
    counts = cube.counts.view(np.uint8) if cube.counts.dtype.kind == "b" else cube.counts
    n_channels = counts.shape[2]
    pixels = counts.reshape(-1, n_channels)
    layers, rest = [], mask
    for level in reversed(range(len(SIDES_PX))):
        full = _full_tiles(rest, SIDES_PX[level])
        rest = rest & ~expand(full, SIDES_PX[level], mask.shape)
        sums, maxima = (a[level].reshape(-1, n_channels) for a in (tiles.sums, tiles.maxima))
        layers.append((sums, maxima, np.flatnonzero(full)))
    layers.append((pixels, pixels, np.flatnonzero(rest)))

    def half(which: int) -> tuple[np.ndarray, np.ndarray]:
        total, most = np.zeros(n_channels), np.full(n_channels, -np.inf)
        for sums, maxima, index in layers:
            _gather(sums, maxima, np.array_split(index, 2)[which], total, most)
        return total, most

    # Reading is what takes the time: two threads read faster than one.
    other = _pool().submit(half, 1)
    (total, most), (more, higher) = half(0), other.result()
    return total + more, np.maximum(most, higher)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, thread_name_prefix="tiles")


def _full_tiles(mask: np.ndarray, side: int) -> np.ndarray:
    """Tiles whose every pixel is in the mask, bool; those at the border have fewer pixels."""
    by_row = np.logical_and.reduceat(mask, np.arange(0, mask.shape[0], side), axis=0)
    return np.logical_and.reduceat(by_row, np.arange(0, mask.shape[1], side), axis=1)


def tile_sums(tiles: Tiles, region_px: int) -> np.ndarray | None:
    """Sums of the spectra of k×k regions if tiles hold them: k = 5, 10, 15 …; else None.

    Returns
    -------
    ndarray, shape (by, bx, channel)
        As :func:`xrfengine.maps.pooling.block_sums` gives; read-only where it is a view.
    """
    side = max((s for s in SIDES_PX if region_px % s == 0), default=None)
    if side is None:
        return None
    sums = tiles.sums[SIDES_PX.index(side)]
    ratio = region_px // side
    if ratio == 1:
        return sums
    wide = {"u": np.uint64, "i": np.int64, "f": np.float64}[sums.dtype.kind]
    grid = block_grid(tiles.shape[:2], region_px)
    coarse = np.zeros((*grid, tiles.shape[2]), dtype=wide)
    _coarser(sums, ratio, coarse)
    return coarse
