"""The full-spectrum fit, on spectra whose parts are known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from xrfengine.classifier.fit import fit_spectrum, guess_fwhm, guess_setup, refine_setup, select
from xrfengine.classifier.fit_shapes import SHIFT_KNOTS_KEV, Setup, shapes_of, with_scatter
from xrfengine.classifier.fit_solve import fit_bins
from xrfengine.cube import Calibration, Instrument, Spectrum
from xrfengine.detector import Detector
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS

CALIBRATION = Calibration(0.0, 0.02)
N_CHANNELS = 1500
SOME_SETUP = Setup(CALIBRATION, N_CHANNELS, Detector.sdd(0.14), "Rh", 40.0)


def painted(amounts, *, seed=1, background=30.0, setup=None, pairs=0.0, scatter=None):
    """Poisson spectrum of line groups in the expected ratios, on an even background."""
    setup = setup or Setup(CALIBRATION, N_CHANNELS, Detector.sdd(0.14), None, 40.0)
    shapes = shapes_of(setup)
    rates = np.full(shapes.edges_kev.size - 1, background, dtype=float)
    for element, counts in amounts.items():
        for row in np.flatnonzero(shapes.element == ELEMENTS.index(element)):
            rates += counts * shapes.share[row] * shapes.fine[row]
    for name, counts in (scatter or {}).items():
        place = shapes.element.size + shapes.scatter_names.index(name)
        rates += counts * shapes.fine[place]
    assert shapes.block == 1  # one fine bin a channel: rates can be drawn directly
    if pairs:
        total = rates.sum()
        sums = np.convolve(rates, rates)[: rates.size] / total
        rates = rates + pairs * sums
    counts = np.random.default_rng(seed).poisson(rates).astype(float)
    counts.flags.writeable = False
    return Spectrum(counts, setup.calibration, instrument=Instrument(tube_kv=40.0))


AMOUNTS = {"Ca": 30_000, "Fe": 80_000, "Cu": 5_000, "Pb": 20_000}


@pytest.fixture(scope="module")
def mixture():
    return fit_spectrum(painted(AMOUNTS))


def test_net_counts_are_what_was_put_in(mixture):
    for element, true in AMOUNTS.items():
        counts, error = mixture.net_counts(element)
        assert abs(counts - true) < 4 * error + 0.02 * true, element
        assert 0 < error < 0.1 * true


def test_the_elements_put_in_and_no_others_stand_out(mixture):
    assert {e for e, z in mixture.z.items() if z > 6} == set(AMOUNTS)
    assert set(mixture.elements) >= set(AMOUNTS)


def test_model_leaves_noise(mixture):
    assert 0.5 < mixture.solution.chi2 < 1.5
    assert abs(mixture.residual.mean()) < 0.3
    groups = mixture.group_counts("Fe")
    assert groups["Kα"][0] > 5 * groups["Kβ"][0] > 0
    assert sum(n for n, _ in groups.values()) == pytest.approx(mixture.net_counts("Fe")[0])


def test_significance_is_that_of_pure_counting():
    # One weak line on a flat background: z is counts over √background under the peak, and no more.
    spectrum = painted({"Zn": 600}, background=200.0)
    z = fit_spectrum(spectrum, ("Zn",), keep=True).z["Zn"]
    sigma = Detector.sdd(0.14).sigma_kev(8.63) / CALIBRATION.gain_kev
    ideal = 600 * 0.88 / np.sqrt(200.0 * 2 * np.sqrt(np.pi) * sigma)
    assert 0.5 * ideal < z < 1.4 * ideal


def test_absent_elements_scatter_about_zero():
    values = [
        fit_spectrum(painted({"Fe": 3_000}, seed=seed), ("Fe",), keep=True).z["Zn"]
        for seed in range(12)
    ]
    assert abs(np.mean(values)) < 1.2
    assert np.std(values) < 2.5


def test_escape_and_sum_peaks_are_no_elements():
    # 2 × Cu Kα at 16.1 keV and Cu Kα − 1.74 at 6.31 keV, beside Fe Kα at 6.40.
    fit = fit_spectrum(painted({"Cu": 2_000_000}, background=5.0, pairs=0.01))
    assert fit.z["Cu"] > 50
    assert fit.solution.pairs == pytest.approx(0.01, rel=0.3)
    assert all(fit.z[e] < 6 for e in ELEMENTS if e != "Cu"), sorted(fit.z.items())[:5]


def test_arsenic_beside_lead_is_told_by_its_other_lines():
    with_arsenic = fit_spectrum(painted({"Pb": 40_000, "As": 15_000}), ("Pb", "As"), keep=True)
    without = fit_spectrum(painted({"Pb": 40_000}), ("Pb", "As"), keep=True)
    assert with_arsenic.z["As"] > 10
    assert without.z["As"] < 4
    assert min(with_arsenic.z["Pb"], without.z["Pb"]) > 20


def test_energies_and_width_are_refined():
    shifted = Calibration(-0.015, 0.02 * 0.998)
    spectrum = painted(
        AMOUNTS, setup=Setup(CALIBRATION, N_CHANNELS, Detector.sdd(0.155), None, 40.0)
    )
    misread = Spectrum(spectrum.counts, shifted, instrument=spectrum.instrument)
    setup = refine_setup(misread)
    assert setup.detector.fwhm_mn_kev == pytest.approx(0.155, abs=0.006)
    kev = np.array([3.7, 6.4, 8.0, 10.5])
    stated = shifted.at(CALIBRATION.channel(kev))
    found = stated + np.interp(stated, SHIFT_KNOTS_KEV, setup.shifts_kev)
    assert np.abs(found - kev).max() < 0.006


@pytest.mark.parametrize("filter_um", [0.0, 1200.0])
def test_scattered_l_lines_tell_whether_there_is_a_filter(filter_um):
    """A filter takes them away; what stands there is no rhodium of the sample."""
    setup = replace(SOME_SETUP, filter_um=filter_um)
    scatter = {"rayleigh K": 20_000, "compton K 125°": 60_000}
    if not filter_um:
        scatter |= {"rayleigh L3": 5_000, "rayleigh L1+L2": 3_000}
    spectrum = painted({**AMOUNTS, "Zr": 20_000}, setup=setup, scatter=scatter)
    found = refine_setup(spectrum, anode="Rh")
    assert (found.filter_um > 0) == (filter_um > 0)
    shapes = shapes_of(replace(found, filter_um=1200.0))
    chosen = np.array([ELEMENTS.index(e) for e in AMOUNTS])
    assert ELEMENTS.index("Rh") not in select(shapes, spectrum.counts, chosen).elements


def test_many_counts_do_not_make_elements_of_small_errors():
    # A detector with a tail that the model does not know, and 10⁷ counts.
    detector = Detector(**{**Detector.sdd(0.14).to_dict(), "tail_fraction": 0.035, "tail_kev": 0.2})
    setup = Setup(CALIBRATION, N_CHANNELS, detector, None, 40.0)
    fit = fit_spectrum(painted({"Fe": 10_000_000, "Ca": 1_000_000}, setup=setup))
    assert min(fit.z["Fe"], fit.z["Ca"]) > 4 * max(
        z for e, z in fit.z.items() if e not in ("Fe", "Ca")
    )


def test_a_bright_spectrum_is_fitted_to_its_top():
    # A scan's sum: 10⁹ counts, under a detector with a tail that the model does not know.
    detector = Detector(**{**Detector.sdd(0.14).to_dict(), "tail_fraction": 0.035, "tail_kev": 0.2})
    setup = Setup(CALIBRATION, N_CHANNELS, detector, None, 40.0)
    amounts = {"Fe": 200_000_000, "Pb": 700_000_000, "Cu": 50_000_000}
    fit = fit_spectrum(painted(amounts, setup=setup, background=1e5), tuple(amounts), keep=True)
    top = fit.counts > 0.3 * fit.counts.max()
    np.testing.assert_allclose(fit.solution.model[top], fit.counts[top], rtol=0.05)
    for element, true in amounts.items():
        assert fit.net_counts(element)[0] == pytest.approx(true, rel=0.1), element


def test_batched_setup_gives_the_same_and_input_stays():
    spectrum = painted(AMOUNTS)
    before = np.array(spectrum.counts)
    setup = refine_setup(spectrum)
    first = fit_spectrum(spectrum, setup=setup)
    second = fit_spectrum(spectrum, setup=setup)
    np.testing.assert_array_equal(first.z_array, second.z_array)
    np.testing.assert_array_equal(before, spectrum.counts)


def test_resolution_is_guessed_from_peaks():
    for fwhm in (0.125, 0.18):
        setup = Setup(CALIBRATION, N_CHANNELS, Detector.sdd(fwhm), None, 40.0)
        spectrum = painted(AMOUNTS, setup=setup)
        assert guess_fwhm(spectrum.counts, spectrum.energy_kev) == pytest.approx(fwhm, abs=0.03)


def test_a_blank_shows_its_resolution_in_the_rayleigh_peak():
    """A light sample has no fluorescence, and humps of scatter are not a gas detector's peaks."""
    energy = CALIBRATION.at(np.arange(N_CHANNELS))

    def peak(at_kev, sigma_kev, counts):
        shape = np.exp(-0.5 * ((energy - at_kev) / sigma_kev) ** 2)
        return counts * shape / shape.sum()

    detector = Detector.sdd(0.145)
    humps = 2.0 + peak(10.0, 0.4, 4e5) + peak(19.1, 0.35, 3e5)
    rayleigh = peak(20.2, detector.fwhm_kev(20.2) / 2.355, 6e4)
    rng = np.random.default_rng(6)
    assert guess_fwhm(rng.poisson(humps), energy) > 0.45  # taken for a gas detector's
    assert guess_fwhm(rng.poisson(humps + rayleigh), energy) == pytest.approx(0.145, abs=0.05)


def test_empty_and_hopeless_spectra_are_fitted_without_complaint():
    for counts in (np.zeros(512), np.ones(512), np.eye(512)[100] * 3):
        fit = fit_spectrum(Spectrum(counts, Calibration(0.0, 0.04)))
        assert np.isfinite(fit.z_array).all()
        assert not [e for e, z in fit.z.items() if z > 6]


def test_gas_detector_is_recognised():
    setup = Setup(Calibration(0.0, 0.08), 300, Detector.gem(0.18), None, 40.0)
    spectrum = painted({"Ca": 20_000, "Cu": 50_000}, setup=setup)
    assert guess_setup(spectrum).detector.kind == "gem"


def test_unknown_elements_are_named():
    with pytest.raises(SettingsError, match="Xx"):
        fit_spectrum(painted({"Fe": 100}), ("Fe", "Xx"))


def test_shapes_of_some_elements_are_those_of_all():
    every = shapes_of(SOME_SETUP)
    iron = ELEMENTS.index("Fe")
    lead = ELEMENTS.index("Pb")
    some = shapes_of(SOME_SETUP, elements=(iron, lead))
    assert set(some.element) == {iron, lead}
    mine = np.flatnonzero(np.isin(every.element, (iron, lead)))
    np.testing.assert_allclose(some.binned[: mine.size], every.binned[mine], atol=1e-9)
    np.testing.assert_allclose(some.share, every.share[mine])
    assert some.scatter_names == every.scatter_names
    assert shapes_of(SOME_SETUP, elements=()).element.size == 0


def test_scatter_of_another_anode_is_exchanged_alone():
    bare = shapes_of(replace(SOME_SETUP, anode=None))
    silver = shapes_of(replace(SOME_SETUP, anode="Ag"))
    swapped = with_scatter(bare, "Ag", bare.setup.end_kev)
    n = bare.element.size
    assert bare.scatter_names == ()
    assert swapped.setup == silver.setup
    assert swapped.scatter_names == silver.scatter_names
    np.testing.assert_array_equal(swapped.fine[:n], bare.fine)
    scattered = silver.fine[silver.element.size :]
    np.testing.assert_allclose(swapped.fine[n:], scattered, atol=1e-7)
    np.testing.assert_allclose(swapped.binned[n:], silver.to_bins(scattered), atol=1e-6)


def test_a_setup_survives_the_disk():
    setup = replace(
        SOME_SETUP, shifts_kev=tuple(0.001 * i for i in range(8)), detector=Detector.gem(0.18)
    )
    arrays, meta = setup.to_arrays()
    assert Setup.from_arrays(arrays, json.loads(json.dumps(meta))) == setup


def test_marginal_significance_is_that_of_each_elements_groups():
    spectrum = painted(AMOUNTS, setup=SOME_SETUP)
    shapes = shapes_of(SOME_SETUP)
    chosen = np.array([ELEMENTS.index(e) for e in (*AMOUNTS, "Sn")])
    solution = fit_bins(shapes, spectrum.counts, chosen, model_error=0.01)
    for element, z in zip(solution.elements, solution.z, strict=True):
        mine = np.flatnonzero((shapes.element[solution.rows] == element) & (solution.counts > 0))
        value, own = solution.counts[mine], solution.covariance[np.ix_(mine, mine)]
        expected = np.sqrt(value @ np.linalg.solve(own, value)) if mine.size else 0.0
        assert z == pytest.approx(expected)
