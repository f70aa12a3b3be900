"""Fit maps and components through the engine and the command line."""

import json

import numpy as np
import pytest
import xarray as xr

from xrfengine import Engine, cli, read
from xrfengine.cube import Calibration
from xrfengine.detector import Detector, render_groups
from xrfengine.lines import line_groups
from xrfengine.maps.factors import FactorSettings, factor_maps

N, CALIBRATION = 900, Calibration(0.0, 0.02)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Iron in the left half, copper in the right, argon of the air over all."""
    import h5py

    folder = tmp_path_factory.mktemp("scans")
    edges, detector = CALIBRATION.edges_kev(N), Detector.sdd(0.15)
    rates = np.full((6, 10, N), 0.3)
    for element, columns, counts in (
        ("Fe", slice(0, 5), 3000.0),
        ("Cu", slice(5, 10), 2000.0),
        ("Ar", slice(0, 10), 300.0),
    ):
        group = line_groups(element, 40.0)[0]
        energy = np.array([line.energy_kev for line in group.lines])
        weight = np.array([line.weight for line in group.lines])
        shape = render_groups([(energy, weight)], edges, detector)[0]
        rates[:, columns] += counts * shape / shape.sum()
    with h5py.File(folder / "halves.h5", "w") as file:
        file["counts"] = np.random.default_rng(0).poisson(rates).astype("uint16")
        file["counts"].attrs.update({"tube_anode": "Rh", "tube_kV": 40.0})
        file["energy_keV"] = CALIBRATION.energy_kev(N)
    return folder / "halves.h5"


def test_fits_of_the_engine_are_kept_and_survive_a_restart(scan, model, tmp_path):
    engine = Engine(scan.parent, model=model, device="cpu", cache=tmp_path)
    try:
        cube = engine.cube("halves.h5")
        maps = engine.fit(cube, elements=("Fe", "Cu"))
        assert engine.fit(cube, elements=("Fe", "Cu")) is maps
        fe, errors = maps["Fe K"]
        assert fe[:, :5].mean() == pytest.approx(3000.0, rel=0.03)
        assert fe[:, 5:].mean() < 2 * errors[:, 5:].mean()
        shared = engine.fit(cube, elements=("Fe", "Cu"), weights="shared")
        np.testing.assert_allclose(shared["Cu K"][0], maps["Cu K"][0], rtol=0.1, atol=30)
        of_sum = engine.maps(cube, "fit", 2)
        more = engine.maps(cube, "fit", 2, also=("Ti", "Fe"))
        assert set(more.elements) == {*of_sum.elements, "Ti", "Fe"}
        assert engine.maps(cube, "fit", 2, also=("Fe", "Ti")) is more
        limits = engine.default_thresholds(more, ("Ti", "Fe"))
        errors = engine.fit(cube, 2, also=("Ti", "Fe")).main_errors()
        assert limits["Ti"] == pytest.approx(3 * np.median(errors["Ti"]))
        assert engine.maps(cube, "roi", 2, also=("Ti",)) is engine.maps(cube, "roi", 2)
        assert of_sum.kind == "fit"
        assert of_sum.region_px == 2
        assert engine.maps_at_hand(cube, "fit", 2) is of_sum
    finally:
        engine.close()
    again = Engine(scan.parent, model=model, device="cpu", cache=tmp_path)
    try:
        cube = again.cube("halves.h5")
        np.testing.assert_array_equal(again.fit(cube, elements=("Fe", "Cu")).counts, maps.counts)
        settings = FactorSettings("nmf", 2)
        components = again.factors(cube, settings)
        assert again.factors(cube, settings) is components
        np.testing.assert_array_equal(components.values, factor_maps(cube, settings).values)
    finally:
        again.close()


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_fit_maps_of_chosen_elements(scan, tmp_path, capsys):
    out = tmp_path / "fit.nc"
    code, printed, err = run(
        capsys, "maps", scan, "-o", out, "--method", "fit", "--elements", "Fe,Cu",
        "--weights", "shared", "--anode", "Rh", "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    facts = json.loads(printed)
    assert {"Fe", "Cu"} <= set(facts["elements"])
    with xr.open_dataset(out, engine="h5netcdf") as data:
        data.load()
    assert data.attrs["weights"] == "shared"
    assert data.attrs["source"] == "halves.h5"
    iron = data["maps"].sel(component="Fe K").values
    assert iron[:, :5].mean() > 20 * iron[:, 5:].mean()
    assert (data["errors"] > 0).all()
    assert data["chi2"].dims == ("y", "x")


@pytest.mark.parametrize("method", ["nmf", "pca"])
def test_components(scan, tmp_path, capsys, method):
    out = tmp_path / "parts.nc"
    code, printed, err = run(
        capsys, "maps", scan, "-o", out, "--method", method, "--components", "2"
    )
    assert (code, err) == (0, "")
    assert "2 maps of 6×10 pixels" in printed
    with xr.open_dataset(out, engine="h5netcdf") as data:
        np.testing.assert_allclose(data["energy"], read(scan).energy_kev)
        assert data["maps"].shape == (2, 6, 10)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--method", "roi", "--weights", "shared"), "--weights"),
        (("--method", "nmf", "--elements", "Fe"), "--elements"),
        (("--method", "fit", "--components", "3"), "--components"),
        (("--method", "pca", "--components", "0"), "0 components"),
        (("--method", "fit", "--elements", "Fe", "--anode", "Xx"), "Xx"),
    ],
)
def test_options_without_meaning_are_refused(scan, tmp_path, capsys, arguments, word):
    code, _, err = run(capsys, "maps", scan, "-o", tmp_path / "m.nc", *arguments)
    assert code == 2
    assert word in err
    assert not (tmp_path / "m.nc").exists()
