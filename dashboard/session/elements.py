"""Which element, by which method, from which threshold on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import param

from dashboard.session.carried import Carried, chemical_element, choice, whole
from dashboard.session.kept import Kept
from dashboard.session.overrides import Overrides, Verdict

METHODS = ("probability", "fit", "roi", "cluster")
REGIONS_PX = (1, 2, 5, 10)


class ElementChoices(param.Parameterized):
    """Choices of the rail."""

    element = param.String("", doc="Symbol of the element shown; empty until one is found.")
    method = param.Selector(objects=list(METHODS), default="probability")
    region_px = param.Integer(1, bounds=(1, 100), doc="Averaged over k×k pixels.")
    threshold = param.Number(
        None, allow_None=True, doc="Of the shown element and method; None: where it starts."
    )
    thresholds = param.Dict({}, doc="Thresholds that were moved, by (method, symbol).")
    overrides = param.ClassSelector(
        class_=Overrides,
        default=Overrides(),
        doc="Elements the user says are there or not; kept with the data set, not in links.",
    )

    ADDRESS: ClassVar[Mapping[str, Carried]] = {
        "element": chemical_element("element"),
        "method": choice("method", METHODS),
        "region": whole("region_px", 1, 100),
    }
    KEPT: ClassVar[tuple[Kept, ...]] = ()

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

    def overrule(self, symbol: str, verdict: Verdict) -> None:
        """Say that an element is there or not; an empty verdict leaves it as found."""
        self.overrides = self.overrides.changed({symbol: verdict})

    def thresholds_of(self, method: str) -> dict[str, float]:
        """The moved thresholds of one method, by symbol."""
        return {symbol: value for (m, symbol), value in self.thresholds.items() if m == method}

    def written_thresholds(self) -> str:
        """Of the shown method: ``0.62`` for the shown element, ``Fe:0.3`` for others."""
        parts = []
        for symbol, value in sorted(self.thresholds_of(self.method).items()):
            if symbol == self.element:
                parts.insert(0, f"{value:.6g}")
            else:
                parts.append(f"{symbol}:{value:.6g}")
        return ",".join(parts)


def read_thresholds(
    query: Mapping[str, str], method: str
) -> tuple[dict[tuple[str, str], float], list[str]]:
    """Thresholds of an address by (method, symbol), and what could not be read."""
    thresholds, notices = {}, []
    for item in filter(None, query.get("threshold", "").split(",")):
        symbol, _, given = item.rpartition(":")
        symbol = symbol or query.get("element", "")
        try:
            value = float(given)
        except ValueError:
            value = float("nan")
        if not symbol or not abs(value) < float("inf"):
            notices.append(f"“threshold={item}” is not a threshold.")
        else:
            thresholds[method, symbol] = value
    return thresholds, notices
