"""How pixels that are alike are found and shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import param

from dashboard.session.carried import Carried, choice, flag, text, whole
from dashboard.session.kept import Kept

CLUSTER_METHODS = ("umap-hdbscan", "som")
COLOUR_BY = ("cluster", "element", "region", "density")
POINTS = ("embedding", "elements")
COEFFICIENTS = ("spearman", "pearson")
LONGEST_NAME = 60
MOST_KEPT = 2_000
_ID = re.compile(r"[0-9a-f]{12}")
Branches = tuple[tuple[int, int, int], ...]


def read_names(state: Any) -> dict[str, str]:
    """Names of clusters from a saved view; raises ValueError, in words, for anything else."""
    if not isinstance(state, dict) or len(state) > MOST_KEPT:
        raise ValueError("its names of clusters are damaged")
    if not all(_ID.fullmatch(id_) and isinstance(name, str) for id_, name in state.items()):
        raise ValueError("its names of clusters are damaged")
    return {id_: name[:LONGEST_NAME] for id_, name in state.items()}


def read_merges(state: Any) -> tuple[tuple[str, ...], ...]:
    """Merges of clusters from a saved view; raises ValueError, in words, for anything else."""
    try:
        merges = tuple(tuple(str(id_) for id_ in merge) for merge in state)
    except TypeError:
        merges = None
    if merges is None or len(merges) > MOST_KEPT:
        raise ValueError("its merged clusters are damaged")
    if not all(len(merge) >= 2 and all(map(_ID.fullmatch, merge)) for merge in merges):
        raise ValueError("its merged clusters are damaged")
    return merges


def read_branches(state: Any) -> dict[str, Branches]:
    """Clusters cut by hand from a saved view; raises ValueError, in words, for anything else."""
    try:
        branches = {
            str(key): tuple((int(n), int(first), int(size)) for n, first, size in runs)
            for key, runs in state.items()
        }
    except (AttributeError, TypeError, ValueError):
        raise ValueError("its clusters cut by hand are damaged") from None
    return branches


class GroupChoices(param.Parameterized):
    """Choices of the embedding and the cluster pane."""

    cluster_method = param.Selector(objects=list(CLUSTER_METHODS), default="umap-hdbscan")
    min_cluster_size = param.Integer(0, bounds=(0, 1_000_000), doc="Pixels; 0: by scan size.")
    min_samples = param.Integer(10, bounds=(1, 100))
    n_neighbors = param.Integer(30, bounds=(2, 200))
    som_rows = param.Integer(3, bounds=(1, 12))
    som_columns = param.Integer(3, bounds=(1, 12))
    cluster = param.Integer(
        None, allow_None=True, bounds=(0, None), doc="The chosen cluster, by its number from 0."
    )
    points = param.Selector(objects=list(POINTS), default="embedding", doc="What points show.")
    across = param.String("", doc="Element along the scatter's axis; empty: the one on the map.")
    up = param.String("", doc="The other element of the scatter; empty: the most frequent other.")
    log_axes = param.Boolean(False, doc="Of the scatter.")
    coefficient = param.Selector(objects=list(COEFFICIENTS), default="spearman")
    table_of = param.String(
        "", doc="Pixels of the correlation table: empty: all; selection; the id of a region."
    )
    cluster_names = param.Dict({}, doc="By a digest of the pixels of a cluster: its name.")
    cluster_merges = param.ClassSelector(
        class_=tuple, default=(), doc="Clusters made one, each as a tuple of such digests, in turn."
    )
    cluster_branches = param.Dict(
        {}, doc="By a digest of scan and settings: the branches of the tree chosen by hand."
    )
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
        "points": choice("points", POINTS),
        "across": text("across"),
        "up": text("up"),
        "axes": flag("log_axes"),
        "coefficient": choice("coefficient", COEFFICIENTS),
        "within": text("table_of"),
    }
    KEPT: ClassVar[tuple[Kept, ...]] = (
        Kept("cluster_names", dict, read_names),
        Kept("cluster_merges", lambda merges: [list(merge) for merge in merges], read_merges),
        Kept(
            "cluster_branches",
            lambda held: {key: [list(run) for run in runs] for key, runs in held.items()},
            read_branches,
        ),
    )

    def name_cluster(self, id_: str, name: str) -> None:
        """Call the cluster of these pixels so; an empty name takes the name away."""
        rest = {key: kept for key, kept in self.cluster_names.items() if key != id_}
        name = " ".join(name.split())[:LONGEST_NAME]
        self.cluster_names = {**rest, id_: name} if name else rest
