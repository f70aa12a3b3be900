"""The strip of small maps: one of each element in the list."""

from __future__ import annotations

from functools import partial

import panel as pn

from dashboard.components.elements import SmallMaps
from dashboard.plots.thumbnails import FOLLOWS, STRIP_PX, Thumbnails, entries
from dashboard.results import Results
from dashboard.session import Session
from xrfengine.errors import XRFError

MOST = 40
"""Maps in the strip: of more than can be told apart, the first."""
_STRIP = {"border-top": "1px solid var(--xrf-hairline)", "padding": "6px 0", "flex": "none"}


def _by_picture(item: dict) -> tuple[bool, float]:
    """What was found comes first, and of that what is on half of the area: the strip has room for
    four, and of lead white every one would be the same full square."""
    share = item["share"]
    return item["list"] != "found", share * (share - 1.0) if item["list"] == "found" else 0.0


class SmallMapsView(pn.viewable.Viewer):
    """A click chooses the element; hovering shows its map in the large one, in the browser."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._work = results.further_work()
        self._strip = SmallMaps(
            figure="xrf-map-figure", sizing_mode="stretch_both", margin=0,
            on_message=self._take_message,
        )  # fmt: skip
        self._show_chosen()
        self._strip.param.watch(lambda e: self._choose(e.new), "value")
        self._layout = pn.Column(
            self._strip, height=112, sizing_mode="stretch_width", margin=0, styles=_STRIP,
            css_classes=["xrf-small-maps"],
        )  # fmt: skip
        results.param.watch(lambda *e: self._draw(), ["found", "few", "overruled"])
        session.param.watch(lambda *e: self._draw(), list(FOLLOWS))
        session.param.watch(lambda *e: self._show_chosen(), ["element", "energy_window_kev"])

    def __panel__(self) -> pn.Column:
        return self._layout

    def _show_chosen(self) -> None:
        # While a window is mapped no element is.
        is_window = self.session.energy_window_kev is not None
        self._strip.value = "" if is_window else self.session.element

    def _choose(self, symbol: str) -> None:
        if symbol:
            self.session.param.update(element=symbol, energy_window_kev=None)

    def _take_message(self, data: dict) -> None:
        if data.get("all"):
            self.session.stage = "maps"

    def _draw(self) -> None:
        drawing = Thumbnails.of(self.results)
        if drawing is None:
            self._strip.param.update(items=[])
            return
        items = [item for item in entries(self.results) if item["mapped"]]
        items = sorted(items, key=_by_picture)[:MOST]
        height, width = drawing.display.shape
        self._work.start(
            partial(drawing.pictured, items, STRIP_PX),
            then=lambda pictured: self._strip.param.update(items=pictured, shape=(width, height)),
            failed=self._tell,
        )

    def _tell(self, error: XRFError) -> None:
        self._strip.param.update(items=[], problem=str(error))
