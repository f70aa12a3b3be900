"""What a classifier is worth on simulated spectra (thesis 3.2)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.cache import written_whole
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.scores import (
    average_precision,
    binary_scores,
    expected_calibration_error,
    roc_by_element,
)
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress, part

_PER_INSTRUMENT = 64
"""Simulated spectra drawn from one instrument setting."""


def evaluate_simulated(
    classifier: Classifier,
    folder: Path | None = None,
    *,
    simulation: Any = None,
    n_spectra: int = 5000,
    n_per_count: int = 1000,
    element_counts: tuple[int, ...] = tuple(range(1, 10)),
    seed: int = 1,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> dict[str, Any]:
    """The thesis's figures (3.2) on fresh simulated spectra.

    Parameters
    ----------
    folder : Path, optional
        Where ``evaluation.json`` and the plots ``roc.png`` and ``by_number.png`` are written.
    simulation : SimulationSettings, optional
        Default: what the classifier was trained on, or its preset's.
    n_spectra : int
        For ROC curves by element.
    n_per_count : int
        For each number of elements.
    element_counts : tuple of int
        Numbers of elements put into a spectrum.
    seed : int

    Returns
    -------
    dict
        ``auc`` (element → area under the ROC curve), ``mean_auc``, ``overall`` and
        ``by_number`` (number → accuracy, precision, recall, f1, …).
    """
    from xrfengine.classifier.simulate import SimulationSettings, Simulator

    if simulation is None:
        values = classifier.card.get("simulation")
        kind = "physical" if classifier.preset == "compact" else "thesis"
        simulation = (
            SimulationSettings.from_dict(values) if values else SimulationSettings(preset=kind)
        )
    simulator = Simulator(simulation, classifier.elements)
    rng = np.random.default_rng((seed, 0xE7A1))
    share = n_spectra / max(n_spectra + n_per_count * len(element_counts), 1)
    p, y, present = _answers(
        classifier, simulator, rng, n_spectra, None, part(progress, 0.0, share), cancel
    )
    curves = roc_by_element(p, y, classifier.elements)
    by_number = {}
    for index, number in enumerate(element_counts):
        step = (1.0 - share) / len(element_counts)
        inner = part(progress, share + index * step, share + (index + 1) * step)
        _, yn, said = _answers(classifier, simulator, rng, n_per_count, number, inner, cancel)
        by_number[str(number)] = binary_scores(said, yn)
    areas = {e: c["auc"] for e, c in curves.items()}
    result = {
        "model": {
            "name": classifier.name,
            "preset": classifier.preset,
            "digest": classifier.digest,
        },
        "n_spectra": len(y),
        "auc": areas,
        "mean_auc": float(np.mean(list(areas.values()))) if areas else None,
        "average_precision": average_precision(p, y),
        "expected_calibration_error": expected_calibration_error(p, y),
        "overall": binary_scores(present, y),
        "by_number": by_number,
    }
    if folder is not None:
        from xrfengine.classifier.plots import plot_by_number, plot_roc

        plot_roc(curves, Path(folder) / "roc.png")
        plot_by_number(by_number, Path(folder) / "by_number.png")
        with written_whole(Path(folder) / "evaluation.json") as temporary:
            temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    progress(1.0, "evaluated")
    return result


def _answers(
    classifier: Classifier,
    simulator: Any,
    rng: np.random.Generator,
    n: int,
    n_elements: int | None,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, labels and verdicts on ``n`` fresh spectra, each of shape (n, element)."""
    answers, labels, verdicts = [], [], []
    for done in range(0, n, _PER_INSTRUMENT):
        cancel.check()
        batch = simulator.batch(min(_PER_INSTRUMENT, n - done), rng, n_elements)
        answers.append(classifier.probabilities(batch.counts, batch.calibration, cancel=cancel))
        labels.append(batch.labels)
        limits = classifier.thresholds_at(batch.counts.sum(axis=1, dtype=np.float64))
        verdicts.append(answers[-1] >= limits)
        progress(done / n, "simulated spectra" if n_elements is None else f"{n_elements} elements")
    return np.concatenate(answers), np.concatenate(labels), np.concatenate(verdicts)
