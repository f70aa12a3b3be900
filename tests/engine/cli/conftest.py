"""A small scan, a tiny model, and ways to run the command line."""

import json

import h5py
import numpy as np
import pytest

from xrfengine import cli
from xrfengine.classifier.checkpoint import untrained

ELEMENTS = ("Ar", "Ca", "Fe", "Pb")
N = 1024


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    return str(untrained(elements=ELEMENTS, depth=1, seed=5).save(path))


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A cube of 14×23 pixels of two kinds, with one odd pixel."""
    rng = np.random.default_rng(0)
    energy = 0.02 * np.arange(N)

    def line(kev, height):
        return height * np.exp(-0.5 * ((energy - kev) / 0.06) ** 2)

    rates = np.full((14, 23, N), 0.2) + line(3.69, 3)
    rates[:, 12:] += line(6.4, 8)
    rates[5, 17] += line(10.55, 50) + line(12.6, 50)
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    with h5py.File(path, "w") as file:
        counts = rng.poisson(rates).astype("uint16")
        file.create_dataset("counts", data=counts, compression="gzip")
        file["counts"].attrs.update({"tube_anode": "Rh", "tube_kV": 40.0})
        file["energy_keV"] = energy
    return str(path)


@pytest.fixture
def run(capsys):
    """Run a command in this process: exit code, stdout, stderr."""

    def call(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def facts(run):
    """Run a command with --json and parse what it prints."""

    def call(*arguments):
        code, out, err = run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return call


@pytest.fixture
def refused(run):
    """Run a command that must fail with one line on stderr; returns that line."""

    def call(*arguments):
        code, out, err = run(*arguments)
        assert code == 2
        assert out == ""
        assert err.startswith("xrfengine: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        return err

    return call
