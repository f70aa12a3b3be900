"""PCA and NMF maps: known mixtures are found, and the maps are what they say."""

import numpy as np
import pytest

from xrfengine.cube import Calibration, Cube
from xrfengine.errors import Cancelled, SettingsError
from xrfengine.jobs import CancelToken
from xrfengine.maps import factors
from xrfengine.maps.factors import FactorMaps, FactorSettings, factor_maps

N = 700


def spectra():
    """Three spectra of unit sum with lines of their own."""
    channel = np.arange(N)
    lines = [(100, 320), (180, 500), (260, 610)]
    shapes = [sum(np.exp(-0.5 * ((channel - c) / 6.0) ** 2) for c in pair) for pair in lines]
    return np.array([shape / shape.sum() for shape in shapes])


def mixture(shape=(40, 50), counts=400.0, seed=0):
    """Three patches that overlap, and the counts each spectrum has in a pixel."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] / np.array(shape)[:, None, None]
    amounts = np.array([x < 0.5, (x > 0.3) & (y < 0.6), y > 0.5]) * counts
    rates = np.moveaxis(amounts, 0, -1) @ spectra()
    cube_counts = rng.poisson(rates).astype("uint16")
    cube_counts.flags.writeable = False
    return Cube(cube_counts, Calibration(0.0, 0.02)), amounts


@pytest.fixture(scope="module")
def known():
    return mixture()


def matched(maps, truth):
    """The component with the most similar spectrum, for each of the truth."""
    likeness = np.corrcoef(np.concatenate([maps.spectra, truth]))[
        : len(maps.spectra), -len(truth) :
    ]
    return np.abs(likeness).argmax(axis=0), np.abs(likeness).max(axis=0)


def test_nmf_finds_the_parts_and_their_counts(known):
    cube, amounts = known
    maps = factor_maps(cube, FactorSettings("nmf", 3))
    which, likeness = matched(maps, spectra())
    assert sorted(which) == [0, 1, 2]
    assert likeness.min() > 0.98
    assert maps.values.min() >= 0
    assert maps.spectra.min() >= 0
    np.testing.assert_allclose(maps.spectra.sum(axis=1), 1.0, rtol=1e-5)
    for component, true in zip(which, amounts, strict=True):
        inside = maps.values[component][true > 0]
        assert inside.mean() == pytest.approx(400.0, rel=0.05)
        assert maps.values[component][true == 0].mean() < 15.0
    assert (np.diff(maps.share) <= 1e-6).all()


def test_pca_is_that_of_all_pixels_with_even_noise(known):
    cube, _ = known
    maps = factor_maps(cube, FactorSettings("pca", 4))
    # Three patches of fixed counts span three dimensions; the fourth is the largest direction of
    # noise of one unit in 350 bins of 2,000 pixels (Marchenko and Pastur: 1 + √(350/2000)).
    assert maps.share[:3].min() > 5 * maps.share[3]
    assert maps.values[3].std() == pytest.approx(1.0 + np.sqrt(350 / 2000), abs=0.15)
    assert np.abs(maps.values.mean(axis=(1, 2))).max() < 0.01
    flat = maps.values.reshape(4, -1)
    np.testing.assert_allclose(np.corrcoef(flat), np.eye(4), atol=1e-3)
    rebuilt = maps.mean + np.tensordot(maps.values, maps.spectra, (0, 0))
    smooth = factor_maps(cube, FactorSettings("pca", 3))
    assert smooth.values.shape == (3, 40, 50)
    error = (rebuilt - cube.counts).std() / cube.counts.std()
    assert error < 0.75  # what is left is counting noise
    assert (np.diff(maps.share) <= 0).all()


@pytest.mark.parametrize("method", ["pca", "nmf"])
def test_repeatable_and_inputs_untouched(method, known):
    cube, _ = known
    before = cube.counts.copy()
    settings = FactorSettings(method, 3, seed=4)
    one, two = factor_maps(cube, settings), factor_maps(cube, settings)
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.spectra, two.spectra)
    np.testing.assert_array_equal(cube.counts, before)


@pytest.mark.parametrize("method", ["pca", "nmf"])
def test_blocks_of_rows_do_not_change_the_result(method, known, monkeypatch):
    cube, _ = known
    whole = factor_maps(cube, FactorSettings(method, 3))
    monkeypatch.setattr(factors, "_BLOCK_BYTES", 8 * N * 50)
    parts = factor_maps(cube, FactorSettings(method, 3))
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-3, atol=0.05)


@pytest.mark.parametrize("method", ["pca", "nmf"])
def test_learning_on_regions_finds_the_same_parts(method, known, monkeypatch):
    cube, _ = known
    whole = factor_maps(cube, FactorSettings(method, 3))
    monkeypatch.setattr(factors, "_LEARNED_REGIONS", 500)
    few = factor_maps(cube, FactorSettings(method, 3))
    _, likeness = matched(few, whole.spectra)
    assert likeness.min() > 0.95


def test_regions_hold_the_mean_of_their_pixels(known):
    cube, _ = known
    fine = factor_maps(cube, FactorSettings("pca", 3))
    coarse = factor_maps(cube, FactorSettings("pca", 3, region_px=5))
    mean = fine.values.reshape(3, 8, 5, 10, 5).mean(axis=(2, 4))
    np.testing.assert_allclose(coarse.values[:, ::5, ::5], mean, atol=0.02)
    assert coarse.region_px == 5


def test_stored_and_exported(known):
    cube, _ = known
    maps = factor_maps(cube, FactorSettings("nmf", 2))
    arrays, meta = maps.to_arrays()
    np.testing.assert_array_equal(FactorMaps.from_arrays(arrays, meta).values, maps.values)
    data = maps.to_xarray(cube.energy_kev)
    assert data["spectra"].dims == ("component", "energy")
    assert list(data["component"].values) == [1, 2]
    settings = FactorSettings("pca", 5, 2, 7)
    assert FactorSettings.from_dict(settings.to_dict()) == settings


def test_cancelled_and_refused(known):
    cube, _ = known
    token = CancelToken()

    def progress(fraction, message=""):
        if fraction > 0.3:
            token.cancel()

    with pytest.raises(Cancelled):
        factor_maps(cube, FactorSettings("nmf", 3), progress=progress, cancel=token)
    for wrong in (
        {"method": "ica"},
        {"n_components": 0},
        {"n_components": 51},
        {"region_px": 0},
    ):
        with pytest.raises(SettingsError):
            FactorSettings(**wrong)
    with pytest.raises(SettingsError, match="no counts"):
        factor_maps(Cube(np.zeros((3, 3, 9), "uint8"), Calibration(0.0, 0.02)))
    with pytest.raises(SettingsError, match="Choose fewer"):
        factor_maps(Cube(np.ones((1, 2, 9), "uint8"), Calibration(0.0, 0.02)))
