"""The command line: what it prints, what it writes, how it refuses."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from xrfengine.assets import asset
from xrfengine.classifier.predict import Classifier, probability_maps
from xrfengine.cluster import cluster_spectra
from xrfengine.maps.roi import roi_maps
from xrfengine.readers import read

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
PAINTING = SHARED / "cubes" / "vinca_aurora_prova1_10264.h5"
ELEMENTS = ("Ar", "Ca", "Fe", "Pb")
N = 1024


# ---- info


def test_info(run, facts, scan):
    values = facts("info", scan)
    assert values["shape"] == [14, 23, N]
    assert values["dtype"] == "uint16"
    assert values["energy_kev"] == pytest.approx([0.0, 20.46])
    assert values["tube_anode"] == "Rh"
    assert values["fwhm_mn_kev"] is None
    code, out, _ = run("info", scan)
    assert code == 0
    for word in ("HDF5", "14 × 23 pixels", "uint16", "0.000 … 20.460 keV", "Rh anode", "40 kV"):
        assert word in out


def test_info_does_not_load_torch(scan):
    script = (
        "import sys; from xrfengine.cli import main; code = main(['info', sys.argv[1]]);"
        "heavy = {'torch', 'numba', 'xarray', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules);"
        "sys.exit(code or bool(heavy))"
    )
    subprocess.run([sys.executable, "-c", script, scan], check=True, capture_output=True)


# ---- identify


def test_identify_gives_one_object_a_file_with_every_element(facts, scan, model):
    results = facts("identify", scan, scan, "--model", model)
    assert len(results) == 2
    assert results[0] == results[1]
    first = results[0]
    assert first["file"] == scan
    classifier = Classifier.load(model)
    assert first["model"] == f"tiny {classifier.digest}"
    assert {each["symbol"] for each in first["elements"]} == set(ELEMENTS)
    probabilities = [each["probability"] for each in first["elements"]]
    assert probabilities == sorted(probabilities, reverse=True)
    cube = read(scan)
    expected = classifier.probabilities(cube.sum_spectrum.counts[None], cube.calibration)[0]
    for each in first["elements"]:
        column = classifier.index(each["symbol"])
        assert each["probability"] == pytest.approx(float(expected[column]), abs=1e-6)
        assert each["present"] == bool(expected[column] >= classifier.thresholds[column])
        assert each.get("instrument", False) == (each["symbol"] == "Ar")


def test_identify_prints_a_table(run, scan, model):
    code, out, err = run("identify", scan, "--model", model, "--all")
    assert (code, err) == (0, "")
    assert "14×23 pixels" in out
    for element in ELEMENTS:
        assert f"  {element} " in out


def test_identify_by_region_takes_the_highest_of_the_sum_and_all_blocks(facts, scan, model):
    (result,) = facts("identify", scan, "--by", "region", "--region", "6", "--model", model)
    assert result["spectra"] == 1 + 3 * 4
    classifier = Classifier.load(model)
    cube = read(scan)
    maps = probability_maps(cube, classifier, 6)
    whole = classifier.probabilities(cube.sum_spectrum.counts[None], cube.calibration)[0]
    for each in result["elements"]:
        highest = max(maps[each["symbol"]].max(), whole[classifier.index(each["symbol"])])
        assert each["probability"] == pytest.approx(float(highest), abs=1e-5)
        if each["where"]["part"] == "region":
            (top, bottom), (left, right) = each["where"]["y"], each["where"]["x"]
            block = maps[each["symbol"]][top:bottom, left:right]
            np.testing.assert_allclose(block, each["probability"], atol=1e-5)


def test_identify_by_max_and_cluster(facts, scan, model):
    (alone,) = facts("identify", scan, "--model", model)
    lowest = {each["symbol"]: each["probability"] for each in alone["elements"]}
    for by, spectra in (("max", {2}), ("cluster", range(2, 11))):
        (result,) = facts("identify", scan, "--by", by, "--model", model)
        assert result["spectra"] in spectra
        parts = {each["where"]["part"] for each in result["elements"]}
        assert parts <= {"sum", by}
        for each in result["elements"]:
            assert each["probability"] >= lowest[each["symbol"]] - 1e-6


def test_identify_explains_from_a_fit(facts, run, scan, model):
    (result,) = facts("identify", scan, "--explain", "--model", model)
    lines = result["instrument_lines"]
    assert (lines["anode"], lines["source"]) == ("Rh", "given")
    evidence = {each["symbol"]: each.get("evidence") for each in result["elements"]}
    assert evidence["Fe"]["z"] > 20
    main = evidence["Fe"]["lines"][0]
    assert (main["name"], main["state"]) == ("Kα", "present")
    drawn = 14 * 11 * 8 * 0.06 * np.sqrt(2 * np.pi) / 0.02  # pixels × area of the line
    assert main["observed"] == pytest.approx(drawn, rel=0.1)
    code, out, err = run("identify", scan, "--explain", "--model", model)
    assert (code, err) == (0, "")
    assert evidence["Fe"]["sentence"] in out
    assert lines["sentence"] in out


def test_a_given_anode_is_the_instruments(facts, scan, model):
    for anode, expected in (("Fe", {"Ar", "Fe"}), (None, {"Ar"})):
        given = ("--anode", anode) if anode else ()
        (result,) = facts("identify", scan, *given, "--model", model)
        marked = {each["symbol"] for each in result["elements"] if each.get("instrument")}
        assert marked == expected


def test_identify_of_a_single_spectrum(facts, tmp_path, model):
    np.savez(tmp_path / "s.npz", counts=np.ones(N), offset_kev=0.0, gain_kev=0.02)
    for by in ("sum", "max", "region", "cluster"):
        (result,) = facts("identify", tmp_path / "s.npz", "--by", by, "--model", model)
        assert result["spectra"] == 1
        assert result["shape"] == [1, 1, N]


def test_a_given_calibration_is_taken(facts, scan, model, tmp_path):
    (tmp_path / "cal.json").write_text('{"offset_kev": 1.0, "gain_kev": 0.01}')
    arguments = ("--calibration", tmp_path / "cal.json")
    assert facts("info", scan, *arguments)["energy_kev"] == pytest.approx([1.0, 11.23])
    (plain,) = facts("identify", scan, "--model", model)
    (other,) = facts("identify", scan, "--model", model, *arguments)
    assert plain["elements"] != other["elements"]


# ---- maps and clusters


def test_probability_maps(facts, scan, model, tmp_path):
    out = tmp_path / "maps.nc"
    values = facts("maps", scan, "-o", out, "--region", "5", "--model", model)
    assert values["elements"] == list(ELEMENTS)
    with xr.open_dataset(out, engine="h5netcdf") as data:
        maps = data["maps"].load()
        assert data.attrs["source"] == "scan.h5"
        assert data.attrs["model"] == values["model"]
    assert maps.dims == ("element", "y", "x")
    assert maps.dtype == np.float32
    assert maps.attrs["kind"] == "probability"
    expected = probability_maps(read(scan), Classifier.load(model), 5)
    np.testing.assert_array_equal(maps.values, expected.values)
    np.testing.assert_array_equal(maps.sel(element="Fe"), expected["Fe"])


@pytest.mark.parametrize("method", ["probability", "roi"])
def test_maps_of_chosen_elements(run, scan, model, tmp_path, method):
    out = tmp_path / "maps.nc"
    more = ("--method", method, "--elements", "Pb, Fe", "--model", model)
    code, printed, err = run("maps", scan, "-o", out, *more)
    assert (code, err) == (0, "")
    assert "2 maps of 14×23 pixels" in printed
    with xr.open_dataset(out, engine="h5netcdf") as data:
        assert list(data["element"].values) == ["Pb", "Fe"]
        if method == "roi":
            expected = roi_maps(read(scan), ["Pb", "Fe"]).values
            np.testing.assert_array_equal(data["maps"].values, expected)
            assert data["maps"].attrs["units"] == "counts"


def test_maps_list_what_is_found_and_the_instruments_apart(run, facts, scan, tmp_path):
    maps = ("maps", scan, "-o", tmp_path / "maps.nc", "--method", "roi", "--elements", "Ca,Fe,Rh")
    listed = {each["symbol"]: each for each in facts(*maps)["found"]}
    assert listed["Fe"]["share"] > 0.4
    assert "instrument" not in listed["Fe"]
    _, printed, _ = run(*maps, "--anode", "Fe")
    assert "found: Ca" in printed
    assert "of the instrument: Fe" in printed


def test_maps_infer_the_anode_where_the_file_is_silent(facts, tmp_path, monkeypatch):
    from xrfengine.classifier.fit import guess_setup

    monkeypatch.setattr(
        "xrfengine.classifier.anode.find_setup",
        lambda spectrum: (guess_setup(spectrum, "Fe"), "inferred"),
    )
    counts = np.zeros((2, 3, N))
    counts[..., 310:330] = 40.0
    np.savez(tmp_path / "s.npz", counts=counts, offset_kev=0.0, gain_kev=0.02)
    more = ("-o", tmp_path / "m.nc", "--method", "roi", "--elements", "Fe,Ca")
    (found,) = facts("maps", tmp_path / "s.npz", *more)["found"]
    assert found == {"symbol": "Fe", "share": 1.0, "instrument": True}


def test_maps_of_a_single_spectrum(facts, tmp_path, model):
    np.savez(tmp_path / "s.npz", counts=np.ones(N), offset_kev=0.0, gain_kev=0.02)
    values = facts("maps", tmp_path / "s.npz", "-o", tmp_path / "m.nc", "--model", model)
    assert values["shape"] == [1, 1]


def test_cluster_som(facts, scan, model, tmp_path):
    out = tmp_path / "clusters.nc"
    values = facts("cluster", scan, "-o", out, "--grid", "2,1", "--model", model)
    assert values["n_clusters"] == 2
    cube = read(scan)
    with xr.open_dataset(out, engine="h5netcdf") as data:
        data.load()
    assert data["labels"].dims == ("y", "x")
    # The two halves of the scan are the two clusters.
    left, right = data["labels"].values[:, :12], data["labels"].values[:, 12:]
    assert np.mean(left == np.median(left)) > 0.98
    assert np.mean(right == np.median(right)) > 0.98
    assert np.median(left) != np.median(right)
    spectra = cluster_spectra(cube, data["labels"].values)
    np.testing.assert_array_equal(data["spectra"].values, [each.counts for each in spectra])
    np.testing.assert_allclose(data["energy"], cube.energy_kev)
    assert data["probability"].dims == ("cluster", "element")
    assert data["n_pixels"].values.sum() == cube.n_pixels
    assert [each["n_pixels"] for each in values["clusters"]] == list(data["n_pixels"].values)
    assert json.loads(data.attrs["settings"])["method"] == "som"


@pytest.mark.timeout(200)
def test_cluster_umap_hdbscan_without_a_model(facts, scan, tmp_path):
    out = tmp_path / "clusters.nc"
    more = ("--method", "umap-hdbscan", "--min-cluster-size", "40", "--no-classify")
    values = facts("cluster", scan, "-o", out, *more)
    assert values["method"] == "umap-hdbscan"
    assert values["model"] is None
    with xr.open_dataset(out, engine="h5netcdf") as data:
        assert "probability" not in data
        assert int((data["labels"] < 0).sum()) == values["n_unassigned"]
        assert data.sizes["cluster"] == values["n_clusters"] >= 2


# ---- calibrate


def test_calibrate(facts, run, scan, tmp_path):
    pairs = ("--pair", "184.5=Ca-Ka", "--pair", "320=Fe Kα", "--pair", "527.5=10.55")
    out = tmp_path / "cal.json"
    values = facts("calibrate", scan, *pairs, "-o", out)
    assert values["gain_kev"] == pytest.approx(0.02, rel=1e-3)
    assert len(values["pairs"]) == 3
    assert max(abs(pair["residual_kev"]) for pair in values["pairs"]) < 0.01
    assert json.loads(out.read_text())["gain_kev"] == values["gain_kev"]
    assert facts("info", scan, "--calibration", out)["gain_kev"] == values["gain_kev"]
    code, printed, _ = run("calibrate", scan, *pairs)
    assert code == 0
    assert "keV × channel" in printed


def test_calibrated_file_beside_a_bare_npy_is_found(facts, tmp_path):
    np.save(tmp_path / "bare.npy", np.ones((1, 2, N), "uint8"))
    pairs = ("--pair", "200=4", "--pair", "400=8")
    facts("calibrate", tmp_path / "bare.npy", *pairs, "-o", tmp_path / "bare.json")
    assert facts("info", tmp_path / "bare.npy")["gain_kev"] == pytest.approx(0.02)


# ---- simulate, train, evaluate


@pytest.mark.parametrize("preset", ["physical", "thesis"])
def test_simulate(facts, tmp_path, preset, monkeypatch):
    monkeypatch.setattr("xrfengine.cli.making.SIMULATED_AT_ONCE", 50)
    out = tmp_path / "simulated.h5"
    values = facts("simulate", "-n", "120", "-o", out, "--preset", preset, "--seed", "3")
    assert values["spectra"] == 120
    cube = read(out)
    assert cube.shape == (1, 120, values["channels"])
    with h5py.File(out) as file:
        labels = file["labels"][()]
        assert labels.shape == (120, len(values["elements"]))
        assert set(np.unique(labels)) <= {-1, 0, 1}
        assert (labels == 1).sum() / 120 == pytest.approx(values["visible_elements"])
        assert file["elements"].asstr()[()].tolist() == values["elements"]
    facts("simulate", "-n", "120", "-o", out, "--preset", preset, "--seed", "3")
    again = read(out)
    np.testing.assert_array_equal(again.counts, cube.counts)


def test_simulate_a_given_number_of_elements(facts, tmp_path):
    facts("simulate", "-n", "20", "-o", tmp_path / "s.h5", "--elements-each", "3")
    with h5py.File(tmp_path / "s.h5") as file:
        assert (file["n_elements"][()] == 3).all()


def labels_table(folder, scan):
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        header = ["file", "kind", "domain", "use", "certain", "plausible", "instrument_lines"]
        writer.writerow(header)
        writer.writerow([scan, "cube", "xray", "check", "Ca Fe", "Pb", ""])
        writer.writerow([scan, "cube", "sem", "check", "Ca", "Fe", ""])
    return folder / "labels.csv"


def test_evaluate_labels(facts, run, scan, model, tmp_path):
    table = labels_table(tmp_path, scan)
    one = facts("evaluate", table, "--model", model, "--out", tmp_path / "figures")
    both = facts("evaluate", table, "--domain", "all", "--model", model)
    assert (one["n_spectra"], both["n_spectra"]) == (1, 2)
    for key in ("recall", "false_alarms_per_spectrum", "f1", "average_precision"):
        assert one[key] >= 0
    (identified,) = facts("identify", scan, "--model", model)
    present = {each["symbol"] for each in identified["elements"] if each["present"]}
    assert one["recall"] == len(present & {"Ca", "Fe"}) / 2
    assert one["false_alarms_per_spectrum"] == len(present - {"Ca", "Fe", "Pb", "Ar"})
    written = json.loads((tmp_path / "figures" / "labels-xray.json").read_text())
    assert written == one
    code, printed, _ = run("evaluate", table, "--model", model)
    assert code == 0
    assert "recall of certain elements" in printed


def test_evaluate_simulated(facts, run, model, tmp_path):
    few = ("--simulated", "--spectra", "128", "--per-count", "64", "--model", model)
    values = facts("evaluate", *few, "--out", tmp_path / "figures")
    assert set(values["by_number"]) <= {str(n) for n in range(1, 10)}
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"evaluation.json", "roc.png", "by_number.png"} <= names
    code, printed, _ = run("evaluate", *few)
    assert code == 0
    assert "mean area under ROC" in printed


@pytest.mark.timeout(200)
def test_train_a_few_steps_and_use_the_result(facts, scan, tmp_path):
    out = tmp_path / "m.safetensors"
    quick = ("--steps", "2", "--batch", "16", "--validation-spectra", "128", "--workers", "0")
    rate = ("--learning-rate", "0.001")
    values = facts("train", "--preset", "compact", "--out", out, *quick, *rate)
    assert values["steps"] == 2
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["training"]["learning_rate"] == 0.001
    assert card["training"]["muon_rate"] == pytest.approx(0.01)  # as much less as the other
    assert card["command"].startswith("xrfengine train --preset compact")
    (result,) = facts("identify", scan, "--model", out)
    assert result["model"] == f"m {values['digest']}"
    assert len(result["elements"]) == 71


# ---- measured data and the shipped model


@pytest.mark.skipif(not PAINTING.is_file(), reason="measured data (../shared/data) is not here")
@pytest.mark.skipif(
    not asset("compact.safetensors").is_file(), reason="the shipped weights are not here yet"
)
def test_the_painting_with_the_shipped_model(facts):
    (result,) = facts("identify", PAINTING)
    present = {each["symbol"] for each in result["elements"] if each["present"]}
    assert {"Pb", "Ca", "Fe"} <= present
    assert len(result["elements"]) == 71
