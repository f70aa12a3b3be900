"""Files that are taken home: their values, their size, and what they say of themselves."""

from __future__ import annotations

import csv
import io
import json

import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr
from PIL import Image

from xrfengine.cube import Calibration, Cube, ElementMaps, Instrument
from xrfengine.errors import SettingsError
from xrfengine.export import Analysis, Area, Provenance, file_name
from xrfengine.export.figure import caption_lines, map_figure, painted, scale_bar_length
from xrfengine.export.netcdf import write_netcdf
from xrfengine.export.spectra import spectra_csv, spectrum_msa
from xrfengine.export.tiff import write_tiff
from xrfengine.findings import Identified, found
from xrfengine.readers import read


def analysis_of(pixel_size_mm=0.5, errors=None, shape_yx=(12, 20), **provenance) -> Analysis:
    """Hg in the left half, Pb everywhere; y, x and 64 channels."""
    rng = np.random.default_rng(0)
    height, width = shape_yx
    calibration = Calibration(0.02, 0.25)
    counts = rng.poisson(5.0, (height, width, 64)).astype(np.uint16)
    cube = Cube(counts, calibration, "a scan", None, Instrument("Rh", 40.0, 0.02, pixel_size_mm))
    values = np.zeros((2, height, width), np.float32)
    values[0, :, : max(width // 2, 1)] = 0.9
    values[1] = 0.7
    maps = ElementMaps(("Hg", "Pb"), values, "probability", 1, cube.digest, "fa4e" * 4)
    thresholds = {"Hg": 0.5, "Pb": 0.6}
    mask = np.zeros((height, width), bool)
    mask[2:5, 3:8] = True
    spectrum = cube.spectrum(cube.counts[mask].sum(axis=0, dtype=float), "robe", int(mask.sum()))
    facts = {
        "dataset": "A scan.h5", "source": cube.digest, "method": "probability",
        "model": "fa4e" * 4, "model_name": "fake", "pixel_size_mm": pixel_size_mm, **provenance,
    }  # fmt: skip
    verdicts = (Identified("Hg", 0.97, 0.5, True, False), Identified("Ar", 0.9, 0.5, True, True))
    return Analysis(
        cube, maps, thresholds, found(maps, thresholds), "Hg", Provenance(**facts), errors,
        (Area("robe", "#E69F00", mask, spectrum, verdicts),),
    )  # fmt: skip


def test_names_of_files_suit_every_file_system():
    assert file_name("Porträt/of: a man.h5", "Hg", "net-counts") == "Porträt-of-a-man_Hg_net-counts"
    assert file_name("..", "") == "xrf"
    assert analysis_of().map_name(".png") == "A-scan_Hg_probability.png"


def test_below_the_threshold_a_picture_is_grey_and_above_it_coloured():
    view = analysis_of()
    rgb = painted(view.maps["Hg"], view.cube.total_counts, 0.5, 1.0).astype(int)
    spread = rgb.max(axis=2) - rgb.min(axis=2)
    assert (spread[:, 10:] == 0).all()
    assert (spread[:, :10] > 40).all()
    assert len(np.unique(rgb[:, 10:, 0])) > 10, "the painting is recognisable"


def test_what_is_no_number_stays_grey():
    values = np.array([[np.nan, 0.9]])
    rgb = painted(values, np.array([[1.0, 5.0]]), 0.5, 1.0).astype(int)
    assert np.ptp(rgb[0, 0]) == 0
    assert np.ptp(rgb[0, 1]) > 40


@pytest.mark.parametrize("shape_yx", [(12, 20), (60, 8), (1, 40), (40, 1)])
def test_the_picture_shows_colour_grey_and_captions_in_any_shape(shape_yx):
    view = analysis_of(shape_yx=shape_yx)
    picture = Image.open(io.BytesIO(map_figure(view)))
    assert picture.info["Software"] == view.provenance.software
    assert view.provenance.source in picture.info["Source"]
    rgb = np.asarray(picture.convert("RGB")).astype(int)
    spread = rgb.max(axis=2) - rgb.min(axis=2)
    assert 0.005 < (spread > 60).mean() < 0.9
    assert (rgb[0] == 255).all(), "white margin"
    assert (rgb[-1] == 255).all(), "the caption is not cut off"


@pytest.mark.parametrize(
    ("extent", "length"), [(100.0, 20.0), (81.0, 20.0), (80.0, 20.0), (3.0, 0.5), (0.04, 0.01)]
)
def test_scale_bars_have_round_lengths(extent, length):
    assert scale_bar_length(extent) == pytest.approx(length)


def test_the_caption_says_what_when_and_what_was_overruled():
    text = " ".join(caption_lines(analysis_of(overruled=(("Hg", True),))))
    for words in ("A scan", "from 0.5 on", "50.0 % of the scan", "Hg: present", "0.5 mm", "fa4e"):
        assert words in text
    assert "Overruled" not in " ".join(caption_lines(analysis_of(overruled=(("As", False),))))


def test_a_tiff_holds_the_values_and_their_meaning(tmp_path):
    view = analysis_of()
    path = tmp_path / "maps.ome.tif"
    write_tiff(path, view, ("Hg", "Pb"))
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        np.testing.assert_array_equal(file.asarray(), view.maps.values)
        assert file.pages[0].dtype == np.float32
        told = file.ome_metadata
    for words in ('PhysicalSizeX="0.5"', 'PhysicalSizeXUnit="mm"', 'Name="Hg"', 'Name="Pb"'):
        assert words in told
    assert '<M K="method">probability</M>' in told
    assert view.provenance.model in told


def test_a_tiff_of_the_shown_element_alone_without_a_known_pitch(tmp_path):
    view = analysis_of(pixel_size_mm=None)
    write_tiff(tmp_path / "map.ome.tif", view)
    with tifffile.TiffFile(tmp_path / "map.ome.tif") as file:
        np.testing.assert_array_equal(file.asarray(), view.maps["Hg"])
        assert "PhysicalSizeX" not in file.ome_metadata
    with pytest.raises(SettingsError, match="no probability map of 'Au'"):
        write_tiff(tmp_path / "none.tif", view, ("Au",))
    assert not (tmp_path / "none.tif").exists()


def test_netcdf_holds_maps_errors_thresholds_regions_and_provenance(tmp_path):
    plane = np.full((12, 20), 0.25, np.float32)
    view = analysis_of(
        errors={"Hg": plane, "Pb": 2 * plane},
        overruled=(("As", False),),
        settings={"smallest_cluster": 20},
    )
    path = tmp_path / "maps.nc"
    write_netcdf(path, view)
    with xr.open_dataset(path, engine="h5netcdf") as data:
        np.testing.assert_array_equal(data["maps"].sel(element="Pb"), view.maps["Pb"])
        np.testing.assert_array_equal(data["errors"].sel(element="Pb"), 2 * plane)
        assert float(data["threshold"].sel(element="Pb")) == 0.6
        assert float(data["x"][3]) == 1.5
        assert data["x"].attrs["units"] == "mm"
        assert int(data["regions"].sel(region="robe").sum()) == 15
        for name, value in {
            "cube_digest": view.cube.digest, "model_digest": "fa4e" * 4, "overruled": "As: absent",
            "software": view.provenance.software, "setting_smallest_cluster": 20,
        }.items():  # fmt: skip
            assert data.attrs[name] == value
    with h5py.File(path) as file:
        assert file["maps"].shape == (2, 12, 20), "plain HDF5"


def test_csv_lists_every_channel_of_every_spectrum():
    view = analysis_of()
    whole = view.cube.sum_spectrum
    text = spectra_csv([whole, view.areas[0].spectrum], view.provenance).decode()
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert f"# cube_digest: {view.cube.digest}" in head
    rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))
    assert rows[0][0] == "energy_kev"
    assert rows[0][3:] == ["robe (counts)", "robe (counts per pixel)"]
    numbers = np.array(rows[1:], dtype=float)
    np.testing.assert_allclose(numbers[:, 0], whole.energy_kev, rtol=1e-5)
    np.testing.assert_array_equal(numbers[:, 1], whole.counts)
    np.testing.assert_allclose(numbers[:, 4], view.areas[0].spectrum.mean_counts, rtol=1e-5)


def test_csv_refuses_nothing_and_different_axes():
    view = analysis_of()
    with pytest.raises(SettingsError, match="no spectrum"):
        spectra_csv([], view.provenance)
    other = view.cube.recalibrated(Calibration(0.0, 0.3)).sum_spectrum
    with pytest.raises(SettingsError, match="another energy axis"):
        spectra_csv([view.cube.sum_spectrum, other], view.provenance)


def test_our_own_reader_reads_msa_back(tmp_path):
    view = analysis_of(dataset="Porträt, 1623.h5")
    spectrum = view.areas[0].spectrum
    path = tmp_path / "robe.msa"
    path.write_bytes(spectrum_msa(spectrum, view.provenance))
    back = read(path)
    np.testing.assert_array_equal(back.counts, spectrum.counts)
    np.testing.assert_allclose(back.energy_kev, spectrum.energy_kev, rtol=1e-7)
    assert back.instrument.tube_kv == 40.0
    assert back.instrument.live_time_s == pytest.approx(0.02 * 15)
    assert all(ord(letter) < 128 for letter in path.read_text(encoding="ascii"))


def test_msa_refuses_a_curved_axis():
    view = analysis_of()
    curved = view.cube.recalibrated(Calibration(0.0, 0.25, 1e-3)).sum_spectrum
    with pytest.raises(SettingsError, match="curved"):
        spectrum_msa(curved, view.provenance)


def test_provenance_is_plain(tmp_path):
    facts = analysis_of(overruled=(("As", False),)).provenance.to_dict()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["overruled"] == "As: absent"
