"""Emission lines: energies and ratios against published values, names, groups by excitation."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine import lines
from xrfengine.errors import SettingsError

# X-ray Data Booklet (LBNL), table 1-2; Kα and Lα as the weighted mean of their doublets.
PUBLISHED_KEV = [
    ("Na", "Kα", 1.041), ("Si", "Kα", 1.740), ("S", "Kα", 2.307), ("K", "Kα", 3.313),
    ("Ca", "Kα", 3.691), ("Ti", "Kα", 4.509), ("Fe", "Kα", 6.399), ("Fe", "Kβ", 7.058),
    ("Cu", "Kα", 8.041), ("Zn", "Kα", 8.631), ("As", "Kα", 10.532), ("As", "Kβ", 11.726),
    ("Sr", "Kα", 14.142), ("Ag", "Kα", 22.103), ("Ag", "Lα", 2.984), ("Sn", "Lα", 3.443),
    ("Sb", "Lα", 3.604), ("Ba", "Lα", 4.465), ("Ba", "Lβ", 4.828), ("W", "Lα", 8.391),
    ("Au", "Lα", 9.705), ("Hg", "Lα", 9.980), ("Pb", "Lα", 10.541), ("Pb", "Lβ", 12.62),
    ("Pb", "Mα", 2.346), ("U", "Lα", 13.60), ("U", "Mα", 3.171),
]  # fmt: skip


@pytest.mark.parametrize(("symbol", "name", "energy_kev"), PUBLISHED_KEV)
def test_energies_agree_with_published_ones(symbol, name, energy_kev):
    line = next(m for m in lines.labelled_lines(symbol, 0.0, 60.0) if m.name == name)
    assert line.energy_kev == pytest.approx(energy_kev, abs=0.012)


@pytest.mark.parametrize(
    ("symbol", "ratio"),
    [("S", 0.062), ("K", 0.116), ("Ca", 0.126), ("Ti", 0.130), ("Fe", 0.134), ("Zn", 0.137),
     ("As", 0.152), ("Sr", 0.178), ("Ag", 0.208), ("Sn", 0.219), ("Ba", 0.238)],
)  # fmt: skip
def test_k_beta_over_k_alpha(symbol, ratio):
    group = lines.line_groups(symbol, 50.0)[0]
    assert group.family == "K"
    alpha = sum(m.weight for m in group.lines if m.name.startswith("Kα"))
    beta = sum(m.weight for m in group.lines if m.name.startswith("Kβ"))
    # xraylib's rates leave a few per cent to lines too weak to be listed.
    assert beta / alpha == pytest.approx(ratio, rel=0.05)


def test_the_71_elements():
    assert len(lines.ELEMENTS) == 71
    assert lines.ELEMENTS[0] == "Na"
    assert lines.ELEMENTS[-1] == "U"
    assert "Ar" in lines.ELEMENTS
    assert not {"Ne", "Kr", "Xe", "Tc", "Pm", "Ra", "Pa"} & set(lines.ELEMENTS)
    assert lines.SYMBOLS[26] == "Fe"
    assert [lines.SYMBOLS.index(e) for e in lines.ELEMENTS] == sorted(
        lines.atomic_number(e) for e in lines.ELEMENTS
    )


@pytest.mark.parametrize("symbol", ["Xx", "", "fe", "n"])
def test_an_unknown_element_is_named(symbol):
    with pytest.raises(SettingsError, match=repr(symbol)):
        lines.atomic_number(symbol)
    with pytest.raises(SettingsError):
        lines.line_groups(symbol)


def test_excitation_must_be_positive():
    with pytest.raises(SettingsError, match="excitation"):
        lines.line_groups("Fe", 0.0)


@settings(deadline=None)  # the first call fills the tables
@given(st.sampled_from(lines.ELEMENTS), st.floats(1.5, 60.0))
def test_groups_are_normalised_and_excited_only_above_their_edges(symbol, excitation_kev):
    for group in lines.line_groups(symbol, excitation_kev):
        assert sum(m.weight for m in group.lines) == pytest.approx(1.0)
        assert all(m.weight > 0 for m in group.lines)
        lowest = min(lines.edge_energy_kev(symbol, s) for s in lines.SHELLS[group.family])
        assert (group.strength > 0) <= (excitation_kev > lowest)
        if group.strength > 0:
            assert all(m.energy_kev < excitation_kev for m in group.lines)


def test_lead_l_lines_follow_the_edges():
    """L3 at 13.035, L2 at 15.2, L1 at 15.86 keV: between them only some lines appear."""

    def initials(excitation_kev):
        group = next(g for g in lines.line_groups("Pb", excitation_kev) if g.family == "L")
        return {m.iupac[:2] for m in group.lines}, group.strength

    assert initials(12.9)[1] == 0.0
    assert initials(14.0)[0] == {"L3"}
    assert initials(15.5)[0] == {"L2", "L3"}
    assert initials(20.0)[0] == {"L1", "L2", "L3"}


def test_emission_lines_fall_in_strength():
    found = lines.emission_lines("Fe", 20.0)
    assert found[0].name == "Kα1"
    assert {m.family for m in found} == {"K", "L"}
    assert lines.emission_lines("Fe", 5.0)[0].family == "L"


@settings(deadline=None)  # the first call fills the tables
@given(st.sampled_from(lines.ELEMENTS), st.floats(0.0, 20.0), st.floats(0.5, 30.0))
def test_labelled_lines_lie_in_the_range_and_rise(symbol, low_kev, width_kev):
    found = lines.labelled_lines(symbol, low_kev, low_kev + width_kev)
    energies = [m.energy_kev for m in found]
    assert energies == sorted(energies)
    assert all(low_kev <= e <= low_kev + width_kev for e in energies)
    assert len({m.name for m in found}) == len(found) <= 6


@pytest.mark.parametrize(
    ("symbol", "high_kev", "excitation_kev", "name"),
    [("Fe", 20.0, 50.0, "Kα"), ("Pb", 30.0, 50.0, "Lα"), ("Pb", 8.0, 50.0, "Mα"),
     ("Ag", 40.0, 50.0, "Kα"), ("Ag", 40.0, 20.0, "Lα"), ("Ba", 40.0, 50.0, "Lα")],
)  # fmt: skip
def test_main_line(symbol, high_kev, excitation_kev, name):
    assert lines.main_line(symbol, 1.0, high_kev, excitation_kev).name == name


def test_no_main_line_outside_the_range():
    assert lines.main_line("Na", 1.2, 20.0) is None
    assert lines.main_line("Fe", 8.0, 20.0) is None


def test_import_does_not_load_xraylib():
    code = "import sys, xrfengine.lines; sys.exit('xraylib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lines_the_tables_give_for_two_subshells_at_once_are_there():
    lead = {line.name: line for line in lines.line_groups("Pb", 45.0)[1].lines}
    assert lead["Lβ5"].energy_kev == pytest.approx(13.015, abs=0.003)
    # Radiative rates of the tables: 0.0179 and 0.6982.
    share = lead["Lβ5"].weight / lead["Lα1"].weight
    assert share == pytest.approx(0.0179 / 0.6982, rel=0.01)
