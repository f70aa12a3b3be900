"""A photograph over the map, as a visitor lays it there."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

MAP, PICTURE = "xrf-photo-map-figure", "xrf-photo-picture-figure"
WIDTH, HEIGHT = 320, 240
PLACES = ((3, 3), (28, 4), (27, 20), (4, 19), (16, 11))


def photograph() -> bytes:
    """Red above, blue below, ten times as fine as the scan of 32 × 24 pixels."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[: HEIGHT // 2, :, 0] = picture[HEIGHT // 2 :, :, 2] = 230
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def click(visit, figure, column, row):
    """Click a place given in the pixels of a figure."""
    area = visit.area(figure)
    x0, x1, y0, y1 = visit.page.evaluate(
        "(name) => { const f = Bokeh.documents[0].get_model_by_name(name)"
        "; return [f.x_range.start, f.x_range.end, f.y_range.start, f.y_range.end] }",
        figure,
    )
    # The larger row is below: the range of y runs downwards.
    visit.page.mouse.click(
        area["x"] + (column - x0) / (x1 - x0) * area["w"],
        area["y"] + (row - y1) / (y0 - y1) * area["h"],
    )


def mean_colour(visit, rows):
    """Of the middle of the page's map, between shares of its height."""
    picture = np.asarray(Image.open(io.BytesIO(visit.pixels("xrf-map-figure"))).convert("RGB"))
    height, width = picture.shape[:2]
    part = picture[int(rows[0] * height) : int(rows[1] * height), width // 3 : width * 2 // 3]
    return part.reshape(-1, 3).mean(axis=0)


def test_a_photograph_is_sent_marked_and_lies_on_the_map(visit, address):
    visit.page.add_init_script("window.localStorage.setItem('xrf-tour-seen', '1')")
    visit.open(f"{address}?element=Fe")
    visit.wait_for_map()
    visit.page.get_by_role("button", name="Photograph", exact=True).click()
    stage = visit.page.locator(".xrf-photo")
    stage.get_by_text("No photograph yet").wait_for()
    with visit.page.expect_file_chooser() as chooser:
        stage.get_by_role("button", name="Choose a photograph").click()
    chooser.value.set_files(
        {"name": "painting.png", "mimeType": "image/png", "buffer": photograph()}
    )
    visit.wait_for(
        lambda: visit.layer(PICTURE, "photograph", "layer.data_source.data.w[0]") == WIDTH
    )
    visit.wait_for(lambda: visit.area(PICTURE)["w"] > 100)
    visit.page.wait_for_timeout(500)
    factor = WIDTH / 32
    for n, (column, row) in enumerate(PLACES):
        click(visit, MAP, column, row)
        visit.wait_for(
            lambda n=n: visit.layer(MAP, "points", "layer.data_source.data.x.length") == n + 1
        )
        visit.page.wait_for_timeout(400)  # two clicks in quick succession would be a double one
        click(visit, PICTURE, (column + 0.5) * factor - 0.5, (row + 0.5) * factor - 0.5)
        visit.wait_for(
            lambda n=n: visit.layer(PICTURE, "points", "layer.data_source.data.x.length") == n + 1
        )
        visit.page.wait_for_timeout(400)
    visit.wait_for(
        lambda: "px off on average" in stage.get_by_role("table").locator("..").inner_text()
    )
    off = [float(text) for text in stage.locator(".xrf-points td.xrf-num").all_inner_texts()]
    assert len(off) == 5
    assert max(off) < 0.2, "clicked to a pixel of the screen"
    # On the page's map, too: red above, blue below.
    visit.page.keyboard.press("Escape")
    visit.wait_for(
        lambda: visit.layer("xrf-map-figure", "photograph", "layer.data_source.data.w[0]") == 32
    )
    visit.wait_for(lambda: "photo=50" in visit.page.url)
    visit.wait_for(
        lambda: mean_colour(visit, (0.4, 0.48))[0] > mean_colour(visit, (0.55, 0.62))[0] + 30, 20
    )
    above, below = mean_colour(visit, (0.4, 0.48)), mean_colour(visit, (0.55, 0.62))
    assert below[2] > above[2] + 30
    # Stronger, from the map's own settings; and so it goes into the picture.
    visit.page.get_by_role("button", name="Map settings").click()
    strength = visit.page.get_by_label("Photograph over the map, percent")
    strength.fill("100")
    visit.wait_for(lambda: "photo=100" in visit.page.url)
    visit.page.keyboard.press("Escape")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename.endswith("_photograph.png")
    picture = np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)
    red, blue = (
        (picture[..., a] > 200) & (picture[..., b] < 60) & (picture[..., 1] < 60)
        for a, b in ((0, 2), (2, 0))
    )
    assert min(red.mean(), blue.mean()) > 0.1
    assert np.nonzero(red)[0].mean() < np.nonzero(blue)[0].mean()
