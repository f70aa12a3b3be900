"""Who judges what the search for traces adds: a logistic regression of a few figures.

Two things are asked. Whether the element is there, which the figures tell. And whose it is: lines
of steel, brass and the detector's silicon are in spectra of every instrument that counts long
enough, and a trace of the same element in the sample looks no different. There only the odds help:
how often instruments show the element, and how often samples hold so little of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.classifier.calibrated import (
    check_figures,
    read_calibration,
    regression,
    write_calibration,
)
from xrfengine.classifier.trace_figures import FEATURES

OWN = 0.3
"""Chance from which a trace is put down to the instrument. To say that it is the sample's takes
better odds than even."""


@dataclass(frozen=True)
class TraceJudge:
    """The regression that tells traces from what only looks like one.

    Attributes
    ----------
    weights, scales : tuple of float
        One a figure, in the order of :data:`~xrfengine.classifier.trace_figures.FEATURES`;
        figures are divided by ``scales``.
    bias : float
    threshold : float
        Probability from which a trace is there, for the rate of invented elements on the card.
    own : mapping
        Chance, 0…1, that a trace of an element is the instrument's own, for those that instruments
        show.
    network, bright : str
        Digests of the weights it was calibrated for, and of those that read every count; for
        others it means nothing.
    card : mapping
        How it was calibrated and with what result.

    Raises
    ------
    ModelError
        If there is not one weight a figure.
    """

    weights: tuple[float, ...]
    scales: tuple[float, ...]
    bias: float
    threshold: float
    own: Mapping[str, float]
    network: str
    bright: str
    card: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_figures("a judge of traces", FEATURES, self.weights, self.scales)

    @classmethod
    def load(cls, path: Path) -> TraceJudge:
        """Read a calibration.

        Raises
        ------
        ModelError
            If it is missing, damaged or of another version.
        """
        numbers = ("bias", "threshold")
        module = "xrfengine.classifier.calibrate_traces"
        return read_calibration(
            path,
            lambda values: cls(
                **regression(values, FEATURES, numbers),
                own={str(e): float(chance) for e, chance in values["own"].items()},
                bright=str(values["bright"]),
            ),
            "the search for traces",
            module,
        )

    def save(self, path: Path) -> Path:
        """Write as JSON."""
        return write_calibration(path, {"features": FEATURES, **asdict(self)})

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """That a candidate is there, over those of the threshold; (n,) from (n, feature)."""
        odds = features / np.array(self.scales) @ np.array(self.weights) + self.bias
        return odds - np.log(self.threshold / (1.0 - self.threshold))

    def is_own(self, element: str) -> bool:
        """Whether a trace of an element is put down to the instrument."""
        return self.own.get(element, 0.0) > OWN
