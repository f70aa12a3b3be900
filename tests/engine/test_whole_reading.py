"""The reader of bright spectra: on which axis, and what it is shown a second time."""

from dataclasses import replace

import numpy as np
import pytest

from xrfengine.classifier.fit import SpectrumFit
from xrfengine.classifier.fit_shapes import SHIFT_KNOTS_KEV, Setup, shapes_of
from xrfengine.classifier.fit_solve import fit_bins
from xrfengine.classifier.trace_figures import picture
from xrfengine.classifier.whole_reading import read_whole, refined_axis
from xrfengine.cube import Calibration, Spectrum
from xrfengine.detector import Detector
from xrfengine.lines import ELEMENTS

CALIBRATION = Calibration(-0.02, 0.02, 1e-8)
SETUP = Setup(CALIBRATION, 1500, Detector.sdd(0.14), None, 30.0)


class Listens:
    """Keeps what it is asked."""

    elements = ("Fe", "Cu")

    def __init__(self):
        self.asked = []

    def probabilities(self, counts, calibration):
        self.asked.append((np.array(counts), calibration))
        return np.tile([0.9, 0.1], (len(counts), 1))


def shifted(offset_kev, slope, end_kev=30.0):
    shifts = offset_kev + slope * SHIFT_KNOTS_KEV
    return replace(SETUP, shifts_kev=tuple(shifts.tolist()), end_kev=end_kev)


def test_the_axis_follows_the_fit():
    channel = np.arange(1500)
    stated = CALIBRATION.at(channel)
    refined = refined_axis(CALIBRATION, shifted(0.03, -0.002)).at(channel)
    np.testing.assert_allclose(refined, stated + 0.03 - 0.002 * stated, atol=1e-9)
    np.testing.assert_allclose(refined_axis(CALIBRATION, SETUP).at(channel), stated)


def test_shifts_beyond_the_lines_do_not_count():
    """Above the voltage and below 1.5 keV nothing holds them."""
    setup = shifted(0.01, 0.0, end_kev=12.0)
    held = (SHIFT_KNOTS_KEV > 1.0) & (SHIFT_KNOTS_KEV < 12.0)
    wild = np.where(held, setup.shifts_kev, 0.2)
    refined = refined_axis(CALIBRATION, replace(setup, shifts_kev=tuple(wild.tolist())))
    np.testing.assert_allclose(refined.at(300), CALIBRATION.at(300) + 0.01, atol=1e-9)
    assert refined_axis(CALIBRATION, replace(setup, end_kev=2.0)) == CALIBRATION  # one knot


def test_a_spectrum_is_read_on_the_refined_axis():
    counts = np.arange(1500.0)
    counts.flags.writeable = False
    reader, setup = Listens(), shifted(0.02, 0.001)
    reading = read_whole(Spectrum(counts, CALIBRATION), reader, setup)
    reading.again(np.ones((2, 1500)))
    assert [np.shape(asked) for asked, _ in reader.asked] == [(1, 1500), (2, 1500)]
    assert {axis for _, axis in reader.asked} == {refined_axis(CALIBRATION, setup)}
    assert reading.said["Fe"] == pytest.approx(np.log(9.0), abs=1e-3)
    assert reading.said["Cu"] == pytest.approx(-np.log(9.0), abs=1e-3)


@pytest.mark.parametrize("gain_kev", [0.02, 0.005])
def test_the_picture_puts_the_model_where_the_element_stands(gain_kev):
    setup = replace(SETUP, calibration=Calibration(0.0, gain_kev), n_channels=int(30 / gain_kev))
    shapes = shapes_of(setup)
    rates = np.full(setup.n_channels // shapes.block * shapes.block, 5.0)
    for element, amount in (("Fe", 1e5), ("Br", 4e3)):
        for row in np.flatnonzero(shapes.element == ELEMENTS.index(element)):
            fine = amount * shapes.share[row] * shapes.fine[row] / shapes.block
            rates += np.repeat(fine, shapes.block)
    counts = np.random.default_rng(4).poisson(rates).astype(np.float64)
    energy = setup.calibration.at(np.arange(counts.size))
    at_br, at_fe = np.abs(energy - 11.92) < 0.08, np.abs(energy - 6.4) < 0.08
    counts[at_br] *= 2.0  # a peak that is not Br's
    counts.flags.writeable = False
    spectrum = Spectrum(counts, setup.calibration)
    chosen = np.array([ELEMENTS.index("Fe"), ELEMENTS.index("Br")])
    solution = fit_bins(shapes, counts, chosen, model_error=0.01)
    fit = SpectrumFit(setup, shapes, solution, shapes.to_bins(shapes.to_fine(counts)))
    shown = picture(fit, spectrum, "Br")
    assert shown.shape == counts.shape
    np.testing.assert_array_equal(shown[at_fe], counts[at_fe])
    assert not np.allclose(shown[at_br], counts[at_br])
    bins = shapes.to_bins(shapes.to_fine(shown))
    own = solution.model - fit.model_without("Br")
    under = own > 0.03 * own.max()
    np.testing.assert_allclose(bins[under], solution.model[under], rtol=1e-6)
    np.testing.assert_allclose(bins[~under], fit.counts[~under])
