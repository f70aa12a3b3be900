"""The one map that is shown: of an element or of a window of energies, and how it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xrfengine.export.analysis import METHOD_WORDS, Analysis
from xrfengine.names import element_name


@dataclass(frozen=True, eq=False)
class ShownMap:
    """A map with what is said of it.

    Attributes
    ----------
    title : str
    values : ndarray, shape (y, x)
        Of the whole scan, as it was scanned.
    threshold, top : float
        Where the colours begin and end.
    unit, told : str
        ``"probability"``; the method in words.
    element : str
        Symbol; empty for a window of energies.
    """

    title: str
    values: np.ndarray
    threshold: float
    top: float
    unit: str
    told: str
    region_px: int
    element: str = ""


def shown_map(analysis: Analysis) -> ShownMap:
    """What is shown: the window of energies, else the element.

    Raises
    ------
    SettingsError
        If there is no map of the element.
    """
    window = analysis.window
    if window is not None:
        return ShownMap(
            window.name,
            window.values,
            window.threshold,
            max(window.top, window.threshold + 1e-6),
            f"{window.unit} per pixel",
            f"{window.unit.capitalize()} between these energies",
            window.region_px,
        )
    maps, element, facts = analysis.maps, analysis.element, analysis.provenance
    values = maps[element]
    low, top = colour_range(analysis, element)
    unit = "probability" if maps.kind == "probability" else analysis.unit or "net counts per pixel"
    told = METHOD_WORDS.get(facts.method, facts.method)
    title = f"{element}  {element_name(element)}"
    return ShownMap(title, values, low, top, unit, told, maps.region_px, element)


def colour_range(analysis: Analysis, element: str) -> tuple[float, float]:
    """Where the colours of an element's map begin and end, in its unit."""
    threshold = float(analysis.thresholds.get(element, 0.5))
    return threshold, max(_top(analysis, element), threshold + 1e-6)


def _top(analysis: Analysis, element: str) -> float:
    """Where the colours end: at the percentile, else 1 for probabilities, the 99.8th for counts."""
    values = analysis.maps[element]
    if analysis.top_percentile is None and analysis.maps.kind == "probability":
        return 1.0
    return float(np.percentile(values, analysis.top_percentile or 99.8))
