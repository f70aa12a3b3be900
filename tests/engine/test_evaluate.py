"""Figures of merit on cases that can be counted by hand, and the tables of labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xrfengine.classifier.checkpoint import untrained
from xrfengine.classifier.evaluate import (
    Verdict,
    labelled_pairs,
    read_labels,
    score_labels,
    score_verdicts,
    verdicts_of,
)
from xrfengine.classifier.evaluate_simulated import evaluate_simulated
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.scores import (
    average_precision,
    binary_scores,
    choose_thresholds,
    expected_calibration_error,
    fit_platt,
    fit_temperature,
    roc_by_element,
    sigmoid,
)
from xrfengine.errors import Cancelled, ReadError, SettingsError
from xrfengine.jobs import CancelToken

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

HEADER = "file,kind,domain,use,certain,plausible,instrument_lines,offset_keV,gain_keV\n"


@pytest.fixture
def table(tmp_path):
    for name in ("a", "b", "c"):
        np.savez(
            tmp_path / f"{name}.npz", counts=np.ones((1, 1, 50)), energy_keV=np.arange(50) * 0.02
        )
    path = tmp_path / "labels.csv"
    path.write_text(
        HEADER + "a.npz,cube,xray,tune,Fe Ca,Ti,Rh,0,0.02\n"
        "b.npz,cube,xray,check,Cu,,,,\n"
        "c.npz,cube,sem,tune,Si,,,,\n"
    )
    return path


def always(**scores: float):
    return lambda spectrum: {e: Verdict(s, s >= 0.5) for e, s in scores.items()}


def test_score_of_a_method_counted_by_hand(table):
    result = score_labels(table, always(Fe=0.9, Ca=0.2, Ti=0.8, Rh=0.7, Ar=1.0, Zn=0.6), "xray")
    # a: Fe found, Ca missed, Zn false; Ti, Rh and Ar are left out.
    # b: Cu unknown to the method and so missed; Fe, Ti, Rh, Zn false, Ar left out.
    assert result["n_spectra"] == 2
    assert result["n_certain"] == 3
    assert result["recall"] == pytest.approx(1 / 3)
    assert result["false_alarms_per_spectrum"] == pytest.approx(5 / 2)
    assert result["f1"] == pytest.approx(2 / (2 + 5 + 2))
    assert result["misses"] == {"Ca": 1, "Cu": 1}
    assert result["false_alarms"] == {"Zn": 2, "Fe": 1, "Ti": 1, "Rh": 1}
    first, second = result["per_file"]
    assert first["found"] == ["Fe"]
    assert first["missed"] == {"Ca": 0.2}
    assert first["false_alarms"] == {"Zn": 0.6}
    assert second["missed"] == {"Cu": None}
    # Pairs by falling score: Fe+ Fe− Ti− Rh− Zn− Zn− Ca+ Ca− …, Cu last.
    assert 0 < result["average_precision"] < 1


def test_verdicts_given_at_once_score_like_a_method(table):
    said = always(Fe=0.9, Ca=0.2, Zn=0.6)(None)
    rows = read_labels(table)
    assert score_verdicts(rows, [said] * 3) == score_labels(table, always(Fe=0.9, Ca=0.2, Zn=0.6))
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        score_verdicts(rows, [said])


def test_pairs_leave_out_what_the_labels_ignore(table):
    rows = read_labels(table)[:2]
    scores, truths, place = labelled_pairs(rows, [always(Fe=0.9, Ti=0.8, Ar=1.0, Zn=0.6)(None)] * 2)
    # a: Ca (unknown to the method), Fe, Zn; b: Cu (unknown), Fe, Ti, Zn.
    assert scores.tolist() == [-np.inf, 0.9, 0.6, -np.inf, 0.9, 0.8, 0.6]
    assert truths.tolist() == [True, True, False, True, False, False, False]
    assert place.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_a_perfect_method_scores_one(table):
    truth = iter([{"Fe", "Ca"}, {"Cu"}])

    def perfect(spectrum):
        there = next(truth)
        return {e: Verdict(float(e in there), e in there) for e in ("Fe", "Ca", "Cu", "Zn")}

    result = score_labels(table, perfect, "xray")
    assert (result["recall"], result["f1"], result["average_precision"]) == (1.0, 1.0, 1.0)
    assert result["false_alarms_per_spectrum"] == 0


def test_domain_and_use_choose_rows(table):
    files = lambda **how: [f["file"] for f in score_labels(table, always(Fe=1), **how)["per_file"]]  # noqa: E731
    assert files() == ["a.npz", "b.npz", "c.npz"]
    assert files(domain="sem") == ["c.npz"]
    assert files(domain="xray", use="check") == ["b.npz"]
    with pytest.raises(SettingsError, match="no rows"):
        score_labels(table, always(Fe=1), "sem", "check")


def test_the_table_sets_the_calibration(table):
    seen = []
    score_labels(table, lambda s: seen.append(s.calibration) or always(Fe=1)(s), "xray")
    assert seen[0].gain_kev == 0.02


def test_bad_tables_are_refused(tmp_path):
    path = tmp_path / "labels.csv"
    with pytest.raises(ReadError, match="cannot be read"):
        read_labels(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ReadError, match="lacks file"):
        read_labels(path)
    path.write_text(HEADER + "a.npz,cube,xray,tune,Fe Unobtainium,,,,\n")
    with pytest.raises(ReadError, match="Unobtainium"):
        read_labels(path)
    path.write_text(HEADER + "a.npz,cube,xray,tune,Fe,,,x,0.01\n")
    with pytest.raises(ReadError, match="calibration"):
        read_labels(path)


def test_scoring_can_be_cancelled(table):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        score_labels(table, always(Fe=1), cancel=token)


def test_binary_scores_counted_by_hand():
    labels = np.array([[1, 0, -1], [1, 0, 0]])
    present = np.array([[True, True, True], [False, False, False]])
    scores = binary_scores(present, labels)
    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["precision"] == pytest.approx(1 / 2)
    assert scores["recall"] == pytest.approx(1 / 2)
    assert scores["f1"] == pytest.approx(1 / 2)
    assert scores["false_alarms_per_spectrum"] == pytest.approx(1 / 2)


def test_calibration_error_and_temperature():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 2, (20_000, 3))
    labels = (rng.random(truth.shape) < sigmoid(truth)).astype(np.int8)
    assert expected_calibration_error(sigmoid(truth), labels) < 0.02
    assert expected_calibration_error(sigmoid(3 * truth), labels) > 0.08
    assert fit_temperature(3 * truth, labels) == pytest.approx(3.0, rel=0.05)
    bent = np.array([2.0, 0.5, 1.0]) * truth + np.array([1.0, -0.5, 0.0])
    slope, shift = fit_platt(bent, labels)
    np.testing.assert_allclose(slope * bent + shift, truth, atol=0.35)
    assert expected_calibration_error(sigmoid(slope * bent + shift), labels) < 0.02
    unknown = np.full_like(labels, -1)
    assert np.isnan(expected_calibration_error(sigmoid(truth), unknown))


def test_thresholds_spend_the_false_alarms_where_they_find_most():
    rng = np.random.default_rng(1)
    share = np.array([0.3, 0.002])  # a common and a rare element, told apart equally well
    labels = (rng.random((100_000, 2)) < share).astype(np.int8)
    odds = np.log(share / (1 - share))
    evidence = rng.normal(np.where(labels, 1.5, -1.5), 1.0)
    p = sigmoid(3.0 * evidence + odds).astype(np.float32)

    def spent(thresholds):
        present = p >= thresholds
        return (present & (labels == 0)).sum() / len(p), (present & (labels == 1)).sum()

    for allowed in (0.02, 0.002):
        thresholds = choose_thresholds(p, labels, allowed)
        alarms, found = spent(thresholds)
        assert 0.7 * allowed < alarms <= allowed
        equal = [np.quantile(p[labels[:, e] == 0, e], 1 - allowed / 2) for e in range(2)]
        assert found > spent(np.array(equal, np.float32))[1]
    assert choose_thresholds(p, labels, 0.002).min() >= choose_thresholds(p, labels, 0.02).min()


def test_thresholds_without_examples_stay_usable():
    p = np.full((100, 2), 0.01)
    labels = np.zeros((100, 2), np.int8)
    labels[:, 1] = -1
    assert choose_thresholds(p, labels, 0.001) == pytest.approx([0.5, 0.5])
    hopeless = choose_thresholds(np.full((100, 1), 0.985), np.zeros((100, 1)), 0.001)
    assert hopeless == pytest.approx([0.99])


def test_roc_and_average_precision_leave_out_unknown_labels():
    p = np.array([[0.9], [0.8], [0.1], [0.95]])
    y = np.array([[1], [0], [0], [-1]])
    assert roc_by_element(p, y, ("Fe",))["Fe"]["auc"] == 1.0
    assert average_precision(p, y) == 1.0
    assert roc_by_element(p[:1], y[:1], ("Fe",)) == {}
    assert roc_by_element(p[3:], y[3:], ("Fe",)) == {}
    assert np.isnan(average_precision(p[1:], y[1:]))


@pytest.mark.parametrize("preset", ["compact", "thesis"])
def test_simulated_evaluation_writes_figures_and_plots(tmp_path, preset):
    classifier = Classifier.load(
        untrained(preset=preset, depth=1).save(tmp_path / "tiny.safetensors"), device="cpu"
    )
    fractions: list[float] = []
    result = evaluate_simulated(
        classifier,
        tmp_path,
        n_spectra=96,
        n_per_count=32,
        element_counts=(1, 5),
        progress=lambda fraction, message="": fractions.append(fraction),
    )
    assert set(result["by_number"]) == {"1", "5"}
    assert 0 <= result["overall"]["accuracy"] <= 1
    assert all(0 <= a <= 1 for a in result["auc"].values())
    assert "Fe" in result["auc"]
    assert json.loads((tmp_path / "evaluation.json").read_text()) == json.loads(json.dumps(result))
    for name in ("roc.png", "by_number.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        evaluate_simulated(classifier, cancel=token)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the measured data are not here")
def test_shared_labels_can_be_read():
    rows = read_labels(SHARED / "labels.csv")
    assert sum(row.domain == "xray" for row in rows) > 100
    assert all("Ar" in row.ignored for row in rows)
    assert all((SHARED / row.file).is_file() for row in rows)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the measured data are not here")
def test_shipped_weights_reach_the_trial_network_on_measured_spectra():
    classifier = Classifier.load(device="cpu")
    scores = score_labels(SHARED / "labels.csv", verdicts_of(classifier), "xray")
    # What a small network trained for half an hour reached before this project began.
    assert scores["f1"] > 0.946
    assert scores["average_precision"] > 0.986
