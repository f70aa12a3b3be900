"""The photograph over the map, as strong as the session says."""

from __future__ import annotations

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure as Figure

from dashboard.keeping.photographs import address_of, shown_on
from dashboard.plots import figures
from dashboard.plots.display import CHOICES, Display
from dashboard.results import Results
from dashboard.session import Session
from xrfengine.jobs import CancelToken, Progress

_SENT_PX = 1200


class PhotographLayer:
    """Lays ``results.photograph`` over a figure of the map, above the element.

    Nothing is added to the figure before there is a photograph.
    """

    def __init__(
        self, session: Session, results: Results, figure: Figure, *, follows_display: bool = True
    ) -> None:
        self.session, self.results, self.figure = session, results, figure
        self._follows = follows_display
        self._work = results.further_work()
        self._painted: tuple[np.ndarray, Display] | None = None
        results.param.watch(lambda *e: self.show(), "photograph")
        session.param.watch(lambda *e: self.show(), ["photo_opacity", *CHOICES])

    def show(self) -> None:
        """Paint what there is."""
        photo, opened, opacity = self.results.photograph, self.results.opened, self._opacity()
        if photo is None or photo.laid is None or opened is None or opacity == 0:
            if self._painted is not None:
                self._layer().visible = False
            return
        shape_yx = opened.cube.shape[:2]
        display = Display.of(self.session, shape_yx) if self._follows else Display(shape_yx)
        layer = self._layer()
        layer.glyph.global_alpha = opacity / 100
        wanted = photo.laid, display
        if self._painted is not None and self._is_same(wanted):
            layer.visible = True
            return

        def work(*, progress: Progress, cancel: CancelToken) -> str:
            return address_of(shown_on(*wanted), _SENT_PX)

        def then(address: str) -> None:
            height, width = display.shape
            layer.data_source.data = {
                "url": [address], "x": [-0.5], "y": [-0.5], "w": [width], "h": [height]
            }  # fmt: skip
            layer.visible = True
            self._painted = wanted

        self._work.start(work, then=then, failed=self.results._photograph_failed)

    def _opacity(self) -> int:
        return self.session.photo_opacity

    def _is_same(self, wanted: tuple[np.ndarray, Display]) -> bool:
        return self._painted[0] is wanted[0] and self._painted[1] == wanted[1]

    def _layer(self):
        known = [r for r in self.figure.renderers if r.name == "photograph"]
        if known:
            return known[0]
        source = ColumnDataSource(data={"url": [], "x": [], "y": [], "w": [], "h": []})
        layer = self.figure.image_url(
            url="url", x="x", y="y", w="w", h="h", anchor="top_left", source=source,
            name="photograph",
        )  # fmt: skip
        # Above the element, below outlines.
        renderers = [r for r in self.figure.renderers if r is not layer]
        place = 1 + renderers.index(figures.layer(self.figure, "values"))
        self.figure.renderers = [*renderers[:place], layer, *renderers[place:]]
        return layer
