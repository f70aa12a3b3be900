"""PCA and NMF maps: a few component spectra and how much of each a pixel holds.

Components are found on summed regions (at most about twenty thousand), where noise is small, and
every pixel is then described by them. Both see Poisson counts: PCA divides each bin by the root of
its mean first, so that noise is even (Keenan and Kotula, Surf. Interface Anal. 36 (2004) 203);
NMF's pixels are fitted with the weights of the mean spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xrfengine.cube import Cube
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, chunks, no_progress, part
from xrfengine.maps.pooling import block_grid, block_sizes, block_sums, expand

if TYPE_CHECKING:
    import xarray as xr

Method = Literal["pca", "nmf"]

MOST_COMPONENTS = 50
_LEARNED_REGIONS = 20_000
_MOST_BINS = 512
_BLOCK_BYTES = 16 << 20
_TOLERANCE = 1e-4
_ROUNDS, _SETTLED = 20, 1e-5


@dataclass(frozen=True)
class FactorSettings:
    """What :func:`factor_maps` is to find.

    Attributes
    ----------
    method : {"nmf", "pca"}
    n_components : int
        1…50.
    region_px : int
        Side of the regions the maps are made of, k ≥ 1.
    seed : int
        Of the start of NMF.
    max_iter : int
        Most rounds of NMF.
    """

    method: Method = "nmf"
    n_components: int = 8
    region_px: int = 1
    seed: int = 0
    max_iter: int = 300

    def __post_init__(self) -> None:
        if self.method not in ("pca", "nmf"):
            raise SettingsError(f"a factorisation called {self.method!r}", "Choose pca or nmf.")
        if not 1 <= self.n_components <= MOST_COMPONENTS:
            raise SettingsError(
                f"{self.n_components} components", f"Choose between 1 and {MOST_COMPONENTS}."
            )
        if self.region_px < 1 or self.max_iter < 1:
            raise SettingsError(
                f"regions of {self.region_px} pixels and {self.max_iter} rounds",
                "Both must be at least 1.",
            )

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FactorSettings:
        return cls(**values)


@dataclass(frozen=True, eq=False)
class FactorMaps:
    """Maps of components with their spectra; read-only float32.

    Attributes
    ----------
    method : {"pca", "nmf"}
    values : ndarray, shape (component, y, x)
        NMF: counts a pixel that a component gives, ≥ 0. PCA: scores, of even noise: one unit is
        about one standard deviation of counting statistics.
    spectra : ndarray, shape (component, channel)
        NMF: sum 1 over the channels of the fit, ≥ 0. PCA: change of the counts for one unit of
        score.
    mean : ndarray, shape (channel,)
        Counts a pixel at score 0 (PCA); zeros for NMF.
    share : ndarray, shape (component,)
        PCA: share of the variance explained; NMF: share of all counts.
    """

    method: Method
    values: np.ndarray
    spectra: np.ndarray
    mean: np.ndarray
    share: np.ndarray
    region_px: int = 1
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("values", "spectra", "mean", "share"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def to_xarray(self, energy_kev: np.ndarray) -> xr.Dataset:
        """Data set with ``maps`` (component, y, x) and ``spectra`` (component, energy)."""
        import xarray as xr

        units = "counts" if self.method == "nmf" else "standard deviations"
        return xr.Dataset(
            {
                "maps": (("component", "y", "x"), self.values, {"units": units}),
                "spectra": (("component", "energy"), self.spectra),
                "mean": ("energy", self.mean, {"units": "counts"}),
                "share": ("component", self.share, {"units": "1"}),
            },
            {
                "component": np.arange(1, len(self.values) + 1),
                "energy": ("energy", energy_kev, {"units": "keV"}),
            },
            {"method": self.method, "region_px": self.region_px, "cube_digest": self.source},
        )

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays = {name: getattr(self, name) for name in ("values", "spectra", "mean", "share")}
        meta = {"method": self.method, "region_px": self.region_px, "source": self.source}
        return arrays, meta

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> FactorMaps:
        return cls(**arrays, **meta)


def factor_maps(
    cube: Cube,
    settings: FactorSettings | None = None,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> FactorMaps:
    """Component maps of a cube.

    Parameters
    ----------
    cube : Cube
        Never changed; read in blocks of rows.
    settings : FactorSettings or None
        None: eight components by NMF.

    Returns
    -------
    FactorMaps
        PCA: by falling variance, the largest weight of each spectrum positive. NMF: by falling
        counts.

    Raises
    ------
    SettingsError
        If the cube holds fewer regions or bins than components, or no counts.
    Cancelled
    """
    settings = settings or FactorSettings()
    total = np.maximum(cube.sum_spectrum.counts, 0.0)
    if total.sum() <= 0:
        raise SettingsError(f"{cube.name} has no counts", "Choose another cube.")
    starts, stop = _bins(total)
    if min(cube.n_pixels, starts.size) < settings.n_components:
        raise SettingsError(
            f"{settings.n_components} components of {cube.n_pixels} pixels in {starts.size} bins",
            "Choose fewer.",
        )
    share = np.add.reduceat(total[:stop], starts)
    share = np.maximum(share / share.sum(), 1e-9)
    learned_px = 1
    while np.prod(block_grid(cube.shape[:2], learned_px)) > _LEARNED_REGIONS:
        learned_px += 1
    while np.prod(block_grid(cube.shape[:2], learned_px)) < settings.n_components:
        learned_px -= 1
    spectra, pixels = _binned_regions(
        cube, learned_px, starts, stop, part(progress, 0.0, 0.3), cancel
    )
    find = _pca if settings.method == "pca" else _nmf
    estimate, explained = find(spectra / pixels, share, settings, part(progress, 0.3, 0.6), cancel)
    scores = estimate(spectra / pixels).astype(np.float64)
    by, bx = block_grid(cube.shape[:2], settings.region_px)
    values = np.empty((settings.n_components, by, bx), dtype=np.float32)
    sizes = block_sizes(cube.shape[:2], settings.region_px)
    for rows in _row_blocks(cube, settings.region_px):
        cancel.check()
        sums = block_sums(cube.counts, settings.region_px, rows)[..., :stop]
        y = np.add.reduceat(sums, starts, axis=-1, dtype=np.float32)
        y /= sizes[rows, :, None].astype(np.float32)
        found = estimate(y.reshape(-1, starts.size))
        values[:, rows] = found.T.reshape(settings.n_components, -1, bx)
        progress(0.6 + 0.3 * rows.stop / by, "Maps of the components")
    mean = cube.sum_spectrum.mean_counts if settings.method == "pca" else 0.0 * total
    fine = _fine_spectra(cube, learned_px, scores, pixels, mean, cancel)
    if settings.method == "nmf":
        fine = np.maximum(fine, 0.0)
        fine[:, stop:] = 0.0
        size = np.maximum(fine.sum(axis=1, keepdims=True), 1e-30)
        fine /= size
        counts = values.sum(axis=(1, 2), dtype=np.float64)
        explained = counts / max(counts.sum(), 1e-30)
        order = np.argsort(-explained, kind="stable")
        values, fine, explained = values[order], fine[order], explained[order]
    progress(1.0, "Components ready")
    return FactorMaps(
        settings.method,
        expand(values, settings.region_px, cube.shape[:2]),
        fine.astype(np.float32),
        mean.astype(np.float32),
        explained.astype(np.float32),
        int(settings.region_px),
        cube.digest,
    )


def nearest_component(values: np.ndarray, wanted: np.ndarray) -> int:
    """Which component's map, of shape (component, y, x), goes best with another map (y, x).

    By Pearson's correlation over the pixels; a map without contrast goes with none. Counts from 0.
    """
    flat = values.reshape(len(values), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    other = np.ravel(wanted).astype(np.float64)
    other = other - other.mean()
    size = np.linalg.norm(flat, axis=1)
    return int(np.argmax(flat @ other / np.where(size > 0, size, np.inf)))


def _bins(total: np.ndarray) -> tuple[np.ndarray, int]:
    """Even bins over the channels with counts: first channels, and the channel after the last."""
    seen = np.flatnonzero(total > 0)
    first, stop = int(seen[0]), int(seen[-1]) + 1
    width = max(-(-(stop - first) // _MOST_BINS), 1)
    return np.arange(first, stop, width), stop


def _row_blocks(cube: Cube, region_px: int):
    by, bx = block_grid(cube.shape[:2], region_px)
    return chunks(by, max(1, _BLOCK_BYTES // (8 * cube.shape[2] * bx)))


def _binned_regions(cube, region_px, starts, stop, progress, cancel):
    """Summed spectra of regions in bins, float32 (region, bin), and their pixels (region, 1)."""
    by, bx = block_grid(cube.shape[:2], region_px)
    found = np.empty((by, bx, starts.size), dtype=np.float32)
    for rows in _row_blocks(cube, region_px):
        cancel.check()
        sums = block_sums(cube.counts, region_px, rows)[..., :stop]
        found[rows] = np.add.reduceat(sums, starts, axis=-1, dtype=np.float32)
        progress(rows.stop / by, "Summing regions")
    np.maximum(found, 0.0, out=found)
    sizes = block_sizes(cube.shape[:2], region_px).reshape(-1, 1).astype(np.float32)
    return found.reshape(by * bx, starts.size), sizes


def _pca(spectra, share, settings, progress, cancel):
    """An estimator of scores (n, component) from spectra (n, bin), and shares of the variance."""
    from sklearn.decomposition import PCA

    level = np.sqrt(share * spectra.sum(axis=1, dtype=np.float64).mean())
    model = PCA(settings.n_components, svd_solver="covariance_eigh")
    progress(0.1, "Finding components")
    model.fit(spectra / level)
    cancel.check()
    axes = model.components_.astype(np.float64)
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    project = (axes / level).T.astype(np.float32)
    offset = (model.mean_.astype(np.float64) @ axes.T).astype(np.float32)
    return lambda y: y @ project - offset, model.explained_variance_ratio_


def _nmf(spectra, share, settings, progress, cancel):
    """An estimator of counts (n, component) from spectra (n, bin); shares come later."""
    import warnings

    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    from xrfengine.maps.fit_solver import inverse_of, settle_shared

    level = np.sqrt(share).astype(np.float32)
    scaled = spectra / level
    start: dict[str, np.ndarray] = {}
    last = np.inf
    for rounds in chunks(settings.max_iter, _ROUNDS):
        cancel.check()
        model = NMF(
            settings.n_components,
            init="custom" if start else "nndsvda",
            solver="cd",
            max_iter=rounds.stop - rounds.start,
            random_state=settings.seed,
        )
        with warnings.catch_warnings():
            # In parts, so that it can be cancelled: none but the last is meant to converge.
            warnings.simplefilter("ignore", ConvergenceWarning)
            amounts = model.fit_transform(scaled, **start)
        start = {"W": amounts, "H": model.components_}
        progress(rounds.stop / settings.max_iter, "Finding components")
        if last - model.reconstruction_err_ <= _SETTLED * last:
            break
        last = model.reconstruction_err_
    components = model.components_.astype(np.float64) * level
    size = components.sum(axis=1, keepdims=True)
    # A component nothing is left for: keep its place, as a copy of the mean that gets no counts.
    components = np.where(size > 0, components / np.where(size > 0, size, 1.0), share)
    h, scale = inverse_of((components / share) @ components.T)
    estimator = ((components / share).T @ (scale[:, None] * h)).astype(np.float32)

    def estimate(y: np.ndarray) -> np.ndarray:
        found = np.empty((y.shape[0], len(components)), np.float32)
        settle_shared(h, y @ estimator, _TOLERANCE, found)
        return found * scale.astype(np.float32)

    return estimate, np.zeros(settings.n_components)


def _fine_spectra(cube, region_px, scores, pixels, mean, cancel) -> np.ndarray:
    """Spectra of the components on all channels: least squares given the scores of regions."""
    n = scores.shape[1]
    right = np.zeros((n, cube.shape[2]))
    by, bx = block_grid(cube.shape[:2], region_px)
    scores, pixels = scores.reshape(by, bx, n), pixels.reshape(by, bx, 1)
    for rows in _row_blocks(cube, region_px):
        cancel.check()
        sums = block_sums(cube.counts, region_px, rows).astype(np.float32)
        weighted = scores[rows].reshape(-1, n).astype(np.float32)
        right += weighted.T @ sums.reshape(-1, cube.shape[2])
    flat = scores.reshape(-1, n)
    weight = pixels.reshape(-1, 1).astype(np.float64)
    right -= (flat * weight).sum(axis=0)[:, None] * mean
    normal = (flat * weight).T @ flat
    normal[np.arange(n), np.arange(n)] += 1e-9 * max(np.trace(normal), 1e-30)
    return np.linalg.solve(normal, right)
