"""From what was found and what the user says of it to the list of elements; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dashboard.session.overrides import Overrides
from dashboard.shown import sample_first
from xrfengine.cube import ElementMaps
from xrfengine.findings import Found, Identified

FEW_SHARE = 0.001
FEW_REGIONS = 5
FEW_SHARE_OF_FEW = 0.02
"""Below this share, fewer than :data:`FEW_REGIONS` regions are few. Above it, as in a short line
scan, a single pixel is a good part of all."""


@dataclass(frozen=True)
class Listing:
    """The elements at or above their thresholds somewhere, and those the user spoke of.

    Attributes
    ----------
    found : tuple of Found
        By falling share, those of the instrument last; those added by the user among them, also
        where they are nowhere above their threshold.
    few : tuple of Found
        Shown by a few pixels only: each may be a false call.
    overruled : tuple of Found
        Those the user says are not there, wherever they are above their thresholds or not.
    """

    found: tuple[Found, ...] = ()
    few: tuple[Found, ...] = ()
    overruled: tuple[Found, ...] = ()


def listing(found: tuple[Found, ...], overrides: Overrides, maps: ElementMaps) -> Listing:
    """Sort what was found in maps; the maps say how many regions there are and of what."""
    absent, present = overrides.saying("absent"), overrides.saying("present")
    n_regions = count_regions(maps)
    kept, few, overruled = [], [], []
    for item in found:
        if item.element in absent:
            overruled.append(item)
        elif item.element in present:
            # The sample's, whoever says so: a copper pigment under a copper tube.
            kept.append(replace(item, is_instrument=False))
        elif is_few(item.share, n_regions) and not item.is_instrument:
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


def count_regions(maps: ElementMaps) -> int:
    """Regions of the maps that were judged each by itself: pixels, where nothing is averaged."""
    k = maps.region_px
    height, width = maps.values.shape[1:]
    return -(-height // k) * -(-width // k)


def is_few(share: float, n_regions: int) -> bool:
    """Whether an element above its threshold on this share of the area may be a false call.

    Of a thousand pixels that hold nothing of an element, about one is called wrongly; single
    pixels also by dust, by a hot detector channel, or by an overlap at an edge.
    """
    fewer = round(share * n_regions) < FEW_REGIONS and share < FEW_SHARE_OF_FEW
    return share < FEW_SHARE or fewer
