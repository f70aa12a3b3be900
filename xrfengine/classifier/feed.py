"""Fresh simulated spectra for every training step, made beside the training.

Nothing is stored: a round draws several instruments, mixes their spectra, and deals them out in
steps, so that no step shows one instrument only.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from xrfengine.jobs import NEVER, CancelToken
from xrfengine.preprocess import PreprocessSettings, preprocessor

Step = tuple[np.ndarray, np.ndarray]
"""Features (n, feature, bin); labels (n, element): 1 visible, 0 absent, −1 neither."""


class SimulatesSpectra(Protocol):
    """What a simulator offers; see ``xrfengine.classifier.simulate.Simulator``."""

    def batch(self, n: int, rng: np.random.Generator, n_elements: int | None = None) -> Any: ...


@dataclass(frozen=True)
class FeedSettings:
    """What a stream of training spectra depends on.

    Attributes
    ----------
    simulation : SimulationSettings
    elements : tuple of str
    preprocess : PreprocessSettings
    batch : int
        Spectra a step.
    per_instrument : int
        Spectra drawn from one instrument setting.
    instruments : int
        Settings mixed in a round; ``instruments · per_instrument`` is a multiple of ``batch``.
    seed : int
    """

    simulation: Any
    elements: tuple[str, ...]
    preprocess: PreprocessSettings
    batch: int = 256
    per_instrument: int = 64
    instruments: int = 16
    seed: int = 0

    def simulator(self) -> SimulatesSpectra:
        from xrfengine.classifier.simulate import Simulator

        return Simulator(self.simulation, self.elements)


def simulated(
    settings: FeedSettings,
    simulator: SimulatesSpectra,
    rng: np.random.Generator,
    n: int,
    most_counts: float | None = None,
) -> tuple[torch.Tensor, np.ndarray]:
    """Network input and labels of ``n`` spectra of one instrument setting.

    The same preprocessing as of measured files; calibration errors are the simulator's.
    """
    batch = simulator.batch(n, rng)
    prepare = preprocessor(settings.preprocess, batch.calibration, batch.counts.shape[1])
    return prepare(batch.counts, most_counts), np.asarray(batch.labels, dtype=np.int8)


def rounds(
    settings: FeedSettings, simulator: SimulatesSpectra, rng: np.random.Generator
) -> Iterator[Step]:
    """Steps without end."""
    while True:
        parts = [
            simulated(settings, simulator, rng, settings.per_instrument)
            for _ in range(settings.instruments)
        ]
        features = torch.cat([f for f, _ in parts]).numpy()
        labels = np.concatenate([y for _, y in parts])
        order = rng.permutation(len(labels))
        for start in range(0, len(order) - settings.batch + 1, settings.batch):
            pick = order[start : start + settings.batch]
            yield features[pick], labels[pick]


def _produce(settings: FeedSettings, stream: tuple[int, ...], steps: Any, stop: Any) -> None:
    """Body of a producing process: fills ``steps`` until told to stop or left alone."""
    torch.set_num_threads(1)
    parent = os.getppid()
    # Threads of the small matrix products would take the cores from the training itself.
    with threadpool_limits(1):
        try:
            for step in rounds(settings, settings.simulator(), np.random.default_rng(stream)):
                while not stop.is_set():
                    if os.getppid() != parent:
                        os._exit(1)  # the training was killed: nobody will ever read the queue
                    try:
                        steps.put(step, timeout=0.5)
                        break
                    except queue.Full:
                        continue
                if stop.is_set():
                    break
        except BaseException:
            steps.put(traceback.format_exc())
        finally:
            if stop.is_set():
                steps.cancel_join_thread()


class Feed:
    """A stream of steps from ``workers`` processes, or made in place when there are none.

    Use as a context manager; leaving it ends the processes.

    Parameters
    ----------
    settings : FeedSettings
    workers : int
        Producing processes; 0 makes each step when it is asked for.
    run : int
        Number of the run: a resumed training draws other spectra than its first run did.
    """

    def __init__(self, settings: FeedSettings, workers: int = 1, run: int = 0) -> None:
        self.settings = settings
        self.workers = workers
        self.run = run
        self._processes: list[Any] = []

    def __enter__(self) -> Feed:
        if self.workers == 0:
            rng = np.random.default_rng((self.settings.seed, self.run, 0))
            self._steps = rounds(self.settings, self.settings.simulator(), rng)
            return self
        # spawn: forking a process that runs torch's threads may hang.
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._queue = context.Queue(maxsize=6 * self.workers)
        for worker in range(self.workers):
            stream = (self.settings.seed, self.run, worker)
            process = context.Process(
                target=_produce,
                args=(self.settings, stream, self._queue, self._stop),
                daemon=True,
                name=f"spectra-{worker}",
            )
            process.start()
            self._processes.append(process)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._processes:
            return
        self._stop.set()
        for process in self._processes:
            process.join(timeout=3.0)
            if process.is_alive():
                process.terminate()
                process.join()
            process.close()
        self._processes.clear()
        self._queue.close()
        self._queue.cancel_join_thread()

    def take(self, cancel: CancelToken = NEVER) -> Step:
        """The next step.

        Raises
        ------
        Cancelled
            Within a fifth of a second after ``cancel`` was set.
        RuntimeError
            If a producing process failed; the text is its traceback.
        """
        cancel.check()
        if self.workers == 0:
            return next(self._steps)
        while True:
            try:
                step = self._queue.get(timeout=0.2)
            except queue.Empty:
                cancel.check()
                if not all(process.is_alive() for process in self._processes):
                    message = "a process that simulates spectra ended without a word"
                    raise RuntimeError(message) from None
                continue
            if isinstance(step, str):
                message = f"simulating spectra failed:\n{step}"
                raise RuntimeError(message)
            return step
