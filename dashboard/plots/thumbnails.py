"""Small pictures of many maps, as the strip, the grid and the periodic table show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from dashboard.names import element_name
from dashboard.plots.display import CHOICES, Display
from dashboard.plots.pictures import MAP_PALETTES, thumbnail, value_limit
from dashboard.results import Results
from xrfengine.cube import ElementMaps
from xrfengine.findings import Found
from xrfengine.jobs import NEVER, CancelToken, Progress
from xrfengine.pictures import grey_limits

STRIP_PX = 200
LARGE_PX = 400
_SHADES = {STRIP_PX: (16, 48), LARGE_PX: (64, 192)}
FOLLOWS = (*CHOICES, "colours")
"""The session's choices that change every picture, besides what results tell."""


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """What small pictures of the present maps are drawn from.

    Attributes
    ----------
    maps : ElementMaps
    total_counts : ndarray, shape (y, x)
        The grey scan under the colours.
    thresholds : dict
        By symbol: from where on a map is in colour.
    display : Display
        How the scan lies on the picture.
    colours : tuple of str
    """

    maps: ElementMaps
    total_counts: np.ndarray
    thresholds: Mapping[str, float]
    display: Display
    colours: tuple[str, ...]

    @classmethod
    def of(cls, results: Results) -> Thumbnails | None:
        """Those of a session, read on its loop; None before there are maps."""
        maps, opened, session = results.maps, results.opened, results.session
        if maps is None or opened is None:
            return None
        thresholds = {**results.starts, **session.thresholds_of(session.method)}
        display = Display.of(session, opened.cube.shape[:2])
        colours = MAP_PALETTES[session.colours]
        return cls(maps, opened.total_counts, thresholds, display, colours)

    def drawn(
        self, symbols: Iterable[str], longest_px: int = STRIP_PX, cancel: CancelToken = NEVER
    ) -> dict[str, str]:
        """Pictures by symbol, as data URIs; any thread.

        Raises
        ------
        Cancelled
        """
        low, high = grey_limits(self.total_counts)
        grey = np.clip((self.display.shown(self.total_counts) - low) / (high - low), 0, 1)
        pictures = {}
        for symbol in symbols:
            cancel.check()
            values = self.maps[symbol]
            limit = value_limit(values, self.maps.kind)
            shown = self.display.shown(values)
            pictures[symbol] = thumbnail(
                shown, grey, self.thresholds[symbol], limit, longest_px, _SHADES[longest_px],
                self.colours,
            )  # fmt: skip
        return pictures

    def pictured(
        self, items: list[dict], longest_px: int, *, progress: Progress, cancel: CancelToken
    ) -> list[dict]:
        """Items of :func:`entries`, each with its picture as ``src``; any thread.

        Raises
        ------
        Cancelled
        """
        pictures = self.drawn([item["symbol"] for item in items], longest_px, cancel)
        return [{**item, "src": pictures[item["symbol"]]} for item in items]


def entries(results: Results) -> list[dict]:
    """The elements of all lists in the order in which they are shown, for the browser.

    ``{symbol, name, share, strength, instrument, verdict, list, mapped}`` with ``list`` one of
    "found", "few", "overruled", "instrument"; ``verdict`` is what the user says of it; ``mapped``
    is false where the maps leave it out, as a fit does with what it does not find.
    """
    overrides = results.session.overrides
    mapped = () if results.maps is None else results.maps.elements
    left_out = {
        verdict: [Found(s, 0.0, 0.0) for s in overrides.saying(verdict) if s not in mapped]
        for verdict in ("present", "absent")
    }
    lists = {
        "found": [*(i for i in results.found if not i.is_instrument), *left_out["present"]],
        "few": results.few,
        "overruled": [*results.overruled, *left_out["absent"]],
        "instrument": [item for item in results.found if item.is_instrument],
    }
    return [
        {
            "symbol": item.element,
            "name": element_name(item.element),
            "share": item.share,
            "strength": item.strength,
            "instrument": item.is_instrument,
            "verdict": overrides.of(item.element),
            "list": name,
            "mapped": item.element in mapped,
        }
        for name, items in lists.items()
        for item in items
    ]
