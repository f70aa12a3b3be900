"""Verification where it meets users: the command, the engine, and its calibration."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xrfengine import Engine
from xrfengine.classifier.calibrate_verifier import gather
from xrfengine.classifier.calibrated import verifier_path
from xrfengine.classifier.fit_figures import FEATURES
from xrfengine.classifier.fit_shapes import Setup
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.verify import Verifier
from xrfengine.cube import Calibration
from xrfengine.detector import Detector


def of(digest, threshold=0.6):
    """Significance alone decides: 3 σ are a draw."""
    weights = tuple(4.0 if name == "significance" else 0.0 for name in FEATURES)
    return Verifier(weights, (1.0,) * len(FEATURES), -4.8, threshold, 1e-4, 0.999999, digest, {})


@pytest.fixture
def verified(model, tmp_path):
    """The tiny model of the other tests, with a verification beside it."""
    path = Path(shutil.copy(model, tmp_path / "tiny.safetensors"))
    of(Classifier.load(path).digest).save(verifier_path(path))
    return path


def test_identify_takes_the_verification_beside_the_weights(facts, scan, model, verified):
    (alone,) = facts("identify", scan, "--model", model)
    (result,) = facts("identify", scan, "--model", verified)
    (without,) = facts("identify", scan, "--model", verified, "--no-verify")
    assert "calibrated" in result["verification"]
    assert without["verification"] == "switched off"
    assert without["elements"] == alone["elements"]
    before = {each["symbol"]: each["probability"] for each in alone["elements"]}
    for each in result["elements"]:
        assert each["network"] == pytest.approx(before[each["symbol"]], abs=1e-6)
        assert each["present"] == (each["probability"] >= 0.6)
    now = {each["symbol"]: each["probability"] for each in result["elements"]}
    assert min(now["Ca"], now["Fe"]) > 0.99


def test_identify_by_region_is_verified_too(facts, scan, verified):
    arguments = ("--by", "region", "--region", "7", "--model", verified)
    (result,) = facts("identify", scan, *arguments)
    now = {each["symbol"]: each["probability"] for each in result["elements"]}
    assert min(now["Ca"], now["Fe"], now["Pb"]) > 0.9


def test_traces_put_down_to_the_instrument_are_told_apart(run, facts, scan, verified, monkeypatch):
    from xrfengine.classifier import verify

    real = verify.verify_spectrum

    def with_a_trace_of_iron(spectrum, classifier, *rest, **more):
        found = real(spectrum, classifier, *rest, **more)
        column = classifier.elements.index("Fe")
        probabilities, own = found.probabilities.copy(), found.own.copy()
        probabilities[0, column], own[0, column] = 0.7, True
        return replace(found, probabilities=probabilities, own=own)

    monkeypatch.setattr(verify, "verify_spectrum", with_a_trace_of_iron)

    def iron(*more):
        (result,) = facts("identify", scan, "--model", verified, *more)
        return next(each for each in result["elements"] if each["symbol"] == "Fe")

    assert iron()["present"]
    assert iron()["instrument"]
    assert "metal near the beam" in iron("--explain")["evidence"]["sentence"]
    _, out, _ = run("identify", scan, "--model", verified)
    assert any("Fe" in line and "present (instrument)" in line for line in out.splitlines())
    # A part of the scan that shows more of it shows no mere trace.
    elsewhere = iron("--by", "region", "--region", "7")
    assert elsewhere["probability"] > 0.9
    assert "instrument" not in elsewhere


def test_a_verification_of_other_weights_is_told_and_left_out(run, facts, scan, model, verified):
    of("0123").save(verifier_path(verified))
    (result,) = facts("identify", scan, "--model", verified)
    (alone,) = facts("identify", scan, "--model", model)
    assert "calibrated for the weights 0123" in result["verification"]
    assert result["elements"] == alone["elements"]
    _, out, _ = run("identify", scan, "--model", verified)
    assert "calibrated for the weights 0123" in out


def test_under_electrons_the_fit_is_left_out(
    run, facts, scan, model, verified, tmp_path, monkeypatch
):
    # The scan states a tube, which would settle it.
    microscope = Setup(
        Calibration(0.0, 0.02), 1000, Detector.sdd(0.14), None, 20.0, excitation="electrons"
    )
    monkeypatch.setattr(
        "xrfengine.classifier.anode.find_setup", lambda *_: (microscope, "inferred")
    )
    (result,) = facts("identify", scan, "--model", verified)
    (alone,) = facts("identify", scan, "--model", model)
    assert "excited by electrons" in result["verification"]
    assert result["elements"] == alone["elements"]
    _, out, _ = run("identify", scan, "--model", verified)
    assert "the fit is left out" in out
    engine = Engine(Path(scan).parent, model=verified, device="cpu", cache=tmp_path / "cache")
    try:
        cube = engine.cube("scan.h5")
        spectrum = engine.region_spectrum(cube, np.ones(cube.shape[:2], dtype=bool))
        assert engine.identify(spectrum) == engine.identify(spectrum, verify=False)
    finally:
        engine.close()


def test_a_damaged_verification_is_refused(refused, scan, verified):
    verifier_path(verified).write_text("{")
    assert "tiny.verify.json" in refused("identify", scan, "--model", verified)


def test_engine_verifies_and_finds_the_instrument_once(scan, verified, tmp_path, monkeypatch):
    engine = Engine(Path(scan).parent, model=verified, device="cpu", cache=tmp_path / "cache")
    try:
        cube = engine.cube("scan.h5")
        mask = np.zeros(cube.shape[:2], dtype=bool)
        mask[:, 12:] = True
        spectrum = engine.region_spectrum(cube, mask)
        told = {item.symbol: item for item in engine.identify(spectrum)}
        assert told["Fe"].probability > 0.99
        assert told["Fe"].threshold == 0.6
        alone = {item.symbol: item for item in engine.identify(spectrum, verify=False)}
        assert told["Fe"].proposed == pytest.approx(alone["Fe"].probability, abs=1e-6)
        assert alone["Fe"].proposed is None

        def again(*_):
            raise AssertionError("the instrument of this scan was found before")

        monkeypatch.setattr("xrfengine.classifier.anode.find_setup", again)
        assert engine.identify(engine.region_spectrum(cube, ~mask), scan=cube)
        maps = engine.maps(cube, "probability", 7)
        assert float(maps["Fe"].max()) < told["Fe"].probability  # maps are the network's alone
    finally:
        engine.close()


def test_figures_are_gathered_from_simulated_instruments(model):
    classifier = Classifier.load(model)
    table = gather(classifier, 2, 3, seed=4, between=(1e-4, 0.999999))
    assert table.labels.shape == table.network.shape == (6, len(classifier.elements))
    assert table.features.shape == (len(table.spectrum), len(FEATURES))
    assert np.isfinite(table.features).all()
    assert set(table.batch) == {0, 1}
