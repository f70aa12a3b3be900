"""The physics of the demo painting: layers, films, colours, significance."""

import numpy as np
import pytest

from xrfengine.detector import Detector
from xrfengine.phantom import (
    PALETTE,
    PhantomSettings,
    make_phantom,
)
from xrfengine.phantom.pigments import INDEX, NAMES, film_composition, linear_rgb, render_colour
from xrfengine.phantom.spectra import make_components, pixel_weights
from xrfengine.phantom.visibility import rebin_factor, significance


@pytest.fixture(scope="module")
def components():
    edges = np.linspace(0.0, 40.96, 1025)
    return make_components(Detector.sdd(0.140), "Rh", 50.0, edges)


def films(**um):
    """One layer, one pixel: film thickness in µm by pigment (underscores for spaces)."""
    layer = np.zeros((1, len(NAMES)), np.float32)
    for name, thickness in um.items():
        layer[0, INDEX[name.replace("_", " ")]] = thickness
    return layer


def test_a_layer_above_weakens_soft_lines_most(components):
    below, nothing = films(chalk=50.0), films()
    cover = films(lead_white=20.0)
    ca = components.elements.index("Ca")
    sr = max(
        (i for i, e in enumerate(components.elements) if e == "Sr"),
        key=lambda i: components.energy_kev[i],
    )
    open_ = pixel_weights(components, [below, nothing])[0]
    covered = pixel_weights(components, [below, cover])[0]
    assert components.energy_kev[ca] < 4.1 < 14.0 < components.energy_kev[sr]
    assert 0.0 < covered[ca] < 0.05 * open_[ca]
    assert 0.2 * open_[sr] < covered[sr] < open_[sr]


def test_thin_films_add_up_and_thick_ones_saturate(components):
    lead = [i for i, e in enumerate(components.elements) if e == "Pb"]
    weight = {
        um: pixel_weights(components, [films(lead_white=um)])[0][lead].sum()
        for um in (0.01, 0.02, 500.0, 1000.0)
    }
    assert weight[0.02] == pytest.approx(2 * weight[0.01], rel=0.01)
    assert weight[1000.0] == pytest.approx(weight[500.0], rel=0.05)


def test_splitting_a_layer_changes_nothing(components):
    whole = pixel_weights(components, [films(azurite=30.0)])
    halves = pixel_weights(components, [films(azurite=15.0), films(azurite=15.0)])
    np.testing.assert_allclose(halves, whole, rtol=2e-4, atol=1e-9 * float(whole.max()))


def test_weights_leave_their_input_alone(components):
    layer = films(umber=10.0)
    layer.flags.writeable = False
    assert pixel_weights(components, [layer])[0].max() > 0


@pytest.mark.parametrize(("kind", "apart"), [("sdd", True), ("gem", False)])
def test_manganese_and_iron_are_apart_only_in_silicon(kind, apart):
    made = make_phantom(
        PhantomSettings(shape_yx=(60, 40), n_channels=1024, detector=kind, counts_per_pixel=1e5)
    )
    brown = made.truth["Mn"] > 0.4
    spectrum = made.cube.counts[brown].sum(axis=0, dtype=float)
    energy = made.cube.energy_kev
    between = spectrum[(energy > 6.1) & (energy < 6.2)].mean()
    manganese = spectrum[(energy > 5.8) & (energy < 6.0)].mean()
    assert (between < 0.5 * manganese) == apart
    if not apart:
        assert made.significance["Mn"].mean() < 0.5 * made.significance["Fe"].mean()


def test_thick_film_has_the_colour_of_the_pigment_and_a_thin_one_does_not_hide():
    for name, pigment in PALETTE.items():
        layer = np.zeros((1, len(NAMES)), np.float32)
        layer[0, INDEX[name]] = 5000.0
        colour = render_colour((layer,))[0]
        np.testing.assert_allclose(colour, np.clip(linear_rgb(pigment.colour), 0.004, 0.97), 0.02)
    canvas = render_colour((films(),))[0]
    glaze = render_colour((films(ultramarine=0.001),))[0]
    np.testing.assert_allclose(glaze, canvas, rtol=0.02)


def test_compositions_are_whole():
    for pigment in PALETTE.values():
        assert sum(share for _, share in pigment.compounds) == pytest.approx(1.0)
    table = film_composition()
    assert (table >= 0).all()
    lead_white = table[INDEX["lead white"]] * 1e4  # g/cm³ of film
    assert lead_white.sum() == pytest.approx(0.4 * 6.8 + 0.6 * 0.95, rel=1e-3)
    assert lead_white[82] / (0.4 * 6.8) == pytest.approx(0.80, abs=0.01)  # 80 % lead


def test_significance_is_the_textbook_formula():
    rng = np.random.default_rng(3)
    x = np.arange(60.0)
    shapes = np.stack([np.exp(-0.5 * ((x - c) / 3) ** 2) for c in (15, 20, 40)] + [np.ones(60)])
    shapes /= shapes.sum(axis=1, keepdims=True)
    amplitudes = rng.uniform(50, 3000, (5, 4))
    counts = amplitudes @ shapes
    found = significance(
        counts.astype(np.float32), amplitudes.astype(np.float32), shapes.astype(np.float32), 3
    )
    for z, a, mu in zip(found, amplitudes, counts, strict=True):
        information = (shapes / mu) @ shapes.T
        np.testing.assert_allclose(z, (a / np.sqrt(np.diag(np.linalg.inv(information))))[:3], 1e-3)


def test_an_absent_element_takes_no_significance_from_its_neighbour():
    x = np.arange(60.0)
    shapes = np.stack([np.exp(-0.5 * ((x - c) / 3) ** 2) for c in (15, 16)] + [np.ones(60)])
    shapes = (shapes / shapes.sum(axis=1, keepdims=True)).astype(np.float32)

    def z(second):
        amplitudes = np.array([[2000.0, second, 1000.0]], np.float32)
        return significance(amplitudes @ shapes, amplitudes, shapes, 2)[0]

    assert z(0.0)[0] > 3 * z(1000.0)[0]
    assert z(0.0)[1] == 0.0


def test_rebinning_divides_the_channels():
    for n in (16, 1024, 4094, 4096):
        assert n % rebin_factor(n, 40.96 / n) == 0
