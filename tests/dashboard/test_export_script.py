"""The script that is taken home gives the maps and the spectra of the session again."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from dashboard.results import Results
from dashboard.results.exports import analysis_of, source_of
from dashboard.session import Selection, Session
from xrfengine.engine import Engine
from xrfengine.export.script import script

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location(
    "fake_engine", Path(__file__).with_name("fake_engine.py")
)
fake_engine = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fake_engine)

LASSO = ((2.0, 2.0), (9.5, 2.2), (9.0, 8.0), (2.0, 8.0))


@pytest.fixture
def scan(tmp_path):
    cube = fake_engine.small_cube()
    path = tmp_path / "data" / 'my "scan".h5'
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        file["counts"] = cube.counts
        file["energy_keV"] = cube.energy_kev
    return path


def run_script(text: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    path = folder / "analysis.py"
    path.write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XRF_CACHE": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, str(path), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip


def test_the_script_repeats_maps_thresholds_and_spectra(scan, tmp_path):
    """With the shipped model, in a process of its own."""
    engine, held = Engine(data_folder=scan.parent, cache=tmp_path / "cache"), {}

    async def view() -> None:
        session = Session(region_px=2)
        results = Results(engine, session)
        results.open()
        await results._map.finished()
        await results._open.finished()
        await results._map.finished()
        session.element = "Hg"
        session.threshold = 0.71
        session.overrule("As", "absent")
        session.selection = Selection("map", LASSO)
        await results._selection.finished()
        await results._selection.finished()
        results.keep(np.indices((24, 32)).sum(axis=0) % 2 == 0, "chequers")  # 384 runs
        while len(analysis_of(session, results).areas) < 2:
            await asyncio.sleep(0.01)
        analysis = analysis_of(session, results)
        held.update(text=script(analysis, source_of(session, results, analysis)), analysis=analysis)
        results.close()

    try:
        asyncio.run(view())
    finally:
        engine.close()
    done = run_script(held["text"], tmp_path, str(scan))
    assert done.returncode == 0, done.stderr
    analysis = held["analysis"]
    with xr.open_dataset(next(tmp_path.glob("*_repeated.nc")), engine="h5netcdf") as data:
        np.testing.assert_allclose(data["maps"], analysis.maps.values, atol=1e-5)
        assert data["maps"].attrs["region_px"] == 2
        assert float(data["threshold"].sel(element="Hg")) == pytest.approx(0.71)
        assert float(data["threshold"].sel(element="Pb")) == pytest.approx(
            analysis.thresholds["Pb"]
        )
        for number, area in enumerate(analysis.areas, 1):
            np.testing.assert_array_equal(data[f"spectrum_{number}"], area.spectrum.counts)
            assert data[f"spectrum_{number}"].attrs["name"] == area.name
    assert "Hg" in done.stdout
    assert f"chequers: {analysis.areas[1].n_pixels} pixels" in done.stdout


def test_the_script_refuses_another_scan(visit, scan, tmp_path):
    async def steps(session, results):
        analysis = analysis_of(session, results)
        (tmp_path / "text").write_text(
            script(analysis, source_of(session, results, analysis)).replace(
                'engine.cube("demo")', "engine.cube(sys.argv[1])"
            ).replace("Engine()", f"Engine(data_folder={str(scan.parent)!r})"),
            encoding="utf-8",
        )  # fmt: skip

    visit(steps, dataset="line")
    done = run_script((tmp_path / "text").read_text(encoding="utf-8"), tmp_path, scan.name)
    assert done.returncode == 1
    assert "another scan" in done.stderr
    assert not list(tmp_path.glob("*_repeated.nc"))


@pytest.mark.parametrize("longest", [10, 400])
def test_regions_of_any_shape_can_be_read_back(visit, monkeypatch, longest):
    monkeypatch.setattr("xrfengine.export.script.LONGEST_RUNS", longest)

    async def steps(session, results):
        rng = np.random.default_rng(0)
        noise = rng.random((24, 32)) < 0.4
        results.keep(noise, 'it\'s "noise"')
        await results.settled()
        session.method = "cluster"
        await results.settled()
        analysis = analysis_of(session, results)
        text = script(analysis, source_of(session, results, analysis))
        compile(text, "analysis.py", "exec")
        assert "ClusterSettings(method=" in text
        assert ("b85decode" in text) == (longest == 10)
        start = text.index("masks = {")
        code = text[start : text.index("spectra = {")]
        names = {"np": np, "cube": results.opened.cube}
        exec("import base64, zlib\nfrom xrfengine.regions import *\n" + code, names)
        np.testing.assert_array_equal(names["masks"]['it\'s "noise"'], noise)

    visit(steps)
