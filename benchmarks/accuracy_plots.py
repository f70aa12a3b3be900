"""Two plots for ``docs/accuracy.md`` from what the benchmarks wrote.

    python benchmarks/accuracy_plots.py IDENTIFICATION.json [--injection INJECTION.json]
                                        [--out docs]

``f1_against_counts.svg``: X-ray spectra thinned to fewer counts, F1 of each method with its 95 %
band over materials; peers at the cut that is best for that very level, ours at its own thresholds.
``recall_against_significance.svg``: the injection test, recall with its 95 % band over spectra.

Reads ``"thinning"`` and ``"injection"`` of the JSON file of ``benchmarks/identification.py``, or
the latter from the file of ``benchmarks/injection.py``. A method keeps its colour in both plots;
the colours are those of Okabe and Ito (2008), told apart with any colour vision.

``run(identification, folder) -> list of paths`` is for ``benchmarks/identification.py``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from xrfengine.cache import written_whole

STYLES: dict[str, tuple[str, str]] = {
    "xrfengine": ("#0072B2", "o"),
    "xrfengine+fit": ("#D55E00", "s"),
    "greedy": ("#009E73", "D"),
    "PyMca peaks": ("#CC79A7", "^"),
    "PyMca fit": ("#56B4E9", "v"),
    "NNLS": ("#E69F00", "P"),
    "ROI windows": ("#7F7F7F", "X"),
    "thesis": ("#000000", "*"),
}
"""Method → colour and marker."""

OURS = ("xrfengine", "xrfengine+fit")
MUST_RECALL, MUST_SIGMA = 0.90, 10.0
_RC = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.labelcolor": "#222222",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "svg.hashsalt": "xrfengine",  # the same figures give the same file
    "svg.fonttype": "path",
}


@dataclass(frozen=True)
class Curve:
    """One method: a value and its 95 % interval at each place; a note for the legend."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    note: str = ""


def thinning_curves(levels: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """F1 against counts, from the list that ``benchmarks/thinning.py`` makes."""
    points: dict[str, list[tuple[float, float, float, float]]] = {}
    for level in sorted(levels, key=lambda level: level["counts"]):
        for name, found in level["methods"].items():
            f1 = found.get("tuned", found["default"])["f1"]
            points.setdefault(name, []).append((level["counts"], f1, *found["f1_95"]))
    return _curves(points)


def injection_curves(result: Mapping[str, Any]) -> list[Curve]:
    """Recall against significance, from the result of ``benchmarks/injection.py``.

    Who reports everything finds everything: the further false alarms go into the legend.
    """
    points: dict[str, list[tuple[float, float, float, float]]] = {}
    for name, found in result["methods"].items():
        for sigma in result["sigmas"]:
            recall, interval = found["recall"][str(sigma)], found["interval"][str(sigma)]
            if recall is not None and interval is not None:
                points.setdefault(name, []).append((sigma, recall, *interval))
    notes = {
        name: f"{found['further_false_alarms']:.2f} further false alarms"
        for name, found in result["methods"].items()
    }
    return [replace(curve, note=notes[curve.name]) for curve in _curves(points)]


def _curves(points: Mapping[str, list[tuple[float, float, float, float]]]) -> list[Curve]:
    ordered = sorted(points, key=lambda name: name not in OURS)
    return [Curve(name, *zip(*points[name], strict=True)) for name in ordered]


def plot_thinning(curves: Sequence[Curve], path: Path) -> None:
    """Draw F1 against counts."""
    with rc_context(_RC):
        figure, axes = _canvas(curves)
        axes.set_xscale("log")
        axes.set_xlabel("counts in the spectrum")
        axes.set_ylabel("F1")
        axes.set_title("Real X-ray spectra thinned to fewer counts", loc="left", fontsize=12)
        lowest = min(value for curve in curves for value in curve.low)
        axes.set_ylim(max(0.0, 0.1 * int(10 * lowest - 0.3)), 1.0)
        _save(figure, path)


def plot_injection(curves: Sequence[Curve], path: Path) -> None:
    """Draw recall against significance, with the place that must be reached."""
    with rc_context(_RC):
        figure, axes = _canvas(curves)
        axes.set_xscale("log")
        ticks = sorted({x for curve in curves for x in curve.x})
        axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("marginal significance of the injected lines (σ)")
        axes.set_ylabel("recall")
        axes.set_title("Line groups added to real X-ray spectra", loc="left", fontsize=12)
        axes.set_ylim(0.0, 1.01)
        lowest = axes.get_xlim()[0]
        axes.plot(
            [lowest, MUST_SIGMA, MUST_SIGMA],
            [MUST_RECALL, MUST_RECALL, 0.0],
            color="#999999",
            linewidth=0.9,
            linestyle=(0, (4, 3)),
            zorder=1,
        )
        axes.set_xlim(left=lowest)
        axes.annotate(
            "to be reached",
            (lowest, MUST_RECALL),
            (4, 3),
            textcoords="offset points",
            fontsize=9,
            color="#777777",
        )
        _save(figure, path)


def _canvas(curves: Sequence[Curve]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.0, 4.4), layout="constrained", facecolor="white")
    axes = figure.add_subplot(facecolor="white")
    axes.grid(axis="y", color="#E3E3E3", linewidth=0.8)
    axes.set_axisbelow(True)
    for curve in curves:
        colour, marker = STYLES.get(curve.name, ("#7F7F7F", "."))
        mine = curve.name in OURS
        axes.fill_between(
            curve.x, curve.low, curve.high, color=colour, alpha=0.13, linewidth=0, zorder=2
        )
        axes.plot(
            curve.x,
            curve.y,
            color=colour,
            marker=marker,
            markersize=6.5 if mine else 5.0,
            linewidth=2.4 if mine else 1.4,
            label=f"{curve.name}\n({curve.note})" if curve.note else curve.name,
            zorder=4 if mine else 3,
            clip_on=False,
        )
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasSVG(figure)
    # Without a date the same figures give the same file.
    with written_whole(Path(path)) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})


def run(identification: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what the result holds; paths of the files written."""
    written = []
    if identification.get("thinning"):
        written.append(Path(folder) / "f1_against_counts.svg")
        plot_thinning(thinning_curves(identification["thinning"]), written[-1])
    if identification.get("injection"):
        written.append(Path(folder) / "recall_against_significance.svg")
        plot_injection(injection_curves(identification["injection"]), written[-1])
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("identification", type=Path, nargs="?")
    parser.add_argument("--injection", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    given = parser.parse_args()
    if given.identification is None and given.injection is None:
        parser.error("give a file of identification.py, or one of injection.py")
    result: dict[str, Any] = {}
    if given.identification is not None:
        result |= json.loads(given.identification.read_text(encoding="utf-8"))
    if given.injection is not None:
        result["injection"] = json.loads(given.injection.read_text(encoding="utf-8"))
    for path in run(result, given.out):
        print(path)


if __name__ == "__main__":
    main()
