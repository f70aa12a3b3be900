"""What is calibrated for one set of weights, kept beside them as JSON.

The verification (:class:`~xrfengine.classifier.verify.Verifier`), the judge of traces
(:class:`~xrfengine.classifier.trace_judge.TraceJudge`) and the thresholds for dim spectra
(:class:`~xrfengine.classifier.dim_thresholds.DimThresholds`) are dataclasses of numbers and a card.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from xrfengine.assets import asset
from xrfengine.cache import written_whole
from xrfengine.errors import ModelError

T = TypeVar("T")


def verifier_path(weights: Path | None = None) -> Path:
    """Where the verification of weights is kept: beside them; None means the shipped ones."""
    weights = asset("compact.safetensors") if weights is None else Path(weights)
    return weights.with_suffix(".verify.json")


def traces_path(weights: Path | None = None) -> Path:
    """Where the judge of traces is kept: beside the verification."""
    path = verifier_path(weights)
    return path.with_name(path.name.replace(".verify.json", ".traces.json"))


def bright_path(weights: Path | None = None) -> Path:
    """Where the network that reads every count of bright spectra is kept: beside the weights."""
    path = verifier_path(weights)
    return path.with_name(path.name.replace(".verify.json", ".bright.safetensors"))


def read_calibration(path: Path, read: Callable[[dict[str, Any]], T], what: str, module: str) -> T:
    """Read what :func:`write_calibration` wrote.

    Parameters
    ----------
    path : Path
    read : callable
        Makes of the values in the file what is wanted, or raises ValueError, KeyError or TypeError.
    what, module : str
        For the message: what is calibrated, and the module that does it.

    Raises
    ------
    ModelError
        If the file is missing, damaged or of another version.
    """
    try:
        return read(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"the calibration of {what} at {path} cannot be read",
            f"Make one for these weights: python -m {module} WEIGHTS.safetensors",
        ) from error


def regression(
    values: Mapping[str, Any], features: tuple[str, ...], numbers: tuple[str, ...]
) -> dict[str, Any]:
    """The fields of a regression: ``weights``, ``scales``, ``network``, ``card`` and the numbers.

    Parameters
    ----------
    values : mapping
        As a file holds them.
    features : tuple of str
        Figures that the regression must be for.
    numbers : tuple of str
        Further names, each of one number.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is for other figures, or is none.
    """
    if tuple(values["features"]) != features:
        raise ValueError("other figures")
    return {
        "weights": tuple(float(w) for w in values["weights"]),
        "scales": tuple(float(s) for s in values["scales"]),
        **{name: float(values[name]) for name in numbers},
        "network": str(values["network"]),
        "card": values["card"],
    }


def write_calibration(path: Path, values: Mapping[str, Any]) -> Path:
    """Write the fields of a calibration as JSON."""
    with written_whole(Path(path)) as file:
        file.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")
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
