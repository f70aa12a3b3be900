"""Visitors come and go: nothing of theirs stays."""

from __future__ import annotations

import gc
import threading
import time
from functools import partial

import panel as pn
import pytest
from bokeh.client import pull_session

from dashboard.app import create_app
from dashboard.results import Results
from dashboard.session import Session

_QUICK_MS = 200
"""Sessions end this long after their visitor left."""


def alive(kind: type) -> int:
    gc.collect()
    return sum(isinstance(thing, kind) for thing in gc.get_objects())


@pytest.fixture
def server(engine):
    """The page over a stand-in model, on a loop of its own thread."""
    server = pn.serve(
        {"page": partial(create_app, engine)},
        port=0,
        threaded=True,
        show=False,
        check_unused_sessions_milliseconds=_QUICK_MS,
        unused_session_lifetime_milliseconds=_QUICK_MS,
    )
    yield server
    server.stop()
    pn.state.kill_all_servers()


def visit_once(server) -> None:
    """Fetch the whole document over a websocket, as a browser does, and leave."""
    session = pull_session(url=f"http://localhost:{server.port}/page")
    figure = session.document.select_one({"name": "xrf-map-figure"})
    assert figure is not None
    session.close()


def wait_until_all_left(server) -> None:
    deadline = time.monotonic() + 120
    while server.get_sessions("/page"):
        assert time.monotonic() < deadline, "sessions stay"
        time.sleep(0.1)


@pytest.mark.parametrize(
    "n_visits", [3, pytest.param(30, marks=pytest.mark.slow)], ids=lambda n: f"{n} visits"
)
def test_sessions_leave_no_threads_no_results_and_no_cubes(server, engine, n_visits):
    known = alive(Session)
    visit_once(server)
    wait_until_all_left(server)
    threads = threading.active_count()
    for _ in range(n_visits):
        visit_once(server)
    wait_until_all_left(server)
    # The last callbacks of a session may still be on the loop.
    deadline = time.monotonic() + 30
    while alive(Results) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert alive(Results) == 0
    assert alive(Session) == known
    assert threading.active_count() <= threads + 16, "more than the page's own pool of threads"
    assert not engine.jobs.active()
