"""Regions as GeoJSON polygons along the edges of their pixels, with what was found in them."""

from __future__ import annotations

import json
from typing import Any

from xrfengine.errors import SettingsError
from xrfengine.export.analysis import Analysis, Area
from xrfengine.region_outlines import to_geojson
from xrfengine.regions import Region


def regions_geojson(analysis: Analysis) -> bytes:
    """A feature a region, with name, colour, pixels, area and elements; UTF-8.

    Coordinates are pixels of the scan (x to the right, y downwards, centres at whole numbers),
    not places on Earth: the file says so. :func:`xrfengine.region_outlines.from_geojson` reads it.

    Raises
    ------
    SettingsError
        If there is no region.
    """
    if not analysis.areas:
        raise SettingsError("there is no region to write", "Select some pixels first.")
    areas = {f"region-{n}": area for n, area in enumerate(analysis.areas, 1)}
    collection = to_geojson(
        [Region.of_mask(area.mask, id, area.name, area.colour) for id, area in areas.items()],
        analysis.cube.shape[:2],
        pixel_size_mm=analysis.provenance.pixel_size_mm,
        properties={id: _told(analysis, area) for id, area in areas.items()},
    )
    collection["provenance"] = analysis.provenance.to_dict()
    return json.dumps(collection, ensure_ascii=False).encode()


def _told(analysis: Analysis, area: Area) -> dict[str, Any]:
    return {
        "area_mm2": analysis.area_mm2(area.n_pixels),
        "elements": [
            {"symbol": item.symbol, "probability": round(item.probability, 4)}
            for item in area.present()
        ],
    }
