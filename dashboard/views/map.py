"""The element map: colour above the threshold, grey below, clusters and selection over it."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn

from dashboard.canvas.glass import Glass
from dashboard.canvas.layers import MapCanvas
from dashboard.canvas.profile import ProfileView
from dashboard.canvas.sheet import MapSheet
from dashboard.components import Caption, Choice, DrawingTools, Toggle
from dashboard.frames.pane import body, pane, show_state, state_cover, title_row
from dashboard.frames.sheet import Sheet
from dashboard.names import element_name
from dashboard.plots import figures
from dashboard.plots.display import CHOICES, Display
from dashboard.plots.pictures import MAP_PALETTES, cluster_colour, window_limits
from dashboard.results import Results
from dashboard.session import Session
from dashboard.shown import failed_state, verdict_words

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
_WINDOW = "window"
_SHORTEST_LINE_PX = 1.0
_CORNER = ":host { position: absolute !important; left: 4px; top: 4px; z-index: 6; }"


class MapView(pn.viewable.Viewer):
    """The map pane, and below it whatever it is given."""

    def __init__(self, session: Session, results: Results, below: Any = None) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._marked: np.ndarray | None = None
        self.canvas = canvas = MapCanvas(results.further_work(), self._cannot_paint)
        results.visible = canvas.visible
        canvas.on_selection(session.draw)
        canvas.on_crop(lambda crop: setattr(session, "crop", crop))
        canvas.on_line(self._take_line)
        self._glass = Glass(session, results)
        self._title = Caption(text="Map")
        self._tools = DrawingTools(
            prefix="xrf-map", more=["Line", "Crop"], operation=session.operation, margin=0,
            stylesheets=[_CORNER],
            on_message=lambda data: setattr(session, "crop", None) if data.get("action") else None,
        )  # fmt: skip
        self._tools.link(session, operation="operation")
        session.param.watch(lambda e: self._tools.param.update(operation=e.new), "operation")
        self._method = method = Choice(
            options=[*METHOD_NAMES.items()], value=session.method, boxed=True, width=168,
            height=32, margin=0, label="What the map shows", description=_METHODS_TOLD,
        )  # fmt: skip
        method.param.watch(lambda e: self._take_method(e.new), "value")
        session.param.watch(lambda *e: self._show_method(), ["method", "energy_window_kev"])
        self._clusters_on = Toggle(
            label="Clusters", icon="bubble_chart", value=session.show_clusters, width=32, margin=0,
            description="Clusters: lay them over the map",
        )  # fmt: skip
        self._clusters_on.link(session, value="show_clusters")
        self._sheet = sheet = Sheet(
            "Map settings", lambda: MapSheet(session, results, sheet), icon="tune",
            description="Map settings: colours, scale, and how the picture lies",
        )  # fmt: skip
        self._profile = ProfileView(session, results)
        self._cover = state_cover(self._act)
        self._layout = pane(
            title_row(self._title, method, self._clusters_on, sheet.button),
            body(
                pn.pane.Bokeh(canvas.figure, sizing_mode="stretch_both", margin=0),
                self._glass,
                self._tools,
                self._cover,
                sheet.panel,
                **{"container-type": "size"},
            ),
            self._profile,
            *([] if below is None else [below]),
            area="map",
            css_class="xrf-map",
        )  # fmt: skip
        results.param.watch(lambda *e: self._show_scan(), "opened")
        results.param.watch(lambda *e: self._show_map(), ["maps", "starts", "window", "unit"])
        results.param.watch(lambda *e: self._show_clusters(), "clusters")
        # After the spectrum, which is the smaller part and what one selects for.
        results.param.watch(lambda *e: self._show_selection(), "selected", precedence=1)
        results.param.watch(lambda *e: self._show_regions(), "regions")
        session.param.watch(lambda *e: self._show_regions(), "hidden_regions")
        results.param.watch(lambda *e: self._show_state(), "map_state")
        session.param.watch(
            lambda *e: self._show_map(),
            ["element", "threshold", "window_threshold", "top_percentile"],
        )
        session.param.watch(lambda *e: self._show_colours(), "colours")
        results.param.watch(lambda *e: self._show_map(), "overruled")
        session.param.watch(lambda *e: self._show_clusters(), "show_clusters")
        session.param.watch(lambda *e: self._turn(), list(CHOICES))
        session.param.watch(lambda *e: self._show_line(), "profile")
        self._show_method()
        self._show_state()
        self._show_colours()

    def __panel__(self) -> pn.Column:
        return self._layout

    def _take_method(self, method: str) -> None:
        if method != _WINDOW:
            self.session.param.update(method=method, energy_window_kev=None)

    def _show_method(self) -> None:
        """While a window of energies is mapped, it stands among the methods."""
        is_window = self.session.energy_window_kev is not None
        more = [("Drawn window", _WINDOW)] if is_window else []
        self._method.param.update(
            options=[*METHOD_NAMES.items(), *more],
            value=_WINDOW if is_window else self.session.method,
        )

    @property
    def _figure(self):
        return self.canvas.figure

    def _act(self, action: str) -> None:
        if self.results.opened is None:
            self.results.open()
        else:
            self.results.retry_maps()

    def _cannot_paint(self, error) -> None:
        show_state(self._cover, failed_state(error), has_content=True)

    # ---- how it lies

    def _display(self) -> Display:
        return Display.of(self.session, self.results.opened.cube.shape[:2])

    def _show_scan(self) -> None:
        opened = self.results.opened
        if opened is not None:
            self._marked = None
            self.canvas.open(opened.total_counts, self._display())
            self._show_way()

    def _turn(self) -> None:
        if self.results.opened is not None:
            self.canvas.turn(self._display())
            self._show_way()
            self._show_regions()

    def _show_way(self) -> None:
        self._glass.lie(self.canvas.display)
        self._show_line()
        self._tools.actions = ["Uncrop"] if self.canvas.display.crop is not None else []

    def _take_line(self, line: tuple[float, float, float, float]) -> None:
        if np.hypot(line[2] - line[0], line[3] - line[1]) >= _SHORTEST_LINE_PX:
            self.session.profile = line
        else:
            self._show_line()

    def _show_line(self) -> None:
        if self.results.opened is not None:
            self.canvas.draw_line(self.session.profile)

    # ---- what it shows

    def _show_map(self) -> None:
        maps, session = self.results.maps, self.session
        if self.results.window is not None and self.results.opened is not None:
            self._show_window()
            return
        if maps is None or self.results.opened is None or session.element not in maps.elements:
            self._show_no_map()
            return
        start = self.results.starts.get(session.element, 0.5)
        low = session.threshold if session.threshold is not None else start
        errors = self.results.errors
        self._glass.tell(session.element, self.results.unit)
        self.canvas.paint(
            "values", maps[session.element], None if errors is None else errors[session.element]
        )
        high = max(self.results.top(session.element), low + 1e-6)
        self.canvas.mappers["values"].update(low=low, high=high)
        coarse = f"{maps.region_px}×{maps.region_px} px" if maps.region_px > 1 else ""
        said = verdict_words(session.overrides.of(session.element))
        self._title.param.update(
            text=f"{session.element} {element_name(session.element)}",
            detail=", ".join(filter(None, (said, coarse))),
        )

    def _show_window(self) -> None:
        """Counts between two energies, dragged over the spectrum."""
        window, moved = self.results.window, self.session.window_threshold
        start, high = window_limits(window)
        low = start if moved is None else moved
        self._glass.tell(window.name, window.unit)
        self.canvas.paint("values", window.values, window.errors)
        self.canvas.mappers["values"].update(low=low, high=max(high, low + 1e-6))
        coarse = f"{window.region_px}×{window.region_px} px" if window.region_px > 1 else ""
        self._title.param.update(
            text=window.name, detail=", ".join(filter(None, (window.unit, coarse)))
        )

    def _show_colours(self) -> None:
        self.canvas.mappers["values"].palette = list(MAP_PALETTES[self.session.colours])

    def _show_no_map(self) -> None:
        """Nothing is open yet, or the fit left the chosen element out."""
        maps, element = self.results.maps, self.session.element
        if maps is None or self.results.opened is None:
            self._title.param.update(text=element or "Map", detail="")
            return
        self.canvas.paint("values", None)
        self._title.param.update(
            text=f"{element} {element_name(element)}",
            detail="not in the fit: its lines do not show in the scan's summed spectrum",
        )

    def _show_clusters(self) -> None:
        clusters = self.results.clusters
        layer = self.canvas.layer("clusters")
        layer.visible = self.session.show_clusters and clusters is not None
        self._clusters_on.value = self.session.show_clusters
        if not layer.visible:
            return
        n = clusters.clustering.n_clusters
        self.canvas.mappers["clusters"].update(
            palette=[figures.CLEAR, *map(cluster_colour, clusters.clustering.numbers)],
            low=-0.5,
            high=n + 0.5,
        )
        self.canvas.paint("clusters", (clusters.clustering.labels + 1).astype(np.uint16))

    def _show_selection(self) -> None:
        selected = self.results.selected
        mask, border = self.canvas.layer("mask"), self.canvas.layer("border")
        mask.visible = border.visible = selected is not None
        if selected is None or selected.mask is self._marked:
            return
        self._marked = selected.mask
        self.canvas.paint("mask", selected.mask.astype(np.uint8))

    def _show_regions(self) -> None:
        self.canvas.outline(self.results.regions, self.session.hidden_regions)

    def _show_state(self) -> None:
        show_state(self._cover, self.results.map_state, has_content=self.results.opened is not None)
