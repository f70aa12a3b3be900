"""What is found: from maps and probabilities to elements with share, strength and verdict.

Pure functions over arrays; the engine caches around them, the command line prints them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.cube import Cube, ElementMaps, Spectrum
from xrfengine.lines import INSTRUMENT_ELEMENTS

if TYPE_CHECKING:
    from xrfengine.classifier.predict import Classifier
    from xrfengine.cluster import Clustering


@dataclass(frozen=True)
class Found:
    """An element in a set of maps.

    Attributes
    ----------
    share : float
        Share of the pixels at or above the threshold, 0…1.
    strength : float
        Mean value over these pixels, in the unit of the maps.
    """

    element: str
    share: float
    strength: float


@dataclass(frozen=True)
class Identified:
    """What the classifier says of one element in one spectrum."""

    symbol: str
    probability: float
    threshold: float
    present: bool
    is_instrument: bool


@dataclass(frozen=True, eq=False)
class ClusterResult:
    """Clusters with their accumulated spectra, classified.

    Attributes
    ----------
    spectra : tuple of Spectrum
        Sum spectrum of each cluster, in the order of the labels.
    probabilities : ndarray, float32, shape (cluster, element)
    elements : tuple of tuple of str
        For each cluster the elements present, by falling probability, instrument lines left out.
    """

    clustering: Clustering
    spectra: tuple[Spectrum, ...]
    probabilities: np.ndarray
    elements: tuple[tuple[str, ...], ...]


def found(maps: ElementMaps, thresholds: dict[str, float]) -> tuple[Found, ...]:
    """Elements at or above their threshold anywhere, by falling share of the area.

    Parameters
    ----------
    thresholds : dict
        Threshold by symbol, in the unit of the maps; every element of the maps needs one.
    """
    result = []
    for element, values in zip(maps.elements, maps.values, strict=True):
        above = values >= thresholds[element]
        share = float(above.mean())
        if share > 0:
            result.append(Found(element, share, float(values[above].mean())))
    return tuple(sorted(result, key=lambda item: (-item.share, -item.strength)))


def noise_thresholds(maps: ElementMaps) -> dict[str, float]:
    """Three standard deviations of the noise of each map of net counts, at least one count.

    The deviation is that of the negative net counts, which only noise makes.
    """
    result = {}
    for element, values in zip(maps.elements, maps.values, strict=True):
        below = values[values < 0]
        noise = float(np.sqrt(np.mean(below.astype(np.float64) ** 2))) if below.size else 0.0
        result[element] = max(3.0 * noise, 1.0)
    return result


def identified(
    classifier: Classifier, probabilities: np.ndarray, instrument: Iterable[str | None] = ()
) -> tuple[Identified, ...]:
    """Verdicts on one spectrum, by falling probability.

    Parameters
    ----------
    probabilities : ndarray, shape (element,)
        In the order of ``classifier.elements``.
    instrument : iterable of str or None
        Elements of the tube, besides argon: their lines need not be the sample's.
    """
    not_the_sample = {*INSTRUMENT_ELEMENTS, *instrument}
    rows = zip(classifier.elements, probabilities, classifier.thresholds, strict=True)
    verdicts = [
        Identified(
            symbol=symbol,
            probability=float(probability),
            threshold=float(threshold),
            present=bool(probability >= threshold),
            is_instrument=symbol in not_the_sample,
        )
        for symbol, probability, threshold in rows
    ]
    return tuple(sorted(verdicts, key=lambda item: -item.probability))


def classified_clusters(
    classifier: Classifier, clustering: Clustering, spectra: tuple[Spectrum, ...]
) -> ClusterResult:
    """Classify the accumulated spectrum of every cluster (thesis 3.1.4 and 3.3.2)."""
    if not spectra:
        nothing = np.zeros((0, len(classifier.elements)), np.float32)
        return ClusterResult(clustering, (), nothing, ())
    counts = np.stack([spectrum.counts for spectrum in spectra])
    probabilities = classifier.probabilities(counts, spectra[0].calibration)
    anode = spectra[0].instrument.tube_anode
    elements = tuple(
        tuple(
            item.symbol
            for item in identified(classifier, row, (anode,))
            if item.present and not item.is_instrument
        )
        for row in probabilities
    )
    return ClusterResult(clustering, spectra, probabilities, elements)


def cluster_maps(classifier: Classifier, result: ClusterResult, cube: Cube) -> ElementMaps:
    """The clusters' probabilities painted back over their pixels; 0 where unassigned."""
    # Label -1, unassigned, picks the row of zeros put last.
    nothing = np.zeros((1, len(classifier.elements)), np.float32)
    values = np.vstack([result.probabilities, nothing])[result.clustering.labels]
    return ElementMaps(
        classifier.elements,
        np.ascontiguousarray(np.moveaxis(values, -1, 0), dtype=np.float32),
        "probability",
        source=cube.digest,
        model=classifier.digest,
    )
