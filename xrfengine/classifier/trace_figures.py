"""Figures by which a trace that the search added is judged.

How the peak fits, what is left over around it, what a network that reads every count says of it,
and what that network would say of the peak that the fit puts in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xrfengine.classifier.element_peaks import Peak, free_lines, rendered_peaks
from xrfengine.classifier.fit import MODEL_ERROR, SpectrumFit
from xrfengine.classifier.fit_shapes import Setup, Shapes
from xrfengine.classifier.fit_solve import Solution, fit_bins
from xrfengine.classifier.whole_reading import Reading
from xrfengine.cube import Spectrum
from xrfengine.lines import ELEMENTS, INSTRUMENT_ELEMENTS

FEATURES: tuple[str, ...] = (
    "log-odds of the network that reads all counts",
    "significance",
    "significance before the misfit",
    "misfit under the line",
    "greatest peak left around",
    "share of the counts",
    "another line",
    "log-odds beyond those of the fit's picture",
)
"""In this order on the last axis of :func:`trace_figures`."""

_TELLING_Z = 2.0
"""Expected significance from which another line of the element should be there."""
_UNDER = 0.03  # of an element's highest bin: where its lines are


@dataclass(frozen=True, eq=False)
class Searched:
    """A spectrum after the search.

    Attributes
    ----------
    setup : Setup
        The instrument, refined on what was known.
    shapes : Shapes
    solution : Solution
        The fit with all elements.
    known, added : tuple of str
        Elements that were given, and those that the search added, in their order, as far as they
        are still significant beside all others.
    crowded : Searched or None
        The same with everything proposed to the search in the fit, however weak.
    """

    setup: Setup
    shapes: Shapes
    solution: Solution
    known: tuple[str, ...]
    added: tuple[str, ...]
    crowded: Searched | None = None

    def z(self, element: str) -> float:
        """Marginal significance of an element in the fit."""
        return z_of(self.solution, ELEMENTS.index(element))


def z_of(solution: Solution, element: int) -> float:
    """Marginal significance of an element of ``ELEMENTS`` by its place; 0 if it is not fitted."""
    at = np.flatnonzero(solution.elements == element)
    return float(solution.z[at[0]]) if at.size else 0.0


def trace_figures(
    searched: Searched, spectrum: Spectrum, reading: Reading
) -> tuple[tuple[str, ...], np.ndarray]:
    """Figures of the elements that a search added, without those of tube and air.

    Parameters
    ----------
    reading : Reading
        Of the spectrum, by the network that reads every count.

    Returns
    -------
    elements : tuple of str
        That the reader knows, in the order of the search.
    features : ndarray, shape (element, feature)
    """
    said = reading.said
    not_asked = {*INSTRUMENT_ELEMENTS, searched.setup.anode}
    peaks = {
        element: rendered_peaks(searched.shapes, element)
        for element in searched.added
        if element in said and element not in not_asked
    }
    elements = tuple(element for element, of_it in peaks.items() if of_it)
    if not elements:
        return (), np.zeros((0, len(FEATURES)))
    shapes, solution = searched.shapes, searched.solution
    y = shapes.to_bins(shapes.to_fine(spectrum.counts))
    fit = SpectrumFit(searched.setup, shapes, solution, y)
    # How bad the model is shows only where no misfit eases the variance.
    plain = fit_bins(shapes, spectrum.counts, solution.elements, model_error=MODEL_ERROR)
    pictures = reading.again(np.stack([picture(fit, spectrum, element) for element in elements]))
    names, rows = reading.reader.elements, []
    for element, odds in zip(elements, pictures, strict=True):
        z = max(searched.z(element), 0.1)
        bare = z_of(plain, ELEMENTS.index(element)) / z
        under, left = _left_around(peaks[element], fit, plain)
        share = _share(peaks[element], fit, element)
        rows.append(
            (
                said[element],
                np.log(z),
                np.log(np.clip(bare, 0.5, 10.0)),
                np.log(np.clip(under, 0.1, 50.0)),
                np.log(np.clip(left, 1.0, 30.0)),
                np.log(np.clip(share, 0.003, 1.0)),
                np.arcsinh(0.5 * _another_line(peaks[element], fit, element)),
                said[element] - odds[names.index(element)],
            )
        )
    return elements, np.array(rows)


def picture(fit: SpectrumFit, spectrum: Spectrum, element: str) -> np.ndarray:
    """The spectrum with the fit's model in place of what stands under an element's lines.

    Had the element nothing but its own lines, a network would say the same of both. What only
    stands where a line should be (diffraction, an anode not recognised) it tells from the
    picture; and where it is blind to the element altogether, in a spectrum of a kind it hardly
    knows, it says no more of the picture either.

    Returns
    -------
    ndarray, float64, shape (channel,)
    """
    shapes, model = fit.shapes, fit.solution.model
    own = model - fit.model_without(element)
    counts = np.array(spectrum.counts, dtype=np.float64)
    fine = np.arange(counts.size) // shapes.block
    bins = np.searchsorted(shapes.starts, fine, side="right") - 1
    replaced = np.flatnonzero((fine < shapes.end) & (bins >= 0))
    bins = bins[replaced]
    n_channels = np.bincount(bins, minlength=model.size)
    under = own[bins] > _UNDER * own.max()
    replaced, bins = replaced[under], bins[under]
    # Within a bin counts keep their shares; where there are none, all channels get the same.
    seen = fit.counts[bins]
    factor = model[bins] / np.where(seen > 0, seen, 1.0)
    counts[replaced] = np.where(seen > 0, counts[replaced] * factor, model[bins] / n_channels[bins])
    return np.maximum(counts, 0.0)


def _distance(peak: Peak, fit: SpectrumFit) -> np.ndarray:
    """Of each bin from a peak, in peak widths."""
    energy = peak[0].energy_kev
    return np.abs(fit.shapes.centres_kev - energy) / float(fit.setup.detector.fwhm_kev(energy))


def _left_around(peaks: tuple[Peak, ...], fit: SpectrumFit, plain: Solution) -> tuple[float, float]:
    """Mean χ² of the bins under the main line; greatest peak of its shape left over beside it."""
    distance = _distance(peaks[0], fit)
    chi2 = np.square(fit.counts - plain.model) / plain.variance
    under = distance < 0.8
    template = peaks[0][1]
    top = np.flatnonzero(template > 0.05 * template.max())
    shape = template[top[0] : top[-1] + 1]
    weighted = (fit.counts - plain.model) / plain.variance
    pull = np.convolve(weighted, shape[::-1], "same")
    pull /= np.sqrt(np.convolve(1.0 / plain.variance, np.square(shape)[::-1], "same"))
    beside = (distance > 0.7) & (distance < 6.0)
    return (
        float(chi2[under].mean()) if under.any() else 1.0,
        float(np.abs(pull[beside]).max()) if beside.any() else 1.0,
    )


def _share(peaks: tuple[Peak, ...], fit: SpectrumFit, element: str) -> float:
    """Of the counts under the main line, those that are the element's."""
    under = _distance(peaks[0], fit) < 0.8
    model = fit.solution.model[under].sum()
    return float(1.0 - fit.model_without(element)[under].sum() / model) if model > 0 else 0.0


def _another_line(peaks: tuple[Peak, ...], fit: SpectrumFit, element: str) -> float:
    """Significance of the best line besides the main one, where one is to be expected."""
    found, error = free_lines(fit, element, np.array([template for _, template, _ in peaks]))
    shares = np.array([share for _, _, share in peaks])
    main = peaks[0][0]
    comparable = np.array(
        [
            i > 0 and (line.family == main.family or line.energy_kev > main.energy_kev)
            for i, (line, _, _) in enumerate(peaks)
        ]
    )
    expected = max(float(found[0]), 0.0) / max(shares[0], 1e-3) * shares / error
    told = comparable & (expected >= _TELLING_Z)
    return float(np.where(told, found / error, 0.0).max())
