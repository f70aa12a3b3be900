"""Maps of one cube by several methods, each with where it says that an element is present.

Network: probability, present from the element's threshold. Windows: net counts, present from
three standard deviations of the background in the window (IUPAC's detection limit). Fit: net
counts of the element's best measured family, present from three standard errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from xrfengine.classifier.fit_basis import basis_of
from xrfengine.classifier.predict import Classifier, probability_maps
from xrfengine.cube import Cube
from xrfengine.maps.fit import fit_maps
from xrfengine.maps.pooling import block_sizes, block_sums
from xrfengine.maps.roi import roi_maps, roi_window

DETECTION_SIGMA = 3.0


@dataclass(frozen=True, eq=False)
class Mapped:
    """Maps of one method, one value a region.

    Attributes
    ----------
    elements : tuple of str
    values : ndarray, float32, shape (element, by, bx)
        Probability, or net counts a pixel.
    present : ndarray of bool, shape (element, by, bx)
    """

    elements: tuple[str, ...]
    values: np.ndarray
    present: np.ndarray

    def value(self, element: str) -> np.ndarray | None:
        """The map of an element, shape (by, bx); None if the method has none."""
        return self.values[self.elements.index(element)] if element in self.elements else None

    def presence(self, element: str) -> np.ndarray:
        """Where the element is reported, bool, shape (by, bx); nowhere if there is no map."""
        if element in self.elements:
            return self.present[self.elements.index(element)]
        return np.zeros(self.present.shape[1:], dtype=bool)


MapMethod = Callable[[Cube, int], Mapped]
"""A cube and the side of its regions in pixels → maps."""


def map_methods(classifier: Classifier, elements: Sequence[str] | None = None) -> dict:
    """Name → :data:`MapMethod`.

    Parameters
    ----------
    elements : sequence of str or None
        That windows and fit are given; None: all for windows, what the sum shows for the fit.
    """
    return {
        "xrfengine": lambda cube, region_px: by_network(cube, region_px, classifier),
        "ROI windows": lambda cube, region_px: by_windows(cube, region_px, elements),
        "fit": lambda cube, region_px: by_fit(cube, region_px, elements),
    }


def by_network(cube: Cube, region_px: int, classifier: Classifier) -> Mapped:
    """Probability maps and their default thresholds."""
    maps = probability_maps(cube, classifier, region_px)
    values = maps.values[:, ::region_px, ::region_px]
    limits = classifier.thresholds_at(maps.counts_per_region)
    return Mapped(maps.elements, values, values >= limits[:, None, None])


def by_windows(cube: Cube, region_px: int, elements: Sequence[str] | None = None) -> Mapped:
    """Net counts in windows around main lines."""
    maps = roi_maps(cube, elements, region_px)
    values = maps.values[:, ::region_px, ::region_px]
    n_y, n_x, n_channels = cube.shape
    sizes = block_sizes((n_y, n_x), region_px)
    windows = [roi_window(e, cube.calibration, n_channels, cube.instrument) for e in maps.elements]
    present = np.empty(values.shape, dtype=bool)
    for row in range(values.shape[1]):
        sums = block_sums(cube.counts, region_px, slice(row, row + 1))[0]
        for i, window in enumerate(windows):
            gross = sums[:, window.start : window.stop].sum(axis=1, dtype=np.float64)
            net = values[i, row] * sizes[row]
            background = np.maximum(gross - net, 1.0)
            present[i, row] = net >= DETECTION_SIGMA * np.sqrt(background)
    return Mapped(maps.elements, values, present)


def by_fit(cube: Cube, region_px: int, elements: Sequence[str] | None = None) -> Mapped:
    """Net counts of a full-spectrum fit of every region."""
    maps = fit_maps(cube, basis_of(cube.sum_spectrum, elements), "pixel", region_px, threads=1)
    places = [maps.names.index(name) for name in maps.main]
    values = maps.counts[places][:, ::region_px, ::region_px]
    # Errors are of the mean of a region's pixels, as its counts are: their ratio needs no size.
    errors = maps.errors[places][:, ::region_px, ::region_px]
    present = (values > 0) & (values >= DETECTION_SIGMA * errors)
    return Mapped(tuple(maps.elements[place] for place in places), values, present)
