"""From what was found and what the user says of it to the list of elements; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dashboard.session.overrides import Overrides
from dashboard.shown import sample_first
from xrfengine.cube import ElementMaps
from xrfengine.findings import Found, Identified


@dataclass(frozen=True)
class Listing:
    """The elements at or above their thresholds somewhere, and those the user spoke of.

    Attributes
    ----------
    found : tuple of Found
        By falling share, those of the instrument last; those added by the user among them, also
        where they are nowhere above their threshold.
    few : tuple of Found
        Seen in a few single pixels only: each may be a false call.
    overruled : tuple of Found
        Those the user says are not there, wherever they are above their thresholds or not.
    """

    found: tuple[Found, ...] = ()
    few: tuple[Found, ...] = ()
    overruled: tuple[Found, ...] = ()


def listing(found: tuple[Found, ...], overrides: Overrides, maps: ElementMaps) -> Listing:
    """Sort what was found in maps; the maps say of what there are any."""
    absent, present = overrides.saying("absent"), overrides.saying("present")
    kept, few, overruled = [], [], []
    for item in found:
        if item.element in absent:
            overruled.append(item)
        elif item.element in present:
            # The sample's, whoever says so: a copper pigment under a copper tube.
            kept.append(replace(item, is_instrument=False))
        elif item.is_few and not item.is_instrument:
            few.append(item)
        else:
            kept.append(item)
    known = {item.element for item in found}
    nowhere = {s: Found(s, 0.0, 0.0) for s in maps.elements if s not in known}
    kept = sorted(
        [*kept, *(nowhere[s] for s in present if s in nowhere)], key=lambda item: -item.share
    )
    overruled += [nowhere[s] for s in absent if s in nowhere]
    return Listing(sample_first(tuple(kept)), tuple(few), tuple(overruled))


def seen(identified: Iterable[Identified], overrides: Overrides) -> tuple[Identified, ...]:
    """What one spectrum shows of the sample, without what the user says is not there."""
    return tuple(
        item
        for item in identified
        if item.present
        and overrides.of(item.symbol) != "absent"
        and (not item.is_instrument or overrides.of(item.symbol) == "present")
    )
