"""Digests, the result cache, and files that are written whole or not at all."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xrfengine.cache import ResultCache, digest, size_of, written_whole
from xrfengine.cube import ElementMaps
from xrfengine.errors import Cancelled
from xrfengine.jobs import CancelToken


@dataclass(frozen=True)
class Settings:
    a: int = 1
    b: tuple[float, ...] = (0.5,)


@given(hnp.arrays(np.uint16, hnp.array_shapes(min_dims=1, max_dims=3), fill=st.nothing()))
def test_one_changed_value_changes_the_digest(array):
    changed = array.copy()
    changed.flat[array.size // 2] ^= 1
    assert digest(array) == digest(array.copy())
    assert digest(array) != digest(changed)


def test_digest_sees_shape_type_settings_and_order():
    values = np.arange(6)
    different = [
        digest(values),
        digest(values.reshape(2, 3)),
        digest(values.astype(np.int32)),
        digest(Settings()),
        digest(Settings(a=2)),
        digest(Settings(b=(0.5, 0.5))),
        digest("1"),
        digest(1),
        digest(1.0),
        digest(True),
        digest(None),
        digest("a", "b"),
        digest("ab"),
    ]
    assert len(set(different)) == len(different)
    assert digest({"x": 1, "y": 2}) == digest({"y": 2, "x": 1})
    assert digest(np.asfortranarray(values.reshape(2, 3))) == digest(values.reshape(2, 3))


@pytest.mark.parametrize("cores", [1, 3])
def test_a_large_array_is_digested_the_same_on_any_number_of_cores(monkeypatch, cores):
    array = np.random.default_rng(0).integers(0, 9, (5, 1 << 22), dtype=np.uint16)
    array.flags.writeable = False
    monkeypatch.setattr("xrfengine.cache._TREE_FROM_BYTES", 1 << 20)
    known = digest(array)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert digest(array) == known
    for place in (0, array.size // 2, array.size - 1):
        changed = array.copy()
        changed.flat[place] ^= 1
        assert digest(changed) != known
    swapped = array[::-1]
    assert digest(swapped) != known
    assert digest(array.reshape(10, -1)) != known


def test_digest_refuses_what_has_no_explicit_content():
    with pytest.raises(TypeError, match="not explicit"):
        digest(object())


def test_computed_once_then_remembered():
    cache, calls = ResultCache(), []
    for _ in range(3):
        assert cache.get("key", lambda: calls.append(1) or "result") == "result"
    assert calls == [1]


def test_two_askers_share_one_computation():
    cache, calls = ResultCache(), []
    running, go = threading.Event(), threading.Event()

    def compute():
        calls.append(1)
        running.set()
        assert go.wait(5)
        return 7

    results = []
    threads = [
        threading.Thread(target=lambda: results.append(cache.get("key", compute))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert running.wait(5)
    go.set()
    for thread in threads:
        thread.join(5)
    assert results == [7, 7, 7, 7]
    assert calls == [1]


def test_waiting_asker_computes_itself_when_the_first_is_cancelled():
    cache = ResultCache()
    running, go = threading.Event(), threading.Event()
    outcome = []

    def cancelled():
        running.set()
        assert go.wait(5)
        raise Cancelled

    def first():
        with pytest.raises(Cancelled):
            cache.get("key", cancelled)
        outcome.append("cancelled")

    one = threading.Thread(target=first)
    one.start()
    assert running.wait(5)
    two = threading.Thread(target=lambda: outcome.append(cache.get("key", lambda: "mine")))
    two.start()
    go.set()
    one.join(5)
    two.join(5)
    assert sorted(outcome) == ["cancelled", "mine"]


def test_memory_stays_bounded_and_the_oldest_goes_first():
    cache = ResultCache(max_bytes=3000)
    for name in "abc":
        cache.get(name, lambda: np.zeros(1000, np.uint8))
    cache.get("a", lambda: pytest.fail("a was in use and must be kept"))
    cache.get("d", lambda: np.zeros(1000, np.uint8))
    assert cache.nbytes <= 3000
    assert cache.peek("b") is None
    assert cache.peek("a") is not None


def test_a_result_above_the_bound_is_still_held():
    cache = ResultCache(max_bytes=10)
    cache.get("big", lambda: np.zeros(1000))
    assert cache.peek("big") is not None


def make_maps():
    values = np.random.default_rng(0).random((2, 3, 4), dtype=np.float32)
    return ElementMaps(("Fe", "Pb"), values, "probability", region_px=2, source="s", model="m")


def test_results_on_disk_survive_the_process(tmp_path):
    made = ResultCache(folder=tmp_path).get("k", make_maps, stored=ElementMaps)
    again = ResultCache(folder=tmp_path).get(
        "k", lambda: pytest.fail("should come from disk"), stored=ElementMaps
    )
    np.testing.assert_array_equal(again.values, made.values)
    assert (again.elements, again.kind, again.region_px, again.source, again.model) == (
        made.elements,
        made.kind,
        made.region_px,
        made.source,
        made.model,
    )


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 broken", b"nonsense"])
def test_damaged_file_on_disk_is_computed_anew(tmp_path, damage):
    ResultCache(folder=tmp_path).get("k", make_maps, stored=ElementMaps)
    (tmp_path / "k.npz").write_bytes(damage)
    again = ResultCache(folder=tmp_path).get("k", make_maps, stored=ElementMaps)
    np.testing.assert_array_equal(again.values, make_maps().values)


def test_disk_stays_bounded(tmp_path):
    cache = ResultCache(folder=tmp_path, max_disk_bytes=2500)
    for number in range(5):
        cache.get(f"k{number}", make_maps, stored=ElementMaps)
        os.utime(tmp_path / f"k{number}.npz", (number, number))
    cache.get("last", make_maps, stored=ElementMaps)
    names = {path.stem for path in tmp_path.glob("*.npz")}
    assert sum(path.stat().st_size for path in tmp_path.glob("*.npz")) <= 2500
    assert "last" in names
    assert "k0" not in names


def test_written_whole_leaves_the_old_file_when_writing_fails(tmp_path):
    target = tmp_path / "result.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), written_whole(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    with written_whole(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["result.txt"]


def test_size_counts_nested_arrays():
    maps = make_maps()
    assert size_of(maps) >= maps.values.nbytes
    assert size_of([np.zeros(10), {"x": np.zeros(5)}]) >= 120


def test_shared_work_goes_on_while_anybody_waits_for_it() -> None:
    cache, begun, runs = ResultCache(), threading.Event(), []
    seen: list[float] = []

    def compute(*, progress, cancel):
        runs.append(1)
        progress(0.5, "half")
        begun.set()
        deadline = time.monotonic() + 10
        while not go.wait(0.01):
            cancel.check()
            assert time.monotonic() < deadline
        return "done"

    go, mine, others = threading.Event(), CancelToken(), CancelToken()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_shared, "key", compute, cancel=mine)
        begun.wait(5)
        second = pool.submit(
            cache.get_shared, "key", compute, cancel=others,
            progress=lambda fraction, message="": seen.append(fraction),
        )  # fmt: skip
        time.sleep(0.2)
        mine.cancel()  # whoever computes may leave: the other still waits
        time.sleep(0.1)
        go.set()
        assert first.result(10) == second.result(10) == "done"
    assert len(runs) == 1
    assert 0.5 in seen


def test_shared_work_ends_once_everybody_has_cancelled() -> None:
    cache, begun = ResultCache(), threading.Event()

    def compute(*, progress, cancel):
        begun.set()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            cancel.check()
            time.sleep(0.01)

    token = CancelToken()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(cache.get_shared, "key", compute, cancel=token)
        begun.wait(5)
        token.cancel_after(0.2)
        with pytest.raises(Cancelled):
            running.result(5)
    assert not cache._shared
