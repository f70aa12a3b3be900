"""Outlines with holes, and GeoJSON there and back."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xrfengine.errors import SettingsError
from xrfengine.region_outlines import from_geojson, polygons, to_geojson
from xrfengine.regions import Region, polygon_mask

RING = np.pad(np.ones((5, 6), bool), 1)
RING[3, 3] = False


def area(ring):
    x, y = ring[:-1].T
    return np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2


def test_a_region_with_a_hole():
    ((outer, hole),) = polygons(RING)
    np.testing.assert_array_equal(np.unique(outer, axis=0), np.unique(
        [(0.5, 0.5), (6.5, 0.5), (6.5, 5.5), (0.5, 5.5)], axis=0))  # fmt: skip
    assert len(outer) == len(hole) == 5
    np.testing.assert_array_equal(outer[0], outer[-1])
    assert area(outer) == 30
    assert area(hole) == -1


def test_an_island_in_a_hole_has_its_own_polygon_and_holes():
    mask = np.zeros((11, 11), bool)
    mask[0:11, 0:11] = True
    mask[2:9, 2:9] = False
    mask[3:8, 3:8] = True
    mask[5, 5] = False
    big, small = polygons(mask)
    assert [len(big), len(small)] == [2, 2]
    np.testing.assert_array_equal(small[1].min(axis=0), (4.5, 4.5))
    np.testing.assert_array_equal(small[1].max(axis=0), (5.5, 5.5))
    assert area(big[1]) == -49
    assert area(small[1]) == -1


def test_pixels_that_touch_at_a_corner_are_two():
    assert len(polygons(np.eye(2, dtype=bool))) == 2
    assert len(polygons(np.eye(2, dtype=bool)[::-1])) == 2
    ring = np.ones((3, 3), bool)
    ring[1, 1] = ring[0, 2] = False  # the hole touches the outside at a corner
    assert [len(p) for p in polygons(ring)] in ([1], [2])
    assert polygons(np.zeros((3, 3), bool)) == ()


@settings(max_examples=200)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_any_mask_comes_back_from_its_outline(mask):
    again = np.zeros(mask.shape, bool)
    total = 0.0
    for polygon in polygons(mask):
        assert area(polygon[0]) > 0
        for n, ring in enumerate(polygon):
            np.testing.assert_array_equal(ring[0], ring[-1])
            steps = np.diff(ring, axis=0)
            assert ((steps != 0).sum(axis=1) == 1).all(), "along the edges of pixels"
            turns = np.abs(np.diff(np.sign(np.vstack([steps, steps[:1]])), axis=0)).sum(axis=1)
            assert (turns > 0).all(), "no vertex within a straight edge"
            assert n == 0 or area(ring) < 0
            again ^= polygon_mask(ring, mask.shape)
            total += area(ring)
    np.testing.assert_array_equal(again, mask)
    assert total == mask.sum()


@given(hnp.arrays(bool, (7, 9)).filter(np.any), st.sampled_from(["px", "mm"]), st.floats(0.01, 20))
def test_geojson_there_and_back(mask, unit, size):
    region = Region.of_mask(mask, "a1", "Flag", "#56B4E9")
    state = to_geojson([region], mask.shape, unit=unit, pixel_size_mm=size)
    state = json.loads(json.dumps(state))
    assert from_geojson(state, mask.shape) == (region,)


def test_geojson_says_what_it_holds():
    region = Region.of_mask(RING, "a1", "Flag", "#56B4E9")
    state = to_geojson([region], RING.shape, unit="mm", pixel_size_mm=0.5,
                       properties={"a1": {"elements": ["Pb"]}})  # fmt: skip
    (feature,) = state["features"]
    assert feature["properties"] == {
        "name": "Flag", "colour": "#56B4E9", "pixels": 29, "elements": ["Pb"]
    }  # fmt: skip
    points = np.array(feature["geometry"]["coordinates"][0][0])
    np.testing.assert_array_equal(points.min(axis=0), (0.5, 0.5))
    np.testing.assert_array_equal(points.max(axis=0), (3.5, 3.0))
    assert state["xrfengine"]["scan_pixels"] == [8, 7]
    with pytest.raises(SettingsError, match="mm"):
        to_geojson([region], RING.shape, unit="mm")


def test_geojson_of_another_program():
    square = [[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]]
    state = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 1]}},
            {"type": "Feature", "properties": None,
             "geometry": {"type": "Polygon", "coordinates": [square]}},
        ],
    }  # fmt: skip
    (region,) = from_geojson(state, (5, 6))
    assert region.name == "Region 1"
    assert region.mask((5, 6)).sum() == 9


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        {"type": "Point"},
        {"type": "FeatureCollection", "features": []},
        {"type": "FeatureCollection", "features": "x"},
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[0, "x"]]]}},
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[0, 1]]}},
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": None}},
        {"type": "Feature",
         "geometry": {"type": "Polygon", "coordinates": [[[90, 90], [99, 90], [99, 99]]]}},
    ],
)  # fmt: skip
def test_what_is_no_geojson_of_regions_is_told(state):
    with pytest.raises(SettingsError):
        from_geojson(state, (5, 6))
