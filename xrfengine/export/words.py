"""Numbers as reports write them."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """Three figures, thousands separated: ``0.62``, ``12.5``, ``1,240``."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float) -> str:
    """``31 %``, ``0.4 %``, ``<0.1 %``."""
    if share >= 0.0995:
        return f"{100 * share:.0f} %"
    return f"{100 * share:.1f} %" if share >= 0.001 else "<0.1 %"
