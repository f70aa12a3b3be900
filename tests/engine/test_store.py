"""Tiles give the very sums and maxima that going over all pixels gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine import Calibration, Cube
from xrfengine.errors import Cancelled, SettingsError
from xrfengine.jobs import CancelToken
from xrfengine.maps.pooling import block_sums
from xrfengine.store import make_tiles, region_totals, tile_sums

DTYPES = (np.uint8, np.uint16, np.uint32, np.int32, np.float32, np.float64)


def cube_of(shape, dtype=np.uint16, seed=0):
    rng = np.random.default_rng(seed)
    top = min(60_000, np.iinfo(dtype).max) if np.dtype(dtype).kind in "iu" else 60_000
    counts = rng.integers(0, top, shape, endpoint=True).astype(dtype)
    counts.flags.writeable = False
    return Cube(counts, Calibration(0.0, 0.01), "random")


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 61),
    width=st.integers(1, 61),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 1000),
    share=st.sampled_from([0.02, 0.5, 0.97, 1.0]),
)
def test_region_totals_equal_plain_sums(height, width, dtype, seed, share):
    cube = cube_of((height, width, 7), dtype, seed)
    rng = np.random.default_rng(seed)
    # Pixels at random, and whole blocks, which tiles cover.
    blocks = rng.random((-(-height // 8), -(-width // 8))) < 0.7
    mask = np.repeat(np.repeat(blocks, 8, 0), 8, 1)[:height, :width] & (
        rng.random((height, width)) < share
    )
    mask[rng.integers(height), rng.integers(width)] = True
    before = mask.copy()
    total, most = region_totals(cube, make_tiles(cube), mask)
    np.testing.assert_allclose(total, cube.counts[mask].sum(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_array_equal(most, cube.counts[mask].max(axis=0))
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_change_nothing(dtype):
    cube = cube_of((53, 38, 11), dtype)
    one, two = make_tiles(cube, threads=1), make_tiles(cube, threads=2)
    for a, b in zip((*one.sums, *one.maxima), (*two.sums, *two.maxima), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("k", [5, 10, 15, 25, 50, 75])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_tiles_hold_coarse_regions(k, dtype):
    cube = cube_of((68, 41, 5), dtype)
    np.testing.assert_allclose(
        tile_sums(make_tiles(cube), k), block_sums(cube.counts, k), rtol=1e-12
    )


def test_other_region_sizes_are_not_in_the_tiles():
    tiles = make_tiles(cube_of((12, 12, 3)))
    assert tile_sums(tiles, 1) is None
    assert tile_sums(tiles, 7) is None


def test_boolean_counts():
    counts = np.random.default_rng(0).random((30, 30, 4)) < 0.5
    cube = Cube(counts, Calibration(0.0, 0.01), "flags")
    total, most = region_totals(cube, make_tiles(cube), np.ones((30, 30), bool))
    np.testing.assert_array_equal(total, counts.sum(axis=(0, 1)))
    np.testing.assert_array_equal(most, counts.max(axis=(0, 1)))


def test_full_counts_do_not_overflow():
    cube = Cube(np.full((50, 50, 2), 65535, np.uint16), Calibration(0.0, 0.01), "full")
    total, _ = region_totals(cube, make_tiles(cube), np.ones((50, 50), bool))
    np.testing.assert_array_equal(total, 65535 * 2500)


def test_masks_that_do_not_fit_and_cancelling():
    cube = cube_of((30, 30, 3))
    tiles = make_tiles(cube)
    with pytest.raises(SettingsError, match="Draw it anew"):
        region_totals(cube, tiles, np.ones((3, 3), bool))
    with pytest.raises(SettingsError, match="holds no pixel"):
        region_totals(cube, tiles, np.zeros((30, 30), bool))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        make_tiles(cube, cancel=token)
