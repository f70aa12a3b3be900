"""Evidence: what is said of an element must follow from the numbers."""

import json

import numpy as np
import pytest

from xrfengine.classifier.evidence import evidence, explain
from xrfengine.classifier.fit import fit_spectrum
from xrfengine.classifier.fit_shapes import Setup, shapes_of
from xrfengine.cube import Calibration, Instrument, Spectrum
from xrfengine.detector import Detector
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS

CALIBRATION = Calibration(0.0, 0.02)


def mixed(amounts, *, detector=None, calibration=CALIBRATION, pairs=0.0, background=30.0, seed=2):
    """Poisson spectrum of elements in their expected ratios on an even background."""
    setup = Setup(calibration, 1200, detector or Detector.sdd(0.14), None, 40.0)
    shapes = shapes_of(setup)
    rates = np.full(shapes.edges_kev.size - 1, background)
    for element, counts in amounts.items():
        for row in np.flatnonzero(shapes.element == ELEMENTS.index(element)):
            rates += counts * shapes.share[row] * shapes.fine[row]
    if pairs:
        rates = rates + pairs * np.convolve(rates, rates)[: rates.size] / rates.sum()
    counts = np.random.default_rng(seed).poisson(rates).astype(float)
    counts.flags.writeable = False
    return Spectrum(counts, calibration, instrument=Instrument(tube_kv=40.0))


def said(spectrum, reported, asked, **kwargs):
    found = explain(spectrum, reported, {asked: 0.3}, **kwargs)
    return next(e for e in found if e.element == asked)


@pytest.fixture(scope="module")
def leaded():
    return mixed({"Pb": 100_000, "Ca": 20_000, "Fe": 5_000})


def test_arsenic_that_is_lead(leaded):
    arsenic = said(leaded, {"Pb", "Ca", "Fe"}, "As")
    main, beta = arsenic.lines[:2]
    assert (main.name, beta.name) == ("Kα", "Kβ")
    assert beta.state == "absent"
    assert beta.expected > 10 * beta.error > 5 * abs(beta.observed) / 5
    assert arsenic.impostors[0].name == "Pb Lα"
    assert arsenic.impostors[0].share == pytest.approx(1.0, abs=0.15)
    sentence = arsenic.sentence()
    assert sentence.startswith("As not reported: 10.53 keV is explained by Pb Lα; As Kβ at 11.73 ")
    assert "is absent" in sentence
    assert "Pb Lβ at 12.6" in sentence
    assert "is present" in sentence


def test_what_is_there_is_counted(leaded):
    lead, calcium = said(leaded, {"Pb", "Ca", "Fe"}, "Pb"), said(leaded, {"Ca", "Pb"}, "Ca")
    assert [line.name for line in lead.lines[:2]] == ["Lα", "Lβ"]
    assert all(line.state == "present" for line in lead.lines[:2])
    for line in (*lead.lines[:2], *calcium.lines):
        assert abs(line.observed - line.expected) < 5 * line.error + 0.15 * line.expected
    assert lead.sentence().startswith("Pb reported: Pb Lα at 10.54 is present (")
    assert lead.counts == pytest.approx(100_000, rel=0.1)
    assert lead.inseparable == ()


def test_numbers_of_the_sentence_are_those_of_the_lines(leaded):
    iron = said(leaded, {"Fe"}, "Fe")
    main = iron.lines[0]
    assert f"{main.energy_kev:.2f}" in iron.sentence()
    assert f"± {main.error:.0f} counts" in iron.sentence()
    changed = said(mixed({"Fe": 50_000}), {"Fe"}, "Fe")
    assert changed.sentence() != iron.sentence()


def test_arsenic_that_is_there():
    arsenic = said(mixed({"Pb": 40_000, "As": 20_000}), {"Pb", "As"}, "As")
    assert arsenic.reported
    assert {line.name: line.state for line in arsenic.lines}["Kβ"] == "present"
    assert arsenic.z > 10
    assert "of the peak at 10.53 keV is Pb Lα" in arsenic.sentence()


def test_escape_peak_as_impostor():
    # Fe Kα − 1.74 keV lies at 4.66 keV, as La Lα does.
    spectrum = mixed({"Fe": 3_000_000}, background=5.0)
    lanthanum = said(spectrum, {"Fe"}, "La")
    escapes = [i for i in lanthanum.impostors if i.kind == "escape"]
    assert escapes
    assert "escape peak of Fe Kα" in escapes[0].name
    assert escapes[0].energy_kev == pytest.approx(6.40 - 1.74, abs=0.02)
    assert "explained by the escape peak of Fe Kα" in lanthanum.sentence()


def test_sum_peak_as_impostor():
    # Two Ca Kα make 7.38 keV, near Ni Kα at 7.47.
    spectrum = mixed({"Ca": 2_000_000}, background=5.0, pairs=0.01)
    nickel = said(spectrum, {"Ca"}, "Ni")
    assert nickel.impostors[0].kind == "sum"
    assert nickel.impostors[0].name == "the sum peak of two Ca Kα"
    assert nickel.impostors[0].energy_kev == pytest.approx(7.38, abs=0.02)


def test_gas_detector_names_the_group_it_cannot_separate():
    detector, calibration = Detector.gem(0.18), Calibration(0.0, 0.08)
    spectrum = mixed({"Fe": 6_000}, detector=detector, calibration=calibration, background=10.0)
    iron = said(spectrum, {"Fe"}, "Fe")
    assert iron.wide
    assert {"Mn", "Co"} <= set(iron.inseparable)
    assert "this detector cannot separate" in iron.sentence()
    assert "Mn/Fe/Co" in iron.sentence()
    # A silicon detector separates them with the same counts.
    silicon = said(mixed({"Fe": 6_000}, background=10.0), {"Fe"}, "Fe")
    assert silicon.inseparable == ()
    assert not silicon.wide


def test_nothing_there():
    zinc = said(mixed({"Ca": 20_000}), {"Ca"}, "Zn")
    assert zinc.lines[0].state == "unclear"
    assert abs(zinc.lines[0].observed) < 5 * zinc.lines[0].error
    assert zinc.sentence().startswith("Zn not reported: no peak of its own at 8.63 keV (")


def test_element_out_of_range():
    short = mixed({"Ca": 20_000})
    short = Spectrum(short.counts[:300], CALIBRATION, instrument=Instrument(tube_kv=6.0))
    fit = fit_spectrum(short)
    zinc = evidence(fit, "Br", reported=False)
    assert "none of its lines" in zinc.sentence() or zinc.lines


def test_order_and_plain_values(leaded):
    found = explain(leaded, {"Pb", "Ca"}, {"As": 0.5, "Zn": 0.001}, instrument={"Ca"})
    names = [e.element for e in found]
    assert set(names[:2]) == {"Pb", "Ca"}
    assert "As" in names[2:]
    assert "Zn" not in names
    assert next(e for e in found if e.element == "As").probability == 0.5
    assert "tube, air or metal" in next(e for e in found if e.element == "Ca").sentence()
    values = json.loads(json.dumps([e.to_dict() for e in found]))
    assert values[0]["lines"][0]["state"] == "present"
    assert values[0]["sentence"] == found[0].sentence()


def test_fit_at_hand_is_used_and_input_stays(leaded):
    before = np.array(leaded.counts)
    fit = fit_spectrum(leaded)
    again = explain(leaded, {"Pb"}, fit=fit)
    assert again == explain(leaded, {"Pb"}, fit=fit)
    np.testing.assert_array_equal(before, leaded.counts)


def test_unknown_element(leaded):
    with pytest.raises(SettingsError, match="Xx"):
        explain(leaded, {"Xx"}, fit=fit_spectrum(leaded))
