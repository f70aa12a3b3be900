"""Arguments that several commands take, and what stands behind them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from xrfengine.cli.terminal import Terminal
from xrfengine.cube import Calibration, Cube, Spectrum
from xrfengine.errors import SettingsError, XRFError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress
from xrfengine.readers import read

if TYPE_CHECKING:
    from xrfengine.classifier.predict import Classifier


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print facts as JSON")


def add_calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibration",
        metavar="CAL.json",
        type=Path,
        help="energy calibration to take instead of the file's, as `xrfengine calibrate -o` "
        "writes it",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="M.safetensors",
        type=Path,
        help="weights to classify with (default: the shipped ones)",
    )
    parser.add_argument("--device", metavar="DEVICE", help="cpu or cuda (default: the best there)")


def load_model(args: argparse.Namespace) -> Classifier:
    """The classifier the arguments ask for. Imports torch."""
    from xrfengine.classifier.predict import Classifier

    return Classifier.load(args.model, device=args.device)


def model_words(classifier: Classifier) -> str:
    """Name and digest of a model: what results are traced back by."""
    return f"{classifier.name} {classifier.digest}"


def calibration_file(path: Path | None) -> Calibration | None:
    """The calibration in a JSON file, or None where none is given.

    Raises
    ------
    XRFError
        Naming the file.
    """
    if path is None:
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        numbers = {
            name: float(values[name])
            for name in ("offset_kev", "gain_kev", "quadratic_kev", "fwhm_mn_kev")
            if values.get(name) is not None
        }
        return Calibration(**numbers)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise XRFError(
            f"{path}: holds no calibration ({reason})",
            'It should read like {"offset_kev": 0.0, "gain_kev": 0.01}.',
        ) from error


def read_cube(
    path: Path,
    calibration: Calibration | None = None,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Cube:
    """Read a file as a cube; a single spectrum becomes one of 1×1 pixels."""
    data = read(path, calibration, progress=progress, cancel=cancel)
    if isinstance(data, Spectrum):
        counts = data.counts[None, None, :]
        return Cube(counts, data.calibration, data.name, str(path), data.instrument)
    return data


def element_list(text: str | None) -> tuple[str, ...] | None:
    """Symbols separated by commas or blanks, each once, or None where none are given.

    Raises
    ------
    SettingsError
        Naming what is no element.
    """
    from xrfengine.lines import atomic_number

    if text is None:
        return None
    symbols = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if not symbols:
        raise SettingsError("the list of elements is empty", "Write it like Fe,Pb.")
    for symbol in symbols:
        atomic_number(symbol)
    return symbols


__all__ = [
    "Terminal",
    "add_calibration",
    "add_json",
    "add_model",
    "calibration_file",
    "element_list",
    "load_model",
    "model_words",
    "read_cube",
]
