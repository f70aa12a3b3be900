"""The embedding: every pixel a point, shaded by datashader, with lasso and box."""

from __future__ import annotations

from functools import partial

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource, CustomJS

from dashboard import drawing, figures, stock
from dashboard.components import Caption, Choice, Tools
from dashboard.latest import LatestOnly
from dashboard.pane import body, pane, show_state, state_cover, title_row
from dashboard.pictures import (
    cluster_colour,
    embedding_image,
    embedding_limits,
    points_image,
    value_limit,
)
from dashboard.results import Results
from dashboard.session import COLOUR_BY, Session
from xrfengine.jobs import CancelToken, Progress

COLOUR_NAMES = {name: name for name in COLOUR_BY}
INK = {"light": "#2f6f6d", "dark": "#8fd0c9"}
_DIMMED = 0.25
_CORNER = ":host { position: absolute !important; right: 4px; bottom: 4px; z-index: 4; }"


class EmbeddingView(pn.viewable.Viewer):
    """The embedding pane."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._shade, self._light = LatestOnly(results.deliver), LatestOnly(results.deliver)
        self._coloured: tuple[list[int], list[str]] = ([], [])
        self._build_figure()
        tools = Tools(prefix="xrf-embedding", options=["Move", "Lasso", "Box"], value="Lasso",
                      width=134)  # fmt: skip
        colour = Choice(
            options=list(COLOUR_NAMES.items()), value=session.colour_by, label="colour by",
            description="What the colour of a point tells", margin=0,
            stylesheets=[_CORNER],
        )  # fmt: skip
        colour.link(session, value="colour_by")
        session.param.watch(lambda e: colour.param.update(value=e.new), "colour_by")
        self._cover = state_cover(self._act)
        self._layout = pane(
            title_row(Caption(text="Embedding"), tools),
            body(
                pn.pane.Bokeh(self._figure, sizing_mode="stretch_both", margin=0),
                colour,
                self._cover,
            ),
            area="embedding",
            css_class="xrf-embedding",
        )
        results.param.watch(lambda *e: self._show_embedding(), "embedding")
        results.param.watch(self._recolour_clusters, "clusters")
        results.param.watch(lambda *e: self._recolour("element"), ["maps"])
        results.param.watch(lambda *e: self._highlight(), "selected")
        results.param.watch(lambda *e: self._show_state(), "embedding_state")
        results.param.watch(self._recolour_regions, "regions")
        session.param.watch(self._recolour_regions, "hidden_regions")
        session.param.watch(lambda *e: self._draw(), ["colour_by", "theme"])
        session.param.watch(lambda *e: self._recolour("element"), "element")
        self._show_state()

    def __panel__(self) -> pn.Column:
        return self._layout

    def _build_figure(self) -> None:
        tools = figures.drag_tools()
        for name, tool in tools.items():
            tool.name = f"xrf-embedding-{name}"
        fig = stock.take("embedding")
        fig.toolbar.tools = list(tools.values())
        fig.name = "xrf-embedding-figure"
        fig.toolbar.active_scroll, fig.toolbar.active_drag = tools["wheel"], tools["Lasso"]
        fig.grid.visible = False
        fig.min_border = 8
        self._mailbox = figures.selection_mailbox(fig)
        self._mailbox.on_change("data", self._take_selection)
        # One message once the view has come to rest, not one for every step of a zoom.
        self._view = ColumnDataSource(data={"view": [0.0, 1.0, 0.0, 1.0, 300.0, 260.0]})
        settled = CustomJS(
            args={"fig": fig, "view": self._view},
            code="""
            clearTimeout(fig.__settle)
            fig.__settle = setTimeout(() => {
                const x = fig.x_range, y = fig.y_range
                const size = [fig.inner_width, fig.inner_height]
                view.data = {view: [x.start, x.end, y.start, y.end, ...size]}
            }, 120)
            """,
        )
        for model, properties in (
            (fig, ("inner_width", "inner_height")),
            (fig.x_range, ("start", "end")),
            (fig.y_range, ("start", "end")),
        ):
            for name in properties:
                model.js_on_change(name, settled)
        self._view.on_change("data", lambda attr, old, new: self._draw())
        for name in ("points", "bright"):
            layer = figures.layer(fig, name)
            layer.data_source.data = _nothing()
        self._figure = fig

    def _take_selection(self, attr: str, old: dict, new: dict) -> None:
        mail = drawing.drawn(new, "embedding")
        if mail is not None and self.results.embedding is not None:
            self.session.draw(*mail)

    def _act(self, action: str) -> None:
        if action == "Cancel":
            self.results.cancel_embedding()
        else:
            self.results.start_embedding()

    def _show_state(self) -> None:
        show_state(
            self._cover,
            self.results.embedding_state,
            has_content=self.results.embedding is not None,
        )

    def _show_embedding(self) -> None:
        embedding = self.results.embedding
        self._show_state()
        for name in ("points", "bright"):
            figures.layer(self._figure, name).data_source.data = _nothing()
        if embedding is None:
            return
        x0, x1, y0, y1 = embedding_limits(embedding.coordinates[:, :2])
        fig = self._figure
        fig.x_range.update(start=x0, end=x1, reset_start=x0, reset_end=x1)
        fig.y_range.update(start=y0, end=y1, reset_start=y0, reset_end=y1)
        self._draw()

    def _recolour(self, kind: str) -> None:
        if self.session.colour_by == kind:
            self._draw()

    def _recolour_clusters(self, event) -> None:
        # Their elements arrive after their pixels, which are what is painted.
        if not (event.old and event.new and event.old.clustering is event.new.clustering):
            self._recolour("cluster")

    def _frame(self) -> tuple[tuple[float, float, float, float], tuple[int, int]]:
        fig = self._figure
        width, height = self._view.data["view"][4:]
        limits = (fig.x_range.start, fig.x_range.end, fig.y_range.start, fig.y_range.end)
        return limits, (int(width), int(height))

    def _draw(self) -> None:
        """Shade the points anew, in a thread."""
        embedding = self.results.embedding
        if embedding is None:
            return
        limits, size_px = self._frame()
        if not (limits[1] > limits[0] and limits[3] > limits[2]):
            return
        colour_by, maps, element = self.session.colour_by, self.results.maps, self.session.element
        values = colours = None
        if colour_by == "cluster" and self.results.clusters is not None:
            clustering = self.results.clusters.clustering
            values = clustering.labels.ravel()
            colours = [cluster_colour(number) for number in clustering.numbers]
        elif colour_by == "element" and maps is not None and element in maps.elements:
            values = maps[element]
        elif colour_by == "region":
            values, colours = self._regions()
        work = partial(
            _shaded, embedding.coordinates[:, :2], limits, size_px, colour_by, values,
            "" if maps is None else maps.kind, INK[self.session.theme], colours,
        )  # fmt: skip
        self._shade.start(work, then=partial(self._put, "points", limits), failed=self._cannot_draw)
        self._highlight()

    def _regions(self) -> tuple[tuple[np.ndarray, ...], list[str]]:
        """Pixels and colours of the regions that are shown."""
        hidden = self.session.hidden_regions
        shown = [
            facts
            for facts in self.results.regions
            if facts.mask is not None and facts.region.id not in hidden
        ]
        return tuple(facts.mask for facts in shown), [facts.region.colour for facts in shown]

    def _recolour_regions(self, *events) -> None:
        masks, colours = self._regions()
        shown = [id(mask) for mask in masks], colours
        if shown != self._coloured:  # their elements arrive later, and change nothing here
            self._coloured = shown
            self._recolour("region")

    def _highlight(self) -> None:
        embedding, selected = self.results.embedding, self.results.selected
        points = figures.layer(self._figure, "points").glyph
        if embedding is None or selected is None:
            self._light.cancel()
            figures.layer(self._figure, "bright").data_source.data = _nothing()
            points.global_alpha = 1.0
            return
        limits, size_px = self._frame()
        mask, coordinates = selected.mask.ravel(), embedding.coordinates[:, :2]

        def work(*, progress: Progress, cancel: CancelToken) -> np.ndarray:
            return points_image(coordinates[mask], limits, size_px)

        def then(image: np.ndarray) -> None:
            self._put("bright", limits, image)
            points.global_alpha = _DIMMED

        self._light.start(work, then=then, failed=self._cannot_draw)

    def _put(self, name: str, limits: tuple, image: np.ndarray) -> None:
        x0, x1, y0, y1 = limits
        figures.layer(self._figure, name).data_source.data = {
            "image": [image], "x": [x0], "y": [y0], "dw": [x1 - x0], "dh": [y1 - y0],
        }  # fmt: skip

    def _cannot_draw(self, error) -> None:
        self._cover.param.update(kind="error", message=error.message, hint=error.hint, action="")


def _shaded(
    points, limits, size_px, colour_by, values, kind, ink, colours, *, progress: Progress,
    cancel: CancelToken,
) -> np.ndarray:  # fmt: skip
    if colour_by == "region":
        colour_by, values = "cluster", _labels(values, len(points))
    if colour_by == "element" and values is not None:
        values = np.clip(values.ravel() / value_limit(values, kind), 0.0, 1.0)
    return embedding_image(
        points, limits, size_px, colour_by=colour_by, values=values, ink=ink, colours=colours
    )


def _labels(masks: tuple[np.ndarray, ...], n_pixels: int) -> np.ndarray:
    """Of each pixel the number of the last region it belongs to; -1: of none."""
    labels = np.full(n_pixels, -1, np.int32)
    for number, mask in enumerate(masks):
        labels[mask.ravel()] = number
    return labels


def _nothing() -> dict:
    return {"image": [], "x": [], "y": [], "dw": [], "dh": []}
