"""Thresholds for spectra of few counts: eased as far as false alarms allow, never further."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xrfengine.assets import asset
from xrfengine.classifier.checkpoint import untrained
from xrfengine.classifier.dim_thresholds import (
    LEVELS,
    LOWEST,
    DimThresholds,
    dim_path,
    gather,
    learn,
)
from xrfengine.classifier.predict import Classifier, probability_maps
from xrfengine.cube import Calibration, Cube
from xrfengine.errors import ModelError

USUAL = np.array([0.55, 0.8, 0.95], np.float32)
DIM = DimThresholds((2.5, 4.0, 5.5), (1.8, 1.0, 0.0), "d", {})


@given(
    hnp.arrays(np.float32, 7, elements=st.floats(0.5, 0.96875, width=32)),
    st.floats(0, 1e9),
    st.floats(0, 1e9),
)
def test_the_dimmer_the_lower_but_never_below_even_odds(usual, some, more):
    some, more = sorted((some, more))
    low, high = DIM.eased(usual, some), DIM.eased(usual, more)
    assert (low <= high).all()
    assert (high <= usual).all()
    assert (low >= np.float32(LOWEST)).all()


def test_bright_spectra_keep_the_thresholds_and_many_are_as_one():
    np.testing.assert_array_equal(DIM.eased(USUAL, 10**5.5), USUAL)
    counts = np.array([0.0, 300.0, 2e4, 1e7])
    together = DIM.eased(USUAL, counts)
    assert together.shape == (4, 3)
    for row, each in zip(together, counts, strict=True):
        np.testing.assert_array_equal(row, DIM.eased(USUAL, float(each)))
    odds = np.log(0.95 / 0.05) - 1.0  # half way down the second step
    assert DIM.eased(USUAL, 1e4)[2] == pytest.approx(1 / (1 + np.exp(-odds)), rel=1e-5)


def drawn(rng, n=40_000):
    """Calibrated probabilities: an element is there as often as its probability says."""
    p = rng.beta(0.15, 0.6, size=(n, 3))
    labels = (rng.random(p.shape) < p).astype(int)
    return p, labels, 10 ** rng.uniform(2.0, 5.6, n)


def test_every_level_raises_the_false_alarms_that_are_allowed():
    p, labels, counts = drawn(np.random.default_rng(3))
    dim = learn(p, labels, counts, USUAL, "w", alarms_per_spectrum=0.07, card={"seed": 3})
    assert dim.log10_counts[:-1] == LEVELS
    assert dim.eases[-1] == 0.0
    assert dim.network == "w"
    for told in dim.card["at_levels"].values():
        assert told["false_alarms_per_spectrum_before"] < 0.07
        assert told["false_alarms_per_spectrum_eased"] == pytest.approx(0.07, abs=0.004)
        assert told["recall_eased"] > told["recall_before"]


def test_nothing_is_eased_where_alarms_are_too_many_already():
    p, labels, counts = drawn(np.random.default_rng(4))
    assert set(learn(p, labels, counts, USUAL, "w", alarms_per_spectrum=0.0).eases) == {0.0}
    allowed = learn(p, labels, counts, USUAL, "w", alarms_per_spectrum=3.0)
    np.testing.assert_allclose(allowed.eased(USUAL, 100.0), LOWEST, atol=1e-3)


def test_levels_without_spectra_are_refused():
    p, labels, counts = drawn(np.random.default_rng(5), 200)
    with pytest.raises(ModelError, match="no spectra of about 316 counts"):
        learn(p, labels, np.full_like(counts, 1e6), USUAL, "w")


def test_it_is_read_as_it_was_written(tmp_path):
    path = DIM.save(tmp_path / "a.dim.json")
    again = DimThresholds.load(path)
    assert again == replace(DIM, card={})
    values = json.loads(path.read_text())
    for damage in ({"eases": [1.0]}, {"log10_counts": [3, 2, 1]}, {"eases": None}):
        path.write_text(json.dumps({**values, **damage}))
        with pytest.raises(ModelError, match=r"eases|cannot be read"):
            DimThresholds.load(path)
    path.write_text("{")
    with pytest.raises(ModelError, match=r"a\.dim\.json cannot be read"):
        DimThresholds.load(path)


@pytest.fixture
def weights(tmp_path):
    return untrained(elements=("Fe", "Cu"), depth=1).save(tmp_path / "tiny.safetensors")


def test_a_classifier_takes_those_of_its_own_weights(weights):
    plain = Classifier.load(weights, device="cpu")
    assert plain.dim is None
    np.testing.assert_array_equal(plain.thresholds_at(10.0), plain.thresholds)
    assert plain.thresholds_at(np.ones(4)).shape == (4, 2)
    replace(DIM, network="others").save(dim_path(weights))
    assert Classifier.load(weights, device="cpu").dim is None
    replace(DIM, network=plain.digest).save(dim_path(weights))
    with_dim = Classifier.load(weights, device="cpu")
    assert with_dim.dim is not None
    np.testing.assert_array_equal(with_dim.thresholds_at(None), plain.thresholds)


def test_maps_tell_the_counts_behind_their_thresholds(weights):
    counts = np.random.default_rng(0).poisson(3.0, (6, 8, 200)).astype(np.uint16)
    cube = Cube(counts, Calibration(0.0, 0.05), "dim")
    classifier = Classifier.load(weights, device="cpu")
    for k in (1, 2):
        maps = probability_maps(cube, classifier, k)
        middle = float(np.median(counts.sum(axis=2)))
        assert maps.counts_per_region == pytest.approx(middle * k * k)
        arrays, meta = maps.to_arrays()
        assert type(maps).from_arrays(arrays, meta).counts_per_region == maps.counts_per_region


def test_the_shipped_ones_belong_to_the_shipped_weights():
    classifier = Classifier.load(device="cpu")
    assert classifier.dim is not None
    assert dim_path(asset("compact.safetensors")).is_file()
    dim, bright = classifier.thresholds_at(300.0), classifier.thresholds_at(1e6)
    assert (dim < bright).any()
    np.testing.assert_array_equal(bright, classifier.thresholds)
    p, labels, counts = gather(classifier, 640, seed=99)
    assert p.shape == labels.shape == (640, len(classifier.elements))
    reported = p >= classifier.thresholds_at(counts)
    assert ((reported & (labels == 0)).sum(axis=1)).mean() < 0.3
