"""Calibrate the verification on simulated spectra: ``python -m … WEIGHTS OUT``.

Each batch has one random instrument, whose setup is found on the sum of its spectra as it would
be for a cube; the network proposes, the fit measures, a logistic regression learns to weigh both.
A quarter of the instruments is held apart for the threshold and the figures of the card.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xrfengine.classifier.anode import find_setup
from xrfengine.classifier.fit_shapes import Setup
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.scores import average_precision, binary_scores, expected_calibration_error
from xrfengine.classifier.simulate import SimulatedBatch, SimulationSettings, Simulator
from xrfengine.classifier.verify import FEATURES, Verifier, candidates_fit, features_of
from xrfengine.cube import Spectrum
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress
from xrfengine.lines import ELEMENTS

_HELD_APART = 4


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
    spectrum, element : ndarray of int, shape (row,)
    batch : ndarray of int, shape (spectrum,)
    """

    features: np.ndarray
    labels: np.ndarray
    network: np.ndarray
    spectrum: np.ndarray
    element: np.ndarray
    batch: np.ndarray


def gather(
    classifier: Classifier,
    n_batches: int,
    batch_size: int,
    seed: int,
    floor: float,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Table:
    """Simulate, propose and fit.

    Parameters
    ----------
    n_batches, batch_size : int
        Instruments, and spectra of each.
    seed : int
    floor : float
        Probability from which an element is looked at.
    """
    rng = np.random.default_rng(seed)
    simulator = Simulator(SimulationSettings(), classifier.elements)
    columns = np.array([ELEMENTS.index(e) for e in classifier.elements])
    features, spectra, elements, labels, network, batches = [], [], [], [], [], []
    for number in range(n_batches):
        cancel.check()
        batch = simulator.batch(batch_size, rng)
        said = classifier.probabilities(batch.counts, batch.calibration)
        setup = _setup(batch)
        known = batch.labels.copy()
        for place, symbol in enumerate(classifier.elements):
            if symbol in ("Ar", setup.anode):
                known[:, place] = -1
        for i, counts in enumerate(batch.counts):
            fit = candidates_fit(counts, setup, columns[said[i] >= floor])
            for symbol in fit.elements:
                if symbol not in classifier.elements:
                    continue
                place = classifier.elements.index(symbol)
                features.append(features_of(fit, float(said[i, place]), symbol))
                spectra.append(number * batch_size + i)
                elements.append(place)
        labels.append(known)
        network.append(said)
        batches.append(np.full(batch_size, number))
        progress((number + 1) / n_batches, "fitting simulated spectra")
    return Table(
        np.array(features),
        np.concatenate(labels),
        np.concatenate(network),
        np.array(spectra),
        np.array(elements),
        np.concatenate(batches),
    )


def _setup(batch: SimulatedBatch) -> Setup:
    total = batch.counts.sum(axis=0, dtype=np.float64)
    return find_setup(Spectrum(total, batch.calibration))[0]


def learn(table: Table, floor: float, alarms_per_spectrum: float, card: dict) -> Verifier:
    """Fit the regression, and set the threshold for a rate of false alarms.

    Parameters
    ----------
    alarms_per_spectrum : float
        Of the instruments held apart.
    """
    from sklearn.linear_model import LogisticRegression

    truth = table.labels[table.spectrum, table.element]
    apart = table.batch % _HELD_APART == 0
    use = (truth >= 0) & ~apart[table.spectrum]
    scales = table.features[use].std(axis=0) + 1e-9
    model = LogisticRegression(C=1.0, max_iter=5000)
    model.fit(table.features[use] / scales, truth[use])
    verifier = Verifier(
        tuple(float(w) for w in model.coef_[0]),
        tuple(float(s) for s in scales),
        float(model.intercept_[0]),
        0.5,
        floor,
        {},
    )
    verified = table.network.copy()
    verified[table.spectrum, table.element] = verifier.probability(table.features)
    labels = table.labels[apart]
    # Ties above are counted with it: the threshold lies just above the first alarm too many.
    alarms = np.sort(verified[apart][labels == 0])[::-1]
    allowed = int(alarms_per_spectrum * len(labels))
    threshold = float(np.clip(alarms[min(allowed, alarms.size - 1)] + 1e-4, 0.3, 0.99))
    figures = {}
    for name, values, limit in (
        ("network", table.network[apart], 0.5),
        ("verified", verified[apart], threshold),
    ):
        scores = binary_scores(values >= limit, labels)
        figures[name] = {
            "threshold": round(limit, 4),
            "f1": round(scores["f1"], 4),
            "recall": round(scores["recall"], 4),
            "false_alarms_per_spectrum": round(scores["false_alarms_per_spectrum"], 4),
            "average_precision": round(average_precision(values, labels), 5),
            "expected_calibration_error": round(expected_calibration_error(values, labels), 4),
        }
    return Verifier(
        verifier.weights,
        verifier.scales,
        verifier.bias,
        threshold,
        floor,
        {**card, "spectra_held_apart": len(labels), "held_apart": figures},
    )


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--floor", type=float, default=0.02)
    parser.add_argument("--false-alarms", type=float, default=0.03, help="a spectrum")
    given = parser.parse_args(arguments)
    classifier = Classifier.load(given.weights)
    card = {
        "network": classifier.digest,
        "batches": given.batches,
        "batch_size": given.batch_size,
        "seed": given.seed,
        "false_alarms_asked": given.false_alarms,
        "features": len(FEATURES),
    }
    table = gather(classifier, given.batches, given.batch_size, given.seed, given.floor)
    verifier = learn(table, given.floor, given.false_alarms, card)
    verifier.save(given.out)
    print(verifier.card)


if __name__ == "__main__":
    main()
