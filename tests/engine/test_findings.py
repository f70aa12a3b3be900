"""What counts as found in maps, and what single regions show here and there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from xrfengine import ElementMaps
from xrfengine.findings import found, is_scattered


def patch(shape=(60, 80), rows=slice(20, 22), columns=slice(30, 32)):
    above = np.zeros(shape, dtype=bool)
    above[rows, columns] = True
    return above


@pytest.mark.parametrize(
    "above",
    [
        patch(),
        patch(columns=slice(30, 34), rows=slice(9, 10)),
        np.eye(80, dtype=bool) & (np.arange(80) < 4),  # by their corners
        patch((1, 400), slice(0, 1), slice(7, 12)),  # of a line scan
    ],
    ids=["square", "row", "diagonal", "line scan"],
)
def test_a_patch_is_not_scattered(above):
    assert not is_scattered(above)


def test_random_places_are_scattered_but_for_one_in_thousands():
    rng = np.random.default_rng(3)
    for share in (0.0005, 0.005, 0.05, 0.5):
        drawn = [is_scattered(rng.random((50, 70)) < share) for _ in range(300)]
        assert sum(drawn) >= 299, share


@pytest.mark.parametrize("n", [0, 1])
def test_one_region_is_alone(n):
    above = np.zeros((4, 5), dtype=bool)
    above.flat[:n] = True
    assert is_scattered(above)
    assert is_scattered(np.ones((1, 1), dtype=bool))


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_how_the_scan_lies_does_not_matter(above):
    before = above.copy()
    expected = is_scattered(above)
    assert is_scattered(above.T) == is_scattered(above[::-1]) == expected
    assert is_scattered(above[:, ::-1]) == expected
    assert (above == before).all()


@pytest.mark.parametrize("k", [1, 2])
def test_a_coarse_region_counts_once(k):
    values = np.zeros((3, 40, 60), np.float32)
    values[0, 2 * k : 3 * k, 3 * k : 4 * k] = 1.0  # one region
    values[1, k : 3 * k, k : 3 * k] = 1.0  # four that touch
    values[2, :, 0] = 1.0
    maps = ElementMaps(("Fe", "Cu", "Pb"), values, "probability", region_px=k)
    listed = {item.element: item for item in found(maps, dict.fromkeys(maps.elements, 0.5))}
    assert listed["Fe"].is_few
    assert listed["Fe"].share == pytest.approx(k * k / 2400)
    assert not listed["Cu"].is_few
    assert not listed["Pb"].is_few


def test_one_point_of_a_short_line_scan_is_not_few():
    values = np.zeros((1, 1, 40), np.float32)
    values[0, 0, 7] = 1.0
    (item,) = found(ElementMaps(("Fe",), values, "probability"), {"Fe": 0.5})
    assert not item.is_few
