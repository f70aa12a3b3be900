"""The figure of the spectrum pane: curves, lines, names of peaks, the fit, and its tools."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from bokeh.core.properties import field
from bokeh.events import Tap
from bokeh.models import (
    AdaptiveTicker,
    BoxAnnotation,
    BoxSelectTool,
    BoxZoomTool,
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    HoverTool,
    PanTool,
    ResetTool,
    SingleIntervalTicker,
    Span,
    WheelZoomTool,
)

from dashboard.plots import figures, stock
from dashboard.plots.pictures import HIGHLIGHT
from dashboard.spectrum.heights import AXIS_WORDS, FORMATS

INK = {"light": "#24413f", "dark": "#c9d8d5"}
ACCENT = {"light": "#0b6e6e", "dark": "#4fc0b5"}
MUTED = {"light": "#566360", "dark": "#9badaa"}
MODEL = {"light": "#a3195b", "dark": "#ff8fc0"}
GROUND = {"light": "#7a5a00", "dark": "#d9b44a"}
FAMILY_DASH = {"K": "solid", "L": "dashed", "M": "dotted"}
LEFT_PX = 64
"""Of the axis, so that the residual below lies under its spectrum."""

_EMPTY = {"energy": [], "rate": []}

_FREE_NAMES = """
const w = fig.inner_width, h = fig.inner_height
if (!(w > 4 && h > 4)) return
const {start: x0, end: x1} = fig.x_range, {start: y0, end: y1} = fig.y_range
const place = (e, r) => [(e - x0) / (x1 - x0) * w, (1 - (r - y0) / (y1 - y0)) * h]
const taken = []
const free = (b) => b[0] > 0 && b[1] < w
    && taken.every((t) => b[1] < t[0] || b[0] > t[1] || b[3] < t[2] || b[2] > t[3])
const box = (x, y, text, up) => {
    const half = 3.6 * text.length + 3
    return [x - half, x + half, y - (up ? 16 : 8), y + (up ? 0 : 8)]
}
const l = lines.data
for (let i = 0; i < l.energy.length; i++)
    taken.push(box(...place(l.energy[i], l.rate[i]), l.name[i], false))
const p = peaks.data, text = [], up = []
for (let i = 0; i < p.energy.length; i++) {
    const [x, y] = place(p.energy[i], p.rate[i])
    const level = [4, 18, 32].find((d) => free(box(x, y - d, p.name[i], true)))
    if (level != null) taken.push(box(x, y - level, p.name[i], true))
    text.push(level == null ? "" : p.name[i])
    up.push(-(level ?? 4))
}
if (text.some((t, i) => t != p.text[i] || up[i] != p.up[i]))
    peaks.setv({data: {...p, text, up}}, {sync: false})
"""
"""Names that would cover others, or the names of the chosen element's lines, are left out; the
most significant come first. In the browser: it depends on the zoom."""

_WINDOW = """
if (!cb_obj.final || cb_obj.geometry.type != "rect") return
const {x0, x1} = cb_obj.geometry
const round = (v) => Math.round(v * 10000) / 10000
mailbox.data = {low: [round(Math.min(x0, x1))], high: [round(Math.max(x0, x1))], final: [true]}
"""
_EDGES = """
if (band.tags.length) return
band.tags = ["heard"]
const round = (v) => Math.round(v * 10000) / 10000
let waiting = null
const tell = (final) => {
    clearTimeout(waiting)
    waiting = null
    const ends = [round(band.left), round(band.right)]
    mailbox.data = {low: [Math.min(...ends)], high: [Math.max(...ends)], final: [final]}
}
band.pan.connect(([phase]) => {
    if (phase == "pan:end") tell(true)
    else if (phase == "pan") waiting ??= setTimeout(() => tell(false), 100)
})
"""
"""An edge that moves tells where it is ten times a second, and where it was let go. The band
itself is not sent: every move of the mouse would be."""
_GRIP_PX = 10
_NARROWEST_KEV = 0.02


def _told(statistic: str) -> str:
    words = AXIS_WORDS[statistic]
    return f"@energy{{0.00}} keV: @counts{{0,0.[000]}} {words[0].lower()}{words[1:]}"


class SpectrumFigure:
    """Draws what it is given; knows neither session nor results.

    Parameters
    ----------
    on_peak : callable
        Called with the energy in keV that was clicked.
    on_window : callable
        Called with (low, high) in keV and True when a window was drawn or its edge let go, False
        while an edge moves.
    """

    def __init__(
        self, on_peak: Callable[[float], None], on_window: Callable[[float, float, bool], None]
    ) -> None:
        self.model = fig = stock.take("spectrum")
        self._theme, self._scale = "light", ""
        tools = {
            "Move": PanTool(dimensions="width"),
            "Zoom": BoxZoomTool(dimensions="width"),
            "Window": BoxSelectTool(dimensions="width", continuous=False, renderers=[]),
            "wheel": WheelZoomTool(dimensions="width"),
            "reset": ResetTool(),
        }
        for name, tool in tools.items():
            tool.name = f"xrf-spectrum-{name}"
        fig.toolbar.tools = list(tools.values())
        fig.name = "xrf-spectrum-figure"
        fig.toolbar.active_scroll, fig.toolbar.active_drag = tools["wheel"], tools["Move"]
        self._hover = HoverTool(
            renderers=[figures.layer(fig, "whole")],
            tooltips=_told("mean"),
            mode="vline",
            line_policy="nearest",
            point_policy="follow_mouse",
        )
        fig.add_tools(self._hover)
        tools["Window"].overlay.update(
            fill_color="#4fc0b5", fill_alpha=0.15, line_color="#0b6e6e", line_dash="solid"
        )
        fig.xaxis.axis_label = "Energy (keV)"
        fig.ygrid.grid_line_color = None
        fig.xgrid.visible, fig.ygrid.visible = True, False
        fig.min_border_top, fig.min_border_right, fig.min_border_left = 4, 16, LEFT_PX
        figures.layer(fig, "whole").glyph.line_width = 1.25
        figures.layer(fig, "chosen").glyph.update(line_width=1.5, line_color=HIGHLIGHT)
        for name in ("whole", "chosen"):
            figures.layer(fig, name).data_source.data = {**_EMPTY, "counts": []}
        marks = figures.layer(fig, "marks")
        marks.data_source.data = {key: [] for key in ("energy", "rate", "energy1", "rate1", "dash")}
        marks.glyph.update(line_dash=field("dash"), line_width=1)
        figures.layer(fig, "names").glyph.update(
            text_font_size="12px", text_font_style="bold", text_align="center"
        )
        self._add_peaks()
        self.band = BoxAnnotation(
            left=0, right=0, fill_color="#4fc0b5", fill_alpha=0.18, visible=False,
            line_color="#0b6e6e", line_alpha=0.0, line_width=_GRIP_PX, hover_line_color="#0b6e6e",
            hover_line_alpha=0.8, hover_line_width=2, hover_fill_color="#4fc0b5",
            hover_fill_alpha=0.18,
            level="underlay", editable=True, resizable="x", movable="none",
            min_width=_NARROWEST_KEV, syncable=False, name="xrf-window-band",
        )  # fmt: skip
        self.pointer = Span(
            dimension="height", line_width=1, line_dash="dotted", location=0, visible=False
        )
        fig.add_layout(self.band)
        fig.add_layout(self.pointer)
        mailbox = ColumnDataSource(data={"low": [], "high": [], "final": []})
        fig.js_on_event("selectiongeometry", CustomJS(args={"mailbox": mailbox}, code=_WINDOW))
        edges = CustomJS(args={"band": self.band, "mailbox": mailbox}, code=_EDGES)
        for edge in ("left", "right"):
            self.band.js_on_change(edge, edges)
        mailbox.on_change(
            "data",
            lambda attr, old, new: on_window(*(new[name][0] for name in ("low", "high", "final"))),
        )
        fig.on_event(Tap, lambda event: on_peak(float(event.x)))
        self.follow_axis("log", "mean")

    def _add_peaks(self) -> None:
        fig = self.model
        fig.text(
            "energy", "rate", "text", name="peaks", y_offset="up", text_align="center",
            text_baseline="bottom", text_font_size="12px",
            source=ColumnDataSource({**_EMPTY, "name": [], "text": [], "up": []}),
        )  # fmt: skip
        peaks, lines = (figures.layer(fig, name).data_source for name in ("peaks", "names"))
        free = CustomJS(args={"fig": fig, "peaks": peaks, "lines": lines}, code=_FREE_NAMES)
        for model, changes in (
            (fig, ("inner_width", "inner_height")),
            (fig.x_range, ("start", "end")),
            (fig.y_range, ("start", "end")),
            (peaks, ("data",)),
            (lines, ("data",)),
        ):
            for change in changes:
                model.js_on_change(change, free)

    def follow_theme(self, theme: str) -> None:
        self._theme, fig = theme, self.model
        figures.layer(fig, "whole").glyph.line_color = INK[theme]
        figures.layer(fig, "marks").glyph.line_color = ACCENT[theme]
        figures.layer(fig, "names").glyph.text_color = ACCENT[theme]
        figures.layer(fig, "peaks").glyph.text_color = MUTED[theme]
        self.pointer.line_color = ACCENT[theme]
        for name, colours in (("model", MODEL), ("background", GROUND)):
            layer = self._layer(name)
            if layer is not None:
                layer.glyph.line_color = colours[theme]

    def _layer(self, name: str):
        return next((r for r in self.model.renderers if r.name == name), None)

    def follow_axis(self, scale: str, statistic: str, equal_area: bool = False) -> None:
        axis = self.model.yaxis[0]
        if scale != self._scale:  # for every new model Bokeh looks through the whole page
            self._scale = scale
            axis.formatter = CustomJSTickFormatter(code=FORMATS[scale])
            axis.ticker = SingleIntervalTicker(interval=1) if scale == "log" else AdaptiveTicker()
        axis.axis_label = AXIS_WORDS[statistic] + (", scaled to equal area" if equal_area else "")
        self._hover.tooltips = _told(statistic)

    def put(self, name: str, energy: np.ndarray, heights: np.ndarray, counts: np.ndarray) -> None:
        """A curve; empty arrays clear it."""
        source = figures.layer(self.model, name).data_source
        columns = {
            "energy": np.asarray(energy, np.float32),
            "rate": heights,
            "counts": np.asarray(counts, np.float32),
        }
        held = source.data
        if len(held["energy"]) != len(energy):
            source.data = columns
            return
        changed = {key: new for key, new in columns.items() if not np.array_equal(held[key], new)}
        if changed:
            source.data.update(changed)  # no other column travels

    def clear(self, name: str) -> None:
        figures.layer(self.model, name).data_source.data = {**_EMPTY, "counts": []}

    def limit_window(self, low: float, high: float) -> None:
        """Where there are counts: edges are not dragged beyond."""
        self.band.update(left_limit=max(float(low), 0.0), right_limit=float(high))

    def show_energies(self, low: float, high: float) -> None:
        self.model.x_range.update(start=low, end=high, reset_start=low, reset_end=high)

    def show_heights(self, low: float, high: float) -> bool:
        """Set the vertical range; whether it changed."""
        y = self.model.y_range
        if np.allclose([y.start, y.end], [low, high]):
            return False
        y.update(start=low, end=high, reset_start=low, reset_end=high)
        return True

    def put_fit(self, energy: np.ndarray | None, model: np.ndarray, background: np.ndarray) -> None:
        """Model and background as heights; None takes them away. Made when first asked for."""
        for name, heights, colours in (
            ("model", model, MODEL), ("background", background, GROUND),
        ):  # fmt: skip
            layer = self._layer(name)
            if layer is None and energy is None:
                continue
            if layer is None:
                dash = "solid" if name == "model" else "dashed"
                layer = self.model.line(
                    "energy", "rate", name=name, line_width=1.25, line_dash=dash,
                    line_color=colours[self._theme], source=ColumnDataSource(dict(_EMPTY)),
                )  # fmt: skip
            layer.data_source.data = (
                dict(_EMPTY)
                if energy is None
                else {"energy": energy.astype(np.float32), "rate": heights}
            )

    def put_window(self, window: tuple[float, float] | None) -> None:
        self.band.visible = window is not None
        if window is not None:
            self.band.update(left=window[0], right=window[1])

    def put_pointer(self, energy_kev: float | None) -> None:
        self.pointer.visible = energy_kev is not None
        if energy_kev is not None:
            self.pointer.location = energy_kev
