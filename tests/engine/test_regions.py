"""Geometry to pixels, pixels to spectra."""

import json
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xrfengine import Calibration, Cube
from xrfengine.errors import SettingsError
from xrfengine.regions import (
    OKABE_ITO,
    Region,
    box_mask,
    combined,
    mask_of_runs,
    polygon_mask,
    region_colour,
    region_spectrum,
    runs_of,
    stroke_mask,
)

coordinate = st.floats(-5, 25, allow_nan=False)


def test_pixels_whose_centres_are_inside():
    mask = polygon_mask(np.array([(0.5, 0.5), (3.5, 0.5), (3.5, 2.5), (0.5, 2.5)]), (4, 6))
    expected = np.zeros((4, 6), bool)
    expected[1:3, 1:4] = True
    np.testing.assert_array_equal(mask, expected)


def is_inside(x, y, corners):
    """Even-odd rule for one point, as in the textbooks."""
    inside = False
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside


def distance_to_border(x, y, corners):
    start, edge = corners, np.roll(corners, -1, axis=0) - corners
    length2 = np.maximum((edge**2).sum(axis=1), 1e-300)
    along = np.clip(((np.array([x, y]) - start) * edge).sum(axis=1) / length2, 0, 1)
    return np.hypot(*(start + along[:, None] * edge - (x, y)).T).min()


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9))
def test_polygons_agree_with_a_plain_point_in_polygon_test(vertices):
    corners = np.array(vertices)
    mask = polygon_mask(corners, (18, 20))
    for y in range(0, 18, 3):
        for x in range(0, 20, 3):
            if distance_to_border(x, y, corners) > 1e-9:  # on the border either answer is right
                assert mask[y, x] == is_inside(x, y, corners)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=12), st.integers(0, 11))
def test_the_first_vertex_and_the_direction_do_not_matter(vertices, shift):
    corners = np.array(vertices)
    mask = polygon_mask(corners, (18, 20))
    np.testing.assert_array_equal(polygon_mask(np.roll(corners, shift, axis=0), (18, 20)), mask)
    np.testing.assert_array_equal(polygon_mask(corners[::-1], (18, 20)), mask)


def test_neighbouring_polygons_share_no_pixel_and_leave_none_out():
    left = polygon_mask(np.array([(0, -1), (4, -1), (4, 9), (0, 9)]), (8, 8))
    right = polygon_mask(np.array([(4, -1), (9, -1), (9, 9), (4, 9)]), (8, 8))
    assert not (left & right).any()
    assert (left | right).all()


def test_too_few_vertices_hold_nothing_and_nonsense_is_refused():
    assert not polygon_mask(np.array([(0, 0), (5, 5)]), (8, 8)).any()
    assert not polygon_mask(np.zeros((0, 2)), (8, 8)).any()
    with pytest.raises(SettingsError):
        polygon_mask(np.array([(0, 0), (np.nan, 5), (1, 2)]), (8, 8))


def test_box_in_any_direction():
    np.testing.assert_array_equal(box_mask(4, 3, 1, 0, (6, 6)), box_mask(1, 0, 4, 3, (6, 6)))
    assert box_mask(1, 0, 4, 3, (6, 6)).sum() == 16


@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_any_mask_survives_as_a_region_through_json(mask):
    region = Region.of_mask(mask, "r1", "Region 1", "#E69F00")
    again = Region.from_dict(json.loads(json.dumps(region.to_dict())))
    assert again == region
    np.testing.assert_array_equal(again.mask(mask.shape), mask)


@pytest.mark.parametrize("shape", ["box", "polygon"])
def test_geometry_survives_json(shape):
    geometry = (1.0, 2.0, 5.0, 6.0) if shape == "box" else ((1.0, 1.0), (6.0, 1.5), (3.0, 7.0))
    region = Region("a", "Sleeve", "#56B4E9", shape, geometry)
    again = Region.from_dict(json.loads(json.dumps(region.to_dict())))
    assert again == region
    assert again.mask((9, 9)).any()


@pytest.mark.parametrize("state", [{}, {"id": 1, "name": "x", "colour": "c", "shape": "star"}])
def test_damaged_saved_region_is_named(state):
    with pytest.raises(SettingsError, match="saved region"):
        Region.from_dict(state)


@given(hnp.arrays(bool, (6, 7)))
def test_region_spectrum_equals_fancy_indexing(mask):
    assume(mask.any())
    counts = np.random.default_rng(3).integers(0, 60_000, (6, 7, 16)).astype(np.uint16)
    counts.flags.writeable = False
    spectrum = region_spectrum(Cube(counts, Calibration(0, 0.01)), mask)
    np.testing.assert_array_equal(spectrum.counts, counts[mask].sum(axis=0, dtype=float))
    assert spectrum.n_pixels == mask.sum()


def test_region_that_does_not_fit_or_is_empty_is_explained():
    cube = Cube(np.ones((3, 3, 4)), Calibration(0, 0.01))
    with pytest.raises(SettingsError, match="drawn on 4×4"):
        region_spectrum(cube, np.ones((4, 4), bool))
    with pytest.raises(SettingsError, match="no pixel"):
        region_spectrum(cube, np.zeros((3, 3), bool))


def test_runs_are_exact_and_checked():
    mask = np.array([[True, True, False], [False, True, True], [True, False, False]])
    assert runs_of(mask) == (0, 2, 4, 3)
    np.testing.assert_array_equal(mask_of_runs((0, 2, 4, 3), (3, 3)), mask)
    for runs in ((0,), (0, 0), (3, 2, 4, 1), (-1, 2), (8, 2)):
        with pytest.raises(SettingsError):
            mask_of_runs(runs, (3, 3))


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_any_mask_comes_back_from_its_runs(mask):
    np.testing.assert_array_equal(mask_of_runs(runs_of(mask), mask.shape), mask)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=6), st.floats(0.1, 6.0))
def test_a_brush_paints_what_is_near_its_path(points, radius):
    points = np.array(points)
    mask = stroke_mask(points, radius, (18, 20))
    y, x = np.mgrid[:18, :20]
    distance = np.full((18, 20), np.inf)
    for start, stop in zip(points, [*points[1:], points[-1]], strict=True):
        for share in np.linspace(0, 1, 200):
            px, py = start + share * (stop - start)
            distance = np.minimum(distance, np.hypot(x - px, y - py))
    # The path was walked in steps: near the brush's edge either answer may be right.
    assert mask[distance < radius - 0.2].all()
    assert not mask[distance > max(radius, 0.71) + 0.2].any()


def test_the_finest_brush_paints_the_pixel_under_it():
    mask = stroke_mask(np.array([(3.4, 2.4)]), 0.1, (5, 6))
    assert np.argwhere(mask).tolist() == [[2, 3]]
    with pytest.raises(SettingsError):
        stroke_mask(np.array([(3.4, 2.4)]), 0.0, (5, 6))


def test_masks_join():
    a, b = np.array([[1, 1, 0, 0]], bool), np.array([[0, 1, 1, 0]], bool)
    results = {op: combined(a, b, op).astype(int).tolist()[0]
               for op in ("new", "add", "subtract", "intersect")}  # fmt: skip
    assert results == {
        "new": [0, 1, 1, 0], "add": [1, 1, 1, 0], "subtract": [1, 0, 0, 0],
        "intersect": [0, 1, 0, 0],
    }  # fmt: skip


def test_colours_of_regions_repeat_with_variation():
    colours = [region_colour(n) for n in range(21)]
    assert tuple(colours[:7]) == OKABE_ITO
    assert len(set(colours)) == 21
    assert all(re.fullmatch(r"#[0-9A-F]{6}", colour) for colour in colours)
