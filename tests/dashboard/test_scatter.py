"""Two elements against each other, selected both ways; and how all of them go together."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.plots.axes import axis_limits, on_axis
from dashboard.session import Selection, Session
from dashboard.views.embedding import EmbeddingView
from dashboard.views.scatter import CorrelationView, ScatterView, paired


def lasso(view, vertices) -> None:
    """As the browser leaves a finished lasso in the mailbox."""
    x, y = zip(*vertices, strict=True)
    view._plot._take_drawn(
        "data", {}, {"x": list(x), "y": list(y), "how": ["polygon - 0 1", *[""] * (len(x) - 1)]}
    )


@pytest.mark.parametrize("is_log", [False, True])
def test_a_lasso_in_the_scatter_selects_its_pixels_and_can_be_restored(visit, is_log):
    async def steps(session, results):
        session.param.update(method="roi", points="elements", across="Pb", up="Fe", log_axes=is_log)
        await results.settled()
        view = ScatterView(session, results)
        view.show(True)
        low, top = (np.log10(20), 6.0) if is_log else (20.0, 1e6)
        lasso(view, [(low, -9), (top, -9), (top, top), (low, top)])
        await results.settled()
        expected = results.maps["Pb"] > 20
        assert 50 < expected.sum() < 500
        np.testing.assert_array_equal(results.selected.mask, expected)
        assert "by Pb and Fe" in results.selected.title
        chosen = session.selection
        assert (chosen.element, chosen.element_up, chosen.method) == ("Pb", "Fe", "roi")
        assert Selection.from_dict(chosen.to_dict()) == chosen
        session.method = "probability"  # the maps it was drawn on are shown no more
        await results.settled()
        session.selection = None
        session.selection = chosen
        await results.settled()
        np.testing.assert_array_equal(results.selected.mask, expected)

    visit(steps)


def test_a_damaged_scatter_selection_is_refused():
    sound = Selection("scatter", ((0, 0), (1, 0), (1, 1)), element="Pb", element_up="Fe").to_dict()
    for broken in ({"element_up": ""}, {"vertices": [[0, 0]]}, {"region_px": 0}):
        with pytest.raises(ValueError, match="damaged"):
            Selection.from_dict({**sound, **broken})


def test_the_pair_follows_the_map_until_it_is_chosen(visit):
    async def steps(session, results):
        session.element = "Cu"
        across, up = paired(session, results)
        assert across == "Cu"
        assert up in {f.element for f in results.found} - {"Cu"}
        session.param.update(across="Hg", up="Pb")
        assert paired(session, results) == ("Hg", "Pb")
        session.up = "Xx"  # of a stale link
        assert paired(session, results)[0] == "Hg"

    visit(steps)


def test_the_correlation_follows_the_selection(visit):
    async def steps(session, results):
        session.param.update(across="Pb", up="Fe")
        view = ScatterView(session, results)
        view.show(True)
        await results.settled()
        assert "whole scan, 768 pixels" in view._bar.text
        assert "Spearman −" in view._bar.text, "they lie in different quarters"
        session.selection = Selection("map", ((1, 1), (9, 1), (9, 7), (1, 7)))
        await results.settled()
        assert f"selection, {results.selected.mask.sum()} pixels" in view._bar.text

    visit(steps)


def test_the_view_is_built_when_it_is_first_asked_for(visit):
    async def steps(session, results):
        built = []

        def build():
            built.append(ScatterView(session, results))
            return built[-1]

        pane = EmbeddingView(session, results, build)
        assert not built
        session.points = "elements"
        assert len(built) == 1
        assert built[0]._plot.is_seen
        assert not pane._plot.is_seen
        session.points = "embedding"
        assert pane._plot.is_seen
        assert not built[0]._plot.is_seen
        session.points = "elements"
        assert len(built) == 1
        again = Session()
        assert again.restore(session.query()) == []
        assert again.points == "elements"

    visit(steps)


def test_the_table_shows_all_found_elements_within_a_region(visit):
    async def steps(session, results):
        session.stage = "correlations"
        view = CorrelationView(session, results)
        view.shown()
        await results.settled()
        names = view._table.elements
        assert {"Pb", "Fe", "Cu", "Hg"} <= set(names)
        values = np.array(view._table.values, float)
        np.testing.assert_allclose(values, values.T)
        assert "768 pixels" in view._table.caption
        results.keep(np.arange(768).reshape(24, 32) < 200, "upper part")
        await results.settled()
        assert "upper part" in [word for word, _ in view._where.options]
        session.table_of = session.regions[0].id
        session.coefficient = "pearson"
        await results.settled()
        assert "upper part, 200 pixels" in view._table.caption
        view._table._on_message({"pair": ["Hg", "Cu"]})
        assert (session.across, session.up) == ("Hg", "Cu")
        assert (session.points, session.stage) == ("elements", "")

    visit(steps)


def test_axes_show_counts_of_zero_and_below():
    values = np.array([-3.0, 0.0, 0.5, 10.0, 1000.0])
    np.testing.assert_allclose(on_axis(values, "roi", True)[:3], np.log10(0.5))
    assert on_axis(values, "roi", True)[3] == 1
    np.testing.assert_array_equal(on_axis(values, "roi", False), values)
    low, high = axis_limits(on_axis(values, "roi", False), "roi", False)
    assert low < -3
    assert high > 1000
    assert axis_limits(values, "probability", False) == (-0.04, 1.04)
