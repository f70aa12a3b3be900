"""The tree cut by hand, clusters merged and named by their pixels, and what distinguishes them."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine.cluster import Clustering, ClusterSettings, clustering_of, labels_of
from xrfengine.cluster.branches import (
    at_density,
    branch_labels,
    condensed_tree,
    keep,
    leave_out,
    split,
)
from xrfengine.cluster.density import ClusterTree, cut, single_linkage
from xrfengine.cluster.describe import effects, sentence
from xrfengine.cluster.edit import identities, merged
from xrfengine.errors import SettingsError


def tree_of(n: int = 400, k: int = 4, seed: int = 0) -> ClusterTree:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(k, 2)) * 20
    rows = centres[random.integers(0, k, n)] + random.normal(size=(n, 2))
    return ClusterTree.from_linkage(single_linkage(rows, 5), 5)


@given(n=st.integers(60, 400), k=st.integers(1, 6), seed=st.integers(0, 99), data=st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_is_cut_branches_never_overlap_and_keep_their_numbers(n, k, seed, data) -> None:
    tree = tree_of(n, k, seed)
    seen = condensed_tree(tree, 12)
    chosen = seen.automatic
    np.testing.assert_array_equal(branch_labels(tree, chosen), cut(tree, 12))
    for _ in range(4):
        index = data.draw(st.integers(0, seen.size.size - 1))
        step = data.draw(st.sampled_from([keep, split, leave_out, "line"]))
        before = chosen
        if step == "line":
            density = data.draw(st.floats(float(seen.born.min()), float(seen.ends.max())))
            chosen = at_density(seen, chosen, density)
        else:
            chosen = step(seen, chosen, index)
        labels = branch_labels(tree, chosen)  # raises where two overlap
        numbers = [number for number, _, _ in chosen]
        assert len(set(numbers)) == len(numbers)
        kept = {run: number for number, *run in map(list, before) for run in [tuple(run)]}
        for number, first, size in chosen:
            assert kept.get((first, size), number) == number
            assert (labels == number).sum() == size
        if step is keep:
            assert any(seen.index(branch) == index for branch in chosen)


def test_joining_and_splitting_by_hand() -> None:
    tree = tree_of(600, 4, seed=2)
    seen = condensed_tree(tree, 20)
    chosen = seen.automatic
    parent = int(seen.parent[seen.index(chosen[0])])
    joined = keep(seen, chosen, parent)
    assert len(joined) < len(chosen)
    assert seen.index(next(b for b in joined if seen.index(b) == parent)) == parent
    assert len(split(seen, joined, parent)) == len(joined) + 1
    inner = seen.index(chosen[0])
    again = keep(seen, joined, inner)
    assert any(seen.index(branch) == inner for branch in again)
    covered = branch_labels(tree, again) >= 0
    below = branch_labels(tree, joined) >= 0
    assert covered.sum() > 0.5 * below.sum(), "the branches beside it are clusters, too"
    assert leave_out(seen, again, inner) == tuple(b for b in again if seen.index(b) != inner)


def test_outlines_narrow_from_birth_to_end() -> None:
    seen = condensed_tree(tree_of(), 20)
    for i, outline in enumerate(seen.outlines):
        density, first, stop = outline.T
        assert (np.diff(density) >= 0).all()
        assert (np.diff(stop - first) <= 0).all()
        assert stop[0] - first[0] == seen.size[i]
        assert density[-1] == seen.ends[i]
        if i:
            assert seen.born[i] == seen.ends[seen.parent[i]]


def test_a_cut_by_hand_is_a_clustering_like_any_other() -> None:
    tree = tree_of()
    chosen = ((0, 0, 100), (3, 150, 80))
    asked = ClusterSettings(branches=chosen)
    made = clustering_of(labels_of(tree, asked), (20, 20), "umap-hdbscan")
    assert made.numbers == (0, 3)
    assert made.sizes.tolist() == [100, 80]
    assert made.pixels(3).sum() == 80
    assert not made.pixels(1).any()
    through_json = json.loads(json.dumps(asked.to_dict()))
    assert ClusterSettings.from_dict(through_json) == asked
    arrays, meta = made.to_arrays()
    assert Clustering.from_arrays(arrays, json.loads(json.dumps(meta))).numbers == (0, 3)


def test_branches_of_another_tree_are_refused() -> None:
    with pytest.raises(SettingsError, match="another tree"):
        branch_labels(tree_of(), ((0, 390, 20),))
    with pytest.raises(SettingsError, match="overlap"):
        branch_labels(tree_of(), ((0, 0, 20), (1, 10, 20)))
    with pytest.raises(SettingsError, match="2 to 400"):
        condensed_tree(tree_of(), 401)


def four() -> Clustering:
    labels = np.array([[0, 0, 1, 1], [2, 2, 3, -1]], dtype=np.int32)
    return Clustering(labels, 4, "umap-hdbscan")


def test_clusters_are_named_by_their_pixels_alone() -> None:
    ids = identities(four())
    assert len(set(ids)) == 4
    other = Clustering(np.array([[2, 2, 0, 0], [1, 1, -1, -1]], np.int32), 3, "som")
    assert [identities(other)[i] for i in (2, 0, 1)] == list(ids[:3])


def test_merges_follow_each_other_and_those_of_other_results_are_passed_over() -> None:
    ids = identities(four())
    first = merged(four(), ((ids[1], ids[3]),))
    assert first.members == ((0,), (1, 3), (2,))
    assert first.clustering.numbers == (0, 1, 2)
    assert first.merges == (-1, 0, -1)
    second = merged(four(), (("0" * 12, ids[0]), (ids[1], ids[3]), (first.ids[1], ids[0])))
    assert second.members == ((0, 1, 3), (2,))
    assert second.clustering.numbers == (0, 2), "numbers, and so colours, stay"
    assert second.merges == (2, -1)
    assert second.clustering.labels.tolist() == [[0, 0, 0, 0], [1, 1, 0, -1]]
    assert second.ids == identities(second.clustering)
    untouched = merged(four(), ((ids[0], "f" * 12),))
    assert untouched.ids == ids
    np.testing.assert_array_equal(untouched.clustering.labels, four().labels)


def painting(seed: int = 0):
    """Net counts: Pb more in group 0, Cu only elsewhere, Fe alike everywhere, U nowhere."""
    random = np.random.default_rng(seed)
    labels = np.full((60, 80), -1)
    labels[:, :30] = 0
    labels[:5, 40:60] = 1
    mean = np.zeros((4, 60, 80))
    mean[0] = np.where(labels == 0, 60, 20)
    mean[1] = np.where(labels == 0, 0.2, 30)
    mean[2], mean[3] = 25, 0
    background = 9.0
    counts = random.poisson(mean + background) - random.poisson(background, mean.shape)
    return counts.astype(np.float32), labels


NOISE = dict.fromkeys(("Pb", "Cu", "Fe", "U"), 12.0)


def test_what_distinguishes_a_group_is_found_beyond_counting_noise() -> None:
    values, labels = painting()
    found = effects(values, tuple(NOISE), NOISE, labels, 2)
    by_name = {each.element: each for each in found[0]}
    assert by_name["Pb"].effect > 0.9
    assert by_name["Cu"].effect < -0.9
    assert by_name["Cu"].share < 0.05 < 0.9 < by_name["Cu"].share_elsewhere
    assert abs(by_name["Fe"].effect) < 0.1
    assert by_name["U"].effect == pytest.approx(0, abs=0.01)
    assert sentence(found[0]) == "Much more Pb than elsewhere, hardly any Cu"
    assert found[0][0].element in ("Pb", "Cu")


@pytest.mark.parametrize("seed", range(5))
def test_a_random_group_is_told_to_differ_in_nothing(seed) -> None:
    values, _ = painting(seed)
    labels = np.where(np.random.default_rng(seed + 50).random((60, 80)) < 0.01, 0, -1)
    found = effects(values, tuple(NOISE), NOISE, labels, 1)[0]
    assert sentence(found) == "No element differs clearly from elsewhere"


def test_the_effect_is_the_one_of_scipy_and_its_error_grows_with_averaging() -> None:
    from scipy.stats import mannwhitneyu

    random = np.random.default_rng(1)
    values = random.integers(0, 6, (1, 20, 30)).astype(float)
    labels = random.integers(-1, 2, (20, 30))
    fine, coarse = (
        effects(values, ("Pb",), {"Pb": -1.0}, labels, 2, region_px=k)[0][0] for k in (1, 3)
    )
    inside, rest = values[0][labels == 0], values[0][labels != 0]
    u = mannwhitneyu(inside, rest).statistic
    assert fine.effect == pytest.approx(2 * u / (inside.size * rest.size) - 1)
    assert coarse.error == pytest.approx(3 * fine.error)
    assert dataclasses.replace(fine, effect=0.5, error=0.2).is_clear is False


def test_large_scans_are_sampled_and_no_group_is_lost() -> None:
    random = np.random.default_rng(3)
    labels = np.zeros((400, 300), dtype=int)
    labels[0, :8] = 1
    values = random.normal(10, 1, (1, 400, 300))
    values[0, labels == 1] += 50
    found = effects(values, ("Pb",), {"Pb": 0.0}, labels, 2)
    assert found[1][0].effect == pytest.approx(1.0)


def test_maps_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match="do not fit"):
        effects(np.zeros((1, 4, 4)), ("Pb",), {"Pb": 0.0}, np.zeros((4, 5), int), 1)
