"""What is selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import param

from dashboard.session.carried import Carried
from dashboard.session.kept import Kept


@dataclass(frozen=True)
class Selection:
    """The current selection: where it was drawn, and its geometry or its cluster.

    ``vertices`` are (x, y) pairs: pixels for ``"map"``, embedding units for ``"embedding"``.
    """

    source: Literal["map", "embedding", "cluster"]
    vertices: tuple[tuple[float, float], ...] = ()
    cluster: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """For a saved view, as JSON holds it."""
        return {
            "source": self.source,
            "vertices": [list(vertex) for vertex in self.vertices],
            "cluster": self.cluster,
        }

    @classmethod
    def from_dict(cls, state: Any) -> Selection:
        """The inverse; raises ValueError, in words, for anything else."""
        try:
            source, cluster = state["source"], state["cluster"]
            vertices = tuple((float(x), float(y)) for x, y in state["vertices"])
        except (TypeError, KeyError, ValueError):
            raise ValueError("its selection is damaged") from None
        is_cluster = source == "cluster" and isinstance(cluster, int) and cluster >= 0
        if not is_cluster and not (source in ("map", "embedding") and len(vertices) >= 3):
            raise ValueError("its selection is damaged")
        return cls(source, vertices, cluster)


class RegionChoices(param.Parameterized):
    """The selection."""

    selection = param.ClassSelector(class_=Selection, default=None, allow_None=True)

    ADDRESS: ClassVar[Mapping[str, Carried]] = {}
    KEPT: ClassVar[tuple[Kept, ...]] = (
        Kept("selection", lambda s: s.to_dict(), Selection.from_dict),
    )
