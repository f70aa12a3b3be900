"""The element maps, coarse before fine, and the elements found in them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dashboard.plots.pictures import percentile, value_limit
from dashboard.results.evened import evened
from dashboard.results.listing import listing
from dashboard.results.overrides import OverrideResults
from dashboard.results.scale import ScaleResults
from dashboard.shown import READY, Asked, Painted, State, failed_state
from xrfengine.cube import Cube, ElementMaps
from xrfengine.errors import XRFError
from xrfengine.findings import Found, most_telling, tells_less
from xrfengine.jobs import NEVER, CancelToken, Progress, part

if TYPE_CHECKING:
    import numpy as np


class MapResults(OverrideResults, ScaleResults):
    """Maps by the session's method and region size."""

    _ranged: ElementMaps | None = None
    """By these the colours range, until the final maps are there: a range must not flicker."""
    _fitted_also: tuple[str, ...] = ()
    """Elements of the maps asked for last that only the user says are there."""
    _above: tuple[Found, ...] = ()
    _suggested: str | None = None
    """The element that coarse maps suggested, until the maps asked for are there."""
    """Everything above its threshold anywhere, whatever the user says of it."""

    def top(self, element: str) -> float:
        """Where the colours of an element's map end."""
        at = self.session.top_percentile
        return self.limit(element) if at is None else percentile(self._range(element), at)

    def limit(self, element: str) -> float:
        """Where the values of an element's map end, but for a few outliers."""
        return value_limit(self._range(element), self.maps.kind)

    def _range(self, element: str) -> np.ndarray:
        ranged = self._ranged
        if ranged is None or element not in ranged.elements:
            ranged = self.maps
        return ranged[element]

    def _asked(self) -> Asked:
        """What is asked for now; read on the loop, for threads must not look at the session."""
        session = self.session
        thresholds = session.thresholds_of(session.method)
        also = self.added() if session.method == "fit" else ()
        return Asked(session.method, session.region_px, thresholds, session.normalise, also)

    def _at_hand(self, cube: Cube, asked: Asked) -> Painted | None:
        """What can be painted without computing; any thread."""
        if asked.method == "cluster":
            return None
        maps = self.engine.maps_at_hand(cube, asked.method, asked.region_px, asked.also)
        return None if maps is None else self._painted(cube, asked, maps)

    def _painted(
        self, cube: Cube, asked: Asked, maps: ElementMaps, cancel: CancelToken = NEVER
    ) -> Painted:
        """Maps with what goes with them; takes a moment, so any thread but the loop's."""
        shown = evened(self.engine, cube, maps, asked.normalise, asked.also, cancel=cancel)
        found = self.engine.found(shown.maps, {**shown.starts, **asked.thresholds})
        return Painted(shown.maps, shown.starts, found, shown.errors, shown.unit)

    def _compute_maps(self) -> None:
        if self.opened is None:
            return
        cube, asked = self.opened.cube, self._asked()
        method, k = asked.method, asked.region_px
        started = time.monotonic()
        settings = self.cluster_settings() if method == "cluster" else None
        merges = self.session.cluster_merges
        visible = self.visible()
        self._ranged, self._fitted_also = None, asked.also

        def compute(
            *, progress: Progress, cancel: CancelToken, show: Callable[[Any], None]
        ) -> Painted:
            at_hand = self._at_hand(cube, asked)
            if at_hand is not None:
                return at_hand
            if settings is not None:
                clusters = self.engine.clusters(
                    cube, settings, merges, progress=progress, cancel=cancel
                )
                return self._painted(cube, asked, self.engine.cluster_maps(clusters, cube))

            def partial(maps: ElementMaps, share: float) -> None:
                whole = share == 0.0 and maps.region_px != k
                show(self._painted(cube, asked, maps) if whole else maps)

            maps = self.engine.maps(
                cube,
                method,
                k,
                visible=visible,
                on_partial=partial,
                also=asked.also,
                progress=part(progress, 0.0, 0.99),
                cancel=cancel,
            )
            return self._painted(cube, asked, maps, cancel)

        what, label = _averaging(k), f"Element maps, {_averaging(k, short=True)}"
        if method == "cluster":
            what, label = "Looking for clusters", "Clusters"
        self._map.start(
            compute,
            then=lambda painted: self._show_whole(painted, time.monotonic() - started),
            failed=self._cannot_map,
            stopped=self._maps_stopped,
            arrived=self._show_partial,
            progressed=lambda fraction, message: self._map_progress(fraction, what),
            label=label,
        )

    def _show_partial(self, partial: Painted | ElementMaps) -> None:
        """Coarser maps, whole; or maps of the size asked for, as far as they are computed."""
        if isinstance(partial, Painted):
            if self._ranged is not None and self._ranged.kind == partial.maps.kind:
                partial = replace(partial, starts=self.starts)
            self._show_painted(partial)
            self._ranged = self._ranged or partial.maps
        elif self.maps is not None and self.maps.elements == partial.elements:
            self.maps = partial

    def _show_whole(self, painted: Painted, seconds: float) -> None:
        self._ranged = None
        self._show_painted(painted)
        self._suggest_again()
        self.param.update(map_seconds=seconds, map_state=READY)
        self._after_maps()

    def _show_painted(self, painted: Painted) -> None:
        self.param.update(
            maps=painted.maps, starts=painted.starts, errors=painted.errors, unit=painted.unit
        )
        self._show_found(painted.found)

    def _map_progress(self, fraction: float, message: str) -> None:
        self.map_state = replace(
            self.map_state, kind="loading", message=message, fraction=fraction, hint=""
        )

    def _cannot_map(self, error: XRFError) -> None:
        self.map_state = failed_state(error, "Try again")
        self._after_maps()  # neither needs the maps

    def _maps_stopped(self) -> None:
        self.map_state = State("empty", "The maps were cancelled", action="Start again")
        self._after_maps()

    def retry_maps(self) -> None:
        """Compute the maps again after a failure or a cancel."""
        self._compute_maps()

    # ---- what is found in them

    def _list_found(self) -> None:
        if self.maps is None:
            return
        maps = self.maps
        thresholds = {**self.starts, **self.session.thresholds_of(self.session.method)}

        def work(*, progress: Progress, cancel: CancelToken) -> tuple[Found, ...]:
            return self.engine.found(maps, thresholds)

        self._found.start(work, then=self._show_found, failed=self._cannot_list)

    def _list_instrument(self) -> None:
        """Which elements are the instrument's takes a second to find, once a scan."""
        cube = self.opened.cube

        def work(*, progress: Progress, cancel: CancelToken) -> frozenset[str]:
            return self.engine.instrument_elements(cube)

        def then(instrument: frozenset[str]) -> None:
            if any(f.element in instrument and not f.is_instrument for f in self._above):
                self._list_found()

        self._instrument.start(work, then=then, failed=self._cannot_list)

    def _show_found(self, above: tuple[Found, ...]) -> None:
        self._above = above
        self._sort_found()
        maps, element = self.maps, self.session.element
        # A fit knows fewer elements: what the user chose stays chosen, and the map says so.
        is_left_out = maps.kind == "fit" and element in self.engine.classifier.elements
        if element not in maps.elements and not is_left_out:
            self._suggested = most_telling(maps, self.found)
            with self.session.by_itself():
                self.session.element = self._suggested

    def _suggest_again(self) -> None:
        """What filled half of the coarse map may be a few pixels of the fine one."""
        suggested, self._suggested = self._suggested, None
        if suggested is None or self.session.element != suggested:
            return
        better = most_telling(self.maps, self.found)
        if tells_less(suggested, better, self.found):
            with self.session.by_itself():
                self.session.element = better

    def _sort_found(self) -> None:
        """What counts as found, what only a few pixels show, and what the user overruled."""
        if self.maps is None:
            return
        lists = listing(self._above, self.session.overrides, self.maps)
        self.param.update(found=lists.found, few=lists.few, overruled=lists.overruled)

    def _follow_overrides(self) -> None:
        super()._follow_overrides()
        self._sort_found()
        if self.opened is not None and self._asked().also != self._fitted_also:
            self._compute_maps()

    def _cannot_list(self, error: XRFError) -> None:
        self.map_state = failed_state(error)


def _averaging(k: int, short: bool = False) -> str:
    if k == 1:
        return "every pixel" if short else "Computing every pixel"
    return f"{k}×{k} pixels" if short else f"Averaging over {k}×{k} pixels"
