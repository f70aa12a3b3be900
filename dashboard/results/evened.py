"""Maps of counts as they are shown: evened out where the user asks for it; in worker threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xrfengine.cube import Cube, ElementMaps
from xrfengine.jobs import NEVER, CancelToken
from xrfengine.maps.normalise import COUNTED, UNITS, Monitor, normalised_error
from xrfengine.maps.window import WindowMap


@dataclass(frozen=True, eq=False)
class Evened:
    """Maps with where their thresholds start, and their standard errors where they are fitted.

    ``unit`` is empty for what holds no counts; ``by`` is None where nothing is evened out.
    """

    maps: ElementMaps
    starts: dict[str, float]
    errors: dict[str, np.ndarray] | None = None
    unit: str = ""
    by: Monitor | None = None


def evened(
    engine: Any,
    cube: Cube,
    maps: ElementMaps,
    normalise: str = "none",
    also: tuple[str, ...] = (),
    *,
    cancel: CancelToken = NEVER,
) -> Evened:
    """Maps by the session's ``normalise``; probabilities stay as they are.

    Raises
    ------
    XRFError
        If the scan does not know what is asked for.
    """
    starts, errors = engine.default_thresholds(maps, also), None
    if maps.kind == "fit":
        errors = engine.fit(cube, maps.region_px, also=also).main_errors()
    if maps.kind not in COUNTED:
        return Evened(maps, starts, errors)
    by = monitor_of(engine, cube, normalise, maps.region_px, cancel)
    if by is None:
        return Evened(maps, starts, errors, UNITS["none"])
    maps = engine.normalised(maps, cube, by)
    if normalise == "live_time":
        starts = {symbol: at * float(by.factor.flat[0]) for symbol, at in starts.items()}
    if errors is not None:
        errors = {s: normalised_error(maps[s], error, by) for s, error in errors.items()}
    return Evened(maps, starts, errors, by.unit, by)


def monitor_of(
    engine: Any, cube: Cube, normalise: str, region_px: int, cancel: CancelToken = NEVER
) -> Monitor | None:
    """What the counts are multiplied by; None where they stay as they are."""
    if normalise == "none":
        return None
    return engine.monitor(cube, normalise, region_px, cancel=cancel)


def evened_counts(
    values: np.ndarray, errors: np.ndarray, by: Monitor | None
) -> tuple[np.ndarray, np.ndarray, str]:
    """One map of counts (y, x) evened out, its standard error, and the unit."""
    if by is None:
        return values, errors, UNITS["none"]
    values = values * by.factor
    return values, normalised_error(values, errors, by), by.unit


def evened_window(
    engine: Any, cube: Cube, window: WindowMap, normalise: str, cancel: CancelToken = NEVER
) -> WindowMap:
    """The map of an energy window by the session's ``normalise``.

    Raises
    ------
    XRFError
        If the scan does not know what is asked for.
    """
    by = monitor_of(engine, cube, normalise, window.region_px, cancel)
    if by is None:
        return window
    values, errors, unit = evened_counts(window.values, window.errors, by)
    unit = unit if window.net else unit.removeprefix("net ")
    return replace(window, values=values, errors=errors, unit=unit)
