"""Features: cropping, normalising, components; blank pixels; low memory; no surprises."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from xrfengine.cluster import features as module
from xrfengine.cluster.features import FeatureSettings, kept_channels, spectra_features
from xrfengine.cube import Calibration, Cube
from xrfengine.errors import Cancelled, SettingsError
from xrfengine.jobs import CancelToken

CALIBRATION = Calibration(0.0, 0.02)
PLAIN = FeatureSettings(drop_channels=0, max_bins=0, normalise="none", scale="none", n_components=0)


def random_cube(shape=(6, 7, 60), mean=4.0, seed=0, dtype=np.uint16) -> Cube:
    counts = np.random.default_rng(seed).poisson(mean, shape).astype(dtype)
    counts.flags.writeable = False
    return Cube(counts, CALIBRATION)


def test_without_any_step_features_are_the_counts() -> None:
    cube = random_cube()
    np.testing.assert_array_equal(
        spectra_features(cube, PLAIN), cube.counts.reshape(-1, 60).astype(np.float32)
    )


def test_thesis_share_is_dropped_whatever_the_number_of_channels() -> None:
    assert kept_channels(random_cube((2, 2, 4096)), FeatureSettings()) == slice(100, 3996)
    assert kept_channels(random_cube((2, 2, 1024)), FeatureSettings()) == slice(25, 999)


def test_channels_above_the_last_count_are_dropped() -> None:
    counts = np.array(random_cube((3, 3, 100), mean=5.0).counts)
    counts[..., 70:] = 0
    cube = Cube(counts, CALIBRATION)
    assert kept_channels(cube, FeatureSettings(drop_channels=4)) == slice(4, 70)


def test_what_happens_at_the_ends_changes_nothing() -> None:
    cube = random_cube((5, 5, 400))
    counts = np.array(cube.counts)
    counts[..., :10] += np.arange(25, dtype=np.uint16).reshape(5, 5, 1) * 50
    counts[..., -10:] = 999
    other = Cube(counts, CALIBRATION)
    s = FeatureSettings(drop_channels=10, n_components=8)
    np.testing.assert_array_equal(spectra_features(cube, s), spectra_features(other, s))


def test_neighbouring_channels_are_summed_to_bins() -> None:
    cube = random_cube((2, 3, 10))
    got = spectra_features(cube, dataclasses.replace(PLAIN, max_bins=4))
    counts = cube.counts.reshape(6, 10).astype(np.float32)
    expected = np.stack(
        [counts[:, 0:3].sum(1), counts[:, 3:6].sum(1), counts[:, 6:9].sum(1), counts[:, 9]], axis=1
    )
    np.testing.assert_array_equal(got, expected)


def test_brightness_is_divided_out() -> None:
    shape = np.random.default_rng(1).integers(1, 50, 64)
    counts = (shape * np.array([1, 2, 7, 40])[:, None]).reshape(2, 2, 64)
    got = spectra_features(Cube(counts, CALIBRATION), FeatureSettings(n_components=0))
    np.testing.assert_allclose(got, np.broadcast_to(got[0], got.shape), rtol=1e-5)
    np.testing.assert_allclose((got**2).sum(axis=1), 1.0, rtol=1e-5)  # √(share) has length 1


@given(
    y=st.integers(1, 5),
    x=st.integers(1, 5),
    channels=st.integers(2, 40),
    mean=st.sampled_from([0.0, 0.02, 3.0, 4000.0]),
    components=st.integers(0, 50),
    normalise=st.sampled_from(["sum", "none"]),
    scale=st.sampled_from(["sqrt", "none"]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.uint32, np.float32, np.float64]),
)
@settings(max_examples=40, deadline=None)
def test_finite_for_every_cube(y, x, channels, mean, components, normalise, scale, dtype) -> None:
    mean = min(mean, 60.0) if dtype is np.uint8 else mean
    cube = random_cube((y, x, channels), mean, dtype=dtype)
    s = FeatureSettings(
        drop_channels=0, n_components=components, normalise=normalise, scale=scale, max_bins=16
    )
    got = spectra_features(cube, s)
    assert got.dtype == np.float32
    assert got.shape[0] == y * x
    assert np.isfinite(got).all()


def test_blank_pixels_are_alike_and_finite() -> None:
    counts = np.array(random_cube((8, 8, 50)).counts)
    counts[2:4, 3:6] = 0
    got = spectra_features(Cube(counts, CALIBRATION)).reshape(8, 8, -1)
    blank = got[2:4, 3:6].reshape(6, -1)
    np.testing.assert_allclose(blank, np.broadcast_to(blank[0], blank.shape), atol=1e-6)


def test_components_keep_distances_and_fall_in_variance() -> None:
    """All components kept: a rotation; distances between pixels stay what they were."""
    cube = random_cube((6, 6, 20), mean=30.0)
    bins = spectra_features(cube, FeatureSettings(drop_channels=0, n_components=0))
    turned = spectra_features(cube, FeatureSettings(drop_channels=0, n_components=20))
    np.testing.assert_allclose(pdist(turned), pdist(bins), atol=1e-5)
    variance = turned.var(axis=0)
    assert (np.diff(variance) <= 1e-9).all()
    np.testing.assert_allclose(turned.mean(axis=0), 0.0, atol=1e-5)


def test_components_agree_with_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(3)
    mix = rng.dirichlet(np.ones(4), (9, 9)) @ (rng.random((4, 80)) ** 6)
    cube = Cube(rng.poisson(mix * 400), CALIBRATION)
    bins = spectra_features(cube, FeatureSettings(drop_channels=0, n_components=0))
    got = spectra_features(cube, FeatureSettings(drop_channels=0, n_components=3))
    expected = PCA(3, svd_solver="full").fit_transform(bins)
    np.testing.assert_allclose(np.abs(got), np.abs(expected), atol=2e-5)


@given(st.integers(1, 200))
@settings(max_examples=10, deadline=None)
def test_chunks_do_not_show(chunk_bytes: int) -> None:
    cube = random_cube((5, 4, 30), mean=20.0)
    with pytest.MonkeyPatch.context() as patch:
        whole = spectra_features(cube, FeatureSettings(n_components=3))
        patch.setattr(module, "_CHUNK_BYTES", chunk_bytes)
        pieces = spectra_features(cube, FeatureSettings(n_components=3))
        np.testing.assert_allclose(pieces, whole, atol=1e-4)


def test_components_from_a_share_of_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    base = rng.random((3, 64)) ** 8
    cube = Cube(rng.poisson(base[rng.integers(0, 3, (30, 30))] * 300), CALIBRATION)
    s = FeatureSettings(n_components=2)
    whole = spectra_features(cube, s)
    monkeypatch.setattr(module, "_PCA_PIXELS", 200)
    share = spectra_features(cube, s)
    np.testing.assert_array_equal(share, spectra_features(cube, s))
    centred = share - share.mean(axis=0)
    for k in range(2):
        assert abs(np.corrcoef(centred[:, k], whole[:, k])[0, 1]) > 0.98


def test_cancel_stops_between_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 1)
    token, seen = CancelToken(), []

    def progress(fraction: float, message: str = "") -> None:
        seen.append(fraction)
        if len(seen) == 3:
            token.cancel()

    with pytest.raises(Cancelled):
        spectra_features(random_cube(), progress=progress, cancel=token)
    assert len(seen) == 3


def test_progress_rises_to_one() -> None:
    seen: list[float] = []
    spectra_features(random_cube(), progress=lambda fraction, message="": seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_too_much_dropped_says_so() -> None:
    with pytest.raises(SettingsError, match="30 channels at each end"):
        spectra_features(random_cube(), FeatureSettings(drop_channels=30))


@pytest.mark.parametrize(
    "wrong",
    [
        {"drop_channels": -1},
        {"n_components": -1},
        {"max_bins": -2},
        {"normalise": "max"},
        {"scale": "log"},
    ],
)
def test_settings_out_of_range(wrong: dict) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        FeatureSettings(**wrong)


def test_settings_to_dict_and_back() -> None:
    s = FeatureSettings(drop_channels=7, scale="none", n_components=3)
    assert FeatureSettings.from_dict(s.to_dict()) == s
    assert hash(s) == hash(FeatureSettings.from_dict(s.to_dict()))
