"""Long work: progress, cancelling, and jobs that run beside the page.

Engine functions that may take long accept two keyword arguments:

``progress``
    called as ``progress(fraction, message)`` with a fraction from 0 to 1;
``cancel``
    a :class:`CancelToken`; the function calls ``cancel.check()`` between chunks.

Neither knows anything of the user interface.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from xrfengine.errors import Cancelled

JobState = Literal["waiting", "running", "done", "cancelled", "failed"]


class Progress(Protocol):
    """What a long function reports to."""

    def __call__(self, fraction: float, message: str = "") -> None: ...


def no_progress(fraction: float, message: str = "") -> None:
    """Progress that nobody watches."""


class CancelToken:
    """A flag that one side sets and the working side checks between chunks.

    A token may have a parent: cancelling the parent cancels it too.
    """

    def __init__(self, parent: CancelToken | None = None) -> None:
        self._event = threading.Event()
        self._parent = parent
        self._ends = math.inf

    def cancel(self) -> None:
        self._event.set()

    def cancel_after(self, seconds: float) -> None:
        """Cancel once so much time has passed; without a timer that would hold anything."""
        self._ends = time.monotonic() + seconds

    @property
    def is_cancelled(self) -> bool:
        if self._event.is_set() or time.monotonic() >= self._ends:
            return True
        return self._parent is not None and self._parent.is_cancelled

    def check(self) -> None:
        """Raise :class:`~xrfengine.errors.Cancelled` if the token was set."""
        if self.is_cancelled:
            raise Cancelled


NEVER = CancelToken()
"""Default for functions nobody means to cancel. Never set it."""


def part(progress: Progress, start: float, stop: float) -> Progress:
    """Map the 0…1 of a sub-step onto ``start``…``stop`` of the whole."""

    def inner(fraction: float, message: str = "") -> None:
        progress(start + (stop - start) * fraction, message)

    return inner


def chunks(n: int, size: int) -> Iterator[slice]:
    """Slices of at most ``size`` that cover ``range(n)`` in order."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


@dataclass
class Job:
    """One piece of long work, as the job tray shows it.

    Attributes are written by the worker thread and may be read from any thread.
    """

    label: str
    id: int
    cancel_token: CancelToken
    state: JobState = "waiting"
    fraction: float = 0.0
    message: str = ""
    error: BaseException | None = None
    started: float | None = None
    ended: float | None = None
    future: Future[Any] = field(default_factory=Future, repr=False)

    def cancel(self) -> None:
        self.cancel_token.cancel()

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "cancelled", "failed")

    @property
    def elapsed_s(self) -> float:
        if self.started is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.started

    @property
    def remaining_s(self) -> float | None:
        """Time left, extrapolated; None until a hundredth of the work is done."""
        if self.started is None or self.fraction < 0.01 or self.is_over:
            return None
        return self.elapsed_s * (1.0 - self.fraction) / self.fraction


class JobList:
    """Runs jobs on an executor and remembers the latest of them. Thread-safe."""

    def __init__(self, executor: Executor, keep: int = 50) -> None:
        self._executor = executor
        self._keep = keep
        self._lock = threading.Lock()
        self._jobs: list[Job] = []
        self._ids = itertools.count(1)

    def submit(
        self,
        label: str,
        work: Callable[..., Any],
        *args: Any,
        cancel: CancelToken | None = None,
        **kwargs: Any,
    ) -> Job:
        """Run ``work(*args, progress=…, cancel=…, **kwargs)``; its result is ``job.future``."""
        job = Job(label=label, id=next(self._ids), cancel_token=CancelToken(cancel))
        with self._lock:
            self._jobs.append(job)
            overdue = len(self._jobs) - self._keep
            if overdue > 0:
                over = [j for j in self._jobs if j.is_over][:overdue]
                self._jobs = [j for j in self._jobs if j not in over]
        self._executor.submit(self._run, job, work, args, kwargs)
        return job

    def _run(self, job: Job, work: Callable[..., Any], args: tuple, kwargs: dict) -> None:
        def progress(fraction: float, message: str = "") -> None:
            job.fraction = min(max(float(fraction), 0.0), 1.0)
            if message:
                job.message = message

        job.started = time.monotonic()
        job.state = "running"
        try:
            job.cancel_token.check()
            result = work(*args, progress=progress, cancel=job.cancel_token, **kwargs)
        except BaseException as error:
            job.ended = time.monotonic()
            job.error = error
            job.state = "cancelled" if isinstance(error, Cancelled) else "failed"
            job.future.set_exception(error)
        else:
            job.ended = time.monotonic()
            job.fraction = 1.0
            job.state = "done"
            job.future.set_result(result)

    def all(self) -> tuple[Job, ...]:
        with self._lock:
            return tuple(self._jobs)

    def active(self) -> tuple[Job, ...]:
        return tuple(job for job in self.all() if not job.is_over)
