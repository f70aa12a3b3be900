"""A network proposes elements, a full-spectrum fit confirms or overrules them.

The network has seen millions of spectra but never does the sums; the fit does the sums but knows
nothing of how spectra usually look. Both are put together by a logistic regression of the
network's log-odds and a few figures of the fit. It is calibrated on simulated spectra alone.

Under electrons the network's verdicts stand: on measured microscope spectra the fit, which assumes
X-rays, doubled the false alarms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xrfengine.classifier.anode import find_setup
from xrfengine.classifier.calibrated import (
    check_figures,
    probability,
    read_calibration,
    regression,
    write_calibration,
)
from xrfengine.classifier.fit_figures import FEATURES, figures
from xrfengine.classifier.fit_shapes import Setup
from xrfengine.classifier.traces import TraceSearch, is_searched, with_traces
from xrfengine.cube import Calibration, Spectrum
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress, part
from xrfengine.lines import ELEMENTS

if TYPE_CHECKING:
    from xrfengine.classifier.evaluate import Classify
    from xrfengine.classifier.predict import Classifier


@dataclass(frozen=True)
class Verifier:
    """The regression that weighs network and fit.

    Attributes
    ----------
    weights : tuple of float
        One a feature, in the order of :data:`~xrfengine.classifier.fit_figures.FEATURES`, for
        features divided by ``scales``.
    scales : tuple of float
    bias : float
    threshold : float
        Probability from which an element is reported, for the rate of false alarms on the card.
    floor : float
        Network probability below which an element is left out of the fit.
    ceiling : float
        Network probability above which an element is beyond doubt: it is fitted, but stays as it
        is. Spectra without any element between floor and ceiling are not fitted.
    network : str
        Digest of the weights it was calibrated for; for others it means nothing.
    card : mapping
        How it was calibrated and with what result.
    traces : TraceSearch or None
        Judge and reader of the search for traces in single bright spectra; None: they are not
        searched.
    """

    weights: tuple[float, ...]
    scales: tuple[float, ...]
    bias: float
    threshold: float
    floor: float
    ceiling: float
    network: str
    card: Mapping[str, Any]
    traces: TraceSearch | None = None

    def __post_init__(self) -> None:
        check_figures("a verification", FEATURES, self.weights, self.scales)

    @classmethod
    def load(cls, path: Path) -> Verifier:
        """Read a calibration.

        Raises
        ------
        ModelError
            If it is missing, damaged or of another version.
        """
        numbers = ("bias", "threshold", "floor", "ceiling")
        module = "xrfengine.classifier.calibrate_verifier"
        return read_calibration(
            path,
            lambda values: cls(**regression(values, FEATURES, numbers)),
            "the verification",
            module,
        )

    def save(self, path: Path) -> Path:
        """Write as JSON, without what searches for traces."""
        values = asdict(replace(self, traces=None))
        del values["traces"]
        return write_calibration(path, {"features": FEATURES, **values})

    def probability(self, features: np.ndarray) -> np.ndarray:
        """Probability that an element is visible, shape (n,), from features (n, feature)."""
        return probability(features / np.array(self.scales) @ np.array(self.weights) + self.bias)


@dataclass(frozen=True, eq=False)
class Verified:
    """Spectra after verification.

    Attributes
    ----------
    probabilities : ndarray, float32, shape (n, element), 0…1
        Network and fit together; where no fit was asked, the network's.
    proposed : ndarray, float32, shape (n, element), 0…1
        Of the network alone.
    present : ndarray of bool, shape (n, element)
        In the sample: ``own`` left out.
    thresholds : ndarray, shape (element,)
        Probability from which an element is present: the verification's, or under electrons those
        of the network.
    z : ndarray, float32, shape (n, element)
        Marginal significance in the fit; NaN where an element was not fitted.
    fitted : ndarray of bool, shape (n,)
    setup : Setup or None
        Instrument the fits stand on; None if nothing was undecided. If it excites with electrons,
        nothing was fitted.
    own : ndarray of bool, shape (n, element)
        There, but as a trace that is put down to the instrument.
    """

    probabilities: np.ndarray
    proposed: np.ndarray
    present: np.ndarray
    thresholds: np.ndarray
    z: np.ndarray
    fitted: np.ndarray
    setup: Setup | None
    own: np.ndarray

    def own_elements(self, elements: tuple[str, ...]) -> tuple[str, ...]:
        """Traces put down to the instrument; ``elements`` in the order of the columns."""
        return tuple(e for e, own in zip(elements, self.own.any(axis=0), strict=True) if own)


def verify_spectra(
    counts: np.ndarray,
    calibration: Calibration,
    classifier: Classifier,
    verifier: Verifier,
    *,
    setup: Setup | None = None,
    proposed: np.ndarray | None = None,
    n_threads: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Verified:
    """Classify spectra of one instrument, and verify what the network is not sure of.

    Parameters
    ----------
    counts : ndarray, shape (n, channel), ≥ 0
        Not modified.
    calibration : Calibration
    classifier : Classifier
    verifier : Verifier
        Calibrated for this classifier.
    setup : Setup or None
        Of the instrument, see :func:`~xrfengine.classifier.anode.find_setup`; None: found on the
        sum of the spectra, which takes a second or two.
    proposed : ndarray or None, shape (n, element), 0…1
        What the classifier said, where it was asked before.
    n_threads : int or None
        Threads of the fits; None: one a core.

    Returns
    -------
    Verified
        Threads and neighbours change it by rounding only.

    Raises
    ------
    SettingsError
        If the verifier belongs to other weights, or shapes do not fit.
    Cancelled
        Within some tens of milliseconds after ``cancel`` was set.
    """
    if verifier.network != classifier.digest:
        raise SettingsError(
            f"the verification was calibrated for the weights {verifier.network}, "
            f"not for {classifier.digest}",
            "Calibrate it again, or leave it out.",
        )
    counts = np.asarray(counts)
    if proposed is None:
        share = part(progress, 0.0, 0.3)
        proposed = classifier.probabilities(counts, calibration, progress=share, cancel=cancel)
        progress = part(progress, 0.3, 1.0)
    shape = (len(counts), len(classifier.elements))
    if counts.ndim != 2 or np.shape(proposed) != shape:
        raise SettingsError(
            f"probabilities of shape {np.shape(proposed)} for counts of shape {counts.shape}",
            f"Expected {shape}.",
        )
    probabilities = np.array(proposed, dtype=np.float32)
    z = np.full(probabilities.shape, np.nan, dtype=np.float32)
    fitted = is_open(probabilities, verifier)
    if fitted.any() and setup is None:
        cancel.check()
        setup, _ = find_setup(Spectrum(counts.sum(axis=0, dtype=np.float64), calibration))
    thresholds = np.full(shape[1], verifier.threshold)
    if fit_is_left_out(setup):
        fitted[:] = False
        thresholds = np.array(classifier.thresholds, dtype=np.float64)
    if fitted.any():
        cancel.check()
        columns = np.array([ELEMENTS.index(e) for e in classifier.elements])
        wide = np.zeros((shape[0], len(ELEMENTS)))
        wide[:, columns] = probabilities
        for places, found in figures(
            counts,
            setup,
            wide,
            (verifier.floor, verifier.ceiling),
            np.flatnonzero(fitted),
            n_threads,
            progress,
            cancel,
        ):
            at = np.full(len(ELEMENTS), -1)
            at[columns] = np.arange(columns.size)
            column = at[found.element]
            known = (column >= 0) & (found.element != anode_index(setup))
            where = places[found.spectrum[known]], column[known]
            probabilities[where] = verifier.probability(found.features[known])
            z[where] = found.z[known]
    return Verified(
        probabilities=probabilities,
        proposed=np.asarray(proposed),
        present=probabilities >= thresholds,
        thresholds=thresholds,
        z=z,
        fitted=fitted,
        setup=setup,
        own=np.zeros(shape, dtype=bool),
    )


def verify_spectrum(
    spectrum: Spectrum,
    classifier: Classifier,
    verifier: Verifier,
    setup: Callable[[], Setup],
    *,
    proposed: np.ndarray | None = None,
    cancel: CancelToken = NEVER,
) -> Verified:
    """Classify and verify one spectrum, and search it for traces if it is bright.

    Parameters
    ----------
    setup : callable
        Finds the instrument; called only if a fit is needed, for it takes its time.
    proposed : ndarray or None, shape (1, element), 0…1
        What the classifier said, where it was asked before.

    Raises
    ------
    SettingsError, Cancelled
        As :func:`verify_spectra`.
    """
    counts = np.asarray(spectrum.counts)[None]
    if proposed is None:
        proposed = classifier.probabilities(counts, spectrum.calibration)
    searched = verifier.traces is not None and is_searched(spectrum)
    found = setup() if searched or is_open(proposed, verifier).any() else None
    verified = verify_spectra(
        counts,
        spectrum.calibration,
        classifier,
        verifier,
        setup=found,
        proposed=proposed,
        cancel=cancel,
    )
    if not searched or found is None or fit_is_left_out(found):
        return verified
    cancel.check()
    return with_traces(spectrum, classifier, verified, verifier.traces, found, cancel)


def verified_verdicts(classifier: Classifier, verifier: Verifier) -> Classify:
    """Network with verification, as a method that ``evaluate.score_labels`` can score.

    Each spectrum is an instrument of its own.
    """
    from xrfengine.classifier.evaluate import Verdict

    def classify(spectrum: Spectrum) -> dict[str, Verdict]:
        found = verify_spectrum(spectrum, classifier, verifier, lambda: find_setup(spectrum)[0])
        # What is put down to the instrument is narrowly not said of the sample.
        below = np.nextafter(found.thresholds.astype(np.float32), np.float32(0.0))
        probabilities = np.where(
            found.own[0], np.minimum(found.probabilities[0], below), found.probabilities[0]
        )
        return {
            symbol: Verdict(float(p), bool(yes))
            for symbol, p, yes in zip(
                classifier.elements, probabilities, found.present[0], strict=True
            )
        }

    return classify


def is_open(proposed: np.ndarray, verifier: Verifier) -> np.ndarray:
    """Which spectra the network is not sure of, bool (n,), from probabilities (n, element)."""
    return ((proposed >= verifier.floor) & (proposed <= verifier.ceiling)).any(axis=1)


def fit_is_left_out(setup: Setup | None) -> bool:
    """Whether the network speaks alone, because electrons excited the spectra."""
    return setup is not None and setup.excitation == "electrons"


def anode_index(setup: Setup) -> int:
    """Place of the anode in ``ELEMENTS``, −1 if there is none: its lines are the tube's."""
    return ELEMENTS.index(setup.anode) if setup.anode in ELEMENTS else -1
