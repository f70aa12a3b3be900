"""Maps that move together: zoom, pan and pointer of one are those of all, in the browser alone.

Each map keeps its own ranges, so that scans of different size can be linked, too: what is linked
is the part of the scan that is seen, and the place the pointer is at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    LinearColorMapper,
    PanTool,
    ResetTool,
    Span,
    WheelZoomTool,
)
from bokeh.plotting import figure as Figure

from dashboard.canvas.viewport import WHOLE_UP_TO_PX, Join, joined
from dashboard.plots.display import Display
from dashboard.plots.figures import CLEAR, colour_bar, keep_square, layer
from dashboard.plots.pictures import GREYS, MAP_COLOURS

BLANK = np.zeros((1, 1), np.float32)
_POINTER = "#ff9d00"

_MOVED = """
const last = fig.__fit
if (fig.__held || !last) return
// While a map fits its pane, or takes up another scan, it moves no other.
if (last.w != fig.inner_width || last.h != fig.inner_height) return
if (last.nx != size.tags[0] || last.ny != size.tags[1]) return
const zoom = (fig.x_range.end - fig.x_range.start) / (last.hx1 - last.hx0)
const u = ((fig.x_range.start + fig.x_range.end) / 2 + 0.5) / last.nx
const v = ((fig.y_range.start + fig.y_range.end) / 2 + 0.5) / last.ny
for (const other of others) {
    const home = other.__fit
    if (!home) continue
    const x = u * home.nx - 0.5, y = v * home.ny - 0.5
    const w = (home.hx1 - home.hx0) * zoom / 2, h = (home.hy1 - home.hy0) * zoom / 2
    if (Math.abs(other.x_range.start - x + w) + Math.abs(other.x_range.end - x - w)
        + Math.abs(other.y_range.start - y + h) + Math.abs(other.y_range.end - y - h)
        < 1e-6 * (home.nx + home.ny)) continue
    other.__held = true
    other.x_range.setv({start: x - w, end: x + w}, {sync: false})
    other.y_range.setv({start: y - h, end: y + h}, {sync: false})
    other.__held = false
}
"""

_POINTED = """
const here = fig.__fit
if (!here || fig.__waits) return
fig.__waits = true
requestAnimationFrame(() => {
    fig.__waits = false
    const u = (cb_obj.x + 0.5) / here.nx, v = (cb_obj.y + 0.5) / here.ny
    const inside = u >= 0 && v >= 0 && u < 1 && v < 1 && is_here
    all.forEach((other, i) => {
        const home = other.__fit
        if (!home) return
        const column = Math.floor(u * home.nx), row = Math.floor(v * home.ny)
        across[i].setv({location: row, visible: inside}, {sync: false})
        down[i].setv({location: column, visible: inside}, {sync: false})
        const tell = window.__xrf_readouts?.get(keys[i])
        if (!tell) return
        if (!inside) { tell(""); return }
        const data = sources[i].data, [unit, step, way, words] = sources[i].tags
        const columns = Math.ceil(home.nx / step)
        const at = Math.floor(row / step) * columns + Math.floor(column / step)
        const dx = column - way[4], dy = row - way[5]
        const place = [dx * way[0] + dy * way[2], dx * way[1] + dy * way[3]]
        const number = (value) => unit == "probability" ? value.toFixed(2)
            : unit == "ratio" ? value.toPrecision(3)
            : value.toLocaleString("en-US", {maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0})
        let text = `column ${place[0]}, row ${place[1]}`
        if (unit == "mix") {
            text += ": " + words.map((word, k) =>
                `${word} ${Math.round(data["share" + k][0][at] / 2.55)} %`).join(", ")
        } else {
            const value = data.image[0][at]
            const error = data.error?.[0]?.[at]
            const kind = {probability: "probability ", ratio: "ratio "}[unit] ?? ""
            if (value == null || Number.isNaN(value)) text += ": not measured"
            else {
                text += `: ${kind}${number(value)}`
                if (error != null && !Number.isNaN(error)) text += ` ± ${number(error)}`
                if (unit == "counts") text += " net counts"
            }
        }
        tell(text)
    })
})
"""

_JOIN = """
const home = fig.__fit
if (!home) return
const near = (a, b) => Math.abs(a - b) < 1e-6 * (1 + Math.abs(a))
// What comes late, or changes its size, takes over the part that the others show.
const guide = others.find((o) => o.__fit && !near(o.x_range.start, o.__fit.hx0))
if (!guide || !near(fig.x_range.start, home.hx0)) return
const from = guide.__fit
const zoom = (guide.x_range.end - guide.x_range.start) / (from.hx1 - from.hx0)
const x = ((guide.x_range.start + guide.x_range.end) / 2 + 0.5) / from.nx * home.nx - 0.5
const y = ((guide.y_range.start + guide.y_range.end) / 2 + 0.5) / from.ny * home.ny - 0.5
const w = (home.hx1 - home.hx0) * zoom / 2, h = (home.hy1 - home.hy0) * zoom / 2
fig.__held = true
fig.x_range.setv({start: x - w, end: x + w}, {sync: false})
fig.y_range.setv({start: y - h, end: y + h}, {sync: false})
fig.__held = false
"""


class LinkedMap:
    """One map that moves with others; see :func:`link`.

    Parameters
    ----------
    key : str
        Name of the figure, and of the readout that tells the value under the pointer.
    is_rgba : bool
        Whether it paints finished colours instead of values.
    """

    def __init__(self, key: str, *, is_rgba: bool = False) -> None:
        self.key = key
        self.figure = fig = blank_figure(key)
        self.grey = LinearColorMapper(palette=list(GREYS), low=0, high=1)
        self.mapper = LinearColorMapper(
            palette=list(MAP_COLOURS), low=0.5, high=1, low_color=CLEAR, nan_color=CLEAR
        )
        data = {"image": [BLANK], "x": [-0.5], "y": [-0.5], "dw": [1], "dh": [1]}
        place = {name: name for name in ("image", "x", "y", "dw", "dh")}
        self.below = ColumnDataSource(data=dict(data))
        fig.image(**place, source=self.below, color_mapper=self.grey, name="grey")
        self.source = ColumnDataSource(data=dict(data), tags=["counts", 1, [1, 0, 0, 1, 0, 0]])
        if is_rgba:
            self.source.data = {**data, "image": [np.zeros((1, 1), np.uint32)]}
            fig.image_rgba(**place, source=self.source, name="values")
        else:
            fig.image(**place, source=self.source, color_mapper=self.mapper, name="values")
            layer(fig, "values").glyph.global_alpha = 0.9
            fig.add_layout(colour_bar(self.mapper), "below")
        self.across, self.down = (
            Span(dimension=d, location=0, line_color=_POINTER, line_width=1, visible=False,
                 level="overlay")
            for d in ("width", "height")
        )  # fmt: skip
        fig.add_layout(self.across)
        fig.add_layout(self.down)
        self.size = keep_square(fig)

    def show_grey(
        self, image: np.ndarray, limits: tuple[float, float], display: Display | None = None
    ) -> None:
        """The picture below: counts (y, x) of the scan, and where it is dark and light."""
        self.grey.update(low=limits[0], high=limits[1])
        display = display or Display(image.shape)
        self.below.data = _placed(display, "mean", image=image)

    def show_values(
        self, unit: str, low: float, high: float, display: Display | None = None,
        **images: np.ndarray,
    ) -> None:  # fmt: skip
        """The map: ``image`` and, where it is known, ``error``; each (y, x) of the scan."""
        display = display or Display(images["image"].shape)
        self.mapper.update(low=low, high=high)
        self.source.update(
            data=_placed(display, "max", **images), tags=[unit, _step(display), _way(display)]
        )
        self._resize(display)

    def show_colours(
        self, rgba: np.ndarray, words: Sequence[str], display: Display | None = None,
        **images: np.ndarray,
    ) -> None:  # fmt: skip
        """Finished colours, uint32 (y, x), and what the pointer tells: ``share0``… of 255."""
        display = display or Display(rgba.shape)
        self.source.update(
            data=_placed(display, "pick", image=rgba, **images),
            tags=["mix", _step(display), _way(display), list(words)],
        )
        self._resize(display)

    def _resize(self, display: Display) -> None:
        height, width = display.shape
        if self.size.tags != [width, height]:
            self.size.tags = [width, height]


def link(maps: Sequence[LinkedMap]) -> None:
    """Let these maps move together from now on; call once."""
    figs = [each.figure for each in maps]
    told = {
        "all": figs, "keys": [each.key for each in maps], "sources": [m.source for m in maps],
        "across": [m.across for m in maps], "down": [m.down for m in maps],
    }  # fmt: skip
    for each in maps:
        fig = each.figure
        others = [other for other in figs if other is not fig]
        join = CustomJS(args={"fig": fig, "others": others}, code=_JOIN)
        for name in ("inner_width", "inner_height"):
            fig.js_on_change(name, join)
        each.size.js_on_change("tags", join)
        moved = CustomJS(args={"fig": fig, "others": others, "size": each.size}, code=_MOVED)
        for axis in (fig.x_range, fig.y_range):
            axis.js_on_change("start", moved)
            axis.js_on_change("end", moved)
        for event, is_here in (("mousemove", "true"), ("mouseleave", "false")):
            code = f"const is_here = {is_here}\n{_POINTED}"
            fig.js_on_event(event, CustomJS(args={"fig": fig, **told}, code=code))


def _step(display: Display) -> int:
    """Pixels of a large scan that are joined to one, along each side."""
    return max(1, math.ceil(math.sqrt(math.prod(display.shape) / WHOLE_UP_TO_PX)))


def _way(display: Display) -> list[int]:
    """From a pixel of the picture to the scan's: turn, row by row, and shift."""
    turn, shift = display.matrix
    return [*turn.ravel().tolist(), *shift.tolist()]


def _placed(display: Display, join: Join, **images: np.ndarray) -> dict:
    step = _step(display)
    held = {name: [joined(display.shown(image), step, join)] for name, image in images.items()}
    rows, columns = held["image"][0].shape
    return {**held, "x": [-0.5], "y": [-0.5], "dw": [columns * step], "dh": [rows * step]}


def blank_figure(key: str) -> Figure:
    """A figure for pictures: it can be moved and zoomed, and has neither axes nor toolbar."""
    wheel, move = WheelZoomTool(description="Zoom"), PanTool(description="Move")
    fig = Figure(
        name=f"{key}-figure", tools=[move, wheel, ResetTool()], toolbar_location=None,
        x_range=(-0.5, 0.5), y_range=(0.5, -0.5), sizing_mode="stretch_both",
        min_border=4, min_border_left=12, min_border_right=12,
        outline_line_color=None, background_fill_alpha=0.0, border_fill_alpha=0.0,
        output_backend="canvas",
    )  # fmt: skip
    fig.toolbar.logo = None
    fig.toolbar.active_scroll, fig.toolbar.active_drag = wheel, move
    fig.axis.visible = False
    fig.grid.visible = False
    return fig
