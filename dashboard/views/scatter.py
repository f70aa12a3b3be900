"""Two elements against each other, and the table of how all of them go together."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import panel as pn

from dashboard.components import Choice, Tools
from dashboard.components.scatter import CorrelationTable, ScatterBar
from dashboard.frames.pane import body, show_state, state_cover
from dashboard.plots import figures
from dashboard.plots.axes import axis_limits, axis_title, on_axis
from dashboard.plots.points import COLOUR_NAMES, PointsPlot
from dashboard.results import Results
from dashboard.session import Selection, Session
from dashboard.shown import State, failed_state
from xrfengine.correlate import Correlations, correlations
from xrfengine.cube import ElementMaps
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress

INK = {"light": "#566360", "dark": "#9badaa"}
_TOLD = (
    "Pearson: how well a straight line describes the pair; Spearman: how well any rising or "
    "falling relation does; −1 to 1. Counting noise makes both smaller than they are in truth"
)


def paired(session: Session, results: Results) -> tuple[str, str] | None:
    """The two elements shown: those chosen, else the one on the map and the most frequent other."""
    maps = results.maps
    if maps is None or len(maps.elements) < 2:
        return None
    listed = [item.element for item in results.found if not item.is_instrument]
    ranked = [*listed, *maps.elements]
    across = session.across if session.across in maps.elements else session.element
    if across not in maps.elements:
        across = ranked[0]
    up = session.up if session.up in maps.elements else ""
    return across, up or next(symbol for symbol in ranked if symbol != across)


class ScatterView(pn.viewable.Viewer):
    """The scatter of two elements, below the title row of the embedding's pane."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._shown: tuple | None = None
        self._correlate = results.further_work()
        self._plot = PointsPlot(session, results, "scatter", self._take_drawn, self._cannot_draw)
        self.tools = Tools(
            prefix="xrf-scatter", options=["Move", "Lasso", "Box"], value="Lasso", width=134
        )
        self._dress(self._plot.figure)
        self._bar = ScatterBar(
            margin=0, sizing_mode="stretch_width", on_message=self._take_message,
            colours=list(COLOUR_NAMES.items()), colour=session.colour_by, title=_TOLD,
            styles={"flex": "none"},
        )  # fmt: skip
        self._cover = state_cover()
        self._layout = body(
            pn.pane.Bokeh(self._plot.figure, sizing_mode="stretch_both", margin=0),
            self._bar,
            self._cover,
        )
        results.param.watch(lambda *e: self._show(), ["maps", "found", "map_state"])
        results.param.watch(lambda *e: self._show_correlation(), "selected")
        session.param.watch(lambda *e: self._show(), ["across", "up", "log_axes", "element"])
        session.param.watch(lambda e: self._bar.param.update(colour=e.new), "colour_by")
        session.param.watch(lambda *e: self._dress(self._plot.figure), "theme")

    def __panel__(self) -> pn.Column:
        return self._layout

    def show(self, is_seen: bool) -> None:
        """Come into view, or go."""
        self._layout.visible = self.tools.visible = self._plot.is_seen = is_seen
        if is_seen:
            self._shown = None
            self._show()

    def _dress(self, fig) -> None:
        ink = INK[self.session.theme]
        for axis in (*fig.xaxis, *fig.yaxis):
            axis.update(
                visible=True, axis_line_color=None, major_tick_line_color=ink,
                minor_tick_line_color=None, major_label_text_color=ink, axis_label_text_color=ink,
                major_label_text_font_size="12px", axis_label_text_font_size="12px",
                axis_label_text_font_style="normal", axis_label_standoff=4,
            )  # fmt: skip
            axis.ticker.desired_num_ticks = 4

    def _show(self) -> None:
        if not self._plot.is_seen:
            return
        session, maps, pair = self.session, self.results.maps, paired(self.session, self.results)
        if pair is None:
            waiting = State("loading", "Two elements need the maps")
            show_state(self._cover, waiting, has_content=False)
            self._plot.show(None)
            self._shown = None
            return
        self._cover.kind = "ready"
        wanted = (maps, *pair, session.log_axes)
        if self._shown == wanted:
            return
        is_same_place = self._shown is not None and self._shown[1:] == wanted[1:]
        self._shown = wanted
        points = np.column_stack([on_axis(maps[e].ravel(), maps.kind, session.log_axes)
                                  for e in pair])  # fmt: skip
        fig = self._plot.figure
        for axis, symbol in ((fig.xaxis[0], pair[0]), (fig.yaxis[0], pair[1])):
            axis.axis_label = axis_title(symbol, maps.kind)
            axis.major_label_overrides = {}
            axis.formatter = figures.decades() if session.log_axes else figures.plain_numbers()
        limits = [axis_limits(column, maps.kind, session.log_axes) for column in points.T]
        if is_same_place:  # the same two of other maps: coarse ones give way to fine ones
            limits = [(fig.x_range.start, fig.x_range.end), (fig.y_range.start, fig.y_range.end)]
        self._plot.show(points, (*limits[0], *limits[1]))
        found = {item.element for item in self.results.found}
        symbols = [*(e for e in maps.elements if e in found), *(
            e for e in maps.elements if e not in found)]  # fmt: skip
        self._bar.param.update(
            elements=[(e, e) for e in symbols],
            across=pair[0], up=pair[1], log=session.log_axes,
        )  # fmt: skip
        self._show_correlation()

    def _show_correlation(self) -> None:
        if self._shown is None or not self._plot.is_seen:
            return
        maps, across, up, _ = self._shown
        selected = self.results.selected
        mask, where = (None, "whole scan, ") if selected is None else (selected.mask, "selection, ")
        self._correlate.start(
            partial(_correlated, maps, (across, up), mask),
            then=lambda told: self._bar.param.update(text=_told(told, where)),
            failed=lambda error: self._bar.param.update(text=error.message),
        )

    def _take_drawn(self, part: Selection, operation: str | None) -> None:
        if self._shown is None:
            return
        maps, across, up, is_log = self._shown
        part = replace(
            part, element=across, element_up=up, is_log=is_log,
            method=self.session.method, region_px=maps.region_px,
        )  # fmt: skip
        self.session.draw(part, operation)

    def _take_message(self, data: dict) -> None:
        session = self.session
        if "across" in data:
            session.across = str(data["across"])
        elif "up" in data:
            session.up = str(data["up"])
        elif "log" in data:
            session.log_axes = bool(data["log"])
        elif data.get("colour") in COLOUR_NAMES.values():
            session.colour_by = data["colour"]
        elif "table" in data:
            session.stage = "correlations"

    def _cannot_draw(self, error: XRFError) -> None:
        show_state(self._cover, failed_state(error), has_content=True)


def _correlated(
    maps: ElementMaps, elements: tuple[str, ...], mask: np.ndarray | None, *,
    progress: Progress, cancel: CancelToken,
) -> Correlations:  # fmt: skip
    values = np.stack([maps[element] for element in elements])
    return correlations(values, elements, mask, cancel=cancel)


def _told(told: Correlations, where: str) -> str:
    pearson, spearman = (
        "–" if np.isnan(r := each[0, 1]) else f"{r:.2f}".replace("-", "−")
        for each in (told.pearson, told.spearman)
    )
    return f"Pearson {pearson}, Spearman {spearman}\n{where}{told.n_pixels:,} pixels"


class CorrelationView(pn.viewable.Viewer):
    """The table of how all found elements go together, on the stage."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._work = results.further_work()
        self._where = Choice(label="in", margin=0, description="Over which pixels")
        self._where.param.watch(lambda e: setattr(session, "table_of", e.new), "value")
        self._measure = Choice(
            label="coefficient", margin=0, description=_TOLD, value=session.coefficient,
            options=[("Spearman, any relation", "spearman"), ("Pearson, straight line", "pearson")],
        )  # fmt: skip
        self._measure.link(session, value="coefficient")
        self._table = CorrelationTable(
            margin=0, sizing_mode="stretch_both", on_message=self._take_message
        )
        self._cover = state_cover()
        row = pn.Row(
            self._where, self._measure, margin=0, height=48,
            styles={"padding": "8px 16px", "gap": "24px", "flex": "none"},
        )  # fmt: skip
        self._layout = pn.Column(
            row, body(self._table, self._cover), sizing_mode="stretch_both", margin=0,
            styles={"height": "100%", "display": "flex", "flex-direction": "column"},
        )  # fmt: skip
        results.param.watch(
            lambda *e: self._if_on_stage(), ["maps", "found", "selected", "regions", "map_state"]
        )
        session.param.watch(lambda *e: self._if_on_stage(), ["table_of", "coefficient"])

    def __panel__(self) -> pn.Column:
        return self._layout

    def shown(self) -> None:
        """It came on stage."""
        self._show()

    def _if_on_stage(self) -> None:
        if self.session.stage == "correlations":
            self._show()

    def _places(self) -> dict[str, tuple[str, np.ndarray | None]]:
        """What pixels can be taken: by value of the choice, a word and a mask."""
        places = {"": ("the whole scan", None)}
        if self.results.selected is not None:
            places["selection"] = ("the selection", self.results.selected.mask)
        for facts in self.results.regions:
            if facts.mask is not None:
                places[facts.region.id] = (facts.region.name, facts.mask)
        return places

    def _show(self) -> None:
        maps, places = self.results.maps, self._places()
        where = self.session.table_of if self.session.table_of in places else ""
        self._where.param.update(
            options=[(word, value) for value, (word, _) in places.items()], value=where
        )
        self._measure.value = self.session.coefficient
        if maps is None:
            show_state(self._cover, State("loading", "The table needs the maps"), has_content=False)
            return
        elements = tuple(
            item.element for item in self.results.found
            if not item.is_instrument and item.element in maps.elements
        )  # fmt: skip
        if len(elements) < 2:
            few = State("empty", "Fewer than two elements were found", "Lower their thresholds.")
            self._table.elements = []
            show_state(self._cover, few, has_content=False)
            return
        word, mask = places[where]
        self._work.start(
            partial(_correlated, maps, elements, mask),
            then=partial(self._show_table, word),
            failed=self._cannot_correlate,
        )

    def _show_table(self, word: str, told: Correlations) -> None:
        self._cover.kind = "ready"
        values = getattr(told, self.session.coefficient)
        self._table.param.update(
            elements=list(told.elements),
            values=[[None if np.isnan(v) else round(float(v), 3) for v in row] for row in values],
            caption=f"Found elements in {word}, {told.n_pixels:,} pixels. {_TOLD}. Click a cell to "
            "see the pair.",
        )

    def _cannot_correlate(self, error: XRFError) -> None:
        told = State("error", error.message, error.hint)
        show_state(self._cover, told, has_content=bool(self._table.elements))

    def _take_message(self, data: dict) -> None:
        across, up = (str(symbol) for symbol in data.get("pair", ("", "")))
        if across and up:
            self.session.param.update(across=across, up=up, points="elements", stage="")
