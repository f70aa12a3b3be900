"""How pixels that are alike are found and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import param

from dashboard.session.carried import Carried, choice, whole
from dashboard.session.kept import Kept

CLUSTER_METHODS = ("umap-hdbscan", "som")
COLOUR_BY = ("cluster", "element", "density")


class GroupChoices(param.Parameterized):
    """Choices of the embedding and the cluster pane."""

    cluster_method = param.Selector(objects=list(CLUSTER_METHODS), default="umap-hdbscan")
    min_cluster_size = param.Integer(0, bounds=(0, 1_000_000), doc="Pixels; 0: by scan size.")
    min_samples = param.Integer(10, bounds=(1, 100))
    n_neighbors = param.Integer(30, bounds=(2, 200))
    som_rows = param.Integer(3, bounds=(1, 12))
    som_columns = param.Integer(3, bounds=(1, 12))
    cluster = param.Integer(None, allow_None=True, bounds=(0, None), doc="The chosen cluster.")
    colour_by = param.Selector(objects=list(COLOUR_BY), default="cluster")

    ADDRESS: ClassVar[Mapping[str, Carried]] = {
        "clusters": choice("cluster_method", CLUSTER_METHODS),
        "colour": choice("colour_by", COLOUR_BY),
        "smallest": whole("min_cluster_size", 0, 1_000_000),
        "strict": whole("min_samples", 1, 100),
        "neighbours": whole("n_neighbors", 2, 200),
        "rows": whole("som_rows", 1, 12),
        "columns": whole("som_columns", 1, 12),
        "cluster": whole("cluster", 0, None),
    }
    KEPT: ClassVar[tuple[Kept, ...]] = ()
