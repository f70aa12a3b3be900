"""Maps side by side and mixed, as a visitor sees them."""

from __future__ import annotations

import io
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

PANES = [f"xrf-compare-{i}-figure" for i in (1, 2, 3)]


def open_stage(visit, address, label, query=""):
    """A page whose introduction is over, with something opened from the top bar."""
    visit.page.add_init_script("window.localStorage.setItem('xrf-tour-seen', '1')")
    visit.open(f"{address}?element=Fe{query}")
    visit.wait_for_map()
    visit.page.get_by_role("button", name=label, exact=True).click()


def values(visit, figure):
    return visit.layer(figure, "values", "layer.data_source.data.image[0].length")


def seen(visit, figure):
    """The part of the scan a figure shows: start and end along x, then y, in pixels."""
    return visit.page.evaluate(
        "(name) => { const f = Bokeh.documents[0].get_model_by_name(name)"
        "; return [f.x_range.start, f.x_range.end, f.y_range.start, f.y_range.end] }",
        figure,
    )


def test_maps_side_by_side_zoom_and_point_together(visit, address):
    open_stage(visit, address, "Maps side by side")
    for figure in PANES:
        visit.wait_for(lambda figure=figure: values(visit, figure) == 24 * 32)
    assert visit.page.locator(".xrf-compare-pane").count() == 3
    # Iron is in the upper right quarter by every method.
    for figure in PANES:
        image = visit.layer(figure, "values", "Array.from(layer.data_source.data.image[0])")
        iron = np.array(image).reshape(24, 32)
        assert iron[:12, 16:].mean() > 3 * iron[12:, 16:].mean()
    for figure in PANES:  # each fits its pane once it has been laid out
        visit.wait_for(lambda figure=figure: seen(visit, figure)[1] > 31)
    visit.wait_for(lambda: visit.page.locator(".xrf-compare .xrf-state").count() == 0)
    whole = seen(visit, PANES[2])
    area = visit.area(PANES[0])
    visit.page.mouse.move(area["x"] + area["w"] * 0.7, area["y"] + area["h"] * 0.45)
    visit.page.mouse.wheel(0, -400)
    visit.wait_for(lambda: seen(visit, PANES[2])[1] - seen(visit, PANES[2])[0] < 31)
    np.testing.assert_allclose(seen(visit, PANES[0]), seen(visit, PANES[2]), atol=0.3)
    visit.page.wait_for_timeout(500)
    visit.sent.clear()
    visit.page.mouse.move(area["x"] + area["w"] * 0.65, area["y"] + area["h"] * 0.4, steps=4)
    told = visit.page.locator(".xrf-readout")
    visit.wait_for(lambda: "column" in told.nth(2).inner_text())
    lines = [told.nth(i).inner_text() for i in range(3)]
    assert len({line.split(":")[0] for line in lines}) == 1, "all tell of the same pixel"
    assert "probability" in lines[0]
    assert "±" in lines[1]
    assert "net counts" in lines[2]
    assert visit.sent == [], "the pointer asks the server nothing"
    visit.page.locator(".xrf-compare").get_by_label("Reset").click()
    visit.wait_for(lambda: np.allclose(seen(visit, PANES[2]), whole, atol=0.3))


def test_a_pane_shows_a_ratio_of_lines_and_the_address_keeps_it(visit, address):
    open_stage(visit, address, "Maps side by side", "&panes=probability,component")
    pane = visit.page.locator(".xrf-compare-pane").first
    pane.locator("select").first.select_option(label="Ratio of lines")
    visit.wait_for(lambda: "Fe Kα / Kβ" in pane.locator(".xrf-readout").inner_text())
    visit.wait_for(lambda: parse_qs(urlparse(visit.page.url).query)["panes"] == ["ratio,component"])
    visit.wait_for(lambda: visit.layer(PANES[0], "values", "layer.data_source.tags[0]") == "ratio")
    image = visit.layer(PANES[0], "values", "Array.from(layer.data_source.data.image[0])")
    ratio = np.array([np.nan if v is None else v for v in image], float).reshape(24, 32)
    assert np.isfinite(ratio[:12, 16:]).mean() > 0.8
    assert np.isnan(ratio[12:]).mean() > 0.9
    # The other pane: the component nearest to iron, with its spectrum.
    second = visit.page.locator(".xrf-compare-pane").nth(1)
    visit.wait_for(lambda: second.locator(".xrf-small-spectrum").count() == 1)
    assert "Fe" in second.locator(".xrf-small-spectrum b").all_inner_texts()
    visit.page.keyboard.press("Escape")
    visit.wait_for(lambda: not visit.page.locator(".xrf-compare").is_visible())


CUT_OFF = """() => {
  const cut = [], brush = document.createElement("canvas").getContext("2d")
  const look = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) look(node.shadowRoot)
      if (node.tagName != "SELECT" || !node.getClientRects().length) continue
      const style = getComputedStyle(node)
      brush.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`
      const words = node.selectedOptions[0]?.text ?? ""
      if (brush.measureText(words).width > node.clientWidth - 8) cut.push(words)
    }
  }
  look(document)
  return cut
}"""
"""The choices that have no room for what they show."""


def test_no_choice_is_cut_off_in_a_narrow_window(visit, address):
    visit.page.set_viewport_size({"width": 1280, "height": 800})
    line = "&profile=2,2,30,20&beside=Pb,total&window=6.2-6.6"
    open_stage(visit, address, "Maps side by side", f"&panes=fit,window,component{line}")
    panes = visit.page.locator(".xrf-compare-pane")
    visit.wait_for(lambda: "Component" in panes.nth(2).locator(".xrf-readout").inner_text())
    assert visit.page.evaluate(CUT_OFF) == []
    heights = {panes.nth(i).locator("select").nth(1).bounding_box()["y"] for i in range(3)}
    assert len(heights) == 1, "the maps begin at one height"
    visit.page.keyboard.press("Escape")
    visit.page.get_by_label("Remove the line").wait_for()
    assert visit.page.evaluate(CUT_OFF) == []


def test_three_elements_are_mixed_and_each_can_be_changed(visit, address):
    open_stage(visit, address, "Three elements in one picture", "&mix=Fe,Pb,Cu")
    visit.wait_for(lambda: visit.page.locator(".xrf-mix .xrf-triangle").count() == 1)
    visit.wait_for(lambda: values(visit, "xrf-mix-figure") == 24 * 32)
    visit.page.wait_for_timeout(500)

    def corner(row, column):
        """Colour painted at shares of the figure's height and width."""
        picture = np.asarray(Image.open(io.BytesIO(visit.pixels("xrf-mix-figure"))))
        y, x = int(row * picture.shape[0]), int(column * picture.shape[1])
        return np.median(picture[y - 8 : y + 8, x - 8 : x + 8, :3], axis=(0, 1))

    assert np.argmax(corner(0.3, 0.75)) == 0, "iron in red"
    assert np.argmax(corner(0.3, 0.25)) == 1, "lead in green"
    assert np.argmax(corner(0.7, 0.75)) == 2, "copper in blue"
    visit.page.get_by_label("Element in red").select_option("Hg")
    visit.wait_for(lambda: parse_qs(urlparse(visit.page.url).query).get("mix") == ["Hg,Pb,Cu"])
    visit.wait_for(lambda: corner(0.3, 0.75).max() < 90, 20)
    assert np.argmax(corner(0.7, 0.25)) == 0, "mercury in red now"
    legend = visit.page.locator(".xrf-triangle b").all_inner_texts()
    assert legend == ["Hg", "Pb", "Cu"]
