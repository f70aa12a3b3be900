"""The engine's clusters: features, embedding, tree, cut; all but the cut cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xrfengine import findings
from xrfengine.cache import ResultCache, digest
from xrfengine.cube import Cube, ElementMaps
from xrfengine.findings import ClusterResult
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress, part

if TYPE_CHECKING:
    from xrfengine.classifier.predict import Classifier
    from xrfengine.cluster import Clustering, ClusterSettings
    from xrfengine.cluster.density import ClusterTree
    from xrfengine.cluster.embedding import Embedding, EmbeddingSettings
    from xrfengine.cluster.features import FeatureSettings


class ClusterResults:
    """How :class:`~xrfengine.engine.Engine` clusters pixels; needs its model and its cache."""

    _results: ResultCache
    classifier: Classifier

    def embedding(
        self,
        cube: Cube,
        features: FeatureSettings,
        settings: EmbeddingSettings,
        *,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> Embedding:
        """Coordinates of every pixel; cached in memory and on disk."""
        from xrfengine.cluster.embedding import Embedding, embed

        def compute() -> Embedding:
            values = self._features(cube, features, part(progress, 0.0, 0.1), cancel)
            return embed(values, settings, progress=part(progress, 0.1, 1.0), cancel=cancel)

        return self._results.get(
            digest("embedding", cube.digest, features, settings), compute, stored=Embedding
        )

    def _features(
        self, cube: Cube, settings: FeatureSettings, progress: Progress, cancel: CancelToken
    ) -> np.ndarray:
        from xrfengine.cluster.features import spectra_features

        return self._results.get(
            digest("features", cube.digest, settings),
            lambda: spectra_features(cube, settings, progress=progress, cancel=cancel),
        )

    def tree(
        self,
        cube: Cube,
        settings: ClusterSettings,
        *,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> ClusterTree:
        """The slow half of the clustering; independent of ``min_cluster_size``. Cached."""
        from xrfengine.cluster.density import ClusterTree, build_tree

        def compute() -> ClusterTree:
            embedding = self.embedding(
                cube,
                settings.features,
                settings.embedding,
                progress=part(progress, 0.0, 0.8),
                cancel=cancel,
            )
            return build_tree(
                embedding.coordinates,
                settings.min_samples,
                progress=part(progress, 0.8, 1.0),
                cancel=cancel,
            )

        key = digest(
            "tree", cube.digest, settings.features, settings.embedding, settings.min_samples
        )
        return self._results.get(key, compute, stored=ClusterTree)

    def clusters(
        self,
        cube: Cube,
        settings: ClusterSettings,
        *,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> ClusterResult:
        """Clusters, their accumulated spectra and the elements in each. Cached."""
        from xrfengine.cluster import cluster_spectra

        def compute() -> ClusterResult:
            clustering = self._clustering(cube, settings, part(progress, 0.0, 0.9), cancel)
            spectra = cluster_spectra(
                cube, clustering.labels, progress=part(progress, 0.9, 1.0), cancel=cancel
            )
            progress(1.0, "Clusters ready")
            return findings.classified_clusters(self.classifier, clustering, spectra)

        key = digest("clusters", cube.digest, settings, self.classifier.digest)
        return self._results.get(key, compute)

    def _clustering(
        self, cube: Cube, settings: ClusterSettings, progress: Progress, cancel: CancelToken
    ) -> Clustering:
        from xrfengine.cluster import Clustering, clustering_of, cut, train_som

        shape_yx = cube.shape[:2]

        if settings.method == "som":

            def compute() -> Clustering:
                values = self._features(cube, settings.features, part(progress, 0, 0.3), cancel)
                labels, _ = train_som(
                    values, settings.som, progress=part(progress, 0.3, 1.0), cancel=cancel
                )
                return clustering_of(labels, shape_yx, "som")

            key = digest("som", cube.digest, settings.features, settings.som)
            return self._results.get(key, compute, stored=Clustering)
        tree = self.tree(cube, settings, progress=progress, cancel=cancel)
        labels = cut(tree, settings.cluster_size(cube.n_pixels), settings.selection)
        return clustering_of(labels, shape_yx, "umap-hdbscan")

    def cluster_maps(self, result: ClusterResult, cube: Cube) -> ElementMaps:
        """The clusters' probabilities painted back over their pixels; 0 where unassigned."""
        return findings.cluster_maps(self.classifier, result, cube)
