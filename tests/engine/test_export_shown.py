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

from xrfengine.export.analysis import Placement, WindowShown
from xrfengine.export.figure import caption_lines, map_figure
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
        view, window=WindowShown("6.20–6.60 keV", values, threshold, 9.0, net=True)
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
