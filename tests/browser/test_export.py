"""Taking it home, as a visitor does it: clicks are counted, files are opened."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pypdf import PdfReader

from dashboard.views.export import PIECE_BYTES

pytestmark = pytest.mark.browser

MOST_CLICKS = 5


def downloaded(visit, click) -> tuple[str, bytes]:
    """Name and content of the file a click leads to."""
    with visit.page.expect_download(timeout=120_000) as waiting:
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


def test_a_report_is_made_beside_the_page_and_can_be_read(visit, address):
    visit.open(f"{address}?element=Hg&open=export")
    visit.wait_for_map()
    stage = visit.page.locator(".xrf-export-list-pane")
    name, data = downloaded(visit, stage.get_by_label("Download Report to print").click)
    assert name == "Scan-quarters_report.pdf"
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
    for words in (
        "Scan quarters",
        "Map of mercury",
        "Model, digest",
        "fa4e0000fa4e0000",
        "xrfengine",
    ):
        assert words in text
    name, data = downloaded(visit, stage.get_by_label("Download Report to read").click)
    other = visit.page.context.browser.new_page()
    asked = []
    other.on("request", lambda request: asked.append(request.url))
    other.set_content(data.decode(), wait_until="load")
    assert other.get_by_role("heading", name="Elements found").is_visible()
    assert other.get_by_role("img").count() >= 3
    assert all(url.startswith("data:") for url in asked)
    other.close()


def test_a_file_of_several_pieces_arrives_whole(visit, address, tmp_path):
    """Larger than a piece: the stand-in's maps of every element and the pictures in one ZIP."""
    visit.open(f"{address}?open=export")
    visit.wait_for_map()
    stage = visit.page.locator(".xrf-export-list-pane")
    _, data = downloaded(visit, stage.get_by_label("Download Everything").click)
    assert len(data) > PIECE_BYTES
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
    again = stage.get_by_label("Download Everything")
    again.click()
    stage.get_by_role("button", name="cancel").click()
    visit.wait_for(again.is_visible)
    assert again.is_enabled()


def test_pigment_candidates_of_a_lasso_are_told_with_their_evidence(visit, address):
    visit.open(f"{address}?element=Hg")
    visit.wait_for_map()
    card = visit.page.locator(".xrf-pigment-card")
    assert card.get_by_text("Vermilion").count() == 0, "folded at first"
    visit.page.locator(".xrf-map").get_by_label("Lasso").click()
    visit.drag("xrf-map-figure", [(0.2, 0.6), (0.4, 0.6), (0.4, 0.7), (0.2, 0.7), (0.2, 0.62)])
    visit.wait_for(
        lambda: visit.layer("xrf-spectrum-figure", "chosen", "layer.data_source.data.rate.length")
    )
    card.get_by_role("button", name="Pigment candidates").click()
    vermilion = card.get_by_role("button", name="Vermilion")
    vermilion.wait_for()
    assert "Hg is here" in vermilion.inner_text()
    assert card.get_by_text("pixels from the map").is_visible()
    vermilion.click()
    told = card.locator(".xrf-pigment-more").inner_text()
    for words in ("HgS", "since Antiquity", "For:", "S cannot be told from"):
        assert words in told
    card.locator(".xrf-pigment-more").get_by_text("Sources").click()
    assert "Artists' Pigments" in card.locator(".xrf-pigment-more").inner_text()


def test_regions_are_read_from_a_file(visit, address, tmp_path):
    ring = [[1.5, 0.5], [9.5, 0.5], [9.5, 5.5], [1.5, 5.5], [1.5, 0.5]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    file, text = tmp_path / "robe.geojson", tmp_path / "notes.json"
    file.write_text(
        json.dumps({"type": "Feature", "properties": {"name": "Robe"}, "geometry": shape})
    )
    text.write_text("to be measured again")
    visit.open(f"{address}?open=export")
    visit.wait_for_map()
    stage = visit.page.locator(".xrf-export-list-pane")
    stage.get_by_role("button", name="Read regions from a file").wait_for()
    stage.locator("input[type=file]").set_input_files(text)
    stage.get_by_role("alert").get_by_text("notes.json is no GeoJSON").wait_for()
    stage.locator("input[type=file]").set_input_files(file)
    stage.get_by_text("1 region was read").wait_for()
    visit.page.locator(".xrf-kept").get_by_text("Robe").wait_for()
    visit.page.locator(".xrf-kept").get_by_text("40 px").wait_for()
