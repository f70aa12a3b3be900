"""A calibration as it is being made: named peaks, what they give, and what speaks against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xrfengine.calibrate import calibration_from_pairs, line_energy_kev
from xrfengine.cube import Calibration
from xrfengine.errors import XRFError
from xrfengine.lines import ELEMENTS, Line, labelled_lines

_MOST_LINES = 8
_NEAR_KEV, _NEAR_SHARE = 0.25, 0.05

Named = tuple[float, str]
"""Channel of a peak, and the name of its line; empty while it has none."""


@dataclass(frozen=True)
class Proposal:
    """What the named peaks give.

    ``residuals_ev`` are, for each pair, the line's energy less that of the new calibration; None
    while there is none.
    """

    calibration: Calibration | None
    residuals_ev: tuple[float | None, ...]
    problem: str = ""


def proposal(pairs: Sequence[Named], present: Calibration) -> Proposal:
    """The calibration through the peaks that are named; ``present`` gives the resolution."""
    none = (None,) * len(pairs)
    known: list[tuple[float, float]] = []
    for channel, name in pairs:
        if name:
            try:
                known.append((channel, line_energy_kev(name)))
            except XRFError as error:
                return Proposal(None, none, str(error))
    if len({channel for channel, _ in known}) < 2:
        return Proposal(None, none)
    try:
        made = calibration_from_pairs(known, fwhm_mn_kev=present.fwhm_mn_kev)
    except XRFError as error:
        return Proposal(None, none, str(error))
    residuals = tuple(
        1000.0 * (line_energy_kev(name) - float(made.at(channel))) if name else None
        for channel, name in pairs
    )
    return Proposal(made, residuals)


def likely_lines(energy_kev: float, found: Sequence[str]) -> tuple[Line, ...]:
    """Lines that a peak may be if the present energies are nearly right.

    Those of elements that were found come first, then the nearest.
    """
    reach = max(_NEAR_KEV, _NEAR_SHARE * energy_kev)
    low, high = max(energy_kev - reach, 0.5), energy_kev + reach
    near = [line for element in ELEMENTS for line in labelled_lines(element, low, high)]
    plain = [line for line in near if line.name in ("Kα", "Kβ", "Lα", "Lβ", "Mα")]
    known = set(found)
    near_first = sorted(
        plain,
        key=lambda line: (
            line.element not in known,
            abs(line.energy_kev - energy_kev) - (0.05 if line.name[1] == "α" else 0.0),
        ),
    )
    return tuple(near_first[:_MOST_LINES])
