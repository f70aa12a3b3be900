"""Regions as GeoJSON polygons along the edges of their pixels."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.export.analysis import Analysis, Area

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""East, south, west, north, with y downwards."""


def regions_geojson(analysis: Analysis) -> bytes:
    """A feature a region, with name, colour, pixels, area and elements; UTF-8.

    Coordinates are pixels of the scan (x to the right, y downwards, centres at whole numbers),
    not places on Earth: the file says so.

    Raises
    ------
    SettingsError
        If there is no region.
    """
    if not analysis.areas:
        raise SettingsError("there is no region to write", "Select some pixels first.")
    facts = analysis.provenance.to_dict()
    collection = {
        "type": "FeatureCollection",
        "coordinates": "pixels: x to the right, y downwards, pixel centres at whole numbers",
        "provenance": facts,
        "features": [_feature(analysis, area) for area in analysis.areas],
    }
    return json.dumps(collection, ensure_ascii=False).encode()


def _feature(analysis: Analysis, area: Area) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "name": area.name,
        "color": area.colour,
        "n_pixels": area.n_pixels,
        "area_mm2": analysis.area_mm2(area.n_pixels),
        "elements": [
            {"symbol": item.symbol, "probability": round(item.probability, 4)}
            for item in area.present()
        ],
    }
    polygons = [[ring.tolist() for ring in rings] for rings in pixel_polygons(area.mask)]
    geometry = {"type": "MultiPolygon", "coordinates": polygons}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def pixel_polygons(mask: np.ndarray) -> list[list[np.ndarray]]:
    """The polygons whose inside is exactly the True pixels.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)

    Returns
    -------
    list of list of ndarray, shape (vertex, 2)
        Of each polygon the outer ring, then its holes; (x, y), closed: the last vertex is the
        first. Outer rings have a positive signed area in these coordinates, holes a negative one.
        Pixels that touch at a corner only are polygons of their own.
    """
    rings = _rings(np.pad(np.asarray(mask, dtype=bool), 1))
    outer = [ring for ring in rings if _signed_area(ring) > 0]
    polygons = [[ring] for ring in outer]
    boxes = np.array([[*ring.min(axis=0), *ring.max(axis=0)] for ring in outer])
    areas = np.array([_signed_area(ring) for ring in outer])
    for hole in (ring for ring in rings if _signed_area(ring) < 0):
        # A point just inside the region beside the hole's first edge; no ring passes through it.
        point = _beside(hole)
        near = np.flatnonzero(
            (boxes[:, :2] < point).all(axis=1) & (boxes[:, 2:] > point).all(axis=1)
        )
        for place in near[np.argsort(areas[near])]:
            if _holds(outer[place], point):
                polygons[place].append(hole)
                break
    return polygons


def _rings(padded: np.ndarray) -> list[np.ndarray]:
    """Closed rings around the True pixels, these to the right of the way round."""
    above, below = padded[:-1, :], padded[1:, :]
    left, right = padded[:, :-1], padded[:, 1:]
    # Directed edges between corners, by the corner they start from: at most two leave a corner.
    starts: dict[tuple[int, int], list[int]] = {}
    for found, direction, shift in (
        (~above & below, 0, (0, 0)),
        (left & ~right, 1, (0, 0)),
        (above & ~below, 2, (1, 0)),
        (~left & right, 3, (0, 1)),
    ):
        rows, columns = np.nonzero(found)
        if direction in (0, 2):
            xs, ys = columns + shift[0], rows + 1
        else:
            xs, ys = columns + 1, rows + shift[1]
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
            starts.setdefault((x, y), []).append(direction)
    rings = []
    while starts:
        corner = next(iter(starts))
        direction = starts[corner].pop()
        if not starts[corner]:
            del starts[corner]
        begin, vertices, x, y = corner, [corner], *corner
        while True:
            x, y = x + _STEPS[direction][0], y + _STEPS[direction][1]
            if (x, y) == begin:
                break
            ways = starts[x, y]
            # At a corner of two pixels that touch: turn to the right, and stay with one of them.
            onward = (direction + 1) % 4 if (direction + 1) % 4 in ways else ways[0]
            ways.remove(onward)
            if not ways:
                del starts[x, y]
            if onward != direction:
                vertices.append((x, y))
            direction = onward
        ring = np.array([*vertices, begin], dtype=np.float64)
        rings.append(ring - 1.5)  # of the padding, and to pixel centres at whole numbers
    return rings


def _signed_area(ring: np.ndarray) -> float:
    x, y = ring.T
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def _beside(ring: np.ndarray) -> np.ndarray:
    """A point a quarter of a pixel to the right of the first edge's beginning."""
    (x0, y0), (x1, y1) = ring[:2]
    dx, dy = np.sign(x1 - x0), np.sign(y1 - y0)
    return np.array([x0 + 0.25 * dx - 0.25 * dy, y0 + 0.25 * dy + 0.25 * dx])


def _holds(ring: np.ndarray, point: np.ndarray) -> bool:
    """Whether a point lies inside a ring, by the even-odd rule."""
    x, y = ring.T
    crosses = (y[:-1] > point[1]) != (y[1:] > point[1])
    xs = x[:-1][crosses]  # edges that cross a level are upright: both ends have the same x
    return bool(np.count_nonzero(xs > point[0]) % 2)
