"""What one user looks at: every choice, small values only; and how a link carries it.

Nothing here computes or draws. Views write to the session and react to it. One file a topic: a
new choice is a parameter there, with an entry in its ``ADDRESS`` (short values, in the address
bar) or ``KEPT`` (larger ones, in saved views). Values are never changed in place: undo keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import param

from dashboard.session.carried import Carried, choice, taken, text, written
from dashboard.session.compare import CompareChoices
from dashboard.session.elements import METHODS, REGIONS_PX, ElementChoices, read_thresholds
from dashboard.session.groups import CLUSTER_METHODS, COLOUR_BY, GroupChoices
from dashboard.session.kept import Kept
from dashboard.session.map import COLOURS, NORMALISE, MapChoices
from dashboard.session.page import PageChoices
from dashboard.session.regions import OPERATIONS, RegionChoices, Selection
from dashboard.session.spectrum import SCALES, SpectrumChoices

__all__ = [
    "CLUSTER_METHODS",
    "COLOURS",
    "COLOUR_BY",
    "METHODS",
    "NORMALISE",
    "OPERATIONS",
    "REGIONS_PX",
    "SCALES",
    "THEMES",
    "Selection",
    "Session",
]

THEMES = ("light", "dark")
TOPICS = (
    ElementChoices,
    MapChoices,
    SpectrumChoices,
    RegionChoices,
    GroupChoices,
    CompareChoices,
    PageChoices,
)


class Session(*TOPICS):
    """Everything a user can choose. Values outside their bounds are refused by param."""

    dataset = param.String("", doc="Id of the data set; empty until one is open.")
    theme = param.Selector(objects=list(THEMES), default="light")

    ENTRIES: Mapping[str, Carried] = {
        "dataset": text("dataset"),
        **{name: entry for topic in TOPICS for name, entry in topic.ADDRESS.items()},
        "theme": choice("theme", THEMES),
    }
    LARGE: tuple[Kept, ...] = tuple(entry for topic in TOPICS for entry in topic.KEPT)

    @param.depends("selection", watch=True)
    def _selection_names_cluster(self) -> None:
        is_cluster = self.selection is not None and self.selection.source == "cluster"
        self.cluster = self.selection.cluster if is_cluster else None

    @param.depends("cluster", watch=True)
    def _cluster_is_selection(self) -> None:
        if self.cluster is not None:
            if self.selection is None or self.selection.cluster != self.cluster:
                self.draw(Selection("cluster", cluster=self.cluster))
            if self.selection is None or self.selection.source != "cluster":
                self.cluster = None  # it became part of a selection
        elif self.selection is not None and self.selection.source == "cluster":
            self.selection = None

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.is_by_itself = False

    @contextmanager
    def by_itself(self) -> Iterator[None]:
        """Changes in this block are nobody's choice: undo counts no step for them."""
        self.is_by_itself = True
        try:
            yield
        finally:
            self.is_by_itself = False

    # ---- the address

    def query(self) -> dict[str, str]:
        """What the address bar carries: the data set and everything that was changed."""
        result = written(self.ENTRIES, self)
        if moved := self.written_thresholds():
            result["threshold"] = moved
        return result

    def restore(self, query: Mapping[str, str]) -> list[str]:
        """Take over what a link carries.

        Returns
        -------
        list of str
            What could not be taken over, one sentence each; empty for a sound link.
        """
        values, thresholds, notices = self._read(query)
        self._take(values, thresholds)
        return notices

    def _read(
        self, query: Mapping[str, str]
    ) -> tuple[dict[str, Any], dict[tuple[str, str], float], list[str]]:
        values, notices = taken(self.ENTRIES, query)
        thresholds, not_read = read_thresholds(query, values.get("method", self.method))
        return values, thresholds, notices + not_read

    def _take(self, values: dict[str, Any], thresholds: dict[tuple[str, str], float]) -> None:
        # A cluster's number means something only once the clusters are there again.
        cluster = values.pop("cluster", None)
        self.param.update(**values)
        self.thresholds = thresholds
        # An element that is chosen ends the window, but not one that came with it.
        if "energy_window_kev" in values:
            self.energy_window_kev = values["energy_window_kev"]
        if cluster is not None:
            self.cluster = cluster

    # ---- saved views

    def state(self) -> dict[str, Any]:
        """Everything, as JSON holds it: what the address carries and what is too large for it."""
        large = {}
        for entry in self.LARGE:
            value = getattr(self, entry.parameter)
            if value != self.param[entry.parameter].default:
                large[entry.parameter] = entry.write(value)
        return {"address": self.query(), "large": large}

    def restore_state(self, state: Any) -> list[str]:
        """Take over a saved view; what could not be taken over, one sentence each."""
        address = state.get("address") if isinstance(state, dict) else None
        if not isinstance(address, dict):
            return ["The saved view is damaged."]
        values, thresholds, notices = self._read({str(k): str(v) for k, v in address.items()})
        large = state.get("large")
        for entry in self.LARGE:
            if isinstance(large, dict) and entry.parameter in large:
                try:
                    values[entry.parameter] = entry.read(large[entry.parameter])
                except ValueError as reason:
                    notices.append(f"Of the saved view, {reason}.")
        self._take({**self._starts(), **values}, thresholds)
        return notices

    def _starts(self) -> dict[str, Any]:
        """Where every choice starts; without data set and theme, which stay."""
        names = {entry.parameter for entry in self.ENTRIES.values()}
        names |= {entry.parameter for entry in self.LARGE}
        return {name: self.param[name].default for name in names - {"dataset", "theme"}}
