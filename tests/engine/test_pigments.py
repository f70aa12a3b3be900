"""Pigment candidates: what the elements allow, and what they cannot tell."""

from __future__ import annotations

import pytest

from xrfengine.findings import Identified
from xrfengine.lines import SYMBOLS
from xrfengine.pigments import candidates, formula_elements, from_instrument, pigments, unseen


def verdicts(*symbols: str, instrument: tuple[str, ...] = ()) -> list[Identified]:
    """These elements are present, and gold narrowly is not."""
    found = [Identified(s, 0.98, 0.5, True, s in instrument) for s in symbols]
    return [*found, Identified("Au", 0.4, 0.5, False, False)]


def by_name(*symbols: str, **more) -> dict:
    return {each.pigment.id: each for each in candidates(verdicts(*symbols), **more)}


def test_the_table_is_whole():
    ids = [each.id for each in pigments()]
    assert len(ids) == len(set(ids)) >= 60
    for each in pigments():
        assert each.needs, each.id
        assert each.dates, each.id
        assert each.colour, each.id
        assert each.sources, each.id
        assert all(len(source) > 40 for source in each.sources), each.id
        named = {*each.needs, *each.helps, *each.against}
        assert named <= set(SYMBOLS[1:]), each.id
        assert not set(each.needs) & {*each.helps, *each.against}, each.id
        # What it needs is in its formula; earths and glasses name their iron, cobalt.
        assert set(each.needs) <= set(each.elements), each.id
    assert len(unseen()) >= 5


def test_symbols_of_a_formula():
    assert formula_elements("2PbCO₃·Pb(OH)₂") == ("Pb", "C", "O", "H")
    assert formula_elements("PbSn₁₋ₓSiₓO₃") == ("Pb", "Sn", "Si", "O")


def test_vermilion_needs_mercury_and_says_why_sulfur_is_no_proof():
    assert "vermilion" not in by_name("Pb", "S", "Fe")
    vermilion = by_name("Hg", "Pb")["vermilion"]
    assert vermilion.sentence == (
        "Vermilion, cinnabar (HgS): Hg is here; S cannot be told from Pb M lines"
    )
    alone = by_name("Hg")["vermilion"]
    assert "S cannot be told from Hg M lines" in alone.unseen


def test_lead_white_and_red_lead_cannot_be_told_apart():
    found = by_name("Pb")
    white, red = found["lead-white"], found["red-lead"]
    assert white.score == red.score
    assert red.pigment.name in white.same
    assert white.pigment.name in red.same


def test_no_candidate_rests_on_the_instrument():
    mixed = verdicts("Cu", "Fe", "Ar", instrument=("Cu", "Ar"))
    assert {each.pigment.needs for each in candidates(mixed)} == {("Fe",)}
    assert from_instrument(mixed) == ("Cu",)


def test_more_elements_explained_come_first():
    found = candidates(verdicts("Pb", "Sn", "Fe"))
    assert [each.pigment.id for each in found[:2]] == ["lead-tin-yellow-1", "lead-tin-yellow-2"]
    assert "mosaic-gold" in {each.pigment.id for each in found}, "less likely, yet listed"


def test_what_speaks_against_is_said_and_weighs():
    plain, beside = by_name("Zn")["zinc-white"], by_name("Zn", "Ba")["zinc-white"]
    assert beside.score < plain.score
    assert any("lithopone" in told for told in beside.speaks_against)
    assert not plain.speaks_against


def test_company_speaks_for_smalt_and_against_cobalt_blue():
    found = by_name("Co", "K", "Si", "As", "Ni")
    assert found["smalt"].score > 2 * found["cobalt-blue"].score
    assert any("As" in told for told in found["smalt"].speaks_for)


@pytest.mark.parametrize(("manganese", "is_umber"), [(12.0, True), (0.5, False)])
def test_ratios_of_net_counts_speak_where_a_fit_is_at_hand(manganese, is_umber):
    counts = {"Fe": (100.0, 1.0), "Mn": (manganese, 0.1)}
    umber = by_name("Fe", "Mn", net_counts=counts)["umber"]
    told = umber.speaks_for if is_umber else umber.speaks_against
    assert any("net counts Mn/Fe" in words for words in told)
    without = by_name("Fe", "Mn")["umber"]
    assert (umber.score == without.score) is is_umber


def test_counts_within_their_error_speak_against():
    noisy = by_name("Hg", net_counts={"Hg": (2.0, 1.0)})["vermilion"]
    assert any("stands out" in told for told in noisy.speaks_against)
    assert noisy.score < by_name("Hg")["vermilion"].score


def test_overlapping_lines_are_named():
    emerald = by_name("Cu", "As", "Pb")["emerald-green"]
    assert any("As Kα lies on Pb Lα" in told for told in emerald.speaks_against)
    assert not by_name("Cu", "As")["emerald-green"].speaks_against


def test_what_a_person_says_counts():
    found = verdicts("Cu", "As")
    ids = {each.pigment.id for each in candidates(found, overruled=[("As", False)])}
    assert "azurite" in ids
    assert "emerald-green" not in ids
    added = {each.pigment.id for each in candidates(found, overruled=[("Co", True)])}
    assert "smalt" in added


def test_no_elements_no_candidates():
    assert candidates(verdicts()) == ()
