"""Calibrate the verification of weights on simulated spectra.

    python -m xrfengine.classifier.calibrate_verifier WEIGHTS.safetensors

writes ``WEIGHTS.verify.json`` beside the weights, within five minutes of one core. Each batch has
one random instrument, whose setup is found on the sum of its spectra as it would be for a cube
(those recognised as excited by electrons are drawn again: they are not verified); the network
proposes, the fit measures, a logistic regression learns to weigh both. Threshold and
figures of the card come from instruments held apart, a quarter at a time.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xrfengine.classifier.anode import find_setup
from xrfengine.classifier.calibrated import verifier_path
from xrfengine.classifier.fit_figures import figures
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.scores import average_precision, binary_scores, expected_calibration_error
from xrfengine.classifier.simulate import SimulationSettings, Simulator
from xrfengine.classifier.verify import Verifier, anode_index, fit_is_left_out
from xrfengine.cube import Spectrum
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress
from xrfengine.lines import ELEMENTS

_FOLDS = 4
_THRESHOLDS = (0.3, 0.9)
"""Bounds of the threshold: beyond, odd instruments that few users have would set it for all. The
card tells the rate of false alarms that is reached."""


@dataclass(frozen=True)
class Table:
    """Figures of candidate elements: rows are (spectrum, element) pairs the fit looked at.

    Attributes
    ----------
    features : ndarray, shape (row, feature)
    labels : ndarray of int, shape (spectrum, element)
        1 visible, 0 absent, −1 neither (also for the anode and argon).
    network : ndarray, shape (spectrum, element)
        Probabilities of the network.
    thresholds : ndarray, shape (element,)
        Of the network.
    spectrum, element : ndarray of int, shape (row,)
    batch : ndarray of int, shape (spectrum,)
    """

    features: np.ndarray
    labels: np.ndarray
    network: np.ndarray
    thresholds: np.ndarray
    spectrum: np.ndarray
    element: np.ndarray
    batch: np.ndarray


def gather(
    classifier: Classifier,
    n_batches: int,
    batch_size: int,
    seed: int,
    between: tuple[float, float],
    *,
    seconds: float = np.inf,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Table:
    """Simulate, propose and fit.

    Parameters
    ----------
    n_batches, batch_size : int
        Instruments, and spectra of each; those not verified do not count.
    seed : int
    between : (floor, ceiling)
        Probability from which an element is in the fit, and up to which it is in doubt.
    seconds : float
        Time after which no further batch is begun.
    """
    rng = np.random.default_rng(seed)
    simulator = Simulator(SimulationSettings(), classifier.elements)
    columns = np.array([ELEMENTS.index(e) for e in classifier.elements])
    column_of = np.full(len(ELEMENTS), -1)
    column_of[columns] = np.arange(columns.size)
    features, spectra, elements, labels, network, batches = [], [], [], [], [], []
    end = time.monotonic() + seconds
    number = 0
    while number < n_batches:
        cancel.check()
        if time.monotonic() > end and number >= 2 * _FOLDS:
            break
        batch = simulator.batch(batch_size, rng)
        said = classifier.probabilities(batch.counts, batch.calibration)
        total = batch.counts.sum(axis=0, dtype=np.float64)
        setup, _ = find_setup(Spectrum(total, batch.calibration))
        if fit_is_left_out(setup):
            continue
        known = batch.labels.astype(int)
        for place, symbol in enumerate(classifier.elements):
            if symbol in ("Ar", setup.anode):
                known[:, place] = -1
        wide = np.zeros((batch_size, len(ELEMENTS)))
        wide[:, columns] = said
        all_of_them = np.arange(batch_size)
        for places, found in figures(batch.counts, setup, wide, between, all_of_them, 1):
            mine = (column_of[found.element] >= 0) & (found.element != anode_index(setup))
            features.append(found.features[mine])
            spectra.append(number * batch_size + places[found.spectrum[mine]])
            elements.append(column_of[found.element[mine]])
        labels.append(known)
        network.append(said)
        batches.append(np.full(batch_size, number))
        number += 1
        progress(number / n_batches, "fitting simulated spectra")
    return Table(
        np.concatenate(features),
        np.concatenate(labels),
        np.concatenate(network),
        classifier.thresholds,
        np.concatenate(spectra),
        np.concatenate(elements),
        np.concatenate(batches),
    )


def learn(
    table: Table, floor: float, ceiling: float, alarms_per_spectrum: float, network: str, card: dict
) -> Verifier:
    """Fit the regression, and set the threshold for a rate of false alarms.

    Threshold and figures come from probabilities that regressions without the instrument in
    question gave, a quarter of the instruments being held apart in turn.

    Parameters
    ----------
    alarms_per_spectrum : float
        Over all elements.
    network : str
        Digest of the weights.
    """
    fold = table.batch % _FOLDS
    verified = table.network.astype(np.float64)
    for number in range(_FOLDS):
        apart = _regression(table, fold != number, floor, ceiling, network)
        mine = fold == number
        verified[mine] = verified_probabilities(table, apart)[mine]
    labels = table.labels
    threshold = threshold_for(verified, labels, alarms_per_spectrum)
    threshold = float(np.clip(threshold, *_THRESHOLDS))
    compared = {}
    for name, values, limit in (
        ("network", table.network, table.thresholds),
        ("verified", verified, threshold),
    ):
        scores = binary_scores(values >= limit, labels)
        compared[name] = {
            "f1": round(scores["f1"], 4),
            "recall": round(scores["recall"], 4),
            "false_alarms_per_spectrum": round(scores["false_alarms_per_spectrum"], 4),
            "average_precision": round(average_precision(values, labels), 5),
            "expected_calibration_error": round(expected_calibration_error(values, labels), 4),
        }
        for rate in (0.03, 0.1):
            even = threshold_for(values, labels, rate)
            recall = binary_scores(values >= even, labels)["recall"]
            compared[name][f"recall_at_{rate}_false_alarms"] = round(recall, 4)
    final = _regression(table, np.ones(len(fold), dtype=bool), floor, ceiling, network)
    return replace(final, threshold=threshold, card={**card, "held_apart": compared})


def _regression(
    table: Table, spectra: np.ndarray, floor: float, ceiling: float, network: str
) -> Verifier:
    """Logistic regression on some of the spectra, bool (spectrum,)."""
    from sklearn.linear_model import LogisticRegression

    truth = table.labels[table.spectrum, table.element]
    use = (truth >= 0) & spectra[table.spectrum]
    scales = table.features[use].std(axis=0) + 1e-9
    model = LogisticRegression(C=1.0, max_iter=5000)
    model.fit(table.features[use] / scales, truth[use])
    weights = tuple(float(w) for w in model.coef_[0])
    bias = float(model.intercept_[0])
    return Verifier(weights, tuple(scales.tolist()), bias, 0.5, floor, ceiling, network, {})


def verified_probabilities(table: Table, verifier: Verifier) -> np.ndarray:
    """Network and fit together, shape (spectrum, element)."""
    verified = table.network.copy()
    verified[table.spectrum, table.element] = verifier.probability(table.features)
    return verified


def threshold_for(values: np.ndarray, labels: np.ndarray, alarms_per_spectrum: float) -> float:
    """Threshold just above the first false alarm too many."""
    alarms = np.sort(values[labels == 0])[::-1]
    allowed = int(alarms_per_spectrum * len(labels))
    return float(alarms[min(allowed, alarms.size - 1)]) + 1e-6


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("--out", type=Path, help="default: beside the weights")
    parser.add_argument("--batches", type=int, default=200, help="instruments (default: 200)")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--floor", type=float, default=0.02)
    parser.add_argument("--ceiling", type=float, default=0.995)
    parser.add_argument(
        "--false-alarms",
        type=float,
        default=0.05,
        help="a simulated spectrum (default: 0.05, as the thresholds of the network)",
    )
    parser.add_argument("--minutes", type=float, default=4.5, help="end gathering after this")
    given = parser.parse_args(arguments)
    classifier = Classifier.load(given.weights)
    table = gather(
        classifier,
        given.batches,
        given.batch_size,
        given.seed,
        (given.floor, given.ceiling),
        seconds=60.0 * given.minutes,
    )
    card = {
        "instruments": int(table.batch.max()) + 1,
        "spectra": len(table.batch),
        "seed": given.seed,
        "false_alarms_asked": given.false_alarms,
    }
    verifier = learn(table, given.floor, given.ceiling, given.false_alarms, classifier.digest, card)
    path = verifier.save(given.out or verifier_path(given.weights))
    print(f"{path}, threshold {verifier.threshold:.3f}")
    print(json.dumps(verifier.card, indent=1))


if __name__ == "__main__":
    main()
