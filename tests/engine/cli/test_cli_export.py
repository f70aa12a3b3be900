"""``xrfengine export``: files for other software and for people."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
import xarray as xr
from PIL import Image
from pypdf import PdfReader

from xrfengine.readers import read


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XRF_CACHE", str(tmp_path / "cache"))


def test_export_writes_what_is_asked_for(facts, scan, model, tmp_path):
    out = tmp_path / "new" / "folder"
    told = facts(
        "export", scan, "-o", out, "--model", model, "--element", "Fe", "--threshold", 0.25,
        "--pixel", 0.5, "--what", "png", "tiff", "netcdf", "csv", "msa", "report", "script",
    )  # fmt: skip
    names = [Path(each["path"]).name for each in told["written"]]
    assert names == [
        "scan_Fe_probability.png", "scan_Fe_probability.ome.tif", "scan_maps.nc",
        "scan_spectra.csv", "scan_spectra-msa.zip", "scan_report.pdf", "scan_report.html",
        "scan_analysis.py",
    ]  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == sorted(names), "and nothing else"
    with Image.open(out / names[0]) as picture:
        assert picture.width > 1000
    with xr.open_dataset(out / "scan_maps.nc", engine="h5netcdf") as data:
        assert float(data["threshold"].sel(element="Fe")) == 0.25
        assert float(data["x"][2]) == 1.0
        np.testing.assert_array_equal(
            tifffile.imread(out / names[1]), data["maps"].sel(element="Fe")
        )
    with zipfile.ZipFile(out / "scan_spectra-msa.zip") as archive:
        (tmp_path / "whole.msa").write_bytes(archive.read(archive.namelist()[0]))
    whole = read(tmp_path / "whole.msa")
    np.testing.assert_array_equal(whole.counts, read(Path(scan)).sum_spectrum.counts)
    pages = PdfReader(io.BytesIO((out / "scan_report.pdf").read_bytes())).pages
    text = "".join(page.extract_text() for page in pages)
    assert "scan.h5" in text
    assert "Moved thresholds" in text
    compile((out / "scan_analysis.py").read_text(encoding="utf-8"), "analysis", "exec")


def test_export_of_fits_holds_their_errors(facts, scan, model, tmp_path):
    facts("export", scan, "-o", tmp_path, "--model", model, "--method", "fit", "--what", "netcdf")
    with xr.open_dataset(tmp_path / "scan_maps.nc", engine="h5netcdf") as data:
        assert data["errors"].shape == data["maps"].shape
        assert (data["errors"] > 0).any()
        assert data["maps"].attrs["kind"] == "fit"


def test_export_refuses_in_words(refused, scan, model, tmp_path):
    line = refused("export", scan, "-o", tmp_path, "--model", model, "--element", "Au")
    assert "no probability map of 'Au'" in line
    assert "--element" in refused("export", scan, "--model", model, "--threshold", 0.5)
    assert "jpeg" in refused("export", scan, "--what", "jpeg")
    file = tmp_path / "file"
    file.touch()
    assert "no folder" in refused("export", scan, "-o", file)
    assert "pixel" in refused("export", scan, "--pixel", -1)
