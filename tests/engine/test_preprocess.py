"""Counts to network input: conservation, the thesis's recipe, one path for all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine.cube import Calibration
from xrfengine.errors import SettingsError
from xrfengine.preprocess import (
    ASINH_SCALE,
    LOG_SCALE,
    SHARE_SCALE,
    Preprocessor,
    PreprocessSettings,
    peak_filter,
    preprocessor,
)

WIDE = Calibration(-0.5, 0.02)
"""2500 channels reach from below the grid to beyond it."""

FILTERED = PreprocessSettings(matched_filter=True)


def spectra(n: int = 5, n_channels: int = 2500, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = np.arange(n_channels)
    peaks = sum(
        rng.uniform(50, 500, (n, 1)) * np.exp(-0.5 * ((x - rng.uniform(100, 1400)) / 6) ** 2)
        for _ in range(6)
    )
    counts = rng.poisson(peaks + 20 * np.exp(-x / 900)).astype(np.uint16)
    counts.flags.writeable = False
    return counts


def test_bins_follow_the_resolution_of_a_silicon_detector():
    edges = PreprocessSettings().edges_kev()
    assert edges[0] == pytest.approx(0.25)
    assert edges[-1] == pytest.approx(41.0)
    centres = PreprocessSettings().centres_kev()
    per_fwhm = np.sqrt(0.0036 + 0.0025 * centres) / np.diff(edges)
    assert per_fwhm.min() > 4.7
    assert np.ptp(per_fwhm) < 0.1


@settings(max_examples=60, deadline=None)
@given(
    offset=st.floats(-1.0, 3.0),
    gain=st.floats(0.004, 0.09),
    n_channels=st.integers(50, 1500),
    seed=st.integers(0, 99),
)
def test_rebinning_conserves_counts_inside_the_range(offset, gain, n_channels, seed):
    calibration = Calibration(offset, gain)
    counts = np.random.default_rng(seed).poisson(30, (2, n_channels))
    made = Preprocessor(PreprocessSettings(), calibration, n_channels)
    edges = calibration.edges_kev(n_channels)
    low, high = made.settings.low_kev, made.settings.high_kev
    inside = np.clip(edges[1:], low, high) - np.clip(edges[:-1], low, high)
    expected = counts @ (inside / np.diff(edges))
    np.testing.assert_allclose(made.rebinned(counts).sum(axis=1), expected, rtol=1e-5, atol=1e-3)


def test_rebinning_equals_sharing_each_channel_by_overlap():
    calibration = Calibration(0.31, 0.037)
    counts = spectra(3, 400)
    made = Preprocessor(PreprocessSettings(n_bins=97), calibration, 400)
    grid, edges = made.settings.edges_kev(), calibration.edges_kev(400)
    overlap = np.minimum(grid[1:, None], edges[None, 1:]) - np.maximum(
        grid[:-1, None], edges[None, :-1]
    )
    shares = np.maximum(overlap, 0) / np.diff(edges)
    np.testing.assert_allclose(made.rebinned(counts), counts @ shares.T, rtol=1e-5, atol=1e-3)


def test_bright_spectra_are_scaled_down_when_asked_to():
    counts = spectra(2)
    counts = np.stack([counts[0], counts[1] * np.uint16(40)])
    made = preprocessor(PreprocessSettings(), WIDE, counts.shape[1])
    totals = made.rebinned(counts).sum(axis=1)
    limit = float(totals.mean())
    plain, limited = made(counts), made(counts, most_counts=limit)
    assert torch.equal(plain[0], limited[0])
    back = torch.expm1(limited[1, 0].double() / LOG_SCALE)
    assert float(back.sum()) == pytest.approx(limit, rel=1e-4)
    torch.testing.assert_close(plain[1, 1], limited[1, 1])


def test_bins_a_file_does_not_reach_are_marked():
    made = Preprocessor(PreprocessSettings(), Calibration(2.0, 0.01), 1000)
    centres = made.settings.centres_kev()
    features = made(np.ones((1, 1000)))
    inside = (centres > 2.1) & (centres < 11.9)
    outside = (centres < 1.9) | (centres > 12.1)
    assert (features[0, 2, inside] == 1).all()
    assert (features[0, :, outside] == 0).all()
    assert ((made.covered >= 0) & (made.covered <= 1)).all()


def test_a_range_beside_the_grid_gives_nothing_but_does_not_fail():
    made = Preprocessor(PreprocessSettings(), Calibration(60.0, 0.01), 200)
    assert (made(np.ones((2, 200))) == 0).all()
    made = Preprocessor(PreprocessSettings(), Calibration(-9.0, 0.01), 200)
    assert (made(np.ones((2, 200))) == 0).all()


def test_total_counts_can_be_recovered():
    counts = spectra(4)
    made = preprocessor(PreprocessSettings(), WIDE, counts.shape[1])
    features = made(counts)
    back = torch.expm1(features[:, 0].double() / LOG_SCALE)
    np.testing.assert_allclose(back.sum(dim=1), made.rebinned(counts).sum(axis=1), rtol=1e-4)
    share = (features[:, 1].double() / SHARE_SCALE) ** 2
    np.testing.assert_allclose(share.sum(dim=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("chosen", [PreprocessSettings(), FILTERED, PreprocessSettings.thesis()])
def test_batched_equals_single_and_types_do_not_matter(chosen):
    counts = spectra(90)
    made = preprocessor(chosen, WIDE, counts.shape[1])
    batched = made(counts)
    single = torch.cat([made(counts[i : i + 1]) for i in range(len(counts))])
    assert torch.equal(batched, single)
    for dtype in (np.float32, np.float64, np.int64, np.uint32):
        assert torch.equal(made(counts.astype(dtype)), batched)
    assert torch.equal(made(np.asfortranarray(counts)), batched)


def test_empty_spectra_and_no_spectra():
    for chosen in (PreprocessSettings(), PreprocessSettings.thesis()):
        made = preprocessor(chosen, WIDE, 2500)
        features = made(np.zeros((2, 2500), np.uint16))
        assert torch.isfinite(features).all()
        assert made(np.zeros((0, 2500))).shape == (0, chosen.n_features, chosen.n_bins)


def test_thesis_recipe_against_a_plain_one():
    calibration = Calibration(0.2, 0.01)
    energy = calibration.energy_kev(2200)
    counts = (100 * np.exp(-0.3 * energy))[None]
    chosen = PreprocessSettings.thesis()
    made = preprocessor(chosen, calibration, 2200)(counts)[0, 0].numpy()
    grid = np.linspace(0, 30, 4096)
    assert made.shape == (4096,)
    assert made.max() == pytest.approx(1.0)
    # A spectrum that is one exponential continues as itself over the masked margins; where the
    # extrapolation would top the spectrum it is held at the spectrum's own maximum.
    low, high = energy[0] + 1.0, energy[-1] - 1.0
    kept = (grid >= low) & (grid <= high)
    np.testing.assert_allclose(made[kept], np.exp(-0.3 * (grid[kept] - low)), rtol=2e-3)
    beyond = grid > high
    np.testing.assert_allclose(made[beyond], np.exp(-0.3 * (grid[beyond] - low)), rtol=2e-3)
    masked = preprocessor(PreprocessSettings.thesis(extrapolate=False), calibration, 2200)(counts)
    masked = masked[0, 0].numpy()
    assert (masked[(grid < low - 0.01) | (grid > high + 0.01)] == 0).all()
    np.testing.assert_allclose(masked[kept], made[kept], rtol=1e-3)


def test_thesis_extrapolates_from_the_nearest_non_zero_points():
    calibration = Calibration(0.0, 0.01)
    energy = calibration.energy_kev(3001)
    counts = 100 * np.exp(-0.2 * energy)[None].repeat(2, 0)
    counts[1, energy < 3.0] = 0.0
    made = preprocessor(PreprocessSettings.thesis(), calibration, 3001)(counts)[:, 0].numpy()
    grid = np.linspace(0, 30, 4096)
    inner = (grid > 3.01) & (grid < 28.9)
    ratio = made[1, inner] / made[0, inner]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)
    assert (made[1, grid < 2.9] > 0).all()


def test_smoothing_and_dropped_channels():
    counts = spectra(3)
    plain = preprocessor(PreprocessSettings(), WIDE, 2500).rebinned(counts)
    smooth = preprocessor(PreprocessSettings(smooth_window=11), WIDE, 2500).rebinned(counts)
    assert np.abs(np.diff(smooth, axis=1)).sum() < 0.9 * np.abs(np.diff(plain, axis=1)).sum()
    np.testing.assert_allclose(smooth.sum(axis=1), plain.sum(axis=1), rtol=0.05)
    dropped = preprocessor(PreprocessSettings(drop_channels=300), WIDE, 2500)
    centres = dropped.settings.centres_kev()
    features = dropped(counts)
    outside = (centres < WIDE.at(299)) | (centres > WIDE.at(2200.5))
    assert outside.any()
    assert (features[:, :, outside] == 0).all()
    inside = (centres > WIDE.at(301)) & (centres < WIDE.at(2198))
    logarithm = np.log1p(plain[:, inside]) * LOG_SCALE
    np.testing.assert_allclose(features[:, 0, inside], logarithm, rtol=1e-5)


def test_impossible_settings_are_refused():
    with pytest.raises(SettingsError, match="preprocessing"):
        PreprocessSettings(mode="other")
    with pytest.raises(SettingsError, match="empty"):
        PreprocessSettings(low_kev=5.0, high_kev=5.0)
    with pytest.raises(SettingsError, match="Savitzky"):
        PreprocessSettings(smooth_window=4)
    with pytest.raises(SettingsError, match="too short"):
        Preprocessor(PreprocessSettings(drop_channels=100), WIDE, 150)
    with pytest.raises(SettingsError, match="shape"):
        preprocessor(PreprocessSettings(), WIDE, 100)(np.ones((2, 99)))
    with pytest.raises(SettingsError, match="calibration"):
        preprocessor(PreprocessSettings.thesis(), Calibration(50.0, 0.01), 100)(np.ones((1, 100)))


def test_settings_travel_as_plain_values():
    for chosen in (PreprocessSettings(smooth_window=7), PreprocessSettings.thesis(False)):
        assert PreprocessSettings.from_dict(chosen.to_dict()) == chosen
    with pytest.raises(SettingsError, match="unknown"):
        PreprocessSettings.from_dict({"bins": 3})


@settings(max_examples=20, deadline=None)
@given(n_bins=st.sampled_from([64, 100, 512, 1024]), seed=st.integers(0, 99))
def test_peak_significance_is_a_matched_filter(n_bins, seed):
    """Against two plain convolutions, for any number of bins."""
    made = Preprocessor(PreprocessSettings(n_bins=n_bins, matched_filter=True), WIDE, 2500)
    binned = np.random.default_rng(seed).poisson(40.0, (3, n_bins)).astype(np.float32)
    got = np.sinh(made.features(binned)[:, 3].numpy() / ASINH_SCALE)
    weights = peak_filter()
    net = np.stack([np.convolve(row, weights, "same") for row in binned])
    variance = np.stack([np.convolve(row, weights**2, "same") for row in binned])
    expected = net / np.sqrt(variance + weights.max() ** 2)
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=2e-3)


def test_noise_is_about_one_and_a_peak_its_significance():
    rng = np.random.default_rng(0)
    made = Preprocessor(FILTERED, WIDE, 2500)
    level = 1e6
    binned = rng.poisson(level, (50, 1024)).astype(np.float32)
    inner = slice(100, 900)
    noise = np.sinh(made.features(binned)[:, 3, inner].numpy() / ASINH_SCALE)
    assert noise.std() == pytest.approx(1.0, abs=0.1)
    shape = np.exp(-0.5 * ((np.arange(1024) - 500) / 2.08) ** 2)
    weights = peak_filter()
    height = 10.0 * np.sqrt(level * (weights**2).sum()) / (weights * shape[488:513]).sum()
    assert height < 0.02 * level  # hardly a percent of the background
    peak = np.sinh(
        made.features(binned + (height * shape).astype(np.float32))[:, 3, 500].numpy() / ASINH_SCALE
    )
    assert peak.mean() == pytest.approx(10.0, abs=0.6)


def test_nothing_is_no_peak():
    made = Preprocessor(FILTERED, WIDE, 2500)
    assert not made(np.zeros((2, 2500), dtype=np.uint16))[:, 3].any()
    assert made(spectra()).shape == (5, 4, 1024)
