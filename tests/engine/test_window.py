"""Maps of any window of energies, against sums over the same channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine.cube import Calibration, Cube
from xrfengine.errors import Cancelled, SettingsError
from xrfengine.jobs import CancelToken
from xrfengine.maps.window import window_map

CALIBRATION = Calibration(0.0, 0.02)


def cube_of(counts):
    counts = np.asarray(counts)
    counts.flags.writeable = False
    return Cube(counts, CALIBRATION)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 99),
    low=st.floats(0.1, 5.0),
    width=st.floats(0.02, 3.0),
    k=st.integers(1, 4),
    dtype=st.sampled_from(["uint16", "float32"]),
)
def test_counts_are_those_of_the_channels(seed, low, width, k, dtype):
    counts = np.random.default_rng(seed).poisson(3.0, (7, 5, 400)).astype(dtype)
    cube = cube_of(counts)
    found = window_map(cube, low, low + width, net=False, region_px=k)
    inside = (cube.energy_kev > found.low_kev) & (cube.energy_kev < found.high_kev)
    assert abs(found.low_kev - low) <= 0.0101
    total = counts[:, :, inside].sum(axis=2, dtype=np.float64)
    for y in range(0, 7, k):
        for x in range(0, 5, k):
            block = np.s_[y : y + k, x : x + k]
            np.testing.assert_allclose(found.values[block], total[block].mean(), rtol=1e-5)
            error = np.sqrt(total[block].sum()) / total[block].size
            np.testing.assert_allclose(found.errors[block], error, rtol=1e-5)


def test_a_straight_background_leaves_nothing_and_its_noise_counts():
    background = 40.0 + 0.1 * np.arange(600)
    found = window_map(cube_of([[background]]), 4.0, 4.6)
    assert abs(found.values[0, 0]) < 1e-3
    inside = window_map(cube_of([[background]]), 4.0, 4.6, net=False)
    assert found.errors[0, 0] > inside.errors[0, 0] > 0
    assert inside.name == "3.99–4.59 keV"  # channels have limits of their own


def test_at_the_end_of_the_spectrum_the_other_side_serves():
    level = np.full(600, 7.0)
    assert abs(window_map(cube_of([[level]]), 0.0, 0.5).values[0, 0]) < 1e-4
    assert abs(window_map(cube_of([[level]]), 11.6, 30.0).values[0, 0]) < 1e-4


@pytest.mark.parametrize("window", [(12.5, 13.0), (-3.0, -1.0), (4.0, 4.0), (5.0, 4.0)])
def test_no_window_is_told(window):
    with pytest.raises(SettingsError, match="there are no counts"):
        window_map(cube_of(np.ones((2, 2, 600))), *window)


def test_can_be_cancelled():
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        window_map(cube_of(np.ones((2, 2, 600))), 1.0, 2.0, cancel=cancel)
