"""All maps at once."""

from __future__ import annotations

from functools import partial

import panel as pn

from dashboard.components.elements import MapGrid
from dashboard.plots.thumbnails import FOLLOWS, LARGE_PX, Thumbnails, entries
from dashboard.results import Results
from dashboard.session import Session
from xrfengine.errors import XRFError

NAME = "maps"
"""Of its act on the stage."""


class MapGridView(pn.viewable.Viewer):
    """One map of each element in the list, in its order; a click chooses it and closes the grid."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._work = results.further_work()
        self._grid = MapGrid(
            value=session.element, sizing_mode="stretch_both", margin=0,
            css_classes=["xrf-map-grid"], on_message=self._take_message,
        )  # fmt: skip
        results.param.watch(lambda *e: self._draw(), ["found", "few", "overruled"])
        session.param.watch(lambda *e: self._draw(), list(FOLLOWS))
        session.param.watch(lambda e: self._grid.param.update(value=e.new), "element")

    def __panel__(self) -> MapGrid:
        return self._grid

    def shown(self) -> None:
        """It came on stage."""
        self._draw()
        self._grid.opened += 1

    def _take_message(self, data: dict) -> None:
        symbol = str(data.get("choose", ""))
        if self.results.maps is not None and symbol in self.results.maps.elements:
            self.session.param.update(element=symbol, stage="")

    def _draw(self) -> None:
        if self.session.stage != NAME:
            return
        drawing = Thumbnails.of(self.results)
        if drawing is None:
            self._grid.param.update(items=[], busy=True)
            return
        items = [item for item in entries(self.results) if item["mapped"]]
        height, width = drawing.display.shape
        before = {item["symbol"]: item["src"] for item in self._grid.items}
        self._grid.param.update(
            items=[{**item, "src": before.get(item["symbol"], "")} for item in items],
            aspect=min(max(width / height, 0.2), 5.0),
            problem="",
            busy=False,
        )
        self._work.start(
            partial(drawing.pictured, items, LARGE_PX),
            then=lambda pictured: self._grid.param.update(items=pictured),
            failed=self._tell,
        )

    def _tell(self, error: XRFError) -> None:
        self._grid.param.update(items=[], problem=str(error))
