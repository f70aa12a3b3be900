"""A server on a free port, and Chromium; skipped, saying so, where there is none."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
_START_S = 120


def _chromium() -> str:
    """The browser; skips the test where there is none, unless one was promised (in CI)."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        give_up = pytest.fail if os.environ.get("XRF_REQUIRE_BROWSER") else pytest.skip
        give_up("no chromium on this machine: the page is not looked at")
    return found


@dataclass
class _Served:
    url: str
    state: Path
    log: TextIO

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()


@pytest.fixture(scope="session")
def _server(tmp_path_factory):
    """The dashboard over small scans and a stand-in model, on a port of its own."""
    _chromium()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("server")
    environment = {
        **os.environ,
        "XRF_CACHE": str(folder / "cache"),
        "XRF_STATE": str(folder / "state"),
        "XRF_STAND_IN": str(ROOT / "tests" / "dashboard" / "fake_engine.py"),
    }
    command = [sys.executable, "-m", "panel", "serve", "dashboard", "--port", str(port),
               "--setup", str(Path(__file__).with_name("stand_in.py"))]  # fmt: skip
    with (folder / "log").open("a+") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        served = _Served(f"http://localhost:{port}/dashboard", folder / "state", log)
        try:
            _wait_for(server, served)
            yield served
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(server: subprocess.Popen, served: _Served) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            urllib.request.urlopen(served.url, timeout=60).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start:\n{served.said()[-3000:]}")
            time.sleep(0.3)


@pytest.fixture(scope="module")
def address(_server):
    """Where the dashboard is served, as if nobody had been there before."""
    shutil.rmtree(_server.state, ignore_errors=True)
    before = len(_server.said())
    yield _server.url
    # Pages that close mid-message leave tracebacks of Bokeh's own; ours name our files.
    said = _server.said()[before:]
    assert f'File "{ROOT / "dashboard"}' not in said, said[-5000:]


@pytest.fixture(scope="module")
def browser():
    # Closed with the module: Playwright's loop, while it is open, is the thread's running one,
    # and no other test could run one of its own.
    executable = _chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


class Visit:
    """One page, with what its Bokeh models say and what went wrong."""

    def __init__(self, page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.sent: list[str] = []
        self.outside: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on(
            "console",
            lambda message: self.problems.append(message.text) if message.type == "error" else None,
        )
        page.on("request", self._take_request)
        page.on("websocket", lambda ws: ws.on("framesent", lambda frame: self.sent.append(frame)))

    def _take_request(self, request) -> None:
        if not request.url.startswith(("http://localhost", "data:", "blob:")):
            self.outside.append(request.url)

    def layer(self, figure: str, name: str, expression: str):
        """Value of a JavaScript expression of ``layer``, a glyph renderer of a named figure."""
        return self.page.evaluate(
            "([figure, name]) => { const layer = Bokeh.documents[0].get_model_by_name(figure)"
            f"?.renderers.find((r) => r.name == name); return layer && ({expression}) }}",
            [figure, name],
        )

    def wait_for(self, what, seconds: float = 60):
        """Wait until ``what()`` is true; its value."""
        deadline = time.monotonic() + seconds
        while not (value := what()):
            assert time.monotonic() < deadline, f"in vain; problems: {self.problems}"
            self.page.wait_for_timeout(50)
        return value

    def click_until(self, place, what) -> None:
        """Click at a place, (x, y) on the screen, until ``what()`` is true.

        On a busy machine a click is taken for a long press, which means nothing.
        """
        for _ in range(6):
            self.page.mouse.click(*place)
            for _ in range(100):
                if what():
                    return
                self.page.wait_for_timeout(50)
        raise AssertionError(f"in vain; problems: {self.problems}")

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.wait_for_page()

    def wait_for_page(self) -> None:
        self.wait_for(lambda: self.page.evaluate("() => !!window.Bokeh?.documents?.length"))
        self.page.locator(".xrf-map").wait_for()

    def wait_for_map(self) -> None:
        self.wait_for(
            lambda: self.layer(
                "xrf-map-figure", "values", "layer.data_source.data.image[0].some((v) => v > 0)"
            )
        )
        # The bar that hears the keys is drawn last on a busy machine.
        self.page.locator(".xrf-status").get_by_text("map ").first.wait_for()

    def area(self, figure: str) -> dict[str, float]:
        """The plotting area of a figure on the screen."""
        return self.page.evaluate(
            "(name) => { const model = Bokeh.documents[0].get_model_by_name(name)"
            "; const view = Bokeh.index.find_one_by_id(model.id)"
            "; const r = view.el.getBoundingClientRect(), f = view.frame.bbox"
            "; return {x: r.x + f.left, y: r.y + f.top, w: f.width, h: f.height} }",
            figure,
        )

    def drag(self, figure: str, points) -> None:
        """Drag along points given as shares of the plotting area."""
        area = self.area(figure)
        path = [(area["x"] + a * area["w"], area["y"] + b * area["h"]) for a, b in points]
        self.page.mouse.move(*path[0])
        self.page.mouse.down()
        for point in path[1:]:
            self.page.mouse.move(*point, steps=5)
        self.page.mouse.up()

    def pixels(self, figure: str) -> bytes:
        """The picture of a figure as painted."""
        area = self.area(figure)
        return self.page.screenshot(
            clip={"x": area["x"], "y": area["y"], "width": area["w"], "height": area["h"]}
        )


@contextmanager
def _visiting(browser):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    # Not their first visit: the introduction stays away unless it is asked for.
    page.add_init_script("try { localStorage.setItem('xrf-tour-seen', '1') } catch {}")
    visit = Visit(page)
    yield visit
    page.close()
    assert visit.outside == []
    assert visit.problems == []


@pytest.fixture
def visit(browser):
    with _visiting(browser) as visit:
        yield visit


@pytest.fixture
def other_visit(browser):
    """Somebody else, with a browser of their own."""
    with _visiting(browser) as visit:
        yield visit
