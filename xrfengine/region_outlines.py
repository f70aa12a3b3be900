"""Regions as outlines: polygons with holes along the edges of pixels, and GeoJSON there and back.

GeoJSON is what drawing programs, geographic information systems and other scanners' software read;
the geometry follows RFC 7946, in a plane instead of on the globe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.regions import Region, polygon_mask, region_colour, runs_of

Unit = Literal["px", "mm"]
Polygon = tuple[np.ndarray, ...]
"""The outer ring and the rings of the holes; each float64 (vertex, 2) with columns x and y."""

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Right, down, left, up."""
_TOLD = {
    "px": "pixels; pixel centres at whole numbers, x to the right, y down",
    "mm": "mm from the upper left corner of the scan, x to the right, y down",
}


def polygons(mask: np.ndarray) -> tuple[Polygon, ...]:
    """The outline of a mask along the edges of its pixels.

    Pixels that only touch at a corner belong to different polygons.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)

    Returns
    -------
    tuple of tuple of ndarray
        By rows of their upper left corners: of each polygon the outer ring, then its holes, in
        pixels with centres at whole numbers. Rings are closed (the last vertex is the first),
        outer ones counterclockwise and holes clockwise as numbers (positive and negative area).
    """
    outer, holes = [], []
    for ring in _rings(np.asarray(mask, dtype=bool)):
        (outer if _area(ring) > 0 else holes).append(ring)
    outer.sort(key=lambda ring: (ring[:, 1].min(), ring[:, 0].min()))
    result: list[list[np.ndarray]] = [[ring] for ring in outer]
    boxes = np.array([[*ring.min(axis=0), *ring.max(axis=0)] for ring in outer]).reshape(-1, 4)
    areas = np.array([_area(ring) for ring in outer])
    for hole in holes:
        x, y = _beside(hole)
        around = (boxes[:, :2] < (x, y)).all(axis=1) & (boxes[:, 2:] > (x, y)).all(axis=1)
        near = np.flatnonzero(around)
        # Islands in a hole have holes, too: the smallest ring around is the owner.
        owner = next(n for n in near[np.argsort(areas[near])] if _holds(outer[n], x, y))
        result[owner].append(hole)
    return tuple(tuple(rings) for rings in result)


def _rings(mask: np.ndarray) -> list[np.ndarray]:
    """Closed rings with the mask's pixels at the right hand, y down; float64 (vertex, 2)."""
    padded = np.pad(mask, 1)
    above, below, left, right = padded[:-1], padded[1:], padded[:, :-1], padded[:, 1:]
    # Edges that leave each corner of the grid of pixels, by their direction: at most two.
    leaving: dict[tuple[int, int], list[int]] = {}
    for direction, (edges, dx, dy) in enumerate(
        (
            (~above & below, 0, 1),
            (left & ~right, 1, 0),
            (above & ~below, 1, 1),
            (~left & right, 1, 1),
        )
    ):
        rows, columns = np.nonzero(edges)
        for corner in zip((columns + dx).tolist(), (rows + dy).tolist(), strict=True):
            leaving.setdefault(corner, []).append(direction)
    rings = []
    while leaving:
        corners = _walk(leaving, next(iter(leaving)))
        rings.append(np.array(corners, dtype=np.float64) - 1.5)  # less the padding and half a pixel
    return rings


def _walk(
    leaving: dict[tuple[int, int], list[int]], start: tuple[int, int]
) -> list[tuple[int, int]]:
    """Follow the edges from a corner until it is reached again, and use them up."""
    direction = _use(leaving, start, leaving[start][-1])
    (x, y), corners = start, [start]
    while True:
        dx, dy = _STEPS[direction]
        x, y = x + dx, y + dy
        if (x, y) == start:
            return [*corners, start]
        ways, right = leaving[x, y], (direction + 1) % 4
        # At a corner where two pixels touch, the turn to the right stays with the same pixel.
        onward = _use(leaving, (x, y), right if right in ways else ways[0])
        if onward != direction:
            corners.append((x, y))
        direction = onward


def _use(leaving: dict[tuple[int, int], list[int]], corner: tuple[int, int], way: int) -> int:
    leaving[corner].remove(way)
    if not leaving[corner]:
        del leaving[corner]
    return way


def _area(ring: np.ndarray) -> float:
    """Signed area; positive for counterclockwise with x to the right and y up."""
    x, y = ring.T
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def _beside(hole: np.ndarray) -> tuple[float, float]:
    """A point in the region beside the first edge of its hole; no ring passes through it."""
    (x0, y0), (x1, y1) = hole[:2]
    dx, dy = np.sign(x1 - x0), np.sign(y1 - y0)
    return x0 + 0.25 * (dx - dy), y0 + 0.25 * (dy + dx)


def _holds(ring: np.ndarray, x: float, y: float) -> bool:
    """Whether a point off its edges lies inside a ring, by the even-odd rule."""
    xs, ys = ring.T
    crosses = (ys[:-1] > y) != (ys[1:] > y)  # such edges are upright: both ends have the same x
    return bool(np.count_nonzero(xs[:-1][crosses] > x) % 2)


def to_geojson(
    regions: Sequence[Region],
    shape_yx: tuple[int, int],
    *,
    unit: Unit = "px",
    pixel_size_mm: float | None = None,
    properties: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Regions as a GeoJSON FeatureCollection; ``json.dumps`` writes it.

    Parameters
    ----------
    regions : sequence of Region
    shape_yx : (int, int)
        Of the scan, in pixels.
    unit : {"px", "mm"}
        Pixels have their centres at whole numbers; mm count from the upper left corner of the
        scan. In both y points down.
    pixel_size_mm : float or None
        Distance of pixels; needed for mm.
    properties : mapping or None
        Of each region by its id, added to name, colour and number of pixels.

    Raises
    ------
    SettingsError
        If mm are asked for and the pixel's size is not known.
    """
    if unit == "mm" and not (pixel_size_mm and 0 < pixel_size_mm < math.inf):
        raise SettingsError(
            "the pixel's size is not known, so the regions cannot be written in mm",
            "Enter the pixel's size, or write pixels.",
        )
    features = []
    for region in regions:
        mask = region.mask(shape_yx)
        rings = [[_placed(ring, unit, pixel_size_mm) for ring in p] for p in polygons(mask)]
        features.append(
            {
                "type": "Feature",
                "id": region.id,
                "properties": {
                    "name": region.name,
                    "colour": region.colour,
                    "pixels": int(np.count_nonzero(mask)),
                    **(properties or {}).get(region.id, {}),
                },
                "geometry": {"type": "MultiPolygon", "coordinates": rings},
            }
        )
    facts = {"unit": unit, "coordinates": _TOLD[unit], "scan_pixels": list(shape_yx[::-1])}
    if pixel_size_mm:
        facts["pixel_size_mm"] = pixel_size_mm
    return {"type": "FeatureCollection", "xrfengine": facts, "features": features}


def _placed(ring: np.ndarray, unit: Unit, pixel_size_mm: float | None) -> list[list[float]]:
    if unit == "mm":
        ring = ((ring + 0.5) * pixel_size_mm).round(6)
    return ring.tolist()


def from_geojson(
    state: Any, shape_yx: tuple[int, int], *, pixel_size_mm: float | None = None
) -> tuple[Region, ...]:
    """Regions of a GeoJSON object, of :func:`to_geojson` or of another program.

    Polygons and MultiPolygons are taken, other geometries left out. Pixels belong to a region when
    their centre lies inside.

    Parameters
    ----------
    state : dict
        A FeatureCollection or a Feature. Without the member ``xrfengine`` it is read as pixels.
    shape_yx : (int, int)
        Of the scan they are for.
    pixel_size_mm : float or None
        Of that scan, for a file in mm; None takes the one that the file names.

    Raises
    ------
    SettingsError
        If it is no GeoJSON, holds no polygon, or none of a region's pixels is on the scan.
    """
    if not isinstance(state, Mapping) or state.get("type") not in ("FeatureCollection", "Feature"):
        raise SettingsError(
            "this is no GeoJSON with regions", "It should hold a FeatureCollection of polygons."
        )
    features = state.get("features") if state["type"] == "FeatureCollection" else [state]
    facts = state.get("xrfengine")
    facts = facts if isinstance(facts, Mapping) else {}
    scale, shift = 1.0, 0.0
    if facts.get("unit") == "mm":
        size = pixel_size_mm or facts.get("pixel_size_mm")
        if not isinstance(size, int | float) or not 0 < size < math.inf:
            raise SettingsError(
                "the regions are in mm, and the pixel's size is not known",
                "Enter the pixel's size of this scan.",
            )
        scale, shift = 1.0 / size, -0.5
    regions = []
    for feature in features if isinstance(features, list) else []:
        rings = _rings_of(feature)
        if not rings:
            continue
        mask = np.zeros(shape_yx, dtype=bool)
        for ring in rings:  # a hole toggles what its polygon holds
            mask ^= polygon_mask(ring * scale + shift, shape_yx)
        told = feature.get("properties")
        told = told if isinstance(told, Mapping) else {}
        name = str(told.get("name") or f"Region {len(regions) + 1}")
        if not mask.any():
            raise SettingsError(
                f"“{name}” lies beside the scan of {shape_yx[1]}×{shape_yx[0]} pixels",
                "Choose the file that belongs to this scan.",
            )
        held = {
            "id": str(feature.get("id") or f"region-{len(regions) + 1}"), "name": name,
            "colour": told.get("colour", ""), "shape": "labels", "geometry": runs_of(mask),
        }  # fmt: skip
        try:
            regions.append(Region.from_dict(held))
        except SettingsError:  # another program's colour, or none
            regions.append(Region.from_dict({**held, "colour": region_colour(len(regions))}))
    if not regions:
        raise SettingsError(
            "the GeoJSON holds no polygon",
            "Draw regions as polygons; points and lines have no area.",
        )
    return tuple(regions)


def _rings_of(feature: Any) -> list[np.ndarray]:
    """All rings of a feature's polygons, (vertex, 2); empty for other geometries."""
    geometry = feature.get("geometry") if isinstance(feature, Mapping) else None
    kind = geometry.get("type") if isinstance(geometry, Mapping) else None
    if kind not in ("Polygon", "MultiPolygon"):
        return []
    parts = geometry.get("coordinates")
    try:
        parts = [parts] if kind == "Polygon" else parts
        rings = [np.array([point[:2] for point in ring], float) for p in parts for ring in p]
    except (TypeError, ValueError, IndexError):
        rings = [np.full((1, 1), np.nan)]
    if any(ring.ndim != 2 or ring.shape[1] != 2 or not np.isfinite(ring).all() for ring in rings):
        raise SettingsError("a polygon of the GeoJSON is damaged", "Write the file anew.")
    return rings
