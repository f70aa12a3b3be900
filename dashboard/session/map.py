"""How the map is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import param

from dashboard.session.carried import Carried, choice, flag, number, whole
from dashboard.session.kept import Kept

COLOURS = ("bmy", "blue-yellow", "blue", "fire", "green")
NORMALISE = ("none", "live_time", "scatter", "total")
MOST_BESIDE = 2
"""Curves beside the chosen element's in a profile."""


def _places(parameter: str, kind: type, words: str) -> Carried:
    """Four numbers in a row."""

    def read(given: str) -> tuple:
        try:
            values = tuple(kind(part) for part in given.split(","))
        except ValueError:
            values = ()
        if len(values) != 4 or not all(abs(v) < 1e6 for v in values):
            raise ValueError(f"is not {words}")
        return values

    return Carried(parameter, lambda value: ",".join(f"{v:.6g}" for v in value), read)


def _names(parameter: str, most: int) -> Carried:
    def read(given: str) -> tuple[str, ...]:
        names = tuple(filter(None, given.split(",")))
        if len(names) > most:
            raise ValueError(f"names more than {most}")
        return names

    return Carried(parameter, ",".join, read)


class MapChoices(param.Parameterized):
    """Choices of the map pane."""

    show_clusters = param.Boolean(False, doc="Clusters over the map.")
    colours = param.Selector(objects=list(COLOURS), default=COLOURS[0])
    top_percentile = param.Number(
        None, allow_None=True, bounds=(50, 100), doc="Where the colours end; None: by the kind."
    )
    normalise = param.Selector(objects=list(NORMALISE), default="none", doc="Maps of counts only.")
    crop = param.Tuple(
        None, length=4, allow_None=True, doc="Of the scan: x0, y0, x1, y1, ends excluded."
    )
    turns = param.Integer(0, bounds=(0, 3), doc="Quarter turns clockwise.")
    mirrored = param.Boolean(False, doc="Left and right exchanged, after turning.")
    profile = param.Tuple(
        None, length=4, allow_None=True, doc="A line on the scan: x0, y0, x1, y1 in pixels."
    )
    profile_beside = param.ClassSelector(
        class_=tuple, default=(), doc="Symbols or 'total', in the profile too."
    )
    profile_width = param.Integer(1, bounds=(1, 99), doc="Pixels averaged across the line.")

    ADDRESS: ClassVar[Mapping[str, Carried]] = {
        "overlay": flag("show_clusters"),
        "palette": choice("colours", COLOURS),
        "top": number("top_percentile", 50, 100),
        "normalise": choice("normalise", NORMALISE),
        "crop": _places("crop", int, "a part of the scan: x0,y0,x1,y1 in pixels"),
        "turns": whole("turns", 0, 3),
        "mirrored": flag("mirrored"),
        "profile": _places("profile", float, "a line on the scan: x0,y0,x1,y1 in pixels"),
        "beside": _names("profile_beside", MOST_BESIDE),
        "width": whole("profile_width", 1, 99),
    }
    KEPT: ClassVar[tuple[Kept, ...]] = ()
