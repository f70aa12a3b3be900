"""What is selected, and the regions that are kept of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

import param

from dashboard.session.carried import Carried, flag
from dashboard.session.kept import Kept
from xrfengine.errors import SettingsError
from xrfengine.regions import Operation, Region, checked_runs

OPERATIONS: tuple[str, ...] = get_args(Operation)
Source = Literal[
    "map", "brush", "pixel", "embedding", "cluster", "threshold", "scatter", "runs", "parts"
]
MOST_PARTS = 5_000
MOST_REGIONS = 500
LONGEST_NAME = 80
_FEWEST_VERTICES = {"map": 3, "brush": 1, "pixel": 1, "embedding": 3, "scatter": 3}
_DAMAGED = "its selection is damaged"


@dataclass(frozen=True)
class Selection:
    """The current selection: how it was made, never its pixels.

    ``source`` says how, and which of the others count:

    ``"map"``
        a polygon of ``vertices``, (x, y) in pixels of the scan
    ``"brush"``
        all pixels nearer than ``radius_px`` to the path of ``vertices``
    ``"pixel"``
        the pixel at the only one of ``vertices``
    ``"embedding"``
        a polygon of ``vertices`` in the units of the embedding
    ``"cluster"``
        ``cluster``, by its number
    ``"threshold"``
        pixels of the map of ``element`` by ``method`` over ``region_px`` at or above ``threshold``
    ``"scatter"``
        a polygon of ``vertices`` in the scatter of ``element`` and ``element_up``, on logarithmic
        axes if ``is_log``, of the maps by ``method`` over ``region_px``
    ``"runs"``
        any pixels, as ``runs`` (start, length, …) over the flattened image, called ``name``
    ``"parts"``
        several such selections in turn, each joined to those before by its ``operation``
    """

    source: Source
    vertices: tuple[tuple[float, float], ...] = ()
    cluster: int | None = None
    radius_px: float = 0.0
    element: str = ""
    element_up: str = ""
    is_log: bool = False
    method: str = "probability"
    region_px: int = 1
    threshold: float = 0.0
    runs: tuple[int, ...] = ()
    name: str = ""
    operation: Operation = "new"
    parts: tuple[Selection, ...] = ()

    @property
    def steps(self) -> tuple[Selection, ...]:
        """What it is made of, in turn; itself if it was made in one step."""
        return self.parts or (self,)

    def needs(self, source: Source) -> bool:
        """Whether any of its steps comes from there."""
        return any(step.source == source for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """For a saved view, as JSON holds it: what is not at its default."""
        state: dict[str, Any] = {"source": self.source}
        for name in _WRITTEN:
            value = getattr(self, name)
            if value != getattr(_BLANK, name):
                state[name] = value
        if self.vertices:
            state["vertices"] = [list(vertex) for vertex in self.vertices]
        if self.runs:
            state["runs"] = list(self.runs)
        if self.parts:
            state["parts"] = [part.to_dict() for part in self.parts]
        return state

    @classmethod
    def from_dict(cls, state: Any) -> Selection:
        """The inverse; raises ValueError, in words, for anything else."""
        try:
            return cls._read(state, is_part=False)
        except (TypeError, KeyError, AttributeError, ValueError, OverflowError, SettingsError):
            raise ValueError(_DAMAGED) from None

    @classmethod
    def _read(cls, state: Mapping[str, Any], *, is_part: bool) -> Selection:
        source = state["source"]
        number = state.get("cluster")
        result = cls(
            source,
            vertices=tuple((float(x), float(y)) for x, y in state.get("vertices", ())),
            cluster=None if number is None else int(number),
            radius_px=float(state.get("radius_px", 0.0)),
            element=str(state.get("element", "")),
            element_up=str(state.get("element_up", "")),
            is_log=bool(state.get("is_log", False)),
            method=str(state.get("method", "probability")),
            region_px=int(state.get("region_px", 1)),
            threshold=float(state.get("threshold", 0.0)),
            runs=checked_runs(tuple(int(v) for v in state.get("runs", ()))),
            name=str(state.get("name", ""))[:LONGEST_NAME],
            operation=state.get("operation", "new"),
            parts=tuple(cls._read(part, is_part=True) for part in state.get("parts", ())),
        )
        if not result._is_sound() or (is_part and source == "parts"):
            raise ValueError(_DAMAGED)
        return result

    def _is_sound(self) -> bool:
        finite = [self.radius_px, self.threshold, *(v for pair in self.vertices for v in pair)]
        if self.operation not in OPERATIONS or not all(map(math.isfinite, finite)):
            return False
        if self.source == "parts":
            return 2 <= len(self.parts) <= MOST_PARTS
        if self.source == "cluster":
            return self.cluster is not None and self.cluster >= 0
        if self.source == "threshold":
            return bool(self.element) and 1 <= self.region_px <= 100
        if self.source == "runs":
            return bool(self.runs)
        if self.source == "scatter" and not (
            self.element and self.element_up and 1 <= self.region_px <= 100
        ):
            return False
        if self.source == "brush" and not 0 < self.radius_px <= 10_000:
            return False
        fewest = _FEWEST_VERTICES.get(self.source)
        return fewest is not None and len(self.vertices) >= fewest


_BLANK = Selection("map")
_WRITTEN = (
    "cluster",
    "radius_px",
    "element",
    "element_up",
    "is_log",
    "method",
    "region_px",
    "threshold",
    "name",
    "operation",
)


def joined(before: Selection | None, part: Selection, operation: Operation) -> Selection | None:
    """A selection with another part; None where something is taken from nothing."""
    if operation == "new" or (before is None and operation == "add"):
        return replace(part, operation="new")
    if before is None:
        return None
    return Selection("parts", parts=(*before.steps, replace(part, operation=operation)))


def read_regions(state: Any) -> tuple[Region, ...]:
    """The regions of a saved view; raises ValueError, in words, for anything else."""
    damaged = "one of its regions is damaged"
    if not isinstance(state, list) or len(state) > MOST_REGIONS:
        raise ValueError("its regions are damaged")
    try:
        regions = tuple(Region.from_dict(item) for item in state)
    except SettingsError:
        raise ValueError(damaged) from None
    if len({region.id for region in regions}) < len(regions):
        raise ValueError(damaged)
    return regions


def read_ids(state: Any) -> tuple[str, ...]:
    """Ids of a saved view; raises ValueError, in words, for anything else."""
    if not isinstance(state, list) or not all(isinstance(item, str) for item in state):
        raise ValueError("which of its regions are shown is damaged")
    return tuple(state[:MOST_REGIONS])


class RegionChoices(param.Parameterized):
    """The selection and the regions."""

    selection = param.ClassSelector(class_=Selection, default=None, allow_None=True)
    operation = param.Selector(
        objects=list(OPERATIONS), default="new", doc="What drawing does to the selection."
    )
    regions = param.ClassSelector(
        class_=tuple, default=(), doc="Of xrfengine.regions.Region, oldest first."
    )
    hidden_regions = param.ClassSelector(
        class_=tuple, default=(), doc="Ids of regions not shown on the map."
    )
    hidden_curves = param.ClassSelector(
        class_=tuple, default=(), doc="Regions without a curve, by id; “scan” and “selection” too."
    )
    equal_area = param.Boolean(False, doc="Curves are scaled to enclose the same area.")

    ADDRESS: ClassVar[Mapping[str, Carried]] = {"equal": flag("equal_area")}
    KEPT: ClassVar[tuple[Kept, ...]] = (
        Kept("selection", lambda s: s.to_dict(), Selection.from_dict),
        Kept("regions", lambda regions: [r.to_dict() for r in regions], read_regions),
        Kept("hidden_regions", list, read_ids),
        Kept("hidden_curves", list, read_ids),
    )

    def draw(self, part: Selection, operation: Operation | None = None) -> None:
        """Join a part to the selection; None: as the control on the page says."""
        self.selection = joined(self.selection, part, operation or self.operation)

    def region(self, id: str) -> Region | None:
        """The region with this id; None if it is gone."""
        return next((region for region in self.regions if region.id == id), None)

    def change_region(self, id: str, **changes: Any) -> None:
        """Give a region another name or colour."""
        self.regions = tuple(
            replace(region, **changes) if region.id == id else region for region in self.regions
        )

    def drop_region(self, id: str) -> None:
        """Forget a region."""
        self.param.update(
            regions=tuple(region for region in self.regions if region.id != id),
            hidden_regions=tuple(i for i in self.hidden_regions if i != id),
            hidden_curves=tuple(i for i in self.hidden_curves if i != id),
        )
