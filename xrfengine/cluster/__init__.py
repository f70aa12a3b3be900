"""Clusters of pixels with like spectra: SOM, and UMAP → HDBSCAN.

The slow half and the fast half of the second are apart: :func:`embed` and :func:`build_tree`
are jobs, :func:`cut` is immediate.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from xrfengine.cluster.branches import Branch, branch_labels
from xrfengine.cluster.density import ClusterTree, Selection, build_tree, cut
from xrfengine.cluster.embedding import Embedding, EmbeddingSettings, embed, warm_up
from xrfengine.cluster.features import FeatureSettings, spectra_features
from xrfengine.cluster.som import SomSettings, quantisation_error, train_som
from xrfengine.cube import Cube, Spectrum
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress, part

Method = Literal["som", "umap-hdbscan"]

THESIS_MIN_SHARE = 2500 / 182_352
"""Smallest cluster of the thesis (3.1.2) as a share of its pixels."""


@dataclass(frozen=True)
class ClusterSettings:
    """Everything a clustering depends on besides the cube.

    Attributes
    ----------
    method : {"som", "umap-hdbscan"}
    min_samples : int
        Neighbours that make a point a core point; the thesis takes 10.
    min_cluster_size : int or None
        Smallest cluster in pixels; None takes the thesis's share of the pixels, at least 20.
    selection : {"eom", "leaf"}
        Which clusters of the tree: the most stable, or the finest.
    branches : tuple of (number, first, size), or None
        Clusters chosen by hand, as :mod:`xrfengine.cluster.branches` gives them, instead of
        ``selection``.
    """

    method: Method = "umap-hdbscan"
    features: FeatureSettings = field(default_factory=FeatureSettings)
    som: SomSettings = field(default_factory=SomSettings)
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    min_samples: int = 10
    min_cluster_size: int | None = None
    selection: Selection = "eom"
    branches: tuple[Branch, ...] | None = None

    def __post_init__(self) -> None:
        if self.method not in ("som", "umap-hdbscan"):
            raise SettingsError(
                f"there is no clustering method {self.method!r}", "Use 'som' or 'umap-hdbscan'."
            )
        if self.min_samples < 1:
            raise SettingsError(f"min_samples is {self.min_samples}", "It must be 1 or more.")
        if self.min_cluster_size is not None and self.min_cluster_size < 2:
            raise SettingsError(
                f"min_cluster_size is {self.min_cluster_size}", "It must be 2 or more."
            )
        if self.selection not in ("eom", "leaf"):
            raise SettingsError(f"selection is {self.selection!r}", "Use 'eom' or 'leaf'.")

    def cluster_size(self, n_pixels: int) -> int:
        """The smallest cluster in pixels, for an image of ``n_pixels``."""
        if self.min_cluster_size is not None:
            return self.min_cluster_size
        return max(20, round(n_pixels * THESIS_MIN_SHARE))

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ClusterSettings:
        parts = {
            "features": FeatureSettings,
            "som": SomSettings,
            "embedding": EmbeddingSettings,
        }
        made = {k: parts[k].from_dict(v) if k in parts else v for k, v in values.items()}
        if made.get("branches") is not None:
            made["branches"] = tuple(tuple(int(v) for v in branch) for branch in made["branches"])
        return cls(**made)


@dataclass(frozen=True, eq=False)
class Clustering:
    """Which cluster each pixel belongs to.

    Attributes
    ----------
    labels : ndarray, int32, shape (y, x)
        Clusters numbered from 0; −1 for pixels in none.
    n_clusters : int
    method : {"som", "umap-hdbscan"}
        Clusters of HDBSCAN are numbered by falling size; those of a SOM row by row of its grid,
        so that like clusters have near numbers. A node without pixels has no label.
    numbers : tuple of int
        What each cluster is called and coloured by, from 0: the place in the grid of a SOM's
        node; of clusters made by hand, the number they had before. Empty: their labels.
    """

    labels: np.ndarray
    n_clusters: int
    method: Method
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.labels.ndim != 2:
            raise SettingsError(f"labels need the shape (y, x), got {self.labels.shape}")
        view = self.labels.view()
        view.flags.writeable = False
        object.__setattr__(self, "labels", view)
        if not self.numbers:
            object.__setattr__(self, "numbers", tuple(range(self.n_clusters)))

    @property
    def sizes(self) -> np.ndarray:
        """Pixels of each cluster, int64, shape (cluster,)."""
        inside = self.labels[self.labels >= 0]
        return np.bincount(inside, minlength=self.n_clusters)

    @property
    def n_unassigned(self) -> int:
        return int((self.labels < 0).sum())

    def pixels(self, number: int) -> np.ndarray:
        """The pixels of the cluster of a number, bool (y, x); none if there is no such cluster."""
        if number not in self.numbers:
            return np.zeros(self.labels.shape, dtype=bool)
        return self.labels == self.numbers.index(number)

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        meta = {"n_clusters": self.n_clusters, "method": self.method, "numbers": self.numbers}
        return {"labels": self.labels}, meta

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> Clustering:
        numbers = tuple(int(number) for number in meta["numbers"])
        return cls(arrays["labels"], int(meta["n_clusters"]), meta["method"], numbers)


def clustering_of(labels: np.ndarray, shape_yx: tuple[int, int], method: Method) -> Clustering:
    """A clustering from one number a pixel (n,); labels leave out numbers without pixels."""
    used = np.unique(labels[labels >= 0])
    renumber = np.full(int(labels.max(initial=-1)) + 2, -1, dtype=np.int32)  # last: for −1
    renumber[used] = np.arange(used.size)
    numbers = tuple(int(number) for number in used)
    return Clustering(renumber[labels].reshape(shape_yx), int(used.size), method, numbers)


def cluster_cube(
    cube: Cube,
    settings: ClusterSettings | None = None,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Clustering:
    """Cluster the pixels of a cube, start to end.

    Parameters
    ----------
    cube : Cube
        Counts of shape (y, x, channel).
    settings : ClusterSettings, optional

    Raises
    ------
    SettingsError
        If settings do not fit the cube.
    XRFError
        If memory ran out.
    Cancelled
        When ``cancel`` was set.
    """
    settings = settings or ClusterSettings()
    features = spectra_features(
        cube, settings.features, progress=part(progress, 0.0, 0.3), cancel=cancel
    )
    if settings.method == "som":
        labels, _ = train_som(
            features, settings.som, progress=part(progress, 0.3, 1.0), cancel=cancel
        )
    else:
        embedding = embed(
            features, settings.embedding, progress=part(progress, 0.3, 0.85), cancel=cancel
        )
        tree = build_tree(
            embedding.coordinates,
            settings.min_samples,
            progress=part(progress, 0.85, 0.99),
            cancel=cancel,
        )
        labels = labels_of(tree, settings)
    progress(1.0, "Clusters")
    return clustering_of(labels, cube.shape[:2], settings.method)


def labels_of(tree: ClusterTree, settings: ClusterSettings) -> np.ndarray:
    """The cut that settings ask for, by hand or not; int32 (n,), −1 for points in none."""
    if settings.branches is not None:
        return branch_labels(tree, settings.branches)
    return cut(tree, settings.cluster_size(tree.n_points), settings.selection)


def cluster_spectra(
    cube: Cube,
    labels: np.ndarray,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> tuple[Spectrum, ...]:
    """The sum of the spectra of each cluster, in one pass over the cube.

    Parameters
    ----------
    cube : Cube
    labels : ndarray of int, shape (y, x)
        Clusters numbered from 0; −1 belongs to none.

    Returns
    -------
    tuple of Spectrum
        Sums, float64; ``n_pixels`` says of how many.

    Raises
    ------
    SettingsError
        If the labels do not fit the cube, or a number has no pixel.
    """
    labels = np.asarray(labels)
    if labels.shape != cube.shape[:2]:
        raise SettingsError(
            f"the labels have the shape {labels.shape}, the cube {cube.shape[:2]} pixels"
        )
    n = int(labels.max()) + 1
    sizes = np.bincount(labels[labels >= 0], minlength=n)
    if (sizes == 0).any():
        raise SettingsError(f"cluster {int(np.argmin(sizes))} has no pixel")
    sums = np.zeros((n, cube.shape[2]))
    for row, counts in enumerate(cube.counts):
        cancel.check()
        present, which = np.unique(labels[row], return_inverse=True)
        for i, number in enumerate(present):
            if number >= 0:
                sums[number] += counts[which == i].sum(axis=0, dtype=np.float64)
        progress((row + 1) / cube.shape[0], "Spectra of the clusters")
    return tuple(cube.spectrum(sums[i], f"cluster {i + 1}", int(sizes[i])) for i in range(n))


__all__ = [
    "ClusterSettings",
    "ClusterTree",
    "Clustering",
    "Embedding",
    "EmbeddingSettings",
    "FeatureSettings",
    "SomSettings",
    "build_tree",
    "cluster_cube",
    "cluster_spectra",
    "clustering_of",
    "cut",
    "embed",
    "labels_of",
    "quantisation_error",
    "spectra_features",
    "train_som",
    "warm_up",
]
