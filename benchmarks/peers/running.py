"""Runs a method over spectra, one thread a process, each spectrum timed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from peers import METHODS
from xrfengine.classifier.evaluate import Classify, Verdict
from xrfengine.cube import Spectrum

_AT_ONCE = 4


@dataclass(frozen=True)
class Run:
    """What a method said of every spectrum, and how long it took, in seconds."""

    verdicts: list[Mapping[str, Verdict]]
    seconds: list[float]

    @property
    def median_s(self) -> float:
        return float(np.median(self.seconds)) if self.seconds else float("nan")


def run(name: str, model: Path | None, spectra: Sequence[Spectrum], processes: int = 1) -> Run:
    """Apply a method of ``peers.METHODS`` to spectra in turn.

    Raises
    ------
    Unavailable
        If the method cannot run here.
    """
    method = METHODS[name](model)  # here too, so that what is missing is said at once
    if processes <= 1 or len(spectra) < 2 * _AT_ONCE:
        with _one_thread():
            if spectra:
                method(spectra[0])  # tables are made once, in no spectrum's time
            answers = [_timed(method, spectrum) for spectrum in spectra]
    else:
        with ProcessPoolExecutor(
            processes, get_context("spawn"), initializer=_start, initargs=(name, model)
        ) as pool:
            answers = list(pool.map(_in_worker, spectra, chunksize=_AT_ONCE))
    return Run([verdicts for verdicts, _ in answers], [seconds for _, seconds in answers])


def _one_thread():
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    return threadpool_limits(1)


def _timed(method: Classify, spectrum: Spectrum) -> tuple[dict[str, Verdict], float]:
    start = time.perf_counter()
    verdicts = dict(method(spectrum))
    return verdicts, time.perf_counter() - start


_method: Classify | None = None


def _start(name: str, model: Path | None) -> None:
    global _method
    _one_thread()
    _method = METHODS[name](model)


def _in_worker(spectrum: Spectrum) -> tuple[dict[str, Verdict], float]:
    return _timed(_method, spectrum)
