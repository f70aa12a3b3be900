"""What a peak can be, on spectra whose parts are known; and how peaks are named."""

import numpy as np
import pytest

from xrfengine.calibrate import calibration_from_pairs, suggested_pairs
from xrfengine.classifier.candidates import candidates_at
from xrfengine.classifier.fit_shapes import Setup, shapes_of
from xrfengine.classifier.reading import read_spectrum
from xrfengine.cube import Calibration, Instrument, Spectrum
from xrfengine.detector import Detector
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS
from xrfengine.peaks import named_peaks

CALIBRATION = Calibration(0.0, 0.02)
SETUP = Setup(CALIBRATION, 1500, Detector.sdd(0.14), None, 40.0)
AMOUNTS = {"Fe": 3_000_000, "Pb": 800_000, "Ca": 20_000, "Cu": 100_000}


def painted(extra=(), calibration=CALIBRATION):
    shapes = shapes_of(SETUP)
    rates = np.full(shapes.edges_kev.size - 1, 60.0)
    for element, counts in AMOUNTS.items():
        for row in np.flatnonzero(shapes.element == ELEMENTS.index(element)):
            rates += counts * shapes.share[row] * shapes.fine[row]
    energy = CALIBRATION.energy_kev(rates.size)
    for kev, counts in extra:
        peak = np.exp(-0.5 * ((energy - kev) / 0.06) ** 2)
        rates += counts * peak / peak.sum()
    counts = np.random.default_rng(3).poisson(rates).astype(float)
    counts.flags.writeable = False
    return Spectrum(counts, calibration, instrument=Instrument(tube_kv=40.0))


@pytest.fixture(scope="module")
def reading():
    probabilities = {**dict.fromkeys(ELEMENTS, 0.001), **dict.fromkeys(AMOUNTS, 0.99), "As": 0.3}
    spectrum = painted([(16.5, 40_000)])
    return read_spectrum(spectrum, AMOUNTS, probabilities, ["Ar"], setup=SETUP)


def test_a_clear_peak_is_its_line(reading):
    peak = candidates_at(reading, 6.45)
    assert peak.energy_kev == pytest.approx(6.40, abs=0.03)
    best = peak.candidates[0]
    assert (best.kind, best.name, best.is_reported) == ("line", "Fe Kα", True)
    assert best.share > 0.9
    assert peak.sentence() == f"The peak at {peak.energy_kev:.2f} keV is Fe Kα."
    strong = {line.name: line for line in best.lines}
    assert strong["Kβ"].state == "present"
    assert strong["Kα"].observed == pytest.approx(strong["Kα"].expected, rel=0.1)


def test_arsenic_under_lead_comes_second_and_its_missing_line_is_told(reading):
    candidates = {c.element: c for c in candidates_at(reading, 10.53).candidates}
    assert next(iter(candidates)) == "Pb"
    arsenic = candidates["As"]
    assert {line.name: line.state for line in arsenic.lines}["Kβ"] == "absent"
    assert "As Kβ at 11.73 is absent" in arsenic.sentence
    assert abs(arsenic.distance_ev) < 40
    assert arsenic.probability == 0.3


def test_an_escape_peak_is_no_element(reading):
    peak = candidates_at(reading, 4.66)
    best = peak.candidates[0]
    assert (best.kind, best.element) == ("escape", "")
    assert best.name == "the escape peak of Fe Kα"
    assert "Fe Kα at 6.40 is strong" in best.sentence


def test_what_nothing_explains_may_be_diffraction(reading):
    peak = candidates_at(reading, 16.5)
    kinds = [c.kind for c in peak.candidates if c.share > 0.2]
    assert kinds == ["diffraction"]


def test_where_nothing_stands_that_is_told(reading):
    assert not candidates_at(reading, 17.6).is_seen
    assert candidates_at(reading, 17.6).sentence().startswith("No peak stands out at 17.60 keV")
    with pytest.raises(SettingsError, match="outside the range"):
        candidates_at(reading, 29.9999 * 3)


def test_the_curve_follows_the_counts(reading):
    curve = reading.curve
    counts = np.interp(curve.energy_kev, reading.spectrum.energy_kev, reading.spectrum.counts)
    strong = counts > 6_000
    np.testing.assert_allclose(curve.model[strong], counts[strong], rtol=0.12)
    assert (curve.background <= curve.model + 1e-6 * curve.model.max()).mean() > 0.98
    ours = np.abs(curve.residual_kev - 16.5) > 0.4
    assert np.abs(curve.residual[ours]).mean() < 2.0
    assert curve.chi2 > 50 > np.square(curve.residual[ours]).mean(), "the stray peak is told"


def test_peaks_are_named_after_what_puts_most_into_them():
    names = [f"{p.line.element} {p.line.name}" for p in named_peaks(painted(), ("Pb", "As", "Fe"))]
    assert {"Fe Kα", "Fe Kβ", "Pb Lα", "Pb Lβ"} <= set(names)
    assert "As Kα" not in names
    assert names[0] == "Fe Kα"


def test_suggested_pairs_mend_a_calibration():
    off = Calibration(0.03, 0.0199)
    pairs = suggested_pairs(painted(calibration=off), tuple(AMOUNTS))
    assert len(pairs) >= 4
    mended = calibration_from_pairs([(channel, line.energy_kev) for channel, line in pairs])
    channels = CALIBRATION.channel(np.array([3.69, 6.40, 12.6]))
    assert np.abs(mended.at(channels) - [3.69, 6.40, 12.6]).max() < 0.012
