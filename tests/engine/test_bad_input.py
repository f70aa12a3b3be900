"""Every bad file gives a ReadError that names the file, the problem and a remedy."""

import contextlib
import json
import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest

from xrfengine.errors import ReadError
from xrfengine.readers import datasets, probe, read

N = 16
GOOD = np.ones((3, 4, N), "uint16")
ENERGY = 0.02 * np.arange(N)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def with_value(value, dtype="float32", at=(1, 2, 5)):
    counts = np.ones((3, 4, N), dtype)
    counts[at] = value
    return counts


def truncate(path, keep):
    os.truncate(path, int(path.stat().st_size * keep))
    return path


# ---- the file itself


def test_missing_file(tmp_path, says):
    says(tmp_path / "nothing.h5", "no such file")


def test_folder(tmp_path, says):
    says(tmp_path, "this is a folder")
    (tmp_path / "x.zarr").mkdir()
    says(tmp_path / "x.zarr", "this is a folder")


def test_wrong_extension(tmp_path, says):
    path = tmp_path / "scan.xyz"
    path.write_bytes(b"\x00\x01\x02")
    says(path, "extension .xyz", "Readable are .h5")
    bare = tmp_path / "scan"
    bare.write_bytes(b"\x00\x01\x02")
    says(bare, "extension (none)")


def test_wrong_extension_of_a_known_content(tmp_path, hdf5, says):
    path = hdf5(tmp_path / "scan.h5").rename(tmp_path / "scan.dat")
    says(path, "begins like HDF5", "rename it to .h5")


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".nc", ".npy", ".npz", ".msa", ".txt", ".zarr"])
def test_not_what_its_name_says(tmp_path, suffix, says):
    for content, name in (
        (b"This is a shopping list.\n", "plain text"),
        (PNG, "a PNG picture"),
        (pickle.dumps({"counts": [1]}), "pickle"),
        (b"\x00\x01\x02\x03" * 9, "nothing known"),
    ):
        path = tmp_path / f"scan{suffix}"
        path.write_bytes(content)
        says(path, "although its name says so", name)


def test_hdf5_named_npy_and_the_other_way_round(tmp_path, hdf5, says):
    says(hdf5(tmp_path / "a.h5").rename(tmp_path / "a.npy"), "looks like HDF5")
    np.save(tmp_path / "b.npy", GOOD)
    says((tmp_path / "b.npy").rename(tmp_path / "b.h5"), "looks like NumPy .npy")


def test_empty_file(tmp_path, says):
    for suffix in (".h5", ".npy", ".npz", ".msa", ".nc"):
        path = tmp_path / f"scan{suffix}"
        path.touch()
        says(path, "0 bytes")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path, hdf5, says):
    path = hdf5(tmp_path / "a.h5")
    path.chmod(0)
    says(path, "Permission denied")


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_truncated_files(tmp_path, keep, says):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 60000, (20, 20, N)).astype("uint16")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("counts", data=counts, compression="gzip")
        file["energy_keV"] = ENERGY
    np.save(tmp_path / "a.npy", counts)
    (tmp_path / "a.json").write_text('{"offset_kev": 0, "gain_kev": 0.02}')
    np.savez_compressed(tmp_path / "a.npz", counts=counts, energy_keV=ENERGY)
    for suffix in (".h5", ".npy", ".npz"):
        path = tmp_path / f"a{suffix}"
        assert read(path).shape == counts.shape
        says(truncate(path, keep), "Copy")


def test_damaged_large_chunks(tmp_path, monkeypatch, says):
    monkeypatch.setattr("xrfengine.readers.hdf5_chunks.LARGE_BYTES", 0)
    counts = np.random.default_rng(0).integers(0, 60000, (20, 20, N)).astype("uint16")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("counts", data=counts, chunks=counts.shape, compression="gzip")
        file["energy_keV"] = ENERGY
        file.flush()
        place = data.id.get_chunk_info(0)
    whole = path.read_bytes()
    middle = place.byte_offset + place.size // 2
    path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    says(path, "compressed counts are damaged")


def test_bytes_overturned_inside_a_file_never_give_a_traceback(tmp_path, hdf5):
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 60000, (6, 6, N)).astype("uint16")
    hdf5(tmp_path / "a.h5", counts)
    np.savez_compressed(tmp_path / "a.npz", counts=counts, energy_keV=ENERGY)
    np.save(tmp_path / "a.npy", counts)
    (tmp_path / "a.json").write_text('{"offset_kev": 0, "gain_kev": 0.02}')
    refused = 0
    for suffix in (".h5", ".npz", ".npy"):
        whole = (tmp_path / f"a{suffix}").read_bytes()
        for _ in range(60):
            broken = bytearray(whole)
            start = int(rng.integers(8, min(len(broken), 3000)))
            broken[start : start + 8] = rng.bytes(8)
            path = tmp_path / f"a{suffix}"
            path.write_bytes(broken)
            with contextlib.suppress(ReadError):
                read(path)
                refused -= 1
            refused += 1
    assert refused > 10


def test_damaged_zarr(tmp_path, says):
    import zarr

    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("counts", data=np.random.default_rng(0).integers(0, 9, (3, 4, N)))
    group.create_array("energy", data=ENERGY)
    assert read(path).shape == (3, 4, N)
    chunk = next(p for p in (path / "counts").rglob("*") if p.is_file() and p.name[0].isdigit())
    truncate(chunk, 0.5)
    says(path, "damaged")
    (path / "counts" / ".zarray").write_text("{")
    says(path, "damaged")


def test_zarr_without_counts(tmp_path, says):
    import zarr

    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("other", data=ENERGY)
    says(tmp_path / "a.zarr", "no array 'counts'", "other (16,)")


# ---- what is in it


def test_hdf5_without_the_data_set_says_which_it_has(tmp_path, hdf5, says):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["entry/spectra"] = GOOD
        file["energy_keV"] = ENERGY
    says(path, "no data set 'counts'", "entry/spectra (3, 4, 16)", "energy_keV (16,)")
    says(hdf5(tmp_path / "b.h5", None, None), "nor any other")


def test_hdf5_with_counts_as_a_group_or_twice(tmp_path, says):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts/a"] = GOOD
    says(tmp_path / "a.h5", "no data set 'counts'")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["one/counts"] = GOOD
        file["two/counts"] = GOOD
    says(tmp_path / "b.h5", "several data sets", "one/counts, two/counts")


def test_hdf5_with_broken_links(tmp_path, says):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts"] = h5py.SoftLink("/nowhere")
    says(tmp_path / "a.h5", "no data set 'counts'")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["counts"] = h5py.ExternalLink("nowhere.h5", "/counts")
    says(tmp_path / "b.h5", "no data set 'counts'")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_counts_that_are_none_are_said_where(tmp_path, value, hdf5, says):
    counts = with_value(value)
    says(hdf5(tmp_path / "a.h5", counts), "y 1, x 2, channel 5", str(value))
    np.savez(tmp_path / "a.npz", counts=counts, energy_keV=ENERGY)
    says(tmp_path / "a.npz", "y 1, x 2, channel 5")
    says(hdf5(tmp_path / "b.h5", counts[1, 2]), "at channel 5")


def test_negative_integers_are_said_where_beyond_the_first_band(tmp_path, monkeypatch, hdf5, says):
    monkeypatch.setattr("xrfengine.readers.source.BAND_BYTES", 64)
    counts = with_value(-3, "int16", (2, 3, 15))
    says(hdf5(tmp_path / "a.h5", counts), "negative: -3 at pixel y 2, x 3, channel 15")


@pytest.mark.parametrize(
    ("counts", "word"),
    [
        (np.ones((3, 4, 1), "uint16"), "only one channel"),
        (np.ones((0, 4, N), "uint16"), "empty"),
        (np.ones((3, 0, N), "uint16"), "empty"),
        (np.ones((3, 4, 0), "uint16"), "empty"),
        (np.ones((12, N), "uint16"), "2 axes"),
        (np.ones((2, 3, 4, N), "uint16"), "4 axes"),
        (np.uint16(5), "0 axes"),
        (np.ones((3, 4, N), "complex64"), "complex"),
        (np.ones((3, 4, N), "bool"), "true and false"),
        (np.ones((3, 4, N), "S3"), "type |S3"),
        (np.ones((3, 4, N), [("a", "u2"), ("b", "u2")]), "several fields"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_counts_that_are_no_counts(tmp_path, counts, word, hdf5, says):
    says(hdf5(tmp_path / "a.h5", counts), word)
    np.save(tmp_path / "a.npy", counts)
    says(tmp_path / "a.npy", word)
    np.savez(tmp_path / "a.npz", counts=counts, energy_keV=ENERGY)
    says(tmp_path / "a.npz", word)
    with pytest.raises(ReadError):
        probe(tmp_path / "a.h5")


def test_empty_hdf5_data_set(tmp_path, hdf5, says):
    says(hdf5(tmp_path / "a.h5", h5py.Empty("f4")), "empty")


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, (os.environ["TRAP_FOLDER"],))


def test_pickled_arrays_are_refused_and_never_loaded(tmp_path, monkeypatch, says):
    trap = tmp_path / "sprung"
    monkeypatch.setenv("TRAP_FOLDER", str(trap))
    objects = np.array([[[Trap(), Trap()]]], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", counts=objects, energy_keV=ENERGY)
    np.savez(tmp_path / "b.npz", counts=GOOD, energy_keV=objects)
    (tmp_path / "c.npy").write_bytes(pickle.dumps(objects))
    says(tmp_path / "a.npy", "Python objects", "run code")
    says(tmp_path / "a.npz", "Python objects")
    says(tmp_path / "b.npz", "no energy calibration")
    says(tmp_path / "c.npy", "pickle")
    assert not trap.exists()


def test_hdf5_strings_of_any_length_are_refused(tmp_path, says):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts"] = np.array([["a", "bc"]], dtype=object)
    says(tmp_path / "a.h5", "Python objects")


def test_packed_netcdf_is_refused(tmp_path, hdf5, says):
    says(hdf5(tmp_path / "a.h5", GOOD, scale_factor=0.1), "packed with scale_factor")


def test_a_header_that_promises_too_much(tmp_path, says):
    path = tmp_path / "a.npy"
    np.save(path, GOOD)
    (tmp_path / "a.json").write_text('{"offset_kev": 0, "gain_kev": 0.02}')
    whole = path.read_bytes()
    for shape, word in (
        (b"(3, 4, 99)", "truncated"),
        (b"(9**9,4,2)", "header"),
        (b"(3, 4, 16 ", "header"),
        (b"(3,-4, 16)", "empty"),
    ):
        path.write_bytes(whole.replace(b"(3, 4, 16)", shape))
        says(path, word)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("counts", (10**6, 10**6, 4096), "u2", chunks=(1, 1, 4096))
        file["energy_keV"] = 0.01 * np.arange(4096)
    says(tmp_path / "a.h5", "GB in memory")


def test_zip_that_holds_no_arrays(tmp_path, says):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("counts", "text")
    says(tmp_path / "a.npz", "damaged")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("notes.txt", "text")
    says(tmp_path / "b.npz", "no array 'counts'", "notes.txt")


def test_datasets_of_a_folder_that_is_none(tmp_path, hdf5):
    for path in (tmp_path / "nothing", hdf5(tmp_path / "a.h5")):
        with pytest.raises(ReadError, match=path.name) as caught:
            datasets(path)
        assert caught.value.hint


def test_errors_are_one_line_of_json_safe_text(tmp_path, hdf5, says):
    error = says(hdf5(tmp_path / "a.h5", energy=None))
    assert json.loads(json.dumps(str(error))) == str(error)
