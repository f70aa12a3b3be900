"""Regressions calibrated for one set of weights, kept beside them as JSON.

The verification (:class:`~xrfengine.classifier.verify.Verifier`) and the judge of traces
(:class:`~xrfengine.classifier.trace_judge.TraceJudge`) are dataclasses of numbers and a card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.cache import written_whole
from xrfengine.errors import ModelError


def read_calibration(
    path: Path, features: tuple[str, ...], numbers: tuple[str, ...], what: str, module: str
) -> dict[str, Any]:
    """Read what :func:`write_calibration` wrote.

    Parameters
    ----------
    path : Path
    features : tuple of str
        Figures that the regression must be for.
    numbers : tuple of str
        Further names, each of one number.
    what, module : str
        For the message: what is calibrated, and the module that does it.

    Returns
    -------
    dict
        ``weights``, ``scales`` (tuples), ``network``, ``card`` and the numbers.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another version.
    """
    try:
        values = json.loads(Path(path).read_text())
        if tuple(values["features"]) != features:
            raise ValueError("other figures")
        return {
            "weights": tuple(float(w) for w in values["weights"]),
            "scales": tuple(float(s) for s in values["scales"]),
            **{name: float(values[name]) for name in numbers},
            "network": str(values["network"]),
            "card": values["card"],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"the calibration of {what} at {path} cannot be read",
            f"Make one for these weights: python -m {module} WEIGHTS.safetensors",
        ) from error


def write_calibration(path: Path, features: tuple[str, ...], values: Mapping[str, Any]) -> Path:
    """Write the fields of a calibration and the names of its figures as JSON."""
    with written_whole(Path(path)) as file:
        file.write_text(json.dumps({"features": features, **values}, indent=1, ensure_ascii=False))
    return Path(path)


def check_figures(what: str, features: tuple[str, ...], *each: tuple[float, ...]) -> None:
    """Whether a regression has one number a figure in each of its tuples.

    Raises
    ------
    ModelError
    """
    for one in each:
        if len(one) != len(features):
            raise ModelError(
                f"{what} with {len(one)} weights for {len(features)} figures",
                "It belongs to another version: calibrate it again.",
            )


def probability(odds: np.ndarray) -> np.ndarray:
    """Of log-odds, without overflow; 0…1."""
    return 0.5 * (1.0 + np.tanh(0.5 * odds))
