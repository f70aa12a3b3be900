"""Do what is slow at first use, so that nobody waits for it at the page."""

from __future__ import annotations

import numpy as np
from bokeh.document import Document

from dashboard.app import compose
from dashboard.plots import stock
from dashboard.plots.pictures import KINDS_COMPILED, embedding_image, points_image
from dashboard.results import Results
from dashboard.session import Session
from xrfengine.engine import Engine
from xrfengine.engine_maps import COARSE_PX


def build_once(engine: Engine) -> None:
    """Build a page that nobody sees, and figures ahead; on the server's loop."""
    session = Session()
    compose(session, Results(engine, session, deliver=lambda callback: None)).get_root(Document())
    stock.refill()


def open_first(engine: Engine) -> None:
    """Open the scan that a visitor sees first, and make its coarse maps; any thread."""
    known = engine.datasets()
    if known:
        cube = engine.cube(known[0].id)
        _ = cube.digest, cube.total_counts, cube.sum_spectrum
        engine.maps(cube, "probability", max(COARSE_PX))  # a hundredth of the finest's work
        engine.instrument_elements(cube)


def draw_once() -> None:
    """Run datashader's compiled paths once each."""
    points = np.random.default_rng(0).normal(size=(600, 2)).astype(np.float32)
    limits, size = (-3.0, 3.0, -3.0, 3.0), (32, 32)
    for n_clusters in (KINDS_COMPILED // 2, KINDS_COMPILED):  # it compiles for either
        labels = (np.arange(600) % (n_clusters + 1) - 1).astype(np.int32)
        embedding_image(points, limits, size, colour_by="cluster", values=labels)
    embedding_image(points, limits, size, colour_by="density")
    values = np.linspace(0, 1, 600, dtype=np.float32)
    embedding_image(points, limits, size, colour_by="element", values=values)
    points_image(points, limits, size)
