"""The one path from counts to what a network reads, shared by training and inference.

Two modes:

``counts``
    The default. Spectra are rebinned onto a grid whose bins follow the resolution of a silicon
    detector, which conserves counts, so that the network still sees how many photons speak for a
    peak. Features: logarithm of the counts, square root of the share of the total, how much of
    each bin the file covers, and (``matched_filter``) the local significance of a peak: in a
    bright spectrum ten standard deviations are a percent of the background, which neither
    logarithm nor root shows.
``thesis``
    What the thesis does with measured spectra (its section 2.4): crop, zero the margins, pad,
    extrapolate both ends or not, interpolate to 4096 points, scale to a maximum of 1.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import torch

from xrfengine.cube import Calibration
from xrfengine.errors import SettingsError
from xrfengine.preprocess_thesis import ThesisRecipe

_BLOCK_ELEMENTS = 1 << 18
"""Elements of the running sum held at a time (2 MB): it must stay in the processor's cache."""


@dataclass(frozen=True)
class PreprocessSettings:
    """How counts become features. Travels inside every checkpoint.

    Attributes
    ----------
    mode : {"counts", "thesis"}
    n_bins : int
        Length of what the network reads.
    low_kev, high_kev : float
        Energy range of the grid in keV.
    noise_kev2, fano_kev : float
        Mode ``counts``: bins are a constant share of
        FWHM = sqrt(noise_kev2 + fano_kev · E) wide, with E in keV (FIELD: a silicon detector).
    extrapolate : bool
        Mode ``thesis``: fill both ends with a·exp(b·x) fitted to the nearest 100 points.
    margin_kev : float
        Mode ``thesis``: what is zeroed at both ends of the file's range.
    smooth_window, smooth_order : int
        Savitzky–Golay filter over the file's channels; window 0 leaves them as they are.
    drop_channels : int
        Channels at both ends of the file that count as not measured.
    matched_filter : bool
        Mode ``counts``: a fourth feature, see :meth:`Preprocessor.features`.
    """

    mode: Literal["counts", "thesis"] = "counts"
    n_bins: int = 1024
    low_kev: float = 0.25
    high_kev: float = 41.0
    noise_kev2: float = 0.0036
    fano_kev: float = 0.0025
    extrapolate: bool = True
    margin_kev: float = 1.0
    smooth_window: int = 0
    smooth_order: int = 3
    drop_channels: int = 0
    matched_filter: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("counts", "thesis"):
            raise SettingsError(f"there is no preprocessing {self.mode!r}", "Use counts or thesis.")
        if self.n_bins < 2:
            raise SettingsError(f"{self.n_bins} bins are too few", "Use at least 2.")
        if not self.low_kev < self.high_kev:
            raise SettingsError(
                f"the energy range {self.low_kev:g}…{self.high_kev:g} keV is empty",
                "The lower end must be below the upper.",
            )
        if self.noise_kev2 <= 0 or self.fano_kev <= 0 or self.margin_kev < 0:
            raise SettingsError("widths must be positive", "Check noise, Fano and margin.")
        if self.drop_channels < 0:
            raise SettingsError(f"cannot drop {self.drop_channels} channels", "Use 0 or more.")
        window, order = self.smooth_window, self.smooth_order
        if window and (window % 2 == 0 or window <= order or order < 0):
            raise SettingsError(
                f"a Savitzky–Golay filter of window {window} and order {order} is impossible",
                "Use an odd window larger than the order, or 0 for none.",
            )

    @classmethod
    def thesis(cls, extrapolate: bool = True) -> PreprocessSettings:
        """The thesis's own: 4096 points over 0…30 keV."""
        return cls("thesis", n_bins=4096, low_kev=0.0, high_kev=30.0, extrapolate=extrapolate)

    @property
    def n_features(self) -> int:
        """Rows of the tensor handed to the network."""
        if self.mode == "thesis":
            return 1
        return 4 if self.matched_filter else 3

    def edges_kev(self) -> np.ndarray:
        """Limits of the bins in keV, shape (n_bins + 1,), rising."""
        if self.mode == "thesis":
            step = (self.high_kev - self.low_kev) / (self.n_bins - 1)
            return self.low_kev + step * (np.arange(self.n_bins + 1) - 0.5)
        # ∫ dE / FWHM(E) ∝ FWHM(E), hence bins even in FWHM are a constant share of it wide.
        low, high = (
            np.sqrt(self.noise_kev2 + self.fano_kev * max(e, 0.0))
            for e in (self.low_kev, self.high_kev)
        )
        fwhm = np.linspace(low, high, self.n_bins + 1)
        return (fwhm**2 - self.noise_kev2) / self.fano_kev

    def centres_kev(self) -> np.ndarray:
        """Middles of the bins in keV, shape (n_bins,)."""
        edges = self.edges_kev()
        return 0.5 * (edges[1:] + edges[:-1])

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PreprocessSettings:
        known = {f.name for f in dataclasses.fields(cls)}
        if not set(values) <= known:
            raise SettingsError(f"unknown preprocessing settings {sorted(set(values) - known)}")
        return cls(**values)


class Preprocessor:
    """Turns counts of one kind of file into network input.

    Parameters
    ----------
    settings : PreprocessSettings
    calibration : Calibration
        Energy of the channels.
    n_channels : int

    Notes
    -----
    Holds tables only; safe to share between threads. Build it with :func:`preprocessor`, which
    keeps the latest ones.
    """

    def __init__(
        self, settings: PreprocessSettings, calibration: Calibration, n_channels: int
    ) -> None:
        if n_channels < 2 * settings.drop_channels + max(2, settings.smooth_window):
            raise SettingsError(
                f"spectra of {n_channels} channels are too short for dropping "
                f"{settings.drop_channels} at both ends and a filter of {settings.smooth_window}",
                "Drop fewer channels or use a shorter filter.",
            )
        self.settings = settings
        self.calibration = calibration
        self.n_channels = n_channels
        first, last = settings.drop_channels, n_channels - settings.drop_channels
        self._kept = slice(first, last)
        self._edges = calibration.at(np.arange(first, last + 1) - 0.5)
        self._centres = calibration.at(np.arange(first, last, dtype=np.float64))
        if settings.mode == "counts":
            self._plan_bins()

    def __call__(self, counts: np.ndarray, most_counts: float | None = None) -> torch.Tensor:
        """Features of spectra.

        Parameters
        ----------
        counts : ndarray, shape (n, channel), ≥ 0
            Any integer or float type. Not modified.
        most_counts : float, optional
            Mode ``counts``: spectra with more counts on the grid are scaled down to so many. For
            measured spectra: a network trusts tiny features of a bright spectrum as far as the
            simulation it learned from is exact, and no simulation is.

        Returns
        -------
        Tensor, float32, shape (n, feature, bin)
            Mode ``counts``: as in :meth:`features`. Mode ``thesis``: one feature, 0…1.
        """
        if self.settings.mode == "thesis":
            return torch.from_numpy(self._thesis(self._channels(counts)))
        binned = self.rebinned(counts)
        if most_counts:
            total = binned.sum(axis=1, dtype=np.float64)
            bright = np.flatnonzero(total > most_counts)
            binned[bright] *= (most_counts / total[bright]).astype(np.float32)[:, None]
        return self.features(binned)

    def rebinned(self, counts: np.ndarray) -> np.ndarray:
        """Counts on the grid, float32, shape (n, bin).

        The sum over bins equals the sum over channels inside the grid's range; channels that a
        limit of the grid or of a bin cuts are shared by width.
        """
        counts = self._checked(counts)
        out = np.empty((len(counts), self.settings.n_bins), dtype=np.float32)
        rows = max(1, _BLOCK_ELEMENTS // (self.n_channels + 1))
        running = np.zeros((rows, self._used.stop - self._used.start + 1))
        plain = self.settings.smooth_window == 0
        for start in range(0, len(counts), rows):
            block = counts[start : start + rows]
            block = block if plain else self._smoothed(block)
            n = len(block)
            np.cumsum(block[:, self._used], axis=1, dtype=np.float64, out=running[:n, 1:])
            at_edge = running[:n].take(self._left, axis=1)
            step = running[:n].take(self._right, axis=1)
            step -= at_edge
            step *= self._fraction
            at_edge += step
            np.subtract(at_edge[:, 1:], at_edge[:, :-1], out=out[start : start + n])
        # Differences of a running sum may fall below zero by its last digit.
        return np.maximum(out, 0.0, out=out)

    def features(self, rebinned: np.ndarray) -> torch.Tensor:
        """Features of counts on the grid.

        Parameters
        ----------
        rebinned : ndarray, float32, shape (n, bin), ≥ 0

        Returns
        -------
        Tensor, float32, shape (n, feature, bin)
            log1p(counts)/4; 8·sqrt(counts/total); covered share of each bin, 0…1; with
            ``matched_filter`` asinh(s)/2, where s is the net area under a peak of the grid's width
            over its Poisson standard deviation (Mariscotti, Nucl. Instrum. Methods 50 (1967) 309,
            with Gaussians for the second difference).
        """
        binned = torch.from_numpy(rebinned)
        out = torch.empty(len(binned), self.settings.n_features, binned.shape[1])
        torch.log1p(binned, out=out[:, 0])
        out[:, 0] *= LOG_SCALE
        total = binned.sum(dim=1, keepdim=True, dtype=torch.float64).clamp_(min=1.0)
        torch.mul(binned, (SHARE_SCALE**2 / total).float(), out=out[:, 1])
        out[:, 1].sqrt_()
        out[:, 2] = self._covered
        if self.settings.matched_filter:
            significance = self._peak_significance(binned)
            size = significance.square().add_(1.0).sqrt_().add_(significance.abs())
            # torch.asinh is five times slower than a logarithm.
            out[:, 3] = size.log_().copysign_(significance).mul_(ASINH_SCALE)
        return out

    def _peak_significance(self, binned: torch.Tensor) -> torch.Tensor:
        """Net area under a peak at each bin over its standard deviation, shape (n, bin).

        As a matrix product over overlapping blocks, a third of the time of a convolution with
        one channel; both sums, of w·counts and of w²·counts, come out of one product.
        """
        n, n_bins = binned.shape
        blocks = -(-n_bins // _FILTER_BLOCK)
        reach = FILTER_REACH_BINS
        padded = torch.zeros(n, blocks * _FILTER_BLOCK + 2 * reach)
        padded[:, reach : reach + n_bins] = binned
        windows = padded.unfold(1, _FILTER_BLOCK + 2 * reach, _FILTER_BLOCK)
        both = windows.reshape(n * blocks, -1) @ _filter_matrix()
        net = both[:, :_FILTER_BLOCK].reshape(n, -1)[:, :n_bins]
        variance = both[:, _FILTER_BLOCK:].reshape(n, -1)[:, :n_bins]
        # One count more, or bins without any would have no standard deviation.
        return net / torch.sqrt(variance + float(peak_filter().max()) ** 2)

    @cached_property
    def _thesis(self) -> ThesisRecipe:
        return ThesisRecipe(self.settings, self._centres)

    @property
    def covered(self) -> np.ndarray:
        """Share of each bin inside the file's energy range, float32, shape (bin,), 0…1."""
        return self._covered.numpy().copy()

    def _plan_bins(self) -> None:
        """Where the grid's limits fall among the channels: done once for all spectra."""
        grid = self.settings.edges_kev()
        low, high = self._edges[0], self._edges[-1]
        width = np.diff(grid)
        inside = np.clip(grid[1:], low, high) - np.clip(grid[:-1], low, high)
        self._covered = torch.from_numpy((inside / width).astype(np.float32))
        # Position of each limit in units of channels, within the channels that matter at all.
        position = np.interp(grid, self._edges, np.arange(self._edges.size, dtype=np.float64))
        first = int(position[0])
        stop = min(int(np.ceil(position[-1])), self._edges.size - 1)
        stop = max(stop, first + 1)
        if first >= self._edges.size - 1:
            first, stop = self._edges.size - 2, self._edges.size - 1
        self._used = slice(first + self._kept.start, stop + self._kept.start)
        position = np.clip(position - first, 0.0, stop - first)
        self._left = position.astype(np.intp)
        self._right = np.minimum(self._left + 1, stop - first)
        self._fraction = position - self._left

    def _checked(self, counts: np.ndarray) -> np.ndarray:
        counts = np.asarray(counts)
        if counts.ndim != 2 or counts.shape[1] != self.n_channels:
            raise SettingsError(
                f"expected spectra of shape (n, {self.n_channels}), got {counts.shape}"
            )
        return counts

    def _smoothed(self, counts: np.ndarray) -> np.ndarray:
        from scipy.signal import savgol_filter

        smooth = savgol_filter(
            counts.astype(np.float64), self.settings.smooth_window, self.settings.smooth_order
        )
        # The filter undershoots beside peaks; counts below zero mean nothing to either mode.
        return np.maximum(smooth, 0.0)

    def _channels(self, counts: np.ndarray) -> np.ndarray:
        """Kept channels, smoothed if asked for; float64, shape (n, kept channel)."""
        counts = self._checked(counts)
        if self.settings.smooth_window:
            counts = self._smoothed(counts)
        return counts[:, self._kept].astype(np.float64)


LOG_SCALE = 0.25
"""log1p(counts) · LOG_SCALE stays within 0…4 up to 10⁷ counts a bin."""

SHARE_SCALE = 8.0
"""sqrt(share of the total) · SHARE_SCALE is about 0.25 for a flat spectrum of 1024 bins."""

ASINH_SCALE = 0.5
"""asinh(significance) · ASINH_SCALE: noise within ±0.5, ten standard deviations 1.5."""

FILTER_REACH_BINS = 12
_FILTER_BLOCK = 64
_PEAK_SIGMA_BINS = 2.08  # 1024 bins give 4.9 bins a FWHM of the grid's detector


@lru_cache(maxsize=1)
def peak_filter() -> np.ndarray:
    """Weights of the matched filter over neighbouring bins, shape (2·FILTER_REACH_BINS + 1,).

    A Gaussian of the grid's resolution less one three times as wide: constant and linear
    backgrounds give zero.
    """
    at = np.arange(-FILTER_REACH_BINS, FILTER_REACH_BINS + 1) / _PEAK_SIGMA_BINS
    peak, around = np.exp(-0.5 * at**2), np.exp(-0.5 * (at / 3.0) ** 2)
    return peak / peak.sum() - around / around.sum()


@lru_cache(maxsize=1)
def _filter_matrix() -> torch.Tensor:
    """The filter and its square as a matrix: (window, 2·block), float32."""
    weights = peak_filter()
    matrix = np.zeros((_FILTER_BLOCK + 2 * FILTER_REACH_BINS, 2 * _FILTER_BLOCK))
    for column in range(_FILTER_BLOCK):
        rows = slice(column, column + weights.size)
        matrix[rows, column] = weights
        matrix[rows, _FILTER_BLOCK + column] = weights**2
    return torch.from_numpy(matrix.astype(np.float32))


@lru_cache(maxsize=64)
def preprocessor(
    settings: PreprocessSettings, calibration: Calibration, n_channels: int
) -> Preprocessor:
    """The :class:`Preprocessor` of these settings; built once, kept."""
    return Preprocessor(settings, calibration, n_channels)
