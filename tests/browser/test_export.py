"""Taking it home, as a visitor does it: clicks are counted, files are opened."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

pytestmark = pytest.mark.browser

MOST_CLICKS = 5


def downloaded(visit, click) -> tuple[str, bytes]:
    """Name and content of the file a click leads to."""
    with visit.page.expect_download() as waiting:
        click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_which_areas_contain_mercury_takes_two_clicks_to_a_figure(visit, address):
    visit.open(address)
    visit.wait_for_map()
    clicks = 0

    def click(locator) -> None:
        nonlocal clicks
        clicks += 1
        locator.click()

    click(visit.page.locator(".xrf-element").get_by_role("button", name="Hg"))
    save = visit.page.get_by_title("Scan-quarters_Hg_probability.png")
    save.wait_for()
    name, data = downloaded(visit, lambda: click(save))
    assert clicks == 2 <= MOST_CLICKS
    assert name == "Scan-quarters_Hg_probability.png"
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    coloured = picture.max(axis=2) - picture.min(axis=2) > 60
    height, width = coloured.shape
    assert coloured[height // 2 : int(height * 0.8), : width // 2].mean() > 0.5, "its quarter"
    assert coloured[: int(height * 0.35)].mean() < 0.1, "and no other"


def test_the_export_page_shows_the_picture_and_hands_files_over(visit, address):
    visit.open(f"{address}?element=Hg")
    visit.wait_for_map()
    visit.page.get_by_role("button", name="Export", exact=True).click()
    stage = visit.page.locator(".xrf-export-list-pane")
    preview = stage.get_by_alt_text("The picture of Mercury")
    preview.wait_for()
    assert visit.wait_for(lambda: preview.evaluate("(img) => img.naturalWidth")) > 500
    name, data = downloaded(visit, stage.get_by_label("Download Values of Hg").click)
    assert name == "Scan-quarters_Hg_probability.ome.tif"
    values = tifffile.imread(io.BytesIO(data))
    assert values.shape == (24, 32)
    assert values[12:, :16].mean() > 0.9 > 0.1 > values[:12].mean()
    name, data = downloaded(visit, stage.get_by_label("Download Everything").click)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert "Scan-quarters_maps.nc" in archive.namelist()
    visit.page.keyboard.press("Escape")
    stage.wait_for(state="hidden")
