"""The classifier in use: same answers however it is called, prompt cancel, clear refusals."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from xrfengine.classifier import checkpoint as checkpoints
from xrfengine.classifier.checkpoint import untrained
from xrfengine.classifier.predict import Classifier, probability_maps
from xrfengine.classifier.workers import best_device
from xrfengine.cube import Calibration, Cube
from xrfengine.errors import Cancelled, ModelError, SettingsError
from xrfengine.jobs import CancelToken
from xrfengine.maps.pooling import block_sums

CALIBRATION = Calibration(0.0, 0.02)
TOLERANCE = 1e-5
"""Sums of float32 in another order change a probability by no more than this."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return untrained(elements=("Ca", "Fe", "Pb"), depth=1, seed=3).save(path)


@pytest.fixture(scope="module")
def classifier(weights):
    return Classifier.load(weights, device="cpu")


@pytest.fixture(scope="module")
def cube():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.uniform(0, 4, (13, 17, 1)), (13, 17, 1500)).astype(np.uint16)
    return Cube(counts, CALIBRATION)


def test_probabilities_of_a_batch_equal_those_of_single_spectra(classifier, cube):
    counts = cube.counts.reshape(-1, 1500)
    together = classifier.probabilities(counts, CALIBRATION)
    assert together.shape == (221, 3)
    assert together.dtype == np.float32
    assert ((together >= 0) & (together <= 1)).all()
    assert np.ptp(together, axis=0).max() > 1e-3
    single = [classifier.probabilities(c[None], CALIBRATION)[0] for c in counts[:20]]
    np.testing.assert_allclose(together[:20], single, atol=TOLERANCE)


def test_bright_spectra_are_taken_as_if_they_had_fewer_counts(weights, cube):
    checkpoint = dataclasses.replace(checkpoints.load(weights), most_counts=1000.0)
    classifier = Classifier(checkpoint, device="cpu")
    bright = cube.counts[0, :1].astype(np.float64) + 1.0
    np.testing.assert_allclose(
        classifier.probabilities(50.0 * bright, CALIBRATION),
        classifier.probabilities(800.0 * bright, CALIBRATION),
        atol=TOLERANCE,
    )
    assert classifier.digest != Classifier.load(weights).digest


def test_chunks_do_not_change_the_answer(weights, cube):
    counts = cube.counts.reshape(-1, 1500)
    whole, pieces = Classifier.load(weights), Classifier.load(weights)
    whole.chunk, pieces.chunk = 1000, 7
    np.testing.assert_allclose(
        whole.probabilities(counts, CALIBRATION),
        pieces.probabilities(counts, CALIBRATION),
        atol=TOLERANCE,
    )


def test_threads_share_one_classifier(classifier, cube):
    counts = cube.counts.reshape(-1, 1500)
    serial = classifier.probabilities(counts, CALIBRATION)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: classifier.probabilities(counts, CALIBRATION), range(8)))
    for run in runs:
        np.testing.assert_allclose(run, serial, atol=TOLERANCE)


@pytest.mark.parametrize("region_px", [1, 2, 5, 10, 50])
def test_maps_are_the_probabilities_of_block_sums(classifier, cube, region_px):
    maps = probability_maps(cube, classifier, region_px)
    assert maps.kind == "probability"
    assert maps.values.shape == (3, 13, 17)
    assert (maps.source, maps.model, maps.region_px) == (cube.digest, classifier.digest, region_px)
    sums = block_sums(cube.counts, region_px)
    for y, x in ((0, 0), (12, 16), (7, 3)):
        expected = classifier.probabilities(
            sums[y // region_px, x // region_px][None], CALIBRATION
        )[0]
        np.testing.assert_allclose(maps.values[:, y, x], expected, atol=TOLERANCE)


def test_maps_in_small_pieces_equal_maps_in_large_ones(weights, cube):
    large, small = Classifier.load(weights), Classifier.load(weights)
    large.chunk, small.chunk = 1000, 3
    whole = probability_maps(cube, large, 2)
    fractions: list[float] = []
    pieces = probability_maps(
        cube, small, 2, progress=lambda fraction, message="": fractions.append(fraction)
    )
    np.testing.assert_allclose(whole.values, pieces.values, atol=TOLERANCE)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) >= 7


def test_cancel_is_heard_within_a_fifth_of_a_second(tmp_path):
    path = untrained().save(tmp_path / "full.safetensors")
    classifier = Classifier.load(path, device="cpu")
    counts = np.ones((20_000, 1500), np.uint16)
    classifier.probabilities(counts[:100], CALIBRATION)
    token, started, heard = CancelToken(), threading.Event(), []

    def work():
        try:
            classifier.probabilities(
                counts, CALIBRATION, progress=lambda f, m="": started.set(), cancel=token
            )
        except Cancelled:
            heard.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(20)
    asked = time.monotonic()
    token.cancel()
    thread.join(20)
    assert heard, "the classifier went on to the end"
    # 0.2 s on an idle machine; the test machine may be busy.
    assert heard[0] - asked < 1.0


def test_a_set_token_stops_before_any_work(classifier, cube):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        probability_maps(cube, classifier, 1, cancel=token)
    with pytest.raises(Cancelled):
        classifier.probabilities(np.ones((1, 1500)), CALIBRATION, cancel=token)


def test_checkpoint_round_trip(weights, tmp_path):
    original = checkpoints.load(weights)
    again = checkpoints.load(original.save(tmp_path / "again.safetensors"))
    assert again.digest == original.digest
    assert again.preprocess == original.preprocess
    assert again.network == original.network
    assert again.elements == ("Ca", "Fe", "Pb")
    for name, value in original.weights.items():
        assert torch.equal(value, again.weights[name])
    card = json.loads((tmp_path / "again.json").read_text())
    assert card["elements"] == ["Ca", "Fe", "Pb"]


def test_digest_follows_weights_and_thresholds(weights):
    one = checkpoints.load(weights)
    two = checkpoints.load(weights)
    two.thresholds[0] = 0.7
    assert one.digest != two.digest
    two = checkpoints.load(weights)
    two.weights["head.bias"][0] += 1
    assert one.digest != two.digest


def test_missing_or_damaged_weights_are_refused(weights, tmp_path):
    with pytest.raises(ModelError, match="no weights at"):
        Classifier.load(tmp_path / "nowhere.safetensors")
    whole = weights.read_bytes()
    damaged = tmp_path / "damaged.safetensors"
    for content in (b"", b"rubbish" * 100, whole[: len(whole) // 2]):
        damaged.write_bytes(content)
        with pytest.raises(ModelError, match="damaged"):
            Classifier.load(damaged)


def test_foreign_and_misfit_weights_are_refused(weights, tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(3)}, foreign)
    with pytest.raises(ModelError, match="not written by this software"):
        Classifier.load(foreign)
    good = checkpoints.load(weights)
    settings = good._settings()
    metadata = {"format": checkpoints.FORMAT}

    def refused(match, tensors=None, **changes):
        text = json.dumps({**settings, **changes})
        save_file(tensors or good.weights, foreign, {**metadata, "settings": text})
        with pytest.raises(ModelError, match=match):
            Classifier.load(foreign)

    refused("names 2 elements", elements=["Ca", "Fe"])
    refused("make no sense", network={"kind": "tree"})
    refused("make no sense", preprocess={"mode": "magic"})
    refused("do not fit together", preprocess={**settings["preprocess"], "n_bins": 512})
    missing = {k: v for k, v in good.weights.items() if k != "head.bias"}
    refused("do not fit its settings", tensors=missing)
    refused("no numbers", tensors={**good.weights, "head.bias": torch.full((3,), torch.nan)})


def test_impossible_requests_are_refused(classifier, cube):
    with pytest.raises(SettingsError, match="shape"):
        classifier.probabilities(np.ones(1500), CALIBRATION)
    with pytest.raises(SettingsError, match="1 or more"):
        probability_maps(cube, classifier, 0)
    with pytest.raises(SettingsError, match="does not know 'Xx'"):
        classifier.index("Xx")
    assert classifier.index("Fe") == 1
    with pytest.raises(SettingsError, match="device"):
        best_device("abacus")


def test_no_spectra_give_no_probabilities(classifier):
    assert classifier.probabilities(np.ones((0, 1500)), CALIBRATION).shape == (0, 3)
