"""What one user looks at: every choice, small values only; and how the address bar carries it.

Nothing here computes or draws. Views write to the session and react to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import param

METHODS = ("probability", "fit", "roi", "cluster")
REGIONS_PX = (1, 2, 5, 10)
SCALES = ("linear", "log", "sqrt")
CLUSTER_METHODS = ("umap-hdbscan", "som")
COLOUR_BY = ("cluster", "element", "density")
THEMES = ("light", "dark")

_CHOICES = {
    "method": METHODS,
    "scale": SCALES,
    "clusters": CLUSTER_METHODS,
    "colour": COLOUR_BY,
    "theme": THEMES,
}
_NUMBERS = {  # name in the address bar -> parameter
    "region": "region_px",
    "smallest": "min_cluster_size",
    "strict": "min_samples",
    "neighbours": "n_neighbors",
    "rows": "som_rows",
    "columns": "som_columns",
    "cluster": "cluster",
}
_PARAMETER = {"clusters": "cluster_method", "colour": "colour_by", **_NUMBERS}


@dataclass(frozen=True)
class Selection:
    """The current selection: where it was drawn, and its geometry or its cluster.

    ``vertices`` are (x, y) pairs: pixels for ``"map"``, embedding units for ``"embedding"``.
    """

    source: Literal["map", "embedding", "cluster"]
    vertices: tuple[tuple[float, float], ...] = ()
    cluster: int | None = None


class Session(param.Parameterized):
    """Everything a user can choose. Values outside their bounds are refused by param."""

    dataset = param.String("", doc="Id of the data set; empty until one is open.")
    element = param.String("", doc="Symbol of the element shown; empty until one is found.")
    method = param.Selector(objects=list(METHODS), default="probability")
    region_px = param.Integer(1, bounds=(1, 100), doc="Averaged over k×k pixels.")
    threshold = param.Number(
        None, allow_None=True, doc="Of the shown element and method; None: where it starts."
    )
    thresholds = param.Dict({}, doc="Thresholds that were moved, by (method, symbol).")
    scale = param.Selector(objects=list(SCALES), default="log")
    cluster_method = param.Selector(objects=list(CLUSTER_METHODS), default="umap-hdbscan")
    min_cluster_size = param.Integer(0, bounds=(0, 1_000_000), doc="Pixels; 0: by scan size.")
    min_samples = param.Integer(10, bounds=(1, 100))
    n_neighbors = param.Integer(30, bounds=(2, 200))
    som_rows = param.Integer(3, bounds=(1, 12))
    som_columns = param.Integer(3, bounds=(1, 12))
    cluster = param.Integer(None, allow_None=True, bounds=(0, None), doc="The chosen cluster.")
    show_clusters = param.Boolean(False, doc="Clusters over the map.")
    colour_by = param.Selector(objects=list(COLOUR_BY), default="cluster")
    theme = param.Selector(objects=list(THEMES), default="light")
    selection = param.ClassSelector(class_=Selection, default=None, allow_None=True)

    @param.depends("threshold", watch=True)
    def _keep_threshold(self) -> None:
        key = (self.method, self.element)
        if not self.element or self.thresholds.get(key) == self.threshold:
            return
        kept = {k: v for k, v in self.thresholds.items() if k != key}
        if self.threshold is not None:
            kept[key] = self.threshold
        self.thresholds = kept

    @param.depends("element", "method", "thresholds", watch=True)
    def _recall_threshold(self) -> None:
        self.threshold = self.thresholds.get((self.method, self.element))

    @param.depends("selection", watch=True)
    def _selection_names_cluster(self) -> None:
        is_cluster = self.selection is not None and self.selection.source == "cluster"
        self.cluster = self.selection.cluster if is_cluster else None

    @param.depends("cluster", watch=True)
    def _cluster_is_selection(self) -> None:
        if self.cluster is not None:
            if self.selection is None or self.selection.cluster != self.cluster:
                self.selection = Selection("cluster", cluster=self.cluster)
        elif self.selection is not None and self.selection.source == "cluster":
            self.selection = None

    def thresholds_of(self, method: str) -> dict[str, float]:
        """The moved thresholds of one method, by symbol."""
        return {symbol: value for (m, symbol), value in self.thresholds.items() if m == method}

    def query(self) -> dict[str, str]:
        """What the address bar carries: the data set and everything that was changed."""
        result = {}
        for name in ("dataset", "element"):
            if getattr(self, name):
                result[name] = getattr(self, name)
        if moved := self._moved_thresholds():
            result["threshold"] = moved
        for name in (*_CHOICES, *_NUMBERS):
            parameter = _PARAMETER.get(name, name)
            value = getattr(self, parameter)
            if value is not None and value != self.param[parameter].default:
                result[name] = str(value)
        if self.show_clusters:
            result["overlay"] = "1"
        return result

    def _moved_thresholds(self) -> str:
        """Of the shown method: ``0.62`` for the shown element, ``Fe:0.3`` for others."""
        parts = []
        for symbol, value in sorted(self.thresholds_of(self.method).items()):
            if symbol == self.element:
                parts.insert(0, f"{value:.6g}")
            else:
                parts.append(f"{symbol}:{value:.6g}")
        return ",".join(parts)

    def restore(self, query: Mapping[str, str]) -> list[str]:
        """Take over what a link carries.

        Returns
        -------
        list of str
            What could not be taken over, one sentence each; empty for a sound link.
        """
        notices = []
        values = {name: query[name] for name in ("dataset", "element") if query.get(name)}
        for name, choices in _CHOICES.items():
            if name in query:
                if query[name] in choices:
                    values[_PARAMETER.get(name, name)] = query[name]
                else:
                    notices.append(
                        f"“{name}={query[name]}” is not known here; it can be {_either(choices)}."
                    )
        for name, parameter in _NUMBERS.items():
            if name in query:
                low, high = self.param[parameter].bounds
                number = _whole(query[name])
                if number is None or number < low or (high is not None and number > high):
                    limits = f"{low} to {high:,}" if high is not None else f"{low} or more"
                    notices.append(f"“{name}={query[name]}” is not a whole number from {limits}.")
                else:
                    values[parameter] = number
        values["show_clusters"] = query.get("overlay") == "1"
        method = values.get("method", self.method)
        thresholds = {}
        for item in filter(None, query.get("threshold", "").split(",")):
            symbol, _, text = item.rpartition(":")
            symbol = symbol or values.get("element", "")
            try:
                number = float(text)
            except ValueError:
                number = float("nan")
            if not symbol or not abs(number) < float("inf"):
                notices.append(f"“threshold={item}” is not a threshold.")
            else:
                thresholds[method, symbol] = number
        # A cluster's number means something only once the clusters are there again.
        cluster = values.pop("cluster", None)
        self.param.update(**values)
        self.thresholds = thresholds
        if cluster is not None:
            self.cluster = cluster
        return notices


def _either(choices: tuple[str, ...]) -> str:
    return " or ".join((", ".join(choices[:-1]), choices[-1]))


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
