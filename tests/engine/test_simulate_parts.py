"""The pieces of the simulator against figures from the literature and hand calculations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from xrfengine.classifier import scatter
from xrfengine.classifier.apparatus import draw_shape_error, draw_stray, own_chance
from xrfengine.classifier.composition import draw_elements, draw_heights, sample_chance
from xrfengine.classifier.excitation import (
    ALL_SHELLS,
    GRID_KEV,
    TABLE_ELEMENTS,
    electron_strengths,
    mono_source,
    tube_source,
)
from xrfengine.classifier.thesis_spectra import (
    N_CHANNELS,
    THESIS_ELEMENTS,
    thesis_calibration,
    thesis_lines,
    thesis_sigma_kev,
    thesis_spectra,
)
from xrfengine.classifier.visibility import Mixture, coarse_bins, significance, visible_labels
from xrfengine.detector import Detector
from xrfengine.lines import ELEMENTS

EDGES = np.linspace(0.0, 40.0, 2001)
CENTRES = 0.5 * (EDGES[1:] + EDGES[:-1])


@pytest.mark.parametrize(
    ("energy_kev", "angle_deg", "expected_kev"),
    [(20.216, 90, 19.45), (20.216, 135, 18.94), (17.48, 90, 16.90), (17.48, 135, 16.52),
     (8.398, 90, 8.26), (8.048, 135, 7.84), (5.415, 90, 5.36)],
)  # fmt: skip
def test_compton_energies(energy_kev, angle_deg, expected_kev):
    assert scatter.compton_kev(energy_kev, angle_deg) == pytest.approx(expected_kev, abs=0.012)


def test_the_tube_ends_at_its_voltage():
    source = tube_source("Rh", 30.0)
    assert not source.continuum[GRID_KEV > 30.0].any()
    assert source.line_kev.max() < 30.0
    step = np.gradient(GRID_KEV)
    assert (source.continuum * step).sum() + source.line_flux.sum() == pytest.approx(1.0)
    # Below its K edge (23.2 keV) rhodium has only L lines.
    assert set(tube_source("Rh", 22.0).line_family) == {"L3", "L1+L2"}


@pytest.mark.parametrize(("anode", "low", "high"), [("Rh", 0.02, 0.2), ("Cu", 0.4, 0.75)])
def test_characteristic_share_at_40_kv(anode, low, high):
    """Ebel's formula behind 125 µm of beryllium: about 11 % (Rh K), 63 % (Cu K)."""
    source = tube_source(anode, 40.0)
    k_lines = sum(
        f for f, family in zip(source.line_flux, source.line_family, strict=True) if family == "K"
    )
    l_lines = sum(source.line_flux) - k_lines
    assert low < k_lines / (1.0 - l_lines) < high


def test_a_filter_hardens_the_beam():
    plain = tube_source("Rh", 40.0)
    filtered = tube_source("Rh", 40.0, filter_material="Al", filter_um=300.0)

    def mean(source):
        return (source.continuum * GRID_KEV**2).sum() / (source.continuum * GRID_KEV).sum()

    assert mean(filtered) > 1.2 * mean(plain)


def test_edges_decide_what_a_beam_excites():
    below, above = mono_source(6.9).shell_strengths(), mono_source(7.4).shell_strengths()
    iron, k = TABLE_ELEMENTS.index("Fe"), ALL_SHELLS.index("K")
    assert below[iron, k] == 0
    assert above[iron, k] > 0
    assert electron_strengths(7.0)[iron, k] == 0
    assert electron_strengths(20.0)[iron, k] > electron_strengths(10.0)[iron, k] > 0


def test_scattered_lines_lie_where_they_must():
    source = tube_source("Rh", 40.0)
    detector = Detector.sdd()
    names, shapes, _ = scatter.scattered_lines(
        source, detector.efficiency, EDGES, detector, 120.0, 0.03
    )
    assert set(names) == {f"{a} {b}" for a in ("rayleigh", "compton") for b in ("K", "L3", "L1+L2")}
    peak = {name: CENTRES[shape.argmax()] for name, shape in zip(names, shapes, strict=True)}
    assert peak["rayleigh K"] == pytest.approx(20.20, abs=0.04)
    assert peak["compton K"] == pytest.approx(scatter.compton_kev(20.2, 120.0), abs=0.1)
    assert peak["rayleigh L3"] == pytest.approx(2.70, abs=0.04)

    def spread(name):
        shape = shapes[names.index(name)]
        return (shape > 0.5 * shape.max()).sum()

    assert spread("compton K") > 2 * spread("rayleigh K")


def test_light_samples_scatter_inelastically():
    light, metal = scatter.MATRICES[0], scatter.MATRICES[-1]
    assert scatter.compton_share(20.0, light[1]) > 0.85
    assert scatter.compton_share(20.0, metal[1]) < 0.5
    assert scatter.scatter_power(10.0, light[0]) > scatter.scatter_power(10.0, metal[0])


@pytest.mark.parametrize("n_channels", [500, 1000, 4000])
@pytest.mark.parametrize("offset_kev", [0.0, -0.95])
def test_sum_peaks_lie_at_the_sum(n_channels, offset_kev):
    gain = 40.0 / n_channels
    energy = offset_kev + gain * np.arange(n_channels)
    sigma = 0.09
    rates = np.zeros((2, n_channels), dtype=np.float32)
    for kev in (6.40, 3.69):
        rates[0] += 1e5 * gain * np.exp(-0.5 * ((energy - kev) / sigma) ** 2)
    total = rates.sum(axis=1)
    sums = scatter.pile_up(rates, offset_kev / gain, np.array([0.01, 0.01], dtype=np.float32))
    assert not sums[1].any()
    for kev, share in ((12.80, 0.25), (7.38, 0.25), (10.09, 0.5)):
        near = np.abs(energy - kev) < 0.6
        mean = (sums[0][near] * energy[near]).sum() / sums[0][near].sum()
        assert mean == pytest.approx(kev, abs=0.02)
        assert sums[0][near].sum() == pytest.approx(0.01 * share * total[0], rel=0.03)
    triple = np.abs(energy - 19.2) < 0.7  # three irons: 0.01²/2 · (1/2)³
    assert sums[0][triple].sum() == pytest.approx(0.5e-4 * 0.125 * total[0], rel=0.05)


def test_elements_are_drawn_as_asked():
    rng = np.random.default_rng(0)
    chosen = draw_elements(400, ELEMENTS, rng, 5)
    assert (chosen.sum(axis=1) == 5).all()
    assert not chosen[:, ELEMENTS.index("Ar")].any()
    free = draw_elements(4000, ELEMENTS, rng)
    assert free.sum(axis=1).min() == 0
    assert free.sum(axis=1).max() == 13
    share = free.mean(axis=0)
    assert share[ELEMENTS.index("Fe")] > 5 * share[ELEMENTS.index("Re")]
    assert np.delete(share, ELEMENTS.index("Ar")).min() > 0.01
    heights = draw_heights(free, rng)
    assert ((heights > 0) == free).all()
    assert heights.max() == 1.0


def _mixture(parts, background, free=None, free_sigma=1e3):
    """One spectrum of elements with one line group each."""
    parts = np.asarray(parts, dtype=np.float32)
    background = np.asarray(background, dtype=np.float32)[None, :]
    n_pairs, n_bins = parts.shape
    centres = np.linspace(1.0, 10.0, n_bins)
    return Mixture(
        total=background + parts.sum(axis=0),
        background=background,
        centres_kev=centres,
        sigma_kev=np.full(n_bins, 0.06),
        pair_spectrum=np.zeros(n_pairs, dtype=np.int64),
        pair_element=np.arange(n_pairs),
        part_pair=np.arange(n_pairs),
        part_counts=parts,
        part_sigma=np.zeros(n_pairs),
        free=np.zeros((1, 0, n_bins), dtype=np.float32) if free is None else free,
        free_sigma=np.full(0 if free is None else free.shape[1], free_sigma),
    )


def _significance(mixture):
    return significance(mixture, model_uncertainty=0.0, offset_sigma_kev=0.0, gain_sigma=0.0)


def _peak(kev, counts, n_bins=180):
    centres = np.linspace(1.0, 10.0, n_bins)
    shape = np.exp(-0.5 * ((centres - kev) / 0.06) ** 2)
    return counts * shape / shape.sum()


def test_a_lone_peak_has_the_significance_of_its_counts():
    """Without background, N counts are √N deviations out; on one, Σ a²/λ."""
    bare, _, _ = _significance(_mixture([_peak(5.0, 400.0)], np.zeros(180)))
    assert bare[0] == pytest.approx(20.0, rel=0.03)
    peak = _peak(5.0, 400.0)
    marginal, alone, _ = _significance(_mixture([peak], np.full(180, 1000.0)))
    expected = np.sqrt((peak**2 / (1000.0 + peak)).sum())
    assert alone[0] == pytest.approx(expected, rel=1e-3)
    assert 0.8 * expected < marginal[0] <= 1.001 * expected


def test_overlap_costs_significance():
    background = np.full(180, 20.0)
    apart, _, _ = _significance(_mixture([_peak(4.0, 500), _peak(6.0, 500)], background))
    near, _, _ = _significance(_mixture([_peak(5.0, 500), _peak(5.03, 500)], background))
    assert near[0] < 0.4 * apart[0]


def test_twins_are_neither_but_a_weak_one_under_a_clear_one_is_absent():
    background = np.full(180, 20.0)
    twins = _significance(_mixture([_peak(5.0, 500), _peak(5.004, 500)], background))
    labels = visible_labels(*twins, z_visible=4.0, z_absent=1.5)
    assert labels.tolist() == [-1, -1]
    # The first has a second line that shows it; the second is lost beneath it.
    clear = _peak(5.0, 5000) + _peak(7.0, 5000)
    labels = visible_labels(
        *_significance(_mixture([clear, _peak(5.004, 60)], background)),
        z_visible=4.0,
        z_absent=1.5,
    )
    assert labels.tolist() == [1, 0]


def test_a_free_scatter_peak_hides_what_lies_beneath():
    background = np.full(180, 50.0)
    beam = _peak(5.0, 3000.0).astype(np.float32)
    mixture = _mixture([_peak(5.02, 400.0)], background + beam, free=beam[None, None, :])
    marginal, alone, _ = _significance(mixture)
    assert alone[0] > 4.0
    assert marginal[0] < 0.6 * alone[0]


def test_soft_photons_pile_up_unnoticed():
    """Two lines of equal counts: with an excess of u below the edge, soft + hard grows by 1 + u."""
    gain = 0.01
    centres = gain * np.arange(1000)
    rates = np.zeros((1, 1000), dtype=np.float32)
    rates[0, [50, 300]] = 1e4
    share = np.array([1e-3], dtype=np.float32)
    plain = scatter.pile_up(rates, 0.0, share)[0]
    unseen = scatter.unseen_pile_up(centres, 3.0, 1.0)
    more = scatter.pile_up(rates, 0.0, share, unseen)[0]
    for channel, expected in ((100, 7.0), (350, 4.0), (600, 1.0)):
        near = slice(channel - 3, channel + 4)
        assert more[near].sum() / plain[near].sum() == pytest.approx(expected, rel=0.02)


def test_an_element_must_exceed_what_the_instrument_shows_of_it():
    background = np.full(180, 50.0)
    own = _peak(5.0, 3000.0).astype(np.float32)
    weak, strong = (
        _significance(
            _mixture([_peak(5.0, n)], background + own, free=own[None, None, :], free_sigma=1.0)
        )[0][0]
        for n in (3000.0, 30_000.0)
    )
    assert weak == pytest.approx(1.0, rel=0.1)
    assert strong > 4.0


def test_no_elements_no_significance():
    mixture = _mixture(np.zeros((0, 180)), np.full(180, 5.0))
    assert all(a.size == 0 for a in _significance(mixture))


def test_coarse_bins_start_at_zero_and_rise():
    first = coarse_bins(EDGES, Detector.sdd().fwhm_kev(CENTRES))
    assert first[0] == 0
    assert (np.diff(first) > 0).all()
    widths = np.diff(EDGES[first])
    assert widths.max() < 0.16
    assert coarse_bins(EDGES[::4], np.full(500, 0.01)).size == 500  # never finer than channels


def test_thesis_spectra_follow_its_recipe():
    rng = np.random.default_rng(1)
    chosen = np.zeros((50, 20), dtype=bool)
    chosen[:, THESIS_ELEMENTS.index("Fe")] = True
    spectra = thesis_spectra(chosen, THESIS_ELEMENTS, rng)
    assert spectra.shape == (50, N_CHANNELS)
    assert spectra.dtype == np.float32
    np.testing.assert_allclose(spectra.max(axis=1), 1.0)
    energy = thesis_calibration().energy_kev(N_CHANNELS)
    assert energy[0] == pytest.approx(0.0, abs=0.004)
    assert energy[-1] == pytest.approx(30.0, abs=0.004)
    top = energy[spectra.argmax(axis=1)]
    assert np.abs(top - 6.40).max() < 0.07
    assert top.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.3)
    escape = spectra[:, np.abs(energy - 3.44) < 0.02].mean(axis=1)
    between = spectra[:, np.abs(energy - 5.0) < 0.02].mean(axis=1)
    assert (escape > between).all()


def test_thesis_width_and_lines():
    assert thesis_sigma_kev(np.array(8.05)) == pytest.approx(np.sqrt(0.00358 * 1.2 * 8.05))
    energies, ratios, escapes = thesis_lines("Ca")
    np.testing.assert_allclose(energies, [3.69, 4.01], atol=0.01)
    assert ratios[0] == 1.0
    assert ratios[1] == pytest.approx(0.126, abs=0.01)
    assert escapes.all()
    assert not thesis_lines("Ag")[2][thesis_lines("Ag")[0] < 3.2].any()
    assert len(THESIS_ELEMENTS) == 20


def test_thesis_blank_is_its_background():
    spectra = thesis_spectra(
        np.zeros((5, 20), dtype=bool), THESIS_ELEMENTS, np.random.default_rng(2)
    )
    assert (np.diff(spectra, axis=1) <= 0).all()


def test_anode_lines_that_a_filter_takes_entirely_leave_no_nonsense():
    source = tube_source("Rh", 40.0)
    soft = np.array([f != "K" for f in source.line_family])
    filtered = dataclasses.replace(source, line_flux=np.where(soft, 5e-324, source.line_flux))
    detector = Detector.sdd()
    names, shapes, energies = scatter.scattered_lines(
        filtered, detector.efficiency, EDGES, detector, 120.0, 0.03
    )
    assert set(names) == {"rayleigh K", "compton K"}
    assert np.isfinite(shapes).all()
    assert np.isfinite(energies).all()


def test_shape_errors_are_small_smooth_and_follow_the_counts():
    rng = np.random.default_rng(4)
    detector = Detector.sdd(0.14)
    rates = 1e5 * np.exp(-0.5 * ((CENTRES - 6.4) / 0.06) ** 2)[None].astype(np.float32)
    rates[:, CENTRES > 20.0] = 0.0
    rates.flags.writeable = False
    sizes = []
    for _ in range(40):
        error = draw_shape_error(EDGES, detector, rng)
        left = error.applied(rates) - rates
        assert (left >= -0.5 * rates).all()
        assert not left[:, CENTRES > 21.0].any()
        near = np.abs(CENTRES - 6.4) < 0.15
        sizes.append(np.abs(left[0, near]).mean() / rates[0, near].mean())
        # No wiggles finer than the detector resolves: neighbouring channels (20 eV) agree.
        assert np.abs(np.diff(error.relative)).max() < 0.5 * np.ptp(error.relative)
    assert 0.001 < np.median(sizes) < 0.01


def test_shape_errors_never_make_counts_negative():
    rng = np.random.default_rng(5)
    rates = rng.poisson(0.3, (6, CENTRES.size)).astype(np.float32)
    for _ in range(10):
        assert (draw_shape_error(EDGES, Detector.sdd(0.16), rng).applied(rates) >= 0).all()


def test_how_often_samples_hold_and_instruments_show_an_element():
    """The rough chances follow what is drawn."""
    rng = np.random.default_rng(0)
    drawn = draw_elements(20_000, ELEMENTS, rng).mean(axis=0)
    told = np.array([sample_chance(e) for e in ELEMENTS])
    common = drawn > 0.05
    assert np.corrcoef(np.log(drawn[common]), np.log(told[common]))[0, 1] > 0.95
    assert np.abs(np.log(told[common] / drawn[common])).max() < 0.6
    assert told[ELEMENTS.index("Ar")] == 0.0
    detector, tube = Detector.sdd(0.14), tube_source("Rh", 40.0)
    shown = [draw_stray(tube, detector, rng) for _ in range(5000)]
    for element in ("Si", "Fe", "Zn", "Mn", "Ag"):
        often = np.mean([element in levels for levels in shown])
        assert own_chance(element) == pytest.approx(often, rel=0.35, abs=0.01)
    assert own_chance("Br") == 0.0
    assert {e for levels in shown for e in levels} == {e for e in ELEMENTS if own_chance(e) > 0}
