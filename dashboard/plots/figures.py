"""Pure functions from arrays to HoloViews elements, and from elements to figures.

HoloViews describes what is shown; every view renders its element once and then patches single
columns of the Bokeh models behind it. A HoloViews redraw of the same change costs two to four
times as much, since it redraws every overlay.
"""

from __future__ import annotations

import holoviews as hv
import numpy as np
from bokeh.models import (
    BoxSelectTool,
    ColorBar,
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    LassoSelectTool,
    LinearColorMapper,
    NumeralTickFormatter,
    PanTool,
    ResetTool,
    Tool,
    WheelZoomTool,
)
from bokeh.plotting import figure as Figure

from dashboard.plots.pictures import GREYS, HIGHLIGHT, MAP_COLOURS, MASK_COLOURS

hv.extension("bokeh", logo=False)

CLEAR = "rgba(0, 0, 0, 0)"
MAPPER_NAME = "xrf-map-values"
"""By this name the threshold slider finds the colour mapper of the map in the browser."""
BLANK = np.zeros((1, 1), np.float32)


def _named(name: str):
    """A hook that names the renderer, so that the view finds it in the figure."""

    def hook(plot, element) -> None:
        plot.handles["glyph_renderer"].name = name

    return hook


def pixel_image(values: np.ndarray, name: str) -> hv.Image:
    """Values (y, x) with pixel centres at whole numbers and row 0 on top."""
    height, width = values.shape
    bounds = (-0.5, -0.5, width - 0.5, height - 0.5)
    return hv.Image(values[::-1], kdims=["column", "row"], bounds=bounds).opts(
        hooks=[_named(name)], cmap=list(GREYS)
    )


def element_map() -> hv.Overlay:
    """Grey image of the total counts, the map in colour, clusters, the selection, and a line."""
    layers = [pixel_image(BLANK, name) for name in ("grey", "values", "clusters", "mask")]
    strokes = [
        hv.Segments(np.zeros((0, 4)), ["column", "row", "column1", "row1"]).opts(
            hooks=[_named(name)]
        )
        for name in ("border", "line")
    ]
    return hv.Overlay([*layers, *strokes]).opts(invert_yaxis=True, xaxis=None, yaxis=None)


def spectra() -> hv.Overlay:
    """Curves of the whole scan and of the selection, lines of an element and their names."""
    empty = np.zeros((0, 2))
    whole = hv.Curve(empty, "energy", "rate").opts(hooks=[_named("whole")])
    chosen = hv.Curve(empty, "energy", "rate").opts(hooks=[_named("chosen")])
    marks = hv.Segments(np.zeros((0, 4)), ["energy", "rate", "energy1", "rate1"]).opts(
        hooks=[_named("marks")]
    )
    names = hv.Labels(
        (np.zeros(0), np.zeros(0), np.zeros(0, dtype=str)),
        ["energy", "rate"],
        "name",
    ).opts(hooks=[_named("names")], text_align="center", text_baseline="middle")
    return whole * marks * chosen * names


def profile() -> hv.Overlay:
    """Curves along a line: the chosen element's, two beside it, and the total counts."""
    empty = np.zeros((0, 2))
    names = ("total", "beside1", "beside0", "chosen")
    return hv.Overlay(
        [hv.Curve(empty, "distance", "value").opts(hooks=[_named(name)]) for name in names]
    )


def embedding() -> hv.Overlay:
    """The shaded points, and over them the selected ones."""
    blank, places = np.zeros((2, 2), np.uint8), (np.arange(2), np.arange(2))
    points = hv.RGB((*places, blank, blank, blank, blank), ["u", "v"], vdims=list("RGBA"))
    bright = hv.Image((*places, blank), ["u", "v"]).opts(cmap=[CLEAR, HIGHLIGHT], clim=(-0.5, 1.5))
    layers = [points.opts(hooks=[_named("points")]), bright.opts(hooks=[_named("bright")])]
    return hv.Overlay(layers).opts(xaxis=None, yaxis=None)


def colour_bar(mapper: LinearColorMapper) -> ColorBar:
    """The scale below a map; thousands are set apart."""
    return ColorBar(
        color_mapper=mapper, height=8, padding=6, margin=0, label_standoff=4, bar_line_color=None,
        background_fill_alpha=0, major_tick_line_color=None, border_line_color=None,
        formatter=NumeralTickFormatter(format="0,0.[0000]"),
    )  # fmt: skip


def render(element: hv.Overlay) -> Figure:
    """The Bokeh figure of an element, filling its pane, without tools."""
    element = element.opts(responsive=True, toolbar=None, default_tools=[], show_legend=False)
    fig = hv.renderer("bokeh").get_plot(element).state
    fig.toolbar.tools = []
    fig.toolbar_location = None
    fig.toolbar.logo = None
    fig.sizing_mode = "stretch_both"
    fig.outline_line_color = None
    fig.background_fill_alpha = 0.0
    fig.border_fill_alpha = 0.0
    fig.title = None
    fig.output_backend = "canvas"
    return fig


def mappers(fig: Figure) -> dict[str, LinearColorMapper]:
    """Give the layers of an element map their colour mappers; returned by layer."""
    result = {
        "grey": LinearColorMapper(palette=list(GREYS), low=0, high=1),
        "values": LinearColorMapper(
            palette=list(MAP_COLOURS),
            low=0.5,
            high=1,
            low_color=CLEAR,
            nan_color=CLEAR,
            name=MAPPER_NAME,
        ),
        "clusters": LinearColorMapper(palette=[CLEAR, "#888888"], low=-0.5, high=1.5),
        "mask": LinearColorMapper(palette=list(MASK_COLOURS), low=-0.5, high=1.5),
    }
    for name, mapper in result.items():
        glyph = layer(fig, name).glyph
        glyph.color_mapper = mapper
    return result


def layer(fig: Figure, name: str):
    """The renderer a hook named."""
    return next(r for r in fig.renderers if r.name == name)


def drag_tools() -> dict[str, Tool]:
    """The tools of a pane with a selection, by the words its buttons carry."""
    lasso = LassoSelectTool(continuous=False, renderers=[], description="Lasso")
    box = BoxSelectTool(continuous=False, renderers=[], description="Box")
    for tool in (lasso, box):
        tool.overlay.update(
            fill_color="#ff9d00",
            fill_alpha=0.12,
            line_color="#ff9d00",
            line_width=1.5,
            line_dash="solid",
        )
    return {
        "Move": PanTool(description="Move"),
        "Lasso": lasso,
        "Box": box,
        "wheel": WheelZoomTool(description="Zoom"),
        "reset": ResetTool(),
    }


def decades() -> CustomJSTickFormatter:
    """Names the ticks of an axis of decimal logarithms by their values."""
    return CustomJSTickFormatter(
        code="""
        const v = 10 ** tick
        return v >= 100 ? Math.round(v).toLocaleString("en-US") : String(+v.toPrecision(2))
        """
    )


def plain_numbers() -> NumeralTickFormatter:
    """Thousands separated, no more decimals than needed."""
    return NumeralTickFormatter(format="0,0.[00]")


_SETTLED = """
if (!view.tags[0]) return
clearTimeout(fig.__settle)
fig.__settle = setTimeout(() => {
    const x = fig.x_range, y = fig.y_range
    const size = [fig.inner_width, fig.inner_height]
    if (!(size[0] > 4 && size[1] > 4)) return
    view.data = {view: [x.start, x.end, y.start, y.end, ...size]}
}, wait_ms)
"""


def settled_view(fig: Figure, *, wait_ms: int, is_asked: bool = True) -> ColumnDataSource:
    """Where the browser looks, once that has come to rest: not every step of a zoom.

    Returns
    -------
    ColumnDataSource
        With a column ``view``: x from, x to, y from, y to, width and height in screen pixels.
        The browser writes it while the first of its ``tags`` is true, at first ``is_asked``.
    """
    view = ColumnDataSource(data={"view": []}, tags=[is_asked])
    settled = CustomJS(args={"fig": fig, "view": view, "wait_ms": wait_ms}, code=_SETTLED)
    for model, names in (
        (fig, ("inner_width", "inner_height")),
        (fig.x_range, ("start", "end")),
        (fig.y_range, ("start", "end")),
    ):
        for name in names:
            model.js_on_change(name, settled)
    return view


def selection_mailbox(fig: Figure, name: str = "") -> ColumnDataSource:
    """A data source the browser fills with the vertices of a finished lasso or box.

    Bokeh's own event goes to the server for every mouse move with the whole polygon so far; this
    one once, at mouse-up, with at most a few hundred vertices. Its column ``how`` begins with what
    was drawn, how it joins the selection (Shift adds, Alt subtracts, both intersect; "-" leaves it
    to the page), the brush's radius, and a number that makes every drawing another one; see
    :func:`dashboard.canvas.drawing.drawn`.
    """
    mailbox = ColumnDataSource(data={"x": [], "y": [], "how": []}, name=name or None)
    fig.js_on_event("panstart", CustomJS(args={"fig": fig}, code="fig.__keys = cb_obj.modifiers"))
    fig.js_on_event(
        "selectiongeometry",
        CustomJS(
            args={"mailbox": mailbox, "fig": fig},
            code="""
            if (!cb_obj.final) return
            const g = cb_obj.geometry
            let x, y
            if (g.type == "rect") {
                x = [g.x0, g.x1, g.x1, g.x0]; y = [g.y0, g.y0, g.y1, g.y1]
            } else {
                const step = Math.max(1, Math.floor(g.x.length / 200))
                x = Array.from(g.x).filter((_, i) => i % step == 0)
                y = Array.from(g.y).filter((_, i) => i % step == 0)
            }
            if (x.length < 3 || !x.every(isFinite) || !y.every(isFinite)) return
            const round = (v) => Math.round(v * 1000) / 1000
            const {shift, alt} = fig.__keys ?? {}
            const key = shift && alt ? "intersect" : shift ? "add" : alt ? "subtract" : "-"
            fig.__drawn = (fig.__drawn ?? 0) + 1
            const how = x.map((_, i) => i ? "" : `polygon ${key} 0 ${fig.__drawn}`)
            mailbox.data = {x: x.map(round), y: y.map(round), how}
            """,
        ),
    )
    return mailbox


_FIT = """
// Not laid out yet: it will be fitted once it is.
if (fig.properties.inner_width.is_unset) return
const w = fig.inner_width, h = fig.inner_height
if (!(w > 4 && h > 4)) return
const xr = fig.x_range, yr = fig.y_range, [nx, ny] = size.tags, last = fig.__fit
const near = (a, b) => Math.abs(a - b) < 1e-6 * (1 + Math.abs(a))
const around = (c, n, unit) => [c - unit * n / 2, c + unit * n / 2]
// The whole image, centred, with a little air. A line scan would be a hair's breadth high: its
// pixels are drawn longer across, so that they can be seen and chosen.
const full = Math.max(nx / w, ny / h) * 1.01
const ux = ny > 12 * nx ? Math.min(full, 6 * nx / w) : full
const uy = nx > 12 * ny ? Math.min(full, 6 * ny / h) : full
const [hx0, hx1] = around((nx - 1) / 2, w, ux), [hy1, hy0] = around((ny - 1) / 2, h, uy)
const at_home = !last || last.nx != nx || last.ny != ny || (near(last.hx0, xr.start)
    && near(last.hx1, xr.end) && near(last.hy0, yr.start) && near(last.hy1, yr.end))
let [x0, x1, y0, y1] = [hx0, hx1, hy0, hy1]
if (!at_home) {
    [x0, x1] = around((xr.start + xr.end) / 2, w, Math.abs(xr.end - xr.start) / last.w)
    ;[y1, y0] = around((yr.start + yr.end) / 2, h, Math.abs(yr.end - yr.start) / last.h)
}
xr.setv({start: x0, end: x1, reset_start: hx0, reset_end: hx1})
yr.setv({start: y0, end: y1, reset_start: hy0, reset_end: hy1})
fig.__fit = {nx, ny, w, h, hx0, hx1, hy0, hy1}
"""


def keep_square(fig: Figure) -> ColumnDataSource:
    """Keep pixels square in whatever room the figure gets, and the zoom when the room changes.

    ``match_aspect`` loses the scale in stretching layouts. Returns the model whose ``tags`` hold
    the image's (width, height) in pixels; changing them shows the whole image.
    """
    size = ColumnDataSource(tags=[1, 1])
    fit = CustomJS(args={"fig": fig, "size": size}, code=_FIT)
    fig.js_on_change("inner_width", fit)
    fig.js_on_change("inner_height", fit)
    size.js_on_change("tags", fit)
    return size
