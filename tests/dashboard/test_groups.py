"""Clusters named, merged and cut by hand; an embedding outlives its visitor for a while."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from dashboard.keeping.history import History
from dashboard.results import Results
from dashboard.results.exports import areas_of
from dashboard.session import Session
from dashboard.views.clusters import ClustersView
from dashboard.views.grouped import NodesView, TreeView, drawn, node_heights
from dashboard.views.spectrum import SpectrumView
from xrfengine.cluster.embedding import Embedding
from xrfengine.errors import Cancelled


def test_a_name_belongs_to_its_pixels_and_comes_back_with_them(visit):
    async def steps(session, results):
        view = ClustersView(session, results)
        view._show()
        view._list._on_message({"name": [1, "  the  blue  cloak "]})
        assert results.cluster_name(1) == "the blue cloak"
        assert [item["given"] for item in view._list.items if item["given"]] == ["the blue cloak"]
        session.param.update(cluster_method="som", som_rows=1, som_columns=1)
        await results.settled()
        assert not any(item["given"] for item in view._list.items)
        session.cluster_method = "umap-hdbscan"
        await results.settled()
        assert results.cluster_name(1) == "the blue cloak"
        results.name_cluster(1, "")
        assert session.cluster_names == {}

    visit(steps)


def test_the_instruments_elements_say_nothing_of_a_cluster(visit):
    async def steps(session, results):
        view = ClustersView(session, results)
        view._show()
        named = set(view._list.items[0]["elements"])
        tube = sorted(named)[0]
        results.found = tuple(
            replace(item, is_instrument=item.element == tube) for item in results.found
        )
        assert set(view._list.items[0]["elements"]) == named - {tube}

    visit(steps)


def test_merging_sums_spectra_keeps_numbers_and_can_be_undone(visit):
    async def steps(session, results):
        before = results.clusters
        n = before.clustering.n_clusters
        history = History(session, clock=iter(range(10_000)).__next__)
        results.merge_clusters(2, 0)
        await results.settled()
        now = results.clusters
        assert now.clustering.n_clusters == n - 1
        assert now.clustering.numbers == (0, 1, *range(3, n))
        expected = before.spectra[0].counts + before.spectra[2].counts
        np.testing.assert_allclose(now.spectra[0].counts, expected)
        assert now.spectra[0].n_pixels == before.spectra[0].n_pixels + before.spectra[2].n_pixels
        assert session.cluster == 0
        assert results.selected.mask.sum() == now.clustering.sizes[0]
        results.keep_cluster(0)
        await results.settled()
        assert session.regions[-1].name == "Cluster 1"
        assert results.regions[-1].n_pixels == now.clustering.sizes[0]
        for _ in range(8):
            history.undo()
        await results.settled()
        assert results.clusters.clustering.n_clusters == n
        history.redo()
        await results.settled()
        results.take_apart(0)
        await results.settled()
        assert session.cluster_merges == ()
        assert results.clusters.clustering.n_clusters == n

    visit(steps)


def test_names_merges_and_cuts_are_kept_in_a_saved_view(visit):
    async def steps(session, results):
        results.find_tree()
        await results.settled()
        results.name_cluster(0, "ground")
        results.merge_clusters(0, 1)
        results.cut_by_hand(results.chosen_branches[:2])
        again = Session()
        assert again.restore_state(session.state()) == []
        for name in ("cluster_names", "cluster_merges", "cluster_branches"):
            assert getattr(again, name) == getattr(session, name) != again.param[name].default
        damaged = session.state()
        damaged["large"]["cluster_names"] = {"../..": "x"}
        damaged["large"]["cluster_merges"] = [["short"]]
        damaged["large"]["cluster_branches"] = {"a": [[1, 2]]}
        notices = Session().restore_state(damaged)
        assert len(notices) == 3
        assert all("damaged" in notice for notice in notices)

    visit(steps)


def test_the_tree_is_cut_by_hand_and_goes_back_to_automatic(visit):
    async def steps(session, results):
        view = TreeView(session, results)
        session.stage = "tree"
        view.shown()
        await results.settled()
        tree, before = results.tree, results.clusters.clustering
        assert len(view._tree.branches) == tree.size.size > 3
        assert {c["number"] for c in view._tree.chosen.values()} == set(before.numbers)
        index = tree.index(results.chosen_branches[0])
        parent = int(tree.parent[index])
        view._tree._on_message({"branch": parent})
        await results.settled()
        assert results.is_cut_by_hand
        joined = results.clusters.clustering
        assert joined.n_clusters < before.n_clusters
        assert joined.pixels(session.cluster).sum() == tree.size[parent]
        assert (results.selected.mask == joined.pixels(session.cluster)).all()
        view._map._on_message({"action": "split"})
        await results.settled()
        assert results.clusters.clustering.n_clusters == joined.n_clusters + 1
        view._tree._on_message({"level": 0.0})
        await results.settled()
        assert results.clusters.clustering.n_clusters == 1
        view._map._on_message({"action": "automatic"})
        await results.settled()
        assert not results.is_cut_by_hand
        np.testing.assert_array_equal(results.clusters.clustering.labels, before.labels)

    visit(steps)


def test_a_cut_belongs_to_its_settings(visit):
    async def steps(session, results):
        results.find_tree()
        await results.settled()
        results.cut_by_hand(results.chosen_branches[:1])
        await results.settled()
        assert results.clusters.clustering.n_clusters == 1
        session.min_cluster_size = 25
        await results.settled()
        assert not results.is_cut_by_hand
        assert results.clusters.clustering.n_clusters > 1
        session.min_cluster_size = 0
        await results.settled()
        assert results.clusters.clustering.n_clusters == 1

    visit(steps)


def test_each_cluster_is_told_apart_in_words(visit):
    async def steps(session, results):
        told = dict(zip(results.clusters.elements, results.cluster_texts, strict=True))
        for elements, text in told.items():
            if elements:
                assert "than elsewhere" in text
                assert elements[0] in text

    visit(steps)


def test_nodes_of_a_grid_show_their_spectra(visit):
    async def steps(session, results):
        view = NodesView(session, results)
        session.stage = "nodes"
        view.shown()
        assert view._cover.kind == "empty"
        session.param.update(cluster_method="som", som_rows=2, som_columns=3)
        await results.settled()
        items = view._nodes.items
        assert 2 <= len(items) <= 6
        assert all(0 <= item["number"] < 6 for item in items)
        heights = np.array([item["heights"] for item in items])
        assert heights.max() == 100
        assert heights.min() >= 0
        assert "keV" in view._nodes.axis
        view._nodes._on_message({"number": items[0]["number"]})
        await results.settled()
        assert results.selected.mask.sum() == items[0]["size"]
        assert view._map.title == items[0]["name"]

    visit(steps)


def test_a_renamed_cluster_is_called_so_wherever_it_is_selected(visit):
    async def steps(session, results):
        view = SpectrumView(session, results)
        session.cluster = 1
        await results.settled()
        n = results.clusters.clustering.sizes[1]
        assert results.selected.title == f"Cluster 2, {n:,} pixels"
        spectrum = results.selected.spectrum
        results.name_cluster(1, "Blue robe")
        assert results.selected.title == f"Blue robe, {n:,} pixels"
        assert results.selected.spectrum is spectrum, "nothing is computed again"
        assert "Blue robe" in [chip[1] for chip in view._strip.chips]
        session.cluster = None
        await results.settled()
        session.cluster = 1
        await results.settled()
        assert results.selected.title.startswith("Blue robe")
        assert areas_of(results)[0].spectrum.name == f"Blue robe, {n:,} pixels"
        results.keep_selection()
        await results.settled()
        assert session.regions[-1].name == "Blue robe"
        session.cluster = 0
        await results.settled()
        assert [chip[1] for chip in view._strip.chips][1] == "Cluster 1"

    visit(steps)


@pytest.fixture
def on_grid(visit):
    """Run ``async def steps(session, results, view)`` with the grid of four nodes on stage."""
    choices = {"stage": "nodes", "cluster_method": "som", "som_rows": 2, "som_columns": 2}
    return partial(visit, make=NodesView, **choices)


def test_texts_and_grids_do_not_name_what_the_user_says_is_not_here(on_grid):
    async def steps(session, results, view):
        texts = results.cluster_texts
        label = next(n for n, text in enumerate(texts) if "Cu" in text.replace(",", "").split())
        assert "Cu" in view._nodes.items[label]["elements"]
        session.overrule("Cu", "absent")
        assert "Cu" not in " ".join(results.cluster_texts).replace(",", "").split()
        assert "Cu" not in view._nodes.items[label]["elements"]
        session.overrule("Cu", "")
        assert results.cluster_texts == texts

    on_grid(steps)


def test_a_merged_node_says_where_its_pixels_are(on_grid):
    async def steps(session, results, view):
        assert view._nodes.joined == []
        first, *_, last = results.clusters.clustering.numbers
        results.merge_clusters(last, first)
        await results.settled()
        assert view._nodes.joined == [[last, first]]

    on_grid(steps)


def test_the_drawn_tree_fits_its_picture(visit):
    async def steps(session, results):
        results.find_tree()
        await results.settled()
        steps = np.concatenate([np.array(branch["steps"]) for branch in drawn(results.tree)])
        assert steps.min() >= 0
        assert steps.max() <= 1
        assert node_heights(())[0] == []

    visit(steps)


@pytest.fixture
def slow(engine, monkeypatch):
    """The engine, whose embedding waits until it is let go."""
    engine.go, engine.runs, engine.ended = threading.Event(), [], []

    def embedding(cube, features, settings, *, progress, cancel):
        def compute(*, progress, cancel):
            engine.runs.append(1)
            while not engine.go.wait(0.02):
                if cancel.is_cancelled:
                    engine.ended.append(1)
                    raise Cancelled
            return Embedding(np.random.default_rng(0).normal(size=(cube.n_pixels, 2)), 9)

        return engine._results.get_shared("slow", compute, progress=progress, cancel=cancel)

    monkeypatch.setattr(engine, "embedding", embedding)
    return engine


async def _until(what) -> None:
    for _ in range(500):
        if what():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("in vain")


def test_an_embedding_waits_a_while_for_its_visitor_to_come_back(slow):
    async def main():
        results = Results(slow, Session())
        results.open()
        await _until(lambda: slow.runs)
        results.leave()
        gone = weakref.ref(results)
        del results
        await asyncio.sleep(0.1)
        gc.collect()
        assert gone() is None, "what goes on holds nothing of the visitor"
        again = Results(slow, Session())
        again.open()
        await _until(lambda: again._embedding.is_running)
        slow.go.set()
        await again.settled()
        assert again.embedding is not None
        assert slow.runs == [1]
        again.close()

    asyncio.run(main())


def test_an_embedding_nobody_comes_back_for_ends(slow, monkeypatch):
    monkeypatch.setattr("dashboard.results.base.GRACE_S", 0.3)

    async def main():
        results = Results(slow, Session())
        results.open()
        await _until(lambda: slow.runs)
        results.leave()
        await asyncio.sleep(0.1)
        assert not slow.ended
        await _until(lambda: slow.ended)
        await _until(lambda: not slow.jobs.active())

    asyncio.run(main())


def test_cancelling_an_embedding_does_not_take_it_from_others(slow):
    async def main():
        first, second = Results(slow, Session()), Results(slow, Session())
        first.open()
        await _until(lambda: slow.runs)
        second.open()
        await _until(lambda: second._embedding.is_running)
        await asyncio.sleep(0.2)
        first.cancel_embedding()
        await asyncio.sleep(0.2)
        slow.go.set()
        await second.settled()
        assert second.embedding is not None
        assert first.embedding is None
        first.close()
        second.close()

    asyncio.run(main())
