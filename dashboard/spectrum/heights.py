"""Counts as the vertical axis shows them: statistic, scale and room for names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dashboard.plots.pictures import spectrum_heights
from xrfengine.pictures import spectrum_floor

HEADROOM = 0.26
"""Share of the plot kept free above the curves for the names of lines."""
AXIS_WORDS = {
    "mean": "Counts per pixel",
    "sum": "Counts of all pixels",
    "max": "Highest count of any pixel",
}
FORMATS = {
    "linear": "return tick.toLocaleString('en-US', {maximumFractionDigits: 3})",
    "sqrt": "return (tick * Math.abs(tick)).toLocaleString('en-US', {maximumFractionDigits: 2})",
    "log": """
        const whole = Math.round(tick)
        if (Math.abs(tick - whole) > 1e-6) return ""
        if (whole >= -2 && whole <= 4) return (10 ** whole).toLocaleString('en-US')
        return "10" + String(whole).replace(/./g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)])
    """,
}


@dataclass(frozen=True)
class Heights:
    """From counts to heights in the plot."""

    scale: str
    floor: float

    @classmethod
    def above(cls, counts: np.ndarray, scale: str) -> Heights:
        """With a logarithmic axis that begins just below what these counts tell."""
        return cls(scale, spectrum_floor(counts))

    def of(self, counts: np.ndarray) -> np.ndarray:
        """Heights, float32, in the shape of the counts."""
        return spectrum_heights(counts, self.scale, self.floor).astype(np.float32)

    def limits(self, energy_kev: np.ndarray, *curves: np.ndarray) -> tuple[float, float]:
        """Lower and upper end of the axis: room for every curve, and for the names above."""
        sound = energy_kev >= min(0.3, float(energy_kev[-2]))  # zero peaks of files dwarf all
        top = max((float(curve[sound].max(initial=0.0)) for curve in curves), default=0.0)
        low, high = (float(v) for v in self.of(np.array([self.floor, max(top, 2 * self.floor)])))
        low = low if self.scale == "log" else 0.0
        return low, low + (high - low) / (1 - HEADROOM)
