"""The edges of the energy window: told to the strip, typed there, begun around a line."""

from __future__ import annotations

import math
from typing import Any

from xrfengine.cube import Cube

_LEAST_STEP_KEV = 0.01


def told_edges(window_kev: tuple[float, float] | None, cube: Cube | None) -> list[float]:
    """(low, high, lowest, highest, step) in keV as the strip takes them; empty: no window."""
    if window_kev is None or cube is None:
        return []
    first, last = (float(kev) for kev in cube.energy_kev[[0, -1]])
    step_kev = max(round(cube.calibration.gain_kev, 2), _LEAST_STEP_KEV)
    return [*window_kev, max(first, 0.0), last, step_kev]


def typed_edges(message: Any) -> tuple[float, float] | None:
    """(low, high) in keV of what the strip sent; None where it makes no sense."""
    if not isinstance(message, list) or len(message) != 2:
        return None
    if not all(isinstance(kev, int | float) and math.isfinite(kev) for kev in message):
        return None
    return float(message[0]), float(message[1])


def edges_around(element: str, cube: Cube) -> tuple[float, float] | None:
    """The window of an element's main line, in keV; None where no line lies in the spectrum."""
    from xrfengine.maps.roi import roi_window

    found = roi_window(element, cube.calibration, cube.shape[2], cube.instrument)
    if found is None:
        return None
    low, high = cube.calibration.edges_kev(cube.shape[2])[[found.start, found.stop]]
    return float(low), float(high)
