"""Three element maps as one picture: from choices to colours, in a worker thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboard.results.evened import evened
from xrfengine.cube import Cube
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress
from xrfengine.maps.mix import (
    ORANGE_GREEN_VIOLET,
    RED_GREEN_BLUE,
    mix,
    most_different,
    percentile_range,
)

COLOURS = {"rgb": RED_GREEN_BLUE, "safe": ORANGE_GREEN_VIOLET}
COLOUR_WORDS = {"rgb": ("red", "green", "blue"), "safe": ("orange", "green", "violet")}
_MOST_CANDIDATES = 12


@dataclass(frozen=True)
class MixWanted:
    """What is asked for; ``elements`` empty: those of ``found`` that differ most."""

    elements: tuple[str, ...]
    found: tuple[str, ...]
    method: str
    region_px: int
    ranges: tuple[tuple[float, float], ...]
    colours: str
    normalise: str = "none"
    also: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Mixture:
    """The picture, and what is said of it.

    Attributes
    ----------
    rgba : ndarray, uint32, shape (y, x)
    shares : ndarray, uint8, shape (3, y, x)
        How bright each map is in each pixel, of 255.
    elements : tuple of str
    limits : three of (low, high)
        In the unit of the maps.
    unit : str
        Empty for probabilities.
    """

    rgba: np.ndarray
    shares: np.ndarray
    elements: tuple[str, ...]
    limits: tuple[tuple[float, float], ...]
    unit: str = ""


def mixture(
    engine: Any, cube: Cube, wanted: MixWanted, *, progress: Progress, cancel: CancelToken
) -> Mixture:
    """The mix of three maps.

    Raises
    ------
    XRFError
        If fewer than three elements are there to be mixed, or one has no map.
    Cancelled
    """
    maps = engine.maps(
        cube, wanted.method, wanted.region_px, also=wanted.also, progress=progress, cancel=cancel
    )
    shown = evened(engine, cube, maps, wanted.normalise, wanted.also, cancel=cancel)
    maps = shown.maps
    chosen = wanted.elements
    if not chosen:
        candidates = [e for e in wanted.found if e in maps.elements][:_MOST_CANDIDATES]
        if len(candidates) < 3:
            raise XRFError(
                f"Only {len(candidates)} elements were found here",
                "A mix takes three: lower the threshold of others, or choose them at the right.",
            )
        k = maps.region_px
        best = most_different(np.stack([maps[e][::k, ::k] for e in candidates]))
        chosen = tuple(candidates[place] for place in best)
    missing = [e for e in chosen if e not in maps.elements]
    if missing:
        raise XRFError(
            f"{' and '.join(missing)} cannot be mixed: there is no such map",
            "Choose another element or another method.",
        )
    values = np.stack([maps[e] for e in chosen])
    limits = tuple(
        percentile_range(each, *span) for each, span in zip(values, wanted.ranges, strict=True)
    )
    picture = mix(values, limits, COLOURS[wanted.colours])
    rgba = np.empty((*picture.shape[:2], 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = picture, 255
    # Red, green and blue alone are what each map is dark and bright by.
    shares = np.moveaxis(mix(values, limits), -1, 0)
    return Mixture(
        rgba.view(np.uint32)[..., 0], np.ascontiguousarray(shares), chosen, limits, shown.unit
    )  # fmt: skip
