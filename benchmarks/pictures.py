"""Pictures of the page for docs/, in both themes, of the synthetic demo painting.

    python benchmarks/pictures.py [--out docs] [--only NAME …]

Starts a server of its own with an empty folder for what people keep; results are taken from the
cache, so the second run is the one to keep. Needs Chromium.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import browser as page_benchmark

THEMES = ("light", "dark")
SIZES = ((1440, 900), (1920, 1080))


def map_area(page) -> dict:
    return figure_area(page, "xrf-map-figure")


def figure_area(page, name: str) -> dict:
    """Place of a figure's frame on the screen."""
    return page.evaluate(
        "(name) => { const model = Bokeh.documents[0].get_model_by_name(name)"
        "; const view = Bokeh.index.find_one_by_id(model.id), f = view.frame.bbox"
        "; const r = view.el.getBoundingClientRect()"
        "; return {x: r.x + f.left, y: r.y + f.top, w: f.width, h: f.height,"
        " low: model.x_range.start, high: model.x_range.end} }",
        name,
    )


def lasso(page, corners) -> None:
    area = map_area(page)
    page.locator(".xrf-map").get_by_label("Lasso", exact=True).click()
    places = [(area["x"] + x * area["w"], area["y"] + y * area["h"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    page.wait_for_timeout(3000)


CAP = [(0.55, 0.19), (0.7, 0.17), (0.76, 0.3), (0.62, 0.42), (0.5, 0.3), (0.55, 0.2)]
SLEEVE = [(0.68, 0.65), (0.95, 0.68), (0.95, 0.88), (0.66, 0.88), (0.68, 0.66)]


def settings(page) -> None:
    page.locator(".xrf-map").get_by_label("Map settings", exact=True).click()


def regions(page) -> None:
    for corners in (CAP, SLEEVE):
        lasso(page, corners)
        page.keyboard.press("Enter")
        page.wait_for_timeout(2500)


def peak(page) -> None:
    area = figure_area(page, "xrf-spectrum-figure")
    share = (10.55 - area["low"]) / (area["high"] - area["low"])
    page.mouse.click(area["x"] + share * area["w"], area["y"] + 0.6 * area["h"])
    page.wait_for_timeout(6000)


def pigments(page) -> None:
    lasso(page, CAP)
    page.locator(".xrf-pigment-card").get_by_role("button").first.click()
    page.wait_for_timeout(3000)


def nothing(page) -> None:
    """As it opens."""


PANELS: dict[str, tuple[str, Callable]] = {
    "table": ("open=table", nothing),
    "maps": ("open=maps", nothing),
    "map-settings": ("method=fit&element=Hg", settings),
    "compare": ("open=compare&element=Hg", nothing),
    "mix": ("open=mix", nothing),
    "regions": ("element=Hg", regions),
    "peak": ("element=Pb", peak),
    "calibrate": ("open=calibrate", nothing),
    "tree": ("open=tree", nothing),
    "nodes": ("open=nodes&clusters=som", nothing),
    "scatter": ("points=elements", nothing),
    "correlations": ("open=correlations", nothing),
    "export": ("open=export&element=Hg", nothing),
    "pigments": ("element=Hg", pigments),
    "help": ("open=help", nothing),
}


def shoot(chromium, url: str, name: str, theme: str, size, query: str, act, out: Path) -> None:
    """One picture of the page in a state."""
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]})
    page, _ = page_benchmark.load(context, f"{url}?theme={theme}&{query}", context.new_page())
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.locator(".xrf-clusters .xrf-cluster").first.wait_for(state="attached", timeout=300_000)
    page.wait_for_timeout(4000)
    act(page)
    page.mouse.move(5, 5)
    page.wait_for_timeout(2500)
    page.screenshot(path=out / name)
    context.close()


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        os.environ["XRF_STATE"] = kept
        server, url = page_benchmark.serve(None)
        try:
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(
                    executable_path=page_benchmark.chromium_path(),
                    args=list(page_benchmark.FLAGS),
                )
                for theme in THEMES:
                    for size in SIZES if not asked.only or "dashboard" in asked.only else ():
                        name = f"dashboard-{theme}-{size[0]}x{size[1]}.png"
                        shoot(chromium, url, name, theme, size, "", nothing, asked.out)
                    for panel, (query, act) in PANELS.items():
                        if not asked.only or panel in asked.only:
                            name = f"panel-{panel}-{theme}.png"
                            shoot(chromium, url, name, theme, SIZES[0], query, act, asked.out)
                chromium.close()
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
