"""What is laid side by side, and what is mixed to one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, unquote

import param

from dashboard.session.carried import Carried, choice, either, flag, whole
from dashboard.session.kept import Kept

KINDS = ("probability", "fit", "roi", "window", "lines", "ratio", "component")
MIX_METHODS = ("probability", "fit", "roi")
MIX_COLOURS = ("rgb", "safe")
MOST_PANES = 4
N_COMPONENTS = (4, 6, 8, 12, 16)


@dataclass(frozen=True)
class Shown:
    """What one of the panes side by side shows.

    Attributes
    ----------
    kind : one of :data:`KINDS`
        A method for the map of an element, or single line groups, a ratio of two, a component.
    name : str
        ``"Fe"``; ``"Pb-M"``; ``"Pb-M-L"``; ``"3"`` of the components. Empty: what belongs to the
        element chosen in the rail.
    scan : str
        Id of a data set; empty: the one that is open.
    """

    kind: str = "probability"
    name: str = ""
    scan: str = ""

    def to_text(self) -> str:
        """``"fit:Fe@other.h5"``; what is empty is left out."""
        text = self.kind
        if self.name:
            text += ":" + quote(self.name, safe="-αβ")
        if self.scan:
            text += "@" + quote(self.scan, safe="/")
        return text

    @classmethod
    def from_text(cls, text: str) -> Shown:
        """The inverse; raises ValueError, in words, for anything else."""
        rest, _, scan = text.partition("@")
        kind, _, name = rest.partition(":")
        if kind not in KINDS:
            raise ValueError(f"names a map “{kind}”; it can be {either(KINDS)}")
        return cls(kind, unquote(name), unquote(scan))


SIDE_BY_SIDE = (Shown("probability"), Shown("fit"), Shown("roi"))
"""Methods for the chosen element; with a fourth pane the component nearest to it."""


def _read_panes(given: str) -> tuple[Shown, ...]:
    panes = tuple(Shown.from_text(part) for part in given.split(","))
    if not 2 <= len(panes) <= MOST_PANES:
        raise ValueError(f"names {len(panes)} maps; two to {MOST_PANES} fit side by side")
    return panes


def _read_three(given: str) -> tuple[str, ...]:
    names = tuple(given.split(","))
    if len(names) != 3 or not all(names):
        raise ValueError("does not name three elements")
    return names


def _read_ranges(given: str) -> tuple[tuple[float, float], ...]:
    try:
        ranges = tuple(
            (float(low), float(high))
            for low, _, high in (part.partition("-") for part in given.split(","))
        )
    except ValueError:
        ranges = ()
    if len(ranges) != 3 or not all(0.0 <= low < high <= 100.0 for low, high in ranges):
        raise ValueError("is not three ranges of percentiles such as 1-99")
    return ranges


def _component_count(given: str) -> int:
    if given not in map(str, N_COMPONENTS):
        raise ValueError(f"can be {either([str(n) for n in N_COMPONENTS])}")
    return int(given)


FULL_RANGE = ((1.0, 99.0),) * 3


class CompareChoices(param.Parameterized):
    """Choices of the maps side by side, of the mix, and of the photograph."""

    compare_panes = param.ClassSelector(class_=tuple, default=SIDE_BY_SIDE, doc="Of Shown.")
    compare_common = param.Boolean(False, doc="One range of colours for maps of one unit.")
    n_components = param.Integer(8, bounds=(2, 16), doc="That the scan is taken apart into.")
    mix_elements = param.ClassSelector(
        class_=tuple, default=(), doc="Three symbols; empty: those that differ most."
    )
    mix_method = param.Selector(objects=list(MIX_METHODS), default="roi")
    mix_ranges = param.ClassSelector(
        class_=tuple, default=FULL_RANGE, doc="Of each, percentiles (low, high)."
    )
    mix_colours = param.Selector(objects=list(MIX_COLOURS), default="rgb")

    photo_opacity = param.Integer(
        0, bounds=(0, 100), doc="Of the photograph over the map, percent; 0: it is not shown."
    )

    ADDRESS: ClassVar[Mapping[str, Carried]] = {
        "panes": Carried(
            "compare_panes", lambda panes: ",".join(p.to_text() for p in panes), _read_panes
        ),
        "common": flag("compare_common"),
        "components": Carried("n_components", str, _component_count),
        "mix": Carried("mix_elements", ",".join, _read_three),
        "mixof": choice("mix_method", MIX_METHODS),
        "mixrange": Carried(
            "mix_ranges", lambda r: ",".join(f"{low:g}-{high:g}" for low, high in r), _read_ranges
        ),
        "photo": whole("photo_opacity", 0, 100),
        "mixcolours": choice("mix_colours", MIX_COLOURS),
    }
    KEPT: ClassVar[tuple[Kept, ...]] = ()
