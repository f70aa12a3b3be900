"""The element whose lines are marked, and the way to the next one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xrfengine.lines import Line, labelled_lines

_LOWEST_MARK_KEV = 0.6


def marked_lines(symbol: str, energy_kev: np.ndarray) -> tuple[Line, ...]:
    """The lines of an element that are marked on a spectrum with these energies; () for none."""
    low = max(float(energy_kev[0]), _LOWEST_MARK_KEV)
    return labelled_lines(symbol, low, float(energy_kev[-1])) if symbol else ()


def neighbour(symbol: str, by: int, symbols: Sequence[str], energy_kev: np.ndarray) -> str:
    """The next element (``by`` 1) or the one before (-1) that has a line in range; else itself."""
    at = symbols.index(symbol) if symbol in symbols else 0
    for step in range(1, len(symbols)):
        other = symbols[(at + by * step) % len(symbols)]
        if marked_lines(other, energy_kev):
            return other
    return symbol
