"""The map as a visitor sees and handles it: scale, colours, the way it lies, profile, pointer."""

from __future__ import annotations

from urllib.parse import parse_qs, urlparse

import pytest

pytestmark = pytest.mark.browser


def ready(visit, address):
    visit.open(address)
    visit.wait_for_map()
    visit.wait_for(
        lambda: visit.page.locator(".xrf-scalebar").evaluate("(n) => n.style.visibility")
    )


def scale(visit) -> tuple[float, str]:
    """Length of the scale bar on the screen and its words."""
    bar = visit.page.locator(".xrf-scalebar")
    return float(bar.get_attribute("data-px")), bar.inner_text().strip()


def screen_px(visit) -> float:
    """Size of a pixel of the scan on the screen."""
    return visit.page.evaluate(
        "() => { const f = Bokeh.documents[0].get_model_by_name('xrf-map-figure')"
        "; return f.inner_width / (f.x_range.end - f.x_range.start) }"
    )


def test_the_scale_bar_is_true_at_any_zoom_and_learns_the_distance_of_pixels(visit, address):
    ready(visit, f"{address}?dataset=quarters")
    for turns in (0, -400, -400):
        area = visit.area("xrf-map-figure")
        visit.page.mouse.move(area["x"] + area["w"] / 2, area["y"] + area["h"] / 2)
        visit.page.mouse.wheel(0, turns)
        visit.page.wait_for_timeout(400)
        length, words = scale(visit)
        number, unit = words.split()
        assert unit == "px"
        assert length == pytest.approx(float(number) * screen_px(visit), rel=0.01)
        assert 40 < length <= 121
        assert number.strip("0.") in ("1", "2", "5")
    visit.page.get_by_label("Map settings").click()
    field = visit.page.get_by_label("Distance of pixels in mm")
    field.fill("0.25")
    field.press("Enter")
    visit.wait_for(lambda: scale(visit)[1].endswith("mm"))
    length, words = scale(visit)
    assert length == pytest.approx(float(words.split()[0]) / 0.25 * screen_px(visit), rel=0.01)
    visit.page.get_by_text("as in the file").click()
    visit.wait_for(lambda: scale(visit)[1].endswith("px"))


def test_colours_and_their_upper_end_change_in_the_browser(visit, address):
    ready(visit, f"{address}?dataset=quarters&method=roi&element=Fe")
    visit.page.get_by_label("Map settings").click()
    before = visit.pixels("xrf-map-figure")
    palette = "Array.from(layer.glyph.color_mapper.palette).at(-1)"
    plum = visit.layer("xrf-map-figure", "values", palette)
    visit.page.get_by_role("radio", name="Ember").click()
    visit.wait_for(lambda: visit.layer("xrf-map-figure", "values", palette) != plum)
    visit.wait_for(lambda: "palette=fire" in visit.page.url)
    assert visit.pixels("xrf-map-figure") != before
    slider = visit.page.get_by_label("Upper end of the colours, percentile")
    high = "layer.glyph.color_mapper.high"
    usual = visit.layer("xrf-map-figure", "values", high)
    visit.page.wait_for_timeout(500)
    visit.sent.clear()
    slider.evaluate("(n) => { n.value = 30; n.dispatchEvent(new Event('input', {bubbles: true})) }")
    assert visit.layer("xrf-map-figure", "values", high) < usual
    assert visit.sent == [], "nothing goes to the server while dragging"
    slider.evaluate("(n) => n.dispatchEvent(new Event('change', {bubbles: true}))")
    visit.wait_for(lambda: "top=80" in visit.page.url)


def test_turned_and_cropped_the_pointer_still_tells_pixels_of_the_scan(visit, address):
    ready(visit, f"{address}?dataset=quarters&element=Pb&turns=1")
    size = "[layer.data_source.data.dw[0], layer.data_source.data.dh[0]]"
    assert visit.layer("xrf-map-figure", "values", size) == [24, 32]
    visit.page.locator(".xrf-map").get_by_label("Crop", exact=True).click()
    visit.drag("xrf-map-figure", [(0.5, 0.1), (0.999, 0.45)])
    visit.wait_for(lambda: "crop=" in visit.page.url)
    wide, high = visit.wait_for(
        lambda: (s := visit.layer("xrf-map-figure", "values", size))[0] < 24 and s
    )
    query = parse_qs(urlparse(visit.page.url).query)
    x0, y0, x1, y1 = (int(v) for v in query["crop"][0].split(","))
    assert (wide, high) == (y1 - y0, x1 - x0)
    assert y0 == 0, "the right of the turned picture is the top of the scan"
    area = visit.area("xrf-map-figure")
    visit.page.mouse.move(area["x"] + area["w"] * 0.4, area["y"] + area["h"] * 0.5)
    visit.page.mouse.move(area["x"] + area["w"] * 0.5, area["y"] + area["h"] * 0.5)
    tip = visit.page.locator(".xrf-tip")
    visit.wait_for(lambda: "probability" in tip.inner_text() and "·" in tip.inner_text())
    place = tip.inner_text().split("column ")[1].split("\n")[0]
    column, row = (int(part.replace("row ", "")) for part in place.split(", "))
    assert x0 <= column < x1
    assert y0 <= row < y1
    assert "Pb" in tip.inner_text()
    visit.page.get_by_label("Uncrop").or_(visit.page.get_by_label("Whole scan")).first.click()
    visit.wait_for(lambda: "crop=" not in visit.page.url)


def test_a_line_drawn_on_the_map_shows_its_profile(visit, address):
    ready(visit, f"{address}?dataset=quarters&element=Pb")
    visit.page.locator(".xrf-map").get_by_label("Line", exact=False).first.click()
    visit.drag("xrf-map-figure", [(0.05, 0.4), (0.95, 0.4)])
    visit.wait_for(
        lambda: visit.layer("xrf-profile-figure", "chosen", "layer.data_source.data.value.length")
    )
    values = visit.layer("xrf-profile-figure", "chosen", "Array.from(layer.data_source.data.value)")
    half = len(values) // 2
    assert min(values[: half - 2]) > 0.5 > max(values[half + 2 :]), "Pb is in the left half"
    pane = visit.page.locator(".xrf-profile")
    pane.wait_for()  # its figure has values before the layout shows it
    assert pane.bounding_box()["height"] < 220
    visit.page.get_by_label("Remove the line").click()
    visit.wait_for(lambda: "profile=" not in visit.page.url)
