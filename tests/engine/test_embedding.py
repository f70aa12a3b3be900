"""UMAP in the worker process: coordinates, seeds, cancel, faults, and the end of the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import psutil
import pytest

from xrfengine.cache import ResultCache
from xrfengine.cluster import process
from xrfengine.cluster.embedding import Embedding, EmbeddingSettings, embed, warm_up
from xrfengine.cluster.process import WorkerError, close_workers, run_task
from xrfengine.errors import Cancelled, SettingsError, XRFError
from xrfengine.jobs import CancelToken

QUICK = EmbeddingSettings(n_neighbors=10, n_epochs=60, max_fit=0)


def blobs(n: int = 600, k: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    which = random.integers(0, k, n)
    rows = random.normal(size=(k, 8))[which] * 4 + random.normal(size=(n, 8)) * 0.3
    rows = rows.astype(np.float32)
    rows.flags.writeable = False
    return rows, which


def children() -> list[psutil.Process]:
    found = psutil.Process().children()
    return [p for p in found if "xrfengine.cluster.worker" in " ".join(p.cmdline())]


def gone(pid: int, within_s: float) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def separates(coordinates: np.ndarray, which: np.ndarray) -> float:
    """Share of the points whose nearest other point is of the same kind."""
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=2).fit(coordinates).kneighbors(coordinates)[1]
    return float((which[near[:, 1]] == which[near[:, 0]]).mean())


@pytest.mark.slow
def test_graph_is_that_of_umap_learn() -> None:
    """The strengths of neighbours, within rounding; here in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # of a part of umap that needs Tensorflow
        import umap.umap_ as umap

        from xrfengine.cluster import layout
        from xrfengine.cluster.neighbours import nearest
    rows, _ = blobs(300)
    indices, distances = nearest(rows, rows, 12)
    distances[5, :4] = 0.0  # some rows coincide
    expected, _, _ = umap.fuzzy_simplicial_set(
        rows,
        12,
        np.random.RandomState(0),
        "euclidean",
        knn_indices=indices,
        knn_dists=distances,
    )
    got = layout.fuzzy_graph(indices, distances)
    assert np.abs((got.tocsr() - expected.tocsr()).toarray()).max() < 1e-5


@pytest.mark.parametrize(("n", "fit", "k"), [(400, 150, 7), (130, 100, 30), (103, 100, 90)])
def test_neighbours_found_in_parts_are_the_nearest(n: int, fit: int, k: int) -> None:
    """Of the two searches that choosing a share leaves behind, against one search of all."""
    from xrfengine.cluster.neighbours import choose

    rows = np.random.default_rng(n).normal(size=(n, 5)).astype(np.float32)
    share = choose(rows, fit, k, seed=3)
    assert share.chosen.size == fit
    np.testing.assert_array_equal(np.sort(np.concatenate([share.chosen, share.rest])), range(n))
    assert (np.diff(share.chosen) > 0).all()
    plain = np.linalg.norm(rows[share.rest, None] - rows[share.chosen][None], axis=2)
    order = np.argsort(plain, axis=1)[:, :k]
    np.testing.assert_allclose(share.distances, np.take_along_axis(plain, order, axis=1), rtol=1e-5)
    np.testing.assert_array_equal(share.indices, order)


@pytest.fixture(scope="module")
def warm():
    """A compiled worker for the tests below; ended after them."""
    warm_up()
    yield
    close_workers()


@pytest.fixture(scope="module")
def embedded(warm) -> Embedding:
    return embed(blobs()[0], QUICK)


def test_every_pixel_has_a_place(embedded: Embedding) -> None:
    _, which = blobs()
    assert embedded.coordinates.shape == (600, 2)
    assert embedded.coordinates.dtype == np.float32
    assert np.isfinite(embedded.coordinates).all()
    assert not embedded.coordinates.flags.writeable
    assert embedded.n_fitted == 600
    assert separates(embedded.coordinates, which) > 0.98


def test_same_seed_same_places(embedded: Embedding) -> None:
    """The second time in a new process, so that nothing is left over from the first."""
    close_workers()
    np.testing.assert_array_equal(embed(blobs()[0], QUICK).coordinates, embedded.coordinates)


def test_other_seed_other_places(embedded: Embedding) -> None:
    other = embed(blobs()[0], EmbeddingSettings.from_dict({**QUICK.to_dict(), "seed": 1}))
    assert np.abs(other.coordinates - embedded.coordinates).max() > 0.1


def test_one_component_as_in_the_thesis(warm) -> None:
    rows, which = blobs()
    line = embed(rows, EmbeddingSettings(n_neighbors=10, n_components=1, n_epochs=60))
    assert line.coordinates.shape == (600, 1)
    assert separates(line.coordinates, which) > 0.8  # a quarter by chance


def test_many_pixels_are_placed_among_a_share(warm) -> None:
    rows, which = blobs(900)
    share = EmbeddingSettings(n_neighbors=10, n_epochs=60, max_fit=300)
    told: list[float] = []
    placed = embed(rows, share, progress=lambda f, message="": told.append(f))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    assert placed.coordinates.shape == (900, 2)
    assert placed.n_fitted == 300
    assert np.isfinite(placed.coordinates).all()
    assert separates(placed.coordinates, which) > 0.98
    np.testing.assert_array_equal(embed(rows, share).coordinates, placed.coordinates)


@pytest.mark.parametrize(
    ("n", "neighbours", "expected"),
    [(6_000, 30, 90), (3_000, 30, 50), (1_500, 30, 30), (150, 7, 7), (6_000, 2, 6)],
)
def test_a_share_is_compared_more_widely(n: int, neighbours: int, expected: int) -> None:
    """Three times as many, but no more than a sixtieth of the share, and never fewer."""
    asked = EmbeddingSettings(n_neighbors=neighbours, seed=5)
    got = asked.for_a_share(n)
    assert (got.n_neighbors, got.n_epochs, got.seed) == (expected, 200, 5)
    assert EmbeddingSettings(n_epochs=60).for_a_share(n).n_epochs == 60
    assert asked.n_neighbors == neighbours


def test_equal_pixels_lie_together(warm) -> None:
    rows = np.concatenate([blobs(200)[0], np.zeros((80, 8), np.float32)])
    places = embed(rows, QUICK)
    assert (places.coordinates[200:] == places.coordinates[200]).all()
    assert places.n_fitted == 201


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_few_pixels(warm, n: int) -> None:
    places = embed(blobs(n)[0], QUICK).coordinates
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()


def test_progress_tells_of_epochs(warm) -> None:
    told: list[tuple[float, str]] = []
    settings = EmbeddingSettings(n_neighbors=10, n_epochs=400)
    embed(blobs(1500)[0], settings, progress=lambda f, message="": told.append((f, message)))
    fractions = [f for f, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert sum("of 400" in message for _, message in told) >= 3


def test_cancel_is_prompt_and_leaves_a_new_worker(warm) -> None:
    token = CancelToken()
    when: list[float] = []

    def progress(fraction: float, message: str = "") -> None:
        if "Epoch" in message and not when:
            when.append(time.monotonic())
            token.cancel()

    before = {p.pid for p in children()}
    with pytest.raises(Cancelled):
        embed(blobs(1500)[0], EmbeddingSettings(n_epochs=100_000), progress=progress, cancel=token)
    assert time.monotonic() - when[0] < 1.0
    after = {p.pid for p in children()}
    assert len(after) == 1
    assert not after & before


def test_cancelled_before_it_starts(warm) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        embed(blobs()[0], QUICK, cancel=token)


def test_worker_is_kept_between_tasks(warm) -> None:
    embed(blobs(100)[0], QUICK)
    first = [p.pid for p in children()]
    embed(blobs(120)[0], QUICK)
    assert [p.pid for p in children()] == first


def test_two_threads_get_what_one_gets(warm) -> None:
    rows = [blobs(150, seed=s)[0] for s in range(2)]
    one = [embed(r, QUICK).coordinates for r in rows]
    two: dict[int, np.ndarray] = {}

    def work(i: int) -> None:
        two[i] = embed(rows[i], QUICK).coordinates

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(2):
        np.testing.assert_array_equal(two[i], one[i])
    assert len(children()) == 1


def test_fault_in_the_worker_arrives_with_its_text(warm) -> None:
    with pytest.raises(WorkerError, match=r"KeyError.*no such task"):
        run_task("no such task", {})
    with pytest.raises(WorkerError, match="Traceback"):
        run_task("tree", {"coordinates": np.zeros(7)}, {"min_samples": 2})
    assert embed(blobs(50)[0], QUICK).n_fitted == 50  # and it lives on


def test_errors_for_the_user_keep_their_class(warm) -> None:
    """A setting that only the worker looks at."""
    with pytest.raises(SettingsError, match="n_neighbors is 1") as caught:
        run_task("embed", {"features": blobs(50)[0]}, {"n_neighbors": 1})
    assert caught.value.hint == "It must be 2 or more."


def test_killed_worker_is_told_in_plain_words(warm) -> None:
    def progress(fraction: float, message: str = "") -> None:
        if "Epoch" in message:
            for child in children():
                child.kill()

    with pytest.raises(XRFError, match="memory ran out"):
        embed(blobs(1500)[0], EmbeddingSettings(n_epochs=100_000), progress=progress)
    assert embed(blobs(50)[0], QUICK).n_fitted == 50


def test_memory_error_is_told_in_plain_words() -> None:
    told = {"type": "MemoryError", "message": "", "hint": "", "traceback": ""}
    error = process._as_exception(told)
    assert isinstance(error, XRFError)
    assert "memory ran out" in str(error)


PLAIN_SCRIPT = """
import sys, threading, numpy as np
from xrfengine.cluster import build_tree
rows = np.random.default_rng(0).normal(size=({n}, 6))
def told(fraction, message=""):
    print("told", message, flush=True)
thread = threading.Thread(target=build_tree, args=(rows, 5), kwargs=dict(progress=told))
thread.start()
{then}
"""


def test_plain_script_without_a_main_guard(tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PLAIN_SCRIPT.format(n=300, then="thread.join(); print('end')"))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(process.Path(process.xrfengine.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.endswith("end\n")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_worker_ends_with_its_parent_even_inside_compiled_code(tmp_path) -> None:
    """The parent is killed while the worker searches a tree of 60,000 points."""
    script = tmp_path / "script.py"
    script.write_text(PLAIN_SCRIPT.format(n=60_000, then="thread.join()"))
    with subprocess.Popen(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(process.Path(process.xrfengine.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith("told")
        (worker,) = psutil.Process(parent.pid).children()
        time.sleep(2.0)  # well inside the search, which takes far longer
        assert worker.is_running()
        parent.kill()
    assert gone(worker.pid, within_s=2.0)


def test_nothing_is_left_after_closing(warm) -> None:
    embed(blobs(50)[0], QUICK)
    (worker,) = children()
    close_workers()
    assert gone(worker.pid, within_s=2.0)
    assert children() == []


def test_embedding_is_kept_on_disk(tmp_path) -> None:
    made = Embedding(np.arange(8, dtype=np.float32).reshape(4, 2), 3)
    ResultCache(folder=tmp_path).get("key", lambda: made, stored=Embedding)

    def never() -> Embedding:
        raise AssertionError("it should have been read")

    again = ResultCache(folder=tmp_path).get("key", never, stored=Embedding)
    np.testing.assert_array_equal(again.coordinates, made.coordinates)
    assert again.n_fitted == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_neighbors": 1},
        {"min_dist": 1.0},
        {"min_dist": -0.1},
        {"n_components": 0},
        {"n_epochs": -1},
        {"max_fit": -1},
        {"max_fit": 30},
        {"seed": -1},
    ],
)
def test_settings_out_of_range(wrong: dict) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        EmbeddingSettings(**wrong)


@pytest.mark.parametrize("features", [np.zeros((0, 3)), np.zeros(4), np.array([[np.nan]])])
def test_features_that_cannot_be_embedded(features: np.ndarray) -> None:
    with pytest.raises(SettingsError):
        embed(features)
