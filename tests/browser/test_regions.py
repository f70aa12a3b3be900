"""Selecting in steps and keeping regions, as a visitor does it."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser

CARD, KEPT = ".xrf-selection", ".xrf-kept"


def pixels(visit) -> int:
    """How many pixels the selection is said to have; 0 where there is none."""
    words = visit.page.locator(f"{CARD} .xrf-selected").all_inner_texts()
    return int(re.search(r"([\d,]+) pixel", words[0])[1].replace(",", "")) if words else 0


def tool(visit, name: str) -> None:
    visit.page.locator(".xrf-map").get_by_label(name, exact=True).click()


def place(visit, x: float, y: float) -> tuple[float, float]:
    """Where the middle of a pixel of the small scan is on the screen."""
    at = visit.page.evaluate(
        "([x, y]) => { const fig = Bokeh.documents[0].get_model_by_name('xrf-map-figure')"
        "; const view = Bokeh.index.find_one_by_id(fig.id), r = view.el.getBoundingClientRect()"
        "; return [r.x + view.frame.x_scale.compute(x), r.y + view.frame.y_scale.compute(y)] }",
        [x, y],
    )
    return at[0], at[1]


def drag(visit, *points) -> None:
    mouse = visit.page.mouse
    mouse.move(*place(visit, *points[0]))
    mouse.down()
    for point in points[1:]:
        mouse.move(*place(visit, *point), steps=4)
    mouse.up()


def outlines(visit) -> list:
    return visit.layer("xrf-map-figure", "regions", "Array.from(layer.data_source.data.id)") or []


def test_selecting_in_steps_and_keeping_the_result(visit, address):
    visit.open(address)
    visit.wait_for_map()
    tool(visit, "Box")
    visit.sent.clear()
    drag(visit, (1.6, 1.6), (9.4, 5.4))
    visit.wait_for(lambda: pixels(visit) == 8 * 4)
    assert sum(map(len, visit.sent)) < 5_000
    visit.page.keyboard.down("Shift")
    drag(visit, (19.6, 1.6), (21.4, 3.4))
    visit.page.keyboard.up("Shift")
    visit.wait_for(lambda: pixels(visit) == 32 + 4)
    tool(visit, "Brush")
    visit.page.get_by_label("Brush size").fill("0.5")
    visit.page.keyboard.down("Alt")
    drag(visit, (2, 2), (6, 2), (9, 2))
    visit.page.keyboard.up("Alt")
    visit.wait_for(lambda: pixels(visit) == 36 - 8)
    tool(visit, "Pixel")
    tool(visit, "Add")
    visit.page.wait_for_timeout(400)  # quicker than a hand, the click would overtake the choice
    visit.click_until(place(visit, 30, 20), lambda: pixels(visit) == 29)
    visit.page.keyboard.press("Enter")
    region = visit.page.locator(f"{KEPT} .xrf-region")
    region.wait_for()
    assert "Region 1" in region.inner_text()
    assert "29 px" in region.inner_text()
    assert pixels(visit) == 0
    visit.wait_for(lambda: len(outlines(visit)) == 1)
    xs = visit.layer("xrf-map-figure", "regions", "Array.from(layer.data_source.data.xs[0])")
    xs = [x for x in xs if x is not None and x == x]
    assert (min(xs), max(xs)) == (1.5, 30.5)
    tool(visit, "Replace")
    tool(visit, "Polygon")
    for corner in ((11.5, 11.5), (15.5, 11.5), (15.5, 15.5), (11.5, 15.5)):
        visit.page.mouse.click(*place(visit, *corner))
    visit.page.keyboard.press("Escape")  # gives the polygon up, and nothing else
    for corner in ((11.5, 11.5), (15.5, 11.5), (15.5, 15.5), (12, 12), (11.5, 15.5)):
        visit.page.mouse.click(*place(visit, *corner))
        visit.page.wait_for_timeout(320)  # two quick clicks are a double click
        if corner == (12, 12):
            visit.page.keyboard.press("Backspace")
    assert pixels(visit) == 0
    visit.page.keyboard.press("Enter")
    visit.wait_for(lambda: pixels(visit) == 16)
    visit.page.keyboard.press("Enter")
    visit.wait_for(lambda: len(outlines(visit)) == 2)
    # A cluster that was clicked has the focus, and yet Enter keeps its pixels.
    visit.page.locator(".xrf-cluster").first.click()
    visit.wait_for(lambda: pixels(visit) > 100)
    visit.page.keyboard.press("Enter")
    visit.wait_for(lambda: len(outlines(visit)) == 3)
    assert pixels(visit) == 0


def test_regions_are_named_shown_combined_and_deleted(visit, address):
    visit.open(address)
    visit.wait_for_map()
    tool(visit, "Box")
    for box in (((1.6, 1.6), (9.4, 5.4)), ((5.6, 1.6), (13.4, 5.4))):
        drag(visit, *box)
        visit.wait_for(lambda: pixels(visit) == 32)
        visit.page.keyboard.press("Enter")
        visit.wait_for(lambda: pixels(visit) == 0)
    page, kept = visit.page, visit.page.locator(KEPT)
    visit.wait_for(lambda: len(outlines(visit)) == 2)
    first, second = outlines(visit)
    kept.locator(".xrf-region-name", has_text="Region 1").click()
    visit.wait_for(lambda: kept.get_by_role("button", name="Pb", exact=True).count())
    kept.get_by_label("Name of the region").fill("Blue coat")
    drag(visit, (20.6, 10.6), (22.4, 12.4))
    visit.wait_for(lambda: pixels(visit) == 4)
    name = kept.get_by_label("Name of the region")
    name.fill("Red flag")
    name.press("Enter")
    kept.get_by_text("Red flag").wait_for()
    assert pixels(visit) == 4, "Enter in a field keeps no selection"
    assert len(outlines(visit)) == 2
    kept.get_by_label("Select Red flag again").click()
    visit.wait_for(lambda: pixels(visit) == 32)
    kept.locator(".xrf-region-name", has_text="Region 2").click()
    for words, expected in (("Take Region 2 away", 16), ("Add Region 2", 48), ("Overlap", 32)):
        kept.get_by_label(words).click()
        visit.wait_for(lambda expected=expected: pixels(visit) == expected)
    # The outline under the pointer is the widest.
    kept.get_by_text("Red flag").hover()
    widths = visit.layer("xrf-map-figure", "regions", "Array.from(layer.data_source.data.width)")
    assert widths[0] > widths[1]
    kept.get_by_label("Hide Red flag").click()
    visit.wait_for(lambda: outlines(visit) == [second])
    kept.get_by_label("Show Red flag").click()
    visit.wait_for(lambda: outlines(visit) == [first, second])
    page.wait_for_timeout(600)  # what happens within a moment is one step to undo
    kept.get_by_label("Delete Region 2").click()
    visit.wait_for(lambda: outlines(visit) == [first])
    page.mouse.move(700, 20)
    page.keyboard.press("Control+z")
    visit.wait_for(lambda: outlines(visit) == [first, second])
    page.keyboard.press("Escape")
    visit.wait_for(lambda: pixels(visit) == 0)
    visit.wait_for(lambda: "view=" in page.url)
    visit.page.wait_for_timeout(300)
    visit.open(page.url)
    visit.wait_for(lambda: outlines(visit) == [first, second])
    assert page.locator(KEPT).get_by_text("Red flag").count() == 1
