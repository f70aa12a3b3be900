"""The engine's maps of single line groups' ratios; from its fits, whose results are cached."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from xrfengine.cube import Cube, Spectrum
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress
from xrfengine.lines import labelled_lines

if TYPE_CHECKING:
    from xrfengine.classifier.fit_shapes import Setup
    from xrfengine.maps.fit import FitMaps
    from xrfengine.maps.ratio import Ratio, RatioMap

_APART_FWHM = 2.0
"""Kα and Kβ closer than this, in widths of a peak, are told apart by their shape alone."""


class LineResults:
    """What :class:`~xrfengine.engine.Engine` can tell of layers."""

    fit: Callable[..., FitMaps]
    _setup: Callable[[Spectrum, Cube | None], Setup]

    def ratios(self, cube: Cube, fit: FitMaps) -> tuple[Ratio, ...]:
        """The ratios that can be mapped: both groups are in the range and fitted."""
        from xrfengine.maps.ratio import ratios_of

        detector = self._setup(cube.sum_spectrum, cube).detector
        low, high = (float(cube.energy_kev[end]) for end in (0, -1))
        apart = []
        for element in dict.fromkeys(filter(None, fit.elements)):
            kev = {line.name: line.energy_kev for line in labelled_lines(element, low, high)}
            if {"Kα", "Kβ"} <= kev.keys():
                gap = kev["Kβ"] - kev["Kα"]
                if gap > _APART_FWHM * float(detector.fwhm_kev(kev["Kβ"])):
                    apart.append(element)
        return ratios_of(fit, apart)

    def ratio_map(
        self,
        cube: Cube,
        ratio: Ratio,
        region_px: int = 1,
        *,
        also: Collection[str] = (),
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> RatioMap:
        """The map of a ratio of line groups, from the fit of every pixel.

        Kα/Kβ asks for a fit of its own, in which that element's Kα and Kβ are free. ``also`` as
        in :meth:`~xrfengine.engine_maps.MapResults.fit`.

        Raises
        ------
        SettingsError
            If one of the groups is not fitted here.
        Cancelled
        """
        from xrfengine.maps.ratio import ratio_map

        apart = (ratio.element,) if ratio.splits_series else ()
        fit = self.fit(cube, region_px, apart=apart, also=also, progress=progress, cancel=cancel)
        return ratio_map(fit, ratio)
