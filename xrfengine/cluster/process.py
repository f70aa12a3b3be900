"""A second Python process for work that cannot be interrupted in this one.

UMAP and HDBSCAN hold the interpreter for seconds at a time and know no cancel; in the process
that serves pages they would freeze every page. So they run in a worker: a child process that
can be ended at any moment, stays warm between tasks (imports and compiled code cost 4 to 20
seconds), and ends with its parent.

Requests and answers are lines of JSON over pipes; arrays travel as ``.npy`` files in a folder
of their own for each task. Nothing is pickled.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

import numpy as np

import xrfengine
from xrfengine import errors
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress

_POLL_S = 0.05
_MAX_WORKERS = max(2, (os.cpu_count() or 1) // 2)

Arrays = dict[str, np.ndarray]


class WorkerError(RuntimeError):
    """A fault in the worker process, with the traceback it left there."""


class Worker:
    """One child process. Used by one thread at a time."""

    def __init__(self, *, warm: bool = False) -> None:
        """``warm``: import and compile at once, before anything is asked for."""
        root = str(Path(xrfengine.__file__).resolve().parent.parent)
        path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "xrfengine.cluster.worker", *(["warm"] if warm else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": path},
            # Ctrl-C in a terminal goes to the whole group; the worker is ended by its owner.
            start_new_session=True,
        )
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(
            target=self._read, name="xrfengine worker messages", daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._messages.put(json.loads(line))
        self._messages.put(None)

    def run(
        self, task: str, folder: Path, meta: dict[str, Any], progress: Progress, cancel: CancelToken
    ) -> dict[str, Any]:
        """Run one task on the arrays in ``folder``; returns what it says besides arrays."""
        assert self._process.stdin is not None
        request = json.dumps({"task": task, "folder": str(folder), "meta": meta})
        # A broken pipe means that the process is gone; the reader says so below.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(request.encode() + b"\n")
            self._process.stdin.flush()
        while True:
            cancel.check()
            try:
                message = self._messages.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if message is None:
                raise self._death()
            if "progress" in message:
                progress(message["progress"], message["message"])
            elif "error" in message:
                raise _as_exception(message["error"])
            else:
                return message["done"]

    def _death(self) -> Exception:
        code = self._process.wait()
        if code == -getattr(signal, "SIGKILL", 9):
            return out_of_memory("was ended by the operating system")
        self._log.seek(0)
        tail = self._log.read().decode(errors="replace")[-4000:]
        return WorkerError(f"the worker process ended with code {code}:\n{tail}")

    def close(self) -> None:
        """End the process at once and wait for it."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            # What was still to be flushed goes nowhere: the process is gone.
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()


def out_of_memory(what: str) -> errors.XRFError:
    return errors.XRFError(
        f"the computation {what}, most likely because memory ran out",
        "Close other data sets, embed a smaller share of the pixels (max_fit), or use a "
        "machine with more memory.",
    )


def _as_exception(error: dict[str, str]) -> Exception:
    kind = getattr(errors, error["type"], None)
    if isinstance(kind, type) and issubclass(kind, errors.XRFError):
        return kind(error["message"], error["hint"])
    if error["type"] == "MemoryError":
        return out_of_memory("could not go on")
    return WorkerError(f"{error['type']}: {error['message']}\n{error['traceback']}")


class _Pool:
    """Workers of this process: at most one idle, at most two (or half the cores) at work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._free = threading.Semaphore(_MAX_WORKERS)
        self._closed = False

    def take(self, progress: Progress, cancel: CancelToken) -> Worker:
        while not self._free.acquire(timeout=_POLL_S):
            cancel.check()
            progress(0.0, "Waiting for another computation to end")
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive:
                    return worker
                worker.close()
        try:
            return Worker()
        except BaseException:
            self._free.release()
            raise

    def give_back(self, worker: Worker, *, healthy: bool) -> None:
        try:
            if not healthy:
                worker.close()
                worker = Worker(warm=True)  # the next task need not wait for imports
            with self._lock:
                keep = not self._idle and not self._closed
                if keep:
                    self._idle.append(worker)
            if not keep:
                worker.close()
        finally:
            self._free.release()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()


_pool = _Pool()


def _forget_workers() -> None:
    global _pool
    _pool = _Pool()  # a forked process must not speak to its parent's workers


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)


def run_task(
    task: str,
    arrays: Arrays,
    meta: dict[str, Any] | None = None,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> tuple[Arrays, dict[str, Any]]:
    """Run a task of :mod:`xrfengine.cluster.worker` in the worker process.

    Parameters
    ----------
    task : str
        Its name there.
    arrays : dict of ndarray
        Not modified.
    meta : dict
        Settings, as JSON holds them.

    Returns
    -------
    arrays, meta
        What the task returned.

    Raises
    ------
    XRFError
        As the task raised it, or in plain words when memory ran out.
    WorkerError
        For any other exception there, with its traceback.
    Cancelled
        At most a tenth of a second after ``cancel`` was set; the worker is ended.
    """
    pool = _pool
    cancel.check()
    worker = pool.take(progress, cancel)
    healthy = False
    try:
        with tempfile.TemporaryDirectory(prefix="xrfengine-") as name:
            folder = Path(name)
            for key, array in arrays.items():
                np.save(folder / f"in-{key}.npy", array, allow_pickle=False)
            try:
                said = worker.run(task, folder, meta or {}, progress, cancel)
                healthy = True
            except (errors.XRFError, WorkerError):
                healthy = worker.is_alive
                raise
            results = {
                key: np.load(folder / f"out-{key}.npy", allow_pickle=False)
                for key in said["arrays"]
            }
        return results, said["meta"]
    finally:
        pool.give_back(worker, healthy=healthy)


def close_workers() -> None:
    """End the idle worker; workers at work end with their task."""
    global _pool
    _pool.close()
    _pool = _Pool()


atexit.register(lambda: _pool.close())
