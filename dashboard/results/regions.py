"""The kept regions: their pixels, spectra and elements, each worked out once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import param

from dashboard.latest import LatestOnly
from dashboard.plots.outlines import borders
from dashboard.results.chosen import region_name
from dashboard.results.selection import SelectionResults
from dashboard.session import Selection
from dashboard.session.regions import LONGEST_NAME, MOST_REGIONS
from dashboard.shown import Selected, State, failed_state
from xrfengine.cube import Spectrum
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress
from xrfengine.regions import Region, region_colour, runs_of

_REMEMBERED = 200
"""Regions that were deleted and may come back by undoing, with their spectra."""


@dataclass(frozen=True, eq=False)
class RegionFacts:
    """What is known of a kept region.

    ``outline`` holds straight runs, see :func:`dashboard.plots.outlines.borders`.
    ``identified`` is None until its spectrum is classified, ``maximum`` until the highest counts
    of any pixel are asked for; ``error`` says why it cannot be shown.
    """

    region: Region
    mask: np.ndarray | None = None
    outline: np.ndarray | None = None
    spectrum: Spectrum | None = None
    identified: tuple | None = None
    maximum: Spectrum | None = None
    error: XRFError | None = None

    @property
    def n_pixels(self) -> int:
        return sum(self.region.geometry[1::2])


class RegionResults(SelectionResults):
    """Regions that are kept."""

    regions = param.ClassSelector(
        class_=tuple, default=(), doc="RegionFacts of the session's regions, in their order."
    )

    def __init__(self, *args: Any, **params: Any) -> None:
        self._region_work: dict[str, LatestOnly] = {}
        self._region_facts: dict[str, RegionFacts] = {}
        super().__init__(*args, **params)
        self._region_maxima = LatestOnly(self.deliver)
        self.session.param.watch(lambda *events: self._follow_region_maxima(), "statistic")

    @property
    def _all(self) -> tuple[LatestOnly, ...]:
        return (*super()._all, self._region_maxima, *self._region_work.values())

    def close(self) -> None:
        super().close()
        self._region_work.clear()

    # ---- keeping

    def keep_selection(self) -> None:
        """Keep what is selected as a region once its pixels are known; clear the selection."""
        selected, chosen = self.selected, self.session.selection
        if selected is not None and selected.chosen == chosen:
            self._keep_selected(selected)
        else:
            self._keeps_next = chosen is not None

    def _keep_selected(self, selected: Selected) -> None:
        self._keeps_next = False
        taken = {region.name for region in self.session.regions}
        name = region_name(selected.chosen, taken, self.cluster_called(selected.chosen))
        region = self.keep(
            selected.mask,
            name,
            spectrum=selected.spectrum,
            identified=selected.identified if self._is_searched else None,
        )
        if region is not None:
            self.session.selection = None

    def keep(
        self,
        mask: np.ndarray,
        name: str,
        *,
        spectrum: Spectrum | None = None,
        identified: tuple | None = None,
    ) -> Region | None:
        """Keep pixels (y, x) as a region with the next free colour; on the loop.

        What is known of it already is not worked out again. None where there are too many.
        """
        session = self.session
        if len(session.regions) >= MOST_REGIONS:
            self.selection_state = State(
                "error",
                f"There are {MOST_REGIONS} regions already",
                "Delete some of them in the list at the left.",
            )
            return None
        region = Region(
            secrets.token_hex(4), name[:LONGEST_NAME], self._next_colour(), "labels", runs_of(mask)
        )
        self._region_facts[region.id] = RegionFacts(
            region, mask, spectrum=spectrum, identified=identified
        )
        session.regions = (*session.regions, region)
        return region

    def _next_colour(self) -> str:
        return self._free({region.colour.upper() for region in self.session.regions})

    @staticmethod
    def _free(taken: set[str]) -> str:
        """The first colour that no region has."""
        colours = (region_colour(n) for n in range(len(taken) + 1))
        return next((c for c in colours if c not in taken), region_colour(len(taken)))

    def select_region(self, id: str, operation: str | None = None) -> None:
        """Join a region to the selection; None: as the control on the page says."""
        region = self.session.region(id)
        if region is not None:
            part = Selection("runs", runs=region.geometry, name=region.name)
            self.session.draw(part, operation)

    # ---- following the session

    def _follow_regions(self) -> None:
        """Show the session's regions; only new ones are worked out."""
        if self.opened is None:
            self.regions = ()
            return
        calibration = self.opened.cube.calibration
        for region in self.session.regions:
            held = self._region_facts.pop(region.id, None)
            if held is None or held.region.geometry != region.geometry:
                held = RegionFacts(region)
            elif held.region != region:
                held = replace(held, region=region)
            if held.spectrum is not None and held.spectrum.calibration != calibration:
                # The scan was opened anew under another energy calibration.
                held = RegionFacts(region, held.mask, held.outline)
            self._region_facts[region.id] = held  # the newest last: the oldest are forgotten first
        shown = {region.id for region in self.session.regions}
        for id in [i for i in self._region_work if i not in shown]:
            self._region_work.pop(id).cancel()
        for id in list(self._region_facts)[
            : max(len(self._region_facts) - len(shown) - _REMEMBERED, 0)
        ]:
            if id not in shown:
                del self._region_facts[id]
        for region in self.session.regions:
            held = self._region_facts[region.id]
            if held.error is None and (held.outline is None or held.identified is None):
                self._work_out(held)
        self._publish()

    def _publish(self) -> None:
        self.regions = tuple(self._region_facts[region.id] for region in self.session.regions)
        self._follow_region_maxima()

    def _follow_region_maxima(self) -> None:
        """The highest counts of any pixel, of regions that have none yet."""
        if self.opened is None or self.session.statistic != "max":
            self._region_maxima.cancel()
            return
        cube = self.opened.cube
        missing = {
            held.region.id: held.mask
            for held in self.regions
            if held.maximum is None and held.mask is not None and held.error is None
        }
        if not missing:
            return

        def work(*, progress: Progress, cancel: CancelToken) -> dict[str, Spectrum]:
            return {
                id: self.engine.maximum_spectrum(cube, mask, cancel=cancel)
                for id, mask in missing.items()
            }

        def then(maxima: dict[str, Spectrum]) -> None:
            for id, maximum in maxima.items():
                if id in self._region_facts:
                    self._region_facts[id] = replace(self._region_facts[id], maximum=maximum)
            self._publish()

        self._region_maxima.start(
            work,
            then=then,
            failed=lambda error: self.param.update(selection_state=failed_state(error)),
        )

    def _work_out(self, held: RegionFacts) -> None:
        id = held.region.id
        if id in self._region_work:
            return
        work = self._region_work[id] = LatestOnly(self.deliver)
        work.start(
            partial(self._facts_of, held, self.opened.cube),
            then=self._take_facts,
            failed=partial(self._cannot_show, id),
        )

    def _facts_of(
        self, held: RegionFacts, cube: Any, *, progress: Progress, cancel: CancelToken
    ) -> RegionFacts:
        mask = held.region.mask(cube.shape[:2]) if held.mask is None else held.mask
        spectrum = held.spectrum or self.engine.region_spectrum(cube, mask, held.region.name)
        cancel.check()
        return replace(held, mask=mask, outline=borders(mask), spectrum=spectrum)

    def _take_facts(self, facts: RegionFacts) -> None:
        """The outline and the curve at once; the elements, which take longer, when they come."""
        id = facts.region.id
        self._update(facts)
        if facts.identified is not None:
            del self._region_work[id]
            return

        def identify(*, progress: Progress, cancel: CancelToken) -> tuple:
            return self.engine.identify(facts.spectrum, cancel=cancel)

        def then(identified: tuple) -> None:
            self._region_work.pop(id, None)
            self._update(replace(facts, identified=identified))

        self._region_work[id].start(identify, then=then, failed=partial(self._cannot_show, id))

    def _update(self, facts: RegionFacts) -> None:
        region = self.session.region(facts.region.id)
        if region is not None:  # it may have been renamed meanwhile
            maximum = self._region_facts[region.id].maximum or facts.maximum
            self._region_facts[region.id] = replace(facts, region=region, maximum=maximum)
            self._publish()

    def _cannot_show(self, id: str, error: XRFError) -> None:
        self._region_work.pop(id, None)
        if (held := self._region_facts.get(id)) is not None:
            self._region_facts[id] = replace(held, error=error)
            self._publish()
        self.selection_state = failed_state(error)

    def _forget_regions(self) -> None:
        """Another scan is opened."""
        self._region_facts.clear()
        self.session.param.update(regions=(), hidden_regions=(), hidden_curves=())
