"""Tube lines and air told from the sample, on spectra whose scatter is known."""

import csv
from pathlib import Path

import numpy as np
import pytest

from xrfengine.classifier.anode import ANODES, _is_cut, beam_energy, find_setup, instrument_lines
from xrfengine.classifier.evaluate import labelled_spectrum, read_labels
from xrfengine.classifier.fit_shapes import Setup, shapes_of
from xrfengine.cube import Calibration, Instrument, Spectrum
from xrfengine.detector import Detector
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS

LABELS = Path(__file__).parents[3] / "shared" / "data" / "labels.csv"
CALIBRATION = Calibration(0.0, 0.02)
DETECTOR = Detector.sdd(0.145)


def scattered(setup, amounts, scatter, *, seed=3, background=20.0):
    """Poisson spectrum of elements and scatter templates on an even background."""
    shapes = shapes_of(setup)
    rates = np.full(shapes.edges_kev.size - 1, background)
    for element, counts in amounts.items():
        for row in np.flatnonzero(shapes.element == ELEMENTS.index(element)):
            rates += counts * shapes.share[row] * shapes.fine[row]
    for index, name in enumerate(shapes.scatter_names):
        rates += scatter.get(name, 0) * shapes.fine[shapes.element.size + index]
    missing = set(scatter) - set(shapes.scatter_names)
    assert not missing, f"{missing} not among {shapes.scatter_names}"
    counts = np.random.default_rng(seed).poisson(rates).astype(float)
    counts.flags.writeable = False
    kv = setup.end_kev if setup.excitation == "tube" else None
    return Spectrum(counts, setup.calibration, instrument=Instrument(tube_kv=kv))


def tube(anode):
    return Setup(CALIBRATION, 2000, DETECTOR, anode, 40.0)


@pytest.mark.parametrize("anode", ["Rh", "Ag", "Mo"])
def test_anode_is_known_by_its_pairs(anode):
    spectrum = scattered(
        tube(anode),
        {"Ca": 20_000, "Fe": 50_000, "Pb": 10_000},
        {"rayleigh K": 4_000, "compton K 125°": 12_000},
    )
    found, fit = instrument_lines(spectrum)
    assert found.anode == anode
    assert found.source == "inferred"
    assert found.elements == (anode,)
    assert f"Anode {anode}" in found.sentence()
    assert found.compton_z > 5
    # Its scatter is no longer mistaken for elements nearby.
    near = {"Nb", "Mo", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn"}
    assert all(fit.z[e] < 6 for e in near)


def test_nothing_scatters_inelastically_alone():
    """A hump where Compton scatter of tungsten would be is none, if its own lines are missing."""
    compton = {"compton L3 125°": 40_000, "compton L1+L2 125°": 40_000}
    sample = {"Ca": 20_000, "Fe": 50_000}
    alone = scattered(tube("W"), sample, compton)
    assert instrument_lines(alone)[0].anode is None
    pairs = compton | {"rayleigh L3": 8_000, "rayleigh L1+L2": 8_000}
    assert instrument_lines(scattered(tube("W"), sample, pairs))[0].anode == "W"


def test_silver_in_the_sample_is_no_anode():
    spectrum = scattered(tube(None), {"Ag": 20_000, "Cu": 50_000}, {})
    found, fit = instrument_lines(spectrum)
    assert found.anode is None
    assert found.source == "unknown"
    assert fit.z["Ag"] > 10
    assert "No scatter" in found.sentence()


def test_given_anode_is_taken():
    spectrum = scattered(tube(None), {"Fe": 20_000}, {})
    found, _ = instrument_lines(spectrum, "Rh")
    assert (found.anode, found.source) == ("Rh", "given")
    assert "as given" in found.sentence()
    assert found.to_dict()["elements"][0] == "Rh"
    stated = Spectrum(spectrum.counts, CALIBRATION, instrument=Instrument(tube_anode="Mo"))
    assert find_setup(stated)[0].anode == "Mo"
    with pytest.raises(SettingsError, match="Xy"):
        instrument_lines(spectrum, "Xy")


def test_argon_of_the_air_is_the_instruments():
    spectrum = scattered(
        tube("Rh"), {"Ar": 2_000, "Fe": 50_000}, {"rayleigh K": 3_000, "compton K 125°": 9_000}
    )
    found, _ = instrument_lines(spectrum)
    assert found.elements == ("Rh", "Ar")
    assert "argon" in found.sentence()


def test_monochromatic_beam():
    setup = Setup(CALIBRATION, 1200, DETECTOR, None, 17.4, excitation="mono")
    spectrum = scattered(
        setup,
        {"Ca": 20_000, "Fe": 50_000},
        {"rayleigh mono": 30_000, "compton mono 105°": 40_000},
        background=2.0,
    )
    assert beam_energy(spectrum) == pytest.approx(17.4, abs=0.05)
    found, fit = instrument_lines(spectrum)
    assert found.excitation == "mono"
    assert found.end_kev == pytest.approx(17.4, abs=0.05)
    assert found.elements == ()
    assert "beam of 17.4" in found.sentence()
    assert fit.z["Mo"] < 6


def test_a_weak_beam_is_known_by_a_peak_where_its_energy_is_stated():
    """Metals scatter little: a fortieth of the highest peak, and noise above it."""
    setup = Setup(CALIBRATION, 1200, DETECTOR, None, 16.0, excitation="mono")
    weak = {"rayleigh mono": 10_000, "compton mono 105°": 6_000}
    counts = scattered(setup, {"Cr": 200_000, "Fe": 400_000}, weak, background=2.0).counts
    stated = Spectrum(counts, CALIBRATION, instrument=Instrument(tube_kv=16.1))
    assert beam_energy(stated) == pytest.approx(16.0, abs=0.03)
    found, _ = find_setup(stated)
    assert (found.excitation, found.anode) == ("mono", None)
    assert found.end_kev == pytest.approx(16.0, abs=0.03)
    # Of a tube of that voltage nothing stands there.
    tube_of = scattered(Setup(CALIBRATION, 1200, DETECTOR, None, 16.0), {"Fe": 400_000}, {})
    assert beam_energy(tube_of) < 8.0


def test_beam_energy_of_nothing():
    assert beam_energy(Spectrum(np.zeros(400), Calibration(0.0, 0.05))) is None


def test_rhodium_at_a_voltage_that_excites_its_l_lines_only():
    setup = Setup(CALIBRATION, 1000, DETECTOR, None, 18.0)
    shapes = shapes_of(setup)
    assert not any(name.startswith("compton K") for name in shapes.scatter_names)
    spectrum = scattered(setup, {"Rh": 9_000, "Ca": 20_000, "Fe": 50_000}, {})
    found, _ = instrument_lines(spectrum)
    assert (found.anode, found.source) == ("Rh", "inferred")
    assert "rare in samples" in found.sentence()


def test_the_anode_is_found_where_the_axis_ends_before_the_tubes_continuum():
    """2048 channels of 10.5 eV hold the scattered Rh Kα, but not the edge that excites them."""
    setup = Setup(Calibration(0.0, 0.0105), 2048, DETECTOR, "Rh", 40.0)
    whole = scattered(
        setup,
        {"Ca": 20_000, "Fe": 50_000},
        {"rayleigh K": 6_000, "compton K 125°": 30_000},
    )
    found, source = find_setup(Spectrum(whole.counts, whole.calibration))
    assert (found.anode, source) == ("Rh", "inferred")
    assert found.end_kev > 23.3
    assert not _is_cut(Spectrum(np.full(3, 50.0), CALIBRATION))  # no room to tell


def test_a_tube_is_no_beam():
    """Compton of Rh Kα is the last strong peak of a light sample, but not where it ends."""
    amounts = {"rayleigh K": 2_000, "compton K 125°": 60_000}
    spectrum = scattered(tube("Rh"), {"Fe": 400, "Cu": 500}, amounts, background=40.0)
    found, _ = instrument_lines(spectrum)
    assert (found.anode, found.excitation) == ("Rh", "tube")


@pytest.mark.timeout(600)
@pytest.mark.skipif(not LABELS.is_file(), reason="no labelled spectra at ../shared/data")
def test_anodes_of_measured_spectra():
    """One spectrum of every instrument and anode: none wrong, most found."""
    with LABELS.open() as file:
        stated = {row["file"]: row["instrument_lines"] for row in csv.DictReader(file)}
    asked, found, wrong = {}, 0, []
    for entry in read_labels(LABELS):
        anode = set(stated[entry.file].split()) & set(ANODES) - {"Cu", "Ni", "Fe", "Cr"}
        if entry.use == "tune" and entry.domain == "xray" and len(anode) == 1:
            asked.setdefault((entry.group, stated[entry.file]), (entry, *anode))
    assert len(asked) > 10
    for entry, anode in asked.values():
        said = find_setup(labelled_spectrum(entry, LABELS.parent))[0].anode
        found += said == anode
        if said not in (anode, None):
            wrong.append((entry.file, anode, said))
    assert not wrong
    assert found >= 0.7 * len(asked)
