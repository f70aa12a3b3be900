"""The engine: one object a process, shared by all users; the only one a dashboard talks to.

It holds the classifier on the best device, every opened cube once, and the results computed so
far. It is plain Python and thread-safe: sessions call it from worker threads, and pull.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

import numpy as np

from xrfengine import findings
from xrfengine.cache import ResultCache, cache_folder, digest
from xrfengine.cluster.process import close_workers
from xrfengine.cube import Cube, ElementMaps, Spectrum
from xrfengine.engine_clusters import ClusterResults
from xrfengine.engine_lines import LineResults
from xrfengine.engine_maps import MapResults
from xrfengine.engine_spectra import SpectrumResults
from xrfengine.engine_tiles import TileResults
from xrfengine.errors import XRFError
from xrfengine.findings import Found, Identified
from xrfengine.jobs import NEVER, CancelToken, JobList, Progress, no_progress
from xrfengine.lines import INSTRUMENT_ELEMENTS
from xrfengine.regions import region_spectrum

if TYPE_CHECKING:
    from xrfengine.classifier.fit_shapes import Setup
    from xrfengine.classifier.predict import Classifier
    from xrfengine.classifier.verify import Verifier

DEMO_ID = "demo"


@dataclass(frozen=True)
class DatasetInfo:
    """A data set that can be opened; ``id`` is what links carry."""

    id: str
    label: str
    path: Path | None


class Engine(MapResults, LineResults, ClusterResults, SpectrumResults, TileResults):
    """Model, cubes and results of this process.

    Parameters
    ----------
    data_folder : Path or None
        Folder whose readable files are offered; None offers the demo painting.
    model : Path or None
        Checkpoint; None takes the shipped one.
    device : str or None
        ``"cuda"``, ``"cpu"``; None takes the best there is.
    cache : Path or None
        Folder for results kept between runs; None takes the user's cache folder.
    memory_bytes, cube_bytes : int
        Bounds of the results and of the cubes held in memory. What is in use stays.

    Raises
    ------
    XRFError
        If ``data_folder`` is no folder. A missing model is reported when it is first needed.
    """

    def __init__(
        self,
        data_folder: Path | None = None,
        model: Path | None = None,
        device: str | None = None,
        cache: Path | None = None,
        memory_bytes: int = 2 << 30,
        cube_bytes: int = 8 << 30,
    ) -> None:
        self.data_folder = None if data_folder is None else Path(data_folder)
        if self.data_folder is not None and not self.data_folder.is_dir():
            raise XRFError(
                f"{self.data_folder} is no folder",
                "Set XRF_DATA to a folder that holds XRF scans, or leave it out for the demo.",
            )
        self._model_path = model
        self._device = device
        self._classifier: Classifier | None = None
        self._classifier_lock = threading.Lock()
        self._folder = folder = cache_folder() if cache is None else Path(cache)
        self._results = ResultCache(memory_bytes, folder / "results")
        self._cubes = ResultCache(cube_bytes)
        self._setups = ResultCache(1 << 20, folder / "results")
        self._scan_of: WeakKeyDictionary[Spectrum, Cube] = WeakKeyDictionary()
        self._tiles = ResultCache(memory_bytes // 2)
        self._tiling: WeakSet[Cube] = WeakSet()
        self._tiling_lock = threading.Lock()
        self._closing = CancelToken()
        self._executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="xrf-job")
        self.jobs = JobList(self._executor)

    def close(self) -> None:
        """Cancel what runs and let go of threads. The engine cannot be used afterwards."""
        self._closing.cancel()
        for job in self.jobs.active():
            job.cancel()
        self._executor.shutdown(wait=True, cancel_futures=True)
        close_workers()

    # ---- the model

    @property
    def classifier(self) -> Classifier:
        """The classifier, loaded at first use."""
        with self._classifier_lock:
            if self._classifier is None:
                from xrfengine.classifier.predict import Classifier

                self._classifier = Classifier.load(self._model_path, device=self._device)
                self._classifier.folder = self._folder
            return self._classifier

    @property
    def device_name(self) -> str:
        """The device in words, such as ``"CPU, 2 threads"`` or the name of the GPU."""
        import torch

        if self.classifier.device.type == "cuda":
            return torch.cuda.get_device_name(self.classifier.device)
        threads = torch.get_num_threads()
        return f"CPU, {threads} thread{'s' if threads > 1 else ''}"

    # ---- data sets

    def datasets(self) -> tuple[DatasetInfo, ...]:
        """What can be opened: the files of the folder, or the demo."""
        if self.data_folder is None:
            from xrfengine.phantom import TITLE

            return (DatasetInfo(DEMO_ID, TITLE, None),)
        from xrfengine.readers import datasets

        return tuple(
            DatasetInfo(path.relative_to(self.data_folder).as_posix(), path.name, path)
            for path in datasets(self.data_folder)
        )

    def _path(self, dataset_id: str, progress: Progress, cancel: CancelToken) -> Path:
        # Only what is listed can be opened: an id arrives from the address bar.
        for info in self.datasets():
            if info.id == dataset_id:
                if info.path is not None:
                    return info.path
                from xrfengine.phantom import demo_file

                return demo_file(progress=progress, cancel=cancel)
        raise XRFError(
            f"there is no data set {dataset_id!r} here",
            "Choose one from the list; it may have been moved or renamed.",
        )

    def cube(
        self,
        dataset_id: str,
        *,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> Cube:
        """The cube of a data set, opened once for all users; a single spectrum is a 1×1 cube.

        Raises
        ------
        XRFError
            If the data set is unknown, or its file cannot be read.
        """
        path = self._path(dataset_id, progress, cancel)
        try:
            facts = path.stat()
        except OSError as error:
            raise XRFError(
                f"{path.name} cannot be opened ({error.strerror})", "Choose another data set."
            ) from None
        key = digest("cube", str(path), facts.st_mtime_ns, facts.st_size)
        return self._cubes.get(key, lambda: self._opened(path), cancel=cancel)

    def _opened(self, path: Path) -> Cube:
        cube = self._open(path)
        self._begin_tiles(cube)
        return cube

    def _open(self, path: Path) -> Cube:
        from xrfengine.readers import read

        data = read(path)
        if isinstance(data, Spectrum):
            return Cube(
                data.counts[None, None, :],
                data.calibration,
                data.name,
                str(path),
                data.instrument,
            )
        return data

    def picture(self, dataset_id: str) -> np.ndarray | None:
        """The colour picture stored with a data set, uint8 (y, x, 3), or None."""
        from xrfengine.phantom import read_picture

        path = self._path(dataset_id, no_progress, NEVER)
        return read_picture(path) if path.suffix in (".h5", ".hdf5") else None

    # ---- spectra

    def region_spectrum(self, cube: Cube, mask: np.ndarray, name: str = "selection") -> Spectrum:
        """Sum spectrum of the masked pixels; ``mask`` is bool (y, x)."""
        tiles = self._tiles_of(cube)
        if tiles is None:
            spectrum = region_spectrum(cube, mask, name)
        else:
            from xrfengine.store import region_totals

            total, _ = region_totals(cube, tiles, mask)
            spectrum = cube.spectrum(total, name, int(np.count_nonzero(mask)))
        self._scan_of[spectrum] = cube
        return spectrum

    @property
    def verifier(self) -> Verifier | None:
        """The verification calibrated for the loaded weights, or None if there is none."""
        from xrfengine.classifier.verifier_files import verifier_for

        def load() -> tuple[Verifier | None]:
            return (verifier_for(self.classifier, self._model_path)[0],)

        return self._setups.get(digest("verifier", self.classifier.digest), load)[0]

    def identify(
        self,
        spectrum: Spectrum,
        *,
        scan: Cube | None = None,
        verify: bool = True,
        search: bool = True,
        cancel: CancelToken = NEVER,
    ) -> tuple[Identified, ...]:
        """Every modelled element of one spectrum, by falling probability.

        Where a verification was calibrated for the loaded weights, and the network is not sure of
        every element, a fit has its say (:mod:`xrfengine.classifier.verify`). Bright spectra are
        searched for traces, which takes a second or two (:mod:`xrfengine.classifier.traces`).

        Parameters
        ----------
        spectrum : Spectrum
        scan : Cube or None
            That the spectrum is part of: the instrument is found once, on its sum spectrum. None
            takes the cube that :meth:`region_spectrum` made the spectrum from, else the spectrum
            itself, which takes a second or two.
        verify : bool
            False lets the network speak alone.
        search : bool
            False leaves out the search for traces.

        Raises
        ------
        ModelError
            If there is no model, or its verification cannot be read.
        Cancelled
            Soon after ``cancel`` was set.
        """
        verifier = self.verifier if verify else None
        scan = scan or self._scan_of.get(spectrum)
        if verifier is not None and not search:
            verifier = replace(verifier, traces=None)
        return findings.identify(
            self.classifier, spectrum, verifier, lambda: self._setup(spectrum, scan), cancel
        )

    def is_searched(self, spectrum: Spectrum) -> bool:
        """Whether :meth:`identify` takes the seconds of a search for traces, as far as known."""
        from xrfengine.classifier.traces import is_searched

        verifier = self.verifier
        return verifier is not None and verifier.traces is not None and is_searched(spectrum)

    def _setup(self, spectrum: Spectrum, scan: Cube | None) -> Setup:
        """The instrument behind a spectrum, found once a scan and kept on disk."""
        from xrfengine.classifier.anode import SEARCH, find_setup
        from xrfengine.classifier.fit_shapes import Setup

        if scan is None or scan.calibration != spectrum.calibration:
            return find_setup(spectrum)[0]
        key = digest("setup", SEARCH, scan.digest, scan.instrument)
        return self._setups.get(key, lambda: find_setup(scan.sum_spectrum)[0], stored=Setup)

    def instrument_elements(self, cube: Cube) -> frozenset[str]:
        """Elements whose lines need not be the sample's: the tube's anode, argon of the air.

        The anode is the one the file states, else inferred from its scatter in the sum spectrum,
        once a scan: about a second the first time, so ask in a worker thread; kept in memory and on
        disk. From then on :meth:`found` marks them in this scan's maps.
        """

        def compute() -> frozenset[str]:
            anode = cube.instrument.tube_anode
            if anode is None and cube.sum_spectrum.total > 0:
                anode = self._setup(cube.sum_spectrum, cube).anode
            return frozenset(INSTRUMENT_ELEMENTS) | ({anode} - {None})

        return self._setups.get(digest("instrument elements", cube.digest), compute)

    # ---- maps: MapResults

    def found(
        self, maps: ElementMaps, thresholds: dict[str, float] | None = None
    ) -> tuple[Found, ...]:
        """Elements at or above their threshold anywhere, by falling share of the area.

        ``thresholds`` by symbol override the defaults of :meth:`default_thresholds`. Argon is
        marked as the instrument's; the anode once :meth:`instrument_elements` has found it.
        """
        known = self._setups.peek(digest("instrument elements", maps.source))
        chosen = {**self.default_thresholds(maps), **(thresholds or {})}
        return findings.found(maps, chosen, known or ())

    def default_thresholds(self, maps: ElementMaps, also: Collection[str] = ()) -> dict[str, float]:
        """Where each map's threshold starts, by symbol, in the unit of the maps.

        ``also`` as the maps were asked for.
        """
        if maps.kind == "probability":
            model = self.classifier
            limits = model.thresholds_at(maps.counts_per_region)
            known = dict(zip(model.elements, limits.tolist(), strict=True))
            return {element: known[element] for element in maps.elements}
        return findings.noise_thresholds(maps, self._fit_of(maps, also))

    # ---- starting

    def warm_up(self) -> dict[str, Any]:
        """Load the model and what takes long to import; for a background thread at start."""
        from xrfengine.cluster.embedding import warm_up

        facts = {"model": self.classifier.digest, "device": self.device_name}
        facts["plan"] = self.classifier.plan.to_dict()
        warm_up()
        return facts
