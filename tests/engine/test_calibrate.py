import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xrfengine.calibrate import calibration_from_pairs, line_energy_kev, pair_from_text
from xrfengine.errors import CalibrationError

GAINS = st.floats(0.002, 0.1)
OFFSETS = st.floats(-2.0, 2.0)


@given(offset=OFFSETS, gain=GAINS, channels=st.sets(st.integers(100, 4000), min_size=2, max_size=8))
def test_exact_pairs_give_back_the_calibration(offset, gain, channels):
    pairs = [(c, offset + gain * c) for c in channels if 0.05 < offset + gain * c < 150]
    if len(pairs) < 2:
        return
    found = calibration_from_pairs(pairs)
    np.testing.assert_allclose(
        [float(found.at(c)) for c, _ in pairs], [e for _, e in pairs], atol=1e-6
    )
    assert found.gain_kev == pytest.approx(gain, rel=1e-5)


@given(seed=st.integers(0, 1000))
def test_noisy_peaks_still_give_the_calibration_within_their_error(seed):
    rng = np.random.default_rng(seed)
    channels = np.array([120.0, 219.0, 361.0, 432.0, 900.0])
    energies = 0.05 + 0.029 * (channels + rng.normal(0, 0.1, channels.size))
    found = calibration_from_pairs(zip(channels, energies, strict=True))
    assert found.gain_kev == pytest.approx(0.029, abs=3e-5)


def test_quadratic_fit_gives_back_the_curvature():
    pairs = [(c, 0.1 + 0.01 * c + 1e-7 * c * c) for c in (100, 700, 1500, 3000)]
    found = calibration_from_pairs(pairs, quadratic=True)
    assert found.quadratic_kev == pytest.approx(1e-7, rel=1e-6)
    assert found.offset_kev == pytest.approx(0.1, abs=1e-9)


def test_order_of_the_pairs_does_not_matter():
    pairs = [(432, 12.61), (219.8, 6.403), (361, 10.55)]
    assert calibration_from_pairs(pairs) == calibration_from_pairs(pairs[::-1])


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([], "there are 0"),
        ([(100, 1.0)], "there are 1"),
        ([(100, 1.0), (100, 2.0)], "there are 1"),
        ([(100, 6.4), (200, 3.69)], "channel 100 = 6.4 keV to channel 200 = 3.69 keV"),
        ([(100, 6.4), (200, 6.4)], "must rise"),
        ([(100, 6400), (200, 8046)], "channel 100 = 6400 keV"),
        ([(100, 0.0), (200, 8.0)], "no plausible energy"),
        ([(100, -1.0), (200, 8.0)], "no plausible energy"),
        ([(-5, 1.0), (200, 8.0)], "no valid channel"),
        ([(float("nan"), 1.0), (200, 8.0)], "no valid channel"),
        ([(100, float("nan")), (200, 8.0)], "no plausible energy"),
        ([(100, 1.0), (4100, 1.1)], "gain of 2.5e-05"),
        ([(2, 3.0), (4, 8.0)], "gain of 2.5 keV"),
        ([(100, 100.0), (4100, 110.0)], "channel 0 at 99.75 keV"),
        ([("x", 1.0), (4100, 110.0)], "no pair of numbers"),
        ([(1, 2, 3), (4100, 110.0)], "no pair of numbers"),
    ],
)
def test_nonsense_is_refused_by_name(pairs, says):
    with pytest.raises(CalibrationError, match=says.replace("+", r"\+")) as caught:
        calibration_from_pairs(pairs)
    assert caught.value.hint


def test_a_mistaken_peak_is_named():
    good = [(c, 0.01 * c) for c in (150, 369, 640, 805, 1055)]
    wrong = [*good, (998, 10.55)]
    with pytest.raises(CalibrationError, match=r"channel 998 = 10\.55 keV"):
        calibration_from_pairs(wrong)


def test_quadratic_needs_three_peaks():
    with pytest.raises(CalibrationError, match="3 different channels"):
        calibration_from_pairs([(100, 1.0), (800, 8.0)], quadratic=True)


@pytest.mark.parametrize(
    ("name", "kev"),
    [
        ("Fe-Kα", 6.40),
        ("Fe Ka", 6.40),
        ("FeKa1", 6.404),
        ("fe-Ka", None),
        ("Pb-Lb1", 12.614),
        ("Pb L3M5", 10.551),
        ("Fe-Kx", None),
        ("Xx-Ka", None),
        ("", None),
    ],
)
def test_lines_by_name(name, kev):
    if kev is None:
        with pytest.raises(CalibrationError):
            line_energy_kev(name)
    else:
        assert line_energy_kev(name) == pytest.approx(kev, abs=0.015)


def test_pairs_as_text():
    assert pair_from_text("219.5=6.404") == (219.5, 6.404)
    assert pair_from_text("219=Cu-Kα")[1] == pytest.approx(8.04, abs=0.01)
    for text in ("219", "=6.4", "x=6.4", "219=", "219:6.4"):
        with pytest.raises(CalibrationError):
            pair_from_text(text)
