"""The current selection: its pixels, their spectrum, and the elements in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from dashboard.results.base import ResultsBase
from dashboard.results.chosen import Ground, Masked, selection_title
from dashboard.session import Selection
from dashboard.shown import READY, Selected, failed_state
from xrfengine.errors import SettingsError, XRFError
from xrfengine.jobs import NEVER, CancelToken, Progress

_RESTS_S = 2.0
"""Without a choice, before a selection is searched for traces: that takes the processor for a
second or two, and whoever goes on choosing would feel it."""


class SelectionResults(ResultsBase):
    """What is selected."""

    added: Callable[[], tuple[str, ...]]
    cluster_name: Callable[[int], str]
    _label: Callable[[int], int | None]
    _masked: Masked | None = None
    """The last selection, from which the next may go on."""
    _is_searched = True
    """Whether the elements told of it are the last word."""
    _keeps_next = False
    """Whether it is to be kept as soon as its pixels are known."""

    def keep_selection(self) -> None:
        """Keep what is selected as soon as its pixels are known."""
        self._keeps_next = self.session.selection is not None

    def _follow_selection(self) -> None:
        chosen = self.session.selection
        self._keeps_next = False
        self._traces.cancel()
        if chosen is None or self.opened is None:
            self._selection.cancel()
            self._masked = None
            self.param.update(selected=None, selection_state=READY)
            return
        if (chosen.needs("cluster") and self.clusters is None) or (
            chosen.needs("embedding") and self.embedding is None
        ):
            return  # taken up when they arrive
        cube, ground = self.opened.cube, self.ground()
        before = self._masked and self._masked.on(ground)
        name = self.cluster_called(chosen)

        def average(*, progress: Progress, cancel: CancelToken) -> tuple[Selected, Masked]:
            whole = replace(ground, map_values=partial(ground.map_values, cancel=cancel))
            mask = whole.mask(chosen, before)
            title = selection_title(chosen, mask, name)
            spectrum = self.engine.region_spectrum(cube, mask, title)
            return Selected(mask, title, spectrum, chosen=chosen), Masked(chosen, ground, mask)

        self._selection.start(average, then=self._show_selected, failed=self._cannot_select)

    def ground(self) -> Ground:
        """What selections refer to now; on the loop."""
        return Ground(
            self.opened.cube.shape[:2], self.clusters, self.embedding, self._values_of_maps()
        )

    def _values_of_maps(self) -> Callable[..., np.ndarray]:
        """A function that gives the map a threshold was set on; the shown one needs no work."""
        cube, shown = self.opened.cube, self.maps
        is_whole = self.map_state.kind == "ready"
        at_hand = (self.session.method, self.session.region_px)
        settings, also = self.cluster_settings(), self.added()

        def values(step: Selection, cancel: CancelToken = NEVER) -> np.ndarray:
            maps = shown
            if maps is None or not is_whole or at_hand != (step.method, step.region_px):
                if step.method == "cluster":
                    clusters = self.engine.clusters(cube, settings, cancel=cancel)
                    maps = self.engine.cluster_maps(clusters, cube)
                else:
                    maps = self.engine.maps(
                        cube, step.method, step.region_px, also=also, cancel=cancel
                    )
            if step.element not in maps.elements:
                raise SettingsError(
                    f"there is no map of {step.element} to compare with a threshold",
                    "Choose another element, or another kind of map.",
                )
            return maps[step.element]

        return values

    def select_above(self) -> None:
        """Select what is above the threshold of the shown element."""
        session, maps = self.session, self.maps
        if maps is None or session.element not in maps.elements:
            return
        low = session.threshold
        if low is None:
            low = self.starts.get(session.element, 0.5)
        session.draw(
            Selection(
                "threshold", element=session.element, method=session.method,
                region_px=session.region_px, threshold=float(low),
            )
        )  # fmt: skip

    def _show_selected(self, result: tuple[Selected, Masked]) -> None:
        selected, self._masked = result
        self.param.update(selected=selected, selection_state=READY)
        if self._keeps_next:
            self.keep_selection()
            return

        def identify(*, progress: Progress, cancel: CancelToken) -> tuple[tuple, bool]:
            engine, spectrum = self.engine, selected.spectrum
            verdicts = engine.identify(spectrum, search=False, cancel=cancel)
            return verdicts, engine.is_searched(spectrum)

        def then(told: tuple[tuple, bool]) -> None:
            verdicts, is_searched = told
            self._show_identified(selected, verdicts, is_whole=not is_searched)
            if is_searched:
                self._search_traces(selected)

        self._selection.start(identify, then=then, failed=self._cannot_select)

    def _search_traces(self, selected: Selected) -> None:
        """Once one rests with a selection."""
        engine = self.engine

        def search(*, progress: Progress, cancel: CancelToken) -> tuple:
            return engine.identify(selected.spectrum, cancel=cancel)

        self._traces.start(
            search,
            after=partial(self._rest.of, _RESTS_S),
            then=lambda verdicts: self._show_identified(selected, verdicts, is_whole=True),
            # What was told before stays.
            failed=lambda error: self.param.update(selection_state=failed_state(error)),
        )

    def _show_identified(self, selected: Selected, verdicts: tuple, is_whole: bool) -> None:
        title = (self.selected or selected).title  # the cluster may have been renamed
        self._is_searched = is_whole
        self.selected = replace(selected, identified=verdicts, title=title)

    def cluster_called(self, chosen: Selection) -> str:
        """The name of the cluster that a selection is; empty where it is none, or is gone."""
        label = self._label(chosen.cluster) if chosen.source == "cluster" else None
        return "" if label is None else self.cluster_name(label)

    @property
    def selected_name(self) -> str:
        """What legends call the selection."""
        chosen = None if self.selected is None else self.selected.chosen
        return "selection" if chosen is None else self.cluster_called(chosen) or "selection"

    def _rename_selected(self) -> None:
        """The title follows the name of the cluster that is selected."""
        selected = self.selected
        if selected is not None and selected.chosen is not None:
            name = self.cluster_called(selected.chosen)
            title = selection_title(selected.chosen, selected.mask, name)
            if title != selected.title:
                self.selected = replace(selected, title=title)

    def _cannot_select(self, error: XRFError) -> None:
        self._masked = None
        self.param.update(selected=None, selection_state=failed_state(error))

    def _follow_clusters(self, *events: Any) -> None:
        """A selection made in several steps follows the clusters it names."""
        chosen = self.session.selection
        if chosen is None or chosen.source == "cluster" or not chosen.needs("cluster"):
            return
        if self.clusters is not None:
            self._follow_selection()
