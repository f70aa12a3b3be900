"""The current selection: its pixels, their spectrum, and the elements in it."""

from __future__ import annotations

from dataclasses import replace

from dashboard.results.base import ResultsBase
from dashboard.shown import READY, Selected, failed_state, selection_mask, selection_title
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress


class SelectionResults(ResultsBase):
    """What is selected."""

    def _follow_selection(self) -> None:
        chosen = self.session.selection
        if chosen is None or self.opened is None:
            self._selection.cancel()
            self.param.update(selected=None)
            return
        if (chosen.source == "cluster" and self.clusters is None) or (
            chosen.source == "embedding" and self.embedding is None
        ):
            return  # taken up when they arrive
        cube, clusters, embedding = self.opened.cube, self.clusters, self.embedding

        def average(*, progress: Progress, cancel: CancelToken) -> Selected:
            mask = selection_mask(chosen, cube.shape[:2], clusters, embedding)
            title = selection_title(chosen, mask)
            return Selected(mask, title, self.engine.region_spectrum(cube, mask, title))

        self._selection.start(average, then=self._show_selected, failed=self._cannot_select)

    def _show_selected(self, selected: Selected) -> None:
        self.param.update(selected=selected, selection_state=READY)

        def identify(*, progress: Progress, cancel: CancelToken) -> tuple:
            return self.engine.identify(selected.spectrum)

        def then(identified: tuple) -> None:
            self.selected = replace(selected, identified=identified)

        self._selection.start(identify, then=then, failed=self._cannot_select)

    def _cannot_select(self, error: XRFError) -> None:
        self.param.update(selected=None, selection_state=failed_state(error))
