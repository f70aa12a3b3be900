import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xrfengine.errors import SettingsError
from xrfengine.maps.pooling import block_grid, block_sizes, block_sums, expand

DTYPES = ["uint8", "uint16", "int32", "uint32", "float32", "float64"]


def some_counts(height, width, dtype, seed=0):
    counts = np.random.default_rng(seed).integers(0, 200, (height, width, 7)).astype(dtype)
    counts.flags.writeable = False
    return counts


def sums_one_by_one(counts, k):
    by, bx = block_grid(counts.shape[:2], k)
    sums = np.zeros((by, bx, counts.shape[2]))
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            sums[y // k, x // k] += counts[y, x]
    return sums


@given(
    height=st.integers(1, 13),
    width=st.integers(1, 13),
    k=st.integers(1, 15),
    dtype=st.sampled_from(DTYPES),
)
def test_sums_equal_sums_one_by_one(height, width, k, dtype):
    counts = some_counts(height, width, dtype)
    np.testing.assert_array_equal(block_sums(counts, k), sums_one_by_one(counts, k))


@given(height=st.integers(1, 20), width=st.integers(1, 9), k=st.integers(1, 6), size=st.integers(1))
def test_bands_of_regions_equal_the_whole_to_the_last_bit(height, width, k, size):
    counts = some_counts(height, width, "float32") / np.float32(3)
    whole = block_sums(counts, k)
    by = whole.shape[0]
    bands = [block_sums(counts, k, slice(at, at + size)) for at in range(0, by, size)]
    np.testing.assert_array_equal(np.concatenate(bands), whole)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32"])
def test_sums_of_the_largest_counts_do_not_overflow(dtype):
    most = np.iinfo(dtype).max
    counts = np.full((10, 10, 2), most, dtype=dtype)
    assert block_sums(counts, 10).tolist() == [[[100 * most, 100 * most]]]


def test_one_pixel_regions_keep_type_and_copy_nothing():
    counts = some_counts(4, 5, "uint16")
    assert np.shares_memory(block_sums(counts, 1), counts)
    assert block_sums(counts, 1).dtype == np.uint16


@given(height=st.integers(1, 30), width=st.integers(1, 30), k=st.integers(1, 35))
def test_sizes_add_up_to_the_image_and_match_expand(height, width, k):
    sizes = block_sizes((height, width), k)
    assert sizes.sum() == height * width
    assert sizes.shape == block_grid((height, width), k)
    number = np.arange(sizes.size).reshape(sizes.shape)
    counted = np.bincount(expand(number, k, (height, width)).ravel(), minlength=sizes.size)
    np.testing.assert_array_equal(counted.reshape(sizes.shape), sizes)


def test_expand_keeps_leading_axes_and_type():
    values = np.arange(2 * 2 * 3, dtype=np.float32).reshape(2, 2, 3)
    image = expand(values, 2, (3, 5))
    assert image.shape == (2, 3, 5)
    assert image.dtype == np.float32
    assert image[1, 2].tolist() == [9, 9, 10, 10, 11]


@pytest.mark.parametrize("k", [0, -3, 1.5, "2", None])
def test_a_region_size_that_is_no_count_is_refused_by_name(k):
    with pytest.raises(SettingsError, match="whole number"):
        block_sums(some_counts(2, 2, "uint8"), k)


def test_expand_refuses_values_of_another_grid():
    with pytest.raises(SettingsError, match="2×3 regions"):
        expand(np.zeros((3, 3)), 2, (3, 5))
