"""The engine's maps: probabilities, net counts by windows and by fits, components; all cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from xrfengine.cache import ResultCache, digest
from xrfengine.cube import Cube, ElementMaps, Spectrum
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress, part

if TYPE_CHECKING:
    from xrfengine.classifier.fit_shapes import Setup
    from xrfengine.classifier.predict import Classifier
    from xrfengine.findings import Identified
    from xrfengine.maps.factors import FactorMaps, FactorSettings
    from xrfengine.maps.fit import FitMaps, Weights

Method = Literal["probability", "roi", "fit"]


class MapResults:
    """What :class:`~xrfengine.engine.Engine` can draw of a cube; needs its model and its cache."""

    _results: ResultCache
    classifier: Classifier
    identify: Callable[..., tuple[Identified, ...]]
    _setup: Callable[[Spectrum, Cube | None], Setup]

    def maps(
        self,
        cube: Cube,
        method: Method = "probability",
        region_px: int = 1,
        *,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> ElementMaps:
        """Maps of all elements, averaged over ``region_px``×``region_px`` pixels; cached.

        ``"probability"``: the classifier's; ``"roi"``: net counts in a window around the main
        line; ``"fit"``: net counts of the main lines by :meth:`fit`, of what the sum holds.
        """
        return self._results.get(
            self._maps_key(cube, method, region_px),
            lambda: self._compute_maps(cube, method, region_px, progress, cancel),
            stored=ElementMaps,
        )

    def maps_at_hand(self, cube: Cube, method: Method, region_px: int) -> ElementMaps | None:
        """The maps if they are in memory; never computes, never waits."""
        return self._results.peek(self._maps_key(cube, method, region_px))

    def _maps_key(self, cube: Cube, method: Method, region_px: int) -> str:
        model = self.classifier.digest if method != "roi" else ""
        return digest("maps", cube.digest, method, region_px, model)

    def _compute_maps(
        self, cube: Cube, method: Method, region_px: int, progress: Progress, cancel: CancelToken
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
            return self.fit(cube, region_px, progress=progress, cancel=cancel).element_maps()
        from xrfengine.classifier.predict import probability_maps

        return probability_maps(cube, self.classifier, region_px, progress=progress, cancel=cancel)

    def fit(
        self,
        cube: Cube,
        region_px: int = 1,
        elements: tuple[str, ...] | None = None,
        weights: Weights = "pixel",
        *,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> FitMaps:
        """Full-spectrum fit of every pixel: net counts, errors, residual, χ²; cached.

        ``elements`` None: those present in the summed spectrum, the tube's own left out.
        """
        from xrfengine.classifier.fit_basis import basis_of
        from xrfengine.maps.fit import FitMaps, fit_maps

        def compute() -> FitMaps:
            chosen = elements or tuple(
                each.symbol
                for each in self.identify(cube.sum_spectrum, scan=cube)
                if each.present and not each.is_instrument
            )
            progress(0.01, "Fitting the summed spectrum")
            setup = self._setup(cube.sum_spectrum, cube)
            basis = basis_of(cube.sum_spectrum, chosen or None, setup=setup)
            cancel.check()
            share = part(progress, 0.1, 1.0)
            return fit_maps(cube, basis, weights, region_px, progress=share, cancel=cancel)

        key = digest("fit", cube.digest, region_px, elements, weights, self.classifier.digest)
        return self._results.get(key, compute, stored=FitMaps)

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
        )
