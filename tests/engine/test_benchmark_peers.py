"""Peers of the benchmarks name what is plainly there; their figures can be counted by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from xrfengine.classifier.evaluate import LabelledFile, Verdict, score_verdicts
from xrfengine.cube import Calibration, Spectrum
from xrfengine.detector import Detector, render_groups
from xrfengine.lines import line_groups

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
CALIBRATION = Calibration(0.0, 0.01)
CHANNELS = 2048


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [n for n in sys.modules if n.split(".")[0] in ("peers", "thinning")]:
        del sys.modules[name]


def iron_and_lead(scale: float = 1.0) -> Spectrum:
    """Ca, Fe (K) and Pb (L) over a flat background, Poisson-drawn."""
    groups = []
    for element, family, counts in (("Ca", "K", 2e4), ("Fe", "K", 5e4), ("Pb", "L", 3e4)):
        lines = next(g for g in line_groups(element, 30.0) if g.family == family).lines
        energy = np.array([line.energy_kev for line in lines])
        groups.append((energy, scale * counts * np.array([line.weight for line in lines])))
    edges = CALIBRATION.edges_kev(CHANNELS)
    expected = render_groups(groups, edges, Detector.sdd(0.14)).sum(axis=0, dtype=np.float64)
    drawn = np.random.default_rng(3).poisson(expected + 10.0 * scale)
    return Spectrum(drawn, CALIBRATION)


def row(certain: str, *, file="a", group="g", use="tune", ignored: str = "Ar") -> LabelledFile:
    return LabelledFile(
        file, "xray", use, group, frozenset(certain.split()), frozenset(ignored.split()), None
    )


@pytest.mark.parametrize("name", ["ROI windows", "NNLS", "greedy"])
def test_a_peer_finds_what_is_plainly_there(name):
    from peers import METHODS

    spectrum = iron_and_lead()
    before = spectrum.counts.copy()
    said = METHODS[name](None)(spectrum)
    present = {element for element, v in said.items() if v.present}
    assert {"Ca", "Fe", "Pb"} <= present
    weakest = min(said[element].score for element in ("Ca", "Fe", "Pb"))
    assert all(said[element].score < 0.5 * weakest for element in ("Ti", "Cu", "Zr", "Sn"))
    assert all(np.isfinite(v.score) for v in said.values())
    assert np.array_equal(spectrum.counts, before)


@pytest.mark.parametrize("name", ["PyMca peaks", pytest.param("PyMca fit", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")  # PyMca's own warnings are not ours to mend
def test_pymca_finds_what_is_plainly_there(name):
    pytest.importorskip("PyMca5", reason="the extra bench is not installed")
    from peers import METHODS

    said = METHODS[name](None)(iron_and_lead())
    assert all(said[element].present for element in ("Ca", "Fe", "Pb"))
    assert said["Fe"].score > said["Ti"].score


def test_the_greedy_search_takes_calibration_errors():
    from peers.greedy import greedy

    true = iron_and_lead()
    wrong = Spectrum(true.counts, Calibration(0.015, 0.01002))
    present = {element for element, v in greedy(wrong).items() if v.present}
    assert present == {"Ca", "Fe", "Pb"}


def test_weights_that_are_missing_are_said(monkeypatch, tmp_path):
    from peers import METHODS, Unavailable, ours

    monkeypatch.setattr(ours, "asset", lambda name: tmp_path / name)
    with pytest.raises(Unavailable, match=r"thesis\.safetensors"):
        METHODS["thesis"](None)


def test_best_cut_counted_by_hand():
    from peers.figures import at_cut, best_cut

    rows = [row("Fe Ca", file="a"), row("Cu", file="b")]
    said = [
        {e: Verdict(s, True) for e, s in (("Fe", 9.0), ("Ca", 4.0), ("Zn", 5.0), ("K", 1.0))},
        {e: Verdict(s, True) for e, s in (("Cu", 6.0), ("Zn", 1.0))},
    ]
    # From 4 on: 3 right, 1 wrong, none missed: F1 = 6/7; from 6 on: 2 right, 1 missed: 4/5.
    cut = best_cut(rows, said)
    assert cut == 4.0
    assert score_verdicts(rows, at_cut(said, cut))["f1"] == pytest.approx(6 / 7)
    assert best_cut([row("")], [{"Fe": Verdict(1.0, True)}]) == float("inf")


def test_macro_f1_and_counts_by_hand():
    from peers.figures import by_element, f1_of, file_counts, macro_f1

    per_file = [
        {"found": ["Fe"], "missed": {"Ca": 0.1}, "false_alarms": {"Zn": 0.9}},
        {"found": ["Fe", "Ca"], "missed": {}, "false_alarms": {}},
    ]
    assert by_element(per_file)["Ca"] == {"found": 1, "missed": 1, "false_alarms": 0}
    assert macro_f1(per_file) == pytest.approx((1 + 2 / 3) / 2)  # Zn is certain nowhere
    counts = file_counts(per_file)
    assert counts.tolist() == [[1, 1, 1], [2, 0, 0]]
    assert f1_of(counts.sum(axis=0)) == pytest.approx(6 / 8)


def test_materials_keep_repeats_together_and_instruments_apart():
    from peers.figures import materials

    rows = [row("Fe Ca Ti"), row("Fe Ca Ti Si"), row("Cu"), row("Fe Ca Ti", group="h"), row("")]
    material = materials(rows)
    assert material[0] == material[1]
    assert len({*material[[0, 2, 3, 4]]}) == 4


def test_a_bootstrap_over_one_material_does_not_spread_and_over_two_does():
    from peers.figures import bootstrap, interval

    counts = np.array([[3, 1, 0], [0, 1, 1]])
    assert np.ptp(bootstrap(counts, np.zeros(2, int))) == 0
    drawn = bootstrap(counts, np.arange(2))
    assert set(np.round(drawn, 6)) == {0.0, round(6 / 9, 6), round(6 / 7, 6)}
    low, high = interval(drawn)
    assert low < 6 / 9 < high
    pair = bootstrap(np.stack([counts, counts]), np.arange(2))
    assert np.array_equal(pair[0], pair[1])


def test_thinning_keeps_the_counts_asked_for_and_hides_what_drowns():
    from thinning import photons, standing_out, thin_all, thinned

    spectrum = iron_and_lead()
    rng = np.random.default_rng(0)
    few = thinned(spectrum, 1000, rng)
    assert photons(few) == pytest.approx(1000, abs=150)
    assert (few.counts <= spectrum.counts).all()
    label = row("Fe Ca Pb Cu")
    assert standing_out(label, spectrum, 1e5) == {"Fe", "Ca", "Pb"}
    assert "Cu" not in standing_out(label, spectrum, 200)
    thin = thin_all([label, row("Fe", file="b")], [spectrum, spectrum], 10_000, 2)
    assert len(thin.rows) == len(thin.spectra) == 4
    assert thin.rows[0].certain == {"Fe", "Ca", "Pb"}
    assert "Cu" in thin.rows[0].ignored
    again = thin_all([label], [spectrum], 10_000, 1)
    assert np.array_equal(again.spectra[0].counts, thin.spectra[0].counts)
    assert thin_all([label], [spectrum], 10**9, 1).rows == []
