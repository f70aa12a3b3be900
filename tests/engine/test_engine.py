"""The engine: data sets, cached maps, clusters, many users at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest

from xrfengine import Cube, Engine
from xrfengine.classifier.predict import probability_maps
from xrfengine.cluster import ClusterSettings, FeatureSettings, SomSettings
from xrfengine.cube import Calibration, ElementMaps, Instrument
from xrfengine.errors import Cancelled, ReadError, XRFError
from xrfengine.findings import found, noise_thresholds
from xrfengine.jobs import CancelToken

N_CHANNELS = 512
ENERGY_KEV = 0.02 + 0.04 * np.arange(N_CHANNELS)


def two_halves(seed=0):
    """A scan whose left half shows iron (6.40 keV) and whose right half copper (8.05 keV)."""
    rate = np.full((16, 20, N_CHANNELS), 0.5)
    for columns, energy_kev in ((slice(0, 10), 6.40), (slice(10, 20), 8.05)):
        rate[:, columns] += 40 * np.exp(-0.5 * ((ENERGY_KEV - energy_kev) / 0.06) ** 2)
    return np.random.default_rng(seed).poisson(rate).astype(np.uint16)


def write_scan(path, counts):
    with h5py.File(path, "w") as file:
        file["counts"] = counts
        file["energy_keV"] = ENERGY_KEV
    return path


@pytest.fixture
def folder(tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    write_scan(scans / "halves.h5", two_halves())
    (scans / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n and then nothing")
    return scans


@pytest.fixture
def engine(folder, model, tmp_path):
    engine = Engine(folder, model=model, device="cpu", cache=tmp_path / "cache")
    yield engine
    engine.close()


def settings_som(columns=2):
    return ClusterSettings(
        method="som",
        features=FeatureSettings(n_components=0),
        som=SomSettings(rows=1, columns=columns),
    )


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(XRFError, match=r"missing is no folder.*XRF_DATA"):
        Engine(tmp_path / "missing")


def test_data_sets_are_opened_once_for_all(engine):
    with ThreadPoolExecutor(8) as users:
        cubes = list(users.map(lambda _: engine.cube("halves.h5"), range(8)))
    assert len({id(cube) for cube in cubes}) == 1
    assert cubes[0].shape == (16, 20, N_CHANNELS)
    assert cubes[0].counts.dtype == np.uint16


def test_a_rewritten_file_is_read_again(engine, folder):
    before = engine.cube("halves.h5")
    write_scan(folder / "halves.h5", two_halves()[:8])
    assert engine.cube("halves.h5").shape[0] == 8
    assert before.shape[0] == 16


@pytest.mark.parametrize("name", ["../secret.h5", "missing.h5", "", "/etc/passwd"])
def test_only_what_is_listed_can_be_opened(engine, folder, name):
    write_scan(folder.parent / "secret.h5", two_halves())
    with pytest.raises(XRFError, match="no data set"):
        engine.cube(name)


def test_a_broken_file_is_explained_and_the_others_still_open(engine):
    with pytest.raises(ReadError, match=r"broken\.h5"):
        engine.cube("broken.h5")
    assert engine.cube("halves.h5").n_pixels == 320


def test_maps_equal_the_plain_call_and_are_computed_once(engine, monkeypatch):
    cube = engine.cube("halves.h5")
    maps = engine.maps(cube, "probability", 5)
    plain = probability_maps(cube, engine.classifier, 5)
    np.testing.assert_array_equal(maps.values, plain.values)
    assert engine.maps(cube, "probability", 5) is maps
    assert engine.maps_at_hand(cube, "probability", 5) is maps
    assert engine.maps_at_hand(cube, "probability", 2) is None


def test_maps_survive_a_restart(engine, folder, model, tmp_path):
    maps = engine.maps(engine.cube("halves.h5"), "roi", 2)
    again = Engine(folder, model=model, device="cpu", cache=tmp_path / "cache")
    again._compute_maps = lambda *_: pytest.fail("should come from disk")
    try:
        np.testing.assert_array_equal(
            again.maps(again.cube("halves.h5"), "roi", 2).values, maps.values
        )
    finally:
        again.close()


def test_threads_get_what_one_alone_gets(engine):
    cube = engine.cube("halves.h5")
    alone = {k: probability_maps(cube, engine.classifier, k).values for k in (1, 2, 3)}
    with ThreadPoolExecutor(6) as users:
        jobs = [(k, users.submit(engine.maps, cube, "probability", k)) for k in (1, 2, 3) * 3]
        for k, job in jobs:
            np.testing.assert_array_equal(job.result().values, alone[k])


def test_cancelled_maps_leave_nothing_behind(engine):
    cube, token = engine.cube("halves.h5"), CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        engine.maps(cube, "probability", 1, cancel=token)
    assert engine.maps_at_hand(cube, "probability", 1) is None
    assert engine.maps(cube, "probability", 1).values.shape == (3, 16, 20)


def test_roi_maps_find_the_halves(engine):
    maps = engine.maps(engine.cube("halves.h5"), "roi", 1)
    assert maps["Fe"][:, :10].min() > 20 * abs(maps["Fe"][:, 10:].mean())
    assert maps["Cu"][:, 10:].min() > maps["Cu"][:, :10].max()
    shares = {item.element: item.share for item in engine.found(maps)}
    assert shares["Fe"] == pytest.approx(0.5, abs=0.05)
    assert shares["Cu"] == pytest.approx(0.5, abs=0.05)


def test_thresholds_given_override_the_defaults(engine):
    maps = engine.maps(engine.cube("halves.h5"), "probability", 1)
    assert {item.element for item in engine.found(maps, {"Fe": 0.0, "Cu": 2.0, "Ar": 2.0})} == {
        "Fe"
    }
    assert engine.default_thresholds(maps) == dict(
        zip(engine.classifier.elements, engine.classifier.thresholds.tolist(), strict=True)
    )


def test_elements_of_the_instrument_are_marked_once_known(
    engine, folder, model, tmp_path, monkeypatch
):
    from xrfengine.classifier import anode
    from xrfengine.classifier.fit import guess_setup

    calls = []

    def found_setup(spectrum):
        calls.append(spectrum)
        return guess_setup(spectrum, "Cu"), "inferred"

    monkeypatch.setattr(anode, "find_setup", found_setup)

    def marked(engine):
        maps = engine.maps(engine.cube("halves.h5"), "roi", 5)
        return {item.element for item in engine.found(maps, {"Ar": -1e9}) if item.is_instrument}

    assert marked(engine) == {"Ar"}
    with ThreadPoolExecutor(4) as users:
        asked = list(users.map(engine.instrument_elements, [engine.cube("halves.h5")] * 4))
    assert set(asked) == {frozenset({"Ar", "Cu"})}
    assert marked(engine) == {"Ar", "Cu"}
    assert len(calls) == 1
    # A reopened scan knows it from disk.
    again = Engine(folder, model=model, device="cpu", cache=tmp_path / "cache")
    try:
        cube = again.cube("halves.h5")
        assert again.instrument_elements(cube) == {"Ar", "Cu"}
        assert again._setup(cube.sum_spectrum, cube) == guess_setup(cube.sum_spectrum, "Cu")
    finally:
        again.close()
    assert len(calls) == 1


def test_a_stated_anode_is_not_searched_for(engine, monkeypatch):
    monkeypatch.setattr(engine, "_setup", lambda *_: pytest.fail("the file says it"))
    counts = np.ones((2, 2, 16), dtype=np.uint16)
    stated = Cube(counts, Calibration(0.0, 0.5), instrument=Instrument(tube_anode="Rh"))
    assert engine.instrument_elements(stated) == {"Ar", "Rh"}
    assert engine.instrument_elements(Cube(0 * counts, Calibration(0.0, 0.4))) == {"Ar"}


def test_identify_orders_and_marks(engine):
    result = engine.identify(engine.cube("halves.h5").sum_spectrum)
    assert {item.symbol for item in result} == {"Fe", "Cu", "Ar"}
    probabilities = [item.probability for item in result]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(item.present == (item.probability >= item.threshold) for item in result)
    assert {item.symbol for item in result if item.is_instrument} == {"Ar"}


def test_clusters_are_the_halves_with_their_spectra(engine):
    cube = engine.cube("halves.h5")
    result = engine.clusters(cube, settings_som())
    labels = result.clustering.labels
    assert len({*labels[:, :10].ravel()}) == 1
    assert len({*labels[:, 10:].ravel()}) == 1
    assert labels[0, 0] != labels[0, 19]
    iron = result.spectra[labels[0, 0]]
    np.testing.assert_array_equal(
        iron.counts, cube.counts[:, :10].sum(axis=(0, 1), dtype=np.float64)
    )
    assert result.probabilities.shape == (2, 3)
    assert engine.clusters(cube, settings_som()) is result


def test_cluster_probabilities_are_painted_back(engine):
    cube = engine.cube("halves.h5")
    result = engine.clusters(cube, settings_som())
    maps = engine.cluster_maps(result, cube)
    labels = result.clustering.labels
    for y, x in ((0, 0), (7, 13)):
        np.testing.assert_array_equal(maps.values[:, y, x], result.probabilities[labels[y, x]])


def test_jobs_run_beside_and_can_be_cancelled(engine):
    cube, running = engine.cube("halves.h5"), threading.Event()

    def slow(progress, cancel):
        running.set()
        while True:
            cancel.check()

    job = engine.jobs.submit("slow", slow)
    assert running.wait(5)
    assert engine.jobs.submit("maps", engine.maps, cube, "roi", 2).future.result(30)
    job.cancel()
    with pytest.raises(Cancelled):
        job.future.result(5)


def test_noise_thresholds_come_from_the_negative_side():
    noise = np.random.default_rng(0).normal(0, 5, (1, 100, 100)).astype(np.float32)
    maps = ElementMaps(("Fe",), noise, "roi")
    assert noise_thresholds(maps)["Fe"] == pytest.approx(15, rel=0.05)
    assert found(maps, noise_thresholds(maps))[0].share < 0.003
    nothing = ElementMaps(("Fe",), np.zeros((1, 4, 4), np.float32), "roi")
    assert found(nothing, noise_thresholds(nothing)) == ()


def test_one_spectrum_is_a_cube_of_one_pixel(engine, folder):
    header = {
        "FORMAT": "EMSA/MAS Spectral Data File",
        "VERSION": "1.0",
        "NPOINTS": 64,
        "NCOLUMNS": 1,
        "XUNITS": "keV",
        "YUNITS": "counts",
        "DATATYPE": "Y",
        "XPERCHAN": 0.1,
        "OFFSET": 0.0,
        "SPECTRUM": "here",
    }
    lines = [f"#{key:<12}: {value}" for key, value in header.items()]
    text = "\n".join([*lines, *(str(i) for i in range(64)), "#ENDOFDATA   :", ""])
    (folder / "point.msa").write_text(text)
    cube = engine.cube("point.msa")
    assert isinstance(cube, Cube)
    assert cube.shape == (1, 1, 64)
    assert cube.calibration == Calibration(0.0, 0.1)
    assert engine.maps(cube, "probability", 10).values.shape == (3, 1, 1)


def test_region_spectra_of_a_large_scan_come_from_tiles(engine, monkeypatch):
    monkeypatch.setattr("xrfengine.engine_tiles.TILED_FROM_BYTES", 0)
    cube = engine.cube("halves.h5")
    mask = np.zeros(cube.shape[:2], bool)
    mask[2:14, 1:17] = True
    before = engine.region_spectrum(cube, mask)  # plain: the tiles are only begun
    deadline = time.monotonic() + 60
    while engine._tiles_of(cube) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    after = engine.region_spectrum(cube, mask)
    assert engine._tiles_of(cube) is not None
    np.testing.assert_array_equal(before.counts, after.counts)
    assert after.n_pixels == before.n_pixels == mask.sum()


def test_tiles_that_fail_are_logged_and_the_region_is_read_without_them(
    engine, monkeypatch, caplog
):
    def fail(cube, cancel):
        raise MemoryError("no room")

    monkeypatch.setattr("xrfengine.engine_tiles.TILED_FROM_BYTES", 0)
    monkeypatch.setattr("xrfengine.store.make_tiles", fail)
    cube = engine.cube("halves.h5")
    mask = np.ones(cube.shape[:2], bool)
    spectrum = engine.region_spectrum(cube, mask)
    np.testing.assert_array_equal(spectrum.counts, cube.counts.sum(axis=(0, 1)))
    engine._executor.shutdown(wait=True)
    assert "tiles of a scan were not made" in caplog.text
    assert "no room" in caplog.text
