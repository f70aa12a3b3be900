"""Pictures show what the page shows: cut out, turned, mirrored, or a window of energies."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from xrfengine.errors import SettingsError
from xrfengine.export.analysis import Curve, Photo, Placement, Profile, WindowShown
from xrfengine.export.figure import caption_lines, map_figure, over_map
from xrfengine.export.profile import profile_csv, profile_figure
from xrfengine.export.shown import shown_map
from xrfengine.export.tiff import write_tiff

_SPEC = importlib.util.spec_from_file_location(
    "export_views", Path(__file__).with_name("test_export.py")
)
_VIEWS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_VIEWS)


def test_a_turned_picture_stands_upright_and_says_so():
    view = _VIEWS.analysis_of(shape_yx=(10, 40))
    turned = dataclasses.replace(view, placement=Placement((0, 0, 20, 10), 1, True))
    lying = Image.open(io.BytesIO(map_figure(view, dpi=100)))
    upright = Image.open(io.BytesIO(map_figure(turned, dpi=100)))
    assert upright.height > 2 * lying.height
    caption = " ".join(caption_lines(turned))
    assert "columns 0–19, rows 0–9 of the scan, turned by 90° clockwise, mirrored" in caption
    assert "Shown" not in " ".join(caption_lines(view))


def window_view(threshold=2.0):
    view = _VIEWS.analysis_of()
    values = np.linspace(-1, 9, 240, dtype=np.float32).reshape(12, 20)
    return dataclasses.replace(
        view, window=WindowShown("6.20–6.60 keV", values, threshold, 9.0, unit="net counts")
    )


def test_a_window_of_energies_is_shown_instead_of_the_element(tmp_path):
    view = window_view()
    shown = shown_map(view)
    assert (shown.title, shown.unit) == ("6.20–6.60 keV", "net counts per pixel")
    assert view.map_name(".png") == "A-scan_6.20-6.60-keV_counts.png"
    assert "Net counts between these energies, from 2 on: 70.0 %" in caption_lines(view)[0]
    write_tiff(tmp_path / "a.ome.tif", view)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        np.testing.assert_array_equal(file.asarray(), view.window.values)
        assert '<M K="unit">counts</M>' in file.ome_metadata
    write_tiff(tmp_path / "b.ome.tif", view, ("Hg",))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.ome.tif"), view.maps["Hg"])


@pytest.mark.parametrize("with_areas", [False, True])
def test_regions_are_outlined_in_their_colours_where_asked(with_areas):
    view = dataclasses.replace(_VIEWS.analysis_of(), thresholds={"Hg": 2.0, "Pb": 2.0})
    rgb = np.asarray(Image.open(io.BytesIO(map_figure(view, with_areas=with_areas))).convert("RGB"))
    orange = (np.abs(rgb.astype(int) - (0xE6, 0x9F, 0x00)).max(axis=2) < 12).sum()
    assert bool(orange > 200) == with_areas


@pytest.mark.parametrize("lies", [Placement(), Placement((2, 1, 12, 9), 3, True)])
def test_the_photograph_lies_where_it_belongs_however_the_map_is_turned(lies):
    rng = np.random.default_rng(1)
    laid = rng.integers(0, 256, (36, 60, 4), dtype=np.uint8)
    laid[..., 3] = 255
    laid[:3, :3, 3] = 0  # the first pixel of the scan is beside the photograph
    whole = rng.integers(0, 256, (12, 20, 3), dtype=np.uint8)
    image = lies.shown(whole)
    opaque, k = over_map(image, Photo("p", laid, 1.0), lies, (12, 20))
    assert k == 3
    wanted = laid[..., :3].copy()
    wanted[:3, :3] = whole[0, 0]
    crop = None if lies.crop is None else tuple(3 * end for end in lies.crop)
    wanted = Placement(crop, lies.turns, lies.mirrored).shown(wanted)
    np.testing.assert_array_equal(opaque, wanted)
    half, _ = over_map(image, Photo("p", laid, 0.5), lies, (12, 20))
    below = np.repeat(np.repeat(image, 3, 0), 3, 1).astype(float)
    np.testing.assert_allclose(half, (below + wanted) / 2, atol=0.51)


def test_a_picture_with_the_photograph_says_so_and_one_without_does_not():
    view = _VIEWS.analysis_of()
    with pytest.raises(SettingsError, match="no photograph"):
        map_figure(view, with_photo=True)
    photo = Photo("visible.jpg", np.full((24, 40, 4), (250, 0, 250, 255), np.uint8), 1.0)
    view = dataclasses.replace(view, photo=photo)
    rgb = np.asarray(Image.open(io.BytesIO(map_figure(view, with_photo=True))).convert("RGB"))
    covered = (np.abs(rgb.astype(int) - (250, 0, 250)).max(axis=2) < 4).mean()
    assert covered > 0.5
    assert "visible.jpg, at 100 %" in " ".join(caption_lines(view, with_photo=True))
    assert "photograph" not in " ".join(caption_lines(view))


def profile_view(unit=""):
    curves = (
        Curve("Hg", np.array([0.1, 0.5, np.nan]), unit),
        Curve("All $counts", np.array([900.0, 1200.0, np.nan]), "counts per pixel"),
    )
    profile = Profile((1.0, 2.0, 1.0, 4.0), 3, np.array([0.0, 1.0, 2.0]), curves)
    return dataclasses.replace(_VIEWS.analysis_of(pixel_size_mm=None), profile=profile)


def test_a_profile_without_pixel_size_is_told_in_pixels_and_holes_are_empty():
    lines = profile_csv(profile_view()).decode().splitlines()
    assert "# profile: from column 1, row 2 to column 1, row 4, 3 pixels averaged across" in lines
    assert lines[-4:] == [
        "distance_px,x_px,y_px,Hg (probability),All $counts (counts per pixel)",
        "0,1,2,0.1,900",
        "1,1,3,0.5,1200",
        "2,1,4,,",
    ]


@pytest.mark.parametrize("unit", ["", "net counts per pixel", "counts per pixel"])
def test_a_profile_is_drawn_with_every_curve(unit):
    rgb = np.asarray(Image.open(io.BytesIO(profile_figure(profile_view(unit)))).convert("RGB"))
    colours = ["#0b6e6e", "#D55E00" if unit == "counts per pixel" else "#566360"]
    for colour in colours:
        ink = tuple(bytes.fromhex(colour[1:]))
        assert (np.abs(rgb.astype(int) - ink).max(axis=2) < 12).sum() > 100, colour


def test_there_is_no_profile_without_a_line():
    for make in (profile_csv, profile_figure):
        with pytest.raises(SettingsError, match="no profile"):
            make(_VIEWS.analysis_of())
