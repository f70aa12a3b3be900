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
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.classifier.calibrated import probability
from xrfengine.classifier.fit import MODEL_ERROR, refine_setup, scattered
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
_LIKELY_ODDS = 0.0
"""What the reader holds for likely is a candidate though weak elements be in the fit beside it."""
_ADDED_Z, _LEAST_Z = 5.0, 6.5
"""Significance from which an element is taken into the fit, and with which it is a candidate: with
all others in the fit, too. What is reported the judge says."""
_HELD_Z = 2.0
"""What was reported and is less significant than this, once the fit knows the rest, is let go."""


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


@dataclass(frozen=True, eq=False)
class Traces:
    """What a search added to one spectrum.

    Attributes
    ----------
    elements : tuple of str
    features : ndarray, shape (element, feature)
        See :func:`~xrfengine.classifier.trace_figures.trace_figures`.
    z : tuple of float
        Marginal significance of each in the fit that it was found in.
    lost : tuple of str
        Of the elements found before, those that the fit has no use for any more.
    """

    elements: tuple[str, ...]
    features: np.ndarray
    z: tuple[float, ...]
    lost: tuple[str, ...] = ()


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
    reader, which reads every count, holds for absent is judged like what the search adds; what
    explains nothing in a fit that knows the rest is not reported any more.

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
    found = candidates(spectrum, known, setup, reading, cancel)
    cancel.check()
    probabilities, z, own = verified.probabilities.copy(), verified.z.copy(), verified.own.copy()
    for element in {*present} - {*known} | {*found.lost}:
        column = classifier.elements.index(element)
        below = np.nextafter(np.float32(verified.thresholds[column]), np.float32(0.0))
        probabilities[0, column] = min(probabilities[0, column], below)
    all_odds = traces.judge.log_odds(found.features)
    for element, odds, significance in zip(found.elements, all_odds, found.z, strict=True):
        column = classifier.elements.index(element)
        limit = float(verified.thresholds[column])
        scaled = np.float32(probability(odds + np.log(limit / (1.0 - limit))))
        # Rounding must not undo the verdict.
        if odds >= 0.0:
            scaled = max(scaled, np.nextafter(np.float32(limit), np.float32(1.0)))
        else:
            scaled = min(scaled, np.nextafter(np.float32(limit), np.float32(0.0)))
        probabilities[0, column] = max(probabilities[0, column], scaled)
        z[0, column] = significance
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
) -> Traces:
    """What the search adds to the elements found, with the figures that it is judged by.

    Parameters
    ----------
    spectrum, found, setup
        As of :func:`search`.
    reading : Reading
        See :func:`~xrfengine.classifier.whole_reading.read_whole`.
    """
    said = reading.said
    proposed = {e: said[e] for e in said if said[e] >= _PROPOSED_ODDS and e not in found}
    searched = search(spectrum, found, setup, proposed, cancel)
    looks = [searched]
    if searched.crowded is not None:
        likely = (e for e in searched.crowded.added if proposed[e] >= _LIKELY_ODDS)
        missed = tuple(e for e in likely if e not in searched.added)
        looks.append(replace(searched.crowded, added=missed))
    told = [trace_figures(look, spectrum, reading) for look in looks]
    return Traces(
        tuple(e for elements, _ in told for e in elements),
        np.concatenate([features for _, features in told]),
        tuple(look.z(e) for look, (elements, _) in zip(looks, told, strict=True) for e in elements),
        tuple(
            e for e in searched.known if e not in INSTRUMENT_ELEMENTS and searched.z(e) < _HELD_Z
        ),
    )


def search(
    spectrum: Spectrum,
    found: tuple[str, ...],
    setup: Setup,
    proposed: Mapping[str, float] = MappingProxyType({}),
    cancel: CancelToken = NEVER,
) -> Searched:
    """Add to the elements found in a spectrum what the fit clearly misses.

    What was proposed is in the fit from the start. What is weak there goes again, one element after
    the other: it explains a little everywhere and takes that from what lies near it.

    Parameters
    ----------
    spectrum : Spectrum
        One with many counts.
    found : tuple of str
        What is known to be there.
    setup : Setup
        See :func:`~xrfengine.classifier.anode.find_setup`.
    proposed : mapping
        What the fit is to try in any case, and the log-odds that the reader gives it.
    """
    known = tuple(e for e in found if e != setup.anode)
    setup = refine_setup(spectrum, known, setup=setup)
    shapes = shapes_of(setup, satellites=True)
    given = [ELEMENTS.index(e) for e in known]
    odds = {ELEMENTS.index(e): o for e, o in proposed.items() if e != setup.anode}

    def fitted(more: list[int]) -> Solution:
        cancel.check()
        return _fit(shapes, spectrum.counts, np.array([*given, *more], dtype=int))

    def without_weak(
        more: list[int], solution: Solution, least: float
    ) -> tuple[list[int], Solution]:
        while weak := [i for i in more if z_of(solution, i) < least]:
            # Of two that are alike, the one that the reader believes more stays.
            out = min(weak, key=lambda i: odds.get(i, _PROPOSED_ODDS))
            more = [i for i in more if i != out]
            solution = fitted(more)
        return more, solution

    def look(more: list[int], solution: Solution, crowded: Searched | None = None) -> Searched:
        added = tuple(ELEMENTS[i] for i in more if z_of(solution, i) >= _LEAST_Z)
        return Searched(setup, shapes, solution, known, added, crowded)

    more = list(odds)
    solution = fitted(more)
    crowded = look(more, solution) if more else None
    more, solution = without_weak(more, solution, _ADDED_Z)
    for _ in range(_MOST_ADDED):
        best = _best(shapes, spectrum.counts, solution)
        if best is None:
            break
        more = [*more, best]
        solution = fitted(more)
    # What others explain as well is no candidate any more.
    return look(*without_weak(more, solution, _LEAST_Z), crowded)


def _best(shapes: Shapes, counts: np.ndarray, solution: Solution) -> int | None:
    """The element that is the most significant once in the fit; None if none is enough."""
    outside = np.nan_to_num(solution.outside_z, nan=-1.0)
    outside[scattered(shapes.setup)] = -1.0
    promising = [int(i) for i in np.argsort(-outside)[:_TRIED] if outside[i] >= _PROMISING_Z]
    tried = []
    for element in promising:
        trial = fit_bins(
            shapes, counts, np.append(solution.elements, element), model_error=MODEL_ERROR,
            n_rounds=3, start=solution.model, inflate=True,
        )  # fmt: skip
        tried.append((z_of(trial, element), element))
    z, best = max(tried, default=(0.0, -1))
    return best if z >= _ADDED_Z else None


def _fit(shapes: Shapes, counts: np.ndarray, chosen: np.ndarray) -> Solution:
    return fit_bins(shapes, counts, chosen, model_error=MODEL_ERROR, n_rounds=3, inflate=True)
