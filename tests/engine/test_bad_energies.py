"""Every bad energy axis or calibration gives a ReadError that names file, problem and remedy."""

import numpy as np
import pytest

from xrfengine.errors import ReadError
from xrfengine.readers import read

N = 16
GOOD = np.ones((3, 4, N), "uint16")
ENERGY = 0.02 * np.arange(N)


def test_energy_axis_that_falls(tmp_path, hdf5, says):
    says(hdf5(tmp_path / "a.h5", energy=ENERGY[::-1]), "does not rise at channel 1")
    wavy = ENERGY.copy()
    wavy[9] = wavy[3]
    says(hdf5(tmp_path / "b.h5", energy=wavy), "does not rise at channel 9")


def test_energy_axis_of_the_wrong_length(tmp_path, hdf5, says):
    says(hdf5(tmp_path / "a.h5", energy=ENERGY[:-1]), "shape (15,)", "16 channels")
    says(hdf5(tmp_path / "b.h5", energy=np.zeros((N, 2))), "shape (16, 2)")
    turned = np.ascontiguousarray(np.moveaxis(GOOD, 2, 0))
    says(hdf5(tmp_path / "c.h5", turned), "must be the last axis")


def test_energy_axis_that_holds_no_energies(tmp_path, hdf5, says):
    says(hdf5(tmp_path / "a.h5", energy=np.where(ENERGY > 0.2, np.nan, ENERGY)), "no numbers")
    says(hdf5(tmp_path / "b.h5", energy=np.array([b"a"] * N)), "no numbers")
    says(hdf5(tmp_path / "c.h5", energy=1e6 * ENERGY), "looks like eV")
    says(hdf5(tmp_path / "d.h5", energy=np.geomspace(0.1, 30, N)), "not evenly spaced")
    says(hdf5(tmp_path / "e.h5", energy=np.zeros(N)), "does not rise")


def test_no_energy_axis(tmp_path, hdf5, says):
    says(hdf5(tmp_path / "a.h5", energy=None), "no energy calibration", "a.json")
    np.save(tmp_path / "b.npy", GOOD)
    says(tmp_path / "b.npy", "no energy calibration", "b.json")
    np.savez(tmp_path / "c.npz", counts=GOOD)
    says(tmp_path / "c.npz", "no energy calibration")
    np.savez(tmp_path / "d.npz", spectra=GOOD)
    says(tmp_path / "d.npz", "no array 'counts'", "spectra")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "not readable as JSON"),
        ("[1, 2]", "no JSON object"),
        ('{"gain_kev": 0.02}', "offset_kev"),
        ('{"offset_kev": 0}', "no energy calibration"),
        ('{"offset_kev": 0, "gain_kev": "wide"}', "'wide'"),
        ('{"offset_kev": 0, "gain_kev": 0}', "gain of 0"),
        ('{"offset_kev": 0, "gain_kev": -0.1}', "gain of -0.1"),
        ('{"offset_kev": null, "gain_kev": 0.1}', "offset_kev"),
        ('{"offset_kev": NaN, "gain_kev": 0.1}', "offset_kev"),
        ('{"offset_kev": 0, "gain_kev": [1, 2]}', "gain_kev"),
        ('{"offset_kev": 0, "gain_kev": 100}', "looks like eV"),
        ('{"energy_kev": [1, 2]}', "shape (2,)"),
        ('{"energy_kev": "none"}', "no numbers"),
    ],
)
def test_bad_sidecars(tmp_path, text, word):
    np.save(tmp_path / "a.npy", GOOD)
    (tmp_path / "a.json").write_text(text)
    error = None
    with pytest.raises(ReadError) as caught:
        read(tmp_path / "a.npy")
    error = caught.value
    assert "a." in error.message
    assert word in str(error)
    assert error.hint


def test_bad_numbers_in_npz(tmp_path, says):
    np.savez(tmp_path / "a.npz", counts=GOOD, offset_kev=np.nan, gain_kev=0.1)
    says(tmp_path / "a.npz", "offset_kev")
    np.savez(tmp_path / "b.npz", counts=GOOD, energy_keV=ENERGY[::-1])
    says(tmp_path / "b.npz", "does not rise")
