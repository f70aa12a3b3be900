"""Run work beside the page; only the newest request of each kind counts.

Panel does not cancel watchers: three quick clicks run three computations. A
:class:`LatestOnly` cancels the previous computation, starts the next in a thread, and drops
what arrives from a computation that is no longer the newest. Results are delivered on the
session's own loop and under its lock, the only place where Bokeh models may be touched.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import panel as pn
from bokeh.document import Document

from xrfengine.errors import Cancelled, XRFError
from xrfengine.jobs import CancelToken, Job, JobList

log = logging.getLogger(__name__)

PROGRESS_AFTER_S = 0.3
"""Work shorter than this shows no progress: a bar that flashes is worse than none."""
PROGRESS_EVERY_S = 0.15

_PATIENT_STEP, _NICEST = 10, 19


def _step_back() -> None:
    """Let the processor serve others first; only Linux gives threads a priority of their own."""
    if sys.platform == "linux":
        # From where the server stands: a thread may not be raised above its process.
        nice = min(os.getpriority(os.PRIO_PROCESS, 0) + _PATIENT_STEP, _NICEST)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)


_THREADS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="xrf-page")
_PATIENT_THREADS = ThreadPoolExecutor(4, "xrf-patient", initializer=_step_back)

Deliver = Callable[[Callable[[], None]], None]


def session_deliver() -> Deliver:
    """A function that runs callbacks on the current session's loop, under its lock.

    Until the browser connects, callbacks run as they come: what they change travels with the
    document, and a page whose results are at hand arrives complete. From then on they wait until
    the browser holds the whole document: a change that is sent while the document is on its way
    is thrown away by BokehJS, and the pane would stay as it was. Outside a served session (tests,
    notebooks) callbacks run at once.
    """
    doc = pn.state.curdoc
    if doc is None or doc.session_context is None:
        return lambda callback: callback()
    held: list[Callable[[], None]] = []
    is_ready = False

    def release() -> None:
        nonlocal is_ready
        is_ready = True
        for callback in held:
            doc.add_next_tick_callback(callback)
        held.clear()

    pn.state.onload(release)

    def run_or_hold(callback: Callable[[], None]) -> None:
        if is_ready or _awaits_browser(doc):
            callback()
        else:
            held.append(callback)

    def deliver(callback: Callable[[], None]) -> None:
        if doc.session_context is None or doc.session_context.destroyed:
            return
        if is_ready or _awaits_browser(doc):
            # Asked again when its turn comes: the browser may have connected meanwhile.
            doc.add_next_tick_callback(lambda: run_or_hold(callback))
        else:
            held.append(callback)

    return deliver


def _awaits_browser(doc: Document) -> bool:
    """Whether the document was built and no browser has asked for it yet."""
    session = getattr(doc.session_context, "session", None)
    return session is not None and session.connection_count == 0


def explain(error: BaseException) -> XRFError:
    """The error as a user is told it; what is not meant for users goes to the log."""
    if isinstance(error, XRFError):
        return error
    reference = secrets.token_hex(2)
    log.error("unexpected error, reference %s", reference, exc_info=error)
    return XRFError(
        f"Something unexpected went wrong (reference {reference})",
        "Try again; if it stays, give the reference to whoever looks after this server.",
    )


class LatestOnly:
    """One kind of work of one session, such as "the maps".

    Parameters
    ----------
    deliver : callable
        Runs a callback where models may be touched; see :func:`session_deliver`.
    jobs : JobList or None
        Where long work is listed and run; None runs it in the page's own threads.
    is_patient : bool
        Nobody waits for it: what others wait for goes first. Not for work that is listed.
    """

    def __init__(
        self,
        deliver: Deliver | None = None,
        jobs: JobList | None = None,
        *,
        is_patient: bool = False,
    ) -> None:
        self._deliver = deliver or session_deliver()
        self._executor: Executor = _PATIENT_THREADS if is_patient else _THREADS
        self._jobs = jobs
        self._token: CancelToken | None = None
        self._task: asyncio.Task | None = None
        self.job: Job | None = None

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def cancel(self) -> None:
        """Abandon what runs. Nothing of it is delivered any more."""
        if self._token is not None:
            self._token.cancel()
            self._token = None

    def leave(self, grace_s: float) -> None:
        """Nothing of what runs is delivered any more; it is cancelled only after a while.

        Nothing here is held by it meanwhile: neither its followers nor what they would show.
        """
        if self._token is not None:
            self._token.cancel_after(grace_s)
            self._token = None
        if self._task is not None:
            self._task.cancel()

    def start(
        self,
        work: Callable[..., Any],
        *,
        then: Callable[[Any], None],
        failed: Callable[[XRFError], None],
        progressed: Callable[[float, str], None] | None = None,
        stopped: Callable[[], None] | None = None,
        arrived: Callable[[Any], None] | None = None,
        after: Callable[[CancelToken], Awaitable[None]] | None = None,
        label: str = "",
    ) -> CancelToken:
        """Run ``work(progress=…, cancel=…)`` in a thread; must be called on the loop.

        With ``arrived``, work is given ``show=``, too, and what it shows meanwhile is handed to
        ``arrived``: the newest of what is waiting, if the page is slower than the work. With
        ``after``, that is awaited before work begins and takes no thread meanwhile.
        Exactly one of ``then``, ``failed`` and ``stopped`` (cancelled in the job tray) is
        called at the end, unless a newer request or :meth:`cancel` came first.
        """
        self.cancel()
        token = self._token = CancelToken()
        if arrived is not None:
            work = partial(work, show=self._shower(token, arrived))
        self._task = asyncio.get_running_loop().create_task(
            self._follow(token, work, then, failed, progressed, stopped, after, label)
        )
        return token

    def _shower(self, token: CancelToken, arrived: Callable[[Any], None]) -> Callable[[Any], None]:
        """What work calls with a part of its result, from its thread."""
        loop, waiting, lock = asyncio.get_running_loop(), [], threading.Lock()

        def hand_over() -> None:
            with lock:
                newest = waiting.pop() if waiting else None
                waiting.clear()
            if newest is not None:
                arrived(newest)

        def show(value: Any) -> None:
            with lock:
                is_first = not waiting
                waiting.append(value)
                del waiting[:-1]
            if is_first:
                loop.call_soon_threadsafe(self._deliver_if_newest, token, hand_over)

        return show

    async def finished(self) -> None:
        """Wait until nothing runs (for tests)."""
        while self.is_running:
            await asyncio.wait({self._task})

    async def _follow(
        self,
        token: CancelToken,
        work: Callable[..., Any],
        then: Callable[[Any], None],
        failed: Callable[[XRFError], None],
        progressed: Callable[[float, str], None] | None,
        stopped: Callable[[], None] | None,
        after: Callable[[CancelToken], Awaitable[None]] | None,
        label: str,
    ) -> None:
        if after is not None:
            await after(token)
            if token is not self._token:
                return
        reported: list[Any] = [0.0, ""]
        future = self._submit(work, token, reported, label)
        waiting = asyncio.ensure_future(asyncio.wrap_future(future))
        # Looked at even if nobody follows any more, or asyncio complains of an error unseen.
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        started, shown = time.monotonic(), None
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=PROGRESS_EVERY_S)
            now = tuple(reported)
            late = time.monotonic() - started >= PROGRESS_AFTER_S
            if progressed is not None and late and not waiting.done() and now != shown:
                shown = now
                self._deliver_if_newest(token, lambda now=now: progressed(*now))
        error = waiting.exception() if not waiting.cancelled() else Cancelled()
        if isinstance(error, Cancelled):
            if stopped is not None:
                self._deliver_if_newest(token, stopped)
        elif error is not None:
            told = explain(error)
            self._deliver_if_newest(token, lambda: failed(told))
        else:
            result = waiting.result()
            self._deliver_if_newest(token, lambda: then(result))

    def _submit(
        self, work: Callable[..., Any], token: CancelToken, reported: list, label: str
    ) -> Future:
        def progress(fraction: float, message: str = "") -> None:
            reported[:] = [float(fraction), message or reported[1]]

        if self._jobs is not None:

            def listed(*, progress: Callable, cancel: CancelToken) -> Any:
                def both(fraction: float, message: str = "") -> None:
                    progress(fraction, message)
                    reported[:] = [float(fraction), message or reported[1]]

                return work(progress=both, cancel=cancel)

            self.job = self._jobs.submit(label, listed, cancel=token)
            return self.job.future
        return self._executor.submit(work, progress=progress, cancel=token)

    def _deliver_if_newest(self, token: CancelToken, callback: Callable[[], None]) -> None:
        def checked() -> None:
            # Asked again at delivery: a newer request may have come in between.
            if token is self._token:
                callback()

        self._deliver(checked)
