"""A network proposes elements, a full-spectrum fit confirms or overrules them.

The network has seen millions of spectra but never does the sums; the fit does the sums but knows
nothing of how spectra usually look. Both are put together by a logistic regression of the
network's log-odds and a few figures of the fit. It is calibrated on simulated spectra alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xrfengine.assets import asset
from xrfengine.cache import written_whole
from xrfengine.classifier.anode import find_setup
from xrfengine.classifier.element_peaks import free_lines, peak_counts, peaks_of
from xrfengine.classifier.fit import MODEL_ERROR, SpectrumFit
from xrfengine.classifier.fit_shapes import Setup, shapes_of
from xrfengine.classifier.fit_solve import fit_bins
from xrfengine.cube import Calibration, Spectrum
from xrfengine.errors import ModelError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress
from xrfengine.lines import ELEMENTS, INSTRUMENT_ELEMENTS

if TYPE_CHECKING:
    from xrfengine.classifier.predict import Classifier

FEATURES: tuple[str, ...] = (
    "network log-odds",
    "significance",
    "lines missing of what was found",
    "lines missing of the whole peak",
    "best line",
    "second line",
    "share others explain",
    "log counts",
    "significance × log-odds",
    "significance × missing",
)
"""What the regression is given of each element; see :func:`features_of`."""

_LARGEST_LOGIT = 8.0
_ADDED_Z, _MOST_ADDED = 6.0, 3


@dataclass(frozen=True)
class Verdict:
    """One element after verification.

    Attributes
    ----------
    symbol : str
    probability : float
        Network and fit together, 0…1.
    proposed : float
        Of the network alone.
    z : float
        Marginal significance in the fit; NaN if it was not fitted.
    present : bool
    is_instrument : bool
        Anode or air.
    """

    symbol: str
    probability: float
    proposed: float
    z: float
    present: bool
    is_instrument: bool


@dataclass(frozen=True)
class Verifier:
    """The regression that weighs network and fit.

    Attributes
    ----------
    weights : tuple of float
        One a feature, in the order of :data:`FEATURES`, for features divided by ``scales``.
    scales : tuple of float
    bias : float
    threshold : float
        Probability from which an element is reported.
    floor : float
        Network probability below which an element is not looked at.
    card : mapping
        Where it was calibrated and with what result.
    """

    weights: tuple[float, ...]
    scales: tuple[float, ...]
    bias: float
    threshold: float
    floor: float
    card: Mapping[str, Any]

    def __post_init__(self) -> None:
        if len(self.weights) != len(FEATURES) or len(self.scales) != len(FEATURES):
            raise ModelError(
                f"a verification with {len(self.weights)} weights for {len(FEATURES)} figures",
                "It belongs to another version: calibrate it again.",
            )

    @classmethod
    def load(cls, path: Path | None = None) -> Verifier:
        """Read a calibration; None takes that beside the shipped weights, if it was made.

        Raises
        ------
        ModelError
            If it is missing or damaged.
        """
        path = asset("compact.verify.json") if path is None else Path(path)
        try:
            values = json.loads(path.read_text())
            return cls(
                tuple(values["weights"]),
                tuple(values["scales"]),
                float(values["bias"]),
                float(values["threshold"]),
                float(values["floor"]),
                values["card"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"the calibration of the verification at {path} cannot be read",
                "Make one for these weights: python -m xrfengine.classifier.calibrate_verifier.",
            ) from error

    def save(self, path: Path) -> Path:
        """Write as JSON."""
        values = {
            "features": FEATURES,
            "weights": self.weights,
            "scales": self.scales,
            "bias": self.bias,
            "threshold": self.threshold,
            "floor": self.floor,
            "card": dict(self.card),
        }
        with written_whole(Path(path)) as part:
            part.write_text(json.dumps(values, indent=1, ensure_ascii=False))
        return Path(path)

    def probability(self, features: np.ndarray) -> np.ndarray:
        """Probability that an element is visible, shape (n,), from features (n, feature)."""
        x = features / np.array(self.scales) @ np.array(self.weights) + self.bias
        return 0.5 * (1.0 + np.tanh(0.5 * x))


def candidates_fit(spectrum_counts: np.ndarray, setup: Setup, proposed: np.ndarray) -> SpectrumFit:
    """Fit the proposed elements, and what is plainly left over without them.

    Parameters
    ----------
    spectrum_counts : ndarray, shape (channel,)
    setup : Setup
    proposed : ndarray of int
        Indices into ``ELEMENTS``.
    """
    shapes = shapes_of(setup)
    solution = fit_bins(shapes, spectrum_counts, proposed, model_error=MODEL_ERROR, inflate=True)
    for _ in range(_MOST_ADDED):
        outside = np.nan_to_num(solution.outside_z, nan=-1.0)
        best = int(outside.argmax())
        if outside[best] < _ADDED_Z:
            break
        proposed = np.union1d(proposed, best)
        solution = fit_bins(
            shapes,
            spectrum_counts,
            proposed,
            model_error=MODEL_ERROR,
            n_rounds=2,
            start=solution.model,
            inflate=True,
        )
    return SpectrumFit(setup, shapes, solution, shapes.to_bins(shapes.to_fine(spectrum_counts)))


def features_of(fit: SpectrumFit, probability: float, element: str) -> np.ndarray:
    """The figures of one element that the regression weighs, shape (feature,).

    Parameters
    ----------
    fit : SpectrumFit
    probability : float
        Of the network.
    element : str
    """
    p = float(np.clip(probability, 1e-6, 1 - 1e-6))
    odds = float(np.clip(np.log(p / (1 - p)), -_LARGEST_LOGIT, _LARGEST_LOGIT))
    z = _squeezed(fit.z_array[ELEMENTS.index(element)])
    total = np.log10(max(float(fit.counts.sum()), 1.0)) - 4.0
    peaks = peaks_of(fit.shapes, element)
    if not peaks:
        return np.array([odds, z, 0.0, 0.0, 0.0, 0.0, 0.0, total, z * odds, 0.0])
    templates = np.array([template for _, template, _ in peaks])
    shares = np.array([share for _, _, share in peaks])
    found, error = free_lines(fit, element, templates)
    main = peaks[0][0]
    comparable = np.array(
        [line.family == main.family or line.energy_kev > main.energy_kev for line, _, _ in peaks]
    )
    whole = max(peak_counts(fit, templates[0]), 0.0) / shares[0]
    own = max(float(found[0]), 0.0) / shares[0]
    missing = [
        float(np.where(comparable, (amount * shares - found) / error, 0.0)[1:].max(initial=0.0))
        for amount in (own, whole)
    ]
    order = np.sort(found / error)[::-1]
    weight = templates[0] / fit.solution.variance
    net = float(weight @ (fit.counts - fit.solution.background))
    others = float(weight @ (fit.model_without(element) - fit.solution.background))
    explained = float(np.clip(others / net, 0.0, 1.5)) if net > 0 else 1.0
    return np.array(
        [
            odds,
            z,
            np.log1p(missing[0]),
            np.log1p(missing[1]),
            _squeezed(order[0]),
            _squeezed(order[1]) if order.size > 1 else 0.0,
            explained,
            total,
            z * odds,
            z * np.log1p(missing[0]),
        ]
    )


def _squeezed(z: float) -> float:
    """Between linear (noise) and logarithmic (beyond doubt)."""
    return float(np.arcsinh(z / 2.0))


def verify_counts(
    counts: np.ndarray,
    calibration: Calibration,
    probabilities: np.ndarray,
    elements: tuple[str, ...],
    *,
    setup: Setup | None = None,
    verifier: Verifier | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> np.ndarray:
    """Verified probabilities of spectra from one instrument.

    Parameters
    ----------
    counts : ndarray, shape (n, channel)
    calibration : Calibration
    probabilities : ndarray, shape (n, element), 0…1
        Of the network.
    elements : tuple of str
        Of the last axis.
    setup : Setup or None
        Of the instrument; None: found on the sum of the spectra.
    verifier : Verifier or None
        None: the shipped one.

    Returns
    -------
    ndarray, float32, shape (n, element), 0…1
        Elements below the verifier's floor keep the network's probability.

    Raises
    ------
    Cancelled
        Between two spectra.
    """
    verifier = verifier or Verifier.load()
    counts = np.asarray(counts)
    if setup is None:
        setup, _ = find_setup(Spectrum(counts.sum(axis=0, dtype=np.float64), calibration))
    columns = np.array([ELEMENTS.index(e) for e in elements])
    place = {e: i for i, e in enumerate(elements)}
    out = np.array(probabilities, dtype=np.float32)
    for i, spectrum in enumerate(counts):
        cancel.check()
        proposed = columns[probabilities[i] >= verifier.floor]
        fit = candidates_fit(spectrum, setup, proposed)
        asked = [e for e in fit.elements if e in place and e != setup.anode]
        if asked:
            rows = [features_of(fit, float(probabilities[i, place[e]]), e) for e in asked]
            out[i, [place[e] for e in asked]] = verifier.probability(np.array(rows))
        progress((i + 1) / len(counts), "verifying")
    return out


def verify(
    spectrum: Spectrum,
    probabilities: np.ndarray,
    classifier: Classifier,
    *,
    anode: str | None = None,
    setup: Setup | None = None,
    verifier: Verifier | None = None,
) -> tuple[Verdict, ...]:
    """Refined verdicts on one spectrum, by falling probability.

    Parameters
    ----------
    spectrum : Spectrum
    probabilities : ndarray, shape (element,), 0…1
        Of the classifier, in the order of ``classifier.elements``.
    anode : str or None
        Given by the user; None: as the file says, else inferred.
    setup : Setup or None
        Instrument at hand, see :func:`~xrfengine.classifier.anode.find_setup`.
    """
    verifier = verifier or Verifier.load()
    if setup is None:
        setup, _ = find_setup(spectrum, anode)
    elements = classifier.elements
    verified = verify_counts(
        np.asarray(spectrum.counts)[None],
        spectrum.calibration,
        np.asarray(probabilities)[None],
        elements,
        setup=setup,
        verifier=verifier,
    )[0]
    proposed = np.flatnonzero(np.asarray(probabilities) >= verifier.floor)
    fit = candidates_fit(
        spectrum.counts, setup, np.array([ELEMENTS.index(elements[i]) for i in proposed], dtype=int)
    )
    z = fit.z
    apart = {*INSTRUMENT_ELEMENTS, setup.anode}
    verdicts = [
        Verdict(
            symbol=symbol,
            probability=float(after),
            proposed=float(before),
            z=z.get(symbol, float("nan")),
            present=bool(after >= verifier.threshold),
            is_instrument=symbol in apart,
        )
        for symbol, before, after in zip(elements, probabilities, verified, strict=True)
    ]
    return tuple(sorted(verdicts, key=lambda verdict: -verdict.probability))
