"""The embedding and the clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dashboard.results.base import ResultsBase
from dashboard.shown import READY, State, failed_state
from xrfengine.cache import digest
from xrfengine.cluster import ClusterSettings
from xrfengine.cluster.branches import Branch, CondensedTree
from xrfengine.cluster.describe import Effect, sentence
from xrfengine.cluster.embedding import EmbeddingSettings
from xrfengine.cluster.features import FeatureSettings
from xrfengine.cluster.som import SomSettings
from xrfengine.errors import XRFError
from xrfengine.findings import ClusterResult
from xrfengine.jobs import CancelToken, Progress

EMBEDDING_AT_ONCE_PX = 250_000
"""Scans above this size are embedded when asked: one of 182,352 pixels takes half a minute."""
FEWEST_FOR_EMBEDDING = 12
"""Fewer spectra have no neighbourhoods worth a picture."""


class GroupResults(ResultsBase):
    """Pixels that are alike."""

    keep: Callable[..., Any]
    """Of :class:`dashboard.results.regions.RegionResults`."""

    _described: tuple[Any, ...] = ()
    _found_effects: tuple[tuple[Effect, ...], ...] = ()
    _tree_of: tuple[Any, ...] = ()

    def cluster_settings(self) -> ClusterSettings:
        """The settings behind the session's choices, fitted to the size of the scan."""
        settings = self._automatic_settings()
        if settings.method == "som":
            return settings
        return replace(settings, branches=self.session.cluster_branches.get(self._cut_key()))

    def _automatic_settings(self) -> ClusterSettings:
        s, n = self.session, self.opened.cube.n_pixels
        return ClusterSettings(
            method=s.cluster_method,
            features=FeatureSettings(drop_channels=self._dropped()),
            embedding=EmbeddingSettings(n_neighbors=min(s.n_neighbors, max(n - 1, 2))),
            som=SomSettings(rows=s.som_rows, columns=s.som_columns),
            min_samples=min(s.min_samples, max(n - 1, 1)),
            min_cluster_size=s.min_cluster_size if s.min_cluster_size >= 2 else None,
        )

    def _dropped(self) -> int | None:
        """Channels left out at each end, as far as this scan has so many; None: the usual share."""
        asked = self.session.drop_channels
        return None if asked is None else min(asked, (self.opened.cube.shape[2] - 8) // 2)

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
        cube, engine = self.opened.cube, self.engine  # work must not hold this session
        if cube.n_pixels < FEWEST_FOR_EMBEDDING:
            n = cube.n_pixels
            spectra = "One spectrum is" if n == 1 else f"{n} spectra are"
            few = State("empty", f"{spectra} too few to embed and to cluster")
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
            return engine.embedding(
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
        merges = self.session.cluster_merges

        def work(
            *, progress: Progress, cancel: CancelToken, show: Callable[[ClusterResult], None]
        ) -> ClusterResult:
            return self.engine.clusters(
                cube, settings, merges, on_partial=show, progress=progress, cancel=cancel
            )

        self._clusters.start(
            work,
            then=self._show_clusters,
            failed=lambda error: self.param.update(
                cluster_state=failed_state(error, "Start again")
            ),
            stopped=self._clusters_stopped,
            arrived=self._show_clusters,
            progressed=lambda fraction, message: self.param.update(
                cluster_state=State(
                    "loading", "Looking for clusters", fraction=fraction, action="Cancel"
                )
            ),
            label="Clusters",
        )

    def _show_clusters(self, clusters: ClusterResult) -> None:
        """First the pixels of the clusters, then again with their spectra and elements."""
        is_new = self.clusters is None or self.clusters.clustering is not clusters.clustering
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
        if is_new and chosen is not None and chosen.source == "cluster":
            if chosen.cluster in clusters.clustering.numbers:
                self._follow_selection()
            else:
                self.session.selection = None

    # ---- clusters edited by hand

    def cluster_name(self, label: int) -> str:
        """The name a cluster was given, else its number."""
        clusters = self.clusters
        given = self.session.cluster_names.get(clusters.ids[label]) if clusters.ids else None
        return given or f"Cluster {clusters.clustering.numbers[label] + 1}"

    def name_cluster(self, number: int, name: str) -> None:
        """Call a cluster so; an empty name takes the name away."""
        if (label := self._label(number)) is not None:
            self.session.name_cluster(self.clusters.ids[label], name)

    def merge_clusters(self, number: int, other: int) -> None:
        """Make two clusters one, which has the lower number of both and is selected."""
        labels = [self._label(each) for each in sorted({number, other})]
        if len(labels) == 2 and None not in labels:
            merge = tuple(self.clusters.ids[label] for label in labels)
            self.session.cluster_merges = (*self.session.cluster_merges, merge)
            self.session.cluster = min(number, other)

    def take_apart(self, number: int) -> None:
        """Undo the merge that made a cluster."""
        label = self._label(number)
        place = -1 if label is None else self.clusters.merges[label]
        if place >= 0:
            merges = self.session.cluster_merges
            self.session.cluster_merges = merges[:place] + merges[place + 1 :]

    def keep_cluster(self, number: int) -> None:
        """Keep the pixels of a cluster as a region of its name."""
        if (label := self._label(number)) is not None:
            self.keep(self.clusters.clustering.pixels(number), self.cluster_name(label))

    def _label(self, number: int) -> int | None:
        """Where the cluster of a number stands in the result; None if it is gone meanwhile."""
        if self.clusters is None or number not in self.clusters.clustering.numbers:
            return None
        return self.clusters.clustering.numbers.index(number)

    def _describe_clusters(self) -> None:
        """What distinguishes each cluster, by the maps shown; once both are there."""
        maps, clusters = self.maps, self.clusters
        if clusters is None or maps is None or self.map_state.kind != "ready":
            return
        if self.session.method == "cluster":
            return  # those maps are the clusters: they tell nothing of them
        wanted = (maps, clusters.clustering)
        if self._described == wanted:
            return
        self._described = wanted
        engine, starts = self.engine, dict(self.starts)

        def work(*, progress: Progress, cancel: CancelToken) -> tuple[tuple[Effect, ...], ...]:
            return engine.cluster_effects(maps, clusters, starts, cancel=cancel)

        def then(found: tuple[tuple[Effect, ...], ...]) -> None:
            self._found_effects = found
            self._tell_clusters()

        self._found_effects = ()
        self._tell_clusters()
        self._effects.start(work, then=then, failed=lambda error: self._tell_clusters())

    def _tell_clusters(self) -> None:
        """The effects in words, without elements that the user says are not here."""
        absent = self.session.overrides.saying("absent")
        self.cluster_texts = tuple(
            sentence(tuple(e for e in each if e.element not in absent))
            for each in self._found_effects
        )

    # ---- the tree, cut by hand

    def _cut_key(self) -> str:
        """A cut by hand belongs to the scan and to all settings."""
        return digest(self.opened.cube.digest, self._automatic_settings())

    @property
    def chosen_branches(self) -> tuple[Branch, ...]:
        """The branches that are clusters now; needs the tree."""
        held = self.session.cluster_branches.get(self._cut_key())
        return self.tree.automatic if held is None else held

    @property
    def is_cut_by_hand(self) -> bool:
        is_tree = self.opened is not None and self.session.cluster_method != "som"
        return is_tree and self._cut_key() in self.session.cluster_branches

    def cut_by_hand(self, branches: tuple[Branch, ...]) -> None:
        """Let these branches be the clusters."""
        held = self.session.cluster_branches
        self.session.cluster_branches = {**held, self._cut_key(): branches}

    def cut_automatically(self) -> None:
        """Back to the clusters that the settings give."""
        key = self._cut_key()
        held = self.session.cluster_branches
        self.session.cluster_branches = {k: v for k, v in held.items() if k != key}

    def find_tree(self) -> None:
        """Look for the tree behind the clusters, to be shown."""
        if self.opened is None or self.embedding is None:
            self.param.update(
                tree=None,
                tree_state=State("empty", "The tree needs the embedding", "Start it in its pane."),
            )
            return
        if self.session.cluster_method == "som":
            told = State("empty", "A self-organising map has no tree", "Choose HDBSCAN.")
            self.param.update(tree=None, tree_state=told)
            return
        cube, engine, settings = self.opened.cube, self.engine, self._automatic_settings()
        if self.tree is not None and self._tree_of == (cube, settings):
            return
        self._tree_of = (cube, settings)
        self.tree_state = State("loading", "Looking for the tree")

        def work(*, progress: Progress, cancel: CancelToken) -> CondensedTree:
            return engine.condensed(cube, settings, progress=progress, cancel=cancel)

        self._tree.start(
            work,
            then=lambda tree: self.param.update(tree=tree, tree_state=READY),
            failed=lambda error: self.param.update(tree=None, tree_state=failed_state(error)),
        )
