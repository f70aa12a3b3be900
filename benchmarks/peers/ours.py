"""Our classifier with the thresholds it was shipped with, alone and with the verifying fit."""

from __future__ import annotations

from pathlib import Path

from peers import Unavailable
from xrfengine.assets import asset
from xrfengine.classifier.evaluate import Classify, verdicts_of
from xrfengine.classifier.predict import Classifier


def network(model: Path | None) -> Classify:
    """The network alone; ``model`` None takes the shipped weights."""
    return verdicts_of(Classifier.load(model, device="cpu"))


def network_and_fit(model: Path | None) -> Classify:
    """The network, verified by a full-spectrum fit (:mod:`xrfengine.classifier.verify`)."""
    from xrfengine.classifier.verifier_files import verifier_for
    from xrfengine.classifier.verify import verified_verdicts

    classifier = Classifier.load(model, device="cpu")
    verifier, why_not = verifier_for(classifier, model)
    if verifier is None:
        raise Unavailable(why_not)
    return verified_verdicts(classifier, verifier)


def thesis() -> Classify:
    """The thesis's network and generator: knows 20 elements and so misses all others."""
    path = asset("thesis.safetensors")
    if not path.is_file():
        raise Unavailable(f"no weights at assets/{path.name}")
    return verdicts_of(Classifier.load(path, device="cpu"))
