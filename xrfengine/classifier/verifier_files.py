"""The verification beside a set of weights, and what searches for traces with it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from xrfengine.classifier.calibrated import bright_path, traces_path, verifier_path
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.trace_judge import TraceJudge
from xrfengine.classifier.traces import TraceSearch
from xrfengine.classifier.verify import Verifier

_log = logging.getLogger(__name__)


def verifier_for(
    classifier: Classifier, weights: Path | None = None
) -> tuple[Verifier | None, str]:
    """The verification that belongs to a classifier, with its search for traces.

    As :func:`verifier_alone`; a search whose parts do not belong together is left out.

    Raises
    ------
    ModelError
        If there is a verification, a judge of traces or a reader that cannot be read.
    """
    verifier, why_not = verifier_alone(classifier, weights)
    if verifier is None:
        return None, why_not
    return replace(verifier, traces=_traces_for(classifier, weights)), ""


def verifier_alone(
    classifier: Classifier, weights: Path | None = None
) -> tuple[Verifier | None, str]:
    """The verification that belongs to a classifier, or None and why there is none.

    Parameters
    ----------
    classifier : Classifier
    weights : Path or None
        Its file; None: the shipped one.

    Raises
    ------
    ModelError
        If there is one that cannot be read.
    """
    path = verifier_path(weights)
    if not path.is_file():
        return None, f"no verification was calibrated for {classifier.name} ({path.name})"
    verifier = Verifier.load(path)
    if verifier.network != classifier.digest:
        return None, (
            f"{path.name} was calibrated for the weights {verifier.network}, these are "
            f"{classifier.digest}: the network alone speaks"
        )
    return verifier, ""


def _traces_for(classifier: Classifier, weights: Path | None) -> TraceSearch | None:
    """What searches for traces beside these weights, if all of it belongs together."""
    if not (traces_path(weights).is_file() and bright_path(weights).is_file()):
        return None
    judge = TraceJudge.load(traces_path(weights))
    reader = Classifier.load(bright_path(weights), device="cpu")
    if (judge.network, judge.bright) != (classifier.digest, reader.digest):
        _log.warning(
            "Bright spectra are not searched for traces: %s was calibrated for other weights",
            traces_path(weights),
        )
        return None
    return TraceSearch(judge, reader)
