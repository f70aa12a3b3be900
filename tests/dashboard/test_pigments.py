"""The card of pigment candidates: for the selection, else for the scan; folded at first."""

from __future__ import annotations

import numpy as np

from dashboard.session import Selection
from dashboard.views.pigments import PigmentsView, groups, net_counts
from xrfengine.cube import ElementMaps
from xrfengine.pigments import candidates

MERCURY = ((0.0, 13.0), (15.0, 13.0), (15.0, 23.0), (0.0, 23.0))
"""The quarter of the stand-in scan that holds it."""


async def looked(view, results):
    await results.settled()
    await view._looking.finished()


def titles(view):
    return [group["title"] for group in view.card.groups]


def test_folded_nothing_is_looked_up(visit):
    async def steps(session, results):
        view = PigmentsView(session, results)
        session.selection = Selection("map", MERCURY)
        await looked(view, results)
        assert view.card.groups == []
        assert not view._looking.is_running

    visit(steps)


def test_the_selection_decides_and_without_one_the_scan(visit):
    async def steps(session, results):
        view = PigmentsView(session, results)
        view._take_message({"open": True})
        await looked(view, results)
        assert "whole scan" in view.card.about
        assert {"Vermilion", "Zinc white"} & set(titles(view)) == {"Vermilion"}
        assert any("Lead white" in title for title in titles(view))
        for element in ("Pb", "Hg"):
            session.element = element
            assert element in view.card.groups[0]["elements"], "what the map shows comes first"
        session.selection = Selection("map", MERCURY)
        await looked(view, results)
        assert results.selected.title in view.card.about
        assert "Vermilion" in titles(view)
        assert not any("Azurite" in title for title in titles(view))
        told = next(g for g in view.card.groups if g["title"] == "Vermilion")["told"]
        assert told.startswith("Hg is here; S ")

    visit(steps)


def test_what_is_overruled_changes_the_candidates(visit):
    async def steps(session, results):
        view = PigmentsView(session, results)
        view._take_message({"open": True})
        await looked(view, results)
        session.overrule("Hg", "absent")
        await looked(view, results)
        assert "Vermilion" not in titles(view)

    visit(steps)


def test_pigments_of_the_same_elements_stand_together(visit):
    async def steps(session, results):
        verdicts = results.engine.identify(results.opened.whole, scan=results.opened.cube)
        listed = groups(candidates(verdicts))
        lead = next(group for group in listed if group["elements"] == "Pb")
        assert lead["title"] == "Lead white, massicot or red lead"
        assert "XRF does not" in lead["told"]
        assert len(lead["pigments"]) == 3

    visit(steps)


def test_net_counts_are_means_with_their_errors():
    values = np.arange(8, dtype=np.float32).reshape(1, 2, 4)
    maps = ElementMaps(("Fe",), values, "fit")
    mask = np.array([[True, True, False, False], [False] * 4])
    errors = {"Fe": np.full((2, 4), 2.0, np.float32)}
    mean, error = net_counts(maps, errors, mask)["Fe"]
    assert mean == 0.5
    assert np.isclose(error, 2.0 / np.sqrt(2.0))
    assert net_counts(maps, None, mask) == {}
