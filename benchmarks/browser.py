"""How long the page takes, as a visitor sees it: Chromium against a server of its own.

    python benchmarks/browser.py [--data FOLDER --dataset ID | --thesis-size FOLDER]
                                 [--repeats 7] [--json]

Prints the median of the repeats for: a page asked for to its painted map, by a new visitor and by
one whose browser holds the scripts; lasso mouse-up to the painted spectrum, for a small and a large
lasso, with the bytes that travel; threshold drag step to the painted map, and the messages it
sends; element change to the painted map; another smallest cluster to the painted embedding.
"Painted" is the second animation frame after the plot's model changed. Processor time of a load
stands beside it: of the server's process and of the browser, which other work on the machine
disturbs less. Without ``--data`` the demo painting is used; ``--thesis-size`` writes a phantom of
524×348 spectra with 4096 channels (1.5 GB) into a folder unless it is there, and lets the page
compute its maps, embedding and clusters once before anything is measured. A server's first page
is measured on servers started for it alone, ``--starts`` of them, once all results are kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

PAINTED = """
(function () {
  const model = (name) => Bokeh.documents[0].get_model_by_name(name)
  const layer = (figure, name) => model(figure).renderers.find((r) => r.name == name)
  const frame = () => new Promise(requestAnimationFrame)
  const frames = () => frame().then(frame)
  const changes = (source) => new Promise((done) => {
    const slot = () => { source.properties.data.change.disconnect(slot); done() }
    source.properties.data.change.connect(slot)
  })
  window.xrf_bench = {
    // From the next event of a kind to the painted change of a layer, in ms.
    after: async (event, figure, name) => {
      const start = new Promise((done) => window.addEventListener(event,
        () => done(performance.now()), {once: true, capture: true}))
      const changed = changes(layer(figure, name).data_source)
      const t = await start
      await changed
      await frames()
      return performance.now() - t
    },
    // From now to the painted change of a layer, for whatever a function does to the page.
    doing: async (act, figure, name) => {
      const changed = changes(layer(figure, name).data_source)
      const t = performance.now()
      act()
      await changed
      await frames()
      return performance.now() - t
    },
    // One step of the threshold to the painted map: the slider's own path, input event and all.
    threshold_step: async (input, value) => {
      const t = performance.now()
      input.value = value
      input.dispatchEvent(new Event("input", {bubbles: true}))
      await frames()
      return performance.now() - t
    },
  }
})()
"""
THESIS = "thesis.h5"
READY = """() => {
  const figure = window.Bokeh?.documents?.[0]?.get_model_by_name("xrf-map-figure")
  const values = figure?.renderers.find((r) => r.name == "values")
  return !!values && values.data_source.data.image[0].some((v) => v > 0)
    && Bokeh.index.find_one_by_id(figure.id) != null
}"""


def serve(data: str | None) -> tuple[subprocess.Popen, str]:
    """A server on a free port, once it says that it has warmed up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, **({"XRF_DATA": str(Path(data).resolve())} if data else {})}
    command = [sys.executable, "-m", "panel", "serve", "dashboard", "--port", str(port)]
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in server.stderr:
        if "warmed up" in line:
            # Nobody reads on: what it says later must not block it.
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, f"http://localhost:{port}/dashboard"
    raise SystemExit("the server did not start")


def chromium_path() -> str:
    """The browser; ends the program where there is none."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        raise SystemExit("no chromium found: install it to look at the page")
    return executable


def thesis_size(folder: Path) -> str:
    """A folder with a phantom of the thesis's size."""
    from xrfengine.phantom import PhantomSettings, make_phantom, write_phantom

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / THESIS).exists():
        phantom = make_phantom(PhantomSettings(shape_yx=(524, 348), n_channels=4096))
        write_phantom(phantom, folder / THESIS)
    return str(folder)


def settle(page) -> None:
    """Let everything be computed that is kept: finest maps, embedding, clusters."""
    page.locator(".xrf-clusters .xrf-cluster").first.wait_for(timeout=900_000)
    page.locator(".xrf-status").get_by_text("map 1×1").wait_for(timeout=900_000)
    while page.locator(".xrf-job").count():
        page.wait_for_timeout(500)


def load(context, url: str, page=None) -> tuple[object, float]:
    """A fresh page, or the one given, and the milliseconds until its map was painted."""
    page = page or context.new_page()
    # Who comes for the first time is introduced, which has nothing to do with loading.
    page.add_init_script("try { localStorage.setItem('xrf-tour-seen', '1') } catch {}")
    page.set_viewport_size({"width": 1440, "height": 900})
    start = time.perf_counter()
    page.goto(url, wait_until="commit", timeout=300_000)
    page.wait_for_function(READY, timeout=120_000, polling="raf")
    page.evaluate("() => new Promise((d) => requestAnimationFrame(() => requestAnimationFrame(d)))")
    return page, 1000 * (time.perf_counter() - start)


def processor_ms(process: psutil.Process) -> float:
    """Of a process and its children, so far."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):  # a child that ended meanwhile
            used = each.cpu_times()
            total += used.user + used.system
    return 1000 * total


def page_loads(browser, url: str, repeats: int, server: psutil.Process | None) -> dict:
    """Times of loads by new visitors and by one who comes again."""
    times: dict[str, list[float]] = {}
    here = psutil.Process()
    returning = browser.new_context()
    load(returning, url)[0].close()  # fills its cache
    for _ in range(repeats):
        for who, context in (("new visitor", browser.new_context()), ("again", returning)):
            used = processor_ms(here), server and processor_ms(server)
            page, taken = load(context, url)
            times.setdefault(f"page to map, {who}", []).append(taken)
            cost = times.setdefault(f"  processor time, browser, {who}", [])
            cost.append(processor_ms(here) - used[0])
            if server is not None:
                cost = times.setdefault(f"  processor time, server, {who}", [])
                cost.append(processor_ms(server) - used[1])
            page.close()
            if context is not returning:
                context.close()
            time.sleep(0.5)
    return times


def lasso(page, figure: str, half: float) -> float:
    """Milliseconds from mouse-up to the painted spectrum, for a square of ±``half``."""
    area = page.evaluate(
        "(name) => { const model = Bokeh.documents[0].get_model_by_name(name)"
        "; const view = Bokeh.index.find_one_by_id(model.id), f = view.frame.bbox"
        "; const r = view.el.getBoundingClientRect()"
        "; return [r.x + f.left, r.y + f.top, f.width, f.height] }",
        figure,
    )
    x, y, width, height = area
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -0.9)]
    path = [(x + width * (0.5 + a * half), y + height * (0.5 + b * half)) for a, b in corners]
    page.evaluate(
        "() => { window.xrf_time = xrf_bench.after('pointerup', 'xrf-spectrum-figure', 'chosen') }"
    )
    page.mouse.move(*path[0])
    page.mouse.down()
    for point in path[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()
    taken = page.evaluate("() => window.xrf_time")
    page.wait_for_timeout(700)  # the elements of the selection arrive after its spectrum
    return taken


class Traffic:
    """Bytes on the page's sockets since :meth:`begin`."""

    def __init__(self, page) -> None:
        self.sent: list[int] = []
        self.received: list[int] = []
        page.on("websocket", self._listen)

    def _listen(self, socket) -> None:
        socket.on("framesent", lambda payload: self.sent.append(len(payload)))
        socket.on("framereceived", lambda payload: self.received.append(len(payload)))

    def begin(self) -> None:
        self.sent.clear()
        self.received.clear()


def cut_change(page, share: float) -> float | None:
    """Milliseconds from letting go the slider to the painted embedding; None without clusters."""
    slider = page.locator(".xrf-clusters input[type=range]").first
    if not slider.count() or not page.locator(".xrf-clusters .xrf-cluster").count():
        return None
    taken = page.evaluate(
        """([input, share]) => xrf_bench.doing(() => {
            input.value = Math.round(Number(input.min) + share * (input.max - input.min))
            input.dispatchEvent(new Event("input", {bubbles: true}))
            input.dispatchEvent(new Event("change", {bubbles: true}))
        }, "xrf-embedding-figure", "points")""",
        [slider.element_handle(), share],
    )
    page.wait_for_timeout(400)
    return taken


def element_change(page, n: int) -> float:
    chips = page.locator(".xrf-element .xrf-chip")
    page.evaluate(
        "() => { window.xrf_time = xrf_bench.after('click', 'xrf-map-figure', 'values') }"
    )
    chips.nth(n).click()
    taken = page.evaluate("() => window.xrf_time")
    page.wait_for_timeout(400)
    return taken


def first_pages(data: str | None, query: str, starts: int) -> list[float]:
    """Milliseconds to the map of the first page that a server answers, for so many servers."""
    from playwright.sync_api import sync_playwright

    times = []
    with sync_playwright() as playwright:
        for _ in range(starts):
            server, url = serve(data)
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
            try:
                times.append(load(browser.new_context(), url + query)[1])
            finally:
                browser.close()
                server.terminate()
                server.wait(20)
    return times


def measure(url: str, repeats: int, server: psutil.Process | None) -> dict[str, list[float]]:
    from playwright.sync_api import sync_playwright

    times: dict[str, list[float]] = {}
    counted: dict[str, str] = {}
    executable = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        page, _ = load(browser.new_context(), url)
        settle(page)
        page.close()
        times |= page_loads(browser, url, repeats, server)
        page = browser.new_context().new_page()
        traffic = Traffic(page)
        load(None, url, page)
        page.evaluate(PAINTED)
        page.wait_for_timeout(5000)  # embedding and clusters come after the map
        page.locator(".xrf-map").get_by_label("Lasso").click()
        slider = page.locator(".xrf-threshold input[type=range]").element_handle()
        for i in range(repeats):
            for name, half in (("small lasso", 0.06), ("large lasso", 0.42)):
                traffic.begin()
                taken = lasso(page, "xrf-map-figure", half)
                times.setdefault(f"{name} to spectrum", []).append(taken)
                times.setdefault(f"  bytes up, {name}", []).append(sum(traffic.sent))
                times.setdefault(f"  bytes down, {name}", []).append(sum(traffic.received))
                selected = page.locator(".xrf-selected").first.inner_text()
                counted[name] = re.search(r"[\d,]+(?= pixel)", selected).group()
            traffic.begin()
            step = page.evaluate(
                "([input, value]) => xrf_bench.threshold_step(input, value)",
                [slider, 0.2 + 0.05 * i],
            )
            times.setdefault("threshold step to map", []).append(step)
            times.setdefault("  messages to the server", []).append(len(traffic.sent))
            times.setdefault("element change to map", []).append(element_change(page, i % 2))
            cut = cut_change(page, 0.04 + 0.012 * i)  # each for the first time
            if cut is not None:
                times.setdefault("smallest cluster to embedding", []).append(cut)
        browser.close()
    print(", ".join(f"{name}: {pixels} pixels" for name, pixels in counted.items()))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of scans; default: the demo painting")
    parser.add_argument("--dataset", help="id of the scan in that folder")
    parser.add_argument("--thesis-size", type=Path, metavar="FOLDER")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--starts", type=int, default=5, help="servers started for first pages")
    parser.add_argument("--url", help="measure a server that runs already")
    parser.add_argument("--json", action="store_true")
    choices = parser.parse_args()
    if choices.thesis_size:
        choices.data, choices.dataset = thesis_size(choices.thesis_size), THESIS
    server, url = (None, choices.url) if choices.url else serve(choices.data)
    query = f"?dataset={choices.dataset}" if choices.dataset else ""
    try:
        times = measure(url + query, choices.repeats, server and psutil.Process(server.pid))
    finally:
        if server is not None:
            server.terminate()
            server.wait(20)
            first = first_pages(choices.data, query, choices.starts)
            times = {"first page after start to map": first} | times
    if choices.json:
        print(json.dumps({name: [round(t, 1) for t in values] for name, values in times.items()}))
        return
    for name, values in times.items():
        unit = "" if name.startswith(("  bytes", "  messages")) else " ms"
        print(f"{name:44} {statistics.median(values):8,.0f}{unit:3}   (n = {len(values)})")


if __name__ == "__main__":
    main()
