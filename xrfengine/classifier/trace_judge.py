"""Who judges what the search for traces adds: a logistic regression of a few figures."""

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
        Probability from which a trace is reported, for the rate of false alarms on the card.
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
                **regression(values, FEATURES, numbers), bright=str(values["bright"])
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
