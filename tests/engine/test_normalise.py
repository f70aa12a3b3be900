"""Maps evened out, and values along a line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xrfengine.cube import Calibration, Cube, ElementMaps, Instrument
from xrfengine.errors import SettingsError
from xrfengine.maps.normalise import monitor, normalised, normalised_error, scatter_window
from xrfengine.maps.profile import line_profile

CALIBRATION = Calibration(0.0, 0.05)
RHODIUM = Instrument(tube_anode="Rh", tube_kv=50.0, live_time_s=0.25)


def seen_unevenly(instrument: Instrument = RHODIUM) -> tuple[Cube, np.ndarray]:
    """Iron and rhodium scatter, the same everywhere but for how much each pixel was seen."""
    distance = np.array([[1.0, 2.0, 4.0], [1.0, 0.5, 8.0]])
    counts = np.zeros((2, 3, 512), np.uint16)
    counts[..., 128] = 100 * distance  # Fe Kα, 6.4 keV
    counts[..., 380] = 200 * distance  # Compton of Rh Kα at about 120°, 19 keV
    counts[..., 404] = 50 * distance  # Rayleigh, 20.2 keV
    return Cube(counts, CALIBRATION, instrument=instrument), distance


def iron(cube: Cube) -> ElementMaps:
    return ElementMaps(("Fe",), cube.counts[None, ..., 128].astype(np.float32), "roi")


@pytest.mark.parametrize("by", ["scatter", "total"])
def test_what_was_seen_unevenly_becomes_even(by):
    cube, distance = seen_unevenly()
    even = normalised(iron(cube), monitor(cube, by))["Fe"]
    np.testing.assert_allclose(even, 100 * distance.mean(), rtol=1e-5)


def test_per_second():
    cube, distance = seen_unevenly()
    found = monitor(cube, "live_time")
    assert found.unit == "net counts per second"
    np.testing.assert_allclose(normalised(iron(cube), found)["Fe"], 400 * distance, rtol=1e-6)


def test_regions_are_evened_out_as_wholes():
    cube, distance = seen_unevenly()
    found = monitor(cube, "scatter", 2)
    left, right = distance[:, :2].mean(), distance[:, 2].mean()
    expected = distance.mean() / np.array([[left, left, right]] * 2)
    np.testing.assert_allclose(found.factor, expected, rtol=1e-6)
    counts = 250 * np.array([distance[:, :2].sum()] * 2 + [distance[:, 2].sum()])
    np.testing.assert_allclose(found.relative_error[0], 1 / np.sqrt(counts), rtol=1e-6)


def test_the_window_holds_scatter_at_any_angle_and_no_line_of_the_sample():
    start, stop = scatter_window(CALIBRATION, 1000, "Rh", 50.0)
    energy = CALIBRATION.energy_kev(1000)[start:stop]
    assert energy[0] < 20.2 / (1 + 20.2 / 511 * (1 + np.cos(np.radians(35))))
    assert energy[-1] > 20.22
    assert energy[0] > 17.5
    assert energy[-1] < 21.0


@pytest.mark.parametrize(
    ("instrument", "by", "words"),
    [
        (Instrument(tube_anode="Rh"), "live_time", "how long"),
        (Instrument(), "scatter", "anode of the X-ray tube is not known"),
        (Instrument(tube_anode="Rh", tube_kv=20.0), "scatter", "cannot be told"),
        (Instrument(tube_anode="Cu", tube_kv=40.0), "scatter", "cannot be told"),
    ],
)
def test_what_is_not_known_is_told(instrument, by, words):
    cube, _ = seen_unevenly(instrument)
    with pytest.raises(SettingsError, match=words):
        monitor(cube, by)


def test_an_anode_that_was_found_serves_as_well_as_a_stated_one():
    stated, _ = seen_unevenly()
    inferred, _ = seen_unevenly(Instrument())
    np.testing.assert_array_equal(
        monitor(stated, "scatter").factor, monitor(inferred, "scatter", anode="Rh").factor
    )


def test_probabilities_are_not_normalised():
    cube, _ = seen_unevenly()
    maps = ElementMaps(("Fe",), np.ones((1, 2, 3), np.float32), "probability")
    with pytest.raises(SettingsError, match="hold no counts"):
        normalised(maps, monitor(cube, "total"))


def test_pixels_that_saw_nothing_do_not_flare():
    counts = np.zeros((1, 3, 512), np.uint16)
    counts[0, 1:, 380] = 100
    cube = Cube(counts, CALIBRATION, instrument=RHODIUM)
    found = monitor(cube, "scatter")
    assert found.factor[0, 0] == pytest.approx(20)
    assert np.isfinite(found.relative_error).all()


def test_the_error_counts_what_the_monitor_adds():
    """Against the spread of maps drawn again and again."""
    rng = np.random.default_rng(4)
    draws = 4000
    counts = np.zeros((1, draws, 512), np.uint16)
    counts[..., 128] = rng.poisson(400, (1, draws))
    counts[..., 380] = rng.poisson(100, (1, draws))
    cube = Cube(counts, CALIBRATION, instrument=RHODIUM)
    found, maps = monitor(cube, "scatter"), iron(cube)
    even = normalised(maps, found)["Fe"]
    error = normalised_error(even, np.sqrt(maps["Fe"]), found)
    assert np.median(error) == pytest.approx(even.std(), rel=0.15)


def test_a_profile_holds_the_pixels_under_the_line():
    image = np.arange(35.0).reshape(5, 7)
    distance, values = line_profile(image, (1, 2, 5, 2))
    np.testing.assert_allclose(distance, np.arange(5))
    np.testing.assert_array_equal(values, image[2, 1:6])
    distance, values = line_profile(image, (0, 0, 0, 4), 3)
    np.testing.assert_array_equal(values, image[:, :2].mean(axis=1), "beyond the edge: left out")
    _, values = line_profile(image, (-2, 0, 1, 0))
    np.testing.assert_array_equal(values, [np.nan, np.nan, 0, 1])


@given(st.tuples(*[st.floats(-3, 9)] * 4), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6))
def test_a_profile_tells_only_values_of_the_image(line, width_px, height, width):
    image = np.arange(height * width, dtype=float).reshape(height, width)
    length = np.hypot(line[2] - line[0], line[3] - line[1])
    if length < 1e-3:
        return
    distance, values = line_profile(image, line, width_px)
    assert len(distance) == len(values) >= 2
    assert distance[0] == 0
    assert distance[-1] == pytest.approx(length)
    known = values[np.isfinite(values)]
    assert ((known >= 0) & (known <= image.max())).all()
    if width_px == 1:
        assert np.isin(known, image).all()


@pytest.mark.parametrize("line", [(1, 1, 1, 1), (0, 0, np.nan, 3)])
def test_a_point_is_no_line(line):
    with pytest.raises(SettingsError, match="two different ends"):
        line_profile(np.zeros((4, 4)), line)
