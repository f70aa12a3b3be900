"""One spectrum read: what it is said to hold, and the fit that shows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xrfengine.classifier.evidence import evidence_fit
from xrfengine.classifier.fit import MODEL_ERROR, SpectrumFit
from xrfengine.classifier.fit_shapes import SHIFT_KNOTS_KEV, Setup
from xrfengine.classifier.fit_solve import Solution, fit_bins
from xrfengine.cube import Spectrum


@dataclass(frozen=True, eq=False)
class FitCurve:
    """A fit as it is drawn over its spectrum.

    Attributes
    ----------
    energy_kev : ndarray, shape (n,)
        On the energies stated for the spectrum, about seven a peak width.
    model, background : ndarray, shape (n,)
        Counts a channel of the spectrum.
    residual_kev, residual : ndarray, shape (bin,)
        Counts less model over their standard deviation (counting, and 1 % of the model), about
        three a peak width.
    chi2 : float
        Of the residual, for each degree of freedom.
    """

    energy_kev: np.ndarray
    model: np.ndarray
    background: np.ndarray
    residual_kev: np.ndarray
    residual: np.ndarray
    chi2: float


@dataclass(frozen=True, eq=False)
class Reading:
    """A spectrum with verdicts and fit.

    Attributes
    ----------
    spectrum : Spectrum
    fit : SpectrumFit
        With uncertainties that grow where the model misfits: for evidence.
    reported : frozenset of str
        Elements said to be present.
    probabilities : dict of str to float
        Of every element the classifier knows.
    instrument : frozenset of str
        Elements whose lines the instrument shows by itself.
    """

    spectrum: Spectrum
    fit: SpectrumFit
    reported: frozenset[str]
    probabilities: Mapping[str, float]
    instrument: frozenset[str] = frozenset()

    def true_kev(self, stated_kev: float) -> float:
        """The energy behind one of the spectrum's axis, by the refined calibration."""
        shifts = self.fit.setup.shifts_kev
        return float(stated_kev + np.interp(stated_kev, SHIFT_KNOTS_KEV, shifts))

    @cached_property
    def curve(self) -> FitCurve:
        """The fit to be drawn: least squares whose weights do not follow its misfit."""
        fit = self.fit
        shapes, setup = fit.shapes, fit.setup
        solution = fit_bins(
            shapes, self.spectrum.counts, fit.solution.elements, model_error=MODEL_ERROR,
            start=fit.solution.model,
        )  # fmt: skip
        first, end = int(shapes.starts[0]), shapes.end
        block = shapes.block
        channel = np.arange(first, end) * float(block) + 0.5 * (block - 1)
        model, background = (part[first:end] / block for part in _fine(shapes, solution))
        stated = setup.calibration.at(channel)
        return FitCurve(
            energy_kev=stated,
            model=np.maximum(model, 0.0),
            background=np.maximum(background, 0.0),
            residual_kev=np.interp(shapes.centres_kev, self._true(stated), stated),
            residual=(fit.counts - solution.model) / np.sqrt(solution.variance),
            chi2=solution.chi2,
        )

    def _true(self, stated: np.ndarray) -> np.ndarray:
        return stated + np.interp(stated, SHIFT_KNOTS_KEV, self.fit.setup.shifts_kev)


def _fine(shapes, solution: Solution) -> tuple[np.ndarray, np.ndarray]:
    """Model and background on the fine bins, where the fit knows bins of a third of a peak.

    Lines are rendered finely, the smooth rest is spread; what corrections of the response move is
    spread as the difference to the bins' model.
    """
    edges = shapes.edges_kev
    centres = 0.5 * (edges[1:] + edges[:-1])
    starts = np.append(shapes.starts, shapes.end)
    widths = edges[starts[1:]] - edges[starts[:-1]]
    fine_width = np.diff(edges)

    def spread(binned: np.ndarray) -> np.ndarray:
        return np.interp(centres, shapes.centres_kev, binned / widths) * fine_width

    background = spread(solution.background)
    lines = solution.line_fine
    rest = solution.model - shapes.to_bins(lines) - solution.background
    return lines + background + spread(rest), background


def read_spectrum(
    spectrum: Spectrum,
    reported: Collection[str],
    probabilities: Mapping[str, float],
    instrument: Collection[str] = (),
    *,
    setup: Setup | None = None,
    also: Collection[str] = (),
) -> Reading:
    """Fit a spectrum with what is reported and what is plainly left over.

    Parameters
    ----------
    spectrum : Spectrum
    reported, probabilities, instrument
        As in :class:`Reading`.
    setup : Setup or None
        The instrument, where it was found before: on a scan's sum, for any part of it.
    also : collection of str
        Elements that are fitted, too, though they are not reported.
    """
    fit = evidence_fit(spectrum, {*reported, *also}, probabilities, setup=setup)
    return Reading(spectrum, fit, frozenset(reported), dict(probabilities), frozenset(instrument))
