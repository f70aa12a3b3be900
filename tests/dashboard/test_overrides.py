"""Elements the user overrules: sorted, undone, kept with the data set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.keeping.history import ONE_STEP_S, History
from dashboard.plots.thumbnails import entries
from dashboard.results import Results
from dashboard.results.listing import listing, seen
from dashboard.session import Session
from dashboard.session.overrides import VERDICTS, Overrides
from dashboard.views.map_grid import MapGridView
from dashboard.views.periodic_table import PeriodicTableView
from dashboard.views.small_maps import SmallMapsView
from xrfengine import ElementMaps
from xrfengine.errors import XRFError
from xrfengine.findings import Found, Identified
from xrfengine.lines import ELEMENTS

MAPS = ElementMaps(
    ("Fe", "Cu", "As", "Co", "Hg"), np.zeros((5, 100, 200), np.float32), "probability"
)
ABOVE = (
    Found("Cu", 0.9, 0.99, True),
    Found("Fe", 0.4, 0.98),
    Found("As", 0.1, 0.8),
    Found("Hg", 0.0002, 0.6, is_few=True),
)


def symbols(items):
    return [item.element for item in items]


def said(**verdicts):
    return Overrides("demo").changed(verdicts)


def test_nothing_said_leaves_what_was_found():
    lists = listing(ABOVE, Overrides(), MAPS)
    assert symbols(lists.found) == ["Fe", "As", "Cu"]
    assert symbols(lists.few) == ["Hg"]
    assert lists.overruled == ()


def test_elements_are_taken_away_added_and_freed_of_the_tube():
    lists = listing(ABOVE, said(As="absent", Co="present", Hg="present", Cu="present"), MAPS)
    assert symbols(lists.found) == ["Cu", "Fe", "Hg", "Co"]
    assert not lists.found[0].is_instrument
    assert lists.found[-1].share == 0.0
    assert lists.few == ()
    assert symbols(lists.overruled) == ["As"]
    assert symbols(listing(ABOVE, said(Co="absent"), MAPS).overruled) == ["Co"]
    # What the maps do not hold cannot be shown.
    assert "U" not in symbols(listing(ABOVE, said(U="present"), MAPS).found)


def test_a_spectrum_shows_what_the_user_lets_count():
    rows = [("Fe", True, False), ("As", True, False), ("Cu", True, True), ("Rh", True, True)]
    identified = [Identified(s, 0.9, 0.5, present, tube) for s, present, tube in rows]
    identified.append(Identified("U", 0.1, 0.5, False, False))
    overrides = said(As="absent", Cu="present", U="present")
    assert [item.symbol for item in seen(identified, overrides)] == ["Fe", "Cu"]


VERDICT = st.dictionaries(st.sampled_from(["Fe", "Cu", "As"]), st.sampled_from([*VERDICTS, ""]))


@given(VERDICT, VERDICT)
def test_changes_lead_from_one_to_the_other(first, second):
    before, after = Overrides("demo").changed(first), Overrides("demo").changed(second)
    assert before.changed(after.changes_from(before)) == after
    assert Overrides.read("demo", dict(after.verdicts)) == after


def test_what_makes_no_sense_in_a_file_is_left_out():
    assert Overrides.read("demo", {"As": "absent", "Fe": 3}) == said(As="absent")
    assert Overrides.read("demo", ["As"]) == Overrides("demo")


def test_what_is_said_is_kept_with_the_data_set_and_undone(visit):
    async def steps(session, results):
        now = [0.0]
        history = History(session, clock=lambda: now[0])
        history.begin()
        session.overrule("Fe", "absent")
        assert symbols(results.overruled) == ["Fe"]
        assert "Fe" not in symbols(results.found)
        now[0] += 2 * ONE_STEP_S
        session.overrule("U", "present")
        await results.settled()
        assert "U" in symbols(results.found)
        assert results.notes.of("quarters")["overrides"] == {"Fe": "absent", "U": "present"}

        again = Results(results.engine, Session())
        again.open()
        await again.settled()
        assert symbols(again.overruled) == ["Fe"]
        again.close()

        history.undo()
        await results.settled()
        assert results.notes.of("quarters")["overrides"] == {"Fe": "absent"}
        history.undo()
        await results.settled()
        assert "overrides" not in results.notes.of("quarters")
        assert "Fe" in symbols(results.found)

    visit(steps)


def test_another_data_set_has_its_own_and_undoing_past_it_writes_nothing(visit):
    async def steps(session, results):
        now = [0.0]
        history = History(session, clock=lambda: now[0])
        history.begin()
        session.overrule("Fe", "absent")
        now[0] += 2 * ONE_STEP_S
        session.dataset = "line"
        await results.settled()
        assert session.overrides == Overrides("line")
        assert results.overruled == ()
        now[0] += 2 * ONE_STEP_S
        session.element = "Pb"
        while history.can_undo:
            history.undo()
            await results.settled()
        assert session.overrides.dataset == session.dataset == results.opened.id
        assert "overrides" not in results.notes.of("line")

    visit(steps)


def test_what_others_said_meanwhile_stays(visit):
    async def steps(session, results):
        results.notes.keep("quarters", "overrides", {"As": "absent"})
        session.overrule("Co", "present")
        await results.settled()
        assert results.notes.of("quarters")["overrides"] == {"As": "absent", "Co": "present"}

    visit(steps)


def test_what_cannot_be_kept_holds_for_the_visit_and_is_told(visit, monkeypatch):
    async def steps(session, results):
        def refuse(*args):
            raise XRFError("Nothing could be written", "Ask for room.")

        monkeypatch.setattr(results.notes, "keep", refuse)
        session.overrule("Fe", "absent")
        await results.settled()
        assert symbols(results.overruled) == ["Fe"]
        assert "Ask for room" in results.overrides_problem
        monkeypatch.undo()
        session.overrule("Pb", "absent")
        await results.settled()
        assert results.overrides_problem == ""
        assert results.notes.of("quarters")["overrides"] == {"Fe": "absent", "Pb": "absent"}

    visit(steps)


def test_every_list_goes_to_the_browser_in_the_order_in_which_it_is_shown(visit):
    async def steps(session, results):
        session.overrule("Fe", "absent")
        session.overrule("U", "present")
        items = entries(results)
        assert [item["symbol"] for item in items] == symbols(
            [
                *(f for f in results.found if not f.is_instrument),
                *results.few,
                *results.overruled,
                *(f for f in results.found if f.is_instrument),
            ]
        )
        by_symbol = {item["symbol"]: item for item in items}
        assert (by_symbol["Fe"]["list"], by_symbol["Fe"]["verdict"]) == ("overruled", "absent")
        assert (by_symbol["U"]["list"], by_symbol["U"]["verdict"]) == ("found", "present")

    visit(steps)


def test_what_the_maps_leave_out_can_still_be_taken_back(visit):
    async def steps(session, results):
        session.method = "fit"
        await results.settled()
        assert "U" not in results.maps.elements
        session.overrule("U", "present")
        session.overrule("Th", "absent")
        by_symbol = {item["symbol"]: item for item in entries(results)}
        assert not by_symbol["U"]["mapped"]
        assert (by_symbol["U"]["list"], by_symbol["Th"]["list"]) == ("found", "overruled")
        view = SmallMapsView(session, results)
        view._draw()
        await view._work.finished()
        assert {i["symbol"] for i in view._strip.items} == {
            i["symbol"] for i in entries(results) if i["mapped"]
        }

    visit(steps)


def views_of(view_class, visit, steps):
    """Run ``steps(session, results, view)`` over an open scan."""

    async def main(session, results):
        view = view_class(session, results)
        await steps(session, results, view)

    visit(main)


def test_the_periodic_table_follows_thresholds_methods_and_words(visit):
    async def steps(session, results, view):
        session.stage = "table"
        view.shown()
        await view._lines.finished()
        table = view._table
        cells = {cell["symbol"]: cell for cell in table.cells}
        assert len(cells) == 92
        assert cells["Fe"]["known"]
        assert not any(cells[symbol]["known"] for symbol in ("H", "Ne", "Tc", "Rn"))
        assert dict(cells["Fe"]["lines"])["Kα"] == pytest.approx(6.40, abs=0.01)
        assert "Kα" not in dict(cells["Pb"]["lines"]), "beyond the measured range"
        fe = next(item for item in table.found if item["symbol"] == "Fe")

        table.value = "Fe"
        assert session.element == "Fe"
        await view._picture.finished()
        assert table.detail["symbol"] == "Fe"
        assert table.detail["top"] == results.maps["Fe"].max()
        session.threshold = 0.99999
        await results.settled()
        changed = next(item for item in table.found if item["symbol"] == "Fe")
        assert changed["share"] < fe["share"]

        session.method = "roi"
        await results.settled()
        assert table.kind == "roi"
        assert max(item["strength"] for item in table.found) > 10

        view._take_message({"symbol": "Fe", "verdict": "absent"})
        assert session.overrides.of("Fe") == "absent"
        assert next(i for i in table.found if i["symbol"] == "Fe")["list"] == "overruled"
        view._take_message({"symbol": "Fe", "verdict": "nonsense"})
        view._take_message({"symbol": "Xx", "verdict": "absent"})
        assert session.overrides.verdicts == (("Fe", "absent"),)
        view._take_message({"show": True})
        assert session.stage == ""
        session.overrule("Fe", "")
        assert next(i for i in table.found if i["symbol"] == "Fe")["list"] == "overruled", (
            "what is not on stage does not work"
        )

    views_of(PeriodicTableView, visit, steps)


def test_all_maps_are_drawn_as_they_lie_and_a_click_chooses(visit):
    async def steps(session, results, view):
        session.stage = "maps"
        view.shown()
        await view._work.finished()
        grid = view._grid
        assert [i["symbol"] for i in grid.items] == [i["symbol"] for i in entries(results)]
        assert all(i["src"].startswith("data:image/png") for i in grid.items)
        assert grid.aspect == pytest.approx(32 / 24)
        session.turns = 1
        await view._work.finished()
        assert grid.aspect == pytest.approx(24 / 32)
        view._take_message({"choose": "Xx"})
        assert session.stage == "maps"
        view._take_message({"choose": "Hg"})
        assert (session.element, session.stage) == ("Hg", "")

    views_of(MapGridView, visit, steps)


def test_the_strip_shows_a_map_of_each_in_the_list(visit):
    async def steps(session, results, view):
        session.overrule("Fe", "absent")
        await view._work.finished()
        items = view._strip.items
        assert {i["symbol"] for i in items} == {i["symbol"] for i in entries(results)}
        found = [abs(i["share"] - 0.5) for i in items if i["list"] == "found"]
        assert found == sorted(found), "those with a picture come first"
        assert [i["list"] for i in items[: len(found)]] == ["found"] * len(found)
        assert {i["symbol"]: i["verdict"] for i in items}["Fe"] == "absent"
        assert view._strip.shape == (32, 24)
        view._take_message({"all": True})
        assert session.stage == "maps"

    views_of(SmallMapsView, visit, steps)


def test_an_added_element_is_fitted_with_the_others_and_taken_away_again(visit):
    async def steps(session, results):
        assert "Co" not in results.maps.elements
        before = results.maps
        session.overrule("Co", "present")
        await results.settled()
        assert set(results.maps.elements) == {*before.elements, "Co"}
        assert results.errors["Co"].shape == results.maps["Co"].shape
        # Next to nothing: what iron and copper leave over.
        assert results.maps["Co"].mean() < 0.05 * results.maps["Fe"].mean()
        fit = results.engine.fit(results.opened.cube, also=("Co",))
        assert results.starts["Co"] == pytest.approx(3 * np.median(fit["Co K"][1]), rel=1e-5)
        assert "Co" in symbols(results.found)
        session.method = "probability"
        await results.settled()
        shown = results.maps
        session.overrule("Ni", "present")
        await results.settled()
        assert results.maps is shown, "probabilities are not computed again"
        session.overrule("Co", "")
        session.overrule("Ni", "")
        session.method = "fit"
        await results.settled()
        assert results.maps.elements == before.elements

    visit(steps, method="fit")


def test_a_kept_element_is_fitted_when_the_scan_is_opened(engine, visit):
    async def steps(session, results):
        session.overrule("Co", "present")
        await results.settled()

        async def later(session, results):
            assert "Co" in results.maps.elements
            assert results.added() == ("Co",)

        other = Session(method="fit")
        again = Results(engine, other)
        again.open()
        await again.settled()
        await later(other, again)
        again.close()

    visit(steps, method="fit")


def test_the_fit_over_the_spectrum_holds_added_elements(visit):
    async def steps(session, results):
        elements = results.reading.fit.solution.elements
        session.overrule("Co", "present")
        await results.settled()
        added = set(results.reading.fit.solution.elements) - set(elements)
        assert [ELEMENTS[int(i)] for i in added] == ["Co"]
        assert "Co" not in results.reading.reported, "it is fitted, not found"

    visit(steps, show_fit=True)
