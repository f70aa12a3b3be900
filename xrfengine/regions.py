"""Regions of a scan: geometry to pixels, pixels to a spectrum.

A pixel belongs to a polygon when its *centre* lies inside; centres are at whole numbers, so the
pixel in column 3, row 2 is the point (3.0, 2.0) and covers 2.5…3.5 by 1.5…2.5.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xrfengine.cube import Cube, Spectrum
from xrfengine.errors import SettingsError

Shape = Literal["box", "polygon", "labels"]

OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
"""Region colours in fixed order, distinguishable with every kind of colour vision
(Okabe & Ito, Color Universal Design, 2008)."""


@dataclass(frozen=True)
class Region:
    """A named set of pixels, by its geometry in data coordinates.

    Attributes
    ----------
    shape : {"box", "polygon", "labels"}
    geometry : tuple
        ``box``: (x0, y0, x1, y1); ``polygon``: ((x, y), …), closed by itself; ``labels``:
        the pixels as runs (start, length, start, length, …) over the flattened image.
    """

    id: str
    name: str
    colour: str
    shape: Shape
    geometry: tuple

    def mask(self, shape_yx: tuple[int, int]) -> np.ndarray:
        """The region's pixels, bool, shape (y, x)."""
        if self.shape == "box":
            return box_mask(*self.geometry, shape_yx=shape_yx)
        if self.shape == "polygon":
            return polygon_mask(np.asarray(self.geometry, dtype=np.float64), shape_yx)
        return _mask_of_runs(self.geometry, shape_yx)

    @classmethod
    def of_mask(cls, mask: np.ndarray, id: str, name: str, colour: str) -> Region:
        """A region of any pixels, such as a cluster; shape (y, x)."""
        flat = np.concatenate([[False], np.asarray(mask, dtype=bool).ravel(), [False]])
        turns = np.flatnonzero(np.diff(flat.astype(np.int8)))
        starts, stops = turns[::2], turns[1::2]
        runs = np.stack([starts, stops - starts], axis=1).ravel()
        return cls(id, name, colour, "labels", tuple(int(v) for v in runs))

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Region:
        """The region behind :meth:`to_dict`, also after a trip through JSON."""
        try:
            shape, geometry = state["shape"], state["geometry"]
            if shape == "polygon":
                geometry = tuple((float(x), float(y)) for x, y in geometry)
            elif shape == "box":
                x0, y0, x1, y1 = (float(v) for v in geometry)
                geometry = (x0, y0, x1, y1)
            elif shape == "labels":
                geometry = tuple(int(v) for v in geometry)
            else:
                raise ValueError(shape)
            return cls(str(state["id"]), str(state["name"]), str(state["colour"]), shape, geometry)
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError(
                f"a saved region cannot be read ({error})", "Draw the region anew."
            ) from None


def box_mask(x0: float, y0: float, x1: float, y1: float, shape_yx: tuple[int, int]) -> np.ndarray:
    """Pixels whose centres lie in the box, limits included; bool, shape (y, x)."""
    height, width = shape_yx
    x, y = np.arange(width), np.arange(height)
    inside_x = (x >= min(x0, x1)) & (x <= max(x0, x1))
    inside_y = (y >= min(y0, y1)) & (y <= max(y0, y1))
    return inside_y[:, None] & inside_x[None, :]


def polygon_mask(vertices_xy: np.ndarray, shape_yx: tuple[int, int]) -> np.ndarray:
    """Pixels whose centres lie inside a polygon, by the even-odd rule.

    Every edge toggles, in each row whose centre line it crosses, all pixels to the right of the
    crossing: exact, and in time proportional to the rows crossed, not to the area times the
    number of vertices. Drawing libraries round vertices to pixels, which shifts borders.

    Parameters
    ----------
    vertices_xy : ndarray, shape (vertex, 2)
        Columns x and y in pixels; the last vertex joins the first.
    shape_yx : (int, int)

    Returns
    -------
    ndarray of bool, shape (y, x)
        All False for fewer than three vertices.
    """
    vertices = np.asarray(vertices_xy, dtype=np.float64)
    height, width = shape_yx
    if vertices.ndim != 2 or vertices.shape[1] != 2 or not np.isfinite(vertices).all():
        raise SettingsError(
            f"a polygon needs finite (x, y) pairs, got an array of shape {vertices.shape}"
        )
    toggles = np.zeros((height, width + 1), dtype=np.int32)
    if len(vertices) >= 3:
        following = np.roll(vertices, -1, axis=0)
        # Every edge is walked upwards, so that neighbours that share it round alike.
        upward = (vertices[:, 1] <= following[:, 1])[:, None]
        start, stop = np.where(upward, vertices, following), np.where(upward, following, vertices)
        # Half-open rows [start, stop): a vertex on a centre line counts for one edge only.
        first = np.clip(np.ceil(start[:, 1]), 0, height).astype(np.int64)
        last = np.clip(np.ceil(stop[:, 1]), 0, height).astype(np.int64)
        n_rows = last - first
        edge = np.repeat(np.arange(len(vertices)), n_rows)
        row = first[edge] + np.arange(edge.size) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
        (x0, y0), (x1, y1) = start[edge].T, stop[edge].T
        crossing = x0 + (row - y0) / (y1 - y0) * (x1 - x0)
        column = np.clip(np.ceil(crossing), 0, width).astype(np.int64)
        np.add.at(toggles, (row, column), 1)
    return (np.cumsum(toggles[:, :width], axis=1) & 1).astype(bool)


def checked_mask(cube: Cube, mask: np.ndarray) -> np.ndarray:
    """The mask as bool, shape (y, x).

    Raises
    ------
    SettingsError
        If it does not fit the cube or holds no pixel.
    """
    mask = np.asarray(mask, dtype=bool)
    if mask.shape != cube.shape[:2]:
        raise SettingsError(
            f"the region was drawn on {mask.shape[0]}×{mask.shape[1]} pixels, "
            f"the scan has {cube.shape[0]}×{cube.shape[1]}",
            "Draw it anew on this scan.",
        )
    if not mask.any():
        raise SettingsError(
            "the selection holds no pixel", "Draw it around the centre of at least one pixel."
        )
    return mask


def region_spectrum(cube: Cube, mask: np.ndarray, name: str = "selection") -> Spectrum:
    """Sum spectrum of the masked pixels; counts float64.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)

    Raises
    ------
    SettingsError
        If the mask does not fit the cube or holds no pixel.
    """
    mask = checked_mask(cube, mask)
    n_pixels = int(np.count_nonzero(mask))
    total = np.zeros(cube.shape[2])
    for row in np.flatnonzero(mask.any(axis=1)):
        columns = np.flatnonzero(mask[row])
        counts = cube.counts[row]
        # A run of neighbours is a view; picking single pixels would copy them first.
        if columns.size == columns[-1] - columns[0] + 1:
            total += counts[columns[0] : columns[-1] + 1].sum(axis=0, dtype=np.float64)
        else:
            total += counts[columns].sum(axis=0, dtype=np.float64)
    return cube.spectrum(total, name, n_pixels)


def _mask_of_runs(runs: tuple, shape_yx: tuple[int, int]) -> np.ndarray:
    flat = np.zeros(shape_yx[0] * shape_yx[1], dtype=bool)
    for start, length in zip(runs[::2], runs[1::2], strict=True):
        flat[start : start + length] = True
    return flat.reshape(shape_yx)
