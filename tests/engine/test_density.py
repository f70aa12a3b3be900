"""The cut gives hdbscan's own labels; the tree keeps; odd input is handled."""

from __future__ import annotations

import threading
import time

import hdbscan
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from xrfengine.cache import ResultCache
from xrfengine.cluster.density import ClusterTree, build_tree, cut, single_linkage
from xrfengine.errors import Cancelled, SettingsError
from xrfengine.jobs import CancelToken


def points(n: int, d: int, k: int, seed: int) -> np.ndarray:
    """Blobs of different size and density, some overlapping."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(k, d)) * random.uniform(1, 10)
    spread = random.uniform(0.05, 1.5, size=(k, 1))
    which = random.integers(0, k, n)
    return centres[which] + random.normal(size=(n, d)) * spread[which]


def tree_of(rows: np.ndarray, min_samples: int) -> ClusterTree:
    return ClusterTree.from_linkage(single_linkage(rows, min_samples), min_samples)


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist())) and np.array_equal(
        a < 0, b < 0
    )


@given(
    n=st.integers(20, 500),
    d=st.integers(1, 3),
    k=st.integers(1, 6),
    seed=st.integers(0, 2**31),
    min_samples=st.integers(1, 12),
    min_cluster_size=st.integers(2, 40),
    selection=st.sampled_from(["eom", "leaf"]),
)
@settings(max_examples=80, deadline=None)
def test_labels_are_those_of_hdbscan(
    n, d, k, seed, min_samples, min_cluster_size, selection
) -> None:
    rows = points(n, d, k, seed)
    reference = hdbscan.HDBSCAN(
        min_samples=min_samples,
        min_cluster_size=min_cluster_size,
        cluster_selection_method=selection,
        approx_min_span_tree=False,
        core_dist_n_jobs=1,
    ).fit(rows)
    labels = cut(tree_of(rows, min_samples), min_cluster_size, selection)
    assert same_partition(labels, reference.labels_)


@given(
    n=st.integers(3, 200),
    distinct=st.integers(1, 12),
    min_samples=st.integers(1, 10),
    least=st.integers(2, 30),
    selection=st.sampled_from(["eom", "leaf"]),
)
@settings(max_examples=80, deadline=None)
def test_points_that_coincide_are_never_told_apart(
    n, distinct, min_samples, least, selection
) -> None:
    random = np.random.default_rng(n)
    which = random.integers(0, distinct, n)
    rows = random.normal(size=(distinct, 2))[which]
    labels = cut(tree_of(rows, min_samples), least, selection)
    for place in range(distinct):
        here = labels[which == place]
        if here.size > min_samples:  # else their core distance reaches other places
            assert np.unique(here).size == 1


def test_crowded_place_does_not_swallow_or_split() -> None:
    """Two clouds and one point held by 60 pixels (blank ones): three clusters."""
    random = np.random.default_rng(0)
    rows = np.concatenate(
        [
            random.normal(size=(200, 2)),
            random.normal(size=(150, 2)) + 20,
            np.full((60, 2), -20.0),
        ]
    )
    labels = cut(tree_of(rows, 5), 40)
    assert np.bincount(labels[labels >= 0]).size == 3
    assert (labels[-60:] == 2).all()
    assert (labels[:200] != -1).mean() > 0.9


@given(st.integers(20, 400), st.integers(2, 30), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_numbers_fall_with_size_and_sizes_are_kept(n, least, seed) -> None:
    labels = cut(tree_of(points(n, 2, 4, seed), 4), least)
    sizes = np.bincount(labels[labels >= 0])
    assert (np.diff(sizes) <= 0).all()
    assert (sizes >= least).all()
    assert labels.dtype == np.int32


def test_tree_is_single_linkage_of_mutual_reachability() -> None:
    """Against SciPy on the full matrix of distances, built here from the definition."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import pdist, squareform

    rows = points(150, 2, 3, 7)
    gaps = squareform(pdist(rows))
    core = np.sort(gaps, axis=1)[:, 5]  # column 0 is the point itself
    reach = np.maximum(gaps, np.maximum(core[:, None], core[None]))
    np.fill_diagonal(reach, 0.0)
    expected = linkage(squareform(reach, checks=False), "single")[:, 2]
    np.testing.assert_allclose(np.sort(tree_of(rows, 5).distances), np.sort(expected))


@pytest.mark.parametrize("d", [1, 2])
def test_spanning_tree_is_the_shortest(d: int) -> None:
    """The fast search for the tree against Prim's algorithm, which leaves nothing out."""
    rows = points(3000, d, 6, 11)
    exact = hdbscan.HDBSCAN(
        min_samples=10, min_cluster_size=50, algorithm="prims_kdtree", core_dist_n_jobs=1
    ).fit(rows)
    tree = tree_of(rows, 10)
    length = exact.single_linkage_tree_.to_numpy()[:, 2].sum()
    assert tree.distances.sum() == pytest.approx(length, rel=1e-9)
    # Of edges of equal length either algorithm may take another: a few points move.
    assert adjusted_rand_score(cut(tree, 50), exact.labels_) > 0.99


def test_short_cuts_of_the_library_are_off() -> None:
    """By its default the library finds a longer tree; ours must not."""
    rows = points(3000, 2, 6, 11)
    loose = hdbscan.HDBSCAN(min_samples=10, min_cluster_size=50, core_dist_n_jobs=1).fit(rows)
    length = loose.single_linkage_tree_.to_numpy()[:, 2].sum()
    assert tree_of(rows, 10).distances.sum() < 0.999 * length


def test_worker_builds_the_same_tree_and_leaves_its_input() -> None:
    rows = points(400, 2, 4, 3)
    before = rows.copy()
    rows.flags.writeable = False
    here, there = tree_of(rows, 6), build_tree(rows, 6)
    np.testing.assert_array_equal(rows, before)
    for name, array in here.to_arrays()[0].items():
        np.testing.assert_array_equal(array, getattr(there, name))
        assert array.dtype == getattr(there, name).dtype


def test_cancel_is_prompt_inside_compiled_code() -> None:
    """A tree of 60,000 points in six dimensions takes far longer."""
    rows = np.random.default_rng(0).normal(size=(60_000, 6))
    token, when = CancelToken(), []

    def stop() -> None:
        when.append(time.monotonic())
        token.cancel()

    def progress(fraction: float, message: str = "") -> None:
        if timer.ident is None:  # not started yet
            timer.start()

    timer = threading.Timer(0.3, stop)
    with pytest.raises(Cancelled):
        build_tree(rows, 10, progress=progress, cancel=token)
    assert time.monotonic() - when[0] < 1.5


def test_tree_is_kept_on_disk(tmp_path) -> None:
    tree = tree_of(points(100, 2, 3, 5), 4)
    ResultCache(folder=tmp_path).get("key", lambda: tree, stored=ClusterTree)

    def never() -> ClusterTree:
        raise AssertionError("it should have been read")

    again = ResultCache(folder=tmp_path).get("key", never, stored=ClusterTree)
    assert again.min_samples == 4
    np.testing.assert_array_equal(cut(again, 10), cut(tree, 10))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_points(n: int) -> None:
    labels = cut(build_tree(np.arange(2.0 * n).reshape(n, 2), 10), 2)
    assert labels.shape == (n,)
    assert (labels >= -1).all()


def test_all_points_coincide() -> None:
    labels = cut(tree_of(np.zeros((50, 2)), 5), 10)
    assert (labels == -1).all()  # as hdbscan: the whole is no cluster


def test_larger_than_everything_leaves_all_unassigned() -> None:
    assert (cut(tree_of(points(50, 2, 2, 0), 3), 51) == -1).all()


def test_cut_is_immediate_at_thesis_size() -> None:
    """A chain and balanced splits, 182,352 points, within what one move of a slider may take."""
    n = 182_352
    random = np.random.default_rng(0)
    linkage = np.empty((n - 1, 4))
    free, sizes = list(range(n)), [1] * n

    def late() -> int:  # one of the latest trees
        return free.pop(-1 - int(random.integers(0, min(50, len(free)))))

    for merge in range(n - 1):
        a, b = free.pop(), late()
        sizes.append(sizes[a] + sizes[b])
        linkage[merge] = a, b, 1e-3 * (merge + 1), sizes[-1]
        free.insert(len(free) - int(random.integers(0, min(50, len(free) + 1))), n + merge)
    tree = ClusterTree.from_linkage(linkage, 10)
    for selection in ("eom", "leaf"):
        for least in (5, 50, 500, 2500):
            runs = []
            for _ in range(3):
                start = time.process_time()  # of the clock, other work would be counted
                labels = cut(tree, least, selection)
                runs.append(time.process_time() - start)
            assert min(runs) < 0.2, (selection, least)
            assert labels.shape == (n,)


def test_settings_out_of_range() -> None:
    with pytest.raises(SettingsError, match="min_samples"):
        build_tree(np.zeros((5, 2)), 0)
    tree = tree_of(points(30, 2, 2, 0), 3)
    with pytest.raises(SettingsError, match="min_cluster_size"):
        cut(tree, 1)
    with pytest.raises(SettingsError, match="selection"):
        cut(tree, 5, "best")


def test_coordinates_that_are_no_numbers() -> None:
    with pytest.raises(SettingsError, match="no numbers"):
        build_tree(np.array([[0.0, np.nan]]))
