"""The spectrum in a browser: peaks explained, windows mapped, the fit, a calibration."""

from __future__ import annotations

from urllib.parse import parse_qs, urlparse

import pytest

pytestmark = pytest.mark.browser


def share_of(visit, figure: str, energy_kev: float) -> float:
    """Where an energy lies, as a share of a figure's width."""
    start, end = visit.page.evaluate(
        "(name) => { const x = Bokeh.documents[0].get_model_by_name(name).x_range"
        "; return [x.start, x.end] }",
        figure,
    )
    return (energy_kev - start) / (end - start)


def place_of(visit, figure: str, energy_kev: float) -> tuple[float, float]:
    area = visit.area(figure)
    x = area["x"] + share_of(visit, figure, energy_kev) * area["w"]
    return x, area["y"] + 0.6 * area["h"]


def click_at(visit, figure: str, energy_kev: float) -> None:
    visit.page.mouse.click(*place_of(visit, figure, energy_kev))


def data(visit, name: str, column: str, figure: str = "xrf-spectrum-figure"):
    return visit.layer(figure, name, f"Array.from(layer.data_source.data.{column})")


def energy_of(visit, channel: int) -> float:
    """Of the scan's curve, in keV; not a number while there is none, as when it is opened anew."""
    energies = data(visit, "whole", "energy")
    return energies[channel] if channel < len(energies) else float("nan")


def query(visit) -> dict[str, list[str]]:
    return parse_qs(urlparse(visit.page.url).query)


def test_a_clicked_peak_is_explained_and_a_candidate_chosen(visit, address):
    visit.open(f"{address}?element=Pb")
    visit.wait_for_map()
    visit.wait_for(lambda: "Fe Kα" in (data(visit, "peaks", "text") or []))
    click_at(visit, "xrf-spectrum-figure", 6.42)
    sheet = visit.page.get_by_role("region", name="What the peak can be")
    best = sheet.locator(".xrf-candidate").first
    best.wait_for()
    assert best.locator("b").inner_text() == "Fe Kα"
    assert "Fe Kα at 6.40 is present" in best.inner_text()
    assert best.get_by_role("row").count() >= 3, "its lines, expected and observed"
    visit.wait_for(lambda: query(visit).get("peak"))
    best.get_by_role("button", name="Fe Kα").click()
    visit.wait_for(lambda: query(visit).get("element") == ["Fe"])
    visit.wait_for(lambda: "Fe Kα" in data(visit, "names", "name"))
    visit.page.keyboard.press("Escape")
    visit.wait_for(lambda: not sheet.is_visible())
    cursor = visit.page.get_by_role("group", name="Lines of an element")
    cursor.get_by_role("button", name="Next element").focus()
    visit.page.keyboard.press("ArrowRight")
    visit.wait_for(lambda: "Co Kα" in data(visit, "names", "name"))


def test_a_window_dragged_over_the_spectrum_is_mapped(visit, address):
    visit.open(f"{address}?element=Pb")
    visit.wait_for_map()
    before = visit.pixels("xrf-map-figure")
    visit.page.locator(".xrf-spectrum").get_by_label("Window").click()
    ends = [share_of(visit, "xrf-spectrum-figure", kev) for kev in (6.1, 6.7)]
    visit.drag("xrf-spectrum-figure", [(end, 0.5) for end in ends])
    title = visit.page.locator(".xrf-map h2")
    visit.wait_for(lambda: "keV" in title.inner_text())
    assert title.inner_text().startswith("6.")
    visit.wait_for(lambda: visit.pixels("xrf-map-figure") != before)
    assert "window" in query(visit)
    assert visit.page.locator(".xrf-threshold").get_by_text("Threshold, counts").is_visible()
    before, url = visit.pixels("xrf-map-figure"), visit.page.url
    start = place_of(visit, "xrf-spectrum-figure", 6.7)
    visit.page.mouse.move(*start)
    visit.page.mouse.down()
    visit.page.mouse.move(*place_of(visit, "xrf-spectrum-figure", 8.0), steps=5)
    visit.page.mouse.move(*place_of(visit, "xrf-spectrum-figure", 8.3), steps=5)
    visit.wait_for(lambda: "–8.3" in title.inner_text() or "–8.2" in title.inner_text())
    assert visit.page.url == url, "not chosen before it is let go"
    visit.page.mouse.up()
    visit.wait_for(lambda: query(visit)["window"][0].partition("-")[2].startswith("8."))
    visit.wait_for(lambda: visit.pixels("xrf-map-figure") != before)
    # The edges by keyboard: typed, and moved.
    edges = [
        visit.page.get_by_role("spinbutton", name=f"{side} edge") for side in ("Lower", "Upper")
    ]
    edges[0].fill("6,2")
    edges[0].press("Enter")
    visit.wait_for(lambda: query(visit)["window"][0].startswith("6.2-"))
    edges[1].fill("6.6")
    edges[1].press("Tab")
    visit.wait_for(lambda: query(visit)["window"] == ["6.2-6.6"])
    edges[1].focus()
    before = visit.pixels("xrf-map-figure")
    for _ in range(3):
        edges[1].press("ArrowUp")  # a channel of 40 eV each
    visit.wait_for(lambda: query(visit)["window"] == ["6.2-6.72"])
    assert edges[1].get_attribute("aria-valuetext") == "6.72 keV"
    # Drawn anew with the window, the field gets the focus back.
    visit.wait_for(lambda: edges[1].evaluate("(n) => n.getRootNode().activeElement == n"))
    visit.wait_for(lambda: visit.pixels("xrf-map-figure") != before)
    url = visit.page.url
    visit.page.locator(".xrf-spectrum").get_by_label("Back to the element").click()
    visit.wait_for(lambda: "Pb" in title.inner_text())
    visit.open(url)
    visit.wait_for(lambda: "keV" in title.inner_text())


def test_the_fit_and_its_residual(visit, address):
    visit.open(f"{address}?fit=1&scale=linear")
    visit.wait_for_map()
    visit.wait_for(lambda: visit.page.locator(".xrf-spectrum").get_by_text("χ²").count() == 1)
    energy, rate = (data(visit, "model", column) for column in ("energy", "rate"))
    top = energy[rate.index(max(rate))]
    assert any(abs(top - line) < 0.1 for line in (6.40, 8.04, 10.5, 12.6))
    residual = data(visit, "residual", "residual", "xrf-residual-figure")
    assert len(residual) > 50
    box = visit.page.locator(".xrf-spectrum").bounding_box()
    strip = visit.area("xrf-residual-figure")
    assert strip["y"] + strip["h"] <= box["y"] + box["height"]


def test_a_calibration_is_made_kept_marked_and_taken_back(visit, address):
    visit.open(f"{address}?open=calibrate")
    visit.wait_for(lambda: data(visit, "present", "energy", "xrf-calibration-figure"))
    names = visit.page.locator(".xrf-pair input")
    for n_peaks, energy_kev in enumerate((6.42, 12.58), 1):
        place = place_of(visit, "xrf-calibration-figure", energy_kev)
        visit.click_until(place, lambda n=n_peaks: names.count() == n)
    assert [name.input_value() for name in names.all()] == ["Fe Kα", "Pb Lβ"]
    names.first.fill("Mn Ka")
    names.first.press("Enter")
    visit.wait_for(
        lambda: (
            visit.page.get_by_text("At", exact=True).count() == 1
            and data(visit, "proposed", "energy", "xrf-calibration-figure")[160] < 6.0
        )
    )
    visit.page.get_by_role("button", name="Apply to this scan").click()
    visit.page.get_by_role("button", name="Back to the file").wait_for()
    visit.page.keyboard.press("Escape")
    mark = visit.page.get_by_role("button", name="Recalibrated")
    mark.wait_for()
    visit.wait_for(lambda: abs(energy_of(visit, 160) - 5.895) < 0.02)
    visit.open(address)
    mark.click()
    visit.page.get_by_role("button", name="Back to the file").click()
    visit.wait_for(lambda: visit.page.get_by_text("As the file says").count() == 1)
    visit.page.keyboard.press("Escape")
    visit.wait_for(lambda: abs(energy_of(visit, 160) - 6.4) < 0.001)
    assert mark.count() == 0
