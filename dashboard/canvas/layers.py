"""The figure of the map and what is painted on it, for whichever way the scan is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from bokeh.models import BoxAnnotation, ColumnDataSource, CustomJS

from dashboard.canvas import drawing, viewport
from dashboard.latest import LatestOnly
from dashboard.plots import figures, stock
from dashboard.plots.display import Display
from dashboard.plots.pictures import HIGHLIGHT
from dashboard.results.regions import RegionFacts
from dashboard.session import Selection
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress
from xrfengine.pictures import grey_limits
from xrfengine.regions import Operation

_JOIN: dict[str, viewport.Join] = {
    "grey": "mean",
    "values": "max",
    "error": "max",
    "clusters": "pick",
    "mask": "max",
}
TOOLS_PX = 44
"""Room for the tools, which stand at the left."""
_DRAW = """
const mode = fig.__mode
if (mode != "Line" && mode != "Crop") return
const {x, y} = cb_obj
if (cb_obj.event_name == "panstart") fig.__from = [x, y]
if (!fig.__from) return
const [x0, y0] = fig.__from
if (mode == "Line") line.data = {column: [x0], row: [y0], column1: [x], row1: [y]}
else box.setv({left: Math.min(x0, x), right: Math.max(x0, x), top: Math.max(y0, y),
    bottom: Math.min(y0, y), visible: true}, {sync: false})
if (cb_obj.event_name != "panend") return
fig.__from = null
box.setv({visible: false}, {sync: false})
fig.__choose("Move")
mailbox.data = {mode: [mode], x0: [x0], y0: [y0], x1: [x], y1: [y]}
"""


class MapCanvas:
    """The map's figure. Images are given as the scan has them, and painted as it is shown.

    Parameters
    ----------
    work : LatestOnly
        Runs what is painted in parts.
    failed : callable
        Is told what could not be painted.
    """

    def __init__(self, work: LatestOnly, failed: Callable[[XRFError], None]) -> None:
        self.display = Display((1, 1))
        self._failed = failed
        self._work = work
        self._images: dict[str, np.ndarray] = {}
        self._grey = (0.0, 1.0)
        self._due: set[str] = set()
        self._view: tuple[float, ...] | None = None
        self._build()

    def _build(self) -> None:
        self.tools = figures.drag_tools()
        for name, tool in self.tools.items():
            tool.name = f"xrf-map-{name}"
        fig = self.figure = stock.take("map")
        fig.toolbar.tools = list(self.tools.values())
        fig.name = "xrf-map-figure"
        self.mappers = figures.mappers(fig)
        fig.toolbar.active_scroll = self.tools["wheel"]
        fig.toolbar.active_drag = self.tools["Move"]
        self._size = figures.keep_square(fig)
        self._mailbox = figures.selection_mailbox(fig, "xrf-map-mailbox")
        self._bar = figures.colour_bar(self.mappers["values"])
        self._bar.major_label_text_alpha = 0.0
        fig.add_layout(self._bar, "below")
        fig.min_border = 4
        fig.min_border_right, fig.min_border_left = 16, TOOLS_PX
        # The painting shines through, so that one knows where one is.
        self.layer("values").glyph.global_alpha = 0.85
        self.layer("clusters").visible = False
        self.layer("clusters").glyph.global_alpha = 0.92
        self.layer("mask").visible = False
        self.layer("border").glyph.update(line_color=HIGHLIGHT, line_width=1.5)
        self.layer("line").glyph.update(line_color=HIGHLIGHT, line_width=2.5)
        drawing.add_layers(fig)
        self._watch_view()
        self._watch_drawing()

    def _watch_view(self) -> None:
        """The browser tells where it looks once that has settled, and of large scans only."""
        self._told = figures.settled_view(self.figure, wait_ms=50, is_asked=False)
        self._told.on_change("data", self._take_view)

    def _watch_drawing(self) -> None:
        """Lines and boxes that no tool of Bokeh's draws; told when they are finished."""
        fig = self.figure
        box = BoxAnnotation(
            visible=False, fill_color=HIGHLIGHT, fill_alpha=0.12, line_color=HIGHLIGHT,
            line_width=1.5, level="overlay",
        )  # fmt: skip
        fig.add_layout(box)
        self._drawn = ColumnDataSource(data={"mode": [], "x0": [], "y0": [], "x1": [], "y1": []})
        draw = CustomJS(
            args={
                "fig": fig, "box": box, "mailbox": self._drawn,
                "line": self.layer("line").data_source,
            },
            code=_DRAW,
        )  # fmt: skip
        for event in ("panstart", "pan", "panend"):
            fig.js_on_event(event, draw)

    def layer(self, name: str):
        """The renderer of a layer: grey, values, clusters, mask, border, line."""
        return figures.layer(self.figure, name)

    # ---- what is drawn on it

    def on_selection(self, take: Callable[[Selection, Operation | None], None]) -> None:
        """Call with what was drawn, in pixels of the scan, and how it joins the selection."""

        def told(attr: str, old: dict, new: dict) -> None:
            mail = drawing.drawn(new)
            found = None if mail is None else drawing.on_scan(mail[0], self.display)
            if found is not None:
                take(found, mail[1])

        self._mailbox.on_change("data", told)

    def outline(self, facts: Sequence[RegionFacts], hidden: Sequence[str]) -> None:
        """Outline the kept regions that are not hidden."""
        drawing.show_regions(self.figure, facts, hidden, self.display)

    def on_line(self, take: Callable[[tuple[float, float, float, float]], None]) -> None:
        """Call with a drawn line (x0, y0, x1, y1), in pixels of the scan."""
        self._on_drawn(
            "Line", lambda ends: take(tuple(self.display.to_scan(ends).round(2).ravel().tolist()))
        )

    def on_crop(self, take: Callable[[tuple[int, int, int, int]], None]) -> None:
        """Call with what a drawn box would leave of the scan (x0, y0, x1, y1), ends excluded."""

        def told(corners: np.ndarray) -> None:
            if (crop := self.display.cropped(corners)) is not None:
                take(crop)

        self._on_drawn("Crop", told)

    def _on_drawn(self, mode: str, take: Callable[[np.ndarray], None]) -> None:
        def told(attr: str, old: dict, new: dict) -> None:
            if list(new["mode"]) == [mode]:
                places = [new[name][0] for name in ("x0", "y0", "x1", "y1")]
                if all(value is not None and np.isfinite(value) for value in places):
                    take(np.reshape(places, (2, 2)).astype(float))

        self._drawn.on_change("data", told)

    # ---- what is painted on it

    def open(self, total_counts: np.ndarray, display: Display) -> None:
        """Begin with another scan: its grey image, and nothing over it."""
        self._work.cancel()
        self._due.clear()
        self._images = {"grey": total_counts}
        self._grey = grey_limits(total_counts)
        self._place(display)

    def turn(self, display: Display) -> None:
        """Show the same scan another way."""
        if display != self.display:
            self._place(display)

    def _place(self, display: Display) -> None:
        self.display, self._view = display, None
        is_large = viewport.is_large(display)
        self._told.tags = [is_large]
        low, high = (0, 255) if is_large else self._grey
        self.mappers["grey"].update(low=low, high=high)
        height, width = display.shape
        blank = {"image": [figures.BLANK], "x": [-0.5], "y": [-0.5], "dw": [width], "dh": [height]}
        for name in ("values", "clusters", "mask"):
            if name not in self._images:
                nothing = figures.BLANK * np.nan if name == "values" else figures.BLANK
                self.layer(name).data_source.data = {**blank, "image": [nothing]}
        self._refresh(set(self._images))
        self._size.tags = [width, height]

    def paint(self, name: str, image: np.ndarray | None, error: np.ndarray | None = None) -> None:
        """Paint an image of the scan, shape (y, x), in a layer; None: nothing.

        ``error`` lies behind it, for the pointer to tell.
        """
        kept = self._images.get(name), self._images.get("error" if name == "values" else None)
        if image is kept[0] and error is kept[1] and image is not None:
            return
        for key, value in ((name, image), *((("error", error),) if name == "values" else ())):
            if value is None:
                self._images.pop(key, None)
            else:
                self._images[key] = value
        if name == "values":
            # No figures on the scale while nothing is painted with it.
            self._bar.major_label_text_alpha = float(image is not None)
        if image is None:
            self._due.discard(name)
            source = self.layer(name).data_source
            nothing = figures.BLANK * np.nan if name == "values" else figures.BLANK
            source.data = {**_whole_place(self.display), "image": [nothing]}
            if name == "mask":
                self._stroke("border", np.zeros((0, 4), np.float32))
        else:
            self._refresh({name, "error"} & set(self._images))

    def visible(self) -> tuple[int, int, int, int] | None:
        """The part of the scan on screen: (y0, y1, x0, x1), ends excluded; None: all of it."""
        x, y = self.figure.x_range, self.figure.y_range
        ends = (x.start, x.end, y.start, y.end)
        if not all(isinstance(end, int | float) and np.isfinite(end) for end in ends):
            return None  # the browser has not told yet
        corners = self.display.to_scan(np.array([(x.start, y.start), (x.end, y.end)]))
        low, high = np.floor(corners.min(0) + 0.5), np.ceil(corners.max(0) + 0.5)
        height, width = self.display.shape_yx
        x0, x1 = np.clip((low[0], high[0]), 0, width).astype(int).tolist()
        y0, y1 = np.clip((low[1], high[1]), 0, height).astype(int).tolist()
        is_part = x1 > x0 and y1 > y0 and (x1 - x0) * (y1 - y0) < width * height
        return (y0, y1, x0, x1) if is_part else None

    def draw_line(self, ends: tuple[float, float, float, float] | None) -> None:
        """A line on the scan, (x0, y0, x1, y1); None: none."""
        place = np.zeros((0, 2)) if ends is None else self.display.to_shown(np.array(ends))
        self._stroke("line", place.reshape(-1, 4).astype(np.float32))

    def _stroke(self, name: str, runs: np.ndarray) -> None:
        x0, y0, x1, y1 = runs.T
        self.layer(name).data_source.data = {"column": x0, "row": y0, "column1": x1, "row1": y1}

    def _take_view(self, attr: str, old: dict, new: dict) -> None:
        view = tuple(float(v) for v in new["view"])
        if len(view) == 6 and np.isfinite(view).all() and viewport.is_large(self.display):
            self._view = view
            self._refresh(set(self._images))

    def _refresh(self, names: set[str]) -> None:
        self._due |= names
        display, images = self.display, {name: self._images[name] for name in self._due}
        if not viewport.is_large(display):
            self._put({name: viewport.whole(image, display) for name, image in images.items()})
            return
        part = viewport.window(display, self._view)
        joins = {name: (image, _JOIN[name]) for name, image in images.items()}
        self._work.start(
            partial(_pieces, joins, display, part, self._grey), then=self._put, failed=self._failed
        )

    def _put(self, pieces: dict[str, viewport.Piece]) -> None:
        """One column of a source is patched; zoom, tools and the other layers stay."""
        self._due -= set(pieces)
        errors = pieces.pop("error", None)
        for name, piece in pieces.items():
            if name == "mask":
                self._stroke("border", piece.runs())
            data = {
                "image": [piece.image], "x": [piece.left], "y": [piece.top],
                "dw": [piece.width], "dh": [piece.height],
            }  # fmt: skip
            if name == "values" and errors is not None:
                data["error"] = [errors.image]
            source = self.layer(name).data_source
            source.tags = [piece.step]
            source.data = data


def _whole_place(display: Display) -> dict:
    height, width = display.shape
    return {"x": [-0.5], "y": [-0.5], "dw": [width], "dh": [height]}


def _pieces(
    images: dict, display: Display, part: viewport.Window, grey: tuple[float, float], *,
    progress: Progress, cancel: CancelToken,
) -> dict[str, viewport.Piece]:  # fmt: skip
    result = {}
    # What is grey only stands behind: it comes last, and in a quarter of the bytes.
    for name in sorted(images, key=lambda name: name == "grey"):
        cancel.check()
        piece = viewport.cut_out(images[name][0], display, part, images[name][1])
        if name == "grey":
            shade = np.clip((piece.image - grey[0]) / (grey[1] - grey[0]), 0.0, 1.0)
            piece = replace(piece, image=np.rint(255 * shade).astype(np.uint8))
        result[name] = piece
    return result
