"""Traces in bright spectra: a search by the fit for what the network missed, and its judge.

The network reads at most some 10⁵ counts of a spectrum, for above that an element's trace is a
matter of how well the instrument is known, spectrum by spectrum. Here the instrument is refined on
what was found so far, and elements are added one at a time: the one whose lines, taken into the
fit, are the most significant of all, until none is. An element's significance while it is left out
tells little: what it leaves unexplained makes the model look bad just where its lines are.

What the search adds are candidates; in a badly fitted spectrum there is always one. A logistic
regression judges them by a few figures: how the peak fits, what is left over around it, what the
network says when it is shown all counts. It is calibrated on simulated spectra alone
(:mod:`xrfengine.classifier.calibrate_traces`).

Greedy addition with everything else refitted is orthogonal matching pursuit (Pati, Rezaiifar and
Krishnaprasad, Asilomar 1993).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xrfengine.cache import written_whole
from xrfengine.classifier.element_peaks import Peak, free_lines, rendered_peaks
from xrfengine.classifier.fit import MODEL_ERROR, SpectrumFit, refine_setup
from xrfengine.classifier.fit_figures import log_odds
from xrfengine.classifier.fit_shapes import Setup, Shapes, shapes_of
from xrfengine.classifier.fit_solve import Solution, fit_bins
from xrfengine.cube import Spectrum
from xrfengine.errors import ModelError
from xrfengine.jobs import NEVER, CancelToken
from xrfengine.lines import ELEMENTS, INSTRUMENT_ELEMENTS

if TYPE_CHECKING:
    from xrfengine.classifier.predict import Classifier
    from xrfengine.classifier.verify import Verified

BRIGHT_COUNTS = 3e5
"""Counts from which a spectrum is searched: of fewer the network reads all."""

FEATURES: tuple[str, ...] = (
    "network log-odds, all counts",
    "significance",
    "significance before the misfit",
    "misfit under the line",
    "greatest peak left around",
    "share of the counts",
    "another line",
)
"""In this order on the last axis of :func:`trace_figures`."""

MOST_ADDED = 8
_TRIED = 6
"""Elements taken into the fit on trial at every step, those first that promise most from without.
With more, nothing else was found."""
_PROMISING_Z = 3.0
_ADDED_Z = 6.0
"""Significance from which an element is taken into the fit; what is reported the judge says."""
_READ_COUNTS = (1e6, 3e6, 1e7, 1e9)
"""Most counts that the network is shown. It was trained on fewer, so its answers to several are
taken together."""
_TELLING_Z = 2.0
"""Expected significance from which another line of the element should be there."""


@dataclass(frozen=True, eq=False)
class Searched:
    """A spectrum after the search.

    Attributes
    ----------
    setup : Setup
        The instrument, refined on what was known.
    shapes : Shapes
    solution : Solution
        The fit with all elements.
    known, added : tuple of str
        Elements that were given, and those that the search added, in their order.
    """

    setup: Setup
    shapes: Shapes
    solution: Solution
    known: tuple[str, ...]
    added: tuple[str, ...]

    def z(self, element: str) -> float:
        """Marginal significance of an element in the fit."""
        return _z(self.solution, ELEMENTS.index(element))


@dataclass(frozen=True)
class TraceJudge:
    """The regression that tells traces from what only looks like one.

    Attributes
    ----------
    weights, scales : tuple of float
        One a figure, in the order of :data:`FEATURES`; figures are divided by ``scales``.
    bias : float
    threshold : float
        Probability from which a trace is reported, for the rate of false alarms on the card.
    network : str
        Digest of the weights it was calibrated for; for others it means nothing.
    card : mapping
        How it was calibrated and with what result.
    """

    weights: tuple[float, ...]
    scales: tuple[float, ...]
    bias: float
    threshold: float
    network: str
    card: Mapping[str, Any]

    def __post_init__(self) -> None:
        if len(self.weights) != len(FEATURES) or len(self.scales) != len(FEATURES):
            raise ModelError(
                f"a judge of traces with {len(self.weights)} weights for {len(FEATURES)} figures",
                "It belongs to another version: calibrate it again.",
            )

    @classmethod
    def load(cls, path: Path) -> TraceJudge:
        """Read a calibration.

        Raises
        ------
        ModelError
            If it is missing, damaged or of another version.
        """
        try:
            values = json.loads(Path(path).read_text())
            if tuple(values["features"]) != FEATURES:
                raise ValueError("other figures")
            return cls(
                tuple(float(w) for w in values["weights"]),
                tuple(float(s) for s in values["scales"]),
                float(values["bias"]),
                float(values["threshold"]),
                str(values["network"]),
                values["card"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"the calibration of the search for traces at {path} cannot be read",
                "Make one for these weights: "
                "python -m xrfengine.classifier.calibrate_traces WEIGHTS.safetensors",
            ) from error

    def save(self, path: Path) -> Path:
        """Write as JSON."""
        values = {
            "network": self.network,
            "features": FEATURES,
            "weights": self.weights,
            "scales": self.scales,
            "bias": self.bias,
            "threshold": self.threshold,
            "card": dict(self.card),
        }
        with written_whole(Path(path)) as file:
            file.write_text(json.dumps(values, indent=1, ensure_ascii=False))
        return Path(path)

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """That a candidate is there, over those of the threshold; (n,) from (n, feature)."""
        odds = features / np.array(self.scales) @ np.array(self.weights) + self.bias
        return odds - np.log(self.threshold / (1.0 - self.threshold))


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
    judge: TraceJudge,
    setup: Setup,
    cancel: CancelToken = NEVER,
) -> Verified:
    """Add the traces of one spectrum to what was verified.

    The judge's odds are brought to the verification's scale, so that one threshold serves both.
    Nothing that was reported is taken back.

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
    present = np.array(classifier.elements)[verified.present[0]]
    searched = search(spectrum, tuple(present.tolist()), setup, cancel)
    cancel.check()
    elements, features = trace_figures(searched, spectrum, classifier)
    probabilities, z = verified.probabilities.copy(), verified.z.copy()
    for element, odds in zip(elements, judge.log_odds(features), strict=True):
        column = classifier.elements.index(element)
        limit = float(verified.thresholds[column])
        scaled = np.float32(0.5 + 0.5 * np.tanh(0.5 * (odds + np.log(limit / (1.0 - limit)))))
        # Rounding must not undo the verdict.
        if odds >= 0.0:
            scaled = max(scaled, np.nextafter(np.float32(limit), np.float32(1.0)))
        else:
            scaled = min(scaled, np.nextafter(np.float32(limit), np.float32(0.0)))
        probabilities[0, column] = max(probabilities[0, column], scaled)
        z[0, column] = searched.z(element)
    return replace(
        verified,
        probabilities=probabilities,
        present=probabilities >= verified.thresholds,
        z=z,
        setup=setup,
    )


def search(
    spectrum: Spectrum, found: tuple[str, ...], setup: Setup, cancel: CancelToken = NEVER
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
    """
    known = tuple(e for e in found if e != setup.anode)
    setup = refine_setup(spectrum, known, setup=setup)
    shapes = shapes_of(setup)
    chosen = np.array([ELEMENTS.index(e) for e in known], dtype=int)
    solution = _fit(shapes, spectrum.counts, chosen)
    added: list[int] = []
    while len(added) < MOST_ADDED:
        cancel.check()
        best = _best(shapes, spectrum.counts, chosen, solution)
        if best is None:
            break
        added.append(best)
        chosen = np.append(chosen, best)
        solution = _fit(shapes, spectrum.counts, chosen)
    return Searched(setup, shapes, solution, known, tuple(ELEMENTS[i] for i in added))


def _best(shapes: Shapes, counts: np.ndarray, chosen: np.ndarray, solution: Solution) -> int | None:
    """The element that is the most significant once in the fit; None if none is enough."""
    outside = np.nan_to_num(solution.outside_z, nan=-1.0)
    promising = [int(i) for i in np.argsort(-outside)[:_TRIED] if outside[i] >= _PROMISING_Z]
    tried = []
    for element in promising:
        trial = fit_bins(
            shapes, counts, np.append(chosen, element), model_error=MODEL_ERROR, n_rounds=2,
            start=solution.model, inflate=True,
        )  # fmt: skip
        tried.append((_z(trial, element), element))
    z, best = max(tried, default=(0.0, -1))
    return best if z >= _ADDED_Z else None


def _fit(shapes: Shapes, counts: np.ndarray, chosen: np.ndarray) -> Solution:
    return fit_bins(shapes, counts, chosen, model_error=MODEL_ERROR, n_rounds=3, inflate=True)


def _z(solution: Solution, element: int) -> float:
    at = np.flatnonzero(solution.elements == element)
    return float(solution.z[at[0]]) if at.size else 0.0


def trace_figures(
    searched: Searched, spectrum: Spectrum, classifier: Classifier
) -> tuple[tuple[str, ...], np.ndarray]:
    """Figures of the elements that a search added, without those of tube and air.

    Returns
    -------
    elements : tuple of str
        That the classifier knows, in the order of the search.
    features : ndarray, shape (element, feature)
    """
    not_asked = {*INSTRUMENT_ELEMENTS, searched.setup.anode}
    peaks = {
        element: rendered_peaks(searched.shapes, element)
        for element in searched.added
        if element in classifier.elements and element not in not_asked
    }
    elements = tuple(element for element, of_it in peaks.items() if of_it)
    if not elements:
        return (), np.zeros((0, len(FEATURES)))
    shapes, solution = searched.shapes, searched.solution
    y = shapes.to_bins(shapes.to_fine(spectrum.counts))
    fit = SpectrumFit(searched.setup, shapes, solution, y)
    # How bad the model is shows only where no misfit eases the variance.
    plain = fit_bins(shapes, spectrum.counts, solution.elements, model_error=MODEL_ERROR)
    said = _log_odds_of_all_counts(classifier, spectrum)
    rows = []
    for element in elements:
        z = max(searched.z(element), 0.1)
        bare = _z(plain, ELEMENTS.index(element)) / z
        under, left = _left_around(peaks[element], fit, plain)
        share = _share(peaks[element], fit, element)
        rows.append(
            (
                said[classifier.elements.index(element)],
                np.log(z),
                np.log(np.clip(bare, 0.5, 10.0)),
                np.log(np.clip(under, 0.1, 50.0)),
                np.log(np.clip(left, 1.0, 30.0)),
                np.log(np.clip(share, 0.003, 1.0)),
                np.arcsinh(0.5 * _another_line(peaks[element], fit, element)),
            )
        )
    return elements, np.array(rows)


def _log_odds_of_all_counts(classifier: Classifier, spectrum: Spectrum) -> np.ndarray:
    """What the network says when it is not spared the counts, shape (element,)."""
    counts = np.asarray(spectrum.counts)[None]
    said = [
        classifier.probabilities(counts, spectrum.calibration, most_counts=most)[0]
        for most in _READ_COUNTS
    ]
    return log_odds(np.array(said)).mean(axis=0)


def _distance(peak: Peak, fit: SpectrumFit) -> np.ndarray:
    """Of each bin from a peak, in peak widths."""
    energy = peak[0].energy_kev
    return np.abs(fit.shapes.centres_kev - energy) / float(fit.setup.detector.fwhm_kev(energy))


def _left_around(peaks: tuple[Peak, ...], fit: SpectrumFit, plain: Solution) -> tuple[float, float]:
    """Mean χ² of the bins under the main line; greatest peak of its shape left over beside it."""
    distance = _distance(peaks[0], fit)
    chi2 = np.square(fit.counts - plain.model) / plain.variance
    under = distance < 0.8
    template = peaks[0][1]
    top = np.flatnonzero(template > 0.05 * template.max())
    shape = template[top[0] : top[-1] + 1]
    weighted = (fit.counts - plain.model) / plain.variance
    pull = np.convolve(weighted, shape[::-1], "same")
    pull /= np.sqrt(np.convolve(1.0 / plain.variance, np.square(shape)[::-1], "same"))
    beside = (distance > 0.7) & (distance < 6.0)
    return (
        float(chi2[under].mean()) if under.any() else 1.0,
        float(np.abs(pull[beside]).max()) if beside.any() else 1.0,
    )


def _share(peaks: tuple[Peak, ...], fit: SpectrumFit, element: str) -> float:
    """Of the counts under the main line, those that are the element's."""
    under = _distance(peaks[0], fit) < 0.8
    model = fit.solution.model[under].sum()
    return float(1.0 - fit.model_without(element)[under].sum() / model) if model > 0 else 0.0


def _another_line(peaks: tuple[Peak, ...], fit: SpectrumFit, element: str) -> float:
    """Significance of the best line besides the main one, where one is to be expected."""
    found, error = free_lines(fit, element, np.array([template for _, template, _ in peaks]))
    shares = np.array([share for _, _, share in peaks])
    main = peaks[0][0]
    comparable = np.array(
        [
            i > 0 and (line.family == main.family or line.energy_kev > main.energy_kev)
            for i, (line, _, _) in enumerate(peaks)
        ]
    )
    expected = max(float(found[0]), 0.0) / max(shares[0], 1e-3) * shares / error
    told = comparable & (expected >= _TELLING_Z)
    return float(np.where(told, found / error, 0.0).max())
