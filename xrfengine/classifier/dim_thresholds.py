"""Thresholds for spectra of few counts: one rate of false alarms, however bright the spectrum.

The thresholds that come with the weights hold a rate of false alarms on the mean over simulated
spectra of all brightnesses. Most of those alarms are raised by bright spectra, where the network
has much to see and much to mistake; held to the same thresholds, dim ones, such as the pixels of a
map, raise far fewer than the rate allows and miss elements in return. So thresholds are eased for
them until they raise as many, calibrated on simulated spectra alone::

    python -m xrfengine.classifier.dim_thresholds WEIGHTS.safetensors

writes ``WEIGHTS.dim.json`` beside the weights, in a few minutes of one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xrfengine.classifier.calibrated import read_calibration, write_calibration
from xrfengine.errors import ModelError

if TYPE_CHECKING:
    from xrfengine.classifier.predict import Classifier

LOWEST = 0.5
"""No threshold is eased below: what is likelier absent than there is not reported."""
ALARMS_PER_SPECTRUM = 0.1
LEVELS: tuple[float, ...] = (2.5, 3.25, 4.0, 4.75)
"""Logarithms (base 10) of the counts for which an ease is calibrated."""
_UNEASED = 5.5
"""From here on thresholds are those of the weights."""
_HALF_WIDTH = 0.375
_PER_INSTRUMENT = 64


@dataclass(frozen=True)
class DimThresholds:
    """How far thresholds are eased for dim spectra.

    Attributes
    ----------
    log10_counts : tuple of float
        Rising; between them the ease is interpolated, beyond it stays.
    eases : tuple of float, ≥ 0
        Log-odds by which thresholds are lowered at these counts.
    network : str
        Digest of the weights it was calibrated for; for others it means nothing.
    card : mapping
        How it was calibrated and with what result.
    """

    log10_counts: tuple[float, ...]
    eases: tuple[float, ...]
    network: str
    card: Mapping[str, Any]

    def __post_init__(self) -> None:
        known = np.array(self.log10_counts, dtype=float)
        if known.size != len(self.eases) or known.size == 0 or (np.diff(known) <= 0).any():
            raise ModelError(
                f"{len(self.eases)} eases for counts of {list(self.log10_counts)}",
                "There is one for each, and the counts rise: calibrate the thresholds again.",
            )

    @classmethod
    def load(cls, path: Path) -> DimThresholds:
        """Read a calibration.

        Raises
        ------
        ModelError
            If it is missing, damaged or of another version.
        """
        module = "xrfengine.classifier.dim_thresholds"
        return read_calibration(path, cls._of, "thresholds for dim spectra", module)

    @classmethod
    def _of(cls, values: Mapping[str, Any]) -> DimThresholds:
        return cls(
            tuple(float(v) for v in values["log10_counts"]),
            tuple(float(v) for v in values["eases"]),
            str(values["network"]),
            values["card"],
        )

    def save(self, path: Path) -> Path:
        """Write as JSON."""
        return write_calibration(path, asdict(self))

    def eased(self, thresholds: np.ndarray, counts: float | np.ndarray) -> np.ndarray:
        """Thresholds of the weights, (element,), for spectra of so many counts.

        Parameters
        ----------
        thresholds : ndarray, shape (element,), 0…1
        counts : float or ndarray, shape (n,), ≥ 0
            Total counts of a spectrum.

        Returns
        -------
        ndarray, float32, shape (element,) or (n, element)
            None above those given, none eased below :data:`LOWEST`.
        """
        return _eased(thresholds, self.ease(counts))

    def ease(self, counts: float | np.ndarray) -> np.ndarray:
        """Log-odds by which thresholds are lowered, in the shape of ``counts``."""
        known = np.log10(np.maximum(np.asarray(counts, dtype=np.float64), 1.0))
        return np.interp(known, self.log10_counts, self.eases)


def _eased(thresholds: np.ndarray, ease: np.ndarray) -> np.ndarray:
    usual = np.asarray(thresholds, dtype=np.float64)
    odds = _odds(usual) - np.asarray(ease)[..., None]
    lowered = np.maximum(1.0 / (1.0 + np.exp(-odds)), LOWEST)
    return np.minimum(lowered, usual).astype(np.float32)


def _odds(probability: np.ndarray | float) -> np.ndarray:
    return np.log(probability / (1.0 - np.asarray(probability, dtype=np.float64)))


def dim_path(weights: Path) -> Path:
    """Where the thresholds for dim spectra are kept: beside the weights."""
    return Path(weights).with_suffix(".dim.json")


def learn(
    probabilities: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray,
    thresholds: np.ndarray,
    network: str,
    *,
    alarms_per_spectrum: float = ALARMS_PER_SPECTRUM,
    levels: Sequence[float] = LEVELS,
    card: Mapping[str, Any] | None = None,
) -> DimThresholds:
    """The eases at which spectra of every level raise as many false alarms as allowed.

    Parameters
    ----------
    probabilities : ndarray, shape (n, element), 0…1
    labels : ndarray, shape (n, element)
        1 visible, 0 absent, −1 neither.
    counts : ndarray, shape (n,)
        Total counts.
    thresholds : ndarray, shape (element,), 0…1
        Of the weights.
    alarms_per_spectrum : float
        Elements reported though absent, mean over the spectra of a level.

    Raises
    ------
    ModelError
        If there are no spectra of a level.
    """
    known = np.log10(np.maximum(counts, 1.0))
    lowest = float(_odds(np.max(thresholds)) - _odds(LOWEST))  # further on nothing is eased
    eases, reached = [], []
    for level in levels:
        there = np.abs(known - level) <= _HALF_WIDTH
        if not there.any():
            raise ModelError(f"no spectra of about {10**level:.0f} counts", "Simulate more.")
        p, y = probabilities[there], labels[there]

        def alarms(ease: float, p: np.ndarray = p, y: np.ndarray = y) -> float:
            return float(((p >= _eased(thresholds, np.array(ease))) & (y == 0)).sum() / len(p))

        low, high = 0.0, lowest
        if alarms(high) <= alarms_per_spectrum:
            low = high
        elif alarms(low) <= alarms_per_spectrum:
            for _ in range(30):
                middle = 0.5 * (low + high)
                is_allowed = alarms(middle) <= alarms_per_spectrum
                low, high = (middle, high) if is_allowed else (low, middle)
        eases.append(round(low, 3))
        reached.append(_figures(p, y, thresholds, low))
    return DimThresholds(
        (*levels, _UNEASED),
        (*eases, 0.0),
        network,
        {
            **(card or {}),
            "false_alarms_asked": alarms_per_spectrum,
            "spectra": len(labels),
            "at_levels": dict(zip((f"{level:g}" for level in levels), reached, strict=True)),
        },
    )


def _figures(p: np.ndarray, y: np.ndarray, thresholds: np.ndarray, ease: float) -> dict[str, float]:
    figures: dict[str, float] = {"spectra": len(p)}
    for name, by in (("before", 0.0), ("eased", ease)):
        present = p >= _eased(thresholds, np.array(by))
        seen = y == 1
        figures[f"recall_{name}"] = round(float((present & seen).sum() / max(seen.sum(), 1)), 4)
        alarms = (present & (y == 0)).sum() / len(p)
        figures[f"false_alarms_per_spectrum_{name}"] = round(float(alarms), 4)
    return figures


def gather(
    classifier: Classifier, n_spectra: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (n, element), labels (n, element) and counts (n,) of simulated spectra.

    Drawn as those the network was trained on.
    """
    from xrfengine.classifier.simulate import SimulationSettings, Simulator

    settings = SimulationSettings.from_dict(classifier.card["simulation"])
    simulator = Simulator(settings, classifier.elements)
    rng = np.random.default_rng((seed, 0xD1))
    answers, labels, counts = [], [], []
    for done in range(0, n_spectra, _PER_INSTRUMENT):
        batch = simulator.batch(min(_PER_INSTRUMENT, n_spectra - done), rng, None)
        answers.append(classifier.probabilities(batch.counts, batch.calibration))
        labels.append(batch.labels)
        counts.append(batch.counts.sum(axis=1, dtype=np.float64))
    return np.concatenate(answers), np.concatenate(labels), np.concatenate(counts)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    from xrfengine.classifier.predict import Classifier

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--out", type=Path, help="default: beside the weights")
    parser.add_argument("--spectra", type=int, default=65_536)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument(
        "--false-alarms",
        type=float,
        default=ALARMS_PER_SPECTRUM,
        help=f"of a simulated spectrum, at every level of counts ({ALARMS_PER_SPECTRUM})",
    )
    given = parser.parse_args(arguments)
    classifier = Classifier.load(given.weights, device="cpu")
    found = gather(classifier, given.spectra, given.seed)
    dim = learn(
        *found,
        classifier.thresholds,
        classifier.digest,
        alarms_per_spectrum=given.false_alarms,
        card={"seed": given.seed},
    )
    path = dim.save(given.out or dim_path(given.weights))
    print(f"{path}: eased by {', '.join(f'{e:g}' for e in dim.eases)} in log-odds")
    print(json.dumps(dim.card, indent=1))


if __name__ == "__main__":
    main()
