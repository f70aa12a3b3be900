"""Worker threads, half precision, remembered plans: faster, and the same answers."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine.classifier import workers
from xrfengine.classifier.checkpoint import untrained
from xrfengine.classifier.half import HalfPrecision
from xrfengine.classifier.network import Block, ViTConfig
from xrfengine.classifier.predict import Classifier, probability_maps
from xrfengine.classifier.workers import (
    Plan,
    default_plan,
    find_plan,
    in_workers,
    on_gpu,
    pool,
)
from xrfengine.cube import Calibration, Cube
from xrfengine.errors import Cancelled
from xrfengine.jobs import NEVER, CancelToken
from xrfengine.store import make_tiles

CALIBRATION = Calibration(0.0, 0.02)
N_CHANNELS = 2048
MOST_CHANGE = 0.02
"""Of a probability, by half precision."""


def spectra_with_peaks(shape, seed=0):
    """Counts from a handful to hundreds of thousands, with a few peaks on a continuum."""
    rng = np.random.default_rng(seed)
    energy = CALIBRATION.energy_kev(N_CHANNELS)
    rate = np.exp(-energy / 12.0) + 1e-3
    rate = np.broadcast_to(rate, (*shape, N_CHANNELS)).copy()
    for _ in range(5):
        at, height = rng.uniform(1.0, 20.0, shape), rng.lognormal(1.0, 1.5, shape)
        rate += height[..., None] * np.exp(-0.5 * ((energy - at[..., None]) / 0.07) ** 2)
    rate *= (10 ** rng.uniform(2, 5.5, shape))[..., None] / rate.sum(axis=-1, keepdims=True)
    counts = rng.poisson(rate).astype(np.uint32)
    counts.flags.writeable = False
    return counts


@pytest.fixture(scope="module")
def shipped():
    return Classifier.load(device="cpu")


@pytest.fixture(scope="module")
def small():
    return Classifier(untrained(elements=("Ca", "Fe", "Pb"), depth=1, seed=3), device="cpu")


def test_workers_are_one_wide_and_leave_others_as_they_are():
    before = torch.get_num_threads()
    widths = list(pool(2).map(lambda _: torch.get_num_threads(), range(8)))
    assert set(widths) == {1}
    assert torch.get_num_threads() == before
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert elsewhere == [before]


@settings(max_examples=30, deadline=None)
@given(n=st.integers(0, 40), count=st.integers(1, 4))
def test_every_part_is_worked_on_once(n, count):
    found = dict(in_workers(lambda part: part**2, range(n), count, NEVER))
    assert found == {part: part**2 for part in range(n)}


def test_a_part_that_fails_ends_the_others():
    begun = []

    def work(part):
        begun.append(part)
        if part == 3:
            raise ValueError("three")
        return part

    with pytest.raises(ValueError, match="three"):
        list(in_workers(work, range(1000), 2, NEVER))
    assert len(begun) < 20


def test_cancel_waits_for_no_more_than_what_runs():
    token, begun = CancelToken(), []

    def work(part):
        begun.append(part)
        time.sleep(0.01)

    answers = in_workers(work, range(1000), 2, token)
    next(answers)
    token.cancel()
    with pytest.raises(Cancelled):
        list(answers)
    assert len(begun) <= 6


def test_half_precision_changes_probabilities_by_no_more_than_its_bound(shipped):
    """The bound that :func:`probability_maps` states, on the shipped weights."""
    counts = spectra_with_peaks((300,))
    parts = [slice(i, i + 30) for i in range(0, 300, 30)]
    out = {}
    for half in (False, True):
        values = np.empty((300, len(shipped.elements)), np.float32)
        for part, found in shipped.run(
            counts.__getitem__, parts, CALIBRATION, N_CHANNELS, half=half
        ):
            values[part] = found
        out[half] = values
    change = np.abs(out[True] - out[False])
    assert 0 < change.max() <= MOST_CHANGE
    verdicts = [out[half] >= shipped.thresholds for half in (False, True)]
    differ = verdicts[0] != verdicts[1]
    near = np.abs(out[False] - shipped.thresholds) <= MOST_CHANGE
    assert not (differ & ~near).any()
    # A network that says the same of everything would pass the above.
    assert np.ptp(out[False], axis=0).max() > 0.5


def test_the_classifier_answers_as_its_network(small):
    plain = small.checkpoint.built()
    x = torch.rand(5, small.preprocess.n_features, 1024)
    with torch.inference_mode():
        np.testing.assert_allclose(small._network(x), plain(x), atol=1e-6)
    assert not torch.equal(plain(x), torch.zeros(5, 3))


@settings(max_examples=12, deadline=None)
@given(
    heads=st.sampled_from([1, 2, 4]),
    tokens=st.integers(1, 40),
    activation=st.sampled_from(["relu", "gelu"]),
    n=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_blocks_in_half_precision_equal_plain_ones_to_eight_bits(
    heads, tokens, activation, n, seed
):
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        config = ViTConfig(width=32, heads=heads, mlp=48, activation=activation, dropout=0.0)
        network = torch.nn.Module()
        network.stem, network.head = torch.nn.Identity(), torch.nn.Identity()
        network.blocks = torch.nn.ModuleList([Block(config)]).eval()
        half = HalfPrecision(network).network.blocks[0]
        x = torch.randn(n, tokens, 32)
        before = x.clone()
        plain = network.blocks[0](x)
        assert type(half) is not Block
        # Sums of 48 products, each rounded by up to a 256th.
        np.testing.assert_allclose(half(x), plain, atol=0.05)
        assert (half(x) - x).abs().max() > 0.05
        assert torch.equal(x, before)


def test_half_precision_leaves_the_network_itself_alone(small):
    before = {name: value.clone() for name, value in small._network.state_dict().items()}
    half = HalfPrecision(small._network)
    assert half.is_half
    assert half(torch.rand(2, small.preprocess.n_features, 1024)).dtype == torch.float32
    for name, value in small._network.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, before[name])


def test_networks_without_blocks_stay_in_full_precision():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 2))
    half = HalfPrecision(network)
    x = torch.rand(3, 2, 4)
    assert not half.is_half
    assert torch.equal(half(x), network(x))


def test_maps_in_half_precision_stay_near_those_in_full(small):
    cube = Cube(spectra_with_peaks((12, 15)), CALIBRATION)
    full = probability_maps(cube, small, 1, half=False)
    half = probability_maps(cube, small, 1, half=True)
    assert 0 < np.abs(full.values - half.values).max() <= MOST_CHANGE


@pytest.mark.parametrize("k", [5, 10, 25])
def test_maps_from_tiles_equal_maps_from_the_cube(small, k):
    cube = Cube(spectra_with_peaks((23, 31)), CALIBRATION)
    np.testing.assert_allclose(
        probability_maps(cube, small, k, tiles=make_tiles(cube)).values,
        probability_maps(cube, small, k).values,
        atol=1e-5,
    )


def test_what_is_visible_or_shown_meanwhile_does_not_change_the_maps(small, monkeypatch):
    monkeypatch.setattr("xrfengine.classifier.predict._PARTIAL_S", 0.0)
    cube = Cube(spectra_with_peaks((21, 26)), CALIBRATION)
    plain = probability_maps(cube, small, 1)
    coarse = probability_maps(cube, small, 10)
    seen = []
    maps = probability_maps(
        cube,
        small,
        1,
        visible=(10, 14, 3, 9),
        before=coarse,
        on_partial=lambda maps, share: seen.append((maps, share)),
    )
    np.testing.assert_array_equal(maps.values, plain.values)
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5
    for partial, share in seen:
        known = (partial.values == plain.values).all(axis=0)
        # Where nothing finer is known, the coarser value stands.
        np.testing.assert_array_equal(partial.values[:, ~known], coarse.values[:, ~known])
        assert known.mean() >= share - 1e-6
    first = (seen[0][0].values == plain.values).all(axis=0)
    assert first[10:14].any()
    assert not first[:9].any()
    np.testing.assert_array_equal(coarse.values, probability_maps(cube, small, 10).values)


def test_gpu_path_gives_every_batch_its_own_answer(small):
    features = [(n, torch.rand(n, small.preprocess.n_features, 1024)) for n in (3, 1, 7)]
    found = list(on_gpu(small._network, iter(features), torch.device("cpu")))
    assert [part for part, _ in found] == [3, 1, 7]
    for (part, x), (_, probabilities) in zip(features, found, strict=True):
        assert probabilities.shape == (part, 3)
        with torch.inference_mode():
            expected = torch.sigmoid(small._network(x)).numpy()
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert not torch.is_inference_mode_enabled()


def test_gpu_batches_bound_the_memory_they_pin():
    plan = default_plan(torch.device("cuda"), 1024)
    features = 5 * 1024 * 4
    assert 2 * 16 * plan.batch * features < 0.5 * 524 * 348 * 4096 * 2
    assert plan.half


def test_plans_are_measured_once_and_remembered(small, tmp_path, monkeypatch):
    half = HalfPrecision(small._network)
    example = torch.rand(1, small.preprocess.n_features, 1024)

    def plan(about="a"):
        return find_plan(small._network, half, example, 40, tmp_path, about)

    first = plan()
    assert first.workers == torch.get_num_threads()
    assert first.batch in (16, 32, 40)
    assert len(json.loads((tmp_path / "plans.json").read_text())) == 1
    with monkeypatch.context() as patch:
        patch.setattr(workers, "_measured", lambda *_: pytest.fail("it is known"))
        assert plan() == first
    plan("another network")
    assert len(json.loads((tmp_path / "plans.json").read_text())) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}', "rubbish"])
def test_damaged_plans_are_measured_anew(small, tmp_path, content, monkeypatch):
    monkeypatch.setattr(workers, "_measured", lambda *_: Plan(1, 16, half=True))
    (tmp_path / "plans.json").write_text(content)
    half = HalfPrecision(small._network)
    example = torch.rand(1, small.preprocess.n_features, 1024)
    found = find_plan(small._network, half, example, 40, tmp_path, "a")
    assert (found.batch, found.half) == (16, True)
    key = [k for k, v in json.loads((tmp_path / "plans.json").read_text()).items() if v != 1]
    (tmp_path / "plans.json").write_text(json.dumps({key[0]: {"workers": 0, "batch": 8}}))
    assert find_plan(small._network, half, example, 40, tmp_path, "a") == found


def test_half_precision_that_changes_answers_is_not_used(small, tmp_path, monkeypatch):
    half = HalfPrecision(small._network)
    example = small._trial()
    monkeypatch.setattr(workers, "_GAIN", 0.0)  # however slow it is here
    assert find_plan(small._network, half, example, 32, tmp_path, "a").half
    half.network.head.inner.bias.data += 1.0
    assert not find_plan(small._network, half, example, 32, tmp_path, "b").half


def test_plans_survive_a_round_trip_and_refuse_nonsense():
    plan = Plan(3, 48, half=True)
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    with pytest.raises(ValueError, match="0 workers"):
        Plan.from_dict({"workers": 0, "batch": 1, "half": False})


def test_many_spectra_use_the_plan_and_few_do_not(tmp_path):
    classifier = Classifier(untrained(elements=("Ca", "Fe"), depth=1), device="cpu")
    classifier.folder = tmp_path
    counts = np.ones((40, 30, 64), np.uint16)
    few = Cube(counts[:8, :8], CALIBRATION)
    probability_maps(few, classifier, 1)
    assert not (tmp_path / "plans.json").exists()
    probability_maps(Cube(counts, CALIBRATION), classifier, 1)
    assert (tmp_path / "plans.json").exists()
