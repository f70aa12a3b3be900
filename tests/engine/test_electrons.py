"""Electrons told from photons by the spectrum itself."""

from pathlib import Path

import numpy as np
import pytest

from xrfengine.classifier.anode import find_setup, instrument_lines, shows_electrons
from xrfengine.classifier.electrons import continuum, is_by_electrons
from xrfengine.classifier.evaluate import labelled_spectrum, read_labels
from xrfengine.classifier.fit import guess_setup
from xrfengine.cube import Calibration, Instrument, Spectrum

LABELS = Path(__file__).parents[3] / "shared" / "data" / "labels.csv"
CALIBRATION = Calibration(0.0, 0.01)
ENERGY = CALIBRATION.at(np.arange(2048))


def peak(energy_kev, counts):
    sigma = 0.03 + 0.004 * energy_kev
    shape = np.exp(-0.5 * ((ENERGY - energy_kev) / sigma) ** 2)
    return counts * shape / shape.sum()


def measured(rates, **instrument):
    counts = np.random.default_rng(2).poisson(rates).astype(float)
    counts.flags.writeable = False
    return Spectrum(counts, CALIBRATION, instrument=Instrument(**instrument))


def microscope(beam_kev=20.0, soft=100_000, counts=400_000):
    """Bremsstrahlung by Kramers through a thin window, with O, Al, Si, Ca and Fe."""
    kramers = np.clip(beam_kev - ENERGY, 0, None) / np.maximum(ENERGY, 0.1)
    kramers *= np.exp(-((0.9 / np.maximum(ENERGY, 0.1)) ** 3))
    lines = peak(0.525, soft) + peak(1.487, 90_000) + peak(1.74, 150_000)
    return counts * kramers / kramers.sum() + lines + peak(3.69, 50_000) + peak(6.4, 30_000)


def tube():
    """Scattered continuum with its hump, Rh scatter, and lines of a mineral."""
    hump = np.exp(-0.5 * ((ENERGY - 13.0) / 4.0) ** 2)
    hump *= 300_000 / hump.sum()
    lines = peak(1.74, 40_000) + peak(3.69, 200_000) + peak(6.4, 400_000)
    return hump + lines + peak(19.2, 40_000) + 5.0


@pytest.mark.parametrize("beam_kev", [12.0, 15.0, 20.0, 30.0])
def test_a_microscope_is_recognised(beam_kev):
    assert is_by_electrons(measured(microscope(beam_kev)))


def test_a_tube_is_not():
    assert not is_by_electrons(measured(tube()))


def test_few_light_elements_need_a_continuum_that_steepens():
    few = measured(microscope(15.0, soft=15_000))
    assert is_by_electrons(few)
    # The same with the flat top that a harder beam leaves.
    assert not is_by_electrons(measured(microscope(15.0, soft=15_000) + 50.0 * (ENERGY > 9.0)))


def test_doubt_is_for_photons():
    assert not is_by_electrons(measured(microscope() * 1e-3))  # too few counts to say
    assert not is_by_electrons(measured(np.where(ENERGY > 1.0, microscope(), 0.0)))  # thick window
    assert not is_by_electrons(measured(microscope(), tube_anode="Rh"))  # the file knows better
    assert not is_by_electrons(Spectrum(np.zeros(2048), CALIBRATION))
    assert not is_by_electrons(Spectrum(np.ones(16), Calibration(0.0, 0.01)))


def test_a_beam_whose_scatter_ends_the_spectrum_is_of_photons():
    rates = np.where(ENERGY < 14.5, microscope(40.0), 0.0)
    ended = measured(rates + peak(14.0, 200_000))
    assert is_by_electrons(ended)
    assert not shows_electrons(ended, guess_setup(ended))


def test_scale_does_not_matter():
    rates = microscope()
    for factor in (0.1, 10.0, 1e4):
        assert is_by_electrons(measured(rates * factor))


def test_continuum_is_what_is_below_peaks():
    flat = np.full(2048, 10.0)
    found = continuum(flat + peak(8.0, 1e6), ENERGY, 0.01)
    assert found[1] == pytest.approx(1000.0)
    assert found[3] == pytest.approx(1000.0, rel=0.05)
    assert continuum(flat[:500], ENERGY[:500], 0.01)[3:] == [0.0, 0.0, 0.0]


def test_the_setup_has_no_tube():
    spectrum = measured(microscope(), tube_kv=20.0)
    setup, source = find_setup(spectrum)
    assert (setup.excitation, setup.anode, source) == ("electrons", None, "inferred")
    given, _ = find_setup(spectrum, "Rh")
    assert (given.excitation, given.anode) == ("tube", "Rh")
    lines, fit = instrument_lines(spectrum, found=(setup, source))
    assert lines.excitation == "electrons"
    assert "Excited by electrons" in lines.sentence()
    assert not fit.shapes.scatter_names


@pytest.mark.timeout(300)
@pytest.mark.skipif(not LABELS.is_file(), reason="no labelled spectra at ../shared/data")
@pytest.mark.parametrize("domain", ["xray", "sem"])
def test_measured_spectra(domain):
    rows = [r for r in read_labels(LABELS) if (r.domain, r.use) == (domain, "tune")]
    wrong = []
    for row in rows:
        spectrum = labelled_spectrum(row, LABELS.parent)
        if shows_electrons(spectrum, guess_setup(spectrum)) != (domain == "sem"):
            wrong.append(row.file)
    assert len(rows) > 50
    assert len(wrong) <= 0.05 * len(rows), wrong
