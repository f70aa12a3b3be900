"""What is selected, and the regions that are kept: the lower part of the rail."""

from __future__ import annotations

from typing import Any

import panel as pn

from dashboard.components import Regions, SelectionCard
from dashboard.names import element_name
from dashboard.results import Results
from dashboard.results.listing import seen
from dashboard.results.regions import RegionFacts
from dashboard.session import OPERATIONS, Session
from dashboard.session.regions import LONGEST_NAME
from xrfengine.regions import OKABE_ITO, region_colour

_SECTION = {"padding": "12px 16px"}
COLOURS = tuple(region_colour(n) for n in range(2 * len(OKABE_ITO)))


class RegionsView(pn.viewable.Viewer):
    """The selection and the list of regions."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._selection = SelectionCard(
            sizing_mode="stretch_width", margin=0, styles=_SECTION, css_classes=["xrf-selection"],
            on_message=self._take_message,
        )  # fmt: skip
        self._selection.param.watch(self._choose, "value")
        self._list = Regions(
            sizing_mode="stretch_width", margin=0, css_classes=["xrf-kept"], colours=list(COLOURS),
            styles={**_SECTION, "border-top": "1px solid var(--xrf-hairline)"},
            on_message=self._take_order,
        )  # fmt: skip
        self._list.param.watch(self._choose, "value")
        self._layout = pn.Column(
            self._selection, self._list, sizing_mode="stretch_width", margin=0,
            styles={"gap": "0", "flex": "none"},
        )  # fmt: skip
        results.param.watch(lambda *e: self._show_selection(), "selected")
        results.param.watch(lambda *e: self._show_regions(), ["regions", "opened", "pixel_size_mm"])
        results.param.watch(lambda *e: self._show_element(), "maps")
        session.param.watch(lambda *e: self._follow_overrides(), "overrides")
        session.param.watch(lambda *e: self._show_regions(), "hidden_regions")
        session.param.watch(lambda *e: self._show_element(), ["element", "threshold", "method"])
        self._show_element()

    def __panel__(self) -> pn.Column:
        return self._layout

    def _follow_overrides(self) -> None:
        self._show_selection()
        self._show_regions()

    def _choose(self, event) -> None:
        if event.new:
            self.session.element = event.new

    def _take_message(self, data: dict[str, Any]) -> None:
        if data.get("clear"):
            self.session.selection = None
        elif data.get("keep"):
            self.results.keep_selection()
        elif data.get("above"):
            self.results.select_above()

    def _take_order(self, data: dict[str, Any]) -> None:
        """What was clicked in the list."""
        session, id, order = self.session, str(data.get("id")), data.get("do")
        if session.region(id) is None:
            return
        if order == "rename":
            name = str(data.get("name", "")).strip()[:LONGEST_NAME]
            if name:
                session.change_region(id, name=name)
            else:
                self._show_regions(anew=True)
        elif order == "colour" and data.get("colour") in COLOURS:
            session.change_region(id, colour=data["colour"])
        elif order == "toggle":
            hidden = set(session.hidden_regions) ^ {id}
            session.hidden_regions = tuple(r.id for r in session.regions if r.id in hidden)
        elif order == "select" and data.get("operation") in OPERATIONS:
            self.results.select_region(id, data["operation"])
        elif order == "delete":
            session.drop_region(id)

    def _show_element(self) -> None:
        maps, element = self.results.maps, self.session.element
        is_mapped = maps is not None and element in maps.elements
        self._selection.param.update(
            value=element, above=f"{element} is above its threshold" if is_mapped else ""
        )
        self._list.value = element

    def _show_selection(self) -> None:
        selected = self.results.selected
        self._list.has_selection = selected is not None
        if selected is None:
            self._selection.param.update(title="", items=[], instrument="", detail="", busy=False)
            return
        per_pixel = selected.spectrum.total / selected.spectrum.n_pixels
        self._selection.param.update(
            title=selected.title,
            detail=f"{per_pixel:,.0f} counts/px",
            colour=selected.colour,
            items=self._found(selected.identified),
            instrument=self._instrument(selected.identified),
            busy=selected.identified is None,
            value=self.session.element,
        )

    def _show_regions(self, anew: bool = False) -> None:
        opened = self.results.opened
        if opened is None:
            self._list.items = []
            return
        pixel_mm = self.results.pixel_size_mm
        hidden = self.session.hidden_regions
        if anew:  # so that a name that was refused is written over
            self._list.items = []
        self._list.items = [
            {
                "id": facts.region.id,
                "name": facts.region.name,
                "colour": facts.region.colour,
                "size": _size(facts.n_pixels, pixel_mm),
                "counts": _counts(facts),
                "elements": self._found(facts.identified),
                "busy": facts.identified is None,
                "error": "" if facts.error is None else f"{facts.error.message}.",
                "shown": facts.region.id not in hidden,
            }
            for facts in self.results.regions
        ]

    def _found(self, identified: tuple | None) -> list[dict[str, Any]]:
        return [
            {
                "symbol": i.symbol,
                "name": element_name(i.symbol),
                "probability": round(i.probability, 4),
            }
            for i in seen(identified or (), self.session.overrides)
        ]

    def _instrument(self, identified: tuple | None) -> str:
        """Symbols of what the spectrum shows, but need not be the sample's."""
        mine = {item.symbol for item in seen(identified or (), self.session.overrides)}
        return " ".join(
            item.symbol
            for item in identified or ()
            if item.present and item.is_instrument and item.symbol not in mine
        )


def _size(n_pixels: int, pixel_mm: float | None) -> str:
    """Pixels, and the area where the pixel's size is known."""
    pixels = f"{n_pixels:,} px"
    if not pixel_mm:
        return pixels
    area = n_pixels * pixel_mm**2
    return f"{pixels} · {area:,.0f} mm²" if area >= 100 else f"{pixels} · {area:.3g} mm²"


def _counts(facts: RegionFacts) -> str:
    if facts.spectrum is None:
        return ""
    total = facts.spectrum.total
    return f"{total:,.0f} counts, {total / facts.spectrum.n_pixels:,.0f} per pixel"
