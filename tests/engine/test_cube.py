"""Calibration, cube, spectrum and maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xrfengine import Calibration, Cube, ElementMaps, Spectrum
from xrfengine.errors import CalibrationError, SettingsError

CALIBRATION = Calibration(0.0, 0.01)


@given(
    st.floats(-1, 1),
    st.floats(0.005, 0.1),
    st.floats(-1e-7, 1e-7),
    st.floats(0, 4095),
)
def test_channel_is_the_inverse_of_energy(offset, gain, quadratic, channel):
    calibration = Calibration(offset, gain, quadratic)
    assert calibration.channel(calibration.at(channel)) == pytest.approx(channel, abs=1e-4)


def test_edges_lie_between_centres():
    calibration = Calibration(-0.95, 0.01, 1e-8)
    edges, centres = calibration.edges_kev(100), calibration.energy_kev(100)
    assert edges.shape == (101,)
    assert (edges[:-1] < centres).all()
    assert (edges[1:] > centres).all()


@pytest.mark.parametrize("quadratic", [0.0, 2e-8])
def test_calibration_of_an_energy_axis(quadratic):
    made = Calibration(-0.0222, 0.029233, quadratic)
    found = Calibration.from_energies(made.energy_kev(1024))
    np.testing.assert_allclose(found.energy_kev(1024), made.energy_kev(1024), atol=1e-6)


@pytest.mark.parametrize(
    ("axis", "word"),
    [
        ([1.0], "shape"),
        ([3.0, 2.0, 1.0], "rise"),
        ([0.0, 1.0, 1.0], "rise"),
        ([0.0, np.nan, 2.0], "no numbers"),
        ([0.0, 1.0, 2.0, 3.0, 90.0], "evenly"),
        ([[0.0, 1.0]], "shape"),
    ],
)
def test_impossible_energy_axes_are_refused(axis, word):
    with pytest.raises(CalibrationError, match=word):
        Calibration.from_energies(np.array(axis))


@pytest.mark.parametrize("values", [(0.0, 0.0), (0.0, -0.01), (np.nan, 0.01), (0.0, np.inf)])
def test_impossible_calibrations_are_refused(values):
    with pytest.raises(CalibrationError):
        Calibration(*values)


@pytest.mark.parametrize("shape", [(3, 4), (0, 3, 10), (2, 2, 1)])
def test_a_cube_needs_three_filled_dimensions(shape):
    with pytest.raises(SettingsError, match="y, x, energy"):
        Cube(np.zeros(shape), CALIBRATION)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_cube_sums(dtype):
    counts = np.random.default_rng(1).integers(0, 50, (5, 7, 32)).astype(dtype)
    counts.flags.writeable = False
    cube = Cube(counts, CALIBRATION)
    assert cube.counts.dtype == dtype
    np.testing.assert_array_equal(cube.total_counts, counts.sum(axis=2, dtype=float))
    np.testing.assert_array_equal(cube.sum_spectrum.counts, counts.sum(axis=(0, 1), dtype=float))
    np.testing.assert_array_equal(cube.max_spectrum.counts, counts.max(axis=(0, 1)))
    assert cube.sum_spectrum.n_pixels == 35
    np.testing.assert_allclose(cube.sum_spectrum.mean_counts, counts.mean(axis=(0, 1), dtype=float))


def test_counts_cannot_be_changed_by_accident_and_the_callers_array_stays_writable():
    counts = np.ones((2, 2, 4))
    cube = Cube(counts, CALIBRATION)
    with pytest.raises(ValueError, match="read-only"):
        cube.counts[0, 0, 0] = 5
    assert counts.flags.writeable


def test_digest_depends_on_counts_and_calibration():
    cube = Cube(np.ones((2, 2, 4)), CALIBRATION)
    assert cube.digest == Cube(np.ones((2, 2, 4)), CALIBRATION, name="other").digest
    assert cube.digest != cube.recalibrated(Calibration(0.1, 0.01)).digest
    assert cube.digest != Cube(np.full((2, 2, 4), 2.0), CALIBRATION).digest


def test_a_spectrum_is_one_dimensional():
    with pytest.raises(SettingsError):
        Spectrum(np.zeros((2, 2)), CALIBRATION)


def test_maps_by_symbol_and_as_xarray(tmp_path):
    values = np.random.default_rng(0).random((2, 3, 4), dtype=np.float32)
    maps = ElementMaps(("Fe", "Pb"), values, "roi", region_px=5, source="abc")
    np.testing.assert_array_equal(maps["Pb"], values[1])
    with pytest.raises(SettingsError, match="Choose one of Fe, Pb"):
        maps["Hg"]
    data = maps.to_xarray()
    assert data["maps"].dims == ("element", "y", "x")
    assert data["maps"].attrs["units"] == "counts"
    np.testing.assert_array_equal(data["maps"].sel(element="Fe"), values[0])


def test_maps_need_one_image_for_each_element():
    with pytest.raises(SettingsError):
        ElementMaps(("Fe",), np.zeros((2, 3, 4), np.float32), "roi")
