"""From pixel spectra to the short rows of numbers that SOM and UMAP compare.

Channels at both ends are dropped first: there, edges of the spectrum that differ between
pixels for reasons of the instrument made clusters of their own (thesis 3.1.3–4, where dropping
100 of 4096 channels cured it). Neighbouring channels are then summed to fewer bins, each
spectrum is normalised, its noise made even by a square root, and the rows are reduced to
principal components.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xrfengine.cube import Cube
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress, part

THESIS_DROPPED, THESIS_CHANNELS = 100, 4096
"""Channels dropped at each end, of how many (thesis 3.1.3)."""

_CHUNK_BYTES = 32 << 20
_PCA_PIXELS = 60_000  # enough to estimate a covariance; the rest is only projected


@dataclass(frozen=True)
class FeatureSettings:
    """How a pixel's spectrum becomes a row of features.

    Attributes
    ----------
    drop_channels : int or None
        Channels dropped at each end; None drops the thesis's share, 100 of 4096.
    max_bins : int
        Neighbouring channels are summed until at most this many bins are left; 0 keeps all.
        Channels are far narrower than a line, so that little is lost down to some 512.
    normalise : {"sum", "none"}
        Divide each spectrum by its sum, so that shape counts and brightness does not.
    scale : {"sqrt", "none"}
        The square root gives every bin the same counting noise.
    n_components : int
        Principal components kept; 0 keeps the bins themselves.
    seed : int
        Chooses the pixels from which components are estimated in large cubes.
    """

    drop_channels: int | None = None
    max_bins: int = 1024
    normalise: Literal["sum", "none"] = "sum"
    scale: Literal["sqrt", "none"] = "sqrt"
    n_components: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_bins", "n_components", "seed"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} is {getattr(self, name)}", "It must be 0 or more.")
        if self.drop_channels is not None and self.drop_channels < 0:
            raise SettingsError(
                f"drop_channels is {self.drop_channels}", "It must be 0 or more, or left out."
            )
        if self.normalise not in ("sum", "none"):
            raise SettingsError(f"normalise is {self.normalise!r}", "Use 'sum' or 'none'.")
        if self.scale not in ("sqrt", "none"):
            raise SettingsError(f"scale is {self.scale!r}", "Use 'sqrt' or 'none'.")

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureSettings:
        return cls(**values)


def kept_channels(cube: Cube, settings: FeatureSettings) -> slice:
    """The channels that features are made of: ends dropped, and what lies above the last count.

    Raises
    ------
    SettingsError
        If fewer than two channels would be left.
    """
    n = cube.shape[2]
    drop = settings.drop_channels
    if drop is None:
        drop = round(n * THESIS_DROPPED / THESIS_CHANNELS)
    if n - 2 * drop < 2:
        raise SettingsError(
            f"dropping {drop} channels at each end leaves nothing of {n} channels",
            f"Choose drop_channels below {(n - 1) // 2}.",
        )
    counted = np.flatnonzero(cube.sum_spectrum.counts[drop : n - drop] > 0)
    stop = drop + (int(counted[-1]) + 1 if counted.size else 0)
    return slice(drop, max(stop, drop + 2))


def spectra_features(
    cube: Cube,
    settings: FeatureSettings | None = None,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> np.ndarray:
    """Features of every pixel, row by row of the image.

    A pixel without counts becomes the origin before components are taken, never NaN. The same
    cube and settings give the same features.

    Parameters
    ----------
    cube : Cube
        Counts of shape (y, x, channel).
    settings : FeatureSettings, optional

    Returns
    -------
    ndarray, float32, shape (y·x, d)
        d is the number of components, or of bins where components are off. Finite.

    Raises
    ------
    SettingsError
        If too many channels are dropped.
    Cancelled
        Between two chunks, when ``cancel`` was set.
    """
    settings = settings or FeatureSettings()
    rows = _Rows(cube, settings)
    step = max(1, _CHUNK_BYTES // (4 * (rows.channels.stop - rows.channels.start)))
    if settings.n_components == 0:
        return _collect(rows, None, step, progress, cancel)
    mean, axes = _components(rows, settings, step, part(progress, 0.0, 0.5), cancel)
    return _collect(rows, (mean, axes), step, part(progress, 0.5, 1.0), cancel)


class _Rows:
    """Normalised spectra of any pixels of a cube, made when asked for."""

    def __init__(self, cube: Cube, settings: FeatureSettings) -> None:
        self.settings = settings
        self.channels = kept_channels(cube, settings)
        self.pixels = cube.counts.reshape(-1, cube.shape[2])
        n = self.channels.stop - self.channels.start
        self.width = 1 if settings.max_bins == 0 else -(-n // settings.max_bins)
        self.n_bins = -(-n // self.width)

    def __len__(self) -> int:
        return self.pixels.shape[0]

    def __call__(self, which: slice | np.ndarray) -> np.ndarray:
        """Rows of the pixels ``which``, float32, shape (pixel, bin)."""
        read = self.pixels[which, self.channels]
        counts = read[:, :: self.width].astype(np.float32)
        # One stride after another: NumPy's sum over a short last axis is seven times slower.
        for i in range(1, self.width):
            more = read[:, i :: self.width]
            counts[:, : more.shape[1]] += more
        np.maximum(counts, 0.0, out=counts)  # background-corrected files may dip below zero
        if self.settings.normalise == "sum":
            total = counts.sum(axis=1, keepdims=True)
            counts /= np.where(total > 0, total, 1.0)
        if self.settings.scale == "sqrt":
            np.sqrt(counts, out=counts)
        return counts


def _components(
    rows: _Rows, settings: FeatureSettings, step: int, progress: Progress, cancel: CancelToken
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (bin,) and principal axes (bin, component) from the covariance of the rows.

    The covariance is summed chunk by chunk, so that memory does not grow with the cube; its
    leading eigenvectors are exact and need no random start.
    """
    from scipy.linalg import eigh

    pixels = np.arange(len(rows))
    if len(rows) > _PCA_PIXELS:
        random = np.random.default_rng(settings.seed)
        pixels = np.sort(random.choice(len(rows), _PCA_PIXELS, replace=False))
    total = np.zeros(rows.n_bins)
    products = np.zeros((rows.n_bins, rows.n_bins))
    for chunk in chunks(pixels.size, step):
        cancel.check()
        block = rows(pixels[chunk])
        total += block.sum(axis=0, dtype=np.float64)
        products += block.T @ block
        progress(0.9 * chunk.stop / pixels.size, "Principal components")
    mean = total / pixels.size
    products /= pixels.size
    products -= np.outer(mean, mean)
    keep = min(settings.n_components, rows.n_bins)
    cancel.check()
    _, axes = eigh(products, subset_by_index=(rows.n_bins - keep, rows.n_bins - 1))
    axes = axes[:, ::-1]
    # Eigenvectors come with either sign; fix it by the largest entry.
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[largest, np.arange(keep)] < 0, -1.0, 1.0)
    return mean.astype(np.float32), np.ascontiguousarray(axes, dtype=np.float32)


def _collect(
    rows: _Rows,
    components: tuple[np.ndarray, np.ndarray] | None,
    step: int,
    progress: Progress,
    cancel: CancelToken,
) -> np.ndarray:
    width = rows.n_bins if components is None else components[1].shape[1]
    features = np.empty((len(rows), width), dtype=np.float32)
    for chunk in chunks(len(rows), step):
        cancel.check()
        block = rows(chunk)
        if components is None:
            features[chunk] = block
        else:
            mean, axes = components
            np.matmul(block - mean, axes, out=features[chunk])
        progress(chunk.stop / len(rows), "Features of all pixels")
    return features
