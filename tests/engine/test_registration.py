"""A photograph over a scan: exact for known transformations, refined from a rough start."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from xrfengine.errors import Cancelled, SettingsError
from xrfengine.jobs import CancelToken
from xrfengine.registration import (
    mutual_information,
    projected,
    refine,
    register,
    resample,
    residuals,
)

TRUE = np.array([[3.1, 0.12, 40.0], [-0.08, 2.9, 25.0], [2e-4, -1e-4, 1.0]])
SHAPE = (60, 80)
CORNERS = np.array([[0, 0], [79, 0], [79, 59], [0, 59]], float)


def painting(seed=3):
    """A photograph with patches of several sizes, uint8 (240, 320, 3)."""
    rng = np.random.default_rng(seed)
    grey = sum(gaussian_filter(rng.normal(size=(240, 320)), sigma) * sigma for sigma in (4, 10, 25))
    steps = np.digitize(grey, np.quantile(grey, np.linspace(0.1, 0.9, 7)))
    tones = rng.permutation(8)[steps] * 30 + 20
    return np.repeat(tones[..., None], 3, axis=2).astype(np.uint8)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(4, 9))
def test_points_without_error_give_the_transformation_back(seed, n):
    rng = np.random.default_rng(seed)
    scan = np.concatenate([CORNERS, rng.uniform(0, 60, (n - 4, 2))]) + rng.uniform(-4, 4, (n, 2))
    found = register(scan, projected(TRUE, scan))
    np.testing.assert_allclose(found.matrix, TRUE / TRUE[2, 2], rtol=1e-6, atol=1e-6)
    assert found.rms_px < 1e-6
    assert found.residuals_px.shape == (n,)


def test_residuals_are_in_pixels_of_the_scan():
    scan = np.array([*CORNERS, [40, 30], [20, 45]], float)
    photo = projected(TRUE, scan)
    photo[4] += projected(TRUE, [[41.0, 30.0]])[0] - projected(TRUE, [[40.0, 30.0]])[0]
    np.testing.assert_allclose(residuals(TRUE, scan, photo), [0, 0, 0, 0, 1, 0], atol=1e-9)
    found = register(scan, photo)
    assert 0.1 < found.rms_px < 0.6
    assert np.argmax(found.residuals_px) == 4


@pytest.mark.parametrize(
    ("scan", "match"),
    [
        (CORNERS[:3], "3 pairs"),
        ([[0, 0], [1, 1], [2, 2], [3, 3]], "do not determine"),
        ([[0, 0], [0, 0], [0, 0], [0, 0]], "do not determine"),
    ],
)
def test_points_that_tell_too_little_are_refused(scan, match):
    scan = np.array(scan, float)
    with pytest.raises(SettingsError, match=match):
        register(scan, CORNERS[: len(scan)])


@pytest.mark.parametrize("per_pixel", [1, 3])
def test_each_pixel_of_the_scan_gets_what_lies_there(per_pixel):
    rows, columns = np.mgrid[:240, :320]
    photo = np.dstack([columns * 0.7, rows, 0 * rows]).astype(np.uint8)
    before = photo.copy()
    seen = resample(photo, TRUE, SHAPE, per_pixel)
    assert seen.shape == (60 * per_pixel, 80 * per_pixel, 4)
    places = np.array([[10, 20], [50, 40], [30, 5]])
    there = projected(TRUE, places)
    for (x, y), (column, row) in zip(places, there, strict=True):
        middle = seen[y * per_pixel + per_pixel // 2, x * per_pixel + per_pixel // 2]
        assert middle[3] == 255
        np.testing.assert_allclose(middle[:2], [column * 0.7, row], atol=2.5)
    np.testing.assert_array_equal(photo, before)


def test_beyond_the_photograph_nothing_is_shown():
    photo = np.full((50, 50, 3), 200, np.uint8)
    seen = resample(photo, np.eye(3), (60, 80))
    assert (seen[:49, :49, 3] == 255).all()
    assert (seen[52:, :] == 0).all()
    assert (seen[:, 52:] == 0).all()


def test_mutual_information_by_hand():
    a = np.array([0, 0, 1, 1] * 10)
    assert mutual_information(a, a) == pytest.approx(np.log(2))
    assert mutual_information(a, np.array([0, 1, 0, 1] * 10)) == pytest.approx(0.0, abs=1e-12)


def counts_of(photo, seed=0):
    """Counts that follow the photograph's tones in no simple way, with noise; (60, 80)."""
    grey = resample(photo, TRUE, SHAPE)[..., 0]
    return np.random.default_rng(seed).poisson(200 + 150 * np.sin(grey / 25.0)).astype(float)


def test_a_rough_start_is_refined_to_less_than_a_pixel():
    photo = painting()
    shift = np.array([[2.0, -1.5], [1.0, 1.0], [-1.5, 1.0], [1.5, 2.0]])
    rough = register(CORNERS, projected(TRUE, CORNERS + shift)).matrix
    found, is_better = refine(counts_of(photo), photo, rough)
    assert is_better

    def error(matrix):
        return float(residuals(matrix, CORNERS, projected(TRUE, CORNERS)).mean())

    assert error(rough) > 1.5
    assert error(found) < 0.7


def test_what_is_right_already_stays():
    photo = painting()
    found, _ = refine(counts_of(photo), photo, TRUE)
    assert residuals(found, CORNERS, projected(TRUE, CORNERS)).max() < 1.0


def test_the_refinement_can_be_cancelled():
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        refine(np.ones(SHAPE), painting(), TRUE, cancel=token)
