"""Full-spectrum fit of every pixel: net counts of line groups with their standard errors.

Where a window map (:mod:`xrfengine.maps.roi`) counts whatever falls into a window, a fit takes
the spectrum apart: overlapping lines, scatter, sum peaks and background share the counts by
non-negative weighted least squares. Two kinds of weights:

``"shared"``
    one set for all pixels, from the mean spectrum: one normal matrix, three products a block;
``"pixel"``
    those of each pixel's own counts, from the model of the shared fit (one step of Fisher
    scoring, never from the noisy counts themselves, which would bias the amounts downwards).

Spectra are reduced to the bins of the basis, a third of a peak wide: a few hundred.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xrfengine.cube import Cube, ElementMaps
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress
from xrfengine.maps.fit_basis import FitBasis
from xrfengine.maps.pooling import block_grid, block_sizes, block_sums, expand

if TYPE_CHECKING:
    import xarray as xr

Weights = Literal["pixel", "shared"]

_BLOCK_PIXELS = 1024
_TOLERANCE = 1e-4  # standard deviations below 0 that count as 0
_MEAN_SHARE, _MEAN_COUNTS = 0.02, 1.0  # of the mean spectrum in a pixel's expected counts
_LOWEST_SHARE = 1e-4


@dataclass(frozen=True, eq=False)
class FitMaps:
    """Result of a fit of every pixel; all arrays float32.

    Attributes
    ----------
    names, kinds, elements : tuple of str
        Of the components: line groups, scatter and sum peaks; see :class:`FitBasis`.
    main : tuple of str
        The component that stands for each element in :meth:`element_maps`.
    counts : ndarray, shape (component, y, x), ≥ 0
        Net counts a pixel; a k×k region fills its pixels with its mean.
    errors : ndarray, shape (component, y, x)
        Standard errors of these from counting statistics, every component free: what the
        unclipped amount varies by. An upper limit where neighbours rest at zero.
    background : ndarray, shape (y, x)
        Counts a pixel.
    residual : ndarray, shape (y, x)
        Counts a pixel that the model misses, either way: Σ|counts − model| over the bins.
    chi2 : ndarray, shape (y, x)
        Reduced χ² (Pearson's, variance from the model); of the summed spectra in regions. 0
        where a pixel has no counts.
    n_unsettled : int
        Pixels (or regions) whose active set did not settle; their amounts are clipped.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    elements: tuple[str, ...]
    main: tuple[str, ...]
    counts: np.ndarray
    errors: np.ndarray
    background: np.ndarray
    residual: np.ndarray
    chi2: np.ndarray
    weights: Weights = "pixel"
    region_px: int = 1
    source: str = ""
    n_unsettled: int = 0

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __getitem__(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Net counts and standard errors of one component, each of shape (y, x)."""
        if name not in self.names:
            raise SettingsError(
                f"the fit has no component {name!r}", f"Choose one of {', '.join(self.names)}."
            )
        place = self.names.index(name)
        return self.counts[place], self.errors[place]

    def element_maps(self) -> ElementMaps:
        """One map an element: net counts of its best measured line group; kind ``"fit"``."""
        places = [self.names.index(name) for name in self.main]
        return ElementMaps(
            tuple(self.elements[place] for place in places),
            self.counts[places],
            "fit",
            self.region_px,
            self.source,
        )

    def main_errors(self) -> dict[str, np.ndarray]:
        """Standard errors of :meth:`element_maps`, each of shape (y, x), by element."""
        places = [self.names.index(name) for name in self.main]
        return {self.elements[place]: self.errors[place] for place in places}

    def to_xarray(self) -> xr.Dataset:
        """Data set with ``maps`` and ``errors`` (component, y, x) and the maps of quality."""
        import xarray as xr

        plane = ("y", "x")
        counts = {"units": "counts"}
        return xr.Dataset(
            {
                "maps": (("component", *plane), self.counts, {"kind": "fit", **counts}),
                "errors": (
                    ("component", *plane),
                    self.errors,
                    {"long_name": "standard error", **counts},
                ),
                "background": (plane, self.background, counts),
                "residual": (plane, self.residual, {"long_name": "Σ|counts − model|", **counts}),
                "chi2": (plane, self.chi2, {"long_name": "reduced χ²", "units": "1"}),
            },
            {
                "component": list(self.names),
                "element": ("component", list(self.elements)),
                "component_kind": ("component", list(self.kinds)),
                "is_main": ("component", [name in self.main for name in self.names]),
            },
            {
                "weights": self.weights,
                "region_px": self.region_px,
                "cube_digest": self.source,
                "n_unsettled": self.n_unsettled,
            },
        )

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        meta = {name: list(getattr(self, name)) for name in ("names", "kinds", "elements", "main")}
        for name in ("weights", "region_px", "source", "n_unsettled"):
            meta[name] = getattr(self, name)
        return {name: getattr(self, name) for name in _ARRAYS}, meta

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> FitMaps:
        meta = {k: tuple(v) if isinstance(v, list) else v for k, v in meta.items()}
        return cls(**{name: arrays[name] for name in _ARRAYS}, **meta)


_ARRAYS = ("counts", "errors", "background", "residual", "chi2")


def fit_maps(
    cube: Cube,
    basis: FitBasis,
    weights: Weights = "pixel",
    region_px: int = 1,
    *,
    threads: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> FitMaps:
    """Fit every pixel, or every k×k region, with the components of a basis.

    Parameters
    ----------
    cube : Cube
        Counts; never changed, and read in blocks of rows.
    basis : FitBasis
    weights : {"pixel", "shared"}
    region_px : int
        Side of the regions, k ≥ 1: their summed spectra are fitted.
    threads : int or None
        Blocks of rows worked on at a time; None: one a processor. The result does not depend
        on it.

    Returns
    -------
    FitMaps

    Raises
    ------
    SettingsError
        If the bins reach beyond the cube's channels, or ``weights`` is neither.
    Cancelled
    """
    height, width, n_channels = cube.shape
    if basis.stop > n_channels:
        raise SettingsError(
            f"{cube.name} has {n_channels} channels, the fit's bins reach to {basis.stop}",
            "Build the basis for this cube.",
        )
    if weights not in ("pixel", "shared"):
        raise SettingsError(f"weights of the kind {weights!r}", "Choose pixel or shared.")
    by, bx = block_grid((height, width), region_px)
    sizes = block_sizes((height, width), region_px)
    # Sums of products are rounded by how many threads share them, also those all pixels share.
    with _one_blas_thread():
        fitter = _Fitter(basis, basis.to_bins(cube.sum_spectrum.counts), weights)
    shown = basis.of_kind("lines", "scatter", "sums")
    amounts = np.empty((shown.size, by, bx), dtype=np.float32)
    errors = np.empty_like(amounts)
    background, residual, chi2 = (np.empty((by, bx), dtype=np.float32) for _ in range(3))
    behind = basis.of_kind("background")

    def work(rows: slice) -> int:
        cancel.check()
        spectra = block_sums(cube.counts, region_px, rows)
        n_rows, lost = spectra.shape[0], 0
        spectra = spectra.reshape(n_rows * bx, n_channels)
        found = [np.empty((n_rows * bx, basis.n_components), np.float32) for _ in range(2)]
        quality = np.empty((n_rows * bx, 2), np.float32)
        for part in chunks(n_rows * bx, _BLOCK_PIXELS):
            cancel.check()
            lost += fitter(spectra[part], found[0][part], found[1][part], quality[part])
        one = sizes[rows].reshape(-1, 1).astype(np.float32)
        for values, maps in zip(found, (amounts, errors), strict=True):
            values /= one
            maps[:, rows] = values.T[shown].reshape(shown.size, n_rows, bx)
        background[rows] = found[0][:, behind].sum(axis=1).reshape(n_rows, bx)
        residual[rows] = (quality[:, :1] / one).reshape(n_rows, bx)
        chi2[rows] = quality[:, 1].reshape(n_rows, bx)
        return lost

    fitter.warm(cube.counts)
    blocks = list(chunks(by, max(1, _BLOCK_PIXELS // bx)))
    with _one_blas_thread():
        lost = _in_threads(work, blocks, threads or os.cpu_count() or 1, progress, cancel)

    def full(values: np.ndarray) -> np.ndarray:
        return values if region_px == 1 else expand(values, region_px, (height, width))

    return FitMaps(
        tuple(basis.names[i] for i in shown),
        tuple(basis.kinds[i] for i in shown),
        tuple(basis.elements[i] for i in shown),
        basis.main,
        full(amounts),
        full(errors),
        full(background),
        full(residual),
        full(chi2),
        weights,
        int(region_px),
        cube.digest,
        lost,
    )


_limit_lock = threading.Lock()
_limit_users = 0
_limit: Any = None


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    """One thread a matrix product: the blocks are what runs side by side.

    The limit is the process's. Fits may overlap, so the first sets it and the last takes it off.
    """
    global _limit_users, _limit
    from threadpoolctl import threadpool_limits

    with _limit_lock:
        _limit_users += 1
        if _limit_users == 1:
            _limit = threadpool_limits(1, user_api="blas")
    try:
        yield
    finally:
        with _limit_lock:
            _limit_users -= 1
            if _limit_users == 0:
                _limit.restore_original_limits()
                _limit = None


def _in_threads(
    work: Callable[[slice], int],
    blocks: list[slice],
    threads: int,
    progress: Progress,
    cancel: CancelToken,
) -> int:
    """Sum of what the blocks return; the first that fails or is cancelled ends the others."""
    total = 0
    with ThreadPoolExecutor(min(threads, len(blocks)), thread_name_prefix="xrf-fit") as pool:
        futures = [pool.submit(work, block) for block in blocks]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                total += future.result()
                progress(done / len(blocks), "Fitting line groups")
                if done < len(blocks):
                    cancel.check()  # the blocks may all be done by now, but nobody wants them
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return total


class _Fitter:
    """Fits blocks of spectra; what all pixels share is computed once. Thread-safe.

    Parameters
    ----------
    total : ndarray, shape (bin,)
        Summed spectrum of all pixels in the basis's bins.
    """

    def __init__(self, basis: FitBasis, total: np.ndarray, weights: Weights) -> None:
        from xrfengine.maps.fit_solver import inverse_of

        self.basis, self.weights = basis, weights
        x = basis.shapes
        share = np.maximum(total, 0.0) / max(total.sum(), 1e-300)
        # Bins that hardly any pixel has counts in must not decide everything.
        share = np.maximum(share, _LOWEST_SHARE / basis.n_bins)
        share /= share.sum()
        self.share = share.astype(np.float32)
        weight = 1.0 / share
        h, scale = inverse_of((x * weight) @ x.T)
        self.h, self.scale = h, scale.astype(np.float32)
        estimator = (x * weight).T @ (scale[:, None] * h)
        self.estimator = estimator.astype(np.float32)
        self.shapes = x.astype(np.float32)
        # What the free solution takes from each bin, squared: the variance it inherits.
        self.squared = (estimator**2).astype(np.float32)
        if weights == "pixel":
            i, j = np.tril_indices(basis.n_components)
            self.pairs = (x[i] * x[j]).astype(np.float32)

    def warm(self, counts: np.ndarray) -> None:
        """Compile for this type of counts, or load what is compiled, before threads start."""
        few = np.empty((1, self.basis.n_components), np.float32)
        self(counts[0, :1], few, few.copy(), np.empty((1, 2), np.float32))

    def __call__(
        self, spectra: np.ndarray, amounts: np.ndarray, errors: np.ndarray, quality: np.ndarray
    ) -> int:
        """Fit spectra (pixel, channel); fill the other three; number of unsettled pixels."""
        from xrfengine.maps.fit_solver import settle_pixels, settle_shared

        y = self._binned(spectra)
        total = y.sum(axis=1, keepdims=True)
        settled = np.empty_like(amounts)
        lost = settle_shared(self.h, y @ self.estimator, _TOLERANCE, settled)
        np.multiply(settled, self.scale, out=amounts)
        expected, model = self._expected(amounts, total)
        if self.weights == "shared":
            errors[:] = np.sqrt(expected @ self.squared) * self.scale
        else:
            np.reciprocal(expected, out=expected)
            normal = self.pairs @ expected.T
            expected *= y
            right = expected @ self.shapes.T
            lost = settle_pixels(normal, right, _TOLERANCE, amounts, errors)
            expected, model = self._expected(amounts, total)
        model -= y
        quality[:, 0] = np.abs(model).sum(axis=1)
        free = np.maximum(self.basis.n_bins - (amounts > 0).sum(axis=1), 1)
        model *= model
        model /= expected
        quality[:, 1] = np.where(total[:, 0] > 0, model.sum(axis=1) / free, 0.0)
        return lost

    def _expected(self, amounts: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected counts, never 0, and the model; each (pixel, bin).

        The mean spectrum's share keeps bins where the model happens to vanish from a variance of
        nothing.
        """
        model = amounts @ self.shapes
        least = np.maximum(_MEAN_SHARE * total, 0.0) + _MEAN_COUNTS
        return model + least * self.share, model

    def _binned(self, spectra: np.ndarray) -> np.ndarray:
        from xrfengine.maps.fit_solver import bin_counts

        if spectra.dtype.kind not in "iuf" or spectra.dtype == np.float16:
            spectra = spectra.astype(np.float32)
        elif not spectra.dtype.isnative:
            spectra = spectra.astype(spectra.dtype.newbyteorder("="))
        if not spectra.flags.c_contiguous:
            spectra = np.ascontiguousarray(spectra)
        y = np.empty((spectra.shape[0], self.basis.n_bins), dtype=np.float32)
        bin_counts(spectra, self.basis.starts, self.basis.stop, y)
        return y
