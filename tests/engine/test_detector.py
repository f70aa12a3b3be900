"""Detector response: published widths, escape fractions and efficiencies; nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine.detector import (
    Detector,
    attenuation_cm2_g,
    render_groups,
    render_lines,
    transmission,
)
from xrfengine.errors import SettingsError

EDGES = np.linspace(-0.5, 40.0, 2049)
CENTRES = 0.5 * (EDGES[1:] + EDGES[:-1])


def test_silicon_resolution():
    """A modern detector (60 eV of noise): 87, 106, 132, 149, 167, 210 eV, within 3 %."""
    energy = np.array([1.74, 3.31, 5.895, 8.05, 10.55, 17.48])
    expected = [0.087, 0.106, 0.132, 0.149, 0.167, 0.210]
    np.testing.assert_allclose(Detector.sdd(0.132).fwhm_kev(energy), expected, rtol=0.03)


def test_gas_resolution_grows_with_the_root_of_energy():
    """18 % at 5.9 keV: 0.66 keV at 2.3, 1.24 at 8.05, 1.42 at 10.5."""
    energy = np.array([2.3, 5.895, 8.05, 10.5])
    np.testing.assert_allclose(
        Detector.gem(0.18).fwhm_kev(energy), [0.66, 1.06, 1.24, 1.42], rtol=0.01
    )


def test_resolution_below_the_fano_limit_is_kept_at_manganese():
    detector = Detector.sdd(0.08)
    assert detector.fwhm_kev(5.895) == pytest.approx(0.08, rel=1e-6)
    assert (np.diff(detector.fwhm_kev(np.linspace(0.1, 30, 50))) > 0).all()


@pytest.mark.parametrize(
    ("energy_kev", "percent"),
    [(2.0, 1.67), (2.308, 1.53), (3.314, 1.06), (3.69, 0.91), (4.51, 0.66), (5.895, 0.38),
     (6.40, 0.32), (8.05, 0.18), (10.55, 0.09)],
)  # fmt: skip
def test_silicon_escape_fractions(energy_kev, percent):
    where, fraction = Detector.sdd().escape(energy_kev)
    assert where == pytest.approx(energy_kev - 1.740, abs=1e-3)
    assert 100 * fraction == pytest.approx(percent, abs=0.02)


def test_no_escape_below_the_edge():
    assert Detector.sdd().escape(1.8)[1] == 0
    assert Detector.gem().escape(3.1)[1] == 0


def test_argon_escape():
    where, fraction = Detector.gem().escape(np.array([10.55, 6.40]))
    np.testing.assert_allclose(where, [7.59, 3.44], atol=0.01)
    np.testing.assert_allclose(fraction, 0.119)


def test_efficiency():
    silicon = Detector.sdd()
    assert silicon.efficiency(6.4) > 0.95
    assert 0.25 < silicon.efficiency(20.2) < 0.45
    assert silicon.efficiency(1.04) < silicon.efficiency(1.74)
    # The gas's K edge: twice and more the efficiency just above 3.2 keV.
    gas = Detector.gem()
    assert gas.efficiency(3.3) > 2 * gas.efficiency(3.1)
    assert gas.efficiency(10.5) == pytest.approx(0.02, abs=0.006)


def test_air_transmission():
    """One centimetre passes Al 23 %, Si 39 %, S 66 %, K 85 %."""
    energy = np.array([1.487, 1.740, 2.308, 3.314])
    share = transmission("N156O42Ar1", 1.2e-3, energy)
    np.testing.assert_allclose(share, [0.23, 0.39, 0.66, 0.85], atol=0.03)


def test_attenuation_jumps_at_the_edge():
    below, above = attenuation_cm2_g("Fe", np.array([7.10, 7.12]))
    assert above > 5 * below


@settings(deadline=None)  # the first call loads tables
@given(
    st.lists(st.floats(3.0, 30.0), min_size=1, max_size=8),
    st.floats(0.1, 0.25),
    st.sampled_from(["sdd", "gem"]),
)
def test_rendering_conserves_intensity(energies, fwhm, kind):
    detector = Detector.sdd(fwhm) if kind == "sdd" else Detector.gem(fwhm)
    intensities = np.arange(1.0, len(energies) + 1.0)
    edges = np.linspace(-2.0, 45.0, 1500)
    spectrum = render_lines(np.array(energies), intensities, edges, detector)
    assert (spectrum >= 0).all()
    assert spectrum.sum() == pytest.approx(intensities.sum(), rel=2e-3)


def test_groups_equal_single_ones_and_inputs_stay():
    detector = Detector.sdd()
    groups = [
        (np.array([6.404, 7.058]), np.array([0.88, 0.12])),
        (np.array([10.55]), np.array([3.0])),
        (np.array([]), np.array([])),
    ]
    edges = EDGES.copy()
    for array in (edges, *(a for g in groups for a in g)):
        array.flags.writeable = False
    together = render_groups(groups, edges, detector)
    assert together.dtype == np.float32
    assert together.shape == (3, 2048)
    for row, (energies, intensities) in zip(together, groups, strict=True):
        single = render_lines(energies, intensities, edges, detector)
        np.testing.assert_allclose(row, single, rtol=1e-5, atol=1e-9)
    assert not together[2].any()
    assert render_groups([], edges, detector).shape == (0, 2048)


def test_peak_position_width_and_escape_height():
    detector = Detector("sdd", 0.14, tail_fraction=0.0, shelf_fraction=0.0)
    spectrum = render_lines(np.array([6.40]), np.array([1e6]), EDGES, detector)
    near = np.abs(CENTRES - 6.40) < 0.4
    mean = (spectrum[near] * CENTRES[near]).sum() / spectrum[near].sum()
    assert mean == pytest.approx(6.40, abs=1e-3)
    deviation = np.sqrt((spectrum[near] * (CENTRES[near] - mean) ** 2).sum() / spectrum[near].sum())
    # The channels (20 eV) add their own spread, width²/12.
    expected = np.sqrt(detector.sigma_kev(6.40) ** 2 + (EDGES[1] - EDGES[0]) ** 2 / 12)
    assert deviation == pytest.approx(expected, rel=0.01)
    escape = spectrum[np.abs(CENTRES - 4.66) < 0.3].sum()
    assert escape / spectrum[near].sum() == pytest.approx(0.0032, rel=0.05)


def test_wider_peaks_on_request():
    plain = render_lines(np.array([19.0]), np.ones(1), EDGES, Detector.sdd())
    broad = render_lines(np.array([19.0]), np.ones(1), EDGES, Detector.sdd(), sigma_scale=3.0)
    assert plain.max() == pytest.approx(3 * broad.max(), rel=0.05)


def test_tail_lies_below_the_peak():
    bare = Detector("sdd", 0.13, tail_fraction=0.0, shelf_fraction=0.0, escape_scale=0.0)
    tailed = Detector("sdd", 0.13, tail_fraction=0.1, shelf_fraction=0.02, escape_scale=0.0)
    low = CENTRES < 7.6
    flat = (CENTRES > 1.0) & (CENTRES < 5.0)
    spectra = [render_lines(np.array([8.05]), np.ones(1), EDGES, d) for d in (bare, tailed)]
    assert spectra[0][low].sum() < 1e-3
    assert spectra[1][low].sum() > 0.015
    # 2 % spread over 8.05 keV: half of it between 1 and 5 keV.
    assert spectra[1][flat].sum() == pytest.approx(0.02 * 4.0 / 8.05, rel=0.05)


def test_settings_round_trip_and_are_checked():
    detector = Detector.gem(0.16)
    assert Detector.from_dict(detector.to_dict()) == detector
    assert hash(Detector.sdd()) == hash(Detector.sdd())
    with pytest.raises(SettingsError, match="kind"):
        Detector("hpge")
    with pytest.raises(SettingsError, match="resolution"):
        Detector.sdd(135.0)
    with pytest.raises(SettingsError, match="tail_fraction"):
        Detector(tail_fraction=0.7)
