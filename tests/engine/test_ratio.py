"""Ratios of line groups: by hand, by simulation, and in layers of paint of known thickness."""

from dataclasses import replace

import numpy as np
import pytest

from xrfengine.classifier.fit_basis import basis_of
from xrfengine.cube import Cube, Instrument
from xrfengine.detector import Detector
from xrfengine.errors import SettingsError
from xrfengine.maps.fit import FitMaps, fit_maps
from xrfengine.maps.ratio import Ratio, divide, ratio_map, ratios_of
from xrfengine.phantom.make import PhantomSettings, calibration
from xrfengine.phantom.pigments import NAMES, pigment_index
from xrfengine.phantom.spectra import make_components, pixel_weights

SETTINGS = PhantomSettings(n_channels=1024)
ELEMENTS = ("Pb", "Fe", "Ca")


def test_ratio_and_error_by_hand():
    upper, lower = np.array([[30.0, 30.0, 2.0]]), np.array([[120.0, 4.0, 120.0]])
    ratio, error = divide(upper, np.array([[3.0, 3.0, 1.0]]), lower, np.array([[16.0, 2.0, 1.0]]))
    assert ratio[0, 0] == 0.25
    assert error[0, 0] == pytest.approx(0.25 * np.hypot(0.1, 16 / 120))
    assert np.isnan(ratio[0, 1]), "the lower one is 2 standard errors from zero"
    assert np.isnan(ratio[0, 2]), "the upper one is"
    assert np.isnan(error[0, 1:]).all()


def test_nothing_measured_is_blank_and_no_warning():
    ratio, error = divide(*np.zeros((4, 3, 2)))
    assert np.isnan(ratio).all()
    assert np.isnan(error).all()


def test_the_error_is_the_scatter_of_repeated_measurements():
    rng = np.random.default_rng(1)
    upper, lower = rng.poisson(900.0, (50, 80)), rng.poisson(2500.0, (50, 80))
    ratio, error = divide(upper, np.sqrt(upper), lower, np.sqrt(lower))
    assert np.median(error) == pytest.approx(ratio.std(), rel=0.05)


def test_what_is_no_pair_is_refused():
    with pytest.raises(SettingsError, match="shapes"):
        divide(np.ones(2), np.ones(2), np.ones(3), np.ones(3))
    with pytest.raises(SettingsError, match="above 0"):
        divide(*np.ones((4, 2)), least_z=0.0)


def some_fit(names):
    nothing = np.zeros((len(names), 1, 1), np.float32)
    flat = nothing[0]
    return FitMaps(
        names, ("lines",) * len(names), tuple(n.split()[0] for n in names), names,
        nothing, nothing, flat, flat, flat,
    )  # fmt: skip


def test_ratios_are_offered_where_both_groups_are_fitted():
    fit = some_fit(("Fe K", "Pb L", "Pb M", "Sn L", "Sn K"))
    offered = [ratio.text for ratio in ratios_of(fit, apart=("Fe", "Hg"))]
    assert offered == ["Fe Kα / Kβ", "Pb M / L", "Sn L / K"]
    assert Ratio("Pb", "M", "L").names == ("Pb M", "Pb L")
    assert not Ratio("Pb", "M", "L").splits_series
    assert Ratio("Fe", "Kα", "Kβ").splits_series
    with pytest.raises(SettingsError, match="Pb K"):
        ratio_map(fit, Ratio("Pb", "L", "K"))


@pytest.fixture(scope="module")
def painted():
    """Lead white and ochre, uncovered and covered; the cube and what each pixel's layers are."""
    n = 2 * 60
    covered = np.arange(n) >= n // 2
    lower, upper = np.zeros((2, n, len(NAMES)), np.float32)
    lower[:, pigment_index("lead white")] = 25.0
    lower[:, pigment_index("yellow ochre")] = 15.0
    upper[covered, pigment_index("chalk")] = 12.0
    edges = calibration(SETTINGS).edges_kev(SETTINGS.n_channels)
    components = make_components(Detector.sdd(0.140), "Rh", 50.0, edges)
    weights = pixel_weights(components, [lower, upper])
    expected = weights @ components.shapes
    expected *= 300_000.0 / expected[0].sum()
    counts = np.random.default_rng(2).poisson(expected).astype(np.uint32)
    cube = Cube(counts.reshape(2, 60, -1), calibration(SETTINGS), instrument=Instrument("Rh", 50.0))
    return cube, components, weights


def known(components, weights, element, low_kev, high_kev):
    """Counts of an element's lines between two energies, shape (pixel,)."""
    mine = np.array([
        e == element and low_kev < kev < high_kev
        for e, kev in zip(components.elements, components.energy_kev, strict=True)
    ])  # fmt: skip
    return weights[:, mine] @ components.shapes[mine].sum(axis=1)


@pytest.mark.parametrize(
    ("ratio", "upper_kev", "lower_kev", "apart"),
    [
        (Ratio("Pb", "M", "L"), (2.0, 3.2), (9.0, 16.0), ()),
        (Ratio("Fe", "Kα", "Kβ"), (6.2, 6.6), (6.9, 7.3), ("Fe",)),
    ],
    ids=lambda value: value.text if isinstance(value, Ratio) else None,
)
def test_a_cover_lowers_the_ratio_by_what_it_absorbs(painted, ratio, upper_kev, lower_kev, apart):
    cube, components, weights = painted
    basis = basis_of(cube.sum_spectrum, ELEMENTS, "Rh", apart=apart)
    found = ratio_map(fit_maps(cube, basis, threads=1), ratio)
    bare, under = (np.nanmean(found.values[row]) for row in (0, 1))
    true = known(components, weights, ratio.element, *upper_kev) / known(
        components, weights, ratio.element, *lower_kev
    )
    true_bare, true_under = true[0], true[-1]
    assert found.share > 0.95
    uncertainty = np.nanmean(found.errors) / np.sqrt(60)
    assert bare == pytest.approx(true_bare, rel=0.08, abs=3 * uncertainty)
    # The cover bends ratios within the M family, too, which the fit takes from the sum.
    assert under / bare == pytest.approx(true_under / true_bare, rel=0.1)
    assert under < 0.98 * bare


def test_without_the_split_both_series_keep_the_ratio_of_the_sum(painted):
    cube, _, _ = painted
    tied = basis_of(cube.sum_spectrum, ELEMENTS, "Rh")
    free = basis_of(cube.sum_spectrum, ELEMENTS, "Rh", apart=("Fe",))
    assert "Fe K" in tied.names
    assert {"Fe Kα", "Fe Kβ"} <= set(free.names)
    assert "Fe K" not in free.names
    assert "Fe Kα" in free.main
    assert replace(free, main=tied.main[:0]).n_components == tied.n_components + 1
