"""Methods that name elements, ours and its peers, behind one interface.

A method is a :data:`~xrfengine.classifier.evaluate.Classify`: a spectrum in, element → verdict
(score, present) out, where ``present`` follows the method's usual cut. Every peer is given what a
careful user would give it: the calibration, the resolution and the end of the spectrum.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xrfengine.classifier.evaluate import Classify

Factory = Callable[[Path | None], Classify]


class Unavailable(Exception):
    """A method that cannot run here, and why."""


def _xrfengine(model: Path | None) -> Classify:
    from peers.ours import network

    return network(model)


def _xrfengine_fit(model: Path | None) -> Classify:
    from peers.ours import network_and_fit

    return network_and_fit(model)


def _thesis(model: Path | None) -> Classify:
    from peers.ours import thesis

    return thesis()


def _roi_windows(model: Path | None) -> Classify:
    from peers.roi_windows import roi_windows

    return roi_windows


def _nnls(model: Path | None) -> Classify:
    from peers.nnls import nnls

    return nnls


def _pymca_peaks(model: Path | None) -> Classify:
    from peers.pymca_peaks import pymca_peaks

    return pymca_peaks


def _pymca_fit(model: Path | None) -> Classify:
    from peers.pymca_fit import pymca_fit

    return pymca_fit


def _greedy(model: Path | None) -> Classify:
    from peers.greedy import greedy

    return greedy


METHODS: dict[str, Factory] = {
    "xrfengine": _xrfengine,
    "xrfengine+fit": _xrfengine_fit,
    "thesis": _thesis,
    "ROI windows": _roi_windows,
    "NNLS": _nnls,
    "PyMca peaks": _pymca_peaks,
    "PyMca fit": _pymca_fit,
    "greedy": _greedy,
}
"""Name → what makes the method; called with the path of weights, None for the shipped ones.

Raises :class:`Unavailable` where something the method needs is missing.
"""

OURS: tuple[str, ...] = ("xrfengine", "xrfengine+fit", "thesis")
"""Methods whose cuts are never tuned on measured spectra."""
