"""What panes show: their state in words, the open scan, and the selected pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from dashboard.plots.pictures import HIGHLIGHT
from dashboard.session.overrides import Overrides, Verdict
from xrfengine.cube import Cube, ElementMaps, Spectrum
from xrfengine.errors import XRFError
from xrfengine.findings import Found


@dataclass(frozen=True)
class State:
    """Which of its four states a pane is in, and the words for it."""

    kind: Literal["ready", "empty", "loading", "error"] = "ready"
    message: str = ""
    hint: str = ""
    fraction: float = 0.0
    action: str = ""


READY = State()


@dataclass(frozen=True, eq=False)
class Opened:
    """An open data set with what every view needs of it."""

    id: str
    label: str
    cube: Cube
    total_counts: np.ndarray
    whole: Spectrum
    engine_facts: tuple[tuple[str, str], ...] = ()
    overrides: Overrides = field(default_factory=Overrides)
    """What was kept with it when it was opened."""
    own_calibration: Any = None
    """OwnCalibration that was kept with it and that ``cube`` has, or None: the file's."""


@dataclass(frozen=True)
class Asked:
    """Which maps a session asks for."""

    method: str
    region_px: int
    thresholds: dict[str, float]
    normalise: str = "none"
    also: tuple[str, ...] = ()
    """Elements that are fitted because the user says they are there."""


@dataclass(frozen=True, eq=False)
class Painted:
    """Maps with what is said of them: starting thresholds, elements above their thresholds."""

    maps: ElementMaps
    starts: dict[str, float]
    found: tuple[Found, ...]
    errors: dict[str, np.ndarray] | None = None
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Selected:
    """The pixels of the current selection, and in a moment their spectrum and elements.

    ``identified`` is None until the spectrum is classified. ``chosen`` is the session's selection
    that led here.
    """

    mask: np.ndarray
    title: str
    spectrum: Spectrum
    identified: tuple | None = None
    colour: str = HIGHLIGHT
    chosen: Any = None


def sample_first(found: tuple[Found, ...]) -> tuple[Found, ...]:
    """The same elements in the same order, those of the instrument last."""
    return tuple(sorted(found, key=lambda item: item.is_instrument))


def verdict_words(verdict: Verdict) -> str:
    """What a title says of an element that the user overruled or added."""
    return {"absent": "you say it is not here", "present": "added by you", "": ""}[verdict]


def failed_state(error: XRFError, action: str = "") -> State:
    return State("error", capital(error.message), error.hint, action=action)


def capital(words: str) -> str:
    """Words as a sentence begins; messages of the engine begin as they go on behind a colon.

    >>> capital("there is no scan"), capital("broken.h5 is cut short")
    ('There is no scan', 'broken.h5 is cut short')
    """
    first = words.partition(" ")[0]
    return words[:1].upper() + words[1:] if first.isalpha() else words
