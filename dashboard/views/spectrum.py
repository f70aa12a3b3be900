"""The spectrum viewer: the whole scan, the selection, and the lines of the chosen element."""

from __future__ import annotations

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import (
    AdaptiveTicker,
    BoxZoomTool,
    CustomJSTickFormatter,
    HoverTool,
    PanTool,
    ResetTool,
    SingleIntervalTicker,
    WheelZoomTool,
)

from dashboard import figures, stock
from dashboard.components import Caption, Tools
from dashboard.pane import body, pane, show_state, state_cover, title_row
from dashboard.pictures import (
    HIGHLIGHT,
    energy_limits,
    spectrum_floor,
    spectrum_heights,
    stagger,
)
from dashboard.results import Results
from dashboard.session import Session
from dashboard.shown import READY, State
from xrfengine.lines import labelled_lines

INK = {"light": "#24413f", "dark": "#c9d8d5"}
ACCENT = {"light": "#0b6e6e", "dark": "#4fc0b5"}
SCALE_NAMES = {"Linear": "linear", "Log": "log", "√": "sqrt"}
_FORMATS = {
    "linear": "return tick.toLocaleString('en-US', {maximumFractionDigits: 3})",
    "sqrt": "return (tick * Math.abs(tick)).toLocaleString('en-US', {maximumFractionDigits: 2})",
    "log": """
        const whole = Math.round(tick)
        if (Math.abs(tick - whole) > 1e-6) return ""
        if (whole >= -2 && whole <= 4) return (10 ** whole).toLocaleString('en-US')
        return "10" + String(whole).replace(/./g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)])
    """,
}
_HEADROOM = 0.24
"""Share of the plot kept free above the curves for the names of lines."""


class SpectrumView(pn.viewable.Viewer):
    """The spectrum pane."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._build_figure()
        self._title = Caption(text="Spectrum")
        scale = pmui.RadioButtonGroup(
            options=SCALE_NAMES, value=session.scale, size="small", margin=0, height=32, width=160,
            description="How counts are drawn: small peaks show on a logarithmic scale",
        )  # fmt: skip
        scale.link(session, value="scale")
        session.param.watch(lambda e: scale.param.update(value=e.new), "scale")
        tools = Tools(prefix="xrf-spectrum", options=["Move", "Box"], value="Move", width=100)
        self._cover = state_cover()
        self._layout = pane(
            title_row(self._title, scale, tools),
            body(pn.pane.Bokeh(self._figure, sizing_mode="stretch_both", margin=0), self._cover),
            area="spectrum",
            css_class="xrf-spectrum",
        )
        results.param.watch(lambda *e: self._show_scan(), "opened")
        results.param.watch(lambda *e: self._show_selection(), "selected")
        results.param.watch(lambda *e: self._show_state(), ["selection_state", "map_state"])
        session.param.watch(lambda *e: self._show_all(), "scale")
        session.param.watch(lambda *e: self._show_lines(), "element")
        session.param.watch(lambda *e: self._follow_theme(), "theme")
        self._follow_theme()
        self._show_state()

    def __panel__(self) -> pn.Column:
        return self._layout

    def _build_figure(self) -> None:
        tools = {
            "Move": PanTool(dimensions="width"),
            "Box": BoxZoomTool(dimensions="width"),
            "wheel": WheelZoomTool(dimensions="width"),
            "reset": ResetTool(),
        }
        for name, tool in tools.items():
            tool.name = f"xrf-spectrum-{name}"
        fig = stock.take("spectrum")
        fig.toolbar.tools = list(tools.values())
        fig.name = "xrf-spectrum-figure"
        fig.toolbar.active_scroll, fig.toolbar.active_drag = tools["wheel"], tools["Move"]
        fig.add_tools(
            HoverTool(
                renderers=[figures.layer(fig, "whole")],
                tooltips="@energy{0.00} keV: @counts{0,0.[000]} counts per pixel",
                mode="vline",
                line_policy="nearest",
                point_policy="follow_mouse",
            )
        )
        fig.xaxis.axis_label = "Energy (keV)"
        fig.yaxis.axis_label = "Counts per pixel"
        fig.ygrid.grid_line_color = None
        fig.xgrid.visible = True
        fig.ygrid.visible = False
        fig.min_border_top = 4
        fig.min_border_right = 16
        figures.layer(fig, "whole").glyph.line_width = 1.25
        figures.layer(fig, "chosen").glyph.line_width = 1.5
        figures.layer(fig, "chosen").glyph.line_color = HIGHLIGHT
        for name in ("whole", "chosen"):
            figures.layer(fig, name).data_source.data = {"energy": [], "rate": [], "counts": []}
        marks, names = figures.layer(fig, "marks").glyph, figures.layer(fig, "names").glyph
        marks.line_dash, marks.line_width = "4 3", 1
        names.update(text_font_size="12px", text_font_style="bold", text_align="center")
        self._figure = fig

    def _follow_theme(self) -> None:
        theme = self.session.theme
        fig = self._figure
        figures.layer(fig, "whole").glyph.line_color = INK[theme]
        figures.layer(fig, "marks").glyph.line_color = ACCENT[theme]
        figures.layer(fig, "names").glyph.text_color = ACCENT[theme]
        self._show_chips()

    def _show_chips(self) -> None:
        if self.results.opened is None:
            self._title.chips = []
            return
        chips = [(INK[self.session.theme], "whole scan")]
        if self.results.selected is not None:
            chips.append((HIGHLIGHT, "selection"))
        self._title.chips = chips

    def _show_scan(self) -> None:
        opened = self.results.opened
        self._show_chips()
        if opened is None:
            for name in ("whole", "chosen"):
                self._put(name, None)
            return
        whole = opened.whole
        low, high = energy_limits(whole.energy_kev, whole.mean_counts)
        x = self._figure.x_range
        x.update(start=low, end=high, reset_start=low, reset_end=high)
        self._show_all()
        self._show_state()

    def _show_all(self) -> None:
        opened, scale = self.results.opened, self.session.scale
        if opened is None:
            return
        axis, mean = self._figure.yaxis[0], opened.whole.mean_counts
        axis.formatter = CustomJSTickFormatter(code=_FORMATS[scale])
        axis.ticker = SingleIntervalTicker(interval=1) if scale == "log" else AdaptiveTicker()
        self._floor = spectrum_floor(mean)
        self._put("whole", opened.whole)
        self._put("chosen", self.results.selected and self.results.selected.spectrum)
        self._fit_height()
        self._show_lines()

    def _put(self, name: str, spectrum) -> None:
        source = figures.layer(self._figure, name).data_source
        if spectrum is None:
            source.data = {"energy": [], "rate": [], "counts": []}
            return
        mean = spectrum.mean_counts
        source.data = {
            "energy": spectrum.energy_kev.astype(np.float32),
            "rate": spectrum_heights(mean, self.session.scale, self._floor).astype(np.float32),
            "counts": mean.astype(np.float32),
        }

    def _fit_height(self) -> None:
        """Room for both curves, and for the names above them."""
        opened, selected = self.results.opened, self.results.selected
        energy = opened.whole.energy_kev
        sound = energy >= min(0.3, float(energy[-2]))  # the zero peak of some files dwarfs all
        top = opened.whole.mean_counts[sound].max(initial=0.0)
        if selected is not None:
            top = max(top, selected.spectrum.mean_counts[sound].max(initial=0.0))
        scale = self.session.scale
        low, high = spectrum_heights(np.array([self._floor, max(top, self._floor * 2)]), scale,
                                     self._floor)  # fmt: skip
        low = low if scale == "log" else 0.0
        high = low + (high - low) / (1 - _HEADROOM)
        y = self._figure.y_range
        if not np.allclose([y.start, y.end], [low, high]):
            y.update(start=low, end=high, reset_start=low, reset_end=high)
            self._show_lines()

    def _show_lines(self) -> None:
        opened, fig = self.results.opened, self._figure
        marks = figures.layer(fig, "marks").data_source
        names = figures.layer(fig, "names").data_source
        lines = ()
        if opened is not None and self.session.element:
            energy = opened.whole.energy_kev
            lines = labelled_lines(
                self.session.element, max(float(energy[0]), 0.6), float(energy[-1])
            )
        x = np.array([line.energy_kev for line in lines])
        y0, y1 = fig.y_range.start, fig.y_range.end
        span = (fig.x_range.reset_end or 40.0) - (fig.x_range.reset_start or 0.0)
        levels = stagger(x, 0.085 * span)
        top = y1 - (y1 - y0) * (0.035 + 0.055 * levels)
        marks.data = {
            "energy": x, "rate": np.full(x.shape, y0), "energy1": x,
            "rate1": top - (y1 - y0) * 0.03,
        }  # fmt: skip
        names.data = {
            "energy": x,
            "rate": top,
            "name": [f"{line.element} {line.name}" for line in lines],
        }

    def _show_selection(self) -> None:
        selected = self.results.selected
        if self.results.opened is None:
            return
        self._put("chosen", selected and selected.spectrum)
        self._fit_height()
        self._show_chips()

    def _show_state(self) -> None:
        has_content = self.results.opened is not None
        state = self.results.selection_state if has_content else READY
        if not has_content:
            failed = self.results.map_state.kind == "error"
            state = (
                State("empty", "No scan is open", "Choose another data set above.")
                if failed
                else State("loading", "Opening the scan")
            )
        show_state(self._cover, state, has_content=has_content)
