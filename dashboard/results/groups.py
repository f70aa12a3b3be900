"""What a session's choices lead to: the open cube, its maps, the selection, the clusters.

Every view draws from here and none asks another. Results follow the session: a changed choice
starts the work beside the page, and only the newest of each kind arrives.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import param

from dashboard.latest import Deliver, LatestOnly, session_deliver
from dashboard.session import REGIONS_PX, Session
from dashboard.shown import (
    READY,
    Opened,
    Selected,
    State,
    failed_state,
    most_telling,
    sample_first,
    selection_mask,
    selection_title,
)
from xrfengine.cluster import ClusterSettings
from xrfengine.cluster.embedding import EmbeddingSettings
from xrfengine.cluster.som import SomSettings
from xrfengine.cube import ElementMaps
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress, part

EMBEDDING_AT_ONCE_PX = 60_000
"""Scans above this size are embedded when asked: it takes minutes."""
FEWEST_FOR_EMBEDDING = 12
"""Fewer spectra have no neighbourhoods worth a picture."""


class Results(param.Parameterized):
    """Results of one session. Set only here; views watch."""

    opened = param.Parameter(None, doc="Opened or None")
    maps = param.Parameter(None, doc="ElementMaps shown, maybe coarser than asked for")
    found = param.Parameter((), doc="tuple of Found, by falling share")
    starts = param.Dict({}, doc="Where thresholds start, by symbol")
    selected = param.Parameter(None, doc="Selected or None")
    embedding = param.Parameter(None, doc="Embedding or None")
    clusters = param.Parameter(None, doc="ClusterResult or None")
    map_seconds = param.Number(None, allow_None=True)
    map_state = param.Parameter(State("loading", "Opening the scan"))
    selection_state = param.Parameter(READY)
    embedding_state = param.Parameter(State("loading", "Waiting for the maps"))
    cluster_state = param.Parameter(State("loading", "Waiting for the maps"))

    def __init__(self, engine: Any, session: Session, deliver: Deliver | None = None) -> None:
        super().__init__()
        self.deliver = deliver = deliver or session_deliver()
        self.engine, self.session = engine, session
        self._open = LatestOnly(deliver)
        self._map = LatestOnly(deliver, engine.jobs)
        self._found = LatestOnly(deliver)
        self._selection = LatestOnly(deliver)
        self._embedding = LatestOnly(deliver, engine.jobs)
        self._clusters = LatestOnly(deliver, engine.jobs)
        self._wants_embedding = self._has_begun = False
        watch = session.param.watch
        watch(self._change_dataset, "dataset")
        watch(lambda *events: self._compute_maps(), ["method", "region_px"])
        watch(lambda *events: self._list_found(), "thresholds")
        watch(lambda *events: self._follow_selection(), "selection")
        watch(lambda *events: self._compute_clusters(), ["cluster_method", "min_cluster_size"])
        watch(lambda *events: self._compute_clusters(), ["min_samples", "som_rows", "som_columns"])
        watch(lambda *events: self._compute_embedding(), "n_neighbors")

    @property
    def _all(self) -> tuple[LatestOnly, ...]:
        return (
            self._open,
            self._map,
            self._found,
            self._selection,
            self._embedding,
            self._clusters,
        )

    def close(self) -> None:
        """Abandon whatever runs: the session is over."""
        for work in self._all:
            work.cancel()

    async def settled(self) -> None:
        """Wait until nothing runs (for tests)."""
        while any(work.is_running for work in self._all):
            for work in self._all:
                await work.finished()

    def jobs(self) -> tuple:
        """The long work of this session that is not over."""
        jobs = (work.job for work in self._all)
        return tuple(job for job in jobs if job is not None and not job.is_over)

    # ---- the data set

    def _change_dataset(self, event: param.parameterized.Event) -> None:
        if event.old:
            # Where counts matter depends on the scan; and a found element may be absent here.
            self.session.thresholds = {}
            self.session.selection = None
        self.open()

    def open(self) -> None:
        """Open the session's data set; the first of the list if it names none."""
        self.close()
        self.param.update(
            opened=None, maps=None, found=(), selected=None, embedding=None, clusters=None,
            starts={}, map_seconds=None, selection_state=READY,
            map_state=State("loading", "Opening the scan"),
            embedding_state=State("loading", "Waiting for the maps"),
            cluster_state=State("loading", "Waiting for the maps"),
        )  # fmt: skip
        self._wants_embedding = self._has_begun = False
        self._open.start(
            partial(self._read, self.session.dataset),
            then=self._show_opened,
            failed=self._cannot_open,
            progressed=lambda fraction, message: self._map_progress(
                fraction, message or "Opening the scan"
            ),
        )

    def _read(self, dataset: str, *, progress: Progress, cancel: CancelToken) -> Opened:
        known = self.engine.datasets()
        if not known:
            raise XRFError(
                "There is no readable scan in the data folder",
                "Put HDF5, NumPy, NetCDF or MSA files there and reload the page.",
            )
        dataset = dataset or known[0].id
        cube = self.engine.cube(dataset, progress=part(progress, 0.0, 0.8), cancel=cancel)
        label = next((info.label for info in known if info.id == dataset), dataset)
        progress(0.85, "Adding up the spectra")
        _ = cube.digest  # takes a moment the first time; later, on the loop, it must not
        return Opened(
            dataset, label, cube, cube.total_counts, cube.sum_spectrum, self._engine_facts()
        )

    def _engine_facts(self) -> tuple[tuple[str, str], ...]:
        """Device and model, each with what it means."""
        try:
            digest = self.engine.classifier.digest
        except XRFError as error:
            return ((f"no model: {error.message}", error.hint),)
        return (
            (self.engine.device_name, "Where the model runs"),
            (f"model {digest[:8]}", "Digest of the weights and settings of the model"),
        )

    def _show_opened(self, opened: Opened) -> None:
        with param.parameterized.discard_events(self.session):
            self.session.dataset = opened.id
        self.opened = opened
        self.map_state = State("loading", "Computing the element maps")
        self._compute_maps()
        if self.session.selection is not None:
            self._follow_selection()

    def _cannot_open(self, error: XRFError) -> None:
        self.map_state = failed_state(error, "Try again")
        no_scan = State("empty", "No scan is open", "Choose another data set above.")
        self.param.update(embedding_state=no_scan, cluster_state=no_scan, selection_state=no_scan)

    # ---- element maps

    def _map_progress(self, fraction: float, message: str) -> None:
        self.map_state = replace(
            self.map_state, kind="loading", message=message, fraction=fraction, hint=""
        )

    def _compute_maps(self) -> None:
        if self.opened is None:
            return
        k = self.session.region_px
        # What is at hand is shown without a detour; else coarse first, then finer.
        stages = [c for c in sorted(REGIONS_PX, reverse=True) if c > k and c >= 5]
        if min(self.opened.cube.shape[:2]) < 20:
            stages = []
        self._next_map([*stages, k], time.monotonic())

    def _next_map(self, stages: list[int], started: float) -> None:
        cube, method, wanted = self.opened.cube, self.session.method, stages[-1]

        def compute(*, progress: Progress, cancel: CancelToken) -> ElementMaps:
            at_hand = self.engine.maps_at_hand(cube, method, wanted)
            if at_hand is not None:
                return at_hand, self.engine.default_thresholds(at_hand)
            maps = self.engine.maps(cube, method, stages[0], progress=progress, cancel=cancel)
            return maps, self.engine.default_thresholds(maps)

        def then(result: tuple[ElementMaps, dict[str, float]]) -> None:
            maps, starts = result
            rest = stages[1:] if maps.region_px != wanted else []
            self.param.update(maps=maps, starts=starts)
            self._list_found()
            if rest:
                self._map_progress(0.0, _averaging(rest[0]))
                self._next_map(rest, started)
            else:
                self.map_seconds = time.monotonic() - started
                self.map_state = READY
                self._after_maps()

        self._map.start(
            compute,
            then=then,
            failed=self._cannot_map,
            stopped=self._maps_stopped,
            progressed=lambda fraction, message: self._map_progress(
                fraction, _averaging(stages[0])
            ),
            label=f"Element maps, {_averaging(stages[0], short=True)}",
        )

    def _cannot_map(self, error: XRFError) -> None:
        self.map_state = failed_state(error, "Try again")
        self._after_maps()  # neither needs the maps

    def _maps_stopped(self) -> None:
        self.map_state = State("empty", "The maps were cancelled", action="Start again")
        self._after_maps()

    def retry_maps(self) -> None:
        """Compute the maps again after a failure or a cancel."""
        self._compute_maps()

    def _list_found(self) -> None:
        if self.maps is None:
            return
        maps, thresholds = self.maps, self.session.thresholds_of(self.session.method)
        instrument = self.opened.instrument_elements

        def work(*, progress: Progress, cancel: CancelToken) -> tuple[tuple, str]:
            found = sample_first(self.engine.found(maps, thresholds), instrument)
            return found, most_telling(maps, found, instrument)

        self._found.start(work, then=self._show_found, failed=self._cannot_list)

    def _show_found(self, result: tuple[tuple, str]) -> None:
        self.found, telling = result
        if self.session.element not in self.maps.elements:
            self.session.element = telling

    def _cannot_list(self, error: XRFError) -> None:
        self.map_state = failed_state(error)

    # ---- the selection

    def _follow_selection(self) -> None:
        chosen = self.session.selection
        if chosen is None or self.opened is None:
            self._selection.cancel()
            self.param.update(selected=None)
            return
        if (chosen.source == "cluster" and self.clusters is None) or (
            chosen.source == "embedding" and self.embedding is None
        ):
            return  # taken up when they arrive
        cube, clusters, embedding = self.opened.cube, self.clusters, self.embedding

        def average(*, progress: Progress, cancel: CancelToken) -> Selected:
            mask = selection_mask(chosen, cube.shape[:2], clusters, embedding)
            title = selection_title(chosen, mask)
            return Selected(mask, title, self.engine.region_spectrum(cube, mask, title))

        self._selection.start(average, then=self._show_selected, failed=self._cannot_select)

    def _show_selected(self, selected: Selected) -> None:
        self.param.update(selected=selected, selection_state=READY)

        def identify(*, progress: Progress, cancel: CancelToken) -> tuple:
            return self.engine.identify(selected.spectrum)

        def then(identified: tuple) -> None:
            self.selected = replace(selected, identified=identified)

        self._selection.start(identify, then=then, failed=self._cannot_select)

    def _cannot_select(self, error: XRFError) -> None:
        self.param.update(selected=None, selection_state=failed_state(error))

    # ---- embedding and clusters

    def _after_maps(self) -> None:
        """Start the rest once; what everybody waits for comes first."""
        if not self._has_begun:
            self._has_begun = True
            self._compute_embedding()

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


def _averaging(k: int, short: bool = False) -> str:
    if k == 1:
        return "every pixel" if short else "Computing every pixel"
    return f"{k}×{k} pixels" if short else f"Averaging over {k}×{k} pixels"
