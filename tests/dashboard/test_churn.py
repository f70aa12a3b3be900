"""Visitors come and go: nothing of theirs stays."""

from __future__ import annotations

import gc
import socket
import threading
import time
import urllib.error
import urllib.request
from functools import partial

import panel as pn
import pytest
from bokeh.client import pull_session

from dashboard.app import create_app
from dashboard.results import Results
from dashboard.session import Session
from xrfengine.cube import Cube

_QUICK_MS = 200
"""Sessions end this long after their visitor left."""


def alive(kind: type) -> int:
    gc.collect()
    # Not isinstance: it asks lazy objects for their class, and some warn when they wake.
    return sum(issubclass(type(thing), kind) for thing in gc.get_objects())


@pytest.fixture
def url(engine):
    """The page over a stand-in model, on a loop of its own thread."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pn.serve(
        {"page": partial(create_app, engine)},
        port=port,
        threaded=True,
        show=False,
        check_unused_sessions_milliseconds=_QUICK_MS,
        unused_session_lifetime_milliseconds=_QUICK_MS,
    )
    url = f"http://localhost:{port}/page"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=60).close()
            break
        except urllib.error.URLError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.2)
    yield url
    pn.state.kill_all_servers()


def visit_once(url: str) -> None:
    """Fetch the whole document over a websocket, as a browser does, and leave."""
    session = pull_session(url=url)
    assert session.document.roots
    session.close()


def wait_until_all_left(others: int) -> None:
    """``others``: results that tests before this one still hold."""
    deadline = time.monotonic() + 60
    while alive(Results) > others:
        assert time.monotonic() < deadline, f"{alive(Results) - others} sessions stay"
        time.sleep(0.5)


@pytest.mark.parametrize(
    "n_visits", [3, pytest.param(30, marks=pytest.mark.slow)], ids=lambda n: f"{n} visits"
)
def test_sessions_leave_no_threads_no_results_and_no_cubes(url, engine, n_visits):
    results, sessions = alive(Results), alive(Session)
    visit_once(url)
    wait_until_all_left(results)
    threads, cubes = threading.active_count(), alive(Cube)
    for _ in range(n_visits):
        visit_once(url)
    wait_until_all_left(results)
    assert alive(Session) <= sessions
    assert alive(Cube) == cubes
    # The page's own pool grows to sixteen and no further; so does nothing else.
    assert threading.active_count() <= threads + 16
    assert not engine.jobs.active()
