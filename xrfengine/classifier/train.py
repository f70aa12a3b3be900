"""Training on spectra that are simulated as they are needed, within a time given.

Resumable: a state file beside the output holds weights, optimiser and the time used; the same call
goes on from it after a kill.
"""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from xrfengine.classifier.checkpoint import Checkpoint
from xrfengine.classifier.feed import Feed, simulated
from xrfengine.classifier.network import n_weights, with_scaled_logits
from xrfengine.classifier.recipe import TrainSettings
from xrfengine.classifier.scores import (
    choose_thresholds,
    fit_platt,
    sigmoid,
    validation_figures,
)
from xrfengine.classifier.training_run import Run
from xrfengine.errors import Cancelled, ModelError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress, part

_STATE_EVERY_S = 20.0
"""A kill costs at most this much training."""

_PER_INSTRUMENT = 64
"""Validation spectra of one instrument setting."""

_VALIDATION_STREAM = 0x5EED
"""Part of the random seed that no training stream uses: validation spectra are held apart."""


def state_path(out: Path) -> Path:
    """Where an unfinished training that will write ``out`` keeps its state."""
    return Path(out).with_suffix(".state")


def train(
    settings: TrainSettings,
    out: Path,
    *,
    command: str = "",
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Path:
    """Train a network and write it with its card.

    Parameters
    ----------
    settings : TrainSettings
    out : Path
        Weights to write, ``.safetensors``; the card lies beside as ``.json``. An unfinished
        training with the same settings is taken up where it stopped.
    command : str
        What the user typed, for the card.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    ModelError
        If ``out`` has another suffix, or an unfinished training with other settings is in the way.
    Cancelled
        After ``cancel`` was set; the state is kept, so that the same call goes on.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise ModelError(f"{out}: weights end in .safetensors", "Rename the output.")
    threads = torch.get_num_threads()
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        run = Run(settings)
        if state_path(out).exists():
            run.resume(state_path(out))
        _learn(run, out, part(progress, 0.0, 0.97), cancel)
        progress(0.97, "validating on spectra held apart")
        checkpoint = _finished(run, command, cancel)
    finally:
        torch.set_num_threads(threads)
    checkpoint.save(out)
    state_path(out).unlink(missing_ok=True)
    progress(1.0, f"wrote {out}")
    return out


def _learn(run: Run, out: Path, progress: Progress, cancel: CancelToken) -> None:
    started = saved = reported = time.monotonic()
    before_s = run.used_s
    first_step, losses = run.step, []
    run.runs += 1
    with Feed(run.settings.feed(), run.settings.workers, run.runs - 1) as feed:
        try:
            while run.fraction < 1.0:
                losses.append(run.learn(*feed.take(cancel)))
                now = time.monotonic()
                run.used_s = before_s + now - started
                if now - reported > 0.5:
                    reported = now
                    rate = (run.step - first_step) * run.settings.batch / (now - started)
                    loss = _mean(losses[-50:])
                    progress(
                        run.fraction,
                        f"step {run.step} · loss {loss:.4f} · {rate:.0f} spectra/s",
                    )
                if now - saved > _STATE_EVERY_S:
                    saved = now
                    _note(run, losses)
                    run.save(state_path(out))
        except Cancelled:
            run.save(state_path(out))
            raise
    _note(run, losses)
    run.save(state_path(out))


def _note(run: Run, losses: list[float]) -> None:
    """Keep the mean loss since the last note for the card."""
    if losses:
        run.history.append([round(run.used_s, 1), run.step, round(_mean(losses), 5)])
        losses.clear()


def _mean(losses: list[float]) -> float:
    """Mean of the losses of the steps that were not skipped; 0 if all were."""
    return float(np.mean([loss for loss in losses if math.isfinite(loss)] or [0.0]))


def held_apart(
    settings: TrainSettings, cancel: CancelToken = NEVER
) -> Iterator[tuple[torch.Tensor, np.ndarray]]:
    """Validation spectra: input and labels of one instrument setting after the other."""
    feed = settings.feed()
    rng = np.random.default_rng((settings.seed, _VALIDATION_STREAM))
    simulator = feed.simulator()
    for _ in range(-(-settings.validation_spectra // _PER_INSTRUMENT)):
        cancel.check()
        yield simulated(feed, simulator, rng, _PER_INSTRUMENT, settings.most_counts)


def _finished(run: Run, command: str, cancel: CancelToken) -> Checkpoint:
    """Calibrate, set thresholds and measure, each on its own half of what was held apart."""
    settings = run.settings
    run.network.load_state_dict(run.average)
    run.network.eval()
    answers, truths = [], []
    for features, truth in held_apart(settings, cancel):
        with torch.inference_mode():
            answers.append(run.network(features.to(run.device)).float().cpu().numpy())
        truths.append(truth)
    logits, labels = np.concatenate(answers), np.concatenate(truths)
    # Whole instruments go into one half or the other.
    first = (np.arange(len(labels)) // _PER_INSTRUMENT) % 2 == 0
    slope, shift = fit_platt(logits[first], labels[first])
    weights = with_scaled_logits(run.average, slope, shift)
    probabilities = sigmoid(slope * logits + shift).astype(np.float32)
    thresholds = choose_thresholds(
        probabilities[first], labels[first], settings.false_alarms_per_spectrum
    )
    elements = settings.learned()
    figures = validation_figures(probabilities[~first], labels[~first], thresholds, elements)
    feed = settings.feed()
    card = {
        "command": command,
        "seed": settings.seed,
        "training": settings.to_dict(),
        "simulation": feed.simulation.to_dict(),
        "n_weights": n_weights(run.network),
        "steps": run.step,
        "spectra": run.step * settings.batch,
        "training_minutes": round(run.used_s / 60.0, 2),
        **({"begun_with": run.begun_with} if run.begun_with else {}),
        "runs": run.runs,
        "skipped_steps": run.skipped,
        "device": _device_words(run.device),
        "calibration": {
            element: [round(float(a), 4), round(float(b), 4)]
            for element, a, b in zip(elements, slope, shift, strict=True)
        },
        "validation": figures,
        "history_s_step_loss": run.history,
    }
    return Checkpoint(
        preset=settings.preset,
        network=settings.network_config(),
        preprocess=feed.preprocess,
        elements=elements,
        thresholds=thresholds,
        weights=weights,
        most_counts=settings.most_counts,
        card=card,
    )


def _device_words(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} processor, {torch.get_num_threads()} of {os.cpu_count()} cores"
