"""Training: it learns, it can be interrupted and taken up, and what it writes can be used."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import threading
import time

import numpy as np
import pytest
import torch

from xrfengine.classifier.checkpoint import load, untrained
from xrfengine.classifier.feed import Feed, simulated
from xrfengine.classifier.network import preset_config
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.recipe import TrainSettings
from xrfengine.classifier.train import held_apart, state_path, train
from xrfengine.classifier.training_run import Run, masked_loss
from xrfengine.errors import Cancelled, ModelError, SettingsError
from xrfengine.jobs import CancelToken

TINY = TrainSettings(
    preset="compact",
    steps=6,
    workers=0,
    device="cpu",
    batch=64,
    validation_spectra=256,
    elements=("Ca", "Fe", "Cu"),
    network=(("depth", 1), ("width", 16), ("mlp", 16), ("stem_width", 8)),
)


class Interrupt(CancelToken):
    """Is set after it was checked so many times."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            self.cancel()
        super().check()


def test_training_writes_usable_weights_and_a_card(tmp_path):
    out = tmp_path / "m.safetensors"
    heard: list[tuple[float, str]] = []
    threads = torch.get_num_threads()
    train(
        dataclasses.replace(TINY, threads=1),
        out,
        command="xrfengine train --preset compact",
        progress=lambda fraction, message="": heard.append((fraction, message)),
    )
    assert torch.get_num_threads() == threads
    assert [f for f, _ in heard] == sorted(f for f, _ in heard)
    assert heard[-1][0] == 1.0
    classifier = Classifier.load(out, device="cpu")
    assert classifier.elements == ("Ca", "Fe", "Cu")
    card = json.loads(out.with_suffix(".json").read_text())
    assert card == classifier.card
    assert card["command"] == "xrfengine train --preset compact"
    assert (card["seed"], card["steps"], card["spectra"]) == (0, 6, 384)
    assert card["validation"]["n_spectra"] == 128
    assert {"recall", "precision", "average_precision"} <= set(card["validation"])
    assert card["simulation"]["preset"] == "physical"
    assert TrainSettings.from_dict(card["training"]) == dataclasses.replace(TINY, threads=1)
    np.testing.assert_allclose(card["thresholds"], classifier.thresholds, atol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.json", "m.safetensors"]


def test_training_learns(tmp_path):
    """On the thesis's generator, which is easy: three elements in sixty steps."""
    settings = dataclasses.replace(
        TINY,
        preset="thesis",
        steps=60,
        learning_rate=3e-3,
        validation_spectra=512,
        network=(("depth", 1), ("patch", 64)),
    )
    figures = {}
    for steps in (1, 60):
        out = train(dataclasses.replace(settings, steps=steps), tmp_path / f"{steps}.safetensors")
        figures[steps] = json.loads(out.with_suffix(".json").read_text())["validation"]
    assert figures[1]["average_precision"] < 0.8
    assert figures[60]["average_precision"] > 0.95
    assert figures[60]["f1"] > 0.9


def test_interrupted_training_goes_on_where_it_stopped(tmp_path):
    out = tmp_path / "m.safetensors"
    with pytest.raises(Cancelled):
        train(TINY, out, cancel=Interrupt(after=4))
    assert not out.exists()
    assert state_path(out).exists()
    train(TINY, out)
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["steps"] == 6
    assert card["runs"] == 2
    assert not state_path(out).exists()


def test_state_holds_everything_the_next_step_needs(tmp_path):
    """Interrupting must not change what the optimiser does: same spectra, same weights."""
    feed = TINY.feed()
    rng = np.random.default_rng(0)
    x, y = simulated(feed, feed.simulator(), rng, 64)
    straight = Run(TINY)
    for _ in range(4):
        straight.learn(x.numpy(), y)
    first = Run(TINY)
    first.learn(x.numpy(), y)
    first.learn(x.numpy(), y)
    first.save(tmp_path / "s.state")
    second = Run(TINY)
    second.resume(tmp_path / "s.state")
    second.learn(x.numpy(), y)
    second.learn(x.numpy(), y)
    for name, value in straight.tensors().items():
        assert torch.equal(value, second.tensors()[name]), name


BRIGHT = {
    "steps": 3,
    "workers": 0,
    "device": "cpu",
    "batch": 64,
    "validation_spectra": 128,
    "elements": TINY.elements,
    "network": (*TINY.network, ("n_features", 4)),
}


@pytest.fixture
def begun(tmp_path):
    small = dict(TINY.network)
    return untrained("compact", TINY.elements, **small).save(tmp_path / "begun.safetensors")


def test_a_reader_of_bright_spectra_goes_on_from_weights(begun, tmp_path):
    settings = TrainSettings.for_bright(begun, **BRIGHT)
    first = Run(settings)
    before = load(begun)
    feed = settings.feed()
    assert feed.preprocess.matched_filter
    assert feed.simulation.counts[0] >= 1e5
    x = torch.randn(5, 4, 1024)
    with torch.no_grad():
        same = first.network.eval()(x)
        assert torch.allclose(same, before.built()(x[:, :3]), atol=1e-5)
    out = train(settings, tmp_path / "m.bright.safetensors", command="c")
    after = load(out)
    assert after.card["begun_with"] == before.digest
    assert str(tmp_path) not in out.with_suffix(".json").read_text()
    assert after.most_counts is None
    assert after.network.n_features == 4
    assert torch.equal(load(begun).weights["position"], before.weights["position"])


def test_what_cannot_be_gone_on_from_is_refused(begun, tmp_path):
    for change, words in (
        ({"elements": ("Ca", "Fe", "Zn")}, "other elements"),
        ({"network": (("n_features", 4),)}, "another design|differ in"),
    ):
        with pytest.raises(SettingsError, match=words):
            Run(TrainSettings.for_bright(begun, **{**BRIGHT, **change}))
    state = tmp_path / "m.state"
    Run(TrainSettings.for_bright(begun, **BRIGHT)).save(state)
    other = untrained("compact", TINY.elements, seed=1, **dict(TINY.network))
    elsewhere = other.save(tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="other settings"):
        Run(TrainSettings.for_bright(elsewhere, **BRIGHT)).resume(state)
    Run(TrainSettings.for_bright(begun, **BRIGHT)).resume(state)


def test_a_spectrum_that_is_no_number_costs_one_step_only():
    feed = TINY.feed()
    x, y = simulated(feed, feed.simulator(), np.random.default_rng(0), 8)
    run = Run(TINY)
    run.learn(x.numpy(), y)
    before = run.tensors()
    broken = x.numpy().copy()
    broken[0, 0, 5] = np.nan
    assert math.isnan(run.learn(broken, y))
    assert (run.step, run.skipped) == (2, 1)
    for name, value in run.tensors().items():
        assert torch.equal(value, before[name]), name
    assert math.isfinite(run.learn(x.numpy(), y))
    with pytest.raises(RuntimeError, match="no finite gradient"):
        _ = [run.learn(broken, y) for _ in range(20)]


def test_state_of_other_settings_or_damaged_is_not_taken_up(tmp_path):
    out = tmp_path / "m.safetensors"
    with pytest.raises(Cancelled):
        train(TINY, out, cancel=Interrupt(after=2))
    with pytest.raises(ModelError, match="other settings"):
        train(dataclasses.replace(TINY, seed=1), out)
    state = state_path(out)
    state.write_bytes(state.read_bytes()[:500])
    with pytest.raises(ModelError, match="damaged"):
        train(TINY, out)


def test_spectra_from_a_process_beside_and_a_clean_end(tmp_path):
    settings = dataclasses.replace(TINY, workers=1, steps=3)
    out = train(settings, tmp_path / "m.safetensors")
    assert Classifier.load(out, device="cpu").elements == TINY.elements
    with Feed(settings.feed(), workers=1) as feed:
        features, labels = feed.take()
        process = feed._processes[0]
        pid = process.pid
        assert features.shape == (64, 3, 1024)
        assert features.dtype == np.float32
        assert labels.shape == (64, 3)
        assert set(np.unique(labels)) <= {-1, 0, 1}
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the producing process lives on")


def test_failure_in_the_process_beside_is_raised_here():
    broken = dataclasses.replace(TINY.feed(), elements=("Xx",))
    with Feed(broken, workers=1) as feed, pytest.raises(RuntimeError, match="Xx"):
        feed.take()


def test_cancel_while_waiting_for_spectra_is_prompt():
    token = CancelToken()
    with Feed(TINY.feed(), workers=1) as feed:
        threading.Timer(0.1, token.cancel).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            _ = [feed.take(token) for _ in range(100_000)]
        assert time.monotonic() - started < 2.0


def test_steps_mix_several_instruments_and_follow_the_seed():
    settings = dataclasses.replace(TINY, batch=256).feed()
    with Feed(settings, workers=0) as one, Feed(settings, workers=0) as two:
        (x, y), (again, _) = one.take(), two.take()
    np.testing.assert_array_equal(x, again)
    covered = np.unique(x[:, 2], axis=0)
    assert len(covered) >= 4
    assert len(y) == 256
    with Feed(settings, workers=0, run=1) as other:
        assert not np.array_equal(other.take()[0], x)


def test_validation_spectra_are_held_apart_and_the_same_each_time():
    first, again = next(held_apart(TINY)), next(held_apart(TINY))
    assert torch.equal(first[0], again[0])
    with Feed(TINY.feed(), workers=0) as feed:
        assert not np.isin(feed.take()[0][:, 0].sum(1), first[0][:, 0].numpy().sum(1)).any()


def test_training_and_inference_see_the_same_tensor():
    feed = TINY.feed()
    batch = feed.simulator().batch(8, np.random.default_rng(4))
    features, _ = simulated(feed, feed.simulator(), np.random.default_rng(4), 8)
    from xrfengine.preprocess import preprocessor

    whole = batch.counts.astype(np.uint32)
    prepare = preprocessor(feed.preprocess, batch.calibration, whole.shape[1])
    assert torch.equal(prepare(whole), features)


def test_labels_of_minus_one_do_not_count():
    logits = torch.tensor([[2.0, -50.0], [0.0, 50.0]])
    labels = torch.tensor([[1, -1], [0, -1]], dtype=torch.int8)
    expected = (math.log1p(math.exp(-2.0)) + math.log(2.0)) / 2
    assert float(masked_loss(logits, labels)) == pytest.approx(expected)
    nothing = masked_loss(logits, torch.full((2, 2), -1, dtype=torch.int8))
    assert float(nothing) == 0.0


def test_recipes():
    thesis = TrainSettings.for_preset("thesis")
    assert (thesis.batch, thesis.learning_rate, thesis.recipe) == (128, 1e-4, "constant")
    assert thesis.feed().simulation.preset == "thesis"
    assert len(thesis.learned()) == thesis.network_config().n_classes == 20
    assert thesis.network_config() == preset_config("thesis", 20)
    assert TrainSettings.from_dict(json.loads(json.dumps(thesis.to_dict()))) == thesis
    assert hash(thesis) == hash(TrainSettings.for_preset("thesis"))


def test_impossible_settings_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="time"):
        TrainSettings(minutes=0)
    with pytest.raises(SettingsError, match="preset"):
        TrainSettings(preset="huge")
    with pytest.raises(SettingsError, match="recipe"):
        TrainSettings(recipe="secret")
    with pytest.raises(SettingsError, match="workers"):
        TrainSettings(workers=-1)
    with pytest.raises(ModelError, match=r"\.safetensors"):
        train(TINY, tmp_path / "m.pt")
