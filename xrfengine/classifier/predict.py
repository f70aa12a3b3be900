"""From counts to the probability that each element is visible: spectra and whole cubes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xrfengine.assets import asset
from xrfengine.classifier.checkpoint import Checkpoint, load, untrained
from xrfengine.cube import Calibration, Cube, ElementMaps
from xrfengine.errors import ModelError, SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress
from xrfengine.maps.pooling import block_sums, expand
from xrfengine.preprocess import preprocessor

_CHUNK_WORK = {"cpu": 1e9, "cuda": 2e11}
"""Multiply-adds of one chunk: about 50 ms, so that a cancel is heard at once."""

_BAND_BYTES = 48 << 20
"""Counts taken from a cube at a time while mapping."""


class Classifier:
    """A trained network ready for use. Thread-safe: it holds weights and tables only.

    Attributes
    ----------
    elements : tuple of str
    thresholds : ndarray, float32, shape (element,), 0…1
        Probability from which an element is reported as present.
    name : str
        File name without suffix.
    digest : str
        Of weights and settings, 16 hexadecimal characters.
    preset : str
    card : dict
        How it was trained and what it reached; empty if no card lay beside the weights.
    """

    def __init__(
        self, checkpoint: Checkpoint, name: str = "", device: str | torch.device | None = None
    ) -> None:
        self.checkpoint = checkpoint
        self.elements = checkpoint.elements
        self.thresholds = checkpoint.thresholds.copy()
        self.thresholds.flags.writeable = False
        self.name = name or checkpoint.preset
        self.digest = checkpoint.digest
        self.preset = checkpoint.preset
        self.card: dict[str, Any] = checkpoint.card
        self.preprocess = checkpoint.preprocess
        self.device = best_device(device)
        self.most_counts = checkpoint.most_counts
        self._network = checkpoint.built().to(self.device).requires_grad_(False)
        work = checkpoint.network.work
        self.chunk = int(np.clip(_CHUNK_WORK[self.device.type] / work, 1, 1 << 14))

    @classmethod
    def load(
        cls, path: Path | str | None = None, device: str | torch.device | None = None
    ) -> Classifier:
        """Read weights; ``None`` takes the shipped ones.

        Raises
        ------
        ModelError
            If the weights are missing, damaged, or do not fit their settings.
        """
        if path is None:
            path = asset("compact.safetensors")
            if not path.is_file():
                raise ModelError(
                    f"the shipped weights are missing at {path}",
                    "Install the package again, or train some with `xrfengine train`.",
                )
        return cls(load(Path(path)), Path(path).stem, device)

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
        prepare = partial(
            preprocessor(self.preprocess, calibration, counts.shape[1]),
            most_counts=self.most_counts,
        )
        out = np.empty((len(counts), len(self.elements)), dtype=np.float32)
        parts = list(chunks(len(counts), self.chunk))
        for part, features in self._prepared(prepare, counts, parts, cancel):
            with torch.inference_mode():
                logits = self._network(features.to(self.device, non_blocking=True))
                out[part] = torch.sigmoid(logits.float()).cpu().numpy()
            progress(part.stop / len(counts), "classifying")
        return out

    def _prepared(
        self, prepare: Any, counts: np.ndarray, parts: list[slice], cancel: CancelToken
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """Features chunk by chunk, the next one being made while the caller computes."""
        if len(parts) < 3:
            for part in parts:
                cancel.check()
                yield part, prepare(counts[part])
            return
        with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
            coming = pool.submit(prepare, counts[parts[0]])
            for part, following in zip(parts, [*parts[1:], None], strict=True):
                cancel.check()
                features = coming.result()
                if following is not None:
                    coming = pool.submit(prepare, counts[following])
                yield part, features


def best_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, or the GPU if there is one, or the processor.

    Raises
    ------
    SettingsError
        If the device asked for is not there.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise SettingsError(f"unknown device {device!r}", "Use cpu or cuda.") from error
    if chosen.type not in _CHUNK_WORK or (chosen.type == "cuda" and not torch.cuda.is_available()):
        raise SettingsError(f"there is no device {device!r} here", "Use cpu.")
    return chosen


def probability_maps(
    cube: Cube,
    classifier: Classifier,
    region_px: int = 1,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> ElementMaps:
    """Probability of each element in each k×k region of a cube.

    Counts of a region's pixels are summed, so that the network sees all its photons; the cube is
    taken in bands of rows, so that little memory is needed beyond the cube's own.

    Parameters
    ----------
    region_px : int, ≥ 1
        Side k of the regions; those at the right and lower edge hold what is left.

    Returns
    -------
    ElementMaps
        Kind ``probability``, at the cube's full size.

    Raises
    ------
    SettingsError
        If ``region_px`` is below 1.
    Cancelled
        Soon after ``cancel`` was set.
    """
    if region_px < 1:
        raise SettingsError(f"regions of {region_px} pixels do not exist", "Use 1 or more.")
    n_y, n_x, n_channels = cube.shape
    row_bytes = n_x * n_channels * max(cube.counts.dtype.itemsize, 4)
    band = max(1, int(_BAND_BYTES / row_bytes) // region_px) * region_px
    values = np.empty((len(classifier.elements), n_y, n_x), dtype=np.float32)
    for rows in chunks(n_y, band):
        cancel.check()

        def band_progress(fraction: float, message: str = "", rows: slice = rows) -> None:
            done = rows.start + fraction * (rows.stop - rows.start)
            progress(done / n_y, message)

        sums = cube.counts[rows]
        if region_px > 1:
            sums = block_sums(sums, region_px)
        by, bx = sums.shape[:2]
        found = classifier.probabilities(
            sums.reshape(by * bx, n_channels),
            cube.calibration,
            progress=band_progress,
            cancel=cancel,
        )
        maps = found.T.reshape(len(classifier.elements), by, bx)
        values[:, rows] = expand(maps, region_px, (rows.stop - rows.start, n_x))
    progress(1.0, "classified")
    return ElementMaps(
        elements=classifier.elements,
        values=values,
        kind="probability",
        region_px=region_px,
        source=cube.digest,
        model=classifier.digest,
    )


def save_untrained(path: Path, **changes: Any) -> Path:
    """Write a checkpoint with random weights, for tests of what stands on a classifier.

    ``changes`` go to :func:`~xrfengine.classifier.checkpoint.untrained`, such as
    ``elements=("Ca", "Fe")`` or ``depth=1``.
    """
    return untrained(**changes).save(path)
