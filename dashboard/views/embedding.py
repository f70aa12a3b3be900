"""The embedding, or two elements against each other: every pixel a point, with lasso and box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from dashboard.components import Choice, Tools
from dashboard.frames.pane import body, pane, show_state, state_cover, title_row
from dashboard.plots.pictures import embedding_limits
from dashboard.plots.points import COLOUR_NAMES, PointsPlot
from dashboard.results import Results
from dashboard.session import Session
from dashboard.shown import failed_state

WHAT = {"Embedding": "embedding", "Two elements": "elements"}
_CORNER = ":host { position: absolute !important; right: 4px; bottom: 4px; z-index: 4; }"


class EmbeddingView(pn.viewable.Viewer):
    """The embedding pane.

    Parameters
    ----------
    elements : callable or None
        Builds the view of two elements when it is first asked for; it has ``tools``.
    """

    def __init__(
        self,
        session: Session,
        results: Results,
        elements: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._build_elements, self._elements = elements, None
        self._plot = PointsPlot(
            session, results, "embedding", lambda *mail: session.draw(*mail), self._cannot_draw
        )
        self._tools = Tools(
            prefix="xrf-embedding", options=["Move", "Lasso", "Box"], value="Lasso", width=134
        )
        what = Choice(
            options=list(WHAT.items()), value=session.points, boxed=True, margin=0, height=32,
            label="What the points show", css_classes=["xrf-points-what"],
            description="Embedding: pixels with like spectra lie together. Two elements: the maps "
            "of two elements against each other",
        )  # fmt: skip
        what.link(session, value="points")
        session.param.watch(lambda e: what.param.update(value=e.new), "points")
        colour = Choice(
            options=list(COLOUR_NAMES.items()), value=session.colour_by, label="colour by",
            description="What the colour of a point tells", margin=0,
            stylesheets=[_CORNER],
        )  # fmt: skip
        colour.link(session, value="colour_by")
        session.param.watch(lambda e: colour.param.update(value=e.new), "colour_by")
        self._cover = state_cover(self._act)
        self._embedding = body(
            pn.pane.Bokeh(self._plot.figure, sizing_mode="stretch_both", margin=0),
            colour,
            self._cover,
        )
        self._title = title_row(what, self._tools)
        self._layout = pane(
            self._title, self._embedding, area="embedding", css_class="xrf-embedding"
        )
        results.param.watch(lambda *e: self._show_embedding(), "embedding")
        results.param.watch(lambda *e: self._show_state(), "embedding_state")
        session.param.watch(lambda *e: self._show_what(), "points")
        self._show_state()
        self._show_what()

    def __panel__(self) -> pn.Column:
        return self._layout

    def _show_what(self) -> None:
        """The embedding, or two elements, which are built when they are first asked for."""
        is_embedding = self.session.points == "embedding" or self._build_elements is None
        if not is_embedding and self._elements is None:
            self._elements = self._build_elements()
            self._title.append(self._elements.tools)
            self._layout.append(self._elements)
        self._embedding.visible = self._tools.visible = is_embedding
        if self._elements is not None:
            self._elements.show(not is_embedding)
        was_hidden, self._plot.is_seen = not self._plot.is_seen, is_embedding
        if was_hidden and is_embedding:
            self._plot.draw()

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
        if embedding is None:
            self._plot.show(None)
            return
        points = embedding.coordinates[:, :2]
        self._plot.show(points, embedding_limits(points))

    def _cannot_draw(self, error) -> None:
        show_state(self._cover, failed_state(error), has_content=True)
