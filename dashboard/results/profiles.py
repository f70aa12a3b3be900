"""Which maps are followed along the line of the profile, and their values there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.maps.profile import line_profile

TOTAL = "total"


@dataclass(frozen=True, eq=False)
class Along:
    """A map along the line.

    Attributes
    ----------
    name : str
        Symbol of an element, a window of energies, or :data:`TOTAL`.
    unit : str
        Empty for probabilities.
    distance_px, values : ndarray, shape (n,)
    """

    name: str
    unit: str
    distance_px: np.ndarray
    values: np.ndarray


def beside_shown(results: Any) -> bool:
    """Whether elements can stand beside what is shown, on the same axis: their unit is its."""
    return results.window is None or results.window.unit == results.unit


def profiles(session: Any, results: Any) -> dict[str, Along] | None:
    """By curve: what the map shows, an element or a window of energies, and those beside it.

    None where there is no line, or one without length, as a link may hold.
    """
    maps, opened, line = results.maps, results.opened, session.profile
    if line is None or opened is None or maps is None:
        return None
    window, unit = results.window, results.unit
    images: dict[str, tuple[str, str, np.ndarray]] = {}
    if window is not None:
        images["chosen"] = (window.name, window.unit, window.values)
    elif session.element in maps.elements:
        images["chosen"] = (session.element, unit, maps[session.element])
    if beside_shown(results):
        known = [s for s in session.profile_beside if s in maps.elements]
        beside = [s for s in known if window is not None or s != session.element]
        images |= {f"beside{i}": (symbol, unit, maps[symbol]) for i, symbol in enumerate(beside)}
    if TOTAL in session.profile_beside:
        images[TOTAL] = (TOTAL, "counts", opened.total_counts)
    try:
        return {
            curve: Along(name, unit, *line_profile(image, line, session.profile_width))
            for curve, (name, unit, image) in images.items()
        }
    except SettingsError:
        return None
