"""What the user says of elements, kept with the data set."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import param

from dashboard.latest import LatestOnly
from dashboard.results.base import ResultsBase
from dashboard.session.overrides import Overrides, Verdict
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress
from xrfengine.lines import ELEMENTS

TOPIC = "overrides"
_WRITING = threading.Lock()
"""Of all sessions: each reads what another kept before it writes. Never taken on a loop."""


def added(said: Overrides) -> tuple[str, ...]:
    """Elements that are said to be there and have lines; a note may hold anything."""
    return tuple(symbol for symbol in said.saying("present") if symbol in ELEMENTS)


class OverrideResults(ResultsBase):
    """Follows ``session.overrides`` into the notes of the data set."""

    overrides_problem = param.String("", doc="Why what the user says could not be kept; or empty.")

    def __init__(self, *args: Any, **params: Any) -> None:
        super().__init__(*args, **params)
        self._keeping = LatestOnly(self.deliver)
        self._known: Overrides = Overrides()
        self._pending: Mapping[str, Mapping[str, Verdict]] = {}  # by data set; replaced whole
        self._lock = threading.Lock()

    @property
    def _all(self) -> tuple[LatestOnly, ...]:
        return (*super()._all, self._keeping)

    def added(self) -> tuple[str, ...]:
        """Elements that the user says are there: they are fitted with those found."""
        return added(self.session.overrides)

    def _read_overrides(self, dataset: str) -> Overrides:
        """What is kept with a data set, and what could not be kept yet; any thread."""
        kept = Overrides.read(dataset, self.notes.of(dataset).get(TOPIC))
        return kept.changed(self._pending.get(dataset, {}))

    def _take_overrides(self, kept: Overrides) -> None:
        """Those of the data set that is opened."""
        self._known = kept
        with self.session.by_itself():
            self.session.overrides = kept

    def _follow_overrides(self) -> None:
        said = self.session.overrides
        if self.opened is None:
            return
        if said.dataset != self.opened.id:
            # Undone past the opening of this data set: what is said of it stays.
            self._take_overrides(self._known)
            return
        changes = said.changes_from(self._known)
        if changes:
            self._known = said
            with self._lock:
                waiting = {**self._pending.get(said.dataset, {}), **changes}
                self._pending = {**self._pending, said.dataset: waiting}
            self._keeping.start(self._keep, then=self._kept, failed=self._not_kept)

    def _keep(self, *, progress: Progress, cancel: CancelToken) -> None:
        """Write what waits; only what changed, for others may look at the same data set."""
        with _WRITING:
            pending = self._pending
            for dataset in pending:
                merged = self._read_overrides(dataset)
                self.notes.keep(dataset, TOPIC, dict(merged.verdicts) or None)
            with self._lock:
                if self._pending is pending:  # else the next to write has those, too
                    self._pending = {}

    def _kept(self, nothing: None) -> None:
        self.overrides_problem = ""

    def _not_kept(self, error: XRFError) -> None:
        self.overrides_problem = f"Kept for this visit only. {error}"
