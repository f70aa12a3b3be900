"""How the command line refuses, and how it behaves as a program."""

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import xarray as xr

from xrfengine import cli

N = 1024


# ---- refusals


def test_usage_errors(refused, scan):
    assert "COMMAND" in refused()
    assert "invalid choice: 'frob'" in refused("frob")
    assert "info: the following arguments are required: FILE" in refused("info")
    assert "unrecognized arguments: --colour" in refused("info", scan, "--colour")
    assert "-o/--out" in refused("maps", scan)
    assert "invalid choice: 'guess'" in refused("maps", scan, "-o", "m.nc", "--method", "guess")
    assert "invalid int value: 'many'" in refused("simulate", "-n", "many", "-o", "s.h5")
    assert "either a table of labels or --simulated" in refused("evaluate")
    assert "either" in refused("evaluate", "labels.csv", "--simulated")


@pytest.mark.parametrize("command", ["info", "identify", "maps", "cluster", "calibrate"])
def test_a_missing_file_is_told_by_every_command(refused, tmp_path, command, model):
    more = {
        "maps": ("-o", tmp_path / "m.nc", "--model", model),
        "cluster": ("-o", tmp_path / "m.nc"),
        "calibrate": ("--pair", "10=1", "--pair", "20=2"),
    }
    missing = tmp_path / "nothing.h5"
    line = refused(command, missing, *more.get(command, ()))
    assert "nothing.h5: there is no such file" in line
    assert not (tmp_path / "m.nc").exists()


def test_bad_contents_are_told(refused, tmp_path):
    (tmp_path / "a.h5").write_text("no HDF5")
    assert "although its name says so" in refused("info", tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["counts"] = np.full((1, 1, N), np.nan)
        file["energy_keV"] = np.arange(N) * 0.02
    assert "nan at pixel y 0" in refused("cluster", tmp_path / "b.h5", "-o", tmp_path / "c.nc")


def test_a_bad_file_among_many_prints_nothing_of_the_others(refused, scan, tmp_path, model):
    refused("identify", scan, tmp_path / "nothing.h5", "--json", "--model", model)


def test_bad_models_are_told(refused, scan, tmp_path):
    assert "nothing.safetensors" in refused(
        "identify", scan, "--model", tmp_path / "nothing.safetensors"
    )
    (tmp_path / "bad.safetensors").write_bytes(b"\x08" * 100)
    assert "bad.safetensors" in refused("identify", scan, "--model", tmp_path / "bad.safetensors")


def test_bad_settings_are_told(refused, scan, model, tmp_path):
    out = tmp_path / "m.nc"
    maps = ("maps", scan, "-o", out, "--model", model)
    assert "region size of 0" in refused(*maps, "--region", "0")
    assert "'Xx'" in refused(*maps, "--elements", "Fe,Xx")
    assert "does not know 'Zn'" in refused(*maps, "--elements", "Zn")
    assert "list of elements is empty" in refused(*maps, "--elements", ",")
    assert "region size of -1" in refused("identify", scan, "--region", "-1", "--model", model)
    assert "no grid" in refused("cluster", scan, "-o", out, "--grid", "three")
    assert "0×3 nodes" in refused("cluster", scan, "-o", out, "--grid", "0,3")
    assert "channel 9999" in refused("calibrate", scan, "--pair", "10=1", "--pair", "9999=20")
    assert "no pair" in refused("calibrate", scan, "--pair", "10")
    assert "must rise" in refused("calibrate", scan, "--pair", "10=5", "--pair", "20=1")
    assert "-n 0" in refused("simulate", "-n", "0", "-o", tmp_path / "s.h5")
    assert "0 minutes" in refused("train", "--minutes", "0", "--out", tmp_path / "m.safetensors")
    rate = ("--learning-rate", "0", "--out", tmp_path / "m.safetensors")
    assert "learning rate of 0" in refused("train", *rate)
    assert "--seed -1" in refused("evaluate", "--simulated", "--seed", "-1")
    assert not list(tmp_path.iterdir())


def test_roi_maps_of_elements_without_a_line_are_refused(refused, tmp_path):
    np.savez(tmp_path / "s.npz", counts=np.ones((1, 2, 200)), offset_kev=3.0, gain_kev=0.02)
    line = refused(
        "maps",
        tmp_path / "s.npz",
        "-o",
        tmp_path / "m.nc",
        "--method",
        "roi",
        "--elements",
        "Fe,Cu",
    )
    assert "Cu has no excited line" in line
    assert not (tmp_path / "m.nc").exists()


def test_outputs_are_refused_before_the_work(refused, scan, tmp_path):
    assert "extension .txt" in refused("maps", scan, "-o", tmp_path / "m.txt")
    assert "extension (none)" in refused("cluster", scan, "-o", tmp_path / "m")
    (tmp_path / "folder.nc").mkdir()
    assert "is a folder" in refused("maps", scan, "-o", tmp_path / "folder.nc")
    assert "extension .nc" in refused("simulate", "-n", "5", "-o", tmp_path / "s.nc")
    with_preset = ("--preset", "thesis", "--bright", "w.safetensors", "--out")
    assert "--bright" in refused("train", *with_preset, tmp_path / "m.safetensors")
    assert "no weights" in refused(
        "train", "--bright", tmp_path / "w.safetensors", "--out", tmp_path / "m.safetensors"
    )
    assert "extension .pt" in refused("train", "--out", tmp_path / "m.pt")


def test_an_input_is_never_overwritten(refused, tmp_path):
    path = tmp_path / "scan.nc"
    xr.Dataset(
        {"counts": (("y", "x", "energy"), np.ones((2, 2, N)))},
        coords={"energy": 0.02 * np.arange(N)},
    ).to_netcdf(path, engine="h5netcdf")
    before = path.read_bytes()
    (tmp_path / "link.nc").symlink_to(path)
    for out in (path, tmp_path / "x" / ".." / "scan.nc", tmp_path / "link.nc"):
        line = refused("maps", path, "-o", out, "--method", "roi")
        assert "would overwrite the input" in line
    assert path.read_bytes() == before


def test_an_output_that_cannot_be_written_is_told(refused, scan, tmp_path):
    (tmp_path / "file").write_text("")
    line = refused("maps", scan, "-o", tmp_path / "file" / "m.nc", "--method", "roi")
    assert "cannot be written" in line


def test_bad_calibration_files(refused, scan, tmp_path):
    path = tmp_path / "cal.json"
    assert "cal.json" in refused("info", scan, "--calibration", path)
    for text in ("{", "[]", '{"gain_kev": 1}', '{"offset_kev": "a", "gain_kev": 1}'):
        path.write_text(text)
        assert "holds no calibration" in refused("info", scan, "--calibration", path)
    path.write_text('{"offset_kev": 0, "gain_kev": -1}')
    assert "gain of -1" in refused("info", scan, "--calibration", path)


def test_faults_of_the_software_are_not_hidden(monkeypatch, scan):
    def fault(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr("xrfengine.cli.facts.probe", fault)
    with pytest.raises(ZeroDivisionError):
        cli.main(["info", scan])


def test_what_breaks_after_ctrl_c_is_no_fault(monkeypatch, scan, capsys):
    def broken_by_it(args, terminal):
        terminal.cancel.cancel()
        raise OSError("the worker process was interrupted")

    monkeypatch.setattr("xrfengine.cli.facts.info", broken_by_it)
    assert cli.main(["info", scan]) == 130
    assert capsys.readouterr().err == "xrfengine: interrupted\n"


# ---- as a program


def program(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "xrfengine", *map(str, arguments)],
        capture_output=True,
        text=True,
        **options,
    )


def test_as_a_program(scan, tmp_path):
    done = program("info", scan, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["dtype"] == "uint16"
    failed = program("info", tmp_path / "nothing.h5")
    assert failed.returncode == 2
    assert failed.stdout == ""
    assert failed.stderr.count("\n") == 1
    assert program("--version").stdout.startswith("xrfengine ")
    assert program("identify", "--help").returncode == 0


def test_a_reader_that_closes_early_is_no_fault(scan):
    command = f"{sys.executable} -m xrfengine info {scan} | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_interrupting_leaves_nothing_half_written(tmp_path):
    command = [sys.executable, "-m", "xrfengine", "simulate", "-n", "10000000"]
    out = tmp_path / "much.h5"
    process = subprocess.Popen([*command, "-o", str(out)], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < until:
        time.sleep(0.05)
    assert list(tmp_path.iterdir()), "the command did not begin"
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "xrfengine: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_an_anode_that_is_no_element(refused, scan, model):
    assert "'Xx' is no chemical element" in refused(
        "identify", scan, "--anode", "Xx", "--model", model
    )
