"""Traces in bright spectra: a search by the fit for what the network missed.

The network reads at most some 10⁵ counts of a spectrum, for above that an element's trace is a
matter of how well the instrument is known, spectrum by spectrum. Here the instrument is refined on
what was found so far, and elements are added one at a time: the one whose lines, taken into the
fit, are the most significant of all, until none is. An element's significance while it is left out
tells little: what it leaves unexplained makes the model look bad just where its lines are.

What the search adds are candidates; in a badly fitted spectrum there is always one. They are judged
(:mod:`xrfengine.classifier.trace_judge`) by a few figures
(:mod:`xrfengine.classifier.trace_figures`), the foremost what a network says that was trained on
bright spectra alone and reads every count.

Greedy addition with everything else refitted is orthogonal matching pursuit (Pati, Rezaiifar and
Krishnaprasad, Asilomar 1993).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.classifier.calibrated import probability
from xrfengine.classifier.fit import MODEL_ERROR, refine_setup
from xrfengine.classifier.fit_shapes import Setup, Shapes, shapes_of
from xrfengine.classifier.fit_solve import Solution, fit_bins
from xrfengine.classifier.trace_figures import Searched, trace_figures, z_of
from xrfengine.classifier.trace_judge import TraceJudge
from xrfengine.classifier.whole_reading import Reading, read_whole
from xrfengine.cube import Spectrum
from xrfengine.jobs import NEVER, CancelToken
from xrfengine.lines import ELEMENTS, INSTRUMENT_ELEMENTS

if TYPE_CHECKING:
    from xrfengine.classifier.predict import Classifier
    from xrfengine.classifier.verify import Verified

BRIGHT_COUNTS = 1e5
"""Counts from which a spectrum is searched, and the reader was trained."""

_MOST_ADDED = 10
_TRIED = 10
"""Elements taken into the fit on trial at every step, those first that promise most from without.
With more, nothing else was found."""
_PROMISING_Z = 1.5
_PROPOSED_ODDS = -2.0
"""Log-odds by the reader from which an element is tried in the fit, whatever promises more."""
_ADDED_Z, _LEAST_Z = 5.0, 6.5
"""Significance from which an element is taken into the fit, and with which it is a candidate: with
all others in the fit, too. What is reported the judge says."""


@dataclass(frozen=True, eq=False)
class TraceSearch:
    """Who takes part in a search.

    Attributes
    ----------
    judge : TraceJudge
    reader : Classifier
        Trained on bright spectra, of which it reads every count.
    """

    judge: TraceJudge
    reader: Classifier


def is_searched(spectrum: Spectrum, setup: Setup | None = None) -> bool:
    """Whether a spectrum is of the kind that the judge was calibrated on.

    Bright, of a silicon detector, not under electrons. Without a setup only the counts are asked.
    """
    if spectrum.total < BRIGHT_COUNTS:
        return False
    return setup is None or (setup.excitation != "electrons" and setup.detector.kind == "sdd")


def with_traces(
    spectrum: Spectrum,
    classifier: Classifier,
    verified: Verified,
    traces: TraceSearch,
    setup: Setup,
    cancel: CancelToken = NEVER,
) -> Verified:
    """Add the traces of one spectrum to what was verified.

    The judge's odds are brought to the verification's scale, so that one threshold serves both.
    Traces of what instruments show by themselves are set apart (``own``). What was reported and the
    reader, which reads every count, holds for absent is judged like what the search adds.

    Parameters
    ----------
    verified : Verified
        Of this spectrum alone; not modified.
    setup : Setup
        See :func:`~xrfengine.classifier.anode.find_setup`.

    Raises
    ------
    Cancelled
        Within a second or two after ``cancel`` was set.
    """
    if not is_searched(spectrum, setup):
        return verified
    reading = read_whole(spectrum, traces.reader, setup)
    present = tuple(np.array(classifier.elements)[verified.present[0]].tolist())
    known = agreed(present, reading.said, setup)
    searched, elements, features = candidates(spectrum, known, setup, reading, cancel)
    cancel.check()
    probabilities, z, own = verified.probabilities.copy(), verified.z.copy(), verified.own.copy()
    for element in set(present) - set(known):
        column = classifier.elements.index(element)
        below = np.nextafter(np.float32(verified.thresholds[column]), np.float32(0.0))
        probabilities[0, column] = min(probabilities[0, column], below)
    for element, odds in zip(elements, traces.judge.log_odds(features), strict=True):
        column = classifier.elements.index(element)
        limit = float(verified.thresholds[column])
        scaled = np.float32(probability(odds + np.log(limit / (1.0 - limit))))
        # Rounding must not undo the verdict.
        if odds >= 0.0:
            scaled = max(scaled, np.nextafter(np.float32(limit), np.float32(1.0)))
        else:
            scaled = min(scaled, np.nextafter(np.float32(limit), np.float32(0.0)))
        probabilities[0, column] = max(probabilities[0, column], scaled)
        z[0, column] = searched.z(element)
        own[0, column] = odds >= 0.0 and traces.judge.is_own(element)
    return replace(
        verified,
        probabilities=probabilities,
        present=(probabilities >= verified.thresholds) & ~own,
        own=own,
        z=z,
        setup=setup,
    )


def agreed(present: tuple[str, ...], said: Mapping[str, float], setup: Setup) -> tuple[str, ...]:
    """Of the elements reported, those that the reader does not hold for absent.

    It never learned to tell those of tube and air.
    """
    beyond = {setup.anode, *INSTRUMENT_ELEMENTS}
    return tuple(e for e in present if e in beyond or said.get(e, 0.0) >= 0.0)


def candidates(
    spectrum: Spectrum,
    found: tuple[str, ...],
    setup: Setup,
    reading: Reading,
    cancel: CancelToken = NEVER,
) -> tuple[Searched, tuple[str, ...], np.ndarray]:
    """What the search adds to the elements found, with the figures that it is judged by.

    Parameters
    ----------
    spectrum, found, setup
        As of :func:`search`.
    reading : Reading
        See :func:`~xrfengine.classifier.whole_reading.read_whole`.

    Returns
    -------
    searched : Searched
    elements : tuple of str
    features : ndarray, shape (element, feature)
        See :func:`~xrfengine.classifier.trace_figures.trace_figures`.
    """
    said = reading.said
    proposed = tuple(e for e in said if said[e] >= _PROPOSED_ODDS and e not in found)
    searched = search(spectrum, found, setup, proposed, cancel)
    return searched, *trace_figures(searched, spectrum, reading)


def search(
    spectrum: Spectrum,
    found: tuple[str, ...],
    setup: Setup,
    proposed: tuple[str, ...] = (),
    cancel: CancelToken = NEVER,
) -> Searched:
    """Add to the elements found in a spectrum what the fit clearly misses.

    Parameters
    ----------
    spectrum : Spectrum
        One with many counts.
    found : tuple of str
        What is known to be there.
    setup : Setup
        See :func:`~xrfengine.classifier.anode.find_setup`.
    proposed : tuple of str
        What the fit is to try in any case.
    """
    known = tuple(e for e in found if e != setup.anode)
    setup = refine_setup(spectrum, known, setup=setup)
    shapes = shapes_of(setup, satellites=True)
    chosen = np.array([ELEMENTS.index(e) for e in known], dtype=int)
    tried = [ELEMENTS.index(e) for e in proposed if e != setup.anode]
    chosen = np.append(chosen, tried).astype(int)
    solution = _fit(shapes, spectrum.counts, chosen)
    added: list[int] = []
    while len(added) < _MOST_ADDED:
        cancel.check()
        best = _best(shapes, spectrum.counts, chosen, solution)
        if best is None:
            break
        added.append(best)
        chosen = np.append(chosen, best)
        solution = _fit(shapes, spectrum.counts, chosen)
    # What others explain as well is no candidate any more.
    left = [i for i in (*tried, *added) if z_of(solution, i) >= _LEAST_Z]
    return Searched(setup, shapes, solution, known, tuple(ELEMENTS[i] for i in left))


def _best(shapes: Shapes, counts: np.ndarray, chosen: np.ndarray, solution: Solution) -> int | None:
    """The element that is the most significant once in the fit; None if none is enough."""
    outside = np.nan_to_num(solution.outside_z, nan=-1.0)
    promising = [int(i) for i in np.argsort(-outside)[:_TRIED] if outside[i] >= _PROMISING_Z]
    tried = []
    for element in promising:
        trial = fit_bins(
            shapes, counts, np.append(chosen, element), model_error=MODEL_ERROR, n_rounds=3,
            start=solution.model, inflate=True,
        )  # fmt: skip
        tried.append((z_of(trial, element), element))
    z, best = max(tried, default=(0.0, -1))
    return best if z >= _ADDED_Z else None


def _fit(shapes: Shapes, counts: np.ndarray, chosen: np.ndarray) -> Solution:
    return fit_bins(shapes, counts, chosen, model_error=MODEL_ERROR, n_rounds=3, inflate=True)
