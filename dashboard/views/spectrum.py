"""The spectrum viewer: the whole scan, the selection, and the lines of the chosen element."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from dashboard.components import Caption, Choice, Tools
from dashboard.components.spectrum import SpectrumStrip
from dashboard.frames.pane import body, pane, show_state, state_cover, title_row
from dashboard.frames.sheet import Sheet
from dashboard.names import element_name
from dashboard.plots import figures
from dashboard.plots.pictures import HIGHLIGHT, energy_limits, stagger
from dashboard.results import Results
from dashboard.results.spectrum import shown_counts
from dashboard.session import Session
from dashboard.shown import READY, State
from dashboard.spectrum.compared import RegionCurves, area, curves_of, scaled
from dashboard.spectrum.cursor import marked_lines, neighbour
from dashboard.spectrum.edges import edges_around, told_edges, typed_edges
from dashboard.spectrum.figure import FAMILY_DASH, GROUND, INK, MODEL, SpectrumFigure
from dashboard.spectrum.heights import Heights
from dashboard.spectrum.residual import Residual

SCALE_NAMES = {"Linear": "linear", "Log": "log", "√": "sqrt"}
STATISTIC_NAMES = [["Mean", "mean"], ["Sum", "sum"], ["Maximum", "max"]]
_CURVES = (("whole", "scan"), ("chosen", "selection"))


class SpectrumView(pn.viewable.Viewer):
    """The spectrum pane."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self.figure = SpectrumFigure(self._ask_peak, self._take_window)
        self._regions = RegionCurves(self.figure.model)
        self._heights: Heights | None = None
        self._residual: Residual | None = None
        self._title = Caption(text="Spectrum")
        self._strip = SpectrumStrip(
            height=32, sizing_mode="stretch_width", margin=0, on_message=self._take_message
        )
        self._sheets()
        self._cover = state_cover()
        self._body = body(
            self._strip,
            pn.pane.Bokeh(self.figure.model, sizing_mode="stretch_both", margin=0),
            self._cover, self._peak_sheet.panel, self._display_sheet.panel,
        )  # fmt: skip
        self._layout = pane(
            title_row(
                self._title, self._statistic(), self._scale(),
                Tools(prefix="xrf-spectrum", options=["Move", "Zoom", "Window"], width=134),
                self._peak_sheet.button, self._display_sheet.button,
            ),
            self._body,
            area="spectrum",
            css_class="xrf-spectrum",
        )  # fmt: skip
        on_results, on_session = results.param.watch, session.param.watch
        on_results(lambda *e: self._show_scan(), "opened")
        on_results(lambda *e: self._show_selection(), ["selected", "maxima"])
        on_results(lambda *e: self._show_names(), "peak_names")
        on_results(lambda *e: self._show_fit(), ["reading"])
        on_results(lambda *e: self._show_peak(), "peak")
        on_results(lambda *e: self._show_state(),
                   ["selection_state", "map_state", "reading_state", "window_state"])  # fmt: skip
        on_results(lambda *e: self._show_strip(), "window")
        on_results(lambda *e: self._show_regions(), "regions")
        on_session(lambda *e: self._show_all(), ["scale", "statistic", "equal_area"])
        on_session(lambda *e: self._show_regions(), "hidden_curves")
        on_session(lambda *e: (self._show_lines(), self._show_names()), "element")
        on_session(lambda *e: self._show_fit(), "show_fit")
        on_session(lambda *e: self._show_window(), "energy_window_kev")
        on_session(lambda *e: self._show_peak(), "peak_kev")
        on_session(lambda *e: self._follow_theme(), "theme")
        self._follow_theme()
        self._show_window()
        self._show_peak()
        self._show_state()

    def __panel__(self) -> pn.Column:
        return self._layout

    # ---- controls

    def _statistic(self) -> Choice:
        choice = Choice(
            options=STATISTIC_NAMES, value=self.session.statistic, label="", margin=0, height=32,
            width=88, description="Of the counts of all pixels in each channel: their mean, their "
            "sum, or the highest, which shows what only few pixels hold",
        )  # fmt: skip
        choice.link(self.session, value="statistic")
        self.session.param.watch(lambda e: choice.param.update(value=e.new), "statistic")
        return choice

    def _scale(self) -> pmui.RadioButtonGroup:
        scale = pmui.RadioButtonGroup(
            options=SCALE_NAMES, value=self.session.scale, size="small", margin=0, height=32,
            width=150,
            description="How counts are drawn: small peaks show on a logarithmic scale",
        )  # fmt: skip
        scale.link(self.session, value="scale")
        self.session.param.watch(lambda e: scale.param.update(value=e.new), "scale")
        return scale

    def _sheets(self) -> None:
        self._peak_sheet = Sheet(
            "What is this peak?", self._candidates, icon="help_outline", width_px=340,
            description="What a peak can be: click one in the spectrum",
        )  # fmt: skip
        self._display_sheet = Sheet(
            "Spectrum settings", self._settings, icon="tune", width_px=280,
            description="Names of peaks, fit, energy calibration",
        )  # fmt: skip
        for sheet, other in (
            (self._peak_sheet, self._display_sheet), (self._display_sheet, self._peak_sheet),
        ):  # fmt: skip
            sheet.button.param.watch(lambda e, o=other: o.close() if e.new else None, "value")
        self._peak_sheet.button.param.watch(self._forget_peak, "value")

    def _candidates(self) -> Any:
        from dashboard.spectrum.candidates import candidates_panel

        return candidates_panel(self.session, self.results, self._peak_sheet.close)

    def _settings(self) -> Any:
        from dashboard.spectrum.display import display_panel

        return display_panel(self.session, self._begin_window)

    def _ask_peak(self, energy_kev: float) -> None:
        if self.results.opened is not None and energy_kev > 0:
            self.session.peak_kev = min(round(energy_kev, 3), 200.0)

    def _forget_peak(self, event: Any) -> None:
        if not event.new:
            self.session.peak_kev = None

    def _take_window(self, low: float, high: float, is_final: bool = True) -> None:
        """A window was drawn; or an edge of it moves, and its map follows until it is let go."""
        opened = self.results.opened
        if opened is None:
            return
        energy, known = opened.whole.energy_kev, self.session.energy_window_kev
        window = (round(max(low, energy[0], 0.0), 4), round(min(high, energy[-1]), 4))
        if is_final and window != known and window[0] < window[1]:
            self.session.energy_window_kev = window
        elif known is not None:
            self.results.try_window(*window)

    def _begin_window(self) -> None:
        """Around the chosen element's main line, to be moved from there."""
        opened, element = self.results.opened, self.session.element
        edges = edges_around(element, opened.cube) if opened is not None and element else None
        if edges is not None:
            self._take_window(*edges)
            self._display_sheet.close()

    def _take_message(self, data: dict[str, Any]) -> None:
        if "step" in data:
            self._step_element(1 if data["step"] > 0 else -1)
        elif "curve" in data:
            hidden = set(self.session.hidden_curves) ^ {str(data["curve"])}
            known = ("scan", "selection", *(region.id for region in self.session.regions))
            self.session.hidden_curves = tuple(id for id in known if id in hidden)
        elif "equal" in data:
            self.session.equal_area = bool(data["equal"])
        elif (edges := typed_edges(data.get("window"))) is not None:
            self._take_window(*edges, data.get("final") is True)
        elif data.get("act") == "close-window":
            self.session.energy_window_kev = None
        elif data.get("act") == "calibrate":
            self.session.stage = "calibrate"

    def _step_element(self, by: int) -> None:
        """To the next element of the periodic table that has a line in range."""
        opened, maps = self.results.opened, self.results.maps
        if opened is None or maps is None:
            return
        symbols, energy = self.results.engine.classifier.elements, opened.whole.energy_kev
        self.session.element = neighbour(self.session.element, by, symbols, energy)

    # ---- what is drawn

    def _follow_theme(self) -> None:
        self.figure.follow_theme(self.session.theme)
        if self._residual is not None:
            self._residual.follow_theme(self.session.theme)
        self._show_strip()

    def _counts(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Counts of scan and selection, as the statistic says; None where there are none."""
        opened, selected = self.results.opened, self.results.selected
        maxima, statistic = self.results.maxima, self.session.statistic
        whole = shown_counts(opened and opened.whole, maxima.get("scan"), statistic)
        chosen = shown_counts(selected and selected.spectrum, maxima.get("selection"), statistic)
        return whole, self._levelled(chosen)

    def _levelled(self, counts: np.ndarray | None) -> np.ndarray | None:
        """Scaled to the area of the scan's curve, where that is asked for."""
        opened = self.results.opened
        if not self.session.equal_area or opened is None or counts is None:
            return counts
        whole = shown_counts(opened.whole, self.results.maxima.get("scan"), self.session.statistic)
        if whole is None:
            return counts
        energy = opened.whole.energy_kev
        return scaled(energy, counts, area(energy, whole))

    def _show_scan(self) -> None:
        opened = self.results.opened
        if opened is None:
            for name in ("whole", "chosen"):
                self.figure.clear(name)
            self.figure.put_fit(None, np.zeros(0), np.zeros(0))
            self._show_strip()
            return
        whole = opened.whole
        self.figure.show_energies(*energy_limits(whole.energy_kev, whole.mean_counts))
        self.figure.limit_window(*whole.energy_kev[[0, -1]])
        self._show_all()
        self._show_state()

    def _show_all(self) -> None:
        whole, _ = self._counts()
        if whole is None:
            return  # of the maximum, until it is there
        session = self.session
        self.figure.follow_axis(session.scale, session.statistic, session.equal_area)
        self._heights = Heights.above(whole, self.session.scale)
        self._put_curves()
        self._show_lines()
        self._show_names()
        self._show_fit()

    def _put_curves(self) -> None:
        energy, hidden = self.results.opened.whole.energy_kev, self.session.hidden_curves
        curves, shown = self._counts(), []
        for (name, id), counts in zip(_CURVES, curves, strict=True):
            if counts is None or id in hidden:
                self.figure.clear(name)
            else:
                self.figure.put(name, energy, self._heights.of(counts), counts)
                shown.append(counts)
        regions = [
            replace(curve, counts=self._levelled(curve.counts))
            for curve in curves_of(self.results.regions, self.session.statistic)
            if curve.id not in hidden
        ]
        self._regions.put(energy, self._heights, regions)
        shown += [curve.counts for curve in regions]
        if self.figure.show_heights(*self._heights.limits(energy, *shown)):
            self._show_lines()

    def _show_regions(self) -> None:
        if self.results.opened is not None and self._heights is not None:
            self._put_curves()
            self._show_strip()

    def _show_selection(self) -> None:
        if self.results.opened is None:
            return
        if self.session.statistic == "max":
            self._show_all()
        elif self._heights is not None:
            self._put_curves()
        self._show_strip()

    def _show_lines(self) -> None:
        opened, fig = self.results.opened, self.figure.model
        energy = None if opened is None else opened.whole.energy_kev
        lines = () if energy is None else marked_lines(self.session.element, energy)
        x = np.array([line.energy_kev for line in lines])
        y0, y1 = fig.y_range.start, fig.y_range.end
        span = (fig.x_range.reset_end or 40.0) - (fig.x_range.reset_start or 0.0)
        top = y1 - (y1 - y0) * (0.035 + 0.055 * stagger(x, 0.085 * span))
        figures.layer(fig, "marks").data_source.data = {
            "energy": x, "rate": np.full(x.shape, y0), "energy1": x,
            "rate1": top - (y1 - y0) * 0.03, "dash": [FAMILY_DASH[line.family] for line in lines],
        }  # fmt: skip
        figures.layer(fig, "names").data_source.data = {
            "energy": x, "rate": top, "name": [f"{line.element} {line.name}" for line in lines],
        }  # fmt: skip
        self._strip.param.update(
            element=self.session.element,
            element_name=element_name(self.session.element) if self.session.element else "",
            families=[f for f in FAMILY_DASH if any(line.family == f for line in lines)],
        )

    def _show_names(self) -> None:
        """Names at the peaks of the curve they were found in."""
        whole, chosen = self._counts()
        counts = whole if chosen is None else chosen
        source = figures.layer(self.figure.model, "peaks").data_source
        names = self.results.peak_names if counts is not None and self._heights else ()
        # The chosen element's lines have names of their own, above.
        names = [name for name in names if name.line.element != self.session.element]
        channels = [min(max(round(name.channel), 0), counts.size - 1) for name in names]
        text = [f"{name.line.element} {name.line.name}" for name in names]
        tops = np.array([counts[max(c - 2, 0) : c + 3].max() for c in channels])
        source.data = {
            "energy": [round(name.energy_kev, 4) for name in names],  # to 0.1 eV
            "rate": self._heights.of(tops) if names else [],
            "name": text,
            "text": [""] * len(text),  # the browser says which of them have room, and where
            "up": [0] * len(text),
        }

    def _show_fit(self) -> None:
        reading, session = self.results.reading, self.session
        shown = session.show_fit and reading is not None and session.statistic != "max"
        if not shown or self._heights is None:
            self.figure.put_fit(None, np.zeros(0), np.zeros(0))
            if self._residual is not None:
                self._residual.pane.visible = False
            self._show_strip()
            return
        curve = reading.curve
        scale = 1.0 if session.statistic == "sum" else 1.0 / reading.spectrum.n_pixels
        if session.equal_area:
            energy, whole = self.results.opened.whole.energy_kev, self._counts()[0]
            scale = area(energy, whole) / max(area(energy, reading.spectrum.counts), 1e-9)
        model, background = (self._heights.of(c * scale) for c in (curve.model, curve.background))
        self.figure.put_fit(curve.energy_kev, model, background)
        if self._residual is None:
            self._residual = Residual(self.figure.model.x_range)
            self._residual.follow_theme(session.theme)
            self._body.insert(2, self._residual.pane)
        self._residual.put(curve.residual_kev, curve.residual)
        self._residual.pane.visible = True
        self._show_strip()

    def _show_peak(self) -> None:
        asked, peak = self.session.peak_kev, self.results.peak
        if asked is not None:
            self._place_sheet(asked)
            self._peak_sheet.button.value = True
        elif asked is None and self._peak_sheet.is_open and peak is not None:
            self._peak_sheet.close()
        self.figure.put_pointer(asked)

    def _place_sheet(self, energy_kev: float) -> None:
        """Over the half of the spectrum that the peak is not in."""
        x = self.figure.model.x_range
        is_right = x.start is not None and energy_kev > 0.5 * (x.start + x.end)
        side = {"left": "0", "right": "auto"} if is_right else {"left": "auto", "right": "0"}
        self._peak_sheet.panel.styles = side

    def _show_window(self) -> None:
        self.figure.put_window(self.session.energy_window_kev)
        self._show_strip()

    def _show_strip(self) -> None:
        results, session = self.results, self.session
        opened, theme, reading = results.opened, session.theme, results.reading
        chips, fit, mark = [], [], []
        if opened is not None:
            chips = [(INK[theme], "whole scan", "scan")]
            if results.selected is not None:
                chips.append((HIGHLIGHT, results.selected_name, "selection"))
            chips += [(f.region.colour, f.region.name, f.region.id) for f in results.regions]
            if session.show_fit and session.statistic == "max":
                fit = ["no fit of a maximum", "The fit is one of mean or sum: choose these"]
            elif session.show_fit and reading is not None:
                chips += [(MODEL[theme], "model", ""), (GROUND[theme], "background", "")]
                fit = [
                    f"χ² {reading.curve.chi2:.1f}",
                    "Reduced χ²: squared residual for each degree of freedom, with counting noise "
                    "and 1 % of the model as its deviation; about 1 where the model is complete",
                ]
            if opened.own_calibration is not None:
                mark = ["Recalibrated", "The energies are not the file's: see or undo it"]
        hidden = session.hidden_curves
        self._strip.param.update(
            chips=[(*chip, chip[2] not in hidden) for chip in chips],
            fit=fit, mark=mark, equal=session.equal_area, height=64 if results.regions else 32,
            window=told_edges(session.energy_window_kev, opened and opened.cube),
            window_told=f"Counts at {results.window.name}" if results.window else "",
        )  # fmt: skip

    def _show_state(self) -> None:
        results = self.results
        has_content = results.opened is not None
        told = (results.selection_state, results.window_state, results.reading_state)
        state = next((one for one in told if one.kind != "ready"), READY)
        if self._peak_sheet.is_open and state is results.reading_state:
            state = READY  # told in the sheet
        if not has_content:
            state = State("loading", "Opening the scan")
            if results.map_state.kind == "error":
                state = State("empty", "No scan is open", "Choose another data set above.")
        show_state(self._cover, state, has_content=has_content)
