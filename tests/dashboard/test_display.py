"""However the picture lies: what is pointed at is what is meant."""

from __future__ import annotations

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dashboard.plots.display import Display, flipped, turned
from dashboard.plots.figures import layer
from dashboard.results import Results
from dashboard.session import Session
from dashboard.views.map import MapView
from xrfengine.regions import polygon_mask

SIDES = st.integers(1, 9)


@st.composite
def displays(draw) -> Display:
    height, width = draw(SIDES), draw(SIDES)
    crop = None
    if draw(st.booleans()):
        x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        crop = (x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height)))
    return Display((height, width), crop, draw(st.integers(0, 3)), draw(st.booleans()))


def numbered(display: Display) -> np.ndarray:
    height, width = display.shape_yx
    return np.arange(height * width).reshape(height, width)


@given(displays())
def test_every_pixel_is_shown_where_it_is_said_to_be(display):
    picture = display.shown(numbered(display))
    assert picture.shape == display.shape
    x0, y0, x1, y1 = display.box
    y, x = np.mgrid[y0:y1, x0:x1]
    scan = np.column_stack([x.ravel(), y.ravel()])
    column, row = display.to_shown(scan).astype(int).T
    np.testing.assert_array_equal(picture[row, column], numbered(display)[y0:y1, x0:x1].ravel())
    np.testing.assert_array_equal(display.to_scan(np.column_stack([column, row])), scan)


@given(displays(), st.integers(3, 7), st.integers(0, 2**32 - 1))
def test_a_lasso_chooses_the_same_pixels_in_any_orientation(display, n_vertices, seed):
    """The pixels under the lasso on the picture are the pixels of the selection."""
    vertices = np.random.default_rng(seed).uniform(-2, 11, size=(n_vertices, 2))
    on_picture = polygon_mask(vertices, display.shape)
    chosen = display.outlined(vertices)
    mask = polygon_mask(np.reshape(chosen, (-1, 2)), display.shape_yx)
    np.testing.assert_array_equal(display.shown(mask), on_picture)
    assert mask.sum() == on_picture.sum(), "nothing beyond the picture"


@given(displays(), st.tuples(*[st.integers(-12, 40)] * 4))
def test_a_crop_holds_the_pixels_under_the_box(display, box):
    corners = (np.reshape(box, (2, 2)) + 0.3) / 4
    (xa, ya), (xb, yb) = corners
    row, column = np.mgrid[: display.shape[0], : display.shape[1]]
    under = (
        (column >= min(xa, xb)) & (column <= max(xa, xb))
        & (row >= min(ya, yb)) & (row <= max(ya, yb))
    )  # fmt: skip
    crop = display.cropped(corners)
    if crop is None:
        assert min(under.any(axis=0).sum(), under.any(axis=1).sum()) < 2
        return
    x0, y0, x1, y1 = crop
    expected = np.sort(display.shown(numbered(display))[under])
    np.testing.assert_array_equal(np.sort(numbered(display)[y0:y1, x0:x1].ravel()), expected)


@given(displays())
def test_turning_and_flipping_is_of_the_picture_as_it_is(display):
    def shown(**ways):
        return Display(display.shape_yx, display.crop, **ways).shown(numbered(display))

    before, now = display.shown(numbered(display)), (display.turns, display.mirrored)
    np.testing.assert_array_equal(shown(**turned(*now, by=1)), np.rot90(before, -1))
    np.testing.assert_array_equal(shown(**turned(*now, by=-1)), np.rot90(before, 1))
    np.testing.assert_array_equal(shown(**flipped(*now, upside_down=False)), before[:, ::-1])
    np.testing.assert_array_equal(shown(**flipped(*now, upside_down=True)), before[::-1])


def test_a_crop_that_misses_the_scan_shows_all_of_it():
    session = Session(crop=(400, 400, 500, 500))
    assert Display.of(session, (24, 32)).is_plain
    session.crop = (-5, 3, 900, 9)
    assert Display.of(session, (24, 32)).box == (0, 3, 32, 9)


def test_the_address_carries_how_the_picture_lies():
    session = Session(crop=(3, 4, 20, 21), turns=1, mirrored=True)
    other = Session()
    assert other.restore(session.query()) == []
    assert (other.crop, other.turns, other.mirrored) == ((3, 4, 20, 21), 1, True)
    notices = other.restore({"crop": "3,4,x", "turns": "7"})
    assert len(notices) == 2
    assert "a part of the scan" in notices[0]


def test_the_whole_map_turns_with_the_picture(engine, mask_of):
    async def main():
        session = Session()
        results = Results(engine, session)
        view = MapView(session, results)
        results.open()
        await results.settled()
        session.element = "Fe"
        session.param.update(turns=1, crop=(0, 0, 16, 12))
        picture = layer(view._figure, "values").data_source.data["image"][0]
        np.testing.assert_array_equal(picture, np.rot90(results.maps["Fe"][:12, :16], -1))
        grey = layer(view._figure, "grey").data_source.data["image"][0]
        np.testing.assert_array_equal(grey, np.rot90(results.opened.total_counts[:12, :16], -1))
        # Row 0 of the scan lies at the right; its first four columns at the top.
        view.canvas._mailbox.data = {
            "x": [10.6, 20, 20, 10.6], "y": [-5, -5, 3.5, 3.5], "how": ["polygon - 0"] * 4
        }  # fmt: skip
        await results.settled()
        assert np.argwhere(results.selected.mask).tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]
        mask = mask_of(view._figure, picture.shape)
        assert np.argwhere(mask).tolist() == [[0, 11], [1, 11], [2, 11], [3, 11]]

    asyncio.run(main())
