"""The element map: colour above the threshold, grey below, clusters and selection over it."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColorBar

from dashboard import figures, stock
from dashboard.components import Caption, Choice, Toggle, Tools
from dashboard.names import element_name
from dashboard.pane import body, pane, show_state, state_cover, title_row
from dashboard.pictures import (
    HIGHLIGHT,
    cluster_colour,
    grey_limits,
    outline,
)
from dashboard.results import Results
from dashboard.session import Selection, Session
from dashboard.shown import verdict_words

METHOD_NAMES = {
    "Probability": "probability",
    "Net counts, fitted": "fit",
    "Counts in a window": "roi",
    "Probability, by cluster": "cluster",
}
_METHODS_TOLD = (
    "Probability: that the element is visible in the pixel. Net counts, fitted: counts of its main "
    "lines by a fit of the whole spectrum, with their standard error. Counts in a window: around "
    "its main line, less the background beside it. By cluster: probability in the summed spectrum "
    "of each cluster"
)


class MapView(pn.viewable.Viewer):
    """The map pane, and below it whatever it is given."""

    def __init__(self, session: Session, results: Results, below: Any = None) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._marked: np.ndarray | None = None
        self._build_figure()
        self._title = Caption(text="Map")
        tools = Tools(prefix="xrf-map", options=list(self._tools)[:3], width=134)
        method = Choice(
            options=[*METHOD_NAMES.items()], value=session.method, boxed=True, width=168,
            height=32, margin=0, label="What the map shows", description=_METHODS_TOLD,
        )  # fmt: skip
        method.link(session, value="method")
        session.param.watch(lambda e: method.param.update(value=e.new), "method")
        self._clusters_on = Toggle(
            label="Clusters", value=session.show_clusters, width=80, margin=0,
            description="Lay the clusters over the map",
        )  # fmt: skip
        self._clusters_on.link(session, value="show_clusters")
        self._cover = state_cover(self._act)
        self._layout = pane(
            title_row(self._title, method, self._clusters_on, tools),
            body(
                pn.pane.Bokeh(self._figure, sizing_mode="stretch_both", margin=0),
                self._cover,
            ),
            *([] if below is None else [below]),
            area="map",
            css_class="xrf-map",
        )  # fmt: skip
        results.param.watch(lambda *e: self._show_scan(), "opened")
        results.param.watch(lambda *e: self._show_map(), ["maps", "starts"])
        results.param.watch(lambda *e: self._show_clusters(), "clusters")
        results.param.watch(lambda *e: self._show_selection(), "selected")
        results.param.watch(lambda *e: self._show_state(), "map_state")
        session.param.watch(lambda *e: self._show_map(), ["element", "threshold"])
        results.param.watch(lambda *e: self._show_map(), "overruled")
        session.param.watch(lambda *e: self._show_clusters(), "show_clusters")
        self._show_state()

    def __panel__(self) -> pn.Column:
        return self._layout

    def _build_figure(self) -> None:
        self._tools = figures.drag_tools()
        for name, tool in self._tools.items():
            tool.name = f"xrf-map-{name}"
        fig = stock.take("map")
        fig.toolbar.tools = list(self._tools.values())
        fig.name = "xrf-map-figure"
        self._mappers = figures.mappers(fig)
        self._hover = figures.map_hover(fig)
        fig.add_tools(self._hover)
        fig.toolbar.active_scroll = self._tools["wheel"]
        fig.toolbar.active_drag = self._tools["Move"]
        self._size = figures.keep_square(fig)
        mailbox = figures.selection_mailbox(fig)
        mailbox.on_change("data", self._take_selection)
        fig.add_layout(
            ColorBar(
                color_mapper=self._mappers["values"], height=8, padding=6, margin=0,
                label_standoff=4, bar_line_color=None, background_fill_alpha=0,
                major_tick_line_color=None, border_line_color=None,
            ),
            "below",
        )  # fmt: skip
        fig.min_border = 4
        fig.min_border_right = fig.min_border_left = 16
        # The painting shines through, so that one knows where one is.
        figures.layer(fig, "values").glyph.global_alpha = 0.85
        figures.layer(fig, "clusters").visible = False
        figures.layer(fig, "clusters").glyph.global_alpha = 0.92
        figures.layer(fig, "mask").visible = False
        figures.layer(fig, "border").glyph.update(line_color=HIGHLIGHT, line_width=1.5)
        self._figure = fig

    def _take_selection(self, attr: str, old: dict, new: dict) -> None:
        vertices = tuple(zip(new["x"], new["y"], strict=True))
        if len(vertices) >= 3:
            self.session.selection = Selection("map", vertices)

    def _act(self, action: str) -> None:
        if self.results.opened is None:
            self.results.open()
        else:
            self.results.retry_maps()

    def _show_scan(self) -> None:
        opened = self.results.opened
        if opened is None:
            return
        height, width = opened.cube.shape[:2]
        grey = self._mappers["grey"]
        grey.low, grey.high = grey_limits(opened.total_counts)
        blank = np.zeros((height, width), np.uint8)
        figures.put_image(self._figure, "grey", opened.total_counts)
        figures.put_image(self._figure, "values", np.full((height, width), np.nan, np.float32))
        figures.put_image(self._figure, "clusters", blank)
        figures.put_image(self._figure, "mask", blank)
        self._size.tags = [width, height]

    def _show_map(self) -> None:
        maps, session = self.results.maps, self.session
        if maps is None or self.results.opened is None or session.element not in maps.elements:
            self._show_no_map()
            return
        values = maps[session.element]
        start = self.results.starts.get(session.element, 0.5)
        low = session.threshold if session.threshold is not None else start
        mapper = self._mappers["values"]
        source = figures.layer(self._figure, "values").data_source
        if source.data["image"][0] is not values:
            # One column is patched; zoom, tools and the other layers stay as they are.
            images = {"image": [values]}
            if (errors := self.results.errors) is not None:
                images["error"] = [errors[session.element]]
            self._hover.tooltips = figures.tooltip(maps.kind, errors is not None)
            source.data = {**figures.placed(source.data), **images}
        high = max(self.results.top(session.element), low + 1e-6)
        mapper.update(low=low, high=high)
        coarse = f"{maps.region_px}×{maps.region_px} px" if maps.region_px > 1 else ""
        said = verdict_words(session.overrides.of(session.element))
        self._title.param.update(
            text=f"{session.element} {element_name(session.element)}",
            detail=", ".join(filter(None, (said, coarse))),
        )

    def _show_no_map(self) -> None:
        """Nothing is open yet, or the fit left the chosen element out."""
        maps, element = self.results.maps, self.session.element
        if maps is None or self.results.opened is None:
            self._title.param.update(text=element or "Map", detail="")
            return
        source = figures.layer(self._figure, "values").data_source
        shape_yx = self.results.opened.cube.shape[:2]
        source.data = {
            **figures.placed(source.data), "image": [np.full(shape_yx, np.nan, np.float32)]
        }  # fmt: skip
        self._title.param.update(
            text=f"{element} {element_name(element)}",
            detail="not in the fit: its lines do not show in the scan's summed spectrum",
        )

    def _show_clusters(self) -> None:
        clusters = self.results.clusters
        layer = figures.layer(self._figure, "clusters")
        layer.visible = self.session.show_clusters and clusters is not None
        self._clusters_on.value = self.session.show_clusters
        if not layer.visible:
            return
        n = clusters.clustering.n_clusters
        mapper = self._mappers["clusters"]
        mapper.update(
            palette=[figures.CLEAR, *(cluster_colour(i) for i in range(n))],
            low=-0.5,
            high=n + 0.5,
        )
        image = (clusters.clustering.labels + 1).astype(np.uint16)
        layer.data_source.data = {**layer.data_source.data, "image": [image]}

    def _show_selection(self) -> None:
        selected = self.results.selected
        mask = figures.layer(self._figure, "mask")
        border = figures.layer(self._figure, "border")
        mask.visible = border.visible = selected is not None
        if selected is None or selected.mask is self._marked:
            return
        self._marked = selected.mask
        image = selected.mask.astype(np.uint8)
        mask.data_source.data = {**mask.data_source.data, "image": [image]}
        x0, y0, x1, y1 = outline(selected.mask).T
        border.data_source.data = {"column": x0, "row": y0, "column1": x1, "row1": y1}

    def _show_state(self) -> None:
        show_state(self._cover, self.results.map_state, has_content=self.results.opened is not None)
