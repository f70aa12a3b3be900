"""The periodic table: every element in its place, with what was found of it."""

from __future__ import annotations

from functools import partial

import panel as pn

from dashboard.components.elements import PeriodicTable
from dashboard.names import element_name
from dashboard.plots.thumbnails import FOLLOWS, LARGE_PX, Thumbnails, entries
from dashboard.results import Results
from dashboard.session import Session
from dashboard.session.overrides import VERDICTS
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress
from xrfengine.lines import SYMBOLS, labelled_lines

NAME = "table"
"""Of its act on the stage."""


class PeriodicTableView(pn.viewable.Viewer):
    """Follows everything while it is on stage, and catches up when it comes back."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._lines = results.further_work()
        self._picture = results.further_work()
        self._lines_of: dict[str, list] = {}
        self._range_kev: tuple[float, float] | None = None
        self._table = PeriodicTable(
            sizing_mode="stretch_both", margin=0, css_classes=["xrf-periodic"],
            on_message=self._take_message,
        )  # fmt: skip
        self._table.param.watch(self._choose, "value")
        results.param.watch(lambda *e: self._show_found(), ["found", "few", "overruled"])
        results.param.watch(lambda *e: self._show_scan(), ["opened", "maps"])
        session.param.watch(lambda *e: self._show_chosen(), ["element", "threshold", *FOLLOWS])

    def __panel__(self) -> PeriodicTable:
        return self._table

    def shown(self) -> None:
        """It came on stage."""
        self._show_scan()
        self._table.opened += 1

    @property
    def _is_on_stage(self) -> bool:
        return self.session.stage == NAME

    def _choose(self, event) -> None:
        if event.new:
            self.session.element = event.new

    def _take_message(self, data: dict) -> None:
        symbol = str(data.get("symbol", ""))
        if data.get("show"):
            self.session.stage = ""
        elif symbol in SYMBOLS and data.get("verdict") in ("", *VERDICTS):
            self.session.overrule(symbol, data["verdict"])

    def _show_scan(self) -> None:
        opened = self.results.opened
        if not self._is_on_stage or opened is None:
            return
        energy = opened.cube.energy_kev
        limits = (float(energy[0]), float(energy[-1]))
        if limits != self._range_kev:
            self._lines.start(
                partial(_lines, limits),
                then=lambda lines: self._take_lines(limits, lines),
                failed=self._tell,
            )
        self._show_cells()
        self._show_found()

    def _take_lines(self, limits_kev: tuple[float, float], lines: dict[str, list]) -> None:
        self._range_kev, self._lines_of = limits_kev, lines
        self._show_cells()

    def _show_cells(self) -> None:
        maps = self.results.maps
        measured = () if maps is None else maps.elements
        known = _known(self.results) or measured
        self._table.cells = [
            {
                "symbol": symbol,
                "number": number,
                "name": element_name(symbol),
                "known": symbol in known,
                "measured": symbol in measured,
                "lines": self._lines_of.get(symbol, []),
            }
            for number, symbol in enumerate(SYMBOLS)
            if number
        ]

    def _show_found(self) -> None:
        if not self._is_on_stage:
            return
        maps = self.results.maps
        kind = "probability" if maps is None else maps.kind
        self._table.param.update(found=entries(self.results), kind=kind)
        self._show_chosen()

    def _show_chosen(self) -> None:
        """The map of the chosen element beside its lines."""
        if not self._is_on_stage:
            return
        drawing, symbol = Thumbnails.of(self.results), self.session.element
        self._table.value = symbol
        if drawing is None or symbol not in drawing.maps.elements:
            self._picture.cancel()
            self._table.detail = {}
            return
        self._picture.start(
            partial(_detail, drawing, symbol),
            then=lambda detail: self._table.param.update(detail=detail, problem=""),
            failed=self._tell,
        )

    def _tell(self, error: XRFError) -> None:
        self._table.param.update(detail={}, problem=str(error))


def _known(results: Results) -> tuple[str, ...]:
    """What the model knows; nothing where there is no model."""
    try:
        return results.engine.classifier.elements
    except XRFError:
        return ()


def _lines(limits_kev, *, progress: Progress, cancel: CancelToken) -> dict[str, list]:
    return {
        symbol: [(line.name, line.energy_kev) for line in labelled_lines(symbol, *limits_kev)]
        for symbol in SYMBOLS[11:]
    }


def _detail(drawing: Thumbnails, symbol: str, *, progress: Progress, cancel: CancelToken) -> dict:
    return {
        "symbol": symbol,
        "src": drawing.drawn((symbol,), LARGE_PX, cancel)[symbol],
        "top": float(drawing.maps[symbol].max()),
        "threshold": drawing.thresholds[symbol],
    }
