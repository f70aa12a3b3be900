"""How a network is run on this machine: worker threads, spectra a batch, which precision.

Many small products in a row use two cores best when each core works on spectra of its own: the
workers are threads whose OpenMP regions are one thread wide, they share the weights, and torch
lets go of Python's lock while it computes. How many spectra a batch and whether half precision
pays differs between machines and networks: :func:`find_plan` measures it in less than a second,
once, and keeps the answer in the cache folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xrfengine.cache import digest, written_whole
from xrfengine.errors import SettingsError
from xrfengine.jobs import CancelToken

BATCHES = (16, 32, 64)
_ROUNDS = 2
_SPECTRA = 32
_GAIN = 1.05
"""Half precision must be so much faster, or the answers stay as they are."""

MOST_CHANGE = 0.02
"""By which half precision may change a probability of the example, or it is not used."""


def best_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, or the GPU if there is one, or the processor.

    Raises
    ------
    SettingsError
        If the device asked for is not there.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise SettingsError(f"unknown device {device!r}", "Use cpu or cuda.") from error
    if chosen.type not in ("cpu", "cuda") or (
        chosen.type == "cuda" and not torch.cuda.is_available()
    ):
        raise SettingsError(f"there is no device {device!r} here", "Use cpu.")
    return chosen


@dataclass(frozen=True)
class Plan:
    """How to run a network.

    Attributes
    ----------
    workers : int, ≥ 1
        Threads, each with spectra of its own.
    batch : int, ≥ 1
        Spectra a worker takes at a time.
    half : bool
        Whether long runs use bfloat16 within the blocks.
    """

    workers: int = 1
    batch: int = 32
    half: bool = False

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The inverse of :meth:`to_dict`.

        Raises
        ------
        ValueError, TypeError, KeyError
            If the values are none of a plan.
        """
        plan = cls(int(values["workers"]), int(values["batch"]), bool(values["half"]))
        if plan.workers < 1 or plan.batch < 1:
            message = f"a plan of {plan.workers} workers and {plan.batch} spectra"
            raise ValueError(message)
        return plan


def _one_wide() -> None:
    """Make this thread's parallel regions one thread wide; other threads keep theirs."""
    from threadpoolctl import ThreadpoolController

    torch.get_num_threads()  # torch sets a new thread's width at its first call: before ours
    for library in ThreadpoolController().select(internal_api="openmp").lib_controllers:
        library.set_num_threads(1)


@functools.cache
def pool(workers: int) -> ThreadPoolExecutor:
    """The process's workers. Whoever computes shares them; a task must not wait for another."""
    return ThreadPoolExecutor(workers, thread_name_prefix="network", initializer=_one_wide)


def in_workers(
    work: Callable[[Any], Any], parts: Iterable[Any], workers: int, cancel: CancelToken
) -> Iterator[tuple[Any, Any]]:
    """Yield ``(part, work(part))`` as they are done, a few parts ahead of the caller.

    When ``cancel`` is set, or the caller stops, nothing more is begun; what runs is waited for,
    since it reads the caller's arrays.

    Raises
    ------
    Cancelled
        Within one part's time after ``cancel`` was set.
    """
    executor = pool(workers)
    waiting = iter(parts)
    running: dict[Future[Any], Any] = {}
    try:
        while True:
            cancel.check()
            while len(running) < 2 * workers:
                try:
                    part = next(waiting)
                except StopIteration:
                    break
                running[executor.submit(work, part)] = part
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    finally:
        for future in running:
            future.cancel()
        wait(running)


def on_gpu(
    network: nn.Module, ready: Iterable[tuple[Any, Tensor]], device: torch.device
) -> Iterator[tuple[Any, Any]]:
    """Yield ``(part, probabilities)``; copies run beside the network, answers come one late.

    Parameters
    ----------
    ready : iterable of (part, Tensor)
        Features in pinned memory, shape (n, feature, bin).

    Yields
    ------
    part, ndarray of float32, shape (n, element)
    """
    # Without a GPU (device "cpu") the same steps run one after another: so tests reach them.
    is_gpu = device.type == "cuda"
    aside = torch.cuda.Stream(device) if is_gpu else None
    behind: tuple[Any, Tensor] | None = None

    def begin(features: Tensor) -> Tensor:
        # Not around the loop: the mode would stay on in whoever takes the answers.
        with torch.inference_mode():
            if is_gpu:
                with torch.cuda.stream(aside):
                    there = features.to(device, non_blocking=True)
                here = torch.cuda.current_stream(device)
                here.wait_stream(aside)
                there.record_stream(here)
            else:
                there = features
            return torch.sigmoid(network(there).float())

    for part, features in ready:
        probabilities = begin(features)
        # Fetching waits for the network: by now the next batch is queued behind it.
        if behind is not None:
            yield behind[0], behind[1].cpu().numpy()
        behind = part, probabilities
    if behind is not None:
        yield behind[0], behind[1].cpu().numpy()


def default_plan(device: torch.device, most: int) -> Plan:
    """What is good on most machines.

    ``most``: spectra after which a cancel should be heard.
    """
    if device.type == "cuda":
        return Plan(max(1, torch.get_num_threads()), most, half=True)
    return Plan(max(1, torch.get_num_threads()), max(1, min(32, most)))


_finding = threading.Lock()


def find_plan(
    network: nn.Module, half: nn.Module, example: Tensor, most: int, folder: Path, about: Any
) -> Plan:
    """The fastest plan for this processor: remembered, or measured in less than a second.

    Parameters
    ----------
    network, half : Module
        In full and in half precision, on the processor.
    example : Tensor, shape (n, feature, bin)
        Features of spectra like those to come; half precision must keep what they are.
    most : int
        Most spectra a batch.
    folder : Path
        Cache folder; a file in it holds the plans.
    about : str, number, dict or dataclass
        What the time depends on besides the machine: the network's configuration.
    """
    machine = (platform.machine(), _processor(), torch.__version__, torch.get_num_threads())
    key, path = digest(machine, about, most), Path(folder) / "plans.json"
    with _finding:
        known = _read_plans(path)
        with contextlib.suppress(KeyError, ValueError, TypeError):
            return Plan.from_dict(known[key])
        plan = pool(1).submit(_measured, network, half, example, most).result()
        plan = dataclasses.replace(plan, workers=max(1, torch.get_num_threads()))
        # A cache folder that cannot be written costs the next start a second.
        with contextlib.suppress(OSError), written_whole(path) as temporary:
            text = json.dumps({**known, key: plan.to_dict()}, indent=1)
            temporary.write_text(text + "\n", encoding="utf-8")
        return plan


def _read_plans(path: Path) -> dict[str, Any]:
    try:
        plans = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return plans if isinstance(plans, dict) else {}


def _measured(network: nn.Module, half: nn.Module, example: Tensor, most: int) -> Plan:
    """Best batch and precision by this thread's own processor time, in interleaved rounds."""
    sizes = sorted({min(size, most) for size in BATCHES})
    precisions = [(False, network)]
    if getattr(half, "is_half", False) and _change(network, half, example) <= MOST_CHANGE:
        precisions.append((True, half))
    choices = [(size, flag, module) for size in sizes for flag, module in precisions]
    best = dict.fromkeys(((size, flag) for size, flag, _ in choices), float("inf"))
    with torch.inference_mode():
        for _ in range(_ROUNDS):
            for size, flag, module in choices:
                spectra = example[torch.arange(size) % len(example)]
                repeats = max(1, _SPECTRA // size)
                started = time.thread_time()
                for _ in range(repeats):
                    module(spectra)
                took = (time.thread_time() - started) / (repeats * size)
                best[size, flag] = min(best[size, flag], took)
    full = min((took, size) for (size, flag), took in best.items() if not flag)
    halves = [(took, size) for (size, flag), took in best.items() if flag]
    if halves and min(halves)[0] * _GAIN < full[0]:
        return Plan(1, min(halves)[1], half=True)
    return Plan(1, full[1], half=False)


def _change(network: nn.Module, half: nn.Module, example: Tensor) -> float:
    """Largest change of a probability by half precision."""
    with torch.inference_mode():
        change = torch.sigmoid(half(example)) - torch.sigmoid(network(example))
        return float(change.abs().max())


def _processor() -> str:
    """The processor's name; where the system does not tell, what Python knows."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
