"""What lies over the map: its scale bar, and what the pointer is at."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn

from dashboard.components.map import MapGlass
from dashboard.plots.display import Display
from dashboard.results import Results
from dashboard.session import Session

_OVER = """:host { position: absolute !important; inset: 0 !important; width: 100% !important;
  height: 100% !important; z-index: 4; margin: 0 !important; pointer-events: none; }"""
STRONGEST = 3
"""Elements of a pixel that are told."""


class Glass(pn.viewable.Viewer):
    """Follows the results; the map tells it how the scan lies."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._glass = MapGlass(stylesheets=[_OVER], margin=0, on_message=self._take_message)
        results.param.watch(lambda *e: self._show_scale(), "pixel_size_mm")
        self._show_scale()

    def __panel__(self) -> MapGlass:
        return self._glass

    def lie(self, display: Display) -> None:
        """The picture shows the scan so."""
        self._glass.matrix = display.to_scan_row()

    def tell(self, element: str, unit: str) -> None:
        """What the map's values are of, and their unit; empty for a probability."""
        self._glass.param.update(element=element, unit=unit)

    def _show_scale(self) -> None:
        self._glass.pixel_size_mm = self.results.pixel_size_mm or 0.0

    def _take_message(self, data: dict[str, Any]) -> None:
        place = data.get("at")
        if isinstance(place, list) and len(place) == 2:
            x, y = (int(v) if isinstance(v, int | float) else -1 for v in place)
            self._glass.told = {"at": [x, y], "items": strongest(self.results, x, y)}


def strongest(results: Results, x: int, y: int) -> list[list[str]]:
    """The elements of the sample with the largest values in a pixel, above their thresholds.

    Returns
    -------
    list of [symbol, value in words]
    """
    maps, session = results.maps, results.session
    if maps is None or not (0 <= y < maps.values.shape[1] and 0 <= x < maps.values.shape[2]):
        return []
    values = np.asarray(maps.values[:, y, x])
    thresholds = {**results.starts, **session.thresholds_of(session.method)}
    told = {item.element for item in (*results.found, *results.few) if not item.is_instrument}
    above = [
        (float(value), symbol)
        for value, symbol in zip(values, maps.elements, strict=True)
        if symbol in told and value >= thresholds.get(symbol, np.inf)
    ]
    above.sort(key=lambda pair: -pair[0])
    return [[symbol, _words(value, results.unit)] for value, symbol in above[:STRONGEST]]


def _words(value: float, unit: str) -> str:
    return f"{value:,.0f}" if unit and value >= 100 else f"{value:.1f}" if unit else f"{value:.2f}"
