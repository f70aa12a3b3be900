import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine.cube import Calibration, Cube, Instrument
from xrfengine.detector import Detector
from xrfengine.errors import Cancelled, SettingsError
from xrfengine.jobs import CancelToken
from xrfengine.lines import main_line
from xrfengine.maps.pooling import block_sizes, block_sums, expand
from xrfengine.maps.roi import roi_errors, roi_maps, roi_window

CALIBRATION = Calibration(0.0, 0.02, fwhm_mn_kev=0.15)
N = 1500


def cube_of(spectra):
    counts = np.asarray(spectra)
    counts.flags.writeable = False
    return Cube(counts, CALIBRATION)


def peak(element, area):
    """A Gaussian of the detector's width at the element's main line."""
    line = main_line(element, 0.0, 30.0)
    energy = CALIBRATION.energy_kev(N)
    sigma = float(Detector.sdd(fwhm_mn_kev=0.15).sigma_kev(line.energy_kev))
    shape = np.exp(-0.5 * ((energy - line.energy_kev) / sigma) ** 2)
    return area * shape / shape.sum()


def test_net_counts_are_the_counts_of_the_peak():
    maps = roi_maps(cube_of([[peak("Fe", 1000.0), peak("Fe", 0.0)]]), ["Fe"])
    # ± one FWHM holds 98.1 % of a Gaussian; its feet, 0.9 % in each half window beside, count
    # as background twice.
    assert maps["Fe"][0, 0] == pytest.approx(963, rel=0.01)
    assert maps["Fe"][0, 1] == 0.0


@settings(deadline=None)
@given(level=st.floats(0, 1e4), slope=st.floats(-3, 3))
def test_a_straight_background_leaves_nothing(level, slope):
    background = level + slope * np.arange(N) + 3.0 * N
    maps = roi_maps(cube_of([[background]]))
    np.testing.assert_allclose(maps.values, 0.0, atol=1e-6 * background.sum())


def test_background_under_a_peak_is_taken_off():
    slope = 500.0 - 0.2 * np.arange(N)
    clean = roi_maps(cube_of([[peak("Cu", 5000.0)]]), ["Cu"])["Cu"]
    raised = roi_maps(cube_of([[peak("Cu", 5000.0) + slope]]), ["Cu"])["Cu"]
    np.testing.assert_allclose(raised, clean, atol=0.5)


@settings(deadline=None)
@given(seed=st.integers(0, 99), k=st.integers(1, 6), dtype=st.sampled_from(["uint16", "float32"]))
def test_regions_equal_maps_of_the_averaged_cube(seed, k, dtype):
    counts = np.random.default_rng(seed).poisson(5.0, (7, 5, N)).astype(dtype)
    cube = cube_of(counts)
    maps = roi_maps(cube, ["Fe", "Pb"], k)
    averaged = block_sums(counts, k) / block_sizes((7, 5), k)[..., None]
    expected = roi_maps(cube_of(averaged), ["Fe", "Pb"]).values
    np.testing.assert_allclose(maps.values, expand(expected, k, (7, 5)), rtol=1e-5, atol=1e-4)
    assert maps.values.dtype == np.float32
    assert maps.region_px == k


def test_one_element_equals_all_elements_and_rows_are_independent():
    counts = np.random.default_rng(1).poisson(5.0, (6, 4, N)).astype("uint16")
    whole = roi_maps(cube_of(counts))
    for element in ("Na", "Fe", "Pb"):
        alone = roi_maps(cube_of(counts[2:3]), [element])
        np.testing.assert_allclose(whole[element][2:3], alone[element], rtol=1e-6, atol=1e-4)


def test_one_row_and_one_pixel_cubes():
    for shape in ((1, 9, N), (1, 1, N)):
        assert roi_maps(cube_of(np.ones(shape, "uint8"))).values.shape[1:] == shape[:2]


def test_elements_without_a_line_in_range_are_left_out():
    cube = Cube(np.ones((1, 2, 250), "uint8"), Calibration(3.0, 0.02))
    elements = roi_maps(cube).elements
    assert "Fe" in elements
    assert "Na" not in elements  # below
    assert "Cu" not in elements  # K above, L below
    with pytest.raises(SettingsError, match="none of Cu has a line"):
        roi_maps(cube, ["Cu"])


def test_heavy_elements_take_l_lines_when_the_tube_excites_no_k():
    weak = Instrument(tube_kv=20.0)
    assert roi_window("Sn", CALIBRATION, N, Instrument(tube_kv=50.0)).line.name == "Kα"
    assert roi_window("Sn", CALIBRATION, N, weak).line.name == "Lα"


def test_unknown_elements_are_refused():
    with pytest.raises(SettingsError, match="'Xx'"):
        roi_maps(cube_of(np.ones((1, 1, N))), ["Xx"])


def test_cancelling_stops_between_chunks():
    token = CancelToken()
    cube = Cube(np.ones((300, 100, N), "uint8"), CALIBRATION)
    seen = []

    def progress(fraction, message=""):
        seen.append(fraction)
        token.cancel()

    with pytest.raises(Cancelled):
        roi_maps(cube, ["Fe"], progress=progress, cancel=token)
    assert len(seen) == 1


def test_threads_give_the_serial_result():
    cube = cube_of(np.random.default_rng(2).poisson(4.0, (8, 8, N)).astype("uint16"))
    serial = roi_maps(cube).values
    results = [None] * 4

    def work(i):
        results[i] = roi_maps(cube).values

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        np.testing.assert_array_equal(result, serial)


@pytest.mark.parametrize("k", [1, 2])
def test_standard_errors_are_the_scatter_of_repeated_measurements(k):
    rate = peak("Fe", 800.0) + peak("Pb", 50.0) + 2.0
    counts = np.random.default_rng(4).poisson(rate, (60, 50, N)).astype("uint16")
    cube = cube_of(counts)
    for element in ("Fe", "Pb", "Ca"):
        scatter = roi_maps(cube, [element], k)[element][::k, ::k].std()
        errors = roi_errors(cube, [element], k)[element]
        assert errors.mean() == pytest.approx(scatter, rel=0.06)


def test_standard_errors_at_the_end_of_the_spectrum_and_of_nothing():
    assert (roi_errors(cube_of(np.zeros((2, 2, N), "uint8"))).values == 0).all()
    low = Cube(np.ones((1, 1, 200), "uint8"), Calibration(6.25, 0.02))
    window = roi_window("Fe", low.calibration, 200, Instrument())
    assert window.left[1] - window.left[0] < window.right[1] - window.right[0]
    assert np.isfinite(roi_errors(low, ["Fe"]).values).all()
