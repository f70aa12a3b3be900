"""What panes show: their state in words, the open scan, and the selected pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dashboard.pictures import HIGHLIGHT, inside
from dashboard.session import Selection
from xrfengine.cube import Cube, Spectrum
from xrfengine.errors import XRFError
from xrfengine.regions import polygon_mask


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


@dataclass(frozen=True, eq=False)
class Selected:
    """The pixels of the current selection, and in a moment their spectrum and elements.

    ``identified`` is None until the spectrum is classified.
    """

    mask: np.ndarray
    title: str
    spectrum: Spectrum
    identified: tuple | None = None
    colour: str = HIGHLIGHT


def failed_state(error: XRFError, action: str = "") -> State:
    return State("error", error.message, error.hint, action=action)


def selection_mask(
    chosen: Selection, shape_yx: tuple[int, int], clusters: Any, embedding: Any
) -> np.ndarray:
    """The pixels of a selection, bool (y, x)."""
    if chosen.source == "cluster":
        return clusters.clustering.labels == chosen.cluster
    vertices = np.asarray(chosen.vertices, dtype=np.float64)
    if chosen.source == "embedding":
        return inside(embedding.coordinates[:, :2], vertices).reshape(shape_yx)
    return polygon_mask(vertices, shape_yx)


def selection_title(chosen: Selection, mask: np.ndarray) -> str:
    n = int(np.count_nonzero(mask))
    pixels = f"{n:,} pixel{'s' if n != 1 else ''}"
    if chosen.source == "cluster":
        return f"Cluster {chosen.cluster + 1}, {pixels}"
    return f"{pixels} from the {chosen.source}"
