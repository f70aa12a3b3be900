"""Maps side by side, with no browser."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from dashboard.plots.linked import LinkedMap
from dashboard.plots.pictures import MAP_PALETTES
from dashboard.results.compared import Wanted, drawn_spectrum, picture
from dashboard.results.spectrum import TOPIC as CALIBRATION
from dashboard.results.spectrum import OwnCalibration
from dashboard.session import Session
from dashboard.session.compare import SIDE_BY_SIDE, Shown
from dashboard.views.compare import CompareView
from xrfengine.cube import Calibration, Spectrum
from xrfengine.errors import XRFError
from xrfengine.jobs import NEVER, no_progress

WANTED = Wanted(Shown(), "quarters", "Fe", 1, {})


def drawn(engine, also=(), **choices):
    def open_scan(dataset, *, progress, cancel):
        return engine.cube(dataset), also

    return picture(
        engine, open_scan, replace(WANTED, **choices), progress=no_progress, cancel=NEVER
    )  # fmt: skip


@pytest.fixture
def on_stage(visit):
    """Run ``async def steps(session, results, view)`` with the maps on stage."""
    return partial(visit, make=CompareView, stage="compare")


@pytest.mark.parametrize(
    "shown",
    [*SIDE_BY_SIDE, Shown("roi", "Fe", "a b/c,d@e.h5"), Shown("ratio", "Fe-Kα-Kβ"),
     Shown("component", "3")],
    ids=lambda shown: shown.to_text(),
)  # fmt: skip
def test_a_choice_survives_the_address(shown):
    assert Shown.from_text(shown.to_text()) == shown
    session = Session(compare_panes=(shown, Shown()))
    again = Session()
    assert again.restore(session.query()) == []
    assert again.compare_panes == (shown, Shown())


@pytest.mark.parametrize("given", ["probability", "nonsense,fit", "", "fit,fit,fit,fit,fit"])
def test_a_damaged_choice_is_told(given):
    session = Session()
    assert len(session.restore({"panes": given})) == 1
    assert session.compare_panes == SIDE_BY_SIDE


def test_each_method_shows_the_engines_map(engine):
    cube = engine.cube("quarters")
    for kind in ("probability", "roi", "fit"):
        got = drawn(engine, shown=Shown(kind))
        maps = engine.maps(cube, kind, 1)
        np.testing.assert_array_equal(got.values, maps["Fe"])
        assert got.low == pytest.approx(engine.default_thresholds(maps)["Fe"])
        assert got.high > got.low
        np.testing.assert_array_equal(got.total_counts, cube.total_counts)
    np.testing.assert_array_equal(got.errors, engine.fit(cube)["Fe K"][1])
    moved = drawn(engine, thresholds={("probability", "Fe"): 0.9})
    assert moved.low == 0.9


def test_lines_and_ratios_are_of_the_chosen_element(engine):
    lines = drawn(engine, shown=Shown("lines"))
    assert lines.name == "Fe-K"
    assert ("Pb L", "Pb-L") in lines.names
    ratio = drawn(engine, shown=Shown("ratio", "Fe-Kα-Kβ"))
    assert ratio.unit == "ratio"
    fit = engine.fit(engine.cube("quarters"), apart=("Fe",))
    both = np.isfinite(ratio.values)
    np.testing.assert_allclose(
        ratio.values[both], fit["Fe Kα"][0][both] / fit["Fe Kβ"][0][both], rtol=1e-5
    )
    # Iron is in the second quarter: elsewhere there is nothing to divide.
    assert both[:12, 16:].mean() > 0.8
    assert both[12:, :16].mean() < 0.1
    with pytest.raises(XRFError, match="Au M is not measured"):
        drawn(engine, shown=Shown("lines", "Au-M"))


def test_the_component_nearest_to_the_element_tells_its_elements(engine):
    got = drawn(engine, shown=Shown("component"), n_components=4)
    values = got.values
    assert values[:12, 16:].mean() > 5 * max(values[12:, :].mean(), values[:12, :16].mean())
    assert "Fe" in got.detail.split("likely")[1]
    assert any(symbol == "Fe" and abs(kev - 6.4) < 0.1 for kev, symbol in got.spectrum.marks)
    third = drawn(engine, shown=Shown("component", "3"), n_components=4)
    assert third.title == "Component 3 of 4"


def test_a_drawn_spectrum_keeps_narrow_peaks_and_is_short():
    counts = np.ones(4096)
    counts[1001] = 1000.0
    shape = drawn_spectrum(Spectrum(counts, Calibration(0.0, 0.01)), ("Fe",))
    assert len(shape.energy_kev) <= 360
    assert max(shape.heights) == 1.0
    assert abs(shape.energy_kev[int(np.argmax(shape.heights))] - 10.01) < 0.15


def test_the_panes_show_the_methods_of_the_chosen_element_and_follow_it(engine, on_stage):
    async def steps(session, results, view):
        session.element = "Fe"
        await results.settled()
        units = [pane.picture.unit for pane in view._panes[:3]]
        assert units == ["probability", "counts", "counts"]
        assert view._panes[3].picture is None, "nothing is computed for panes that are not shown"
        session.element = "Pb"
        await results.settled()
        for pane, kind in zip(view._panes, ("probability", "fit", "roi"), strict=False):
            maps = engine.maps(results.opened.cube, kind, 1)
            np.testing.assert_array_equal(pane.map.source.data["image"][0], maps["Pb"])
        assert view._panes[1].map.source.data["error"][0].shape == (24, 32)

    on_stage(steps)


def test_choosing_in_a_pane_changes_that_pane(engine, on_stage):
    async def steps(session, results, view):
        view._panes[1]._kind.value = "roi"
        view._panes[1]._name.value = "Cu"
        await results.settled()
        assert session.compare_panes[1] == Shown("roi", "Cu")
        np.testing.assert_array_equal(
            view._panes[1].map.source.data["image"][0],
            engine.maps(results.opened.cube, "roi", 1)["Cu"],
        )
        view._number.value = "4"
        await results.settled()
        assert session.compare_panes[3].kind == "fit"  # the one of the three that was not there
        view._number.value = "2"
        assert len(session.compare_panes) == 2
        view._what.value = "found elements"
        assert all(shown.name for shown in session.compare_panes)

    on_stage(steps)


def test_two_scans_keep_their_own_size_and_may_share_a_range(on_stage):
    async def steps(session, results, view):
        session.element = "Fe"
        session.method = "roi"
        await results.settled()
        view._what.value = "two scans"
        assert session.compare_panes == (Shown("roi"), Shown("roi", scan="line"))
        await results.settled()
        assert view._panes[0].map.size.tags == [32, 24]
        assert view._panes[1].map.size.tags == [40, 1]
        tops = [pane.map.mapper.high for pane in view._panes[:2]]
        session.compare_common = True
        assert [pane.map.mapper.high for pane in view._panes[:2]] == [max(tops)] * 2

    on_stage(steps)


def test_a_scan_that_cannot_be_read_is_told_in_its_pane(on_stage):
    async def steps(session, results, view):
        session.compare_panes = (Shown(), Shown(scan="broken.h5"))
        await results.settled()
        assert view._panes[0]._cover.kind == "ready"
        assert view._panes[1]._cover.kind == "error"
        assert "broken.h5" in view._panes[1]._cover.message
        view._panes[1]._scan.value = ""
        await results.settled()
        assert view._panes[1]._cover.kind == "ready"

    on_stage(steps)


def test_a_cancelled_map_can_be_started_again(engine, on_stage):
    async def steps(session, results, view):
        session.region_px = 2
        pane = view._panes[0]
        pane._act("Cancel")
        assert pane._cover.kind == "empty"
        pane._act("Start again")
        await results.settled()
        assert pane._cover.kind == "ready"
        np.testing.assert_array_equal(
            pane.map.source.data["image"][0],
            engine.maps(results.opened.cube, "probability", 2)[session.element],
        )

    on_stage(steps)


def test_nothing_is_computed_while_it_is_not_on_stage(on_stage):
    async def steps(session, results, view):
        session.stage = ""
        before = view._panes[0].picture
        session.element = "Cu"
        await results.settled()
        assert view._panes[0].picture is before

    on_stage(steps)


def test_the_maps_lie_as_the_pages_map_does(engine, on_stage):
    async def steps(session, results, view):
        session.element = "Fe"
        await results.settled()
        whole = engine.maps(results.opened.cube, "roi", 1)["Fe"]
        session.param.update(crop=(16, 0, 32, 12), turns=1, colours="fire")
        pane = view._panes[2]
        np.testing.assert_array_equal(
            pane.map.source.data["image"][0], np.rot90(whole[:12, 16:], -1)
        )
        assert pane.map.size.tags == [12, 16]
        assert pane.map.mapper.palette == list(MAP_PALETTES["fire"])
        # What the pointer tells is the place on the scan: the upper right corner of the picture.
        turn, shift = np.reshape(pane.map.source.tags[2], (3, 2))[:2], pane.map.source.tags[2][4:]
        np.testing.assert_array_equal((np.array([11, 0]) - shift) @ turn, [16, 0])

    on_stage(steps)


def test_large_scans_travel_in_blocks():
    shown = LinkedMap("test-large")
    values = np.zeros((3000, 2000), np.float32)
    values[1501, 1203] = 7.0
    shown.show_values("counts", 0.0, 7.0, image=values)
    data, step = shown.source.data, shown.source.tags[1]
    assert step == 2
    assert data["image"][0].shape == (1500, 1000)
    assert data["image"][0][750, 601] == 7.0
    assert data["dw"] == [2000]
    assert shown.size.tags == [2000, 3000]


def test_counts_side_by_side_are_evened_out_as_on_the_page(engine, on_stage):
    async def steps(session, results, view):
        session.param.update(element="Fe", method="fit", normalise="total")
        await results.settled()
        by = {pane.picture.unit: pane for pane in view._panes[:3]}
        np.testing.assert_array_equal(
            by["probability"].picture.values[0, 0],
            engine.maps(results.opened.cube, "probability", 1)["Fe"][0, 0],
        )
        fitted = view._panes[1].picture
        np.testing.assert_allclose(fitted.values, results.maps["Fe"], rtol=1e-6)
        np.testing.assert_allclose(fitted.errors, results.errors["Fe"], rtol=1e-6)
        assert fitted.detail == "net counts at mean total"
        session.method = "roi"
        await results.settled()
        np.testing.assert_allclose(view._panes[2].picture.values, results.maps["Fe"], rtol=1e-6)
        lines = drawn(engine, shown=Shown("lines", "Fe-K"), normalise="total")
        np.testing.assert_allclose(lines.values, fitted.values, rtol=1e-6)
        np.testing.assert_allclose(lines.errors, fitted.errors, rtol=1e-6)
        parts = [
            drawn(engine, shown=Shown("component", "1"), n_components=4, normalise=by)
            for by in ("none", "total")
        ]
        factor = engine.monitor(results.opened.cube, "total").factor
        np.testing.assert_allclose(parts[1].values, parts[0].values * factor, rtol=1e-6)
        assert parts[1].detail == f"counts at mean total; {parts[0].detail}"
        session.normalise = "none"
        await results.settled()
        assert view._panes[1].picture.detail == ""

    on_stage(steps)


def test_the_drawn_window_lies_beside_the_element_and_follows(on_stage):
    async def steps(session, results, view):
        assert "element and drawn window" not in view.presets()
        session.compare_panes = (Shown("probability"), Shown("window"))
        await results.settled()
        assert view._panes[1]._cover.kind == "error"
        assert "No window" in view._panes[1]._cover.message
        session.energy_window_kev = (6.2, 6.6)
        assert view.presets()["element and drawn window"] == session.compare_panes
        await results.settled()
        np.testing.assert_array_equal(view._panes[1].picture.values, results.window.values)
        assert view._panes[1].picture.title == results.window.name
        session.window_net = False
        await results.settled()
        np.testing.assert_array_equal(view._panes[1].picture.values, results.window.values)
        assert view._panes[1].picture.detail == "counts"

    on_stage(steps, element="Fe")


def test_scans_side_by_side_have_the_calibration_kept_with_them(engine, on_stage):
    engine.cubes["copy"] = replace(engine.cubes["quarters"], name="copy")

    async def steps(session, results, view):
        moved = OwnCalibration(Calibration(0.4, 0.04))  # iron is looked for ten channels off
        results.notes.keep("copy", CALIBRATION, moved.to_note())
        session.compare_panes = (Shown("roi"), Shown("roi", scan="copy"))
        await results.settled()
        here, there = (pane.picture.values for pane in view._panes[:2])
        assert here[:12, 16:].mean() > 50
        assert abs(there[:12, 16:].mean()) < 10
        results.keep_calibration(moved)
        await results.settled()
        np.testing.assert_array_equal(view._panes[0].picture.values, there)

    on_stage(steps, element="Fe")


def test_an_element_added_by_hand_is_fitted_side_by_side(engine, on_stage):
    async def steps(session, results, view):
        session.compare_panes = (Shown("probability"), Shown("fit"))
        await results.settled()
        assert view._panes[1]._cover.kind == "error"
        session.overrule("Co", "present")
        await results.settled()
        got = view._panes[1].picture
        wanted = engine.maps(results.opened.cube, "fit", 1, also=("Co",))["Co"]
        np.testing.assert_array_equal(got.values, wanted)
        assert got.errors.shape == wanted.shape

    on_stage(steps, element="Co")
