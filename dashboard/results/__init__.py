"""What a session's choices lead to: the open cube, its maps, the selection, the clusters.

Every view draws from here and none asks another. Results follow the session: a changed choice
starts the work beside the page, and only the newest of each kind arrives.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import param

from dashboard.latest import Deliver
from dashboard.results.exporting import ExportResults
from dashboard.results.groups import GroupResults
from dashboard.results.maps import MapResults
from dashboard.results.overrides import added
from dashboard.results.photograph import PhotographResults
from dashboard.results.reading import ReadResults
from dashboard.results.spectrum import SpectrumResults
from dashboard.session import Session
from dashboard.shown import READY, Asked, Opened, Painted, State, failed_state
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress, part


class Results(
    MapResults, ReadResults, GroupResults, ExportResults, SpectrumResults, PhotographResults
):
    """Results of one session. Set only here; views watch."""

    def __init__(self, engine: Any, session: Session, deliver: Deliver | None = None) -> None:
        super().__init__(engine, session, deliver)
        watch = session.param.watch
        watch(self._change_dataset, "dataset")
        watch(self._follow_normalise, "normalise")
        watch(lambda *events: self._compute_maps(), ["method", "region_px", "normalise"])
        watch(lambda *events: self._list_found(), "thresholds")
        watch(lambda *events: self._follow_overrides(), "overrides")
        watch(lambda *events: self._tell_clusters(), "overrides")
        watch(lambda *events: self._rename_selected(), "cluster_names")
        watch(lambda *events: self._follow_selection(), "selection")
        watch(lambda *events: self._follow_regions(), "regions")
        watch(lambda *events: self._compute_clusters(), ["cluster_method", "min_cluster_size"])
        watch(lambda *events: self._compute_clusters(), ["min_samples", "som_rows", "som_columns"])
        watch(lambda *events: self._compute_clusters(), ["cluster_merges", "cluster_branches"])
        watch(lambda *events: self._compute_embedding(), ["n_neighbors", "drop_channels"])
        self.param.watch(lambda *events: self._repaint_clusters(), "clusters")
        self.param.watch(self._follow_clusters, "clusters")
        self.param.watch(lambda *events: self._describe_clusters(), ["clusters", "map_state"])

    def _change_dataset(self, event: param.parameterized.Event) -> None:
        if event.old:
            # Where counts matter depends on the scan; and a found element may be absent here.
            self.session.thresholds = {}
            self.session.selection = None
            self._forget_energies()
            # Nor do places of another scan mean anything.
            self.session.param.update(crop=None, turns=0, mirrored=False, profile=None)
            self._forget_regions()
        self.open()

    def _reopen(self) -> None:
        self.open()

    def open(self) -> None:
        """Open the session's data set; the first of the list if it names none."""
        self.close()
        self.param.update(
            opened=None, maps=None, errors=None, found=(), few=(), overruled=(), starts={},
            map_seconds=None, selected=None, regions=(), embedding=None, clusters=None,
            tree=None, cluster_texts=(), selection_state=READY,
            map_state=State("loading", "Opening the scan"),
            embedding_state=State("loading", "Waiting for the maps"),
            cluster_state=State("loading", "Waiting for the maps"),
        )  # fmt: skip
        self._wants_embedding = self._has_begun = False
        self._described = self._found_effects = ()
        self._open.start(
            partial(self._read, self.session.dataset, self._asked()),
            then=self._show_opened,
            failed=self._cannot_open,
            progressed=lambda fraction, message: self._map_progress(
                fraction, message or "Opening the scan"
            ),
        )

    def _read(
        self, dataset: str, asked: Asked, *, progress: Progress, cancel: CancelToken
    ) -> tuple[Opened, Painted | None]:
        """Open the scan; with the maps if they are at hand, for each detour is seen."""
        known = self.engine.datasets()
        if not known:
            raise XRFError(
                "There is no readable scan in the data folder",
                "Put HDF5, NumPy, NetCDF or MSA files there and reload the page.",
            )
        dataset = dataset or known[0].id
        cube = self.engine.cube(dataset, progress=part(progress, 0.0, 0.8), cancel=cancel)
        said = self._read_overrides(dataset)
        if asked.method == "fit":
            asked = replace(asked, also=added(said))
        cube, own = self._calibrated(dataset, cube, part(progress, 0.8, 0.85), cancel)
        label = next((info.label for info in known if info.id == dataset), dataset)
        progress(0.85, "Adding up the spectra")
        _ = cube.digest  # takes a moment the first time; later, on the loop, it must not
        opened = Opened(
            dataset, label, cube, cube.total_counts, cube.sum_spectrum, self._engine_facts(),
            said, own,
        )  # fmt: skip
        try:
            if cube.instrument.tube_anode is not None:
                self.engine.instrument_elements(cube)
            return opened, self._at_hand(cube, asked)
        except XRFError:
            return opened, None  # no model: told where the maps should be

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

    def _show_opened(self, read: tuple[Opened, Painted | None]) -> None:
        opened, painted = read
        with param.parameterized.discard_events(self.session):
            self.session.dataset = opened.id
        self._take_overrides(opened.overrides)
        self._fitted_also = self._asked().also
        self.opened = opened
        self._show_scale()
        if painted is None:
            self.map_state = State("loading", "Computing the element maps")
            self._compute_maps()
        else:
            self._show_whole(painted, 0.0)
        if self.session.selection is not None:
            self._follow_selection()
        self._follow_regions()

    def _cannot_open(self, error: XRFError) -> None:
        self.map_state = failed_state(error, "Try again")
        no_scan = State("empty", "No scan is open", "Choose another data set above.")
        self.param.update(embedding_state=no_scan, cluster_state=no_scan, selection_state=no_scan)

    def _after_maps(self) -> None:
        """Start the rest once; what everybody waits for comes first."""
        if not self._has_begun:
            self._has_begun = True
            self._compute_embedding()
            self._list_instrument()

    def _repaint_clusters(self) -> None:
        """Maps of what the clusters hold follow the clusters."""
        clusters = self.clusters
        if self.session.method == "cluster" and clusters is not None and clusters.is_complete:
            self._compute_maps()
