"""The child process that embeds and builds trees; see :mod:`xrfengine.cluster.process`.

Started as ``python -m xrfengine.cluster.worker``. Reads requests from its standard input and
ends when that closes, which it does when the parent ends, in whatever way.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.jobs import Progress, no_progress

Arrays = dict[str, np.ndarray]
Task = Callable[[Arrays, dict[str, Any], Progress], tuple[Arrays, dict[str, Any]]]


def _embed(
    arrays: Arrays, meta: dict[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    from xrfengine.cluster.embedding import EmbeddingSettings
    from xrfengine.cluster.layout import embed_here

    coordinates, n_fitted = embed_here(
        arrays["features"], EmbeddingSettings.from_dict(meta), progress
    )
    return {"coordinates": coordinates}, {"n_fitted": n_fitted}


def _tree(
    arrays: Arrays, meta: dict[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    from xrfengine.cluster.density import ClusterTree, single_linkage

    progress(0.0, "Density of all points")
    linkage = single_linkage(arrays["coordinates"], meta["min_samples"])
    progress(0.95, "Density of all points")
    return ClusterTree.from_linkage(linkage, meta["min_samples"]).to_arrays()


def _warm(
    arrays: Arrays, meta: dict[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    """Import what the tasks need and compile it by a tiny run of each."""
    from xrfengine.cluster.density import single_linkage
    from xrfengine.cluster.embedding import EmbeddingSettings
    from xrfengine.cluster.layout import embed_here

    features = np.random.default_rng(0).normal(size=(120, 8)).astype(np.float32)
    settings = EmbeddingSettings(n_neighbors=5, n_epochs=2, max_fit=100)
    coordinates, _ = embed_here(features, settings, progress)
    single_linkage(coordinates, 3)
    return {}, {}


TASKS: dict[str, Task] = {"embed": _embed, "tree": _tree, "warm": _warm}


@contextlib.contextmanager
def _dies_with_parent() -> Iterator[None]:
    """End at once if the parent closes our input, even inside compiled code.

    The thread that reads the input cannot run while compiled code holds the interpreter. While
    a task runs nothing is sent, so any event on the pipe means that the parent is gone: the
    kernel is asked to signal it, and the signal's default is to end the process.
    """
    if not hasattr(os, "O_ASYNC"):
        yield
        return
    import fcntl

    flags = fcntl.fcntl(0, fcntl.F_GETFL)
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC)
    try:
        yield
    finally:
        fcntl.fcntl(0, fcntl.F_SETFL, flags)


def main() -> None:
    # Ctrl-C goes to the whole group of processes; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Answers go to a pipe of their own: whatever a library prints must not mix with them.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            requests.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()

    def say(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    def progress(fraction: float, message: str = "") -> None:
        say(progress=fraction, message=message)

    if "warm" in sys.argv[1:]:
        _warm({}, {}, no_progress)
    while True:
        request = json.loads(requests.get())
        with _dies_with_parent():
            answer = _answer(request, progress)
        say(**answer)


def _answer(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    try:
        folder = Path(request["folder"])
        arrays = {
            path.stem.removeprefix("in-"): np.load(path, allow_pickle=False)
            for path in folder.glob("in-*.npy")
        }
        results, meta = TASKS[request["task"]](arrays, request["meta"], progress)
        for name, array in results.items():
            np.save(folder / f"out-{name}.npy", array, allow_pickle=False)
    except Exception as error:
        told = {
            "type": type(error).__name__,
            "message": getattr(error, "message", str(error)),
            "hint": getattr(error, "hint", ""),
            "traceback": traceback.format_exc(),
        }
        return {"error": told}
    return {"done": {"arrays": list(results), "meta": meta}}


if __name__ == "__main__":
    main()
