"""Verification: the fit confirms or overrules what a network proposes."""

import numpy as np
import pytest

from xrfengine.classifier.calibrate_verifier import Table, learn
from xrfengine.classifier.fit_shapes import Setup, shapes_of
from xrfengine.classifier.verify import (
    FEATURES,
    Verifier,
    candidates_fit,
    features_of,
    verify,
    verify_counts,
)
from xrfengine.cube import Calibration, Instrument, Spectrum
from xrfengine.detector import Detector
from xrfengine.errors import ModelError
from xrfengine.jobs import Cancelled, CancelToken
from xrfengine.lines import ELEMENTS

CALIBRATION = Calibration(0.0, 0.02)
SETUP = Setup(CALIBRATION, 1000, Detector.sdd(0.14), None, 40.0)


def weights(**by_name):
    return tuple(by_name.get(name.replace(" ", "_").replace("-", "_"), 0.0) for name in FEATURES)


# Odds of the network count half, two units of squeezed significance are needed for a draw.
VERIFIER = Verifier(
    weights(network_log_odds=0.5, significance=2.0), (1.0,) * len(FEATURES), -4.0, 0.5, 0.05, {}
)


def counts_of(amounts, seed=5):
    shapes = shapes_of(SETUP)
    rates = np.full(1000, 20.0)
    for element, counts in amounts.items():
        for row in np.flatnonzero(shapes.element == ELEMENTS.index(element)):
            rates += counts * shapes.share[row] * shapes.fine[row]
    counts = np.random.default_rng(seed).poisson(rates).astype(np.float64)
    counts.flags.writeable = False
    return counts


def proposals(**said):
    out = np.full(len(ELEMENTS), 1e-4, dtype=np.float32)
    for element, probability in said.items():
        out[ELEMENTS.index(element)] = probability
    return out


def test_a_false_proposal_is_overruled_and_a_shy_one_raised():
    counts = counts_of({"Pb": 30_000, "Fe": 10_000, "Zn": 2_000})
    said = proposals(Pb=0.99, Fe=0.99, As=0.9, Zn=0.2)
    verified = verify_counts(
        counts[None], CALIBRATION, said[None], ELEMENTS, setup=SETUP, verifier=VERIFIER
    )[0]
    now = dict(zip(ELEMENTS, verified, strict=True))
    assert now["As"] < 0.5 < 0.9
    assert now["Zn"] > 0.9
    assert min(now["Pb"], now["Fe"]) > 0.95
    assert now["Br"] == said[ELEMENTS.index("Br")]


def test_what_is_plainly_left_over_is_looked_at():
    fit = candidates_fit(counts_of({"Fe": 20_000, "Cu": 8_000}), SETUP, np.array([], dtype=int))
    assert {"Fe", "Cu"} <= set(fit.elements)


def test_one_spectrum_and_many_agree_and_input_stays():
    counts = np.stack([counts_of({"Fe": 5_000}, s) for s in range(3)])
    said = np.stack([proposals(Fe=0.8, Co=0.3)] * 3)
    before = counts.copy()
    said.flags.writeable = counts.flags.writeable = False
    together = verify_counts(counts, CALIBRATION, said, ELEMENTS, setup=SETUP, verifier=VERIFIER)
    for i in range(3):
        alone = verify_counts(
            counts[i : i + 1], CALIBRATION, said[i : i + 1], ELEMENTS, setup=SETUP,
            verifier=VERIFIER,
        )  # fmt: skip
        np.testing.assert_array_equal(alone[0], together[i])
    np.testing.assert_array_equal(before, counts)


def test_verdicts():
    class Known:
        elements = ELEMENTS

    spectrum = Spectrum(
        counts_of({"Fe": 20_000, "Ar": 3_000}), CALIBRATION, instrument=Instrument(tube_kv=40.0)
    )
    verdicts = verify(
        spectrum, proposals(Fe=0.9, Ar=0.9, Co=0.6), Known(), setup=SETUP, verifier=VERIFIER
    )
    by_name = {v.symbol: v for v in verdicts}
    assert by_name["Fe"].present
    assert not by_name["Fe"].is_instrument
    assert by_name["Ar"].is_instrument
    assert not by_name["Co"].present
    assert by_name["Co"].proposed == pytest.approx(0.6)
    assert by_name["Fe"].z > 20
    values = [v.probability for v in verdicts]
    assert values == sorted(values, reverse=True)


def test_features_tell_a_missing_line():
    counts = counts_of({"Pb": 50_000})
    indices = np.array([ELEMENTS.index(e) for e in ("Pb", "As")])
    fit = candidates_fit(counts, SETUP, indices)
    arsenic = dict(zip(FEATURES, features_of(fit, 0.5, "As"), strict=True))
    lead = dict(zip(FEATURES, features_of(fit, 0.5, "Pb"), strict=True))
    assert arsenic["network log-odds"] == 0.0
    assert arsenic["lines missing of the whole peak"] > 2 > lead["lines missing of the whole peak"]
    assert arsenic["share others explain"] > 0.7 > lead["share others explain"]
    assert lead["second line"] > 3


def test_cancel_is_heard():
    token = CancelToken()
    token.cancel()
    counts = counts_of({"Fe": 1_000})
    with pytest.raises(Cancelled):
        verify_counts(
            counts[None], CALIBRATION, proposals()[None], ELEMENTS, setup=SETUP,
            verifier=VERIFIER, cancel=token,
        )  # fmt: skip


def test_calibration_is_kept_on_disk(tmp_path):
    path = VERIFIER.save(tmp_path / "one.json")
    assert Verifier.load(path) == VERIFIER
    path.write_text("{}")
    with pytest.raises(ModelError, match=r"one\.json"):
        Verifier.load(path)
    with pytest.raises(ModelError):
        Verifier.load(tmp_path / "none.json")
    with pytest.raises(ModelError, match="figures"):
        Verifier((1.0,), (1.0,), 0.0, 0.5, 0.1, {})


def test_learning_weighs_what_tells():
    rng = np.random.default_rng(0)
    n = 400
    labels = rng.integers(0, 2, size=(n, 2))
    features = rng.normal(size=(2 * n, len(FEATURES)))
    features[:, 1] += 4.0 * labels.ravel()
    table = Table(
        features,
        labels,
        np.full((n, 2), 0.5, dtype=np.float32),
        np.repeat(np.arange(n), 2),
        np.tile([0, 1], n),
        np.arange(n) // 4,
    )
    verifier = learn(table, 0.02, 0.05, {"seed": 0})
    assert np.argmax(np.abs(verifier.weights)) == 1
    apart = verifier.card["held_apart"]
    assert apart["verified"]["average_precision"] > 0.95 > apart["network"]["average_precision"]
    assert apart["verified"]["false_alarms_per_spectrum"] <= 0.06
