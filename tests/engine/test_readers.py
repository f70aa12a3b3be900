import csv
import json
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xrfengine
from xrfengine.cube import Calibration, Cube, Spectrum
from xrfengine.errors import Cancelled
from xrfengine.jobs import CancelToken
from xrfengine.readers import datasets, probe, read

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="measured data (../shared/data) is not here"
)

DTYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
FLOATS = ["float16", "float32", "float64"]


def energies(n, offset=-0.5, gain=0.02):
    return offset + gain * np.arange(n)


def write_hdf5(path, counts, **storage):
    with h5py.File(path, "w") as file:
        file.create_dataset("counts", data=counts, **storage)
        file["energy_keV"] = energies(counts.shape[-1])


def write_gzip(path, counts):
    write_hdf5(path, counts, compression="gzip", shuffle=True)


def write_npy(path, counts):
    np.save(path, counts)
    path.with_suffix(".json").write_text('{"offset_kev": -0.5, "gain_kev": 0.02}')


def write_fortran(path, counts):
    write_npy(path, np.asfortranarray(counts))


def write_npz(path, counts):
    np.savez(path, counts=counts, energy_keV=energies(counts.shape[-1]))


def write_npz_small(path, counts):
    np.savez_compressed(path, counts=counts, offset_kev=-0.5, gain_kev=0.02)


def data_set(counts, order=("y", "x", "energy")):
    data = xr.Dataset(
        {"counts": (("y", "x", "energy"), counts)}, coords={"energy": energies(counts.shape[-1])}
    )
    return data.transpose(*order)


def write_netcdf(path, counts):
    data_set(counts).to_netcdf(path, engine="h5netcdf")


def write_netcdf_turned(path, counts):
    data_set(counts, ("energy", "y", "x")).to_netcdf(path, engine="h5netcdf")


def write_zarr2(path, counts):
    data_set(counts).to_zarr(path, mode="w", zarr_format=2)


def write_zarr3(path, counts):
    data_set(counts).to_zarr(path, mode="w", zarr_format=3, consolidated=False)


def write_zarr_turned(path, counts):
    data_set(counts, ("energy", "y", "x")).to_zarr(path, mode="w", zarr_format=2)


WRITERS = {
    "hdf5": (write_hdf5, ".h5"),
    "hdf5 gzip": (write_gzip, ".hdf5"),
    "npy": (write_npy, ".npy"),
    "npy fortran": (write_fortran, ".npy"),
    "npz": (write_npz, ".npz"),
    "npz compressed": (write_npz_small, ".npz"),
    "netcdf": (write_netcdf, ".nc"),
    "netcdf turned": (write_netcdf_turned, ".nc"),
    "zarr 2": (write_zarr2, ".zarr"),
    "zarr 3": (write_zarr3, ".zarr"),
    "zarr turned": (write_zarr_turned, ".zarr"),
}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("shape", [(5, 7, 64), (1, 6, 33), (1, 1, 16), (4, 1, 2)])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_round_trip(tmp_path, form, shape, dtype):
    write, suffix = WRITERS[form]
    counts = np.random.default_rng(0).integers(0, 250, shape).astype(dtype)
    path = tmp_path / f"scan{suffix}"
    write(path, counts)
    cube = read(path)
    assert isinstance(cube, Cube)
    np.testing.assert_array_equal(cube.counts, counts)
    assert cube.counts.dtype == counts.dtype
    assert cube.counts.flags.c_contiguous
    assert not cube.counts.flags.writeable
    assert cube.name == "scan"
    assert cube.path == str(path)
    np.testing.assert_allclose(cube.energy_kev, energies(shape[2]), atol=1e-9)

    facts = probe(path)
    assert facts.kind == "cube"
    assert facts.shape == shape
    assert facts.dtype == dtype
    assert facts.nbytes == counts.nbytes
    assert facts.n_channels == shape[2]
    assert facts.energy_range_kev == pytest.approx((-0.5, -0.5 + 0.02 * (shape[2] - 1)))
    json.dumps(facts.to_dict())


@settings(deadline=None, max_examples=40)
@given(
    data=st.data(),
    form=st.sampled_from(["hdf5", "hdf5 gzip", "npy", "npy fortran", "npz", "npz compressed"]),
    dtype=st.sampled_from([*DTYPES, *FLOATS]),
    byte_order=st.sampled_from("<>"),
)
def test_any_counts_of_any_type_survive(tmp_path_factory, data, form, dtype, byte_order):
    dtype = np.dtype(dtype)
    most = 1000.0 if dtype.kind == "f" else int(np.iinfo(dtype).max)
    element = (
        st.floats(0, most, width=dtype.itemsize * 8) if dtype.kind == "f" else st.integers(0, most)
    )
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(2, 9)))
    counts = data.draw(hnp.arrays(dtype, shape, elements=element))
    write, suffix = WRITERS[form]
    path = tmp_path_factory.mktemp("any") / f"scan{suffix}"
    write(path, counts.astype(dtype.newbyteorder(byte_order)))
    cube = read(path)
    np.testing.assert_array_equal(cube.counts, counts)
    assert cube.counts.dtype == dtype
    assert cube.counts.dtype.isnative


def test_larger_than_one_band(tmp_path, monkeypatch):
    monkeypatch.setattr("xrfengine.readers.source.BAND_BYTES", 1000)
    counts = np.random.default_rng(0).integers(0, 9, (13, 11, 50)).astype("int32")
    for form, (write, suffix) in WRITERS.items():
        path = tmp_path / f"{form}{suffix}"
        write(path, counts)
        np.testing.assert_array_equal(read(path).counts, counts, err_msg=form)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("chunk", [(9, 8, 40), (4, 8, 40), (5, 3, 16), (9, 8, 7)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_large_chunks_are_read_as_a_stream(tmp_path, monkeypatch, shuffle, chunk, dtype):
    monkeypatch.setattr("xrfengine.readers.hdf5_chunks.LARGE_BYTES", 0)
    monkeypatch.setattr("xrfengine.readers.hdf5_chunks.LARGE_SHARE", 0.0)
    monkeypatch.setattr("xrfengine.readers.hdf5_chunks.PIECE_BYTES", 100)
    counts = np.random.default_rng(0).integers(0, 250, (9, 8, 40)).astype(dtype)
    path = tmp_path / "scan.h5"
    write_hdf5(path, counts, chunks=chunk, compression="gzip", shuffle=shuffle)
    np.testing.assert_array_equal(read(path).counts, counts)
    with h5py.File(path, "r+") as file:  # chunks never written hold zeros
        del file["counts"]
        empty = file.create_dataset(
            "counts", counts.shape, dtype, chunks=chunk, compression="gzip", shuffle=shuffle
        )
        empty[:2, :2] = counts[:2, :2]
    expected = np.zeros_like(counts)
    expected[:2, :2] = counts[:2, :2]
    np.testing.assert_array_equal(read(path).counts, expected)


def test_a_given_calibration_overrides_the_file(tmp_path):
    counts = np.ones((2, 2, 8), "uint16")
    np.save(tmp_path / "bare.npy", counts)
    write_hdf5(tmp_path / "scan.h5", counts)
    mine = Calibration(0.1, 0.03)
    for name in ("bare.npy", "scan.h5"):
        assert read(tmp_path / name, calibration=mine).calibration == mine
        assert probe(tmp_path / name, mine).calibration == mine


def test_sidecar_of_the_full_name_and_with_energies(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((1, 1, 4), "uint8"))
    (tmp_path / "a.npy.json").write_text('{"energy_keV": [1, 2, 3, 4], "tube_anode": "Rh"}')
    cube = read(tmp_path / "a.npy")
    assert cube.calibration == Calibration(1.0, 1.0)
    assert cube.instrument.tube_anode == "Rh"


def test_single_spectra_of_numpy_and_hdf5(tmp_path):
    counts = np.arange(9, dtype="uint32")
    write_npz(tmp_path / "s.npz", counts)
    write_hdf5(tmp_path / "s.h5", counts)
    for name in ("s.npz", "s.h5"):
        spectrum = read(tmp_path / name)
        assert isinstance(spectrum, Spectrum)
        np.testing.assert_array_equal(spectrum.counts, counts)
        assert probe(tmp_path / name).kind == "spectrum"


def test_hdf5_variations(tmp_path):
    counts = np.ones((2, 3, 5), "uint16")
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("entry/data/Counts", data=counts)
        energy = file.create_dataset("entry/data/energy", data=1000 * energies(5))
        energy.attrs["units"] = "eV"
        data.attrs["tube_kV"] = 40
        file.attrs.update(
            {"pixel_size_mm": 0.5, "live_time_s": 2.0, "tube_anode": "Mo", "fwhm_mn_keV": 0.14}
        )
    cube = read(path)
    np.testing.assert_allclose(cube.energy_kev, energies(5))
    facts = cube.instrument
    assert (facts.tube_kv, facts.pixel_size_mm, facts.live_time_s) == (40, 0.5, 2.0)
    assert facts.tube_anode == "Mo"
    assert cube.calibration.fwhm_mn_kev == 0.14


def test_hdf5_offset_and_gain_as_attributes(tmp_path):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        data = file.create_dataset("counts", data=np.ones((1, 1, 5), "uint16"))
        data.attrs.update({"offset_keV": -0.5, "gain_keV": 0.02})
    assert read(tmp_path / "scan.h5").calibration == Calibration(-0.5, 0.02)


def test_other_data_sets_beside_the_counts_are_left_alone(tmp_path):
    with h5py.File(tmp_path / "demo.h5", "w") as file:
        file["counts"] = np.ones((2, 2, 6), "uint16")
        file["energy_keV"] = energies(6)
        file["picture"] = np.zeros((2, 2, 3), "uint8")
        file["truth"] = np.zeros((4, 2, 2), "float32")
    assert read(tmp_path / "demo.h5").shape == (2, 2, 6)


def test_float_counts_between_whole_numbers_stay(tmp_path):
    counts = np.full((1, 2, 4), 0.1, "float32")
    write_hdf5(tmp_path / "f.h5", counts)
    np.testing.assert_array_equal(read(tmp_path / "f.h5").counts, counts)


def test_progress_rises_to_one_and_cancel_stops(tmp_path, monkeypatch):
    monkeypatch.setattr("xrfengine.readers.source.BAND_BYTES", 100)
    write_hdf5(tmp_path / "scan.h5", np.ones((6, 2, 50), "uint8"))
    seen = []
    read(tmp_path / "scan.h5", progress=lambda fraction, message="": seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        read(tmp_path / "scan.h5", cancel=token)


def test_threads_read_the_same(tmp_path):
    counts = np.random.default_rng(0).integers(0, 99, (20, 20, 100)).astype("uint16")
    write_gzip(tmp_path / "scan.h5", counts)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(read(tmp_path / "scan.h5")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for cube in results:
        np.testing.assert_array_equal(cube.counts, counts)


def test_datasets_lists_what_looks_readable_in_natural_order(tmp_path):
    counts = np.ones((1, 1, 4), "uint8")
    for name in ("scan10.h5", "scan2.h5"):
        write_hdf5(tmp_path / name, counts)
    write_npy(tmp_path / "a.npy", counts)
    write_zarr2(tmp_path / "z.zarr", counts)
    (tmp_path / "notes.txt").write_text("nothing of interest")
    (tmp_path / "fake.h5").write_text("no HDF5")
    (tmp_path / ".part-x.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "folder.h5").mkdir()
    assert [path.name for path in datasets(tmp_path)] == [
        "a.npy",
        "scan2.h5",
        "scan10.h5",
        "z.zarr",
    ]


def test_read_is_offered_at_the_top():
    assert xrfengine.read is read


@needs_shared
def test_measured_cubes():
    paths = datasets(SHARED / "cubes")
    assert len(paths) == 18
    for path in paths:
        facts = probe(path)
        assert facts.kind == "cube"
        if facts.nbytes < 20e6:
            cube = read(path)
            with h5py.File(path) as file:
                np.testing.assert_array_equal(cube.counts, file["counts"][()])
                assert cube.counts.dtype == file["counts"].dtype
                np.testing.assert_allclose(cube.energy_kev, file["energy_keV"][()], atol=1e-4)


@needs_shared
def test_measured_spectra_agree_with_the_list_of_labels():
    with (SHARED / "labels.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file) if row["kind"] == "spectrum"}
    assert len(rows) == 218
    for name, row in rows.items():
        spectrum = read(SHARED / name)
        assert spectrum.counts.size == int(row["channels"])
        assert spectrum.calibration.gain_kev == pytest.approx(float(row["gain_keV"]), rel=1e-4)
        assert spectrum.calibration.offset_kev == pytest.approx(float(row["offset_keV"]), abs=1e-3)
        assert spectrum.total == pytest.approx(float(row["counts"]), rel=2e-5)


@needs_shared
def test_measured_emsa_files_of_another_instrument():
    spectrum = read(SHARED / "formats" / "horiba" / "Fe.txt")
    assert spectrum.counts.size == 4096
    assert spectrum.instrument.tube_kv == 30
    peak = spectrum.energy_kev[np.argmax(spectrum.counts)]
    assert peak == pytest.approx(6.40, abs=0.05)
