"""What the network that reads every count (*the reader*) says of a bright spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.classifier.fit_figures import log_odds
from xrfengine.classifier.fit_shapes import SHIFT_KNOTS_KEV, Setup
from xrfengine.cube import Calibration, Spectrum

if TYPE_CHECKING:
    from xrfengine.classifier.predict import Classifier

_TOLD_KEV = 1.5, 22.0
"""Between these energies the fit's shifts of the axis are held by lines, more or less."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One spectrum as the reader sees it.

    Attributes
    ----------
    reader : Classifier
        Trained on bright spectra, of which it reads every count.
    calibration : Calibration
        Of the spectrum, refined by the fit, see :func:`refined_axis`.
    said : mapping
        Log-odds of every element that the reader knows.
    """

    reader: Classifier
    calibration: Calibration
    said: Mapping[str, float]

    def again(self, counts: np.ndarray) -> np.ndarray:
        """Log-odds, shape (n, element), of other counts on the same axis, shape (n, channel)."""
        return log_odds(self.reader.probabilities(counts, self.calibration))


def read_whole(spectrum: Spectrum, reader: Classifier, setup: Setup) -> Reading:
    """Have a spectrum read, on the energy axis that the fit refined.

    Where elements differ by less than a peak width, the energies decide: of 2,400 simulated bright
    spectra it finds 0.865 of what is visible on an axis with a fifth of the usual error, 0.849 on
    the axis of the file, at 0.03 false alarms a spectrum.

    Parameters
    ----------
    setup : Setup
        See :func:`~xrfengine.classifier.anode.find_setup`.
    """
    calibration = refined_axis(spectrum.calibration, setup)
    odds = log_odds(reader.probabilities(np.asarray(spectrum.counts)[None], calibration)[0])
    return Reading(reader, calibration, dict(zip(reader.elements, odds.tolist(), strict=True)))


def refined_axis(calibration: Calibration, setup: Setup) -> Calibration:
    """A calibration with the offset and gain that a fit found.

    The fit's shifts bend from knot to knot; where no line holds them they wander, and a straight
    line through all of them is nearer the truth (of 60 simulated bright spectra the error at 10 keV
    is below 9 eV in three of four, 12 eV with the bends, 37 eV without any).
    """
    low, high = _TOLD_KEV
    at = (low <= SHIFT_KNOTS_KEV) & (min(setup.end_kev, high) >= SHIFT_KNOTS_KEV)
    if at.sum() < 2:
        return calibration
    slope, shift = np.polyfit(SHIFT_KNOTS_KEV[at], np.array(setup.shifts_kev)[at], 1).tolist()
    return replace(
        calibration,
        offset_kev=calibration.offset_kev * (1.0 + slope) + shift,
        gain_kev=calibration.gain_kev * (1.0 + slope),
        quadratic_kev=calibration.quadratic_kev * (1.0 + slope),
    )
