"""Regions in a file: what they are, and back from it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xrfengine.cube import Calibration, Cube, ElementMaps
from xrfengine.errors import SettingsError
from xrfengine.export import Analysis, Area, Provenance
from xrfengine.export.geojson import regions_geojson
from xrfengine.findings import Identified
from xrfengine.region_outlines import from_geojson


def view(areas=True) -> Analysis:
    cube = Cube(np.ones((4, 6, 8), np.uint16), Calibration(0.0, 0.1))
    maps = ElementMaps(("Hg",), np.ones((1, 4, 6), np.float32), "probability", source=cube.digest)
    mask = np.zeros((4, 6), bool)
    mask[1, 2:4] = True
    verdicts = (Identified("Hg", 0.9712345, 0.5, True, False),)
    area = Area("Umriss ä", "#009E73", mask, cube.spectrum(np.ones(8), "a", 2), verdicts)
    facts = Provenance("scan", cube.digest, "probability", pixel_size_mm=0.5)
    return Analysis(cube, maps, {"Hg": 0.5}, (), "Hg", facts, areas=(area,) if areas else ())


def test_features_say_what_they_are():
    held = json.loads(regions_geojson(view()))
    assert held["type"] == "FeatureCollection"
    assert held["xrfengine"]["unit"] == "px"
    assert "pixel centres at whole numbers" in held["xrfengine"]["coordinates"]
    assert held["provenance"]["dataset"] == "scan"
    assert held["provenance"]["pixel_size_mm"] == held["xrfengine"]["pixel_size_mm"] == 0.5
    (feature,) = held["features"]
    assert feature["properties"] == {
        "name": "Umriss ä", "colour": "#009E73", "pixels": 2, "area_mm2": 0.5,
        "elements": [{"symbol": "Hg", "probability": 0.9712}],
    }  # fmt: skip
    assert feature["geometry"]["type"] == "MultiPolygon"
    (ring,) = feature["geometry"]["coordinates"][0]
    assert sorted(map(tuple, ring[:-1])) == [(1.5, 0.5), (1.5, 1.5), (3.5, 0.5), (3.5, 1.5)]


def test_what_was_written_is_read():
    analysis = view()
    (region,) = from_geojson(json.loads(regions_geojson(analysis)), (4, 6))
    (area,) = analysis.areas
    assert (region.name, region.colour) == (area.name, area.colour)
    np.testing.assert_array_equal(region.mask((4, 6)), area.mask)


def test_without_regions_there_is_nothing_to_write():
    with pytest.raises(SettingsError, match="no region"):
        regions_geojson(view(areas=False))
