"""What `panel serve` calls: whatever is slow once is done before the first visitor."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable

from bokeh.settings import settings
from tornado.ioloop import IOLoop

from dashboard.latest import explain
from dashboard.serving import entrance
from dashboard.serving.shared import get_engine

log = logging.getLogger(__name__)
# panel serve shows what bokeh says; that the page is ready belongs beside it.
log.setLevel(logging.INFO)
_started = threading.Event()

# This file is read before the server is made, which then knows the addresses it answers.
entrance.install()
# Bokeh would look through every page for mistakes of ours; the tests do that.
settings.perform_document_validation = False


def _warm_up(on_loop: Callable[..., None]) -> None:
    """Step by step, what a visitor waits for first; a step that fails leaves out none."""
    from dashboard.serving import warm

    for step in (
        lambda: on_loop(warm.build_once, get_engine()),
        lambda: log.info("engine: %s", get_engine().warm_up()),
        lambda: warm.open_first(get_engine()),
        warm.draw_once,
    ):
        try:
            step()
        except Exception as error:
            # Told and logged with its cause; whoever opens the page meets it again, in its place.
            log.warning("Warming up: %s. The first page will be slower.", explain(error).message)
    # Panel collects garbage on the loop whenever a visitor leaves: a fifth of a second and more,
    # most of it spent on what libraries keep for ever. Frozen, that is looked at no more.
    gc.collect()
    gc.freeze()
    log.info("warmed up")


def on_server_loaded(server_context) -> None:
    """Warm up in the background, once, however often the application is mounted."""
    if _started.is_set():
        return
    _started.set()
    on_loop = IOLoop.current().add_callback
    threading.Thread(target=_warm_up, args=(on_loop,), name="xrf-warm-up", daemon=True).start()
