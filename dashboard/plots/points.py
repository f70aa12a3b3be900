"""Every pixel a point: a figure shaded by datashader, in which pixels are selected.

Where the points lie is the caller's: an embedding, or two maps. Colours and the bright points of
the selection follow the session alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from bokeh.plotting import figure as Figure

from dashboard.canvas import drawing
from dashboard.latest import LatestOnly
from dashboard.plots import figures, stock
from dashboard.plots.pictures import (
    cluster_colour,
    embedding_image,
    points_image,
    trimmed,
    value_limit,
)
from dashboard.results import Results
from dashboard.session import COLOUR_BY, Selection, Session
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress

COLOUR_NAMES = {name: name for name in COLOUR_BY}
INK = {"light": "#2f6f6d", "dark": "#8fd0c9"}
_DIMMED = 0.25

Limits = tuple[float, float, float, float]


class PointsPlot:
    """The figure and what paints it; ``is_seen`` False paints nothing.

    Parameters
    ----------
    place : {"embedding", "scatter"}
        Prefix of the names that tools and layers have, and the source of its selections.
    take : callable
        Takes a drawn selection and how it joins the one before, see :func:`drawing.drawn`.
    failed : callable
        Takes an error of painting.
    """

    def __init__(
        self,
        session: Session,
        results: Results,
        place: str,
        take: Callable[[Selection, Any], None],
        failed: Callable[[XRFError], None],
    ) -> None:
        self.session, self.results, self.is_seen = session, results, True
        self._place, self._take, self._failed = place, take, failed
        self._shade, self._light = LatestOnly(results.deliver), LatestOnly(results.deliver)
        self._points: np.ndarray | None = None
        self._lit: tuple[np.ndarray, Limits, tuple[int, int]] | None = None
        self._coloured: tuple[list[int], tuple[str, ...]] = ([], ())
        self.figure = self._built()
        results.param.watch(self._recolour_clusters, "clusters")
        results.param.watch(lambda *e: self._recolour("element"), "maps")
        results.param.watch(self._recolour_regions, "regions")
        session.param.watch(self._recolour_regions, "hidden_regions")
        results.param.watch(lambda *e: self.highlight(), "selected")
        session.param.watch(lambda *e: self.draw(), ["colour_by", "theme"])
        session.param.watch(lambda *e: self._recolour("element"), "element")

    def _built(self) -> Figure:
        tools = figures.drag_tools()
        for name, tool in tools.items():
            tool.name = f"xrf-{self._place}-{name}"
        fig = stock.take("embedding")
        fig.toolbar.tools = list(tools.values())
        fig.name = f"xrf-{self._place}-figure"
        fig.toolbar.active_scroll, fig.toolbar.active_drag = tools["wheel"], tools["Lasso"]
        fig.grid.visible = False
        fig.min_border = 8
        self.mailbox = figures.selection_mailbox(fig)
        self.mailbox.on_change("data", self._take_drawn)
        # One message once the view has come to rest, not one for every step of a zoom.
        self._view = figures.settled_view(fig, wait_ms=120)
        self._view.data = {"view": [0.0, 1.0, 0.0, 1.0, 300.0, 260.0]}
        self._view.on_change("data", lambda attr, old, new: self.draw())
        for name in ("points", "bright"):
            figures.layer(fig, name).data_source.data = _nothing()
        return fig

    def _take_drawn(self, attr: str, old: dict, new: dict) -> None:
        mail = drawing.drawn(new, self._place)
        if mail is not None and self._points is not None:
            self._take(*mail)

    def show(self, points: np.ndarray | None, limits: Limits | None = None) -> None:
        """Show other points (n, 2), pixels row by row, within limits; None clears the figure."""
        for name in ("points", "bright"):
            figures.layer(self.figure, name).data_source.data = _nothing()
        self._points, self._lit = points, None
        if points is None or limits is None:
            self._shade.cancel()
            self._light.cancel()
            return
        x0, x1, y0, y1 = limits
        self.figure.x_range.update(start=x0, end=x1, reset_start=x0, reset_end=x1)
        self.figure.y_range.update(start=y0, end=y1, reset_start=y0, reset_end=y1)
        self.draw()

    def _recolour(self, kind: str) -> None:
        if self.session.colour_by == kind:
            self.draw()

    def _recolour_clusters(self, event) -> None:
        # Their elements arrive after their pixels, which are what is painted.
        if not (event.old and event.new and event.old.clustering is event.new.clustering):
            self._recolour("cluster")

    def _regions(self) -> tuple[tuple[np.ndarray, ...], tuple[str, ...]]:
        """Pixels and colours of the regions that are shown."""
        hidden = self.session.hidden_regions
        shown = [
            facts
            for facts in self.results.regions
            if facts.mask is not None and facts.region.id not in hidden
        ]
        return tuple(f.mask for f in shown), tuple(f.region.colour for f in shown)

    def _recolour_regions(self, *events) -> None:
        masks, colours = self._regions()
        shown = [id(mask) for mask in masks], colours
        if shown != self._coloured:  # their elements arrive later, and change nothing here
            self._coloured = shown
            self._recolour("region")

    def _frame(self) -> tuple[Limits, tuple[int, int]]:
        fig = self.figure
        width, height = self._view.data["view"][4:]
        limits = (fig.x_range.start, fig.x_range.end, fig.y_range.start, fig.y_range.end)
        return limits, (int(width), int(height))

    def draw(self) -> None:
        """Shade the points anew, in a thread."""
        if self._points is None or not self.is_seen:
            return
        limits, size_px = self._frame()
        if not (limits[1] > limits[0] and limits[3] > limits[2]):
            return
        results, session = self.results, self.session
        maps, clusters = results.maps, results.clusters
        work: Callable[..., np.ndarray]
        shade = partial(_shaded, self._points, limits, size_px, INK[session.theme])
        if session.colour_by == "cluster" and clusters is not None:
            clustering = clusters.clustering
            colours = tuple(cluster_colour(number) for number in clustering.numbers)
            work = partial(shade, labels=lambda: clustering.labels, colours=colours)
        elif session.colour_by == "region":
            masks, colours = self._regions()
            labels = partial(_region_labels, masks, len(self._points))
            work = partial(shade, labels=labels, colours=colours)
        elif (
            session.colour_by == "element" and maps is not None and session.element in maps.elements
        ):
            work = partial(shade, values=maps[session.element], kind=maps.kind)
        else:
            work = shade
        self._shade.start(work, then=partial(self._put, "points", limits), failed=self._failed)
        self.highlight()

    def highlight(self) -> None:
        """The selected pixels bright, the others pale."""
        selected, all_points = self.results.selected, self._points
        if not self.is_seen:
            return
        glyph = figures.layer(self.figure, "points").glyph
        if all_points is None or selected is None:
            self._light.cancel()
            self._lit = None
            figures.layer(self.figure, "bright").data_source.data = _nothing()
            glyph.global_alpha = 1.0
            return
        limits, size_px = self._frame()
        # The elements of a selection arrive after its pixels, which are bright by then.
        is_same = self._lit is not None and self._lit[0] is selected.mask
        if is_same and self._lit[1:] == (limits, size_px):
            return
        self._lit, mask = (selected.mask, limits, size_px), selected.mask.ravel()

        def work(*, progress: Progress, cancel: CancelToken) -> tuple[np.ndarray, Limits]:
            return trimmed(points_image(all_points[mask], limits, size_px), limits)

        def then(lit: tuple[np.ndarray, Limits]) -> None:
            image, place = lit
            self._put("bright", place, image)
            glyph.global_alpha = _DIMMED

        def failed(error: XRFError) -> None:
            self._lit = None
            self._failed(error)

        self._light.start(work, then=then, failed=failed)

    def _put(self, name: str, limits: Limits, image: np.ndarray) -> None:
        x0, x1, y0, y1 = limits
        figures.layer(self.figure, name).data_source.data = {
            "image": [image], "x": [x0], "y": [y0], "dw": [x1 - x0], "dh": [y1 - y0],
        }  # fmt: skip


def _shaded(
    points: np.ndarray,
    limits: Limits,
    size_px: tuple[int, int],
    ink: str,
    *,
    labels: Callable[[], np.ndarray] | None = None,
    colours: tuple[str, ...] = (),
    values: np.ndarray | None = None,
    kind: str = "",
    progress: Progress,
    cancel: CancelToken,
) -> np.ndarray:
    if labels is not None:
        return embedding_image(
            points, limits, size_px, colour_by="cluster", values=labels().ravel(), colours=colours
        )
    if values is not None:
        share = np.clip(values.ravel() / value_limit(values, kind), 0.0, 1.0)
        return embedding_image(points, limits, size_px, colour_by="element", values=share)
    return embedding_image(points, limits, size_px, colour_by="density", ink=ink)


def _region_labels(masks: tuple[np.ndarray, ...], n_pixels: int) -> np.ndarray:
    """Of each pixel the number of the last region it belongs to; −1: of none."""
    labels = np.full(n_pixels, -1, np.int32)
    for number, mask in enumerate(masks):
        labels[mask.ravel()] = number
    return labels


def _nothing() -> dict:
    return {"image": [], "x": [], "y": [], "dw": [], "dh": []}
