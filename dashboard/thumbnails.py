"""Small pictures of many maps, as the strip, the grid and the periodic table show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dashboard.names import element_name
from dashboard.pictures import grey_limits, thumbnail, value_limit
from dashboard.results import Results
from xrfengine.cube import ElementMaps
from xrfengine.jobs import NEVER, CancelToken

STRIP_PX = 200
LARGE_PX = 400
_SHADES = {STRIP_PX: (16, 48), LARGE_PX: (64, 192)}


def thumbnails(
    maps: ElementMaps,
    total_counts: np.ndarray,
    symbols: Iterable[str],
    thresholds: Mapping[str, float],
    longest_px: int = STRIP_PX,
    cancel: CancelToken = NEVER,
) -> dict[str, str]:
    """Pictures by symbol, as data URIs: above the threshold in colour, the scan in grey below."""
    low, high = grey_limits(total_counts)
    grey = np.clip((total_counts - low) / (high - low), 0, 1)
    pictures = {}
    for symbol in symbols:
        cancel.check()
        values = maps[symbol]
        limit = value_limit(values, maps.kind)
        pictures[symbol] = thumbnail(
            values, grey, thresholds[symbol], limit, longest_px, _SHADES[longest_px]
        )
    return pictures


def thresholds(results: Results) -> dict[str, float]:
    """From where on each map is in colour: where it was moved to, else where it starts."""
    session = results.session
    return {**results.starts, **session.thresholds_of(session.method)}


def entries(results: Results) -> list[dict]:
    """The elements of all lists in the order in which they are shown, for the browser.

    ``{symbol, name, share, strength, instrument, verdict, list}`` with ``list`` one of "found",
    "few", "overruled"; ``verdict`` is what the user says of it.
    """
    overrides = results.session.overrides
    lists = {"found": results.found, "few": results.few, "overruled": results.overruled}
    return [
        {
            "symbol": item.element,
            "name": element_name(item.element),
            "share": item.share,
            "strength": item.strength,
            "instrument": item.is_instrument,
            "verdict": overrides.of(item.element),
            "list": name,
        }
        for name, items in lists.items()
        for item in items
    ]
