"""The map pane: its scale, colours, evened-out counts, profiles, and large scans in parts."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest
from bokeh.models import ColorBar
from hypothesis import given
from hypothesis import strategies as st

from dashboard.canvas import viewport
from dashboard.canvas.glass import strongest
from dashboard.canvas.sheet import told_range
from dashboard.plots.display import Display
from dashboard.plots.figures import layer
from dashboard.plots.pictures import MAP_PALETTES, percentile
from dashboard.session import COLOURS, NORMALISE, Session
from dashboard.views.map import MapView
from xrfengine.cube import Instrument


@pytest.fixture
def run(visit):
    """Run ``async def steps(session, results, view)`` on a map over an open scan."""
    return partial(visit, make=MapView)


def sheet_of(view):
    """The settings, opened as a click on their button does."""
    sheet = view._sheet
    sheet.button.value = True
    return sheet.panel.objects[0]


# ---- scale


def test_the_distance_of_pixels_is_entered_kept_and_taken_back(run):
    async def steps(session, results, view):
        assert results.pixel_size_mm is None
        settings = sheet_of(view)
        settings._handle_msg({"pixel_size": "0,5 mm"})
        assert results.pixel_size_mm == 0.5
        assert view._glass._glass.pixel_size_mm == 0.5
        assert "kept with this data set" in settings.pixel_size_hint
        settings._handle_msg({"pixel_size": "-3"})
        assert results.pixel_size_mm == 0.5
        assert "“-3” is not a distance" in settings.pixel_size_hint

    async def later(session, results, view):
        assert results.pixel_size_mm == 0.5
        sheet_of(view)._handle_msg({"do": "stated_size"})
        assert results.pixel_size_mm is None
        assert "pixel_size_mm" not in results.notes.of("quarters")

    run(steps)
    run(later)


def test_a_damaged_note_is_no_distance(run):
    async def steps(session, results, view):
        results.notes.keep("quarters", "pixel_size_mm", "wide")
        results.open()
        await results.settled()
        assert results.pixel_size_mm is None

    run(steps)


# ---- colours


def lightness(colour: str) -> float:
    """CIE L* of a colour such as #aabbcc."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = float(linear @ [0.2126, 0.7152, 0.0722])
    return 116 * (y ** (1 / 3) if y > 0.008856 else 7.787 * y + 16 / 116) - 16


@pytest.mark.parametrize("name", COLOURS)
def test_colours_grow_lighter_all_the_way(name):
    """So they are told apart with any kind of colour vision, and in a grey print."""
    levels = np.array([lightness(colour) for colour in MAP_PALETTES[name][::8]])
    assert (np.diff(levels) > 0).all()
    assert levels[-1] - levels[0] > 40


def test_colours_and_their_upper_end_are_chosen(run):
    async def steps(session, results, view):
        session.param.update(method="roi", element="Fe")
        await results.settled()
        mapper = view.canvas.mappers["values"]
        usual = mapper.high
        (bar,) = view.canvas.figure.select(ColorBar)
        assert bar.major_label_text_alpha == 1
        view.canvas.paint("values", None)
        assert bar.major_label_text_alpha == 0  # no figures without a map
        view.canvas.paint("values", results.maps["Fe"])
        settings = sheet_of(view)
        settings._handle_msg({"palette": "blue"})
        assert mapper.palette == list(MAP_PALETTES["blue"])
        settings._handle_msg({"top": 90})
        assert mapper.high == pytest.approx(np.percentile(results.maps["Fe"], 90))
        await results.settled()
        told = settings.range
        assert sum(told["counts"]) == results.maps["Fe"].size
        assert told["usual"] == pytest.approx(usual)
        assert dict(told["quantiles"])[90.0] == pytest.approx(mapper.high)
        settings._handle_msg({"do": "usual_range"})
        assert mapper.high == usual
        settings._handle_msg({"palette": "no such"})
        settings._handle_msg({"top": 120})
        assert (session.colours, session.top_percentile) == ("blue", None)

    run(steps)


def test_the_range_of_odd_maps():
    told = told_range(np.zeros((3, 3), np.float32), 1.0, is_probability=False)
    assert told["high"] > told["low"]
    assert sum(told["counts"]) == 9


def test_percentiles_of_large_maps_are_near():
    values = np.random.default_rng(0).gamma(2, size=(1600, 2000))
    assert percentile(values, 99.0) == pytest.approx(np.percentile(values, 99.0), rel=0.01)


# ---- counts evened out


def test_counts_per_second_move_thresholds_and_say_their_unit(engine, run):
    cube = engine.cubes["quarters"]
    timed = dataclasses.replace(cube, instrument=Instrument("Rh", 20.0, live_time_s=0.5))
    engine.cubes["quarters"] = timed

    async def steps(session, results, view):
        session.param.update(method="roi", element="Fe")
        await results.settled()
        counts, start = results.maps["Fe"], results.starts["Fe"]
        session.threshold = 30.0
        session.normalise = "live_time"
        await results.settled()
        np.testing.assert_allclose(results.maps["Fe"], 2 * counts, rtol=1e-5)
        assert results.starts["Fe"] == pytest.approx(2 * start)
        assert session.threshold == 60.0
        assert results.unit == "net counts per second"
        assert view._glass._glass.unit == results.unit
        session.method = "probability"
        await results.settled()
        assert results.unit == ""
        session.param.update(method="roi", normalise="none")
        await results.settled()
        assert session.threshold == 30.0
        np.testing.assert_array_equal(results.maps["Fe"], counts)

    run(steps)


def test_an_energy_window_is_evened_out_and_the_profile_follows_it(run):
    async def steps(session, results, view):
        session.energy_window_kev = (6.2, 6.6)
        await results.settled()
        raw = results.window
        assert view._method.value == "window"
        curve = layer(view._profile._figure, "chosen").data_source.data
        np.testing.assert_allclose(curve["value"], raw.values[5], rtol=1e-6)
        assert curve["words"][0].startswith(f"0.0 px: {raw.name} ")
        assert view._profile._figure.yaxis[0].axis_label == "Net counts"
        beside = layer(view._profile._figure, "beside0").data_source.data
        assert len(beside["value"]) == 0, "a probability has no place on an axis of counts"
        session.normalise = "total"
        await results.settled()
        total = results.opened.total_counts
        factor = float(total.mean()) / total
        np.testing.assert_allclose(results.window.values, raw.values * factor, rtol=1e-4)
        assert results.window.unit == "net counts at mean total"
        assert "net counts at mean total" in view._title.detail
        assert view._glass._glass.unit == "net counts at mean total"
        curve = layer(view._profile._figure, "chosen").data_source.data
        np.testing.assert_allclose(curve["value"], results.window.values[5], rtol=1e-6)
        view._method.value = "roi"  # ends the window
        await results.settled()
        assert session.energy_window_kev is None
        curve = layer(view._profile._figure, "chosen").data_source.data
        np.testing.assert_allclose(curve["value"], results.maps["Fe"][5], rtol=1e-6)
        session.energy_window_kev = (6.2, 6.6)
        await results.settled()
        beside = layer(view._profile._figure, "beside0").data_source.data["value"]
        np.testing.assert_allclose(beside, results.maps["Pb"][5], rtol=1e-6)

    run(steps, element="Fe", profile=(0.0, 5.0, 31.0, 5.0), profile_beside=("Pb",))


def test_what_cannot_even_out_a_scan_is_told(run):
    async def steps(session, results, view):
        settings = sheet_of(view)
        whys = {by: why for by, _, why in settings.evens}
        assert set(whys) == set(NORMALISE)
        assert "does not say how long" in whys["live_time"]
        assert "cannot be told" in whys["scatter"], "Rh Kα is not excited at 20 kV"
        assert whys["none"] == whys["total"] == ""
        assert "Probabilities are not evened out" in settings.normalise_hint
        session.method = "roi"
        session.normalise = "live_time"  # from a link
        await results.settled()
        assert results.map_state.kind == "error"
        assert "how long each spectrum was measured" in results.map_state.message
        session.normalise = "total"
        await results.settled()
        assert results.map_state.kind == "ready"
        assert results.unit == "net counts at mean total"

    run(steps)


# ---- the pointer


def test_the_strongest_elements_of_a_pixel(run):
    async def steps(session, results, view):
        view._glass._take_message({"at": [2, 3]})  # the quarter of Pb
        told = view._glass._glass.told
        assert told["at"] == [2, 3]
        values = [float(value) for _, value in told["items"]]
        assert values == sorted(values, reverse=True)
        assert "Pb" in [symbol for symbol, _ in told["items"]]
        assert "Rh" not in [symbol for symbol, _ in told["items"]], "the instrument's"
        assert strongest(results, 99, 0) == []
        view._glass._take_message({"at": ["a", None]})
        assert view._glass._glass.told["items"] == []

    run(steps)


@given(st.integers(0, 3), st.booleans())
def test_the_glass_knows_the_way_back_to_the_scan(turns, mirrored):
    display = Display((24, 32), (3, 4, 20, 22), turns, mirrored)
    a, b, c, d, e, f = display.to_scan_row()
    for x, y in [(0, 0), (5, 3)]:
        np.testing.assert_array_equal(
            display.to_scan([[x, y]])[0], [a * x + b * y + c, d * x + e * y + f]
        )


# ---- the profile


def test_a_line_on_the_map_shows_the_values_along_it(run):
    async def steps(session, results, view):
        session.element = "Pb"
        assert view._profile._figure is None, "nothing is built before there is a line"
        view._take_line((0.0, 5.0, 31.0, 5.0))
        curve = layer(view._profile._figure, "chosen").data_source.data
        np.testing.assert_allclose(curve["value"], results.maps["Pb"][5], rtol=1e-6)
        results.keep_pixel_size(0.25)
        session.profile_beside = ("Fe", "total")
        figure = view._profile._figure
        assert figure.xaxis[0].axis_label == "Distance (mm)"
        curve = layer(figure, "chosen").data_source.data
        assert curve["distance"][-1] == pytest.approx(31 * 0.25)
        assert curve["words"][0].startswith("0.0 mm: Pb ")
        beside = layer(figure, "beside0").data_source.data["value"]
        np.testing.assert_allclose(beside, results.maps["Fe"][5], rtol=1e-6)
        total = layer(figure, "total").data_source.data["value"]
        np.testing.assert_allclose(total, results.opened.total_counts[5], rtol=1e-6)
        session.param.update(turns=1)
        drawn = layer(view._figure, "line").data_source.data
        assert (drawn["column"][0], drawn["row"][0]) == (18.0, 0.0), "row 5 of 24, turned right"
        head = view._profile._head
        assert ("Fe Iron", "Fe") in {tuple(option) for option in head.options}
        session.profile_width = 7  # from a link: not among those that are offered
        assert head.across == 7
        assert 7 in head.widths
        view._profile._take_message({"close": True})
        assert session.profile is None
        assert not view._profile._layout.visible
        assert len(layer(view._figure, "line").data_source.data["column"]) == 0
        view._take_line((3.0, 3.0, 3.2, 3.0))
        assert session.profile is None, "a slip of the mouse"

    run(steps)


def test_a_link_carries_the_line_and_what_lies_beside(engine):
    session = Session(profile=(1.5, 2.0, 20.0, 7.25), profile_beside=("Fe", "total"))
    other = Session()
    assert other.restore(session.query()) == []
    assert (other.profile, other.profile_beside) == (session.profile, session.profile_beside)
    assert len(other.restore({"profile": "1,2,nan,4", "beside": "a,b,c"})) == 2


# ---- large scans


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 9), st.sampled_from(["max", "mean"]))
def test_blocks_hold_what_their_pixels_hold(height, width, step, join):
    image = np.random.default_rng(height * 61 + width).random((height, width))
    small = viewport.joined(image, step, join)
    of = np.max if join == "max" else np.mean
    for row in range(small.shape[0]):
        for column in range(small.shape[1]):
            block = image[row * step : (row + 1) * step, column * step : (column + 1) * step]
            assert small[row, column] == pytest.approx(of(block))


@given(
    st.integers(0, 3), st.booleans(),
    st.floats(-20, 60), st.floats(-20, 60), st.floats(1, 80), st.integers(5, 40),
)  # fmt: skip
def test_a_piece_covers_the_view_and_lies_where_its_pixels_are(turns, mirrored, x, y, size, screen):
    display = Display((50, 40), (2, 3, 39, 48), turns, mirrored)
    height, width = display.shape
    scan = np.arange(50 * 40, dtype=np.float32).reshape(50, 40)
    view = (x, x + size, y + size, y, screen, screen)
    part = viewport.window(display, view)
    piece = viewport.cut_out(scan, display, part, "max")
    step = piece.step
    assert piece.width == piece.image.shape[1] * step
    # Every pixel of the picture in view is in the piece, and not below its block's largest value.
    picture = display.shown(scan)
    rows, columns = np.mgrid[0:height, 0:width]
    seen = (columns > x) & (columns < x + size) & (rows > y) & (rows < y + size)
    for row, column in np.argwhere(seen):
        i = int((row + 0.5 - (piece.top + 0.5)) // step)
        j = int((column + 0.5 - (piece.left + 0.5)) // step)
        assert 0 <= i < piece.image.shape[0]
        assert 0 <= j < piece.image.shape[1]
        assert piece.image[i, j] >= picture[row, column]
    if step == 1 and seen.any():
        row, column = np.argwhere(seen)[0]
        i, j = int(row - piece.top - 0.5), int(column - piece.left - 0.5)
        assert piece.image[i, j] == picture[row, column]


def test_a_large_scan_travels_in_parts_of_the_screen(monkeypatch, run):
    monkeypatch.setattr(viewport, "WHOLE_UP_TO_PX", 100)

    async def steps(session, results, view):
        session.element = "Fe"
        await results.settled()
        canvas = view.canvas
        canvas._told.data = {"view": [-0.5, 31.5, 23.5, -0.5, 8, 6]}
        await results.settled()
        source = layer(view._figure, "values").data_source
        assert source.tags == [4]
        assert source.data["image"][0].shape == (6, 8)
        assert source.data["image"][0].max() == results.maps["Fe"].max(), "none falls through"
        canvas._told.data = {"view": [3.5, 7.5, 9.5, 6.5, 8, 6]}
        await results.settled()
        data = source.data
        assert source.tags == [1]
        x, y = int(data["x"][0] + 0.5), int(data["y"][0] + 0.5)
        rows, columns = data["image"][0].shape
        expected = results.maps["Fe"][y : y + rows, x : x + columns]
        np.testing.assert_array_equal(data["image"][0], expected)
        assert data["image"][0].size < results.maps["Fe"].size / 8

    run(steps)
