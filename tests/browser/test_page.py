"""The page as a visitor sees it: content, not mere presence."""

from __future__ import annotations

import io
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

PANES = ("xrf-map", "xrf-spectrum", "xrf-embedding", "xrf-clusters", "xrf-status")


def coloured_share(png: bytes) -> float:
    """Share of strongly coloured pixels in a screenshot."""
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    return float((picture.max(axis=2) - picture.min(axis=2) > 60).mean())


def test_all_four_views_are_filled_and_on_the_first_screen(visit, address):
    visit.open(address)
    visit.wait_for_map()
    for name in PANES:
        box = visit.page.locator(f".{name}").bounding_box()
        assert box["width"] > 200, name
        assert box["y"] + box["height"] <= 900, name
        assert box["x"] + box["width"] <= 1440, name
    visit.wait_for(lambda: visit.page.locator(".xrf-clusters .xrf-cluster").count() >= 3)
    counts = visit.layer("xrf-spectrum-figure", "whole", "layer.data_source.data.counts.length")
    assert counts == 512
    names = visit.layer("xrf-spectrum-figure", "names", "layer.data_source.data.name")
    element = visit.page.locator(".xrf-element [aria-pressed=true] b").inner_text()
    assert f"{element} Kα" in names or f"{element} Lα" in names
    assert 0.05 < coloured_share(visit.pixels("xrf-map-figure")) < 0.9
    visit.wait_for(
        lambda: visit.layer("xrf-embedding-figure", "points", "layer.data_source.data.image.length")
    )
    assert coloured_share(visit.pixels("xrf-embedding-figure")) > 0.001
    assert visit.page.locator(".xrf-status").get_by_text("model fa4e0000").is_visible()


def test_a_lasso_on_the_map_draws_a_second_curve_and_lights_up_the_embedding(visit, address):
    visit.open(address)
    visit.wait_for_map()
    visit.wait_for(
        lambda: visit.layer("xrf-embedding-figure", "points", "layer.data_source.data.image.length")
    )
    visit.page.locator(".xrf-map").get_by_label("Lasso").click()
    visit.sent.clear()
    visit.drag("xrf-map-figure", [(0.2, 0.3), (0.45, 0.3), (0.45, 0.48), (0.2, 0.48), (0.2, 0.32)])
    visit.wait_for(
        lambda: visit.layer("xrf-spectrum-figure", "chosen", "layer.data_source.data.rate.length")
    )
    assert sum(map(len, visit.sent)) < 5_000, "one small message, at mouse-up"
    visit.wait_for(
        lambda: visit.layer("xrf-embedding-figure", "bright", "layer.data_source.data.image.length")
    )
    assert visit.page.get_by_text("from the map").count() == 1
    visit.page.keyboard.press("Escape")
    visit.wait_for(
        lambda: (
            visit.layer("xrf-spectrum-figure", "chosen", "layer.data_source.data.rate.length") == 0
        )
    )


def test_dragging_the_threshold_repaints_without_asking_the_server(visit, address):
    visit.open(f"{address}?element=Tm")
    visit.wait_for_map()
    slider = visit.page.locator(".xrf-threshold input[type=range]")
    visit.wait_for(lambda: slider.is_enabled())
    visit.page.wait_for_timeout(1500)
    before = coloured_share(visit.pixels("xrf-map-figure"))
    box = slider.bounding_box()
    start = float(slider.input_value())
    visit.page.mouse.move(box["x"] + 9 + start * (box["width"] - 18), box["y"] + box["height"] / 2)
    visit.page.mouse.down()
    visit.page.wait_for_timeout(300)
    visit.sent.clear()
    visit.page.mouse.move(box["x"] + box["width"] * 0.99, box["y"] + 8, steps=12)
    visit.page.wait_for_timeout(300)
    during = coloured_share(visit.pixels("xrf-map-figure"))
    assert during < before - 0.02
    assert visit.sent == [], "nothing goes to the server while dragging"
    assert "threshold" not in visit.page.url
    visit.page.mouse.up()
    visit.wait_for(lambda: "threshold=" in visit.page.url)


def test_the_address_reopens_the_same_view(visit, address):
    visit.open(address)
    visit.wait_for_map()
    visit.page.locator(".xrf-element").get_by_role("button", name="Fe").click()
    visit.page.locator(".xrf-region-size").get_by_text("2", exact=True).click()
    visit.page.locator(".xrf-spectrum").get_by_text("Linear").click()
    wanted = {"dataset": ["quarters"], "element": ["Fe"], "region": ["2"], "scale": ["linear"]}
    visit.wait_for(lambda: parse_qs(urlparse(visit.page.url).query) == wanted)
    url = visit.page.url
    visit.page.goto("about:blank")
    visit.open(url)
    visit.wait_for_map()
    assert visit.page.locator(".xrf-element [aria-pressed=true] b").inner_text() == "Fe"
    assert "Fe Kα" in visit.layer("xrf-spectrum-figure", "names", "layer.data_source.data.name")
    visit.wait_for(lambda: visit.page.locator(".xrf-map").get_by_text("2×2 px").count() == 1)
    assert visit.page.url == url


def test_a_stale_link_is_told(visit, address):
    visit.open(f"{address}?region=0&scale=log")
    assert visit.page.get_by_text("region=0").is_visible()
    visit.wait_for_map()


def test_a_broken_file_is_told_in_place_and_the_page_lives_on(visit, address):
    visit.open(f"{address}?dataset=broken.h5")
    alert = visit.page.locator(".xrf-map").get_by_role("alert")
    alert.wait_for()
    assert "broken.h5 is cut short" in alert.inner_text()
    assert "Copy the file again" in alert.inner_text()
    visit.page.get_by_label("Data set").select_option("Scan line")
    visit.wait_for_map()
    assert visit.layer("xrf-map-figure", "values", "layer.data_source.data.dw[0]") == 40
    assert alert.count() == 0
