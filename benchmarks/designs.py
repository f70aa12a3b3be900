"""Network designs at equal training time, on the same simulated spectra.

Every design gets the same processor seconds of one core, simulating included, and the whole
schedule of the recipe within them; then it is scored on simulated spectra held apart and, where
``--labels`` names a table of measured spectra, on its rows for tuning.

    python benchmarks/designs.py --minutes 6 --labels ../shared/data/labels.csv --out designs.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xrfengine.classifier.evaluate import score_labels
from xrfengine.classifier.feed import rounds
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.recipe import TrainSettings
from xrfengine.classifier.train import train
from xrfengine.classifier.training_run import Run

DESIGNS: dict[str, dict[str, Any]] = {
    "compact: conv stem, 64 tokens of width 64": {},
    "the same with a patch stem": {"stem": "patch"},
    "the same without attention blocks": {"depth": 0},
    "the same with a matched filter's input": {"n_features": 4},
    "that, two blocks and a hidden layer in the head": {
        "n_features": 4,
        "depth": 2,
        "stem_width": 48,
        "head_width": 256,
    },
    "thesis's shape: 256 tokens of width 16, 8 heads, 6 blocks": {
        "stem": "patch",
        "patch": 4,
        "width": 16,
        "heads": 8,
        "depth": 6,
        "mlp": 64,
        "activation": "gelu",
    },
}

_TIMED_STEPS = 24


def seconds_per_step(settings: TrainSettings) -> float:
    """Processor seconds of a training step of one thread, simulating included."""
    feed = settings.feed()
    stream = rounds(feed, feed.simulator(), np.random.default_rng(99))
    run = Run(settings)
    run.learn(*next(stream))
    started = time.process_time()
    for _ in range(_TIMED_STEPS):
        run.learn(*next(stream))
    return (time.process_time() - started) / _TIMED_STEPS


def measure(name: str, minutes: float, seed: int, labels: Path | None) -> dict[str, Any]:
    """Train one design and score it."""
    settings = TrainSettings.for_preset(
        "compact",
        seed=seed,
        workers=0,
        threads=1,
        validation_spectra=16384,
        network=tuple(DESIGNS[name].items()),
    )
    step_s = seconds_per_step(settings)
    steps = max(int(60.0 * minutes / step_s), 1)
    settings = TrainSettings.for_preset(
        "compact", **{**_fields(settings), "steps": steps, "workers": 0}
    )
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        path = train(settings, Path(folder) / "design.safetensors")
        used_s = time.process_time() - started
        classifier = Classifier.load(path)
    card = classifier.card
    row: dict[str, Any] = {
        "design": name,
        "weights": card["n_weights"],
        "spectra": card["spectra"],
        "processor_minutes": round(used_s / 60.0, 2),
        "simulated_average_precision": card["validation"]["average_precision"],
        "simulated_recall": card["validation"]["recall"],
        "spectra_per_s": round(_speed(classifier)),
    }
    if labels is not None:
        scores = score_labels(labels, classifier, "xray", "tune")
        row |= {f"tune_{key}": round(scores[key], 4) for key in ("f1", "average_precision")}
    return row


def _fields(settings: TrainSettings) -> dict[str, Any]:
    names = ("seed", "threads", "validation_spectra", "network")
    return {name: getattr(settings, name) for name in names}


def _speed(classifier: Classifier) -> float:
    """Spectra a second of one thread, network and preprocessing, median of three."""
    from xrfengine.cube import Calibration

    counts = np.random.default_rng(0).poisson(5.0, (2048, 2048)).astype(np.uint16)
    times = []
    for _ in range(3):
        started = time.process_time()
        classifier.probabilities(counts, Calibration(0.0, 0.01))
        times.append(time.process_time() - started)
    return len(counts) / float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=6.0, help="of one core, for each design")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in DESIGNS:
        rows.append(measure(name, args.minutes, args.seed, args.labels))
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
        if args.out is not None:
            args.out.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
