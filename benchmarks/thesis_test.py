"""The thesis's own test with our checkpoint of its network: its generator, its 20 elements.

    python benchmarks/thesis_test.py [--model FILE] [--spectra N] [--json FILE] [--plots FOLDER]

Area under the ROC curve by element and precision by number of elements (thesis 3.2), on fresh
spectra of the generator. Labels there say what was put in, however weak: the rest to an AUC of 1
is in part what no method could see.

Our ``compact`` weights are not run on this generator: its spectra are scaled to a maximum of 1
and carry no counting noise, while the compact network reads the noise off the counts. Whatever
scale were chosen would decide the result.

``run(model) -> dict`` and ``print_table(result)`` are for ``benchmarks/identification.py``, under
``"thesis_test"``; ``run`` raises ``ModelError`` where there are no weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xrfengine.assets import asset
from xrfengine.classifier.evaluate_simulated import evaluate_simulated
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.simulate import SimulationSettings
from xrfengine.jobs import Progress, no_progress

N_SPECTRA = 4000


def run(
    model: Path | None = None,
    *,
    n_spectra: int = N_SPECTRA,
    seed: int = 1,
    folder: Path | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Test a ``thesis`` checkpoint on the thesis's generator.

    Parameters
    ----------
    model : Path or None
        Weights; None: ``assets/thesis.safetensors``.
    n_spectra : int
        For ROC curves; an eighth of it for each number of elements.
    folder : Path or None
        Where plots go; None: none.

    Returns
    -------
    dict
        As :func:`~xrfengine.classifier.evaluate_simulated.evaluate_simulated`.

    Raises
    ------
    ModelError
        If there are no weights.
    """
    # The device is named lest a GPU change the last digits of what a CPU reports.
    path = asset("thesis.safetensors") if model is None else model
    classifier = Classifier.load(path, device="cpu")
    # Its generator whatever the card says: figures of other simulations do not compare.
    return evaluate_simulated(
        classifier,
        folder,
        simulation=SimulationSettings(preset="thesis"),
        n_spectra=n_spectra,
        n_per_count=max(n_spectra // 8, 1),
        seed=seed,
        progress=progress,
    )


def print_table(result: Mapping[str, Any]) -> None:
    """The result in columns."""
    model, overall = result["model"], result["overall"]
    print(
        f"Thesis test, {model['name']} {model['digest']}: {result['n_spectra']} spectra, "
        f"mean AUC {_cell(result['mean_auc'])}, average precision "
        f"{_cell(result['average_precision'])}, F1 {_cell(overall['f1'])}"
    )
    areas = sorted(result["auc"].items(), key=lambda pair: pair[1])
    print("  AUC: " + "  ".join(f"{element} {_cell(area)}" for element, area in areas))
    print(f"  {'elements':<10}" + "".join(f"{n:>7}" for n in result["by_number"]))
    for key in ("precision", "recall", "f1"):
        cells = "".join(f"{_cell(scores[key]):>7}" for scores in result["by_number"].values())
        print(f"  {key:<10}{cells}")


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--spectra", type=int, default=N_SPECTRA)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plots", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    result = run(given.model, n_spectra=given.spectra, seed=given.seed, folder=given.plots)
    print_table(result)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
