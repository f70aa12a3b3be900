"""Which maps are followed along the line of the profile, and their values there."""

from __future__ import annotations

from typing import Any

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.maps.profile import line_profile

TOTAL = "total"


def profiles(session: Any, results: Any) -> dict[str, tuple[str, np.ndarray, np.ndarray]] | None:
    """By curve (symbol, distance in pixels, values): the chosen element's, those beside it.

    None where there is no line, or one without length, as a link may hold.
    """
    maps, opened, line = results.maps, results.opened, session.profile
    if line is None or opened is None or maps is None:
        return None
    images = {}
    if session.element in maps.elements:
        images["chosen"] = (session.element, maps[session.element])
    beside = [s for s in session.profile_beside if s in maps.elements and s != session.element]
    images |= {f"beside{i}": (symbol, maps[symbol]) for i, symbol in enumerate(beside)}
    if TOTAL in session.profile_beside:
        images[TOTAL] = (TOTAL, opened.total_counts)
    try:
        return {
            name: (symbol, *line_profile(image, line, session.profile_width))
            for name, (symbol, image) in images.items()
        }
    except SettingsError:
        return None
