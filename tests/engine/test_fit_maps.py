"""Fit maps: against scipy pixel by pixel, against Monte Carlo, and what users can do with them."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from xrfengine.cube import Calibration, Cube
from xrfengine.errors import Cancelled, SettingsError
from xrfengine.jobs import CancelToken
from xrfengine.maps import fit as fit_module
from xrfengine.maps.fit import FitMaps, fit_maps
from xrfengine.maps.fit_basis import FitBasis
from xrfengine.maps.fit_solver import inverse_of, settle_pixels, settle_shared

N_BINS, PER_BIN = 60, 3


def some_basis(n_lines=10, width=2.5):
    """Overlapping Gaussians and two backgrounds."""
    bins = np.arange(N_BINS)
    centres = np.linspace(4, N_BINS - 5, n_lines)
    lines = np.exp(-0.5 * ((bins - centres[:, None]) / width) ** 2)
    shapes = np.concatenate([lines, [np.ones(N_BINS), np.linspace(1.0, 0.1, N_BINS)]])
    shapes /= shapes.sum(axis=1, keepdims=True)
    names = tuple(f"L{i} K" for i in range(n_lines))
    return FitBasis(
        (*names, "background 1", "background 2"),
        ("lines",) * n_lines + ("background",) * 2,
        (*(name.split()[0] for name in names), "", ""),
        names,
        shapes,
        PER_BIN * bins,
        PER_BIN * N_BINS,
    )


def some_cube(basis, shape=(6, 9), seed=0, most=300.0, dtype="uint16"):
    """Poisson counts of random amounts, half of them absent; amounts (y, x, component)."""
    rng = np.random.default_rng(seed)
    amounts = rng.uniform(0, most, (*shape, basis.n_components))
    amounts *= rng.random(amounts.shape) < 0.5
    rates = np.repeat(amounts @ basis.shapes / PER_BIN, PER_BIN, axis=-1)
    counts = rng.poisson(rates).astype(dtype)
    counts.flags.writeable = False
    return Cube(counts, Calibration(0.0, 0.01)), amounts


def plain(basis, cube, weights):
    """The same estimate by scipy, one pixel after another."""
    y = basis.to_bins(cube.counts)
    share = np.maximum(y.sum(axis=(0, 1)) / y.sum(), fit_module._LOWEST_SHARE / basis.n_bins)
    share /= share.sum()
    found = np.empty((*y.shape[:2], basis.n_components))
    for place in np.ndindex(*y.shape[:2]):
        deviation = np.sqrt(share)
        found[place], _ = nnls((basis.shapes / deviation).T, y[place] / deviation)
        if weights == "pixel":
            least = fit_module._MEAN_SHARE * y[place].sum() + fit_module._MEAN_COUNTS
            deviation = np.sqrt(found[place] @ basis.shapes + least * share)
            found[place], _ = nnls((basis.shapes / deviation).T, y[place] / deviation)
    return found


@pytest.mark.parametrize("weights", ["shared", "pixel"])
@pytest.mark.parametrize(("seed", "most"), [(0, 300.0), (1, 3.0), (2, 1e5)])
def test_amounts_are_those_of_scipy_pixel_by_pixel(weights, seed, most):
    basis = some_basis()
    cube, _ = some_cube(basis, seed=seed, most=most, dtype="uint32")
    maps = fit_maps(cube, basis, weights, threads=1)
    expected = np.moveaxis(plain(basis, cube, weights)[..., :10], -1, 0)
    worst = np.abs(maps.counts - expected) / (maps.errors + 1e-6 * expected.max())
    assert worst.max() < 0.01
    assert maps.n_unsettled == 0


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), m=st.integers(2, 40), close=st.floats(0.0, 0.9))
def test_solvers_on_random_problems(seed, m, close):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(3 * m, m)) + close * 3.0 * rng.normal(size=(3 * m, 1))
    y = rng.normal(size=(5, 3 * m)) + np.maximum(rng.normal(size=(5, m)), 0) @ a.T
    normal, right = a.T @ a, y @ a
    expected = np.array([nnls(a, one)[0] for one in y])
    h, scale = inverse_of(normal)
    out = np.empty((5, m), np.float32)
    free = (right * scale) @ h
    assert settle_shared(h, free.astype(np.float32), 1e-5, out) == 0
    np.testing.assert_allclose(out * scale, expected, atol=5e-3)
    i, j = np.tril_indices(m)
    packed = np.repeat(normal[i, j][:, None], 5, axis=1).astype(np.float32)
    deviation = np.empty_like(out)
    assert settle_pixels(packed, right.astype(np.float32), 1e-5, out, deviation) == 0
    np.testing.assert_allclose(out, expected, atol=5e-3)
    alone = np.sqrt(np.diag(np.linalg.inv(normal)))
    np.testing.assert_allclose(deviation, np.tile(alone, (5, 1)), rtol=0.02)


@pytest.mark.parametrize("weights", ["shared", "pixel"])
def test_standard_errors_are_the_scatter_of_repeated_measurements(weights):
    basis = some_basis(width=1.5)
    amounts = np.linspace(200.0, 3000.0, basis.n_components)
    rates = np.repeat(amounts @ basis.shapes / PER_BIN, PER_BIN)
    counts = np.random.default_rng(3).poisson(rates, (40, 60, rates.size)).astype("uint16")
    maps = fit_maps(Cube(counts, Calibration(0.0, 0.01)), basis, weights)
    scatter = maps.counts.std(axis=(1, 2))
    np.testing.assert_allclose(maps.errors.mean(axis=(1, 2)), scatter, rtol=0.08)
    bias = (maps.counts.mean(axis=(1, 2)) - amounts[:10]) / scatter
    assert np.abs(bias).max() < 0.12  # 2,400 repeats know it to 0.02
    assert maps.chi2.mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("weights", ["shared", "pixel"])
def test_threads_and_batches_do_not_change_the_result(weights, monkeypatch):
    basis = some_basis()
    cube, _ = some_cube(basis, (30, 11))
    before = cube.counts.copy()
    monkeypatch.setattr(fit_module, "_BLOCK_PIXELS", 64)
    serial = fit_maps(cube, basis, weights, threads=1)
    threaded = fit_maps(cube, basis, weights, threads=4)
    np.testing.assert_array_equal(threaded.counts, serial.counts)
    np.testing.assert_array_equal(threaded.errors, serial.errors)
    monkeypatch.setattr(fit_module, "_BLOCK_PIXELS", 1)
    single = fit_maps(cube, basis, weights, threads=2)
    np.testing.assert_allclose(single.counts, serial.counts, rtol=1e-3, atol=0.05)
    np.testing.assert_allclose(single.chi2, serial.chi2, rtol=0.03)
    np.testing.assert_array_equal(cube.counts, before)


def test_users_at_once_get_the_same():
    basis = some_basis()
    cube, _ = some_cube(basis, (12, 11))
    expected = fit_maps(cube, basis, threads=1).counts
    results = [None] * 3

    def work(i):
        results[i] = fit_maps(cube, basis, threads=2).counts

    users = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_fits_that_overlap_leave_matrix_products_their_threads():
    from threadpoolctl import threadpool_info, threadpool_limits

    def blas_threads():
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        first, second = fit_module._one_blas_thread(), fit_module._one_blas_thread()
        first.__enter__()
        second.__enter__()
        assert set(blas_threads()) == {1}
        first.__exit__(None, None, None)
        assert set(blas_threads()) == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before


@pytest.mark.parametrize("dtype", [">u2", "uint32", "float32", "float64"])
def test_any_type_and_order_of_counts(dtype):
    basis = some_basis()
    cube, _ = some_cube(basis)
    expected = fit_maps(cube, basis, "shared").counts
    other = Cube(np.asfortranarray(cube.counts.astype(dtype)), cube.calibration)
    np.testing.assert_allclose(fit_maps(other, basis, "shared").counts, expected, atol=1e-3)


def test_regions_are_fits_of_their_sums():
    basis = some_basis()
    cube, _ = some_cube(basis, (7, 5))
    maps = fit_maps(cube, basis, "pixel", 3)
    corner = cube.counts[:3, :3].sum(axis=(0, 1))
    rest = np.add.reduceat(np.add.reduceat(cube.counts, [0, 3, 6], axis=0), [0, 3], axis=1)
    sums = fit_maps(Cube(rest.astype("uint32"), cube.calibration), basis, "pixel")
    assert basis.to_bins(corner).sum() == corner.sum()
    np.testing.assert_allclose(maps.counts[:, 0, 0], sums.counts[:, 0, 0] / 9, rtol=1e-4, atol=0.01)
    np.testing.assert_allclose(maps.errors[:, 6, 4], sums.errors[:, 2, 1] / 2, rtol=1e-3)
    assert (maps.counts[:, :3, :3] == maps.counts[:, :1, :1]).all()


@pytest.mark.parametrize("weights", ["shared", "pixel"])
def test_empty_and_nearly_empty_pixels(weights):
    basis = some_basis()
    counts = np.zeros((3, 4, N_BINS * PER_BIN), "uint8")
    counts[1, 1, 50] = 1
    maps = fit_maps(Cube(counts, Calibration(0.0, 0.01)), basis, weights)
    assert np.isfinite(maps.counts).all()
    assert np.isfinite(maps.errors).all()
    assert (maps.errors > 0).all()
    assert maps.counts[:, 0, 0].max() == 0.0
    assert maps.chi2[0, 0] == 0.0


def test_cancelling_and_progress():
    basis = some_basis()
    cube, _ = some_cube(basis, (40, 64))
    token, seen = CancelToken(), []

    def progress(fraction, message=""):
        seen.append(fraction)
        token.cancel()

    with pytest.raises(Cancelled):
        fit_maps(cube, basis, threads=1, progress=progress, cancel=token)
    assert len(seen) == 1
    seen.clear()
    fit_maps(cube, basis, threads=2, progress=lambda fraction, message="": seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_what_does_not_fit_is_refused():
    basis = some_basis()
    cube, _ = some_cube(basis)
    with pytest.raises(SettingsError, match="100 channels"):
        fit_maps(Cube(cube.counts[..., :100], cube.calibration), basis)
    with pytest.raises(SettingsError, match="weights"):
        fit_maps(cube, basis, "best")
    with pytest.raises(SettingsError, match="L77"):
        fit_maps(cube, basis, "shared")["L77 K"]
    for change in (
        {"names": ("one",)},
        {"shapes": -basis.shapes},
        {"starts": np.zeros(N_BINS, int)},
        {"main": ("Pb L",)},
    ):
        with pytest.raises(SettingsError):
            replace(basis, **change)


def test_stored_and_exported():
    basis = some_basis()
    cube, _ = some_cube(basis)
    maps = fit_maps(cube, basis)
    arrays, meta = maps.to_arrays()
    again = FitMaps.from_arrays(arrays, {k: list(v) if isinstance(v, tuple) else v
                                         for k, v in meta.items()})  # fmt: skip
    np.testing.assert_array_equal(again.counts, maps.counts)
    assert again.names == maps.names
    data = maps.to_xarray()
    assert data["errors"].dims == ("component", "y", "x")
    elements = maps.element_maps()
    assert elements.kind == "fit"
    assert elements.elements[3] == "L3"
    np.testing.assert_array_equal(elements["L3"], maps["L3 K"][0])
