import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xrfengine.errors import SettingsError
from xrfengine.maps.pooling import block_grid, block_sizes, block_sums, expand, pieces

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


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    k=st.integers(1, 12),
    most=st.integers(1, 60),
    corner=st.tuples(st.integers(0, 39), st.integers(0, 39)),
)
def test_pieces_cover_each_region_once_and_visible_ones_first(height, width, k, most, corner):
    shape = (height, width)
    plan = pieces(shape, k, most)
    seen = np.zeros(block_grid(shape, k), dtype=int)
    pixels = np.zeros(shape, dtype=int)
    for piece in plan:
        assert 1 <= piece.n_regions <= most
        seen[piece.rows, piece.columns] += 1
        pixels[piece.pixels(k, shape)] += 1
    assert (seen == 1).all()
    assert (pixels == 1).all()
    y, x = min(corner[0], height - 1), min(corner[1], width - 1)
    ordered = pieces(shape, k, most, (y, y + 3, x, x + 3))
    assert sorted(map(repr, ordered)) == sorted(map(repr, plan))
    touched = []
    for piece in ordered:
        shown = np.zeros(shape, dtype=bool)
        shown[piece.pixels(k, shape)] = True
        touched.append(bool(shown[y : y + 3, x : x + 3].any()))
    assert touched[0]
    assert touched == sorted(touched, reverse=True)


@given(height=st.integers(1, 20), width=st.integers(1, 20), k=st.integers(1, 25))
def test_expanding_equals_indexing_by_region(height, width, k):
    values = np.random.default_rng(0).random((2, *block_grid((height, width), k)))
    values.flags.writeable = False
    rows, columns = np.arange(height) // k, np.arange(width) // k
    np.testing.assert_array_equal(
        expand(values, k, (height, width)), values[:, rows[:, None], columns]
    )
