"""From a selection, which says how pixels were chosen, to the pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dashboard.plots.axes import on_axis
from dashboard.plots.pictures import inside
from dashboard.session import Selection
from xrfengine.errors import SettingsError
from xrfengine.regions import combined, mask_of_runs, polygon_mask, stroke_mask

_FROM = {
    "map": "from the map",
    "brush": "from the map",
    "pixel": "from the map",
    "embedding": "from the embedding",
    "parts": "from several steps",
}


@dataclass(frozen=True, eq=False)
class Ground:
    """What the steps of a selection refer to; taken on the loop, read in any thread.

    ``map_values`` gives the map (y, x) that a selection by threshold was made on.
    """

    shape_yx: tuple[int, int]
    clusters: Any
    embedding: Any
    map_values: Callable[[Selection], np.ndarray]

    def mask(self, chosen: Selection, before: Masked | None = None) -> np.ndarray:
        """The pixels of a selection, bool (y, x).

        Parameters
        ----------
        before : Masked or None
            The selection before, if it stood on the same ground: what it shares is not made anew.

        Raises SettingsError if it refers to what is not there.
        """
        steps = chosen.steps
        mask = None
        if before is not None and steps[:-1] == before.chosen.steps:
            mask, steps = before.mask, steps[-1:]
        for step in steps:
            part = self._part(step)
            mask = part if mask is None else combined(mask, part, step.operation)
        return mask

    def _part(self, step: Selection) -> np.ndarray:
        vertices = np.asarray(step.vertices, dtype=np.float64).reshape(-1, 2)
        if step.source == "map":
            return polygon_mask(vertices, self.shape_yx)
        if step.source in ("brush", "pixel"):
            # The smallest brush of all: the pixel under the point.
            return stroke_mask(vertices[: 1 if step.source == "pixel" else None],
                               step.radius_px or 0.25, self.shape_yx)  # fmt: skip
        if step.source == "embedding":
            if self.embedding is None:
                raise SettingsError(
                    "part of the selection was drawn on the embedding, which is not there",
                    "Start the embedding, or draw on the map.",
                )
            return inside(self.embedding.coordinates[:, :2], vertices).reshape(self.shape_yx)
        if step.source == "cluster":
            if self.clusters is None:
                raise SettingsError(
                    "part of the selection is a cluster, and there are no clusters",
                    "Let the clusters be found, or draw on the map.",
                )
            return self.clusters.clustering.pixels(step.cluster)
        if step.source == "scatter":
            # Counts by a fit or in a window share an axis; probabilities have their own.
            kind = "probability" if step.method in ("probability", "cluster") else step.method
            points = [
                on_axis(self.map_values(replace(step, element=symbol)).ravel(), kind, step.is_log)
                for symbol in (step.element, step.element_up)
            ]
            return inside(np.column_stack(points), vertices).reshape(self.shape_yx)
        if step.source == "threshold":
            return self.map_values(step) >= step.threshold
        return mask_of_runs(step.runs, self.shape_yx)


@dataclass(frozen=True, eq=False)
class Masked:
    """A selection, the ground it stood on, and its pixels."""

    chosen: Selection
    ground: Ground
    mask: np.ndarray

    def on(self, ground: Ground) -> Masked | None:
        """Itself if it stood on the same ground."""
        same = (
            self.ground.shape_yx == ground.shape_yx
            and self.ground.clusters is ground.clusters
            and self.ground.embedding is ground.embedding
        )
        return self if same else None


def selection_title(chosen: Selection, mask: np.ndarray, cluster: str = "") -> str:
    """How many pixels, and where they are from; ``cluster`` is the name of the cluster chosen."""
    n = int(np.count_nonzero(mask))
    pixels = f"{n:,} pixel{'s' if n != 1 else ''}"
    if chosen.source == "cluster":
        return f"{cluster or f'Cluster {chosen.cluster + 1}'}, {pixels}"
    if chosen.source == "threshold":
        return f"{pixels} with {chosen.element} ≥ {chosen.threshold:.3g}"
    if chosen.source == "scatter":
        return f"{pixels} by {chosen.element} and {chosen.element_up}"
    if chosen.source == "runs":
        return f"{chosen.name}, {pixels}"
    return f"{pixels} {_FROM[chosen.source]}"


def region_name(chosen: Selection, taken: set[str], cluster: str = "") -> str:
    """A name for a region kept of a selection that no other has; ``cluster`` as above."""
    if chosen.source == "cluster":
        name = cluster or f"Cluster {chosen.cluster + 1}"
    elif chosen.source == "threshold":
        name = f"{chosen.element} above threshold"
    elif chosen.source == "runs":
        name = chosen.name
    else:
        name = ""
    if name and name not in taken:
        return name
    number = 2 if name else 1
    while (numbered := f"{name or 'Region'} {number}") in taken:
        number += 1
    return numbered
