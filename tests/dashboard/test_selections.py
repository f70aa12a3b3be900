"""Selections in several steps, as they are drawn and kept."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.canvas.drawing import drawn, on_scan
from dashboard.plots.display import Display
from dashboard.session import OPERATIONS, Selection
from dashboard.session.regions import joined
from xrfengine.regions import runs_of

LEFT = Selection("map", ((-1, -1), (9.5, -1), (9.5, 30), (-1, 30)))
TOP = Selection("map", ((-1, -1), (40, -1), (40, 5.5), (-1, 5.5)))
number = st.floats(-1e4, 1e4)
pair = st.tuples(number, number)
STEPS = st.one_of(
    st.builds(Selection, st.sampled_from(["map", "embedding"]),
              st.lists(pair, min_size=3, max_size=9).map(tuple)),
    st.builds(Selection, st.just("brush"), st.lists(pair, min_size=1, max_size=9).map(tuple),
              radius_px=st.floats(0.1, 50)),
    st.builds(Selection, st.just("pixel"), st.tuples(pair)),
    st.builds(Selection, st.just("cluster"), cluster=st.integers(0, 30)),
    st.builds(Selection, st.just("threshold"), element=st.sampled_from(["Fe", "Pb"]),
              method=st.sampled_from(["probability", "roi"]), threshold=number,
              region_px=st.integers(1, 10)),
    st.lists(st.booleans(), min_size=1, max_size=60).filter(any).map(
        lambda m: Selection("runs", runs=runs_of(np.array([m])), name="An old region")),
)  # fmt: skip
SELECTIONS = st.lists(st.tuples(STEPS, st.sampled_from(OPERATIONS)), min_size=1, max_size=5)


def built(steps):
    selection = None
    for part, operation in steps:
        selection = joined(selection, part, operation)
    return selection


@given(SELECTIONS)
def test_selections_survive_json(steps):
    selection = built(steps)
    if selection is not None:
        assert Selection.from_dict(json.loads(json.dumps(selection.to_dict()))) == selection


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        [],
        {"source": "magic"},
        {"source": "map", "vertices": [[0, 0], [1, 1]]},
        {"source": "map", "vertices": [[0, 0], [1, 1], [1, float("nan")]]},
        {"source": "cluster", "cluster": -1},
        {"source": "brush", "vertices": [[0, 0]], "radius_px": 0},
        {"source": "runs", "runs": [4, 2, 5, 1]},
        {"source": "runs", "runs": [4]},
        {"source": "parts", "parts": [{"source": "cluster", "cluster": 1}]},
        {"source": "threshold"},
        {"source": "pixel", "vertices": [[1, 2]], "operation": "magic"},
    ],
)
def test_damaged_selections_are_refused_in_words(state):
    with pytest.raises(ValueError, match="its selection is damaged"):
        Selection.from_dict(state)


def test_nothing_is_taken_from_nothing():
    assert joined(None, LEFT, "subtract") is None
    assert joined(None, LEFT, "intersect") is None
    assert joined(None, LEFT, "add") == LEFT


def test_steps_join_the_pixels(visit):
    async def steps(session, results):
        async def selected():
            await results.settled()
            return results.selected.mask

        session.draw(LEFT)
        left = await selected()
        session.draw(TOP, "intersect")
        corner = await selected()
        assert corner.sum() == 10 * 6
        assert (corner <= left).all()
        session.draw(Selection("pixel", ((30, 20),)), "add")
        mask = await selected()
        assert mask.sum() == 61
        assert mask[20, 30]
        session.operation = "subtract"
        session.draw(Selection("brush", ((0, 0), (9, 0)), radius_px=0.5))
        mask = await selected()
        assert mask.sum() == 61 - 10
        assert not mask[0].any()
        assert results.selected.spectrum.n_pixels == 51
        assert "several steps" in results.selected.title
        session.operation = "add"
        session.cluster = 0
        await results.settled()
        labels = results.clusters.clustering.labels
        np.testing.assert_array_equal(results.selected.mask, mask | (labels == 0))
        assert session.cluster is None, "it is part of a selection"

    visit(steps)


def test_what_is_above_the_threshold_is_selected(visit):
    async def steps(session, results):
        session.element = "Fe"
        await results.settled()
        results.select_above()
        await results.settled()
        expected = results.maps["Fe"] >= results.starts["Fe"]
        np.testing.assert_array_equal(results.selected.mask, expected)
        session.element = "Pb"
        session.method = "roi"
        await results.settled()
        np.testing.assert_array_equal(results.selected.mask, expected)
        session.draw(Selection("pixel", ((0, 0),)), "add")
        await results.settled()
        np.testing.assert_array_equal(results.selected.mask[1:], expected[1:])

    visit(steps)


def test_what_the_browser_sends():
    mail = {"x": [0, 4, 4], "y": [0, 0, 4], "how": ["polygon - 0 1", "", ""]}
    assert drawn(mail) == (Selection("map", ((0, 0), (4, 0), (4, 4))), None)
    assert drawn(mail, "embedding")[0].source == "embedding"
    mail["how"] = ["brush add 2.5 2", "", ""]
    assert drawn(mail) == (
        Selection("brush", ((0, 0), (4, 0), (4, 4)), radius_px=2.5), "add"
    )  # fmt: skip
    for how in ([], ["polygon"], ["magic - 0 1"], ["brush - 0 1"], ["brush - nan 1"]):
        assert drawn({**mail, "how": how}) is None
    assert drawn({"x": [0, 1], "y": [0, 1], "how": ["polygon - 0 1", ""]}) is None


def test_what_is_drawn_on_a_turned_picture_is_kept_as_the_scan_lies():
    display = Display((20, 30), crop=(5, 0, 25, 20), turns=1)
    pixel = Selection("pixel", ((0.0, 3.0),))
    assert on_scan(pixel, display).vertices == ((8.0, 19.0),)
    assert on_scan(Selection("pixel", ((40.0, 3.0),)), display) is None
    stroke = Selection("brush", ((-50.0, 0.0), (50.0, 0.0)), radius_px=2.0)
    x, y = zip(*on_scan(stroke, display).vertices, strict=True)
    assert set(x) == {5.0}
    assert min(y) >= -0.5
    assert max(y) <= 19.5
    assert on_scan(Selection("map", ((-9, -9), (-8, -9), (-8, -8))), display) is None


def test_traces_are_searched_for_once_one_stays_with_a_selection(visit, monkeypatch):
    monkeypatch.setattr("dashboard.results.selection._RESTS_S", 0.3)
    asked = []

    async def steps(session, results):
        engine = results.engine
        plain = engine.identify

        def identify(spectrum, *, search=True, **more):
            asked.append((spectrum.n_pixels, search))
            return plain(spectrum, search=search, **more)

        engine.identify, engine.is_searched = identify, lambda spectrum: spectrum.n_pixels > 20
        session.selection = Selection("map", ((1, 1), (9, 1), (9, 7), (1, 7)))
        while results.selected is None or results.selected.identified is None:
            await asyncio.sleep(0.01)
        assert [search for _, search in asked] == [False]
        # The next selection comes before the search of the last one has begun.
        session.selection = Selection("map", ((1, 1), (12, 1), (12, 9), (1, 9)))
        await results.settled()
        (first, _), *others = asked
        assert [search for _, search in others] == [False, True]
        assert first not in {n for n, _ in others}
        assert results._is_searched
        session.selection = Selection("pixel", ((3, 3),))
        await results.settled()
        assert asked[-1] == (1, False)

    visit(steps)
