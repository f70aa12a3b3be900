"""Regions as polygons: their inside is exactly their pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xrfengine.cube import Calibration, Cube, ElementMaps
from xrfengine.errors import SettingsError
from xrfengine.export import Analysis, Area, Provenance
from xrfengine.export.geojson import pixel_polygons, regions_geojson
from xrfengine.findings import Identified
from xrfengine.regions import polygon_mask


def drawn(polygons, shape_yx):
    """Pixels inside the polygons; holes by the even-odd rule."""
    mask = np.zeros(shape_yx, bool)
    for rings in polygons:
        for ring in rings:
            mask ^= polygon_mask(ring[:-1], shape_yx)
    return mask


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=150, deadline=None)
def test_polygons_hold_their_pixels_and_no_others(mask):
    polygons = pixel_polygons(mask)
    np.testing.assert_array_equal(drawn(polygons, mask.shape), mask)
    for rings in polygons:
        areas = [0.5 * np.sum(r[:-1, 0] * r[1:, 1] - r[1:, 0] * r[:-1, 1]) for r in rings]
        assert areas[0] > 0, "the outer ring comes first"
        assert all(area < 0 for area in areas[1:])
        assert all((ring[0] == ring[-1]).all() for ring in rings)
    total = sum(
        0.5 * np.sum(r[:-1, 0] * r[1:, 1] - r[1:, 0] * r[:-1, 1])
        for rings in polygons
        for r in rings
    )
    assert total == mask.sum()


def test_a_ring_has_a_hole_and_an_island_in_it_is_a_polygon():
    mask = np.ones((7, 7), bool)
    mask[1:6, 1:6] = False
    mask[3, 3] = True
    polygons = pixel_polygons(mask)
    assert sorted(len(rings) for rings in polygons) == [1, 2]
    island = next(rings[0] for rings in polygons if len(rings) == 1)
    assert {tuple(p) for p in island} == {(2.5, 2.5), (3.5, 2.5), (3.5, 3.5), (2.5, 3.5)}


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
    assert "pixels" in held["coordinates"]
    (feature,) = held["features"]
    assert feature["properties"] == {
        "name": "Umriss ä", "color": "#009E73", "n_pixels": 2, "area_mm2": 0.5,
        "elements": [{"symbol": "Hg", "probability": 0.9712}],
    }  # fmt: skip
    assert feature["geometry"]["type"] == "MultiPolygon"
    (ring,) = feature["geometry"]["coordinates"][0]
    assert sorted(map(tuple, ring[:-1])) == [(1.5, 0.5), (1.5, 1.5), (3.5, 0.5), (3.5, 1.5)]


def test_without_regions_there_is_nothing_to_write():
    with pytest.raises(SettingsError, match="no region"):
        regions_geojson(view(areas=False))
