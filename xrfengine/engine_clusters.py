"""The engine's clusters: features, embedding, tree, cut; all but the cut cached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xrfengine import findings
from xrfengine.cache import ResultCache, digest
from xrfengine.cube import Cube, ElementMaps, Spectrum
from xrfengine.findings import ClusterResult, Found
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress, part

if TYPE_CHECKING:
    from xrfengine.classifier.predict import Classifier
    from xrfengine.cluster import Clustering, ClusterSettings
    from xrfengine.cluster.branches import CondensedTree
    from xrfengine.cluster.density import ClusterTree
    from xrfengine.cluster.describe import Effect
    from xrfengine.cluster.edit import Merge, Merged
    from xrfengine.cluster.embedding import Embedding, EmbeddingSettings
    from xrfengine.cluster.features import FeatureSettings


class ClusterResults:
    """How :class:`~xrfengine.engine.Engine` clusters pixels; needs its model and its cache."""

    _results: ResultCache
    classifier: Classifier
    default_thresholds: Callable[[ElementMaps], dict[str, float]]
    found: Callable[[ElementMaps], tuple[Found, ...]]

    def embedding(
        self,
        cube: Cube,
        features: FeatureSettings,
        settings: EmbeddingSettings,
        *,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> Embedding:
        """Coordinates of every pixel; cached in memory and on disk.

        Minutes of work: it goes on as long as anybody who asked for it has not cancelled.
        """
        from xrfengine.cluster.embedding import Embedding, embed

        def compute(*, progress: Progress, cancel: CancelToken) -> Embedding:
            values = self._features(cube, features, part(progress, 0.0, 0.1), cancel)
            return embed(values, settings, progress=part(progress, 0.1, 1.0), cancel=cancel)

        key = digest("embedding", cube.digest, features, settings)
        return self._results.get_shared(
            key, compute, stored=Embedding, progress=progress, cancel=cancel
        )

    def _features(
        self, cube: Cube, settings: FeatureSettings, progress: Progress, cancel: CancelToken
    ) -> np.ndarray:
        from xrfengine.cluster.features import spectra_features

        return self._results.get(
            digest("features", cube.digest, settings),
            lambda: spectra_features(cube, settings, progress=progress, cancel=cancel),
            cancel=cancel,
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
        return self._results.get(key, compute, stored=ClusterTree, cancel=cancel)

    def condensed(
        self,
        cube: Cube,
        settings: ClusterSettings,
        *,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> CondensedTree:
        """The tree as a picture shows it, branches of ``min_cluster_size`` and more. Cached.

        Raises
        ------
        SettingsError
            If no branch can be so large.
        """
        from xrfengine.cluster.branches import condensed_tree

        least = settings.cluster_size(cube.n_pixels)

        def compute() -> CondensedTree:
            tree = self.tree(cube, settings, progress=progress, cancel=cancel)
            return condensed_tree(tree, least, settings.selection)

        key = digest(
            "condensed", cube.digest, settings.features, settings.embedding,
            settings.min_samples, least, settings.selection,
        )  # fmt: skip
        return self._results.get(key, compute, cancel=cancel)

    def clusters(
        self,
        cube: Cube,
        settings: ClusterSettings,
        merges: tuple[Merge, ...] = (),
        *,
        on_partial: Callable[[ClusterResult], None] | None = None,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> ClusterResult:
        """Clusters, their accumulated spectra and the elements in each. Cached.

        Parameters
        ----------
        merges : tuple of tuple of str
            Clusters to be one, by their ``ids``; see :func:`xrfengine.cluster.edit.merged`.
        on_partial : callable or None
            Called in this thread with the clusters as soon as their pixels are known, which may be
            seconds before their spectra are; not called if all is cached.
        """
        key = digest("clusters", cube.digest, settings, merges, self.classifier.digest)
        if self._results.peek(key) is None and on_partial is not None:
            known = self._merged(cube, settings, merges, part(progress, 0.0, 0.9), cancel)
            n = known.clustering.n_clusters
            nothing = np.zeros((n, 0), np.float32)
            on_partial(
                ClusterResult(
                    known.clustering,
                    (),
                    nothing,
                    ((),) * n,
                    known.ids,
                    known.merges,
                    False,
                    known.parts,
                )
            )

        def compute() -> ClusterResult:
            known = self._merged(cube, settings, merges, part(progress, 0.0, 0.9), cancel)
            spectra = self._spectra(cube, settings, known, part(progress, 0.9, 1.0), cancel)
            progress(1.0, "Clusters ready")
            result = findings.classified_clusters(self.classifier, known.clustering, spectra)
            return replace(result, ids=known.ids, merges=known.merges, parts=known.parts)

        return self._results.get(key, compute, cancel=cancel)

    def _merged(
        self,
        cube: Cube,
        settings: ClusterSettings,
        merges: tuple[Merge, ...],
        progress: Progress,
        cancel: CancelToken,
    ) -> Merged:
        from xrfengine.cluster.edit import merged

        return self._results.get(
            digest("merged", cube.digest, settings, merges),
            lambda: merged(self._clustering(cube, settings, progress, cancel), merges),
            cancel=cancel,
        )

    def _spectra(
        self,
        cube: Cube,
        settings: ClusterSettings,
        known: Merged,
        progress: Progress,
        cancel: CancelToken,
    ) -> tuple[Spectrum, ...]:
        """Sums over the merged clusters: of the sums over those before, which stay as they are."""
        from xrfengine.cluster import cluster_spectra

        def compute() -> tuple[Spectrum, ...]:
            before = self._clustering(cube, settings, no_progress, cancel)
            return cluster_spectra(cube, before.labels, progress=progress, cancel=cancel)

        key = digest("cluster spectra", cube.digest, settings)
        single = self._results.get(key, compute, cancel=cancel)
        return tuple(
            cube.spectrum(
                np.sum([single[i].counts for i in members], axis=0),
                f"cluster {number + 1}",
                sum(single[i].n_pixels for i in members),
            )
            for number, members in zip(known.clustering.numbers, known.members, strict=True)
        )

    def _clustering(
        self, cube: Cube, settings: ClusterSettings, progress: Progress, cancel: CancelToken
    ) -> Clustering:
        from xrfengine.cluster import Clustering, clustering_of, labels_of, train_som

        shape_yx = cube.shape[:2]

        if settings.method == "som":

            def compute() -> Clustering:
                values = self._features(cube, settings.features, part(progress, 0, 0.3), cancel)
                labels, _ = train_som(
                    values, settings.som, progress=part(progress, 0.3, 1.0), cancel=cancel
                )
                return clustering_of(labels, shape_yx, "som")

            key = digest("som", "numbers", cube.digest, settings.features, settings.som)
            return self._results.get(key, compute, stored=Clustering, cancel=cancel)
        tree = self.tree(cube, settings, progress=progress, cancel=cancel)
        return clustering_of(labels_of(tree, settings), shape_yx, "umap-hdbscan")

    def cluster_effects(
        self,
        maps: ElementMaps,
        result: ClusterResult,
        thresholds: Mapping[str, float] | None = None,
        *,
        cancel: CancelToken = NEVER,
    ) -> tuple[tuple[Effect, ...], ...]:
        """What distinguishes each cluster, by maps of any method; the instrument's left out.

        Elements that the maps show nowhere are left out, too. ``thresholds`` by symbol, from where
        an element counts as seen, override the usual ones.
        """
        from xrfengine.cluster.describe import effects

        thresholds = {**self.default_thresholds(maps), **(thresholds or {})}
        shown = tuple(i.element for i in self.found(maps, thresholds) if not i.is_instrument)
        return effects(
            np.stack([maps[symbol] for symbol in shown])
            if shown
            else np.zeros((0, *maps.values.shape[1:]), np.float32),
            shown,
            thresholds,
            result.clustering.labels,
            result.clustering.n_clusters,
            region_px=maps.region_px,
            cancel=cancel,
        )

    def cluster_maps(self, result: ClusterResult, cube: Cube) -> ElementMaps:
        """The clusters' probabilities painted back over their pixels; 0 where unassigned."""
        return findings.cluster_maps(self.classifier, result, cube)
