"""What every kind of result stands on: the results themselves, the work that makes them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import param

from dashboard.keeping.saved import Notes
from dashboard.latest import Deliver, LatestOnly, session_deliver
from dashboard.session import Session
from dashboard.shown import READY, State
from xrfengine.jobs import CancelToken

GRACE_S = 60.0
"""How long an embedding goes on after its visitor left: a page that is loaded anew finds it."""


_TURN_S = 0.02
_LOOKS_S = 0.05


class Rest:
    """When a session's choices changed last, for work that waits until its user rests."""

    def __init__(self, session: Session) -> None:
        self._last = time.monotonic()
        session.param.watch(self._stirred, list(session.param))

    def _stirred(self, *events: Any) -> None:
        self._last = time.monotonic()

    async def of(self, seconds: float, cancel: CancelToken) -> None:
        """Wait until nothing was chosen for so long, or the work was cancelled."""
        while (left := self._last + seconds - time.monotonic()) > 0 and not cancel.is_cancelled:
            await asyncio.sleep(min(left, _LOOKS_S))


class ResultsBase(param.Parameterized):
    """The results of one session, empty; set by the classes below this one, watched by views."""

    opened = param.Parameter(None, doc="Opened or None")
    maps = param.Parameter(None, doc="ElementMaps shown, maybe coarser than asked for")
    errors = param.Parameter(None, doc="Standard errors of fitted maps by element, or None")
    found = param.Parameter((), doc="tuple of Found, by falling share; those the user added too")
    few = param.Parameter((), doc="tuple of Found that only a few pixels show, by falling share")
    overruled = param.Parameter((), doc="tuple of Found that the user says are not there")
    starts = param.Dict({}, doc="Where thresholds start, by symbol")
    unit = param.String("", doc="Of the maps' values; empty for probabilities")
    pixel_size_mm = param.Number(
        None, allow_None=True, doc="Distance of pixels: entered by somebody, else the file's."
    )
    pixel_size_problem = param.String("", doc="Why an entered distance could not be kept.")
    selected = param.Parameter(None, doc="Selected or None")
    embedding = param.Parameter(None, doc="Embedding or None")
    clusters = param.Parameter(None, doc="ClusterResult or None")
    cluster_texts = param.Parameter((), doc="What distinguishes each cluster, by label; or ()")
    tree = param.Parameter(None, doc="CondensedTree, once it was asked for; or None")
    tree_state = param.Parameter(State("loading", "Looking for the tree"))
    map_seconds = param.Number(None, allow_None=True)
    map_state = param.Parameter(State("loading", "Opening the scan"))
    selection_state = param.Parameter(READY)
    embedding_state = param.Parameter(State("loading", "Waiting for the maps"))
    cluster_state = param.Parameter(State("loading", "Waiting for the maps"))

    def __init__(self, engine: Any, session: Session, deliver: Deliver | None = None) -> None:
        super().__init__()
        self.deliver = deliver = deliver or session_deliver()
        self.engine, self.session, self.notes = engine, session, Notes()
        # What of the scan is on screen: (y0, y1, x0, x1) in pixels, ends excluded; None: all of it.
        self.visible: Callable[[], tuple[int, int, int, int] | None] = lambda: None
        self._open = LatestOnly(deliver)
        self._map = LatestOnly(deliver, engine.jobs)
        self._found = LatestOnly(deliver)
        self._instrument = LatestOnly(deliver)
        self._selection = LatestOnly(deliver)
        self._embedding = LatestOnly(deliver, engine.jobs)
        self._clusters = LatestOnly(deliver, engine.jobs)
        self._further: list[LatestOnly] = []
        self._tree = self.further_work()
        self._effects = self.further_work(is_patient=True)
        self._traces = self.further_work(is_patient=True)
        self._wants_embedding = self._has_begun = False
        self._rest = Rest(session)

    def further_work(self, *, is_listed: bool = False, is_patient: bool = False) -> LatestOnly:
        """Work of a view of its own: it ends with the session, and is in the job tray if listed."""
        jobs = self.engine.jobs if is_listed else None
        work = LatestOnly(self.deliver, jobs, is_patient=is_patient)
        self._further.append(work)
        return work

    @property
    def _all(self) -> tuple[LatestOnly, ...]:
        return (
            self._open,
            self._map,
            self._found,
            self._instrument,
            self._selection,
            self._embedding,
            self._clusters,
            *self._further,
        )

    def close(self) -> None:
        """Abandon whatever runs: the session is over."""
        for work in self._all:
            work.cancel()

    def leave(self) -> None:
        """The visitor has left: abandon what runs, but for an embedding, which may be worth
        minutes: it goes on for a while, should the visitor come back."""
        self._embedding.leave(GRACE_S)
        self.close()

    async def settled(self) -> None:
        """Wait until nothing runs (for tests)."""
        while any(work.is_running for work in self._all):
            for work in self._all:
                await work.finished()

    async def at_hand(self, within_s: float) -> None:
        """Wait for what is quickly there: all four panes, but no longer than given."""
        deadline = time.monotonic() + within_s
        while self.clusters is None and time.monotonic() < deadline:
            await asyncio.sleep(_TURN_S)
            if not any(work.is_running for work in self._all):
                return

    def jobs(self) -> tuple:
        """The long work of this session that is not over."""
        jobs = (work.job for work in self._all)
        return tuple(job for job in jobs if job is not None and not job.is_over)
