"""The photograph of the scan: choose it, mark the same places on both, see how it lies."""

from __future__ import annotations

import base64
import binascii
from functools import partial

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource, CustomJS
from bokeh.plotting import figure as Figure

from dashboard.canvas.photograph import PhotographLayer
from dashboard.components import Caption, Choice, Slider
from dashboard.components.comparing import PhotoPoints, PhotoUpload
from dashboard.frames.pane import body, show_state, state_cover
from dashboard.keeping.photographs import MOST_BYTES, address_of
from dashboard.plots import figures
from dashboard.plots.linked import LinkedMap, blank_figure
from dashboard.plots.pictures import value_limit
from dashboard.results import Results
from dashboard.session import Session
from dashboard.shown import READY, State, failed_state
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress
from xrfengine.pictures import grey_limits
from xrfengine.registration import LEAST_POINTS

_SIDES = ("scan", "photo")
_POINT, _PICKED = "#ff9d00", "#d55e00"
_ROW = """:host { display: flex; flex-flow: row nowrap; gap: 0; min-width: 0; min-height: 0;
  height: 100%; }"""
_HALF = """:host { display: flex; flex-direction: column; flex: 1 1 0; gap: 0; min-width: 0;
  min-height: 0; border-right: 1px solid var(--xrf-hairline); }"""
_PANEL = """:host { flex: none; overflow: hidden auto; scrollbar-width: thin; gap: 12px;
  padding: 12px 16px; }"""
_TAPPED = """
// What lies within ten pixels of the screen is meant.
const units = (fig.x_range.end - fig.x_range.start) / fig.inner_width
const {x, y} = points.data
let near = -1, best = 10 * Math.abs(units)
for (let i = 0; i < x.length; i++) {
    const away = Math.hypot(x[i] - cb_obj.x, y[i] - cb_obj.y)
    if (away < best) { best = away; near = i }
}
mailbox.data = {x: [cb_obj.x], y: [cb_obj.y], near: [near], at: [Date.now()]}
"""


class PhotographView(pn.viewable.Viewer):
    """Map and photograph beside one another, with the points that join them."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._points: dict[str, list[tuple[float, float]]] = {side: [] for side in _SIDES}
        self._picked: tuple[str, int] | None = None
        self._picture: np.ndarray | None = None
        self._arriving: list[bytes] = []
        self._files = results.further_work()
        self._sending = results.further_work()
        self.map = LinkedMap("xrf-photo-map")
        self._figure = blank_figure("xrf-photo-picture")
        self._size = figures.keep_square(self._figure)
        self._shown = ColumnDataSource(data={"url": [], "w": [], "h": []})
        self._figure.image_url(
            url="url", x=-0.5, y=-0.5, w="w", h="h", anchor="top_left", source=self._shown,
            name="photograph",
        )  # fmt: skip
        self._marks = {
            "scan": self._mark(self.map.figure, "scan"),
            "photo": self._mark(self._figure, "photo"),
        }
        self._layer = PhotographLayer(
            session, results, self.map.figure, follows_display=False
        )  # fmt: skip
        self._upload = PhotoUpload(
            on_message=self._receive, most_bytes=MOST_BYTES, margin=0, sizing_mode="stretch_width"
        )
        self._list = Choice(
            label="Beside the data", margin=0, visible=False,
            description="Images that lie beside the scans",
        )  # fmt: skip
        self._list.param.watch(self._take_file, "value")
        self._opacity = Slider(
            label="Photograph over the map, %", low=0, high=100, value=session.photo_opacity,
            description="0: only the map; 100: only the photograph. It lies on the page's map, too",
            margin=0, sizing_mode="stretch_width", visible=False,
        )  # fmt: skip
        self._opacity.link(session, value="photo_opacity")
        self._told = PhotoPoints(
            on_message=self._act, margin=0, sizing_mode="stretch_width", visible=False
        )
        self._cover = state_cover(self._answer)
        self._layout = pn.Row(
            self._half("Map", self.map.figure),
            self._half("Photograph", self._figure, self._cover),
            pn.Column(
                self._upload, self._list, self._opacity, self._told,
                stylesheets=[_PANEL], width=288, margin=0, sizing_mode="stretch_height",
            ),
            stylesheets=[_ROW], sizing_mode="stretch_both", margin=0, css_classes=["xrf-photo"],
        )  # fmt: skip
        results.param.watch(lambda *e: self.shown(), ["opened", "maps", "photograph"])
        results.param.watch(lambda *e: self._show_state(), "photograph_state")
        session.param.watch(lambda *e: self.shown(), "element")
        session.param.watch(
            lambda e: self._opacity.param.update(value=e.new), "photo_opacity"
        )  # fmt: skip
        self.shown()

    def __panel__(self) -> pn.Row:
        return self._layout

    def _half(self, words: str, fig: Figure, *over) -> pn.Column:
        title = Caption(
            text=words, margin=(0, 12), height=32, sizing_mode="stretch_width"
        )  # fmt: skip
        return pn.Column(
            title,
            body(pn.pane.Bokeh(fig, sizing_mode="stretch_both", margin=0), *over),
            stylesheets=[_HALF], sizing_mode="stretch_both", margin=0,
        )  # fmt: skip

    def _mark(self, fig: Figure, side: str) -> ColumnDataSource:
        """Numbered points on one of the pictures, and what a click there does."""
        source = ColumnDataSource(data={"x": [], "y": [], "n": [], "colour": []})
        fig.scatter(
            "x", "y", source=source, size=14, fill_color="colour", line_color="white",
            line_width=2, name="points",
        )  # fmt: skip
        fig.text(
            "x", "y", text="n", source=source, x_offset=10, y_offset=-5, text_color="white",
            text_font_size="13px", text_font_style="bold", background_fill_color="#17211f",
            background_fill_alpha=0.75, padding=3,
        )  # fmt: skip
        mailbox = ColumnDataSource(data={"x": [], "y": [], "near": [], "at": []})
        args = {"fig": fig, "points": source, "mailbox": mailbox}
        fig.js_on_event("tap", CustomJS(args=args, code=_TAPPED))
        mailbox.on_change("data", partial(self._tapped, side))
        return source

    # ---- points

    def _tapped(self, side: str, attr: str, old: dict, new: dict) -> None:
        if not len(new["x"]) or self.results.photograph is None:
            return
        x, y, near = float(new["x"][0]), float(new["y"][0]), int(new["near"][0])
        if np.isfinite([x, y]).all():
            self.point(side, (x, y), near)

    def point(self, side: str, place: tuple[float, float], near: int = -1) -> None:
        """A click on one of the pictures: a new point, one picked up, or one put down."""
        mine, other = self._points[side], self._points[_SIDES[side == "scan"]]
        if self._picked is not None and self._picked[0] == side:
            mine[self._picked[1]] = place
            self._picked = None
        elif 0 <= near < len(mine):
            self._picked = side, near
        elif len(mine) <= len(other):
            mine.append(place)
            self._picked = None
        self._take_points()

    def _take_points(self) -> None:
        """Show the points; lay the photograph anew where pairs changed."""
        photo = self.results.photograph
        if photo is None:
            return
        pairs = tuple(
            (*a, *b) for a, b in zip(self._points["scan"], self._points["photo"], strict=False)
        )
        if pairs != photo.pairs and self._picked is None:
            self.results.mark_photograph(pairs)
        self._show_points()

    def _act(self, data: dict) -> None:
        if data.get("refine"):
            self.results.refine_photograph()
        elif data.get("forget"):
            self.results.forget_photograph()
        elif data.get("clear"):
            self._points = {side: [] for side in _SIDES}
            self._picked = None
            self._take_points()
        elif isinstance(data.get("remove"), int):
            for side in _SIDES:
                if 0 <= data["remove"] < len(self._points[side]):
                    del self._points[side][data["remove"]]
            self._picked = None
            self._take_points()

    def _show_points(self) -> None:
        photo = self.results.photograph
        for side in _SIDES:
            places = self._points[side]
            colours = [_PICKED if self._picked == (side, i) else _POINT for i in range(len(places))]
            self._marks[side].data = {
                "x": [x for x, _ in places], "y": [y for _, y in places],
                "n": [str(i + 1) for i in range(len(places))], "colour": colours,
            }  # fmt: skip
        self._told.visible = self._opacity.visible = photo is not None
        self._upload.has_photo = photo is not None
        if photo is None:
            return
        n_scan, n_photo = (len(self._points[side]) for side in _SIDES)
        found = photo.registration
        is_current = found is not None and len(found.residuals_px) == min(n_scan, n_photo)
        away = found.residuals_px if is_current else [None] * max(n_scan, n_photo)
        summary = ""
        if is_current and photo.is_refined:
            summary = f"Refined; the points lie {found.rms_px:.2f} px off on average"
        elif is_current and len(found.residuals_px) == LEAST_POINTS:
            summary = "Four points fit exactly; a fifth tells how well"
        elif is_current:
            summary = f"The points lie {found.rms_px:.2f} px off on average"
        self._opacity.visible = photo.laid is not None
        self._told.param.update(
            items=[
                {"n": i + 1, "away": "" if i >= len(away) or away[i] is None else f"{away[i]:.2f}"}
                for i in range(max(n_scan, n_photo))
            ],
            summary=summary,
            can_refine=is_current,
            told=self._next(n_scan, n_photo),
        )

    def _next(self, n_scan: int, n_photo: int) -> str:
        if self._picked is not None:
            where = "map" if self._picked[0] == "scan" else "photograph"
            return f"Click where point {self._picked[1] + 1} belongs on the {where}."
        if n_scan > n_photo:
            return f"Click the same place on the photograph: point {n_scan}."
        if n_photo > n_scan:
            return f"Click the same place on the map: point {n_photo}."
        if n_scan < LEAST_POINTS:
            return (
                f"Click a place on the map, then the same on the photograph. {n_scan} of at least "
                f"{LEAST_POINTS} are marked; spread them over the picture."
            )
        return "Click a point to move it; more points make it surer."

    # ---- the pictures

    def shown(self) -> None:
        """Show map and photograph; called whenever this comes on stage."""
        opened = self.results.opened
        if opened is None or self.session.stage != "photo":
            return
        self._show_map()
        photo = self.results.photograph
        if photo is not None and self._picked is None:
            n = len(photo.pairs)
            for side, part in (("scan", slice(0, 2)), ("photo", slice(2, 4))):
                kept = [tuple(pair[part]) for pair in photo.pairs]
                self._points[side] = kept + self._points[side][n:]
        picture = None if photo is None else photo.picture
        if picture is not self._picture:
            self._picture = picture
            if photo is None or not photo.pairs:
                self._points = {side: [] for side in _SIDES}
            self._send(picture)
        self._show_points()
        self._layer.show()
        self._show_state()
        self._offer_files()

    def _show_map(self) -> None:
        opened, maps, element = self.results.opened, self.results.maps, self.session.element
        self.map.show_grey(opened.total_counts, grey_limits(opened.total_counts))
        if maps is None or element not in maps.elements:
            blank = np.full(opened.total_counts.shape, np.nan, np.float32)
            self.map.show_values("counts", 0.0, 1.0, image=blank)
            return
        values, session = maps[element], self.session
        low = session.threshold
        low = self.results.starts.get(element, 0.5) if low is None else low
        unit = "probability" if maps.kind == "probability" else "counts"
        high = max(value_limit(values, maps.kind), low + 1e-6)
        self.map.show_values(unit, low, high, image=values)

    def _send(self, picture: np.ndarray | None) -> None:
        if picture is None:
            self._sending.cancel()
            self._shown.data = {"url": [], "w": [], "h": []}
            return

        def work(*, progress: Progress, cancel: CancelToken) -> str:
            return address_of(picture)

        def then(address: str) -> None:
            height, width = picture.shape[:2]
            self._shown.data = {"url": [address], "w": [width], "h": [height]}
            self._size.tags = [width, height]

        self._sending.start(work, then=then, failed=self._problem)

    # ---- files

    def _offer_files(self) -> None:
        def work(*, progress: Progress, cancel: CancelToken) -> tuple[str, ...]:
            return self.results.photograph_files()

        def then(files: tuple[str, ...]) -> None:
            self._list.param.update(
                options=[("choose", ""), *((name, name) for name in files)], value="",
                visible=bool(files),
            )  # fmt: skip

        self._files.start(work, then=then, failed=self._problem)

    def _take_file(self, event) -> None:
        if event.new:
            self.results.take_photograph_file(event.new)

    def _receive(self, data: dict) -> None:
        """A piece of a file; the browser sends the next once this one is counted."""
        size, start = data.get("size"), data.get("from")
        if data.get("too_large") or not isinstance(size, int) or not 0 < size <= MOST_BYTES:
            limit = f"At most {MOST_BYTES / 1e6:,.0f} MB are read."
            self._problem(XRFError("The photograph is too large", limit))
            return
        held = sum(map(len, self._arriving))
        if start == 0:
            self._arriving, held = [], 0
        try:
            piece = base64.b64decode(str(data.get("piece", "")), validate=True)
        except (binascii.Error, ValueError):
            piece = b""
        if start != held or not piece or held + len(piece) > size:
            self._arriving = []
            self._problem(XRFError("The photograph did not arrive whole", "Try again."))
            return
        self._arriving.append(piece)
        self._upload.received = held + len(piece)
        if held + len(piece) == size:
            whole, self._arriving = b"".join(self._arriving), []
            self._upload.received = 0
            self.results.take_photograph(whole, str(data.get("name", "photograph"))[:200])

    # ---- states

    def _problem(self, error: XRFError) -> None:
        self.results.photograph_state = failed_state(error, "Close")

    def _answer(self, action: str) -> None:
        if action == "Cancel":
            self.results.cancel_photograph()
        else:
            self.results.photograph_state = READY

    def _show_state(self) -> None:
        state, has_photo = self.results.photograph_state, self.results.photograph is not None
        if state is READY and not has_photo:
            state = State(
                "empty", "No photograph yet",
                "Choose one at the right; then mark the same places on the map and on it.",
            )  # fmt: skip
        show_state(self._cover, state, has_content=has_photo)
