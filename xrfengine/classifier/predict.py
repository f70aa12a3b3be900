"""From counts to the probability that each element is visible: spectra and whole cubes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xrfengine.assets import asset
from xrfengine.cache import cache_folder
from xrfengine.classifier.checkpoint import Checkpoint, load
from xrfengine.classifier.dim_thresholds import DimThresholds, dim_path
from xrfengine.classifier.half import TRIAL, HalfPrecision, trial_spectra
from xrfengine.classifier.workers import (
    Plan,
    best_device,
    default_plan,
    find_plan,
    in_workers,
    on_gpu,
)
from xrfengine.cube import Calibration, Cube, ElementMaps
from xrfengine.errors import ModelError, SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress
from xrfengine.maps.pooling import Piece, block_grid, block_sums, expand, pieces
from xrfengine.preprocess import preprocessor

if TYPE_CHECKING:
    from xrfengine.store import Tiles

_CHUNK_WORK = {"cpu": 1e9, "cuda": 2e11}
"""Multiply-adds of one batch: about 50 ms, so that a cancel is heard at once."""

_MOST_SPECTRA = {"cpu": 1 << 14, "cuda": 1 << 10}
"""Spectra a batch; on a GPU each worker holds two in memory that cannot be swapped out."""

_PLANNED_FROM = 1000
"""Spectra of a map from which it pays to know how this machine runs the network best."""

_PARTIAL_S = 0.4
"""Seconds between partial maps: each is a copy that someone paints."""

OnPartial = Callable[[ElementMaps, float], None]
"""Told of maps that are not final: these, and the share of the regions that is computed."""


class Classifier:
    """A trained network ready for use. Thread-safe: it holds weights and tables only.

    Attributes
    ----------
    elements : tuple of str
    thresholds : ndarray, float32, shape (element,), 0…1
        Probability from which an element is reported as present; see :meth:`thresholds_at`.
    dim : DimThresholds or None
        How far they are eased for spectra of few counts.
    name : str
        File name without suffix.
    digest : str
        Of weights and settings, 16 hexadecimal characters.
    preset : str
    card : dict
        How it was trained and what it reached; empty if no card lay beside the weights.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        name: str = "",
        device: str | torch.device | None = None,
        dim: DimThresholds | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.elements = checkpoint.elements
        self.thresholds = checkpoint.thresholds.copy()
        self.thresholds.flags.writeable = False
        self.name = name or checkpoint.preset
        self.digest = checkpoint.digest
        self.dim = dim if dim is not None and dim.network == self.digest else None
        self.preset = checkpoint.preset
        self.card: dict[str, Any] = checkpoint.card
        self.preprocess = checkpoint.preprocess
        self.device = best_device(device)
        self.most_counts = checkpoint.most_counts
        self._network = checkpoint.built().requires_grad_(False).to(self.device)
        most = _MOST_SPECTRA[self.device.type]
        work = checkpoint.network.work
        self.chunk = int(np.clip(_CHUNK_WORK[self.device.type] / work, 1, most))
        self.folder: Path | None = None
        self._plan: Plan | None = None
        self._half: HalfPrecision | None = None
        self._lock = threading.Lock()

    @property
    def plan(self) -> Plan:
        """How this machine runs the network best; the first time takes up to a second.

        Remembered in ``folder``; None takes the user's cache folder.
        """
        half = self._in_half()
        with self._lock:
            if self._plan is None:
                if self.device.type == "cuda":
                    self._plan = default_plan(self.device, self.chunk)
                else:
                    self._plan = find_plan(
                        self._network,
                        half,
                        self._trial(),
                        self.chunk,
                        cache_folder() if self.folder is None else self.folder,
                        json.dumps(self.checkpoint.network.to_dict(), sort_keys=True),
                    )
            return self._plan

    def _trial(self) -> torch.Tensor:
        counts = trial_spectra(min(64, self.chunk))
        prepare = preprocessor(self.preprocess, TRIAL, counts.shape[1])
        return prepare(counts, most_counts=self.most_counts)

    def _in_half(self) -> HalfPrecision:
        with self._lock:
            if self._half is None:
                self._half = HalfPrecision(self._network).eval()
            return self._half

    @classmethod
    def load(
        cls, path: Path | str | None = None, device: str | torch.device | None = None
    ) -> Classifier:
        """Read weights; ``None`` takes the shipped ones.

        Raises
        ------
        ModelError
            If the weights are missing, damaged, or do not fit their settings; or if the
            thresholds for dim spectra beside them cannot be read.
        """
        if path is None:
            path = asset("compact.safetensors")
            if not path.is_file():
                raise ModelError(
                    f"the shipped weights are missing at {path}",
                    "Install the package again, or train some with `xrfengine train`.",
                )
        path = Path(path)
        dim = DimThresholds.load(dim_path(path)) if dim_path(path).is_file() else None
        return cls(load(path), path.stem, device, dim)

    def thresholds_at(self, counts: float | np.ndarray | None) -> np.ndarray:
        """Thresholds for spectra of so many counts, so that dim and bright ones err alike.

        Parameters
        ----------
        counts : float or ndarray of shape (n,) or None
            Total counts of a spectrum; None: the thresholds of the weights.

        Returns
        -------
        ndarray, float32, shape (element,) or (n, element), 0…1
        """
        if counts is None or self.dim is None:
            shape = (*np.shape(0.0 if counts is None else counts), len(self.elements))
            return np.broadcast_to(self.thresholds, shape)
        return self.dim.eased(self.thresholds, counts)

    def index(self, element: str) -> int:
        """Place of an element in the last axis of :meth:`probabilities`.

        Raises
        ------
        SettingsError
            If the network does not know it.
        """
        try:
            return self.elements.index(element)
        except ValueError:
            raise SettingsError(
                f"the model {self.name} does not know {element!r}",
                f"It knows {', '.join(self.elements)}.",
            ) from None

    def probabilities(
        self,
        counts: np.ndarray,
        calibration: Calibration,
        *,
        most_counts: float | None = None,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> np.ndarray:
        """Probability of each element in each spectrum.

        Parameters
        ----------
        counts : ndarray, shape (n, channel), ≥ 0
            Photon counts: sums over pixels, not means, or the network takes them for noisy.
            Any numeric type; not modified.
        calibration : Calibration
            Energy of the channels.
        most_counts : float or None
            Counts that brighter spectra are scaled down to; None: as the network was trained.

        Returns
        -------
        ndarray, float32, shape (n, element), 0…1

        Raises
        ------
        SettingsError
            If the counts do not have two axes.
        Cancelled
            Between two chunks (about 50 ms) after ``cancel`` was set.
        """
        counts = np.asarray(counts)
        if counts.ndim != 2:
            raise SettingsError(f"expected spectra of shape (n, channel), got {counts.shape}")
        out = np.empty((len(counts), len(self.elements)), dtype=np.float32)
        plan = self._plan or default_plan(self.device, self.chunk)
        size = min(plan.batch, self.chunk, max(1, -(-len(counts) // plan.workers)))
        done = 0
        for part, found in self.run(
            counts.__getitem__, list(chunks(len(counts), size)), calibration, counts.shape[1],
            most_counts=most_counts, cancel=cancel,
        ):  # fmt: skip
            out[part] = found
            done += len(found)
            progress(done / len(counts), "classifying")
        return out

    def run(
        self,
        spectra: Callable[[Any], np.ndarray],
        parts: Sequence[Any],
        calibration: Calibration,
        n_channels: int,
        *,
        half: bool = False,
        most_counts: float | None = None,
        cancel: CancelToken = NEVER,
    ) -> Iterator[tuple[Any, np.ndarray]]:
        """Probabilities part by part, as they are done; the parts run side by side.

        Parameters
        ----------
        spectra : callable
            Gives the counts of a part, shape (n, channel). Called in worker threads.
        parts : sequence
            In the order in which they are begun; about ``plan.batch`` spectra each.
        half : bool
            Multiply in bfloat16: probabilities change by up to 0.02.
        most_counts : float or None
            See :meth:`probabilities`.

        Yields
        ------
        part, ndarray of float32, shape (n, element)
            In any order.

        Raises
        ------
        Cancelled
            Within one part's time after ``cancel`` was set.
        """
        prepare = partial(
            preprocessor(self.preprocess, calibration, n_channels),
            most_counts=most_counts or self.most_counts,
        )
        network = self._in_half() if half else self._network
        workers = (self._plan or default_plan(self.device, self.chunk)).workers
        if self.device.type == "cuda":
            ready = in_workers(
                lambda part: prepare(spectra(part)).pin_memory(), parts, workers, cancel
            )
            yield from on_gpu(network, ready, self.device)
            return

        def classify(part: Any) -> np.ndarray:
            with torch.inference_mode():
                return torch.sigmoid(network(prepare(spectra(part))).float()).numpy()

        if len(parts) == 1:
            # Torch's own threads share one batch; waking workers would take longer.
            cancel.check()
            yield parts[0], classify(parts[0])
            return
        yield from in_workers(classify, parts, workers, cancel)


def probability_maps(
    cube: Cube,
    classifier: Classifier,
    region_px: int = 1,
    *,
    tiles: Tiles | None = None,
    half: bool | None = None,
    visible: tuple[int, int, int, int] | None = None,
    before: ElementMaps | None = None,
    on_partial: OnPartial | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> ElementMaps:
    """Probability of each element in each k×k region of a cube.

    Counts of a region's pixels are summed, so that the network sees all its photons; regions are
    summed few at a time, so that little memory is needed beyond the cube's own.

    Parameters
    ----------
    region_px : int, ≥ 1
        Side k of the regions; those at the right and lower edge hold what is left.
    tiles : Tiles or None
        Of this cube; regions that they hold are not summed again.
    half : bool or None
        Multiply in bfloat16, which changes probabilities by up to 0.02. None: for maps of many
        regions, if it is faster on this machine.
    visible : (y0, y1, x0, x1) or None
        Pixels on screen, ends excluded: computed first.
    before : ElementMaps or None
        Coarser maps, shown in partial results where nothing finer is known yet; else 0.
    on_partial : callable or None
        Called with (maps so far, share of the regions that is computed) a few times a second.

    Returns
    -------
    ElementMaps
        Kind ``probability``, at the cube's full size. Does not depend on the last three.

    Raises
    ------
    SettingsError
        If ``region_px`` is below 1.
    Cancelled
        Soon after ``cancel`` was set.
    """
    if region_px < 1:
        raise SettingsError(f"regions of {region_px} pixels do not exist", "Use 1 or more.")
    cancel.check()
    k, (n_y, n_x, n_channels) = region_px, cube.shape
    by, bx = block_grid((n_y, n_x), k)
    many = by * bx >= _PLANNED_FROM
    plan = classifier.plan if many else default_plan(classifier.device, classifier.chunk)
    half = plan.half and many if half is None else half
    # So few that every worker gets some, and that a cancel need not wait for long sums.
    most = min(plan.batch, classifier.chunk, max(1, -(-by * bx // plan.workers)))
    sums = None
    if tiles is not None and k > 1:
        from xrfengine.store import tile_sums

        sums = tile_sums(tiles, k)

    def spectra(piece: Piece) -> np.ndarray:
        if sums is not None:
            of_piece = sums[piece.rows, piece.columns]
        else:
            rows, columns = piece.pixels(k, (n_y, n_x))
            of_piece = block_sums(cube.counts[rows, columns], k)
        return of_piece.reshape(-1, n_channels)

    n_elements, median = len(classifier.elements), cube.counts_per_region(k)
    if before is None:
        values = np.zeros((n_elements, n_y, n_x), dtype=np.float32)
    else:
        values = before.values.copy()

    def maps(of: np.ndarray) -> ElementMaps:
        return ElementMaps(
            classifier.elements, of, "probability", k, cube.digest, classifier.digest, median
        )

    done, shown = 0, time.monotonic()
    for piece, found in classifier.run(
        spectra,
        pieces((n_y, n_x), k, most, visible),
        cube.calibration,
        n_channels,
        half=half,
        cancel=cancel,
    ):
        rows, columns = piece.pixels(k, (n_y, n_x))
        grid = (n_elements, piece.rows.stop - piece.rows.start, -1)
        size = (rows.stop - rows.start, columns.stop - columns.start)
        values[:, rows, columns] = expand(found.T.reshape(grid), k, size)
        done += piece.n_regions
        progress(done / (by * bx), "classifying")
        if on_partial is not None and time.monotonic() - shown > _PARTIAL_S:
            cancel.check()
            on_partial(maps(values.copy()), done / (by * bx))
            shown = time.monotonic()
    progress(1.0, "classified")
    return maps(values)
