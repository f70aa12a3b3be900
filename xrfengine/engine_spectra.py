"""The engine's spectra: maxima, readings with a fit, what a peak can be, windows of energies."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.cache import ResultCache, digest
from xrfengine.cube import Calibration, Cube, Spectrum
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress
from xrfengine.regions import checked_mask

if TYPE_CHECKING:
    from xrfengine.classifier.candidates import Peak
    from xrfengine.classifier.fit_shapes import Setup
    from xrfengine.classifier.predict import Classifier
    from xrfengine.classifier.reading import Reading
    from xrfengine.findings import Identified
    from xrfengine.maps.window import WindowMap
    from xrfengine.store import Tiles


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """A spectrum as the classifier's network is given it.

    Attributes
    ----------
    edges_kev : ndarray, shape (bin + 1,)
    counts : ndarray, shape (bin,)
        Counts in each bin; mode ``thesis``: heights scaled to a maximum of 1.
    significance : ndarray, shape (bin,), or None
        Of a peak at each bin, in standard deviations, where the network is given it.
    is_scaled : bool
        Heights instead of counts.
    """

    edges_kev: np.ndarray
    counts: np.ndarray
    significance: np.ndarray | None
    is_scaled: bool


_FEW = 0.5
"""Share of a peak's counts whose pixels are counted to tell diffraction."""


class SpectrumResults:
    """What :class:`~xrfengine.engine.Engine` can tell of spectra; needs its model and its cache."""

    _results: ResultCache
    _cubes: ResultCache
    classifier: Classifier
    identify: Callable[..., tuple[Identified, ...]]
    instrument_elements: Callable[[Cube], frozenset[str]]
    _setup: Callable[[Spectrum, Cube | None], Setup]
    _tiles_of: Callable[[Cube], Tiles | None]

    def recalibrated(self, cube: Cube, calibration: Calibration) -> Cube:
        """The cube under another energy calibration, one for all users who open it so."""
        if calibration == cube.calibration:
            return cube
        key = digest("recalibrated", cube.digest, calibration)
        return self._cubes.get(key, lambda: cube.recalibrated(calibration))

    def maximum_spectrum(
        self, cube: Cube, mask: np.ndarray | None = None, *, cancel: CancelToken = NEVER
    ) -> Spectrum:
        """The largest count of any pixel in each channel; ``mask`` is bool (y, x), None: all.

        Raises
        ------
        SettingsError
            If the mask does not fit the cube or holds no pixel.
        """
        everywhere = mask is None
        mask = np.ones(cube.shape[:2], bool) if everywhere else checked_mask(cube, mask)
        tiles = self._tiles_of(cube)
        if tiles is not None:
            from xrfengine.store import region_totals

            _, most = region_totals(cube, tiles, mask)
        else:
            most = np.zeros(cube.shape[2])
            for row in np.flatnonzero(mask.any(axis=1)):
                cancel.check()
                np.maximum(most, cube.counts[row][mask[row]].max(axis=0), out=most)
        return cube.spectrum(most, "maximum", 1)

    def reading(
        self,
        spectrum: Spectrum,
        scan: Cube,
        *,
        also: Collection[str] = (),
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> Reading:
        """A spectrum of a scan read: verdicts, and the fit that shows them; kept.

        Elements of ``also`` are fitted whatever the verdict on them is.

        Raises
        ------
        ModelError
            If there is no model.
        """
        from xrfengine.classifier.reading import read_spectrum

        def compute() -> Reading:
            progress(0.1, "Finding the instrument")
            setup = self._setup(scan.sum_spectrum, scan)
            cancel.check()
            progress(0.4, "Asking the model")
            verdicts = self.identify(spectrum, scan=scan)
            cancel.check()
            progress(0.7, "Fitting the spectrum")
            return read_spectrum(
                spectrum,
                [item.symbol for item in verdicts if item.present],
                {item.symbol: item.probability for item in verdicts},
                self.instrument_elements(scan) | {i.symbol for i in verdicts if i.is_instrument},
                setup=setup,
                also=added,
            )

        added = tuple(sorted(set(also)))
        key = digest("reading", scan.digest, spectrum.counts, self.classifier.digest)
        if added:
            key = digest(key, "also", added)
        return self._results.get(key, compute, cancel=cancel)

    def peak(self, reading: Reading, stated_kev: float, scan: Cube | None = None) -> Peak:
        """What the peak at an energy can be, by a reading.

        Parameters
        ----------
        stated_kev : float
            On the energies stated for the spectrum.
        scan : Cube or None
            Where diffraction is a candidate, over how many of its pixels the peak is spread.

        Raises
        ------
        SettingsError
            If the energy lies outside the range that is fitted.
        """
        from xrfengine.classifier.candidates import candidates_at, with_spread

        found = candidates_at(reading, stated_kev)
        if scan is None or all(c.kind != "diffraction" for c in found.candidates):
            return found
        half = 0.5 * float(reading.fit.setup.detector.fwhm_kev(found.energy_kev))
        values = self.window_map(scan, stated_kev - half, stated_kev + half).values.ravel()
        falling = np.cumsum(np.sort(np.maximum(values, 0.0).astype(np.float64))[::-1])
        if falling[-1] <= 0:
            return found
        pixels = (int(np.searchsorted(falling, _FEW * falling[-1])) + 1) / values.size
        return with_spread(found, pixels)

    def network_input(self, spectrum: Spectrum) -> NetworkInput | None:
        """What the network reads of a spectrum; None if the model reads channels as they are.

        Raises
        ------
        ModelError
            If there is no model.
        """
        settings = getattr(self.classifier, "preprocess", None)
        if settings is None:
            return None
        from xrfengine.preprocess import ASINH_SCALE, preprocessor

        made = preprocessor(settings, spectrum.calibration, spectrum.counts.size)
        counts = np.asarray(spectrum.counts, dtype=np.float64)[None]
        features = made(counts)[0].numpy()
        if settings.mode == "thesis":
            return NetworkInput(settings.edges_kev(), features[0], None, True)
        significance = np.sinh(features[3] / ASINH_SCALE) if settings.matched_filter else None
        return NetworkInput(settings.edges_kev(), made.rebinned(counts)[0], significance, False)

    def window_map(
        self,
        cube: Cube,
        low_kev: float,
        high_kev: float,
        *,
        net: bool = True,
        region_px: int = 1,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> WindowMap:
        """Counts per pixel between two energies, see :func:`xrfengine.maps.window.window_map`."""
        from xrfengine.maps.window import window_map

        return window_map(
            cube, low_kev, high_kev, net=net, region_px=region_px, progress=progress, cancel=cancel
        )
