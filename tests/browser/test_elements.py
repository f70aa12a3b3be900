"""Choosing elements: list, small maps, all maps, periodic table, and what the user says of them."""

from __future__ import annotations

import pytest

from xrfengine.lines import ELEMENTS

pytestmark = pytest.mark.browser


def chosen(visit) -> str:
    return visit.page.locator(".xrf-element [aria-pressed=true] b").inner_text()


def share_in_table(visit, symbol: str) -> str:
    return visit.page.locator(f".xrf-periodic [data-key={symbol}] small").inner_text()


def test_an_element_is_overruled_for_everyone_and_back(visit, address):
    page = visit.page
    visit.open(f"{address}?element=Fe")
    visit.wait_for_map()
    note = page.locator(".xrf-element .xrf-row .xrf-small")
    before = note.inner_text()
    n_found = int(before.split()[0])
    page.locator(".xrf-element").get_by_text("No Fe here").click()
    struck = page.locator(".xrf-element .xrf-chip.xrf-is-absent[data-key=Fe]")
    struck.wait_for()
    assert "line-through" in struck.locator("b").evaluate("b => getComputedStyle(b).textDecoration")
    assert page.locator(".xrf-element").get_by_text("Not here, as you say").is_visible()
    assert note.inner_text().startswith(f"{n_found - 1} found")
    visit.wait_for(lambda: page.locator(".xrf-map").get_by_text("you say it is not here").count())
    page.locator(".xrf-small-maps .xrf-is-absent[data-key=Fe]").wait_for()

    page.locator(".xrf-element input[type=search]").fill("nickel")
    page.locator(".xrf-element input[type=search]").press("Enter")
    page.locator(".xrf-element").get_by_text("Add Ni").click()
    visit.wait_for(lambda: page.locator(".xrf-map").get_by_text("added by you").count())
    visit.wait_for(lambda: note.inner_text() == f"{n_found - 1} found, 1 added")

    visit.open(address)  # another visit, and the data set remembers
    visit.wait_for_map()
    struck.wait_for()
    page.locator(".xrf-element .xrf-is-present[data-key=Ni]").click()
    page.locator(".xrf-element").get_by_text("Take it back").click()
    visit.wait_for(lambda: "added" not in note.inner_text())
    struck.click()
    page.locator(".xrf-element").get_by_text("Take it back").click()
    visit.wait_for(lambda: note.inner_text() == before)
    page.wait_for_timeout(600)
    page.get_by_label("Undo").click()
    struck.wait_for()
    page.get_by_label("Redo").click()
    visit.wait_for(lambda: note.inner_text() == before)


def test_the_periodic_table_tells_chooses_and_overrules(visit, address):
    page = visit.page
    visit.open(f"{address}?element=Fe&open=table")
    visit.wait_for(lambda: page.locator(".xrf-periodic button.xrf-cell").count() == len(ELEMENTS))
    cell = page.locator(".xrf-periodic [data-key=Fe]")
    visit.wait_for(lambda: "Kα 6.40 keV" in (cell.get_attribute("title") or ""))
    visit.wait_for(lambda: "of the area" in (cell.get_attribute("aria-label") or ""))
    assert page.locator(".xrf-periodic .xrf-unknown", has_text="Ne").count() == 1
    iron, lead = page.locator(".xrf-table-grid").evaluate(
        "grid => ['Fe', 'Pb'].map((symbol) => {"
        " const box = grid.querySelector(`[data-key=${symbol}]`).getBoundingClientRect();"
        " return {x: box.x, y: box.y} })"
    )
    assert lead["y"] > iron["y"]
    assert lead["x"] > iron["x"]

    # The threshold beside it, and what of it is in the table.
    share = share_in_table(visit, "Fe")
    field = page.locator(".xrf-threshold").get_by_label("Threshold, number")
    field.fill("0.001")
    field.press("Enter")
    visit.wait_for(lambda: share_in_table(visit, "Fe") != share)

    cell.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    visit.wait_for(lambda: chosen(visit) == "Cu")
    picture = page.locator(".xrf-periodic .xrf-about-map img")
    visit.wait_for(lambda: picture.count() and picture.get_attribute("alt") == "Map of Copper")

    page.locator(".xrf-periodic [data-key=Hg]").click(button="right")
    page.locator(".xrf-periodic .xrf-is-absent[data-key=Hg]").wait_for()
    page.locator(".xrf-element .xrf-is-absent[data-key=Hg]").wait_for()
    page.locator(".xrf-periodic [data-key=Hg]").click(button="right")
    page.locator(".xrf-periodic .xrf-is-found[data-key=Hg]").wait_for()

    # Value and message within a moment: the figures follow both.
    page.locator(".xrf-periodic [data-key=Pb]").dblclick()
    visit.wait_for(lambda: not page.locator(".xrf-periodic").is_visible())
    visit.wait_for(lambda: page.locator(".xrf-map h2").first.inner_text() == "Pb Lead")
    visit.wait_for(
        lambda: (
            "Pb Lα"
            in (visit.layer("xrf-spectrum-figure", "names", "layer.data_source.data.name") or [])
        )
    )


def test_all_maps_at_once_and_a_preview_without_asking_the_server(visit, address):
    page = visit.page
    visit.open(f"{address}?element=Fe")
    visit.wait_for_map()
    strip = page.locator(".xrf-small-maps .xrf-thumb")
    visit.wait_for(lambda: strip.count() > 4)
    in_list = page.locator(".xrf-element .xrf-chip b").all_inner_texts()
    assert sorted(page.locator(".xrf-small-maps .xrf-thumb b").all_inner_texts()) == sorted(in_list)

    visit.wait_for(lambda: page.locator(".xrf-map .xrf-preview").count() == 0)
    page.wait_for_timeout(1000)
    visit.sent.clear()
    page.locator(".xrf-small-maps [data-key=Pb]").hover()
    preview = page.locator(".xrf-map .xrf-preview")
    preview.wait_for()
    assert preview.inner_text() == "Pb Lead"
    area, image = visit.area("xrf-map-figure"), preview.locator("img").bounding_box()
    assert image["width"] / image["height"] == pytest.approx(32 / 24, rel=0.02)
    assert abs(image["x"] + image["width"] / 2 - area["x"] - area["w"] / 2) < 2
    page.mouse.move(area["x"] + 5, area["y"] + 5)
    visit.wait_for(lambda: preview.count() == 0)
    assert visit.sent == []

    page.get_by_label("All maps").click()
    maps = page.locator(".xrf-map-grid .xrf-bigthumb")
    visit.wait_for(lambda: page.locator(".xrf-map-grid img").count() == len(in_list))
    assert maps.locator("b").all_inner_texts() == in_list
    scrolled = page.locator(".xrf-maps").evaluate("e => e.scrollHeight - e.clientHeight")
    assert scrolled <= 0, "all of them fit on the screen"
    widths = page.locator(".xrf-map-grid img").evaluate_all("all => all.map((e) => e.clientWidth)")
    assert min(widths) > 90
    page.locator(".xrf-map-grid [data-key=Hg]").click()
    visit.wait_for(lambda: chosen(visit) == "Hg")
    visit.wait_for(lambda: not page.locator(".xrf-map-grid").is_visible())
