"""Calibrate the judge of traces in bright spectra on simulated ones.

    python -m xrfengine.classifier.calibrate_traces WEIGHTS.safetensors

writes ``WEIGHTS.traces.json`` beside the weights, in twenty minutes of two cores. The weights
need their verification first (:mod:`xrfengine.classifier.calibrate_verifier`), and the network
that reads every count (``xrfengine train --bright``): every simulated spectrum goes the way it
would in use, and what the search then adds is a candidate.

The lines of the instrument itself (steel, brass, the detector's own silicon) are in the spectrum:
the judge learns that they are there, and apart from it how often such traces are the sample's.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from xrfengine.classifier.anode import find_setup
from xrfengine.classifier.apparatus import own_chance
from xrfengine.classifier.calibrated import bright_path, probability, traces_path
from xrfengine.classifier.composition import sample_chance
from xrfengine.classifier.instrument import draw_instrument
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.simulate import SimulationSettings, Simulator
from xrfengine.classifier.trace_figures import FEATURES
from xrfengine.classifier.trace_judge import OWN, TraceJudge
from xrfengine.classifier.traces import (
    BRIGHT_COUNTS,
    agreed,
    candidates,
    is_searched,
)
from xrfengine.classifier.verifier_files import verifier_alone
from xrfengine.classifier.verify import Verifier, verify_spectrum
from xrfengine.classifier.whole_reading import read_whole
from xrfengine.cube import Spectrum
from xrfengine.errors import ModelError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress
from xrfengine.lines import ELEMENTS

_FOLDS = 10
_PER_INSTRUMENT = 2
_BRIGHTEST = 3e8
_ADDED_TRACES = 30.0
_EASE = 0.3  # inverse strength of the ridge: candidates are few


@dataclass(frozen=True)
class Candidates:
    """What the search added to simulated spectra: rows are (spectrum, element) pairs.

    Attributes
    ----------
    features : ndarray, shape (row, feature)
    labels : ndarray of int, shape (row,)
        1 visible, 0 absent, −1 neither: hardly visible.
    is_own : ndarray of bool, shape (row,)
        The instrument itself shows the element.
    elements : tuple of str
        One a row.
    spectrum, instrument : ndarray of int, shape (row,)
        Running numbers.
    n_spectra : int
        Searched, with candidates or without.
    n_visible, n_found : int
        Visible elements, and those that were found before the search.
    """

    features: np.ndarray
    labels: np.ndarray
    is_own: np.ndarray
    elements: tuple[str, ...]
    spectrum: np.ndarray
    instrument: np.ndarray
    n_spectra: int
    n_visible: int
    n_found: int


def gather(
    classifier: Classifier,
    verifier: Verifier,
    reader: Classifier,
    n_spectra: int,
    seed: int | tuple[int, ...],
    *,
    seconds: float = np.inf,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Candidates:
    """Simulate bright spectra, two an instrument, verify them and search them.

    Parameters
    ----------
    verifier : Verifier
        Without a judge of traces, or with one, which is not asked.
    reader : Classifier
        Reads every count, see :class:`~xrfengine.classifier.traces.TraceSearch`.
    n_spectra : int
        Searched ones; those taken for excited by electrons do not count.
    seconds : float
        Time after which no further instrument is begun.
    """
    rng = np.random.default_rng(seed)
    settings = SimulationSettings(
        counts=(BRIGHT_COUNTS, _BRIGHTEST), share_electrons=0.0, share_gas=0.0
    )
    simulator = Simulator(settings, classifier.elements)
    verifier = replace(verifier, traces=None)
    features, labels, is_own, elements, spectra, instruments = [], [], [], [], [], []
    end, number, drawn, n_visible, n_found = time.monotonic() + seconds, 0, 0, 0, 0
    while number < n_spectra and time.monotonic() < end:
        instrument = draw_instrument(settings, rng)
        own = instrument.own_elements
        batch = simulator.measure(instrument, _PER_INSTRUMENT, rng)
        drawn += 1
        for counts, truth in zip(batch.counts, batch.labels.astype(int), strict=True):
            cancel.check()
            spectrum = Spectrum(counts.astype(np.float64), batch.calibration)
            setup, _ = find_setup(spectrum)
            if not is_searched(spectrum, setup):
                continue
            verified = verify_spectrum(spectrum, classifier, verifier, lambda setup=setup: setup)
            present = verified.present[0]
            reading = read_whole(spectrum, reader, setup)
            names = tuple(np.array(classifier.elements)[present].tolist())
            known = agreed(names, reading.said, setup)
            traces = candidates(spectrum, known, setup, reading, cancel)
            for element, row in zip(traces.elements, traces.features, strict=True):
                features.append(row)
                labels.append(truth[classifier.elements.index(element)])
                is_own.append(element in own)
                elements.append(element)
                spectra.append(number)
                instruments.append(drawn)
            n_visible += int((truth == 1).sum())
            n_found += int(((truth == 1) & present).sum())
            number += 1
            progress(min(number / n_spectra, 1.0), "searching simulated spectra")
    return Candidates(
        np.array(features).reshape(-1, len(FEATURES)),
        np.array(labels, dtype=int),
        np.array(is_own, dtype=bool),
        tuple(elements),
        np.array(spectra, dtype=int),
        np.array(instruments, dtype=int),
        number,
        n_visible,
        n_found,
    )


def learn(
    candidates: Candidates, invented_per_spectrum: float, network: str, bright: str, card: dict
) -> TraceJudge:
    """Fit the regression, set the threshold for a rate of invented elements, weigh whose they are.

    Threshold and figures come from regressions without the instrument in question, a tenth of the
    instruments being held apart in turn.

    Parameters
    ----------
    invented_per_spectrum : float
        Elements that the search may invent, of a bright spectrum: neither sample nor instrument
        shows them.
    network, bright : str
        Digests of the weights, and of those that read every count.

    Raises
    ------
    ModelError
        If there are no traces or no false alarms to learn from.
    """
    x, is_own = candidates.features, candidates.is_own & (candidates.labels != 1)
    y = np.where(is_own, 1, candidates.labels)
    told = y >= 0
    if np.unique(y[told]).size < 2:
        raise ModelError("no traces to learn from", "Search more spectra.")
    scales = x[told].std(axis=0) + 1e-9
    fold = candidates.instrument % _FOLDS
    apart = np.zeros(y.size)
    for number in range(_FOLDS):
        weights, bias = _regression(x / scales, y, told & (fold != number))
        apart[fold == number] = x[fold == number] / scales @ weights + bias
    n = candidates.n_spectra
    invented = np.sort(apart[y == 0])[::-1]
    odds = float(invented[min(int(invented_per_spectrum * n), invented.size - 1)]) + 1e-6
    is_there = apart >= odds
    of_sample = is_there & (candidates.labels == 1)
    own = own_chances(candidates.elements, of_sample, is_there & is_own)
    put_down = np.array([own.get(e, 0.0) > OWN for e in candidates.elements], dtype=bool)
    figures = {
        "spectra": n,
        "visible": candidates.n_visible,
        "found_before": candidates.n_found,
        "candidates": {"visible": int((y == 1).sum()), "absent": int((y == 0).sum())},
        "visible_added": int((of_sample & ~put_down).sum()),
        "visible_put_down_to_the_instrument": int((of_sample & put_down).sum()),
        "invented_per_spectrum": round(float((is_there & (y == 0)).sum()) / n, 4),
        "own_added_per_spectrum": round(float((is_there & is_own & ~put_down).sum()) / n, 4),
        "own_put_down_to_the_instrument": int((is_there & is_own & put_down).sum()),
    }
    weights, bias = _regression(x / scales, y, told)
    return TraceJudge(
        tuple(weights.tolist()),
        tuple(scales.tolist()),
        bias,
        float(probability(np.array(odds))),
        own,
        network,
        bright,
        {**card, "held_apart": figures},
    )


def own_chances(
    elements: Sequence[str], of_sample: np.ndarray, of_instrument: np.ndarray
) -> dict[str, float]:
    """Chance that a trace of an element is the instrument's own, of those that instruments show.

    Both kinds of traces are counted in simulated spectra. Some elements are rare in these, so that
    some traces are added of which as many are the instrument's as of all elements that are as
    common in instruments and samples.

    Parameters
    ----------
    elements : sequence of str
        Of each trace.
    of_sample, of_instrument : ndarray of bool, shape (trace,)
    """
    common = {e: np.log([own_chance(e), sample_chance(e)]) for e in ELEMENTS if own_chance(e) > 0}
    names = np.array(elements)
    counted = (of_sample | of_instrument) & np.isin(names, list(common))
    if np.unique(of_instrument[counted]).size < 2:
        return {}
    x = np.array([common[e] for e in names[counted]])
    y = of_instrument[counted].astype(int)
    weights, bias = _regression(x, y, np.ones(y.size, dtype=bool))
    chances = {}
    for element, figures in common.items():
        mine = names[counted] == element
        alike = _ADDED_TRACES * float(probability(figures @ weights + bias))
        chances[element] = (alike + float(y[mine].sum())) / (_ADDED_TRACES + float(mine.sum()))
    return chances


def _regression(x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Logistic regression on some of the rows, bool (row,)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_EASE, max_iter=5000).fit(x[rows], y[rows])
    return model.coef_[0], float(model.intercept_[0])


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Candidates of several searches as those of one, no instrument being of two of them."""
    spectra = np.cumsum([0, *(part.n_spectra for part in parts)])
    drawn = np.cumsum([0, *(part.instrument.max(initial=0) for part in parts)])
    places = list(zip(parts, spectra, drawn, strict=False))
    return Candidates(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.is_own for part in parts]),
        tuple(element for part in parts for element in part.elements),
        np.concatenate([part.spectrum + first for part, first, _ in places]),
        np.concatenate([part.instrument + first for part, _, first in places]),
        int(spectra[-1]),
        sum(part.n_visible for part in parts),
        sum(part.n_found for part in parts),
    )


def _taking_part(weights: Path) -> tuple[Classifier, Verifier, Classifier]:
    """Network, verification and reader of every count.

    Raises
    ------
    ModelError
        If one of them is missing.
    """
    classifier = Classifier.load(weights, device="cpu")
    # Without the search: a judge of another version is no reason not to make a new one.
    verifier, why_not = verifier_alone(classifier, weights)
    if verifier is None:
        raise ModelError(why_not, "Calibrate the verification first.")
    if not bright_path(weights).is_file():
        raise ModelError(
            f"there is no network that reads every count at {bright_path(weights)}",
            f"Train it first: xrfengine train --bright {weights} -o {bright_path(weights)}",
        )
    return classifier, verifier, Classifier.load(bright_path(weights), device="cpu")


def _gathered(weights: Path, n: int, seed: tuple[int, ...], minutes: float) -> Candidates:
    """One process's share."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        return gather(*_taking_part(weights), n, seed, seconds=60.0 * minutes)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("--out", type=Path, help="default: beside the weights")
    parser.add_argument("--spectra", type=int, default=1400)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument(
        "--invented",
        type=float,
        default=0.04,
        help="elements added to a simulated bright spectrum that nothing shows (default: 0.04)",
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="end gathering after this")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    given = parser.parse_args(arguments)
    share = -(-given.spectra // given.workers)
    shares = [(given.weights, share, (given.seed, n), given.minutes) for n in range(given.workers)]
    # spawn: forking a process that runs torch's threads may hang.
    with multiprocessing.get_context("spawn").Pool(given.workers) as pool:
        candidates = joined(pool.starmap(_gathered, shares))
    classifier, _, reader = _taking_part(given.weights)
    card = {
        "seed": given.seed,
        "workers": given.workers,
        "invented_asked": given.invented,
    }
    judge = learn(candidates, given.invented, classifier.digest, reader.digest, card)
    path = judge.save(given.out or traces_path(given.weights))
    print(f"{path}, threshold {judge.threshold:.3f}")
    print(json.dumps(judge.card, indent=1))


if __name__ == "__main__":
    main()
