"""How long the map of 4,000 × 4,000 pixels takes to settle after a pan and after a zoom.

    python benchmarks/large_map.py [--side 4000] [--repeats 15]

A server of its own shows made-up maps of two elements; Chromium drags and turns the wheel. From
the mouse let go (or the last turn of the wheel) to the second animation frame after the sharp map
has come, and after the grey image below it has; beside it the bytes of the images that are sent.
Nothing of the model is measured.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SIDE = int(os.environ.get("XRF_LARGE_SIDE", "4000"))


def large_engine():
    """An engine over one large scan, whose maps are drawn and not computed."""
    from xrfengine.cube import Calibration, Cube, ElementMaps
    from xrfengine.engine import DatasetInfo, Engine

    rng = np.random.default_rng(5)
    y, x = np.ogrid[:SIDE, :SIDE]
    waves = 0.5 + 0.5 * np.sin(x / 180) * np.cos(y / 230)
    speckled = np.clip(waves + rng.normal(0, 0.1, (SIDE, SIDE)), 0, 1).astype(np.float32)
    counts = np.empty((SIDE, SIDE, 2), np.uint8)
    counts[..., 0], counts[..., 1] = 60 * waves + 20, 40
    values = np.stack([speckled, speckled[::-1]])
    cube = Cube(counts, Calibration(0.0, 10.0), "large")

    class LargeEngine(Engine):
        def datasets(self):
            return (DatasetInfo("large", "Large scan", None),)

        def cube(self, dataset_id, **options):
            return cube

        def maps_at_hand(self, cube, method, region_px, also=()):
            return ElementMaps(("Fe", "Pb"), values, "probability", region_px, cube.digest)

        def maps(self, cube, method="probability", region_px=1, **options):
            return self.maps_at_hand(cube, method, region_px)

        def instrument_elements(self, cube):
            return frozenset()

        def warm_up(self):
            return {}

    return LargeEngine(cache=Path(tempfile.mkdtemp()))


def serve(side: int) -> tuple[subprocess.Popen, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "panel", "serve", "dashboard", "--port", str(port),
               "--setup", str(Path(__file__).resolve())]  # fmt: skip
    server = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "XRF_LARGE_SIDE": str(side)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in server.stderr:
        if "warmed up" in line:
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, f"http://localhost:{port}/dashboard"
    raise SystemExit("the server did not start")


def measure(url: str, repeats: int) -> dict[str, list[float]]:
    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(ROOT / "benchmarks"))
    from browser import FLAGS, PAINTED, load

    times: dict[str, list[float]] = {}
    received: list[int] = []
    after = (
        "(event) => { window.xrf_time = Promise.all(['values', 'grey'].map("
        "(layer) => xrf_bench.after(event, 'xrf-map-figure', layer))) }"
    )

    def note(what: str) -> None:
        for layer, taken in zip(
            ("map", "grey image"), page.evaluate("() => xrf_time"), strict=True
        ):
            times.setdefault(f"{what} to sharp {layer}", []).append(taken)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=list(FLAGS),
        )
        context = browser.new_context()
        context.on("page", lambda page: page.on("websocket", lambda ws: ws.on(
            "framereceived", lambda frame: received.append(len(frame)))))  # fmt: skip
        page, first = load(context, url)
        times["page to map"] = [first]
        page.evaluate(PAINTED)
        page.wait_for_timeout(3000)
        box = page.evaluate(
            "() => { const model = Bokeh.documents[0].get_model_by_name('xrf-map-figure')"
            "; const view = Bokeh.index.find_one_by_id(model.id), f = view.frame.bbox"
            "; const r = view.el.getBoundingClientRect()"
            "; return [r.x + f.left, r.y + f.top, f.width, f.height] }"
        )
        x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
        for i in range(repeats):
            page.mouse.move(x, y)
            received.clear()
            page.evaluate(after, "wheel")
            page.mouse.wheel(0, -300 if i % 4 < 2 else 300)
            note("zoom")
            times.setdefault("  received, kB", []).append(sum(received) / 1000)
            page.wait_for_timeout(400)
            page.mouse.down()
            step = 120 if i % 2 else -120
            page.mouse.move(x + step, y + step / 2, steps=8)
            page.wait_for_timeout(300)
            page.evaluate(after, "pointerup")
            page.mouse.move(x + step + 6, y, steps=1)
            page.mouse.up()
            note("pan")
            page.wait_for_timeout(400)
        browser.close()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=15)
    choices = parser.parse_args()
    server, url = serve(choices.side)
    try:
        for name, values in measure(url, choices.repeats).items():
            print(f"{name:28} {statistics.median(values):8.0f}   (n = {len(values)})")
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    main()
else:  # run by panel serve --setup
    import dashboard.serving.shared

    dashboard.serving.shared._make = large_engine
