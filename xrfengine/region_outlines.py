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

_RIGHT, _DOWN, _LEFT, _UP = range(4)
_STEPS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
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
    for hole in holes:
        low, high = hole.min(axis=0), hole.max(axis=0)
        around = (boxes[:, :2] <= low).all(axis=1) & (boxes[:, 2:] >= high).all(axis=1)
        owners = [int(n) for n in np.flatnonzero(around) if _holds(outer[n], hole)]
        # Islands in a hole have holes, too: the smallest ring around is the owner.
        result[min(owners, key=lambda n: _area(outer[n]))].append(hole)
    return tuple(tuple(rings) for rings in result)


def _rings(mask: np.ndarray) -> list[np.ndarray]:
    """Closed rings with the mask's pixels at the right hand, y down; float64 (vertex, 2)."""
    height, width = mask.shape
    padded = np.pad(mask, 1)
    inside, above, before = padded[1:, 1:], padded[:-1, 1:], padded[1:, :-1]
    # Edges that leave each corner of the grid of pixels, by their direction.
    leaves = np.zeros((height + 1, width + 1, 4), dtype=bool)
    leaves[:, :, _RIGHT] = inside & ~above
    leaves[:, 1:, _LEFT] = (~inside & above)[:, :-1]
    leaves[:, :, _UP][1:] = (inside & ~before)[:-1]
    leaves[:, :, _DOWN] = ~inside & before
    left = {(int(y), int(x)): [] for y, x in np.argwhere(leaves.any(axis=2))}
    for y, x, direction in np.argwhere(leaves):
        left[int(y), int(x)].append(int(direction))
    rings = []
    for start in list(left):
        while left[start]:
            rings.append(_walk(left, start))
    return rings


def _walk(left: dict[tuple[int, int], list[int]], start: tuple[int, int]) -> np.ndarray:
    """Follow the edges from a corner until it is reached again, and use them up."""
    at, came, corners = start, left[start][0], []
    first = came
    while True:
        # At a corner where two pixels touch, the turn to the right stays with the same pixel.
        turns = [(came + turn) % 4 for turn in (1, 0, 3)] if corners else [first]
        direction = next(d for d in turns if d in left[at])
        if not corners or direction != came:
            corners.append((at[1] - 0.5, at[0] - 0.5))
        left[at].remove(direction)
        dx, dy = _STEPS[direction].tolist()
        at, came = (at[0] + dy, at[1] + dx), direction
        if at == start and (first not in left[at]) and not _goes_on(left[at], came):
            break
    if came == first:
        corners = corners[1:]  # the walk began within a straight edge
    return np.array([*corners, corners[0]])


def _goes_on(edges: list[int], came: int) -> bool:
    """Whether the ring passes its first corner once more, where two of its pixels touch."""
    return (came + 1) % 4 in edges


def _area(ring: np.ndarray) -> float:
    """Signed area; positive for counterclockwise with x to the right and y up."""
    x, y = ring[:-1].T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def _holds(ring: np.ndarray, hole: np.ndarray) -> bool:
    """Whether a point just inside the hole's first corner lies in a ring; even-odd rule."""
    # The middle of the first edge, half a pixel into the hole's empty side.
    (x0, y0), (x1, y1) = hole[0], hole[1]
    length = math.hypot(x1 - x0, y1 - y0)
    x = (x0 + x1) / 2 + (y1 - y0) / length * 0.25
    y = (y0 + y1) / 2 - (x1 - x0) / length * 0.25
    (ax, ay), (bx, by) = ring[:-1].T, ring[1:].T
    crosses = (ay > y) != (by > y)
    at = ax[crosses] + (y - ay[crosses]) / (by[crosses] - ay[crosses]) * (bx - ax)[crosses]
    return bool(np.count_nonzero(at > x) % 2)


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
