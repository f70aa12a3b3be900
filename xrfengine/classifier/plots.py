"""Plots of an evaluation, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from xrfengine.cache import written_whole


def plot_roc(curves: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """ROC curves by element; false alarms on a logarithmic axis, where they differ.

    Parameters
    ----------
    curves : mapping
        From :func:`~xrfengine.classifier.scores.roc_by_element`.
    """
    figure = Figure(figsize=(8.0, 5.5), layout="constrained")
    axes = figure.add_subplot()
    worst = sorted(curves, key=lambda e: curves[e]["auc"])
    for element in reversed(worst):
        curve = curves[element]
        named = element in worst[:8]
        axes.plot(
            [max(x, 1e-4) for x in curve["false_alarm_rate"]],
            curve["recall"],
            color=None if named else "0.75",
            linewidth=1.6 if named else 0.7,
            label=f"{element}  {curve['auc']:.3f}" if named else None,
            zorder=3 if named else 2,
        )
    axes.set_xscale("log")
    axes.set_xlim(1e-4, 1.0)
    axes.set_ylim(0.0, 1.01)
    axes.set_xlabel("false-alarm rate")
    axes.set_ylabel("recall")
    axes.set_title("ROC by element, simulated spectra")
    if worst:
        axes.legend(title="lowest areas", frameon=False, loc="lower right")
    _save(figure, path)


def plot_by_number(by_number: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Accuracy, precision, recall and F1 against the number of elements."""
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.add_subplot()
    numbers = [int(n) for n in by_number]
    for key in ("accuracy", "precision", "recall", "f1"):
        axes.plot(numbers, [by_number[str(n)][key] for n in numbers], marker="o", label=key)
    axes.set_ylim(0.0, 1.01)
    axes.set_xlabel("elements put in")
    axes.set_title("Simulated spectra by number of elements")
    axes.legend(frameon=False, loc="lower left")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=130)
