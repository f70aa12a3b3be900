"""Where values of a map lie on the axis of a scatter; the same for drawing and for selecting."""

from __future__ import annotations

import numpy as np

_FLOOR = {"probability": 1e-3}
_COUNTS_FLOOR = 0.5
"""Half a count: net counts may be zero and below, which no logarithm shows."""


def on_axis(values: np.ndarray, kind: str, is_log: bool) -> np.ndarray:
    """Values as the axis shows them: as they are, or their decimal logarithm above a floor."""
    if not is_log:
        return np.asarray(values, dtype=np.float32)
    floor = _FLOOR.get(kind, _COUNTS_FLOOR)
    return np.log10(np.maximum(values, floor)).astype(np.float32)


def axis_limits(places: np.ndarray, kind: str, is_log: bool) -> tuple[float, float]:
    """A range that shows nearly all places with some air; probabilities whole."""
    if kind == "probability" and not is_log:
        return -0.04, 1.04
    low, high = (float(v) for v in np.percentile(places, (0.02, 99.98)))
    air = max(0.04 * (high - low), 0.02)
    return low - air, high + air


def axis_title(symbol: str, kind: str) -> str:
    """Of an axis: what is measured, with its unit."""
    return f"{symbol}, probability" if kind == "probability" else f"{symbol}, net counts per pixel"
