"""The embedding and the clusters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboard.results.base import ResultsBase
from dashboard.shown import READY, State, failed_state
from xrfengine.cluster import ClusterSettings
from xrfengine.cluster.embedding import EmbeddingSettings
from xrfengine.cluster.som import SomSettings
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress

EMBEDDING_AT_ONCE_PX = 60_000
"""Scans above this size are embedded when asked: it takes minutes."""
FEWEST_FOR_EMBEDDING = 12
"""Fewer spectra have no neighbourhoods worth a picture."""


class GroupResults(ResultsBase):
    """Pixels that are alike."""

    def cluster_settings(self) -> ClusterSettings:
        """The settings behind the session's choices, fitted to the size of the scan."""
        s, n = self.session, self.opened.cube.n_pixels
        return ClusterSettings(
            method=s.cluster_method,
            embedding=EmbeddingSettings(n_neighbors=min(s.n_neighbors, max(n - 1, 2))),
            som=SomSettings(rows=s.som_rows, columns=s.som_columns),
            min_samples=min(s.min_samples, max(n - 1, 1)),
            min_cluster_size=s.min_cluster_size if s.min_cluster_size >= 2 else None,
        )

    def start_embedding(self) -> None:
        """Embed although the scan is large: the user asked for it."""
        self._wants_embedding = True
        self._compute_embedding()

    def cancel_embedding(self) -> None:
        self._embedding.cancel()
        self._embedding_stopped()

    def _embedding_stopped(self) -> None:
        self._wants_embedding = False
        again = State("empty", "The embedding was cancelled", action="Start again")
        self.embedding_state = again
        if self.session.cluster_method != "som" and self.clusters is None:
            self.cluster_state = State("empty", "No clusters without the embedding")

    def _compute_embedding(self) -> None:
        if self.opened is None or not self._has_begun:
            return
        self.embedding = None
        cube = self.opened.cube
        if cube.n_pixels < FEWEST_FOR_EMBEDDING:
            few = State("empty", f"{cube.n_pixels} spectra are too few to embed and to cluster")
            self._embedding.cancel()
            self.param.update(embedding_state=few, cluster_state=few)
            return
        if cube.n_pixels > EMBEDDING_AT_ONCE_PX and not self._wants_embedding:
            self._embedding.cancel()
            self.embedding_state = State(
                "empty",
                f"{cube.n_pixels:,} pixels take some minutes to embed",
                "It runs beside the page and can be cancelled.",
                action="Start",
            )
            self._compute_clusters()
            return
        settings = self.cluster_settings()
        self.embedding_state = State(
            "loading", "Arranging the pixels by their spectra", action="Cancel"
        )

        def work(*, progress: Progress, cancel: CancelToken) -> Any:
            return self.engine.embedding(
                cube, settings.features, settings.embedding, progress=progress, cancel=cancel
            )

        def then(embedding: Any) -> None:
            self.param.update(embedding=embedding, embedding_state=READY)
            if self.session.cluster_method != "som":
                self._compute_clusters()
            if self.session.selection is not None:
                self._follow_selection()

        self._embedding.start(
            work,
            then=then,
            failed=self._cannot_embed,
            stopped=self._embedding_stopped,
            progressed=lambda fraction, message: self.param.update(
                embedding_state=replace(self.embedding_state, fraction=fraction)
            ),
            label="Embedding",
        )
        self._compute_clusters()

    def _cannot_embed(self, error: XRFError) -> None:
        self.embedding_state = failed_state(error, "Start again")
        if self.session.cluster_method != "som":
            self.cluster_state = State("empty", "No clusters without the embedding")

    def cancel_clusters(self) -> None:
        self._clusters.cancel()
        self._clusters_stopped()

    def _clusters_stopped(self) -> None:
        self.cluster_state = State("empty", "The clusters were cancelled", action="Start again")

    def start_clusters(self) -> None:
        self._compute_clusters()

    def _compute_clusters(self) -> None:
        if self.opened is None or not self._has_begun:
            return
        if self.opened.cube.n_pixels < FEWEST_FOR_EMBEDDING:
            return
        if self.session.cluster_method != "som" and self.embedding is None:
            self._clusters.cancel()
            self.clusters = None
            self.cluster_state = State("loading", "Clusters follow the embedding")
            if self.embedding_state.kind == "empty":
                self.cluster_state = State(
                    "empty",
                    "These clusters need the embedding",
                    "Start it there, or choose a self-organising map.",
                )
            return
        cube, settings = self.opened.cube, self.cluster_settings()

        def work(*, progress: Progress, cancel: CancelToken) -> Any:
            return self.engine.clusters(cube, settings, progress=progress, cancel=cancel)

        self._clusters.start(
            work,
            then=self._show_clusters,
            failed=lambda error: self.param.update(
                cluster_state=failed_state(error, "Start again")
            ),
            stopped=self._clusters_stopped,
            progressed=lambda fraction, message: self.param.update(
                cluster_state=State(
                    "loading", "Looking for clusters", fraction=fraction, action="Cancel"
                )
            ),
            label="Clusters",
        )

    def _show_clusters(self, clusters: Any) -> None:
        self.clusters = clusters
        if clusters.clustering.n_clusters:
            self.cluster_state = READY
        else:
            self.cluster_state = State(
                "empty",
                "No cluster is as large as asked for",
                "Lower the smallest cluster, or be less strict.",
            )
        chosen = self.session.selection
        if chosen is not None and chosen.source == "cluster":
            if chosen.cluster < clusters.clustering.n_clusters:
                self._follow_selection()
            else:
                self.session.selection = None
