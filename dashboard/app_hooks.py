"""What `panel serve` calls: the slow imports and the model are loaded before the first visitor."""

from __future__ import annotations

import importlib
import logging
import threading

from dashboard.shared import get_engine
from xrfengine.errors import XRFError

log = logging.getLogger(__name__)
_started = threading.Event()


def _warm_up() -> None:
    try:
        importlib.import_module("dashboard.app")
        from dashboard.warm import draw_once

        draw_once()
        facts = get_engine().warm_up()
        log.info("ready: %s", facts)
    except XRFError as error:
        # The page says it again, where it is seen; the server goes on for other data sets.
        log.warning("%s", error)
    except Exception:
        log.exception("warming up failed; the first page will be slower")


def on_server_loaded(server_context) -> None:
    """Warm up in the background, once, however often the application is mounted."""
    if not _started.is_set():
        _started.set()
        threading.Thread(target=_warm_up, name="xrf-warm-up", daemon=True).start()
