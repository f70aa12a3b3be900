"""The upper part of the rail: which element, from which threshold on, averaged over how many
pixels."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard.components.elements import Elements, Threshold
from dashboard.names import element_name
from dashboard.plots.figures import MAPPER_NAME
from dashboard.plots.pictures import MAP_PALETTES, ramp, window_limits
from dashboard.plots.thumbnails import entries
from dashboard.results import Results
from dashboard.session import REGIONS_PX, Session
from dashboard.session.overrides import VERDICTS

_SECTION = {"padding": "12px 16px", "border-bottom": "1px solid var(--xrf-hairline)"}


class RailView(pn.viewable.Viewer):
    """The rail at the left."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._elements = Elements(
            css_classes=["xrf-element"], sizing_mode="stretch_width", margin=0, styles=_SECTION,
            on_message=self._take_words,
        )  # fmt: skip
        self._elements.param.watch(self._choose, "value")
        self._threshold = Threshold(
            css_classes=["xrf-threshold"], sizing_mode="stretch_width", margin=0,
            mapper=MAPPER_NAME, ramp=ramp(MAP_PALETTES[session.colours]), styles=_SECTION,
        )  # fmt: skip
        self._threshold.param.watch(self._take_threshold, "value")
        self._region = pmui.RadioButtonGroup(
            options={f"{k}": k for k in REGIONS_PX}, value=_nearest(session.region_px),
            label="", size="small", margin=0, height=32, css_classes=["xrf-region-size"],
            sizing_mode="stretch_width", styles={"padding": "0 16px"},
            description="Spectra of k×k neighbouring pixels are added up before they are "
            "classified: less noise, coarser map (region size, pixels)",
        )  # fmt: skip
        self._region.param.watch(lambda e: setattr(session, "region_px", e.new), "value")
        heading = pn.pane.HTML(
            "<div style='font-size:12px;font-weight:600;color:var(--xrf-muted)'>"
            "Average over k × k pixels</div>",
            margin=0, styles={"padding": "12px 16px 4px"}, sizing_mode="stretch_width",
        )  # fmt: skip
        self._layout = pn.Column(
            self._elements, self._threshold, heading, self._region,
            pn.Spacer(height=12, styles={"border-bottom": "1px solid var(--xrf-hairline)"},
                      sizing_mode="stretch_width", margin=0),
            sizing_mode="stretch_width", margin=0, styles={"gap": "0", "flex": "none"},
        )  # fmt: skip
        results.param.watch(lambda *e: self._show_found(), ["found", "few", "overruled"])
        results.param.watch(
            lambda e: self._elements.param.update(problem=e.new), "overrides_problem"
        )
        results.param.watch(lambda *e: self._show_threshold(), ["maps", "starts", "window", "unit"])
        session.param.watch(lambda *e: self._show_element(), ["element", "energy_window_kev"])
        session.param.watch(
            lambda *e: self._show_threshold(),
            ["threshold", "method", "window_threshold", "top_percentile", "colours"],
        )
        session.param.watch(lambda e: self._region.param.update(value=_nearest(e.new)), "region_px")
        self._show_element()

    def __panel__(self) -> pn.Column:
        return self._layout

    def _choose(self, event) -> None:
        if event.new:
            self.session.param.update(element=event.new, energy_window_kev=None)

    def _take_words(self, data: dict) -> None:
        """What the user says of an element, or asks for."""
        if data.get("table"):
            self.session.stage = "table"
        elif data.get("verdict") in ("", *VERDICTS):
            self.session.overrule(str(data.get("symbol")), data["verdict"])

    def _show_found(self) -> None:
        maps = self.results.maps
        found = entries(self.results)
        added = sum(item["verdict"] == "present" for item in found)
        listed = sum(item["list"] == "found" for item in found)
        note = f"{listed - added} found" + (f", {added} added" if added else ", by share of area")
        symbols = () if maps is None else maps.elements
        self._elements.param.update(
            found=found,
            all=[{"symbol": s, "name": element_name(s)} for s in symbols],
            note=note if maps is not None else "",
        )

    def _show_element(self) -> None:
        # While a window is mapped no element is: any click leads back.
        is_window = self.session.energy_window_kev is not None
        self._elements.value = "" if is_window else self.session.element
        self._show_threshold()

    def _take_threshold(self, event: Any) -> None:
        name = "threshold" if self.results.window is None else "window_threshold"
        setattr(self.session, name, event.new)

    def _show_threshold(self) -> None:
        if (window := self.results.window) is not None:
            start, high = window_limits(window)
            self._threshold.param.update(
                symbol=window.name, low=0.0, high=high, top=high, start=start,
                value=self.session.window_threshold, label=f"Threshold{_counted(window.unit)}",
                description=f"{window.unit.capitalize()} per pixel at {window.name}: "
                "in colour from here on",
            )  # fmt: skip
            return
        maps, element = self.results.maps, self.session.element
        if maps is None or element not in maps.elements:
            self._threshold.symbol = ""
            return
        high = self.results.limit(element)
        start = self.results.starts.get(element, 0.5)
        what = (
            f"Probability that {element_name(element)} is visible here"
            if maps.kind == "probability"
            else f"Net counts of {element_name(element)} per pixel, "
            + ("fitted" if maps.kind == "fit" else "in a window around its main line")
        )
        self._threshold.param.update(
            symbol=element,
            low=0.0,
            high=max(high, start * 1.5) if maps.kind != "probability" else 1.0,
            top=self.results.top(element),
            ramp=ramp(MAP_PALETTES[self.session.colours]),
            start=start,
            value=self.session.threshold,
            label=f"Threshold{_counted(self.results.unit) or ' for ' + element}",
            description=f"{what}: in colour from here on",
        )


def _counted(unit: str) -> str:
    """In what the threshold is told, as a label goes on."""
    return "" if not unit else ", counts/s" if "second" in unit else ", counts"


def _nearest(region_px: int) -> int:
    """The button that stands for a region size from a link."""
    return min(REGIONS_PX, key=lambda k: abs(k - region_px))
