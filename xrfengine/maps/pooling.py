"""Regions of k×k pixels: sums of their spectra, and back from regions to pixels.

Regions start at pixel (0, 0); the last row and column of regions are smaller where k does not
divide the image.
"""

from __future__ import annotations

import itertools
import operator
from dataclasses import dataclass

import numpy as np

from xrfengine.errors import SettingsError


def region_side(region_px: int) -> int:
    """``region_px`` as an int ≥ 1.

    Raises
    ------
    SettingsError
        If it is no whole number or below 1.
    """
    try:
        side = operator.index(region_px)
    except TypeError:
        side = 0
    if side < 1:
        raise SettingsError(
            f"a region size of {region_px!r} pixels makes no sense", "Give a whole number from 1."
        )
    return side


def block_grid(shape_yx: tuple[int, int], region_px: int) -> tuple[int, int]:
    """Number of regions (rows, columns) that cover an image of ``shape_yx`` pixels."""
    k = region_side(region_px)
    height, width = shape_yx
    return -(-height // k), -(-width // k)


def block_sizes(shape_yx: tuple[int, int], region_px: int) -> np.ndarray:
    """Pixels of each region, int64, shape (by, bx): k² but at the lower and right border."""
    k = region_side(region_px)
    by, bx = block_grid(shape_yx, k)
    rows = np.minimum(k, shape_yx[0] - k * np.arange(by))
    columns = np.minimum(k, shape_yx[1] - k * np.arange(bx))
    return np.outer(rows, columns)


def sum_dtype(dtype: np.dtype, region_px: int) -> np.dtype:
    """The type that holds the sum of k×k counts of ``dtype`` without overflow.

    Integers stay integers (32 bits where they suffice, else 64), floats become float64. A single
    pixel keeps its type.
    """
    k = region_side(region_px)
    dtype = np.dtype(dtype)
    if k == 1:
        return dtype
    if dtype.kind == "f":
        return np.dtype(np.float64)
    if dtype.kind == "b":
        return np.dtype(np.uint32)
    most = int(np.iinfo(dtype).max) * k * k
    narrow, wide = (np.int32, np.int64) if dtype.kind == "i" else (np.uint32, np.uint64)
    return np.dtype(narrow if most <= np.iinfo(narrow).max else wide)


def block_sums(counts: np.ndarray, region_px: int, rows: slice | None = None) -> np.ndarray:
    """Sums of the spectra of k×k regions.

    Parameters
    ----------
    counts : ndarray, shape (y, x, channel)
        Any numeric type; never changed.
    region_px : int
        Side of a region in pixels, k ≥ 1.
    rows : slice or None
        Rows **of regions** to compute, such as one of ``chunks(by, size)``; None for all.

    Returns
    -------
    ndarray, shape (by, bx, channel)
        Type: :func:`sum_dtype`. For k = 1 a view of ``counts``. The sums of a region do not
        depend on ``rows``, to the last bit.
    """
    k = region_side(region_px)
    by, bx = block_grid(counts.shape[:2], k)
    wanted = range(by)[rows if rows is not None else slice(None)]
    if k == 1:
        return counts[rows if rows is not None else slice(None)]
    dtype = sum_dtype(counts.dtype, k)
    first_columns = np.arange(0, counts.shape[1], k)
    sums = np.empty((len(wanted), bx, counts.shape[2]), dtype=dtype)
    for out, row in zip(sums, wanted, strict=True):
        band = counts[row * k : (row + 1) * k].sum(axis=0, dtype=dtype)
        np.add.reduceat(band, first_columns, axis=0, out=out)
    return sums


def expand(values: np.ndarray, region_px: int, shape_yx: tuple[int, int]) -> np.ndarray:
    """Fill every pixel with the value of its region.

    Parameters
    ----------
    values : ndarray, shape (…, by, bx)
    region_px : int
        Side of a region in pixels, k ≥ 1.
    shape_yx : tuple of int
        Height and width of the image in pixels.

    Returns
    -------
    ndarray, shape (…, y, x)
        A new array of the same type.

    Raises
    ------
    SettingsError
        If ``values`` has not the number of regions that cover the image.
    """
    k = region_side(region_px)
    grid = block_grid(shape_yx, k)
    if values.shape[-2:] != grid:
        raise SettingsError(
            f"values of shape {values.shape} do not fit {grid[0]}×{grid[1]} regions "
            f"of {k}×{k} pixels",
            f"An image of {shape_yx[0]}×{shape_yx[1]} pixels needs one value a region.",
        )
    height, width = shape_yx
    out = np.empty((*values.shape[:-2], height, width), dtype=values.dtype)
    wide = np.repeat(values, k, axis=-1)[..., :width]
    for row in range(min(k, height)):
        out[..., row::k, :] = wide[..., : -(-(height - row) // k), :]
    return out


@dataclass(frozen=True)
class Piece:
    """A rectangle of regions that is worked on at once; places count regions."""

    rows: slice
    columns: slice

    @property
    def n_regions(self) -> int:
        return (self.rows.stop - self.rows.start) * (self.columns.stop - self.columns.start)

    def pixels(self, region_px: int, shape_yx: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of the image that its regions cover."""
        k, (height, width) = region_px, shape_yx
        return (
            slice(self.rows.start * k, min(self.rows.stop * k, height)),
            slice(self.columns.start * k, min(self.columns.stop * k, width)),
        )


def pieces(
    shape_yx: tuple[int, int],
    region_px: int,
    most: int,
    visible: tuple[int, int, int, int] | None = None,
) -> list[Piece]:
    """Cover an image's regions with pieces, in the order they should be computed.

    Parameters
    ----------
    shape_yx : tuple of int
        Height and width of the image in pixels.
    region_px : int
        Side of a region in pixels, k ≥ 1.
    most : int, ≥ 1
        Regions a piece may hold; rows are cut evenly where they hold more.
    visible : (y0, y1, x0, x1) or None
        Pixels on screen, ends excluded. Pieces that touch them come first, then those nearest to
        them. None: from the top. The pieces themselves do not depend on it.

    Returns
    -------
    list of Piece
        Each region is in exactly one.
    """
    k = region_side(region_px)
    by, bx = block_grid(shape_yx, k)
    high = max(1, most // bx)
    cuts = -(-bx // max(most, 1))
    ends = [bx * cut // cuts for cut in range(cuts + 1)]
    plan = [
        Piece(slice(top, min(top + high, by)), slice(left, right))
        for top in range(0, by, high)
        for left, right in itertools.pairwise(ends)
    ]
    if visible is None:
        return plan
    y0, y1, x0, x1 = visible

    def distance(piece: Piece) -> int:
        """Pixels between the piece and what is visible, along the longer way."""
        rows, columns = piece.pixels(k, shape_yx)
        down = max(y0 - rows.stop + 1, rows.start - y1 + 1, 0)
        aside = max(x0 - columns.stop + 1, columns.start - x1 + 1, 0)
        return max(down, aside)

    return sorted(plan, key=distance)
