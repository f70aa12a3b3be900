"""The engine's maps: probabilities, net counts by windows and by fits, components; all cached."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xrfengine.cache import ResultCache, digest
from xrfengine.cube import Cube, ElementMaps, Spectrum
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress, part
from xrfengine.lines import INSTRUMENT_ELEMENTS
from xrfengine.maps.pooling import expand

if TYPE_CHECKING:
    from xrfengine.classifier.fit_shapes import Setup
    from xrfengine.classifier.predict import Classifier, OnPartial
    from xrfengine.findings import Identified
    from xrfengine.maps.factors import FactorMaps, FactorSettings
    from xrfengine.maps.fit import FitMaps, Weights
    from xrfengine.maps.normalise import By, Monitor
    from xrfengine.store import Tiles

Method = Literal["probability", "roi", "fit"]

COARSE_PX = (10, 5)
"""Regions of the maps that are shown until finer ones are ready; tiles hold their sums."""

_SMALL_PX = 20
"""Cubes narrower than this have no use for coarser maps."""


def coarser(shape_yx: tuple[int, int], region_px: int) -> tuple[int, ...]:
    """Sizes of regions worth showing before maps of ``region_px``, coarsest first."""
    if min(shape_yx) < _SMALL_PX:
        return ()
    return tuple(coarse for coarse in COARSE_PX if coarse > region_px)


def _with(key: str, also: Collection[str]) -> str:
    """The key of a result that holds further elements; the same key if there are none."""
    added = tuple(sorted(set(also)))
    return digest(key, "also", added) if added else key


class RegionMaps:
    """Keeps :class:`ElementMaps` on disk with one value a region instead of one a pixel."""

    @staticmethod
    def to_arrays(maps: ElementMaps) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, meta = maps.to_arrays()
        k, shape_yx = maps.region_px, maps.values.shape[1:]
        meta["shape_yx"] = list(shape_yx)
        return {**arrays, "values": np.ascontiguousarray(maps.values[:, ::k, ::k])}, meta

    @staticmethod
    def from_arrays(arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> ElementMaps:
        rest = dict(meta)
        shape_yx = tuple(rest.pop("shape_yx", arrays["values"].shape[1:]))
        values = arrays["values"]
        if values.shape[1:] != shape_yx:
            values = expand(values, meta["region_px"], shape_yx)
        return ElementMaps.from_arrays({**arrays, "values": values}, rest)


class MapResults:
    """What :class:`~xrfengine.engine.Engine` can draw of a cube; needs its model and its cache."""

    _results: ResultCache
    classifier: Classifier
    identify: Callable[..., tuple[Identified, ...]]
    _setup: Callable[[Spectrum, Cube | None], Setup]
    _tiles_for: Callable[[Cube, int, CancelToken], Tiles | None]
    instrument_elements: Callable[[Cube], frozenset[str]]

    def maps(
        self,
        cube: Cube,
        method: Method = "probability",
        region_px: int = 1,
        *,
        visible: tuple[int, int, int, int] | None = None,
        on_partial: OnPartial | None = None,
        also: Collection[str] = (),
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> ElementMaps:
        """Maps of all elements, averaged over ``region_px``×``region_px`` pixels; cached.

        ``"probability"``: the classifier's; ``"roi"``: net counts in a window around the main
        line; ``"fit"``: net counts of the main lines by :meth:`fit`, of what the sum holds.

        Parameters
        ----------
        visible : (y0, y1, x0, x1) or None
            Pixels on screen, ends excluded: their probabilities are computed first.
        on_partial : callable or None
            ``on_partial(maps, share)`` is called in this thread with what can be shown until the
            maps asked for are ready: first those of the coarser :data:`COARSE_PX`, each whole and
            cached as if asked for (share 0); then, where the method is ``"probability"``, a few
            times a second maps of the size asked for, whose regions not yet computed show the
            coarser values, with the share of regions that is computed. The final maps are
            returned, not handed over. Nothing is called if they are cached already.
        also : collection of str
            Of the method ``"fit"``: elements to be fitted whether the sum shows them or not.

        Raises
        ------
        Cancelled
            Within about 0.1 s after ``cancel`` was set; what was finished stays cached.
        """
        key, before = self._maps_key(cube, method, region_px, also), None
        if on_partial is not None and not self._results.holds(key):
            for coarse in coarser(cube.shape[:2], region_px):
                before = self.maps(cube, method, coarse, visible=visible, also=also, cancel=cancel)
                cancel.check()
                on_partial(before, 0.0)
        return self._results.get(
            key,
            lambda: self._compute_maps(
                cube, method, region_px, progress, cancel, visible, before, on_partial, also
            ),
            stored=RegionMaps,
            cancel=cancel,
        )

    def maps_at_hand(
        self, cube: Cube, method: Method, region_px: int, also: Collection[str] = ()
    ) -> ElementMaps | None:
        """The maps if they are in memory; never computes, never waits."""
        return self._results.peek(self._maps_key(cube, method, region_px, also))

    def _maps_key(
        self, cube: Cube, method: Method, region_px: int, also: Collection[str] = ()
    ) -> str:
        model = self.classifier.digest if method != "roi" else ""
        key = digest("maps", "counted", cube.digest, method, region_px, model)
        return _with(key, also) if method == "fit" else key

    def _compute_maps(
        self,
        cube: Cube,
        method: Method,
        region_px: int,
        progress: Progress,
        cancel: CancelToken,
        visible: tuple[int, int, int, int] | None = None,
        before: ElementMaps | None = None,
        on_partial: OnPartial | None = None,
        also: Collection[str] = (),
    ) -> ElementMaps:
        if method == "roi":
            from xrfengine.maps.roi import roi_maps

            return roi_maps(
                cube,
                elements=self.classifier.elements,
                region_px=region_px,
                progress=progress,
                cancel=cancel,
            )
        if method == "fit":
            fit = self.fit(cube, region_px, also=also, progress=progress, cancel=cancel)
            return fit.element_maps()
        from xrfengine.classifier.predict import probability_maps

        return probability_maps(
            cube,
            self.classifier,
            region_px,
            tiles=self._tiles_for(cube, region_px, cancel),
            visible=visible,
            before=before,
            on_partial=on_partial,
            progress=progress,
            cancel=cancel,
        )

    def monitor(
        self,
        cube: Cube,
        by: By,
        region_px: int = 1,
        *,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> Monitor:
        """What evens out the cube's maps of counts; cached. See :mod:`xrfengine.maps.normalise`.

        An anode the file does not state is inferred from the scatter in the sum spectrum.
        """
        from xrfengine.maps.normalise import monitor

        def compute() -> Monitor:
            anode = cube.instrument.tube_anode
            if anode is None and by == "scatter":
                found = self.instrument_elements(cube) - frozenset(INSTRUMENT_ELEMENTS)
                anode = next(iter(found), None)
            return monitor(cube, by, region_px, anode=anode, progress=progress, cancel=cancel)

        key = digest("monitor", cube.digest, cube.instrument, by, region_px)
        return self._results.get(key, compute, cancel=cancel)

    def normalised(self, maps: ElementMaps, cube: Cube, by: Monitor) -> ElementMaps:
        """Maps of counts evened out by a :meth:`monitor` of their region size; cached."""
        from xrfengine.maps.normalise import normalised

        key = digest("normalised", cube.digest, cube.instrument, by.unit, maps.kind,
                     maps.region_px, maps.model, maps.elements)  # fmt: skip
        return self._results.get(key, lambda: normalised(maps, by))

    def fit(
        self,
        cube: Cube,
        region_px: int = 1,
        elements: tuple[str, ...] | None = None,
        weights: Weights = "pixel",
        *,
        apart: tuple[str, ...] = (),
        also: Collection[str] = (),
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> FitMaps:
        """Full-spectrum fit of every pixel: net counts, errors, residual, χ²; cached.

        ``elements`` None: those present in the summed spectrum, the tube's own left out, and those
        of ``also``. Kα and Kβ of elements named in ``apart`` are fitted one by one.
        """
        from xrfengine.classifier.fit_basis import basis_of
        from xrfengine.maps.fit import FitMaps, fit_maps

        def compute() -> FitMaps:
            chosen = elements or tuple(
                each.symbol
                for each in self.identify(cube.sum_spectrum, scan=cube)
                if each.present and not each.is_instrument
            )
            chosen = tuple(dict.fromkeys((*chosen, *added)))
            progress(0.01, "Fitting the summed spectrum")
            setup = self._setup(cube.sum_spectrum, cube)
            basis = basis_of(cube.sum_spectrum, chosen or None, setup=setup, apart=apart)
            cancel.check()
            share = part(progress, 0.1, 1.0)
            return fit_maps(cube, basis, weights, region_px, progress=share, cancel=cancel)

        added = tuple(sorted(set(also)))
        key = _with(self._fit_key(cube.digest, region_px, elements, weights), added)
        if apart:
            key = digest(key, "apart", apart)
        return self._results.get(key, compute, stored=FitMaps, cancel=cancel)

    def _fit_key(
        self,
        source: str,
        region_px: int,
        elements: tuple[str, ...] | None = None,
        weights: Weights = "pixel",
    ) -> str:
        return digest("fit", source, region_px, elements, weights, self.classifier.digest)

    def _fit_of(self, maps: ElementMaps, also: Collection[str] = ()) -> FitMaps | None:
        """The fit behind maps of the method ``"fit"``, if it is kept; else None."""
        from xrfengine.maps.fit import FitMaps

        if maps.kind != "fit":
            return None
        key = _with(self._fit_key(maps.source, maps.region_px), also)
        return self._results.find(key, stored=FitMaps)

    def factors(
        self,
        cube: Cube,
        settings: FactorSettings,
        *,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> FactorMaps:
        """Maps of components (PCA, NMF) with their spectra; cached."""
        from xrfengine.maps.factors import FactorMaps, factor_maps

        return self._results.get(
            digest("factors", cube.digest, settings),
            lambda: factor_maps(cube, settings, progress=progress, cancel=cancel),
            stored=FactorMaps,
            cancel=cancel,
        )
