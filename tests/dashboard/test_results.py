"""What choices lead to, with no browser: the session is set, the results are looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dashboard.plots.display import Display
from dashboard.results import Results
from dashboard.session import Selection, Session
from dashboard.shown import Painted
from dashboard.views.map import MapView
from xrfengine import Instrument
from xrfengine.findings import Found


def test_opening_shows_maps_elements_spectrum_and_clusters(visit):
    async def steps(session, results):
        assert results.opened.id == session.dataset == "quarters"
        assert results.map_state.kind == "ready"
        assert results.maps.region_px == 1
        assert {"Pb", "Fe", "Cu", "Hg"} <= {f.element for f in results.found}
        assert session.element in results.maps.elements
        assert results.embedding_state.kind == "ready"
        assert results.cluster_state.kind == "ready"
        assert results.clusters.clustering.n_clusters >= 3
        assert results.opened.whole.n_pixels == 24 * 32

    visit(steps)


def test_a_lower_threshold_finds_more(visit):
    async def steps(session, results):
        session.element = "Fe"
        before = {f.element: f.share for f in results.found}["Fe"]
        session.threshold = 0.001
        await results.settled()
        after = {f.element: f.share for f in results.found}["Fe"]
        assert after > before
        session.threshold = None
        await results.settled()
        assert {f.element: f.share for f in results.found}["Fe"] == before

    visit(steps)


def test_region_size_recomputes_and_only_the_latest_counts(visit):
    async def steps(session, results):
        shown = []
        results.param.watch(lambda e: shown.append(e.new.region_px), "maps")
        for k in (2, 5, 10, 2):
            session.region_px = k
        await results.settled()
        assert results.maps.region_px == 2
        assert results.map_state.kind == "ready"
        assert shown[-1] == 2
        assert shown == sorted(shown, reverse=True), "coarse first"

    visit(steps)


def test_net_counts_are_maps_too(visit):
    async def steps(session, results):
        session.method = "roi"
        await results.settled()
        assert results.maps.kind == "roi"
        assert results.starts["Fe"] >= 1.0
        assert results.maps["Fe"].max() > 10

    visit(steps)


def test_fitted_maps_come_with_errors_and_keep_the_chosen_element(visit):
    async def steps(session, results):
        session.element = "Fe"
        session.method = "fit"
        await results.settled()
        assert results.map_state.kind == "ready"
        assert results.maps.kind == "fit"
        assert set(results.errors) == set(results.maps.elements) >= {"Fe", "Pb", "Cu"}
        inside = results.maps["Fe"] > 50  # of 30 counts at the top of two lines, some 130 wide
        assert inside.any()
        assert (results.errors["Fe"][inside] >= 0.8 * np.sqrt(results.maps["Fe"][inside])).all()
        session.element = "U"  # not in this scan, so not in the fit
        await results.settled()
        assert session.element == "U"
        session.method = "probability"
        await results.settled()
        assert results.errors is None

    visit(steps)


def test_clusters_are_maps_too_and_follow_the_clusters(visit):
    async def steps(session, results):
        session.method = "cluster"
        await results.settled()
        labels = results.clusters.clustering.labels
        place = results.maps.elements.index("Fe")
        for label, row in enumerate(results.clusters.probabilities):
            assert (results.maps["Fe"][labels == label] == row[place]).all()
        before = results.maps
        session.cluster_method = "som"
        session.som_rows = session.som_columns = 2
        await results.settled()
        assert results.maps is not before
        assert len(np.unique(results.maps["Fe"])) <= 4

    visit(steps)


def test_elements_of_the_instrument_are_listed_apart(visit, engine):
    cube = engine.cubes["quarters"]
    engine.cubes["quarters"] = replace(cube, instrument=Instrument(tube_anode="Cu"))

    async def steps(session, results):
        marked = {f.element: f.is_instrument for f in results.found}
        assert marked["Cu"]
        assert not marked["Fe"]
        assert results.found[-1].is_instrument
        assert session.element != "Cu"

    visit(steps)


def test_maps_at_hand_are_shown_in_one_step_with_the_scan(visit):
    async def steps(session, results):
        again = Results(results.engine, Session())
        seen = []
        again.param.watch(lambda e: seen.append(e.new.region_px), "maps")
        again.open()
        await again._open.finished()
        assert seen == [1], "neither coarser maps nor another detour"
        assert again.map_state.kind == "ready"
        assert again.found == results.found
        again.close()

    visit(steps)


def test_partial_maps_are_shown_under_one_range_of_colours(visit):
    async def steps(session, results):
        session.element = "Fe"
        whole, coarse = results.maps, results.engine.maps(results.opened.cube, "probability", 5)
        kind = {"kind": "roi"}
        results._show_partial(Painted(replace(coarse, **kind), {"Fe": 3.0}, results.found))
        top = results.top("Fe")
        brighter = replace(whole, values=whole.values * 900, **kind)
        results._show_partial(brighter)
        assert results.maps is brighter
        assert results.top("Fe") == top
        results._show_whole(Painted(brighter, {"Fe": 5.0}, results.found), 1.0)
        assert results.top("Fe") > top
        assert results.starts == {"Fe": 5.0}

    visit(steps)


def test_a_lasso_on_the_map_gives_spectrum_and_elements(visit):
    async def steps(session, results):
        session.selection = Selection("map", ((1, 1), (9, 1), (9, 7), (1, 7)))
        await results.settled()
        selected = results.selected
        assert selected.mask.sum() == selected.spectrum.n_pixels > 20
        assert not selected.mask[12:].any()
        expected = results.opened.cube.counts[selected.mask].sum(0)
        np.testing.assert_array_equal(selected.spectrum.counts, expected)
        present = {i.symbol for i in selected.identified if i.present}
        assert "Pb" in present
        assert "Fe" not in present
        session.selection = None
        assert results.selected is None

    visit(steps)


def test_a_lasso_on_the_embedding_lights_up_its_pixels(visit):
    async def steps(session, results):
        points = results.embedding.coordinates
        low, high = points.min(0) - 1, points.max(0) + 1
        box = ((low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]))
        session.selection = Selection("embedding", box)
        await results.settled()
        assert results.selected.mask.all()
        assert "embedding" in results.selected.title

    visit(steps)


def test_choosing_a_cluster_selects_its_pixels(visit):
    async def steps(session, results):
        session.cluster = 1
        await results.settled()
        labels = results.clusters.clustering.labels
        np.testing.assert_array_equal(results.selected.mask, labels == 1)
        session.cluster_method = "som"
        session.som_rows = session.som_columns = 2
        await results.settled()
        assert results.clusters.clustering.method == "som"
        assert results.clusters.clustering.n_clusters <= 4

    visit(steps)


def test_a_cluster_from_a_link_is_chosen_once_there_are_clusters(visit):
    async def steps(session, results):
        assert session.cluster == 1
        labels = results.clusters.clustering.labels
        np.testing.assert_array_equal(results.selected.mask, labels == 1)
        session.dataset = "line"
        await results.settled()
        assert session.selection is None

    visit(steps, selection=Selection("cluster", cluster=1), cluster=1)


def test_an_empty_lasso_is_explained_and_forgotten(visit):
    async def steps(session, results):
        session.selection = Selection("map", ((-9, -9), (-8, -9), (-8, -8)))
        await results.settled()
        assert results.selection_state.kind == "error"
        assert "pixel" in results.selection_state.message
        session.selection = Selection("map", ((0, 0), (9, 0), (9, 9), (0, 9)))
        await results.settled()
        assert results.selection_state.kind == "ready"

    visit(steps)


def test_a_broken_file_is_told_and_the_next_one_opens(visit):
    async def steps(session, results):
        assert results.map_state.kind == "error"
        assert "broken.h5" in results.map_state.message
        assert results.map_state.hint
        assert results.opened is None
        session.dataset = "quarters"
        await results.settled()
        assert results.opened.id == "quarters"
        assert results.map_state.kind == "ready"

    visit(steps, dataset="broken.h5")


def test_one_row_of_pixels(visit):
    async def steps(session, results):
        assert results.maps.values.shape[1:] == (1, 40)
        session.selection = Selection("map", ((-0.5, -0.5), (9.5, -0.5), (9.5, 0.5), (-0.5, 0.5)))
        await results.settled()
        assert results.selected.spectrum.n_pixels == 10

    visit(steps, dataset="line")


@pytest.mark.parametrize(("width", "spectra"), [(1, "One spectrum is"), (3, "3 spectra are")])
def test_too_few_spectra_to_cluster_are_told(visit, engine, width, spectra):
    cube = engine.cubes["quarters"]
    engine.cubes["quarters"] = replace(cube, counts=cube.counts[:1, :width])

    async def steps(session, results):
        assert results.map_state.kind == "ready"
        assert results.cluster_state.message == f"{spectra} too few to embed and to cluster"
        assert results.embedding_state == results.cluster_state

    visit(steps)


def test_results_of_a_closed_session_do_not_arrive(visit):
    async def steps(session, results):
        session.region_px = 5
        results.close()
        await results.settled()
        assert results.maps.region_px == 1

    visit(steps)


def test_what_is_on_screen_is_computed_first(visit, monkeypatch):
    async def steps(session, results):
        asked, maps = [], results.engine.maps

        def listen(cube, method, region_px, *, visible=None, **options):
            asked.append(visible)
            return maps(cube, method, region_px, visible=visible, **options)

        monkeypatch.setattr(results.engine, "maps", listen)
        view = MapView(session, results)
        view.canvas.open(results.opened.total_counts, Display((24, 32)))
        figure = view.canvas.figure
        for x_range, y_range, turns, visible in (
            ((-0.5, 31.5), (23.5, -0.5), 0, None),
            ((3.6, 10.4), (20.0, 5.0), 0, (5, 21, 4, 11)),
            ((-90.0, 90.0), (90.0, -90.0), 0, None),
            ((100.0, 200.0), (90.0, -90.0), 0, None),
            ((-0.5, 9.5), (31.5, -0.5), 1, (14, 24, 0, 32)),
        ):
            figure.x_range.update(start=x_range[0], end=x_range[1])
            figure.y_range.update(start=y_range[0], end=y_range[1])
            view.canvas.turn(Display((24, 32), turns=turns))
            assert view.canvas.visible() == visible
        session.region_px = 2
        await results.settled()
        assert asked[0] == (14, 24, 0, 32)
        assert results.maps.region_px == 2

    visit(steps)


def test_what_the_coarse_map_suggests_is_looked_at_again_in_the_fine_one(visit):
    coarse = (Found("Pb", 0.99, 1.0), Found("Fe", 0.5, 1.0), Found("Cu", 0.2, 1.0))
    fine = (Found("Pb", 0.99, 1.0), Found("Cu", 0.4, 1.0), Found("Fe", 0.02, 1.0))

    async def steps(session, results):
        def arrive(found, whole=False):
            painted = Painted(results.maps, results.starts, found)
            results._show_whole(painted, 1.0) if whole else results._show_partial(painted)

        def begin():
            session.element = ""
            arrive(coarse)
            assert session.element == "Fe"

        begin()
        arrive(fine, whole=True)
        assert session.element == "Cu"
        begin()
        arrive(coarse, whole=True)
        assert session.element == "Fe", "as telling as before"
        begin()
        session.element = "Pb"
        arrive(fine, whole=True)
        assert session.element == "Pb", "somebody chose it"

    visit(steps)
