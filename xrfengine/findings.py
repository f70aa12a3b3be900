"""What is found: from maps and probabilities to elements with share, strength and verdict.

Pure functions over arrays; the engine caches around them, the command line prints them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.cube import Cube, ElementMaps, Spectrum
from xrfengine.jobs import NEVER, CancelToken
from xrfengine.lines import INSTRUMENT_ELEMENTS

if TYPE_CHECKING:
    from xrfengine.classifier.fit_shapes import Setup
    from xrfengine.classifier.predict import Classifier
    from xrfengine.classifier.verify import Verifier
    from xrfengine.cluster import Clustering
    from xrfengine.jobs import NEVER, CancelToken
from xrfengine.maps.fit import FitMaps

_LIMIT = 3.0
"""Standard deviations of the noise from which net counts stand out."""
_SURE = 0.95
"""Mean probability above the threshold from which an element is no borderline case."""
_FAR_LESS = 0.5
_FEW_SHARE = 0.02
"""From this share on nothing is seen in few regions: in a short line scan a single one is more. Of
a thousand pixels that hold nothing of an element, about one is called wrongly."""
_BY_CHANCE = 1e-4
"""Probability of as many touching regions from which they count as scattered: of some 70 elements
one in a hundred scans shows one in a patch by chance."""


@dataclass(frozen=True)
class Found:
    """An element in a set of maps.

    Attributes
    ----------
    share : float
        Share of the pixels at or above the threshold, 0…1.
    strength : float
        Mean value over these pixels, in the unit of the maps.
    is_instrument : bool
        Its lines need not be the sample's: anode or air.
    is_few : bool
        Seen in single regions here and there only (:func:`is_seen_in_few`): each may be a false
        call, or dust, a hot detector channel, an overlap at an edge.
    """

    element: str
    share: float
    strength: float
    is_instrument: bool = False
    is_few: bool = False


@dataclass(frozen=True)
class Identified:
    """What is said of one element in one spectrum.

    Attributes
    ----------
    probability : float
        0…1; of network and fit together where the verification ran, else of the network.
    threshold : float
        Probability from which it counts as present.
    is_instrument : bool
        Its lines need not be the sample's: anode, air, or a trace such as instruments show.
    proposed : float or None
        Of the network alone, where the verification ran.
    """

    symbol: str
    probability: float
    threshold: float
    present: bool
    is_instrument: bool
    proposed: float | None = None


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
    ids : tuple of str
        For each cluster, a digest of its pixels.
    merges : tuple of int
        For each cluster, which of the merges asked for made it; −1: none.
    parts : tuple of tuple of int
        For each cluster, the numbers of those it was merged of; its own, where it was not.
    is_complete : bool
        False while spectra, probabilities and elements are still to come.
    """

    clustering: Clustering
    spectra: tuple[Spectrum, ...]
    probabilities: np.ndarray
    elements: tuple[tuple[str, ...], ...]
    ids: tuple[str, ...] = ()
    merges: tuple[int, ...] = ()
    is_complete: bool = True
    parts: tuple[tuple[int, ...], ...] = ()


def found(
    maps: ElementMaps,
    thresholds: dict[str, float],
    instrument: Iterable[str] = INSTRUMENT_ELEMENTS,
) -> tuple[Found, ...]:
    """Elements at or above their threshold anywhere, by falling share of the area.

    Parameters
    ----------
    thresholds : dict
        Threshold by symbol, in the unit of the maps; every element of the maps needs one.
    instrument : iterable of str
        Elements to mark as the instrument's: the tube's anode, and argon, which is always marked.
    """
    not_the_sample = {*INSTRUMENT_ELEMENTS, *instrument}
    result = []
    k = maps.region_px
    for element, values in zip(maps.elements, maps.values, strict=True):
        above = values >= thresholds[element]
        share = float(above.mean())
        if share > 0:
            strength = float(values[above].mean())
            result.append(
                Found(
                    element,
                    share,
                    strength,
                    element in not_the_sample,
                    is_seen_in_few(above[::k, ::k]),
                )
            )
    return tuple(sorted(result, key=lambda item: (-item.share, -item.strength)))


def is_seen_in_few(above: np.ndarray) -> bool:
    """Whether what is seen may be a false call everywhere: little of the area, and scattered.

    Parameters
    ----------
    above : ndarray of bool, shape (y, x)
        Regions judged each by itself.
    """
    return float(above.mean()) < _FEW_SHARE and is_scattered(above)


def is_scattered(above: np.ndarray) -> bool:
    """Whether single regions here and there show it, no more of them touching than by chance.

    Paint, corrosion and soil lie in patches; false calls of single spectra, each with noise of its
    own, do not. Counted are pairs of regions that touch by side or corner (join counts: Moran,
    J. R. Stat. Soc. B 10 (1948) 243); of randomly placed ones their number is close to Poisson's.

    Parameters
    ----------
    above : ndarray of bool, shape (y, x)
        Regions judged each by itself.
    """
    from scipy.special import pdtrc

    height, width = above.shape
    y, x = np.nonzero(above)
    seen = y.size
    if seen < 2:
        return True
    touching = n_pairs = 0
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        n_pairs += (height - down) * (width - abs(right))
        inside = (y + down < height) & (x + right >= 0) & (x + right < width)
        touching += int(np.count_nonzero(above[y[inside] + down, x[inside] + right]))
    expected = n_pairs * seen * (seen - 1) / (height * width * (height * width - 1))
    return touching == 0 or float(pdtrc(touching - 1, expected)) > _BY_CHANCE


def noise_thresholds(maps: ElementMaps, fit: FitMaps | None = None) -> dict[str, float]:
    """Three standard deviations of the noise of each map of net counts: a detection limit.

    Parameters
    ----------
    fit : FitMaps or None
        The fit that the maps are of: its standard errors say it, by their median over the map.
        None: the deviation is that of the negative net counts, which only noise makes, and the
        limit at least one count; a fit gives none, for its counts are never negative.

    Returns
    -------
    dict
        By symbol, in counts a pixel, above 0.
    """
    result = {}
    for element, values in zip(maps.elements, maps.values, strict=True):
        limit = 0.0 if fit is None else _LIMIT * _median_error(fit, element)
        if limit <= 0.0:
            below = values[values < 0]
            noise = float(np.sqrt(np.mean(below.astype(np.float64) ** 2))) if below.size else 0.0
            limit = max(_LIMIT * noise, 1.0)
        result[element] = limit
    return result


def _median_error(fit: FitMaps, element: str) -> float:
    """Median standard error of an element's best measured line group; 0 if it was not fitted."""
    for name in fit.main:
        place = fit.names.index(name)
        if fit.elements[place] == element:
            return float(np.median(fit.errors[place]))
    return 0.0


def identified(
    classifier: Classifier,
    probabilities: np.ndarray,
    instrument: Iterable[str | None] = (),
    *,
    counts: float | None = None,
    threshold: float | None = None,
    proposed: np.ndarray | None = None,
) -> tuple[Identified, ...]:
    """Verdicts on one spectrum, by falling probability.

    Parameters
    ----------
    probabilities : ndarray, shape (element,)
        In the order of ``classifier.elements``.
    instrument : iterable of str or None
        Elements besides argon whose lines need not be the sample's.
    counts : float or None
        In all, of the spectrum; see :meth:`~xrfengine.classifier.predict.Classifier.thresholds_at`.
    threshold : float or None
        Of the verification, where it ran; None: those of the classifier.
    proposed : ndarray or None, shape (element,)
        What the network alone said, where the verification ran.
    """
    not_the_sample = {*INSTRUMENT_ELEMENTS, *instrument}
    if threshold is None:
        limits = classifier.thresholds_at(counts)
    else:
        limits = np.full(len(classifier.elements), threshold)
    before = [None] * len(limits) if proposed is None else [float(p) for p in proposed]
    rows = zip(classifier.elements, probabilities, limits, before, strict=True)
    verdicts = [
        Identified(
            symbol=symbol,
            probability=float(probability),
            threshold=float(limit),
            present=bool(probability >= limit),
            is_instrument=symbol in not_the_sample,
            proposed=network,
        )
        for symbol, probability, limit, network in rows
    ]
    return tuple(sorted(verdicts, key=lambda item: -item.probability))


def identify(
    classifier: Classifier,
    spectrum: Spectrum,
    verifier: Verifier | None,
    setup: Callable[[], Setup],
    cancel: CancelToken = NEVER,
) -> tuple[Identified, ...]:
    """Classify one spectrum, verify what the network is not sure of, and give verdicts.

    Bright spectra are searched for traces as well, which takes a second or two, where the
    verification has a judge of them. Under electrons the network's verdicts stand.

    Parameters
    ----------
    verifier : Verifier or None
        None lets the network speak alone.
    setup : callable
        Finds the instrument; called only if a fit is needed, for it takes its time.
    """
    from xrfengine.classifier.verify import fit_is_left_out, verify_spectrum

    anode = spectrum.instrument.tube_anode
    if verifier is None:
        counts = np.asarray(spectrum.counts)[None, :]
        alone = classifier.probabilities(counts, spectrum.calibration)
        return identified(classifier, alone[0], (anode,), counts=spectrum.total)
    verified = verify_spectrum(spectrum, classifier, verifier, setup, cancel=cancel)
    if fit_is_left_out(verified.setup):
        return identified(classifier, verified.proposed[0], (anode,), counts=spectrum.total)
    return identified(
        classifier,
        verified.probabilities[0],
        (
            anode,
            None if verified.setup is None else verified.setup.anode,
            *verified.own_elements(classifier.elements),
        ),
        threshold=verifier.threshold,
        proposed=verified.proposed[0],
    )


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
            for item in identified(classifier, row, (anode,), counts=spectrum.total)
            if item.present and not item.is_instrument
        )
        for spectrum, row in zip(spectra, probabilities, strict=True)
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


def most_telling(maps: ElementMaps, found: tuple[Found, ...]) -> str:
    """The element to show first: a sure one, on about half of the area.

    One that is everywhere shows no picture, and one that is hardly anywhere an empty one.
    """
    candidates = [item for item in found if not item.is_instrument]
    if maps.kind == "probability":
        candidates = [item for item in candidates if item.strength >= _SURE] or candidates
    if not candidates:
        return maps.elements[0]
    return max(candidates, key=_contrast).element


def tells_less(element: str, than: str, found: tuple[Found, ...]) -> bool:
    """Whether an element's map shows far less of a picture than another's."""
    contrast = {item.element: _contrast(item) for item in found}
    return contrast.get(element, 0.0) < _FAR_LESS * contrast.get(than, 0.0)


def _contrast(item: Found) -> float:
    return item.share * (1.0 - item.share)
