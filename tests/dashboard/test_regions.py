"""The regions that are kept of selections: their list, their curves, their outlines."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from dashboard.keeping.history import History
from dashboard.plots import figures
from dashboard.plots.outlines import borders, path, within
from dashboard.results.chosen import region_name
from dashboard.session import Selection, Session
from dashboard.views.embedding import EmbeddingView
from dashboard.views.regions import RegionsView
from dashboard.views.spectrum import SpectrumView
from xrfengine.regions import OKABE_ITO, Region

LEFT = Selection("map", ((-1, -1), (9.5, -1), (9.5, 30), (-1, 30)))
TOP = Selection("map", ((-1, -1), (40, -1), (40, 5.5), (-1, 5.5)))


def test_kept_regions_are_never_worked_out_again(visit, engine):
    calls = []
    real = engine.region_spectrum
    engine.region_spectrum = lambda *a, **k: calls.append(a[1].sum()) or real(*a, **k)

    async def steps(session, results):
        for part in (LEFT, TOP, Selection("pixel", ((3, 3),))):
            session.draw(part, "new")
            await results.settled()
            results.keep_selection()
            await results.settled()
        assert len(calls) == 3, "one for each selection, none for the region made of it"
        assert session.selection is None
        assert [r.name for r in session.regions] == ["Region 1", "Region 2", "Region 3"]
        assert [r.colour for r in session.regions] == list(OKABE_ITO[:3])
        first = results.regions[0]
        assert first.n_pixels == first.mask.sum() == first.spectrum.n_pixels
        assert {i.symbol for i in first.identified if i.present} >= {"Pb"}
        session.change_region(first.region.id, name="Flag")
        session.drop_region(session.regions[1].id)
        await results.settled()
        assert [f.region.name for f in results.regions] == ["Flag", "Region 3"]
        assert results.regions[0].spectrum is first.spectrum
        session.draw(TOP, "new")
        await results.settled()
        results.keep_selection()
        await results.settled()
        assert session.regions[2].colour == OKABE_ITO[1], "the colour that was given back"
        assert len(calls) == 4

    visit(steps)


def test_what_the_instrument_shows_is_told_apart_from_the_sample(visit, engine):
    real = engine.identify

    def identify(*a, **k):
        return tuple(
            replace(item, is_instrument=True, present=True) if item.symbol in ("Zn", "Ar") else item
            for item in real(*a, **k)
        )

    engine.identify = identify

    async def steps(session, results):
        view = RegionsView(session, results)
        session.draw(LEFT, "new")
        await results.settled()
        card = view._selection
        assert set(card.instrument.split()) == {"Zn", "Ar"}
        assert "Zn" not in {item["symbol"] for item in card.items}
        session.overrule("Zn", "present")  # the user knows better
        assert card.instrument == "Ar"
        assert "Zn" in {item["symbol"] for item in card.items}
        session.selection = None
        await results.settled()
        assert card.instrument == ""

    visit(steps)


def test_keeping_waits_for_a_selection_on_its_way(visit):
    async def steps(session, results):
        session.draw(LEFT)
        results.keep_selection()
        await results.settled()
        assert results.regions[0].n_pixels == 240
        assert results.regions[0].identified
        assert session.selection is None

    visit(steps)


def test_regions_are_selected_again_and_combined(visit):
    async def steps(session, results):
        for part in (LEFT, TOP):
            session.draw(part, "new")
            results.keep_selection()
            await results.settled()
        left, top = (facts.mask for facts in results.regions)
        ids = [region.id for region in session.regions]
        for operation, expected in (
            ("add", left | top), ("subtract", left & ~top), ("intersect", left & top)
        ):  # fmt: skip
            results.select_region(ids[0], "new")
            results.select_region(ids[1], operation)
            await results.settled()
            np.testing.assert_array_equal(results.selected.mask, expected)

    visit(steps)


def test_regions_are_undone_redone_and_kept_in_views(visit, engine):
    clock = iter(range(1000))

    async def steps(session, results):
        history = History(session, lambda: next(clock))
        session.draw(LEFT)
        await results.settled()
        results.keep_selection()
        await results.settled()
        region, spectrum = session.regions[0], results.regions[0].spectrum
        session.drop_region(region.id)
        assert results.regions == ()
        history.undo()
        await results.settled()
        assert session.regions == (region,)
        assert results.regions[0].spectrum is spectrum, "not worked out again"
        history.redo()
        assert session.regions == ()
        history.undo()
        state = json.loads(json.dumps(session.state()))
        other = Session()
        assert other.restore_state(state) == []
        assert other.regions == (region,)
        session.dataset = "line"
        await results.settled()
        assert session.regions == ()

    visit(steps)


@pytest.mark.parametrize(
    "regions",
    [
        "x",
        [{"id": "a"}],
        [{"id": "a", "name": "n", "colour": "red;x", "shape": "labels", "geometry": [0, 4]}],
        [{"id": "a", "name": "n", "colour": "#112233", "shape": "labels", "geometry": [0, -4]}],
        [{"id": "a", "name": "n", "colour": "#112233", "shape": "labels", "geometry": [0, 4]}] * 2,
    ],
)
def test_damaged_regions_of_a_view_are_told(regions):
    state = {"address": {}, "large": {"regions": regions}}
    session = Session()
    notices = session.restore_state(state)
    assert len(notices) == 1
    assert "region" in notices[0]
    assert session.regions == ()


def test_a_region_of_another_scan_is_told(visit):
    region = Region("a", "Elsewhere", "#112233", "labels", (5_000, 100))

    async def steps(session, results):
        assert results.regions[0].error is not None
        assert "another scan" in results.regions[0].error.hint

    visit(steps, regions=(region,))


def test_names_of_regions():
    assert region_name(LEFT, set()) == "Region 1"
    assert region_name(LEFT, {"Region 1", "Region 2"}) == "Region 3"
    assert region_name(Selection("cluster", cluster=2), set()) == "Cluster 3"
    above = Selection("threshold", element="Fe")
    assert region_name(above, {"Fe above threshold"}) == "Fe above threshold 2"


def curves(view):
    """The curves of regions a spectrum view shows, by colour."""
    lines = [r for r in view.figure.model.renderers if (r.name or "").startswith("region-")]
    return {r.glyph.line_color: r.data_source.data["counts"] for r in lines if r.visible}


def test_regions_are_compared_as_curves(visit):
    async def steps(session, results):
        view = SpectrumView(session, results)
        results.param.trigger("opened")
        for part in (LEFT, TOP):
            session.draw(part, "new")
            results.keep_selection()
            await results.settled()
        first, second = session.regions
        spectra = [facts.spectrum for facts in results.regions]
        shown = curves(view)
        assert list(shown) == [first.colour, second.colour]
        np.testing.assert_allclose(shown[first.colour], spectra[0].mean_counts, rtol=1e-5)
        session.statistic = "sum"
        np.testing.assert_allclose(curves(view)[second.colour], spectra[1].counts, rtol=1e-5)
        session.statistic = "max"
        await results.settled()
        most = results.opened.cube.counts[results.regions[0].mask].max(axis=0)
        np.testing.assert_array_equal(curves(view)[first.colour], most)
        session.statistic, session.equal_area = "mean", True
        areas = [counts[8:].sum() for counts in curves(view).values()]
        whole = results.opened.whole.mean_counts[8:].sum()  # from 0.3 keV on
        np.testing.assert_allclose(areas, [whole, whole], rtol=1e-4)
        session.hidden_curves = (first.id, "scan")
        assert list(curves(view)) == [second.colour]
        assert [chip[3] for chip in view._strip.chips] == [False, False, True]
        assert figures.layer(view.figure.model, "whole").data_source.data["counts"] == []
        session.drop_region(second.id)
        assert curves(view) == {}

    visit(steps)


def test_regions_follow_another_calibration(visit):
    async def steps(session, results):
        session.draw(LEFT)
        results.keep_selection()
        await results.settled()
        before = results.regions[0]
        moved = replace(results.opened.cube.calibration, gain_kev=0.041)
        results.opened = replace(
            results.opened, cube=results.engine.recalibrated(results.opened.cube, moved)
        )
        results._follow_regions()
        await results.settled()
        after = results.regions[0]
        assert after.spectrum.calibration == moved
        np.testing.assert_array_equal(after.spectrum.counts, before.spectrum.counts)
        assert after.outline is not None

    visit(steps)


def test_outlines_of_a_haze_show_where_most_of_it_is():
    rng = np.random.default_rng(3)
    mask = rng.random((300, 300)) < 0.02
    mask[100:200, 100:200] |= rng.random((100, 100)) < 0.8
    runs = borders(mask)
    assert 0 < len(runs) < 6_000
    assert 80 < runs[:, 0].min() < 110
    assert 190 < runs[:, 3].max() < 220
    assert len(borders(np.zeros((9, 9), bool))) == 0


def test_outlines_end_where_the_picture_does():
    mask = np.zeros((10, 12), bool)
    mask[2:8, 3:9] = True
    runs = within(borders(mask), (4.5, -0.5, 11.5, 9.5))
    assert sorted(map(tuple, runs.tolist())) == [
        (4.5, 1.5, 8.5, 1.5), (4.5, 7.5, 8.5, 7.5), (8.5, 1.5, 8.5, 7.5)
    ]  # fmt: skip
    x, y = path(runs)
    assert np.isnan(x[2::3]).all()
    assert np.isfinite(np.delete(x, np.s_[2::3])).all()
    assert len(x) == len(y) == 9


def test_the_embedding_is_coloured_by_region(visit):
    async def steps(session, results):
        view = EmbeddingView(session, results)
        results.param.trigger("embedding")
        session.colour_by = "region"
        session.draw(LEFT)
        results.keep_selection()
        await results.settled()
        await view._plot._shade.finished()

        def share_of(colour):
            image = figures.layer(view._plot.figure, "points").data_source.data["image"][0]
            parts = [(image >> shift) & 255 for shift in (0, 8, 16)]
            wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            return np.all([p == w for p, w in zip(parts, wanted, strict=True)], axis=0).mean()

        (region,) = session.regions
        assert share_of(region.colour) > 0
        session.change_region(region.id, colour="#112233")
        await view._plot._shade.finished()
        assert share_of(region.colour) == 0
        assert share_of("#112233") > 0
        session.hidden_regions = (region.id,)
        await view._plot._shade.finished()
        assert share_of("#112233") == 0

    visit(steps)


def test_the_list_tells_the_area_by_the_size_of_a_pixel(visit):
    async def steps(session, results):
        view = RegionsView(session, results)
        session.draw(LEFT)
        results.keep_selection()
        await results.settled()
        assert view._list.items[0]["size"] == "240 px"
        results.keep_pixel_size(0.5)
        assert view._list.items[0]["size"] == "240 px · 60 mm²"
        assert view._list.items[0]["counts"].startswith(
            f"{results.regions[0].spectrum.total:,.0f} counts"
        )

    visit(steps)
