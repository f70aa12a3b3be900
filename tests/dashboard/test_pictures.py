"""The pure functions behind what is painted."""

from __future__ import annotations

import base64
import io
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from dashboard.plots import pictures
from dashboard.plots.pictures import (
    embedding_image,
    embedding_limits,
    energy_limits,
    inside,
    outline,
    points_image,
    spectrum_heights,
    stagger,
    thumbnail,
    trimmed,
)
from xrfengine.pictures import grey_limits, spectrum_floor
from xrfengine.regions import polygon_mask


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_the_outline_has_the_length_of_the_border(mask):
    runs = outline(mask)
    padded = np.pad(mask, 1).astype(int)
    border = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    length = np.abs(runs[:, 2:] - runs[:, :2]).sum()
    assert length == pytest.approx(border)


def test_the_outline_of_one_pixel_is_its_square():
    mask = np.zeros((4, 5), bool)
    mask[2, 3] = True
    runs = outline(mask)
    assert len(runs) == 4
    assert runs[:, [0, 2]].min() == 2.5
    assert runs[:, [0, 2]].max() == 3.5
    assert runs[:, [1, 3]].min() == 1.5
    assert runs[:, [1, 3]].max() == 2.5


def test_a_border_of_too_many_pieces_is_left_out():
    assert len(outline(np.random.default_rng(0).random((200, 200)) < 0.5)) == 0


@given(st.integers(0, 2**32 - 1))
def test_points_in_a_polygon_agree_with_the_mask_of_a_region(seed):
    vertices = np.random.default_rng(seed).uniform(-3, 11, size=(6, 2))
    y, x = np.mgrid[0:8, 0:9]
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(float)
    expected = polygon_mask(vertices, (8, 9)).ravel()
    np.testing.assert_array_equal(inside(points, vertices), expected)


def test_the_embedding_shows_every_point_in_its_colour():
    points = np.array([[0, 0], [10, 0], [10, 10]], np.float32)
    labels = np.array([0, 1, -1], np.int32)
    limits = embedding_limits(points)
    image = embedding_image(points, limits, (80, 60), colour_by="cluster", values=labels)
    assert image.shape == (60, 80)
    assert image.dtype == np.uint32
    colours = {f"#{v & 255:02x}{v >> 8 & 255:02x}{v >> 16 & 255:02x}" for v in image[image > 0]}
    assert colours == {pictures.cluster_colour(i) for i in (0, 1, -1)}
    assert image[:20, :20].any()  # row 0 is at the bottom
    assert not image[40:, :20].any()


def test_one_compilation_serves_many_numbers_of_clusters(monkeypatch):
    points = np.random.default_rng(2).normal(size=(300, 2)).astype(np.float32)
    labels = (np.arange(300) % 4 - 1).astype(np.int32)  # three clusters and none: four kinds
    drawn = partial(embedding_image, points, (-3, 3, -3, 3), (40, 40), colour_by="cluster")
    padded = drawn(values=labels)
    monkeypatch.setattr(pictures, "KINDS_COMPILED", 4)
    np.testing.assert_array_equal(drawn(values=labels), padded)
    monkeypatch.undo()
    kinds = [pictures._compiled_kinds(n) for n in range(2, 250)]
    assert all(kind >= n for n, kind in enumerate(kinds, 2))
    assert len(set(kinds)) == 4


def test_chosen_points_only():
    points = np.array([[2.0, 2.0]], np.float32)
    image = points_image(points, (0, 10, 0, 10), (100, 100))
    assert image.dtype == np.uint8
    assert set(np.unique(image)) == {0, 1}
    ys, xs = np.nonzero(image)
    assert abs(ys.mean() - 20) <= 1
    assert abs(xs.mean() - 20) <= 1
    assert not points_image(points[:0], (0, 10, 0, 10), (20, 20)).any()


def test_a_thumbnail_keeps_a_single_hot_pixel():
    values = np.zeros((300, 200), np.float32)
    values[151, 77] = 0.9
    src = thumbnail(values, np.full((300, 200), 0.5), 0.5, 1.0)
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(src.split(",")[1]))).convert("RGB"))
    assert max(picture.shape[:2]) <= 200
    coloured = (picture.max(axis=2).astype(int) - picture.min(axis=2)) > 30
    assert coloured.sum() == 1


def test_scales():
    counts = np.array([0.0, 1.0, 100.0])
    np.testing.assert_allclose(spectrum_heights(counts, "linear", 0.1), counts)
    np.testing.assert_allclose(spectrum_heights(counts, "sqrt", 0.1), [0, 1, 10])
    np.testing.assert_allclose(spectrum_heights(counts, "log", 0.1), [-1, 0, 2])
    assert spectrum_floor(np.zeros(5)) > 0
    assert 0 < spectrum_floor(np.linspace(1, 1000, 500)) < 11


@given(st.lists(st.floats(0, 100), min_size=1, max_size=4, unique=True))
def test_labels_do_not_cover_each_other(positions):
    x = np.array(positions)
    levels = stagger(x, 10.0)
    for level in set(levels):
        assert (np.diff(np.sort(x[levels == level])) >= 10.0 - 1e-9).all()


def test_limits_of_odd_scans():
    low, high = grey_limits(np.full((3, 3), 7.0))
    assert low < 7 < high
    energy = np.linspace(-0.9, 40, 1000)
    counts = np.where(np.abs(energy) < 0.2, 1e6, np.exp(-0.5 * ((energy - 6.4) / 0.1) ** 2))
    low, high = energy_limits(energy, counts)
    assert -0.5 < low <= 0.0
    assert 6.5 < high < 10


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 1)),
)
def test_a_trimmed_picture_holds_all_that_is_not_nought_in_its_place(image):
    height, width = image.shape
    part, (x0, x1, y0, y1) = trimmed(image, (10.0, 10.0 + width, -5.0, -5.0 + height))
    left, top = round(x0 - 10), round(y0 + 5)
    assert part.shape == (round(y1 - y0), round(x1 - x0))
    whole = np.zeros_like(image)
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    np.testing.assert_array_equal(whole, image)
    assert part.any(axis=0)[[0, -1]].all() or not image.any()
    assert part.any(axis=1)[[0, -1]].all() or not image.any()
