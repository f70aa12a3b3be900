"""Maps that come coarse first: what is shown meanwhile, what is kept, and cancelling."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from xrfengine import Engine
from xrfengine.cache import ResultCache, digest
from xrfengine.classifier.predict import probability_maps
from xrfengine.cube import Calibration, Cube, ElementMaps
from xrfengine.engine_maps import RegionMaps, coarser
from xrfengine.errors import Cancelled
from xrfengine.findings import found, noise_thresholds
from xrfengine.jobs import CancelToken
from xrfengine.maps.fit import FitMaps

CALIBRATION = Calibration(0.0, 0.04)


@pytest.fixture
def engine(model, tmp_path):
    engine = Engine(tmp_path, model=model, device="cpu", cache=tmp_path / "cache")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def cube():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.uniform(0.1, 6, (33, 42, 1)), (33, 42, 512)).astype(np.uint16)
    return Cube(counts, CALIBRATION)


def test_coarser_maps_are_shown_first_and_kept(engine, cube, monkeypatch):
    monkeypatch.setattr("xrfengine.classifier.predict._PARTIAL_S", 0.0)
    seen = []
    maps = engine.maps(cube, region_px=1, on_partial=lambda *shown: seen.append(shown))
    assert [(shown.region_px, share) for shown, share in seen[:2]] == [(10, 0.0), (5, 0.0)]
    for coarse, _ in seen[:2]:
        assert engine.maps(cube, region_px=coarse.region_px) is coarse
        plain = probability_maps(cube, engine.classifier, coarse.region_px)
        np.testing.assert_allclose(coarse.values, plain.values, atol=1e-5)
    later = seen[2:]
    assert {shown.region_px for shown, _ in later} == {1}
    assert len(later) >= 3
    np.testing.assert_array_equal(maps.values, engine.maps(cube, region_px=1).values)
    assert not np.array_equal(later[0][0].values, maps.values)
    np.testing.assert_array_equal(later[-1][0].values, maps.values)
    # What was handed over must not change under the one who paints it.
    assert not later[0][0].values.flags.writeable
    assert not np.array_equal(later[0][0].values, later[-1][0].values)


def test_cached_maps_call_nobody(engine, cube, model, tmp_path):
    first = engine.maps(cube, region_px=2)

    def nobody(*_):
        pytest.fail("the maps were ready")

    assert engine.maps(cube, region_px=2, on_partial=nobody) is first
    again = Engine(tmp_path, model=model, device="cpu", cache=tmp_path / "cache")
    try:
        read = again.maps(cube, region_px=2, on_partial=nobody)
        np.testing.assert_array_equal(read.values, first.values)
    finally:
        again.close()


def test_only_coarser_sizes_come_before():
    assert coarser((100, 100), 1) == (10, 5)
    assert coarser((100, 100), 5) == (10,)
    assert coarser((100, 100), 7) == (10,)
    assert coarser((100, 100), 10) == ()
    assert coarser((100, 8), 1) == ()


def test_window_maps_come_coarse_first_too(engine, cube):
    seen = []
    engine.maps(cube, "roi", 2, on_partial=lambda maps, share: seen.append(maps))
    assert [(maps.region_px, maps.kind) for maps in seen] == [(10, "roi"), (5, "roi")]


@pytest.mark.parametrize("region_px", [1, 3, 10, 50])
def test_maps_on_disk_hold_a_value_a_region(region_px):
    rng = np.random.default_rng(0)
    cube = Cube(rng.poisson(2.0, (23, 31, 8)), CALIBRATION)
    small = rng.random((2, -(-23 // region_px), -(-31 // region_px)), dtype=np.float32)
    values = small.repeat(region_px, 1).repeat(region_px, 2)[:, :23, :31]
    maps = ElementMaps(("Fe", "Cu"), values, "probability", region_px, cube.digest, "m")
    arrays, meta = RegionMaps.to_arrays(maps)
    assert arrays["values"].shape == small.shape
    again = RegionMaps.from_arrays(arrays, meta)
    np.testing.assert_array_equal(again.values, maps.values)
    assert (again.region_px, again.source, again.model) == (region_px, cube.digest, "m")
    # Files written before hold a value a pixel.
    whole = RegionMaps.from_arrays(*maps.to_arrays())
    np.testing.assert_array_equal(whole.values, maps.values)


def test_a_cancel_between_the_stages_keeps_what_was_finished(engine, cube):
    token = CancelToken()
    with pytest.raises(Cancelled):
        engine.maps(cube, region_px=1, on_partial=lambda *_: token.cancel(), cancel=token)
    assert engine.maps_at_hand(cube, "probability", 10) is not None
    assert engine.maps_at_hand(cube, "probability", 5) is None
    assert engine.maps_at_hand(cube, "probability", 1) is None


def test_one_who_waits_for_another_hears_the_cancel():
    cache, running, go = ResultCache(), threading.Event(), threading.Event()
    token, outcome = CancelToken(), []

    def slow():
        running.set()
        assert go.wait(20)
        return 1

    first = threading.Thread(target=lambda: outcome.append(cache.get("key", slow)))
    first.start()
    assert running.wait(20)
    threading.Timer(0.1, token.cancel).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        cache.get("key", slow, cancel=token)
    assert time.monotonic() - started < 5
    assert outcome == []
    go.set()
    first.join(20)
    assert outcome == [1]


def test_what_is_kept_is_found_without_computing(tmp_path):
    maps = ElementMaps(("Fe",), np.ones((1, 4, 4), np.float32), "roi")
    cache = ResultCache(folder=tmp_path)
    assert cache.find("k", stored=RegionMaps) is None
    assert not cache.holds("k")
    cache.get("k", lambda: maps, stored=RegionMaps)
    assert cache.find("k") is maps
    again = ResultCache(folder=tmp_path)
    assert again.holds("k")
    np.testing.assert_array_equal(again.find("k", stored=RegionMaps).values, maps.values)
    before = again.nbytes
    again._put("k", maps)
    assert again.nbytes == before


def test_coarse_maps_of_a_large_scan_come_from_tiles(engine, cube, monkeypatch):
    plain = probability_maps(cube, engine.classifier, 10)
    monkeypatch.setattr("xrfengine.engine_tiles.TILED_FROM_BYTES", 0)
    monkeypatch.setattr(
        "xrfengine.classifier.predict.block_sums", lambda *_: pytest.fail("the tiles hold it")
    )
    np.testing.assert_allclose(engine.maps(cube, region_px=10).values, plain.values, atol=1e-5)
    assert engine._tiles.peek(digest("tiles", cube.digest)) is not None


def test_tiles_are_begun_when_a_scan_is_opened(model, tmp_path, monkeypatch):
    monkeypatch.setattr("xrfengine.engine_tiles.TILED_FROM_BYTES", 0)
    np.save(tmp_path / "scan.npy", np.ones((12, 12, 64), np.uint16))
    engine = Engine(tmp_path, model=model, device="cpu", cache=tmp_path / "cache")
    try:
        monkeypatch.setattr(engine, "_open", lambda path: Cube(np.load(path), CALIBRATION))
        cube = engine.cube("scan.npy")
        deadline = time.monotonic() + 60
        while engine._tiles.peek(digest("tiles", cube.digest)) is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        engine.close()


def fit_with_errors(errors):
    """A fit of iron and copper whose counts are those of noise, clipped at zero."""
    n = errors.shape[-1]
    counts = np.maximum(np.random.default_rng(0).normal(0, 1, (3, n, n)) * errors, 0)
    nothing = np.zeros((n, n), np.float32)
    return FitMaps(
        ("Fe K", "Fe L", "Cu K"), ("lines",) * 3, ("Fe", "Fe", "Cu"), ("Fe K", "Cu K"),
        counts.astype(np.float32), errors.astype(np.float32), nothing, nothing, nothing,
    )  # fmt: skip


def test_thresholds_of_fit_maps_start_at_three_standard_errors():
    errors = np.stack([np.full((60, 60), e) for e in (0.2, 9.0, 40.0)])
    fit = fit_with_errors(errors)
    maps = fit.element_maps()
    limits = noise_thresholds(maps, fit)
    assert limits == {"Fe": pytest.approx(0.6), "Cu": pytest.approx(120.0)}
    # Noise alone reaches so far in about one pixel of 740.
    assert all(item.share < 0.004 for item in found(maps, limits))
    assert set(noise_thresholds(maps).values()) == {1.0}
    dark = fit_with_errors(np.zeros((3, 5, 5)))
    assert found(dark.element_maps(), noise_thresholds(dark.element_maps(), dark)) == ()


def test_the_engine_takes_the_limits_of_fit_maps_from_the_fit(engine, cube):
    errors = np.stack([np.full((33, 42), e) for e in (2.0, 9.0, 40.0)])
    nothing = np.zeros((33, 42), np.float32)
    fit = FitMaps(
        ("Fe K", "Fe L", "Cu K"), ("lines",) * 3, ("Fe", "Fe", "Cu"), ("Fe K", "Cu K"),
        np.ones((3, 33, 42), np.float32), errors.astype(np.float32), nothing, nothing, nothing,
        source=cube.digest,
    )  # fmt: skip
    engine._results.get(engine._fit_key(cube.digest, 1), lambda: fit, stored=FitMaps)
    maps = engine.maps(cube, "fit", 1)
    assert engine.default_thresholds(maps) == {"Fe": 6.0, "Cu": 120.0}
    assert engine.found(maps) == ()
    engine._results.clear()
    assert engine.default_thresholds(maps) == {"Fe": 6.0, "Cu": 120.0}
