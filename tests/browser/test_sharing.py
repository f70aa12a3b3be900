"""Undo, saved views, links, help, and what happens when the connection is lost."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

LASSO = [(0.2, 0.3), (0.45, 0.3), (0.45, 0.48), (0.2, 0.48), (0.2, 0.32)]
RECORD_SOCKETS = """
    const Native = window.WebSocket
    window.__sockets = []
    window.WebSocket = class extends Native {
        constructor(...all) { super(...all); window.__sockets.push(this) }
    }
"""


def chosen_counts(visit) -> list[float]:
    """The curve of the selection; empty without one."""
    rates = visit.layer("xrf-spectrum-figure", "chosen", "Array.from(layer.data_source.data.rate)")
    return rates or []


def select(visit) -> list[float]:
    visit.page.locator(".xrf-map").get_by_label("Lasso").click()
    visit.drag("xrf-map-figure", LASSO)
    return visit.wait_for(lambda: chosen_counts(visit))


def element_shown(visit) -> str:
    return visit.page.locator(".xrf-element [aria-pressed=true] b").first.inner_text()


def test_a_copied_link_reopens_the_lasso_for_somebody_else(visit, other_visit, address):
    visit.open(address)
    visit.wait_for_map()
    curve = select(visit)
    visit.page.get_by_text("Copy link").click()
    visit.page.get_by_text("Link copied").or_(
        visit.page.get_by_text("Copy it from the address bar")
    ).wait_for()
    visit.wait_for(lambda: "view=" in visit.page.url)
    other_visit.open(visit.page.url)
    other_visit.wait_for_map()
    assert other_visit.wait_for(lambda: chosen_counts(other_visit)) == curve


def test_steps_are_undone_by_key_and_by_button(visit, address):
    visit.open(address)
    visit.wait_for_map()
    first = element_shown(visit)
    undo = visit.page.get_by_role("button", name="Undo")
    assert undo.is_disabled()
    visit.page.keyboard.press("]")
    visit.wait_for(lambda: element_shown(visit) != first)
    second = element_shown(visit)
    visit.page.wait_for_timeout(600)
    select(visit)
    visit.page.keyboard.press("Control+z")
    visit.wait_for(lambda: not chosen_counts(visit))
    assert element_shown(visit) == second
    undo.click()
    visit.wait_for(lambda: element_shown(visit) == first)
    visit.page.keyboard.press("Control+Shift+z")
    visit.wait_for(lambda: element_shown(visit) == second)
    visit.page.keyboard.press("Control+Shift+z")
    visit.wait_for(lambda: chosen_counts(visit))


def test_a_view_is_saved_opened_and_deleted(visit, address):
    visit.open(f"{address}?element=Fe&scale=sqrt")
    visit.wait_for_map()
    curve = select(visit)
    views = visit.page.get_by_role("button", name="Views")
    views.click()
    visit.page.get_by_label("Name of this view").fill("Sleeve <b>")
    visit.page.get_by_role("button", name="Save").click()
    visit.page.get_by_title("Open this view").wait_for()
    assert "Sleeve <b>" in visit.page.get_by_title("Open this view").inner_text()
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.press("Escape")
    visit.wait_for(lambda: not chosen_counts(visit))
    visit.page.locator(".xrf-element").get_by_role("button", name="Pb").first.click()
    visit.wait_for(lambda: element_shown(visit) == "Pb")
    views.click()
    visit.page.get_by_title("Open this view").click()
    visit.wait_for(lambda: chosen_counts(visit) == curve)
    assert element_shown(visit) == "Fe"
    views.click()
    visit.page.get_by_label("Delete Sleeve <b>").click()
    visit.page.get_by_role("button", name="Delete", exact=True).click()
    visit.page.get_by_text("No saved views of this scan yet").wait_for()


def test_an_unknown_view_is_told_and_the_scan_opens(visit, address):
    visit.open(f"{address}?dataset=quarters&element=Fx&view=0123456789ab")
    visit.wait_for_map()
    assert visit.page.get_by_text("The saved view “0123456789ab” is not here").is_visible()
    assert visit.page.get_by_text("“element=Fx” is no chemical element").is_visible()
    assert element_shown(visit) in ("Pb", "Fe", "Hg", "Cu")


def test_a_lost_connection_is_told_and_the_view_comes_back(visit, address):
    visit.page.add_init_script(RECORD_SOCKETS)
    visit.open(address)
    visit.wait_for_map()
    curve = select(visit)
    visit.wait_for(lambda: "view=" in visit.page.url)
    visit.page.evaluate("() => { window.__old = true; window.__sockets.forEach((s) => s.close()) }")
    visit.page.get_by_text("The connection to the server was lost").wait_for()
    visit.page.wait_for_function("() => !window.__old")
    visit.wait_for_page()
    visit.wait_for_map()
    assert visit.wait_for(lambda: chosen_counts(visit)) == curve


def test_the_help_names_the_keys_and_shows_the_introduction(visit, address):
    visit.open(address)
    visit.wait_for_map()
    visit.page.keyboard.press("?")
    visit.page.get_by_role("heading", name="Keys").wait_for()
    assert visit.page.get_by_text("Ctrl+Shift+Z").is_visible()
    visit.page.get_by_role("button", name="Show the introduction").click()
    card = visit.page.get_by_role("dialog", name="Introduction")
    titles = []
    for _ in range(5):
        titles.append(card.get_by_role("heading").inner_text())
        card.locator(".xrf-primary").click()
    assert len(set(titles)) == 5
    assert card.count() == 0
    visit.page.keyboard.press("?")
    visit.page.get_by_role("heading", name="Keys").wait_for()
    visit.page.keyboard.press("Escape")
    visit.wait_for(lambda: visit.page.get_by_role("heading", name="Keys").count() == 0)


def test_a_double_click_on_a_title_enlarges_the_pane(visit, address):
    visit.open(address)
    visit.wait_for_map()
    pane = visit.page.locator(".xrf-spectrum")
    before = pane.bounding_box()
    pane.get_by_role("heading").dblclick()
    visit.wait_for(lambda: pane.bounding_box()["height"] > 1.5 * before["height"])
    visit.page.keyboard.press("Escape")
    visit.wait_for(lambda: pane.bounding_box() == before)
