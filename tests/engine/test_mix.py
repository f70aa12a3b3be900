"""The mix of three maps, against values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xrfengine.errors import SettingsError
from xrfengine.maps.factors import nearest_component
from xrfengine.maps.mix import (
    ORANGE_GREEN_VIOLET,
    RED_GREEN_BLUE,
    mix,
    most_different,
    percentile_range,
)

RANGES = ((0.0, 10.0), (1.0, 3.0), (0.0, 1.0))


def test_each_map_lends_its_share_of_its_range_to_its_colour():
    maps = np.array([[[0.0, 5.0, 20.0]], [[1.0, 2.0, np.nan]], [[0.0, 0.25, 1.0]]], np.float32)
    before = maps.copy()
    picture = mix(maps, RANGES)
    assert picture.dtype == np.uint8
    assert picture.shape == (1, 3, 3)
    np.testing.assert_array_equal(picture[0], [[0, 0, 0], [128, 128, 64], [255, 0, 255]])
    np.testing.assert_array_equal(maps, before)


@pytest.mark.parametrize("colours", [RED_GREEN_BLUE, ORANGE_GREEN_VIOLET])
def test_all_three_together_are_white(colours):
    full = np.ones((3, 1, 1), np.float32)
    np.testing.assert_array_equal(mix(full, ((0.0, 1.0),) * 3, colours), np.full((1, 1, 3), 255))


def test_colours_add_up():
    maps = np.array([[[1.0]], [[0.5]], [[0.0]]], np.float32)
    picture = mix(maps, ((0.0, 1.0),) * 3, ORANGE_GREEN_VIOLET)
    np.testing.assert_array_equal(picture[0, 0], [255, 192, 48])


@given(st.floats(0.0, 49.0), st.floats(51.0, 100.0), st.integers(0, 99))
def test_a_range_lies_within_the_map_and_rises(low, high, seed):
    values = np.random.default_rng(seed).normal(size=(7, 9))
    values[0, 0] = np.nan
    bottom, top = percentile_range(values, low, high)
    assert np.nanmin(values) <= bottom < top <= np.nanmax(values)


def test_even_and_empty_maps_have_a_range_too():
    assert percentile_range(np.full((2, 2), 5.0), 1.0, 99.0)[0] == 5.0
    low, high = percentile_range(np.full((2, 2), np.nan), 1.0, 99.0)
    assert high > low


def test_what_cannot_be_mixed_is_refused():
    maps = np.zeros((3, 2, 2))
    with pytest.raises(SettingsError, match="three maps"):
        mix(maps[:2], RANGES)
    with pytest.raises(SettingsError, match="larger"):
        mix(maps, ((0.0, 0.0), *RANGES[1:]))
    with pytest.raises(SettingsError, match="percentile"):
        percentile_range(maps, 60.0, 40.0)
    with pytest.raises(SettingsError, match="2 maps"):
        most_different(maps[:2])


def test_the_three_that_differ_most_repeat_nothing_and_are_not_empty():
    rng = np.random.default_rng(4)
    stripes = np.zeros((3, 30, 30))
    for i in range(3):
        stripes[i, :, 10 * i : 10 * i + 10] = 100.0 * (i + 1)
    double = stripes[0] + rng.normal(0.0, 1.0, (30, 30))
    speck = np.zeros((30, 30))
    speck[3, 4] = 1e6
    even = np.full((30, 30), 50.0)
    maps = np.stack([even, stripes[0], double, speck, stripes[1], stripes[2]])
    chosen = most_different(maps + rng.normal(0.0, 1.0, maps.shape))
    assert chosen in {(1, 4, 5), (2, 4, 5)}


@pytest.mark.parametrize("shape", [(30, 30), (900, 1)])
def test_noise_makes_no_map_different(shape):
    rng = np.random.default_rng(5)
    blocks = np.zeros((3, 900))
    for i in range(3):
        blocks[i] = 60.0
        blocks[i, 300 * i : 300 * (i + 1)] = 100.0
    noise = rng.normal(8.0, 18.0, (3, 900))  # net counts of what is hardly there
    maps = np.concatenate([noise, blocks + rng.normal(0.0, 5.0, blocks.shape)])
    assert most_different(maps.reshape(6, *shape)) == (3, 4, 5)
    assert len(set(most_different(maps[:, :1].reshape(6, 1, 1)))) == 3


def test_the_nearest_component_is_the_one_that_correlates():
    rng = np.random.default_rng(0)
    values = rng.random((4, 6, 7)).astype(np.float32)
    values[3] = 2.0  # no contrast
    assert nearest_component(values, 5.0 + 0.1 * values[2]) == 2
    assert nearest_component(values, -values[2]) != 2
