"""Verification: the fit confirms or overrules what a network proposes."""

from dataclasses import replace

import numpy as np
import pytest

from xrfengine.classifier.calibrate_verifier import Table, learn
from xrfengine.classifier.calibrated import verifier_path
from xrfengine.classifier.element_peaks import free_lines, peaks_of
from xrfengine.classifier.fit import MODEL_ERROR, SpectrumFit
from xrfengine.classifier.fit_batch import fit_batch, operators_of
from xrfengine.classifier.fit_figures import FEATURES, figures, figures_of, left_over
from xrfengine.classifier.fit_shapes import Setup, shapes_of
from xrfengine.classifier.fit_solve import fit_bins
from xrfengine.classifier.stacked_nnls import stacked_nnls
from xrfengine.classifier.verifier_files import verifier_for
from xrfengine.classifier.verify import Verifier, verified_verdicts, verify_spectra
from xrfengine.cube import Calibration, Spectrum
from xrfengine.detector import Detector
from xrfengine.errors import ModelError, SettingsError
from xrfengine.jobs import Cancelled, CancelToken
from xrfengine.lines import ELEMENTS

CALIBRATION = Calibration(0.0, 0.02)
SETUP = Setup(CALIBRATION, 1000, Detector.sdd(0.14), None, 40.0)


def weights(**by_name):
    return tuple(by_name.get(name.replace(" ", "_").replace("-", "_"), 0.0) for name in FEATURES)


# Odds of the network count half, two units of squeezed significance are needed for a draw.
VERIFIER = Verifier(
    weights(network_log_odds=0.5, significance=2.0),
    (1.0,) * len(FEATURES),
    -4.0,
    0.5,
    0.05,
    0.999,
    "d",
    {},
)


def counts_of(amounts, seed=5):
    shapes = shapes_of(SETUP)
    rates = np.full(1000, 20.0)
    for element, counts in amounts.items():
        for row in np.flatnonzero(shapes.element == ELEMENTS.index(element)):
            rates += counts * shapes.share[row] * shapes.fine[row]
    counts = np.random.default_rng(seed).poisson(rates).astype(np.float64)
    counts.flags.writeable = False
    return counts


def proposals(**said):
    out = np.full(len(ELEMENTS), 1e-4, dtype=np.float32)
    for element, probability in said.items():
        out[ELEMENTS.index(element)] = probability
    return out


class Known:
    """Stands for a network."""

    elements, digest, thresholds = ELEMENTS, "d", np.full(len(ELEMENTS), 0.5)

    def probabilities(self, counts, calibration, **_):
        return np.stack([proposals(Fe=0.9, Co=0.3)] * len(counts))


def verified(counts, said, **options):
    return verify_spectra(
        counts, CALIBRATION, Known(), VERIFIER, **{"setup": SETUP, "proposed": said, **options}
    )


def chosen(*symbols):
    out = np.zeros(len(ELEMENTS), dtype=bool)
    out[[ELEMENTS.index(symbol) for symbol in symbols]] = True
    return out


def test_a_false_proposal_is_overruled_and_a_shy_one_raised():
    counts = counts_of({"Pb": 30_000, "Fe": 10_000, "Zn": 2_000})
    said = proposals(Pb=0.99, Fe=0.99, As=0.9, Zn=0.2)
    found = verified(counts[None], said[None])
    now = dict(zip(ELEMENTS, found.probabilities[0], strict=True))
    assert now["As"] < 0.5 < 0.9
    assert now["Zn"] > 0.9
    assert min(now["Pb"], now["Fe"]) > 0.95
    assert now["Br"] == said[ELEMENTS.index("Br")]
    np.testing.assert_array_equal(found.present, found.probabilities >= VERIFIER.threshold)
    z = dict(zip(ELEMENTS, found.z[0], strict=True))
    assert z["Pb"] > 50
    assert np.isnan(z["Br"])


def test_what_is_plainly_left_over_is_fitted():
    counts = counts_of({"Fe": 20_000, "Cu": 8_000})[None]
    ((_, nothing), (places, found)) = figures(
        counts, SETUP, proposals()[None], (0.05, 0.99), np.array([0])
    )
    assert not nothing.spectrum.size
    assert places == [0]
    assert {ELEMENTS[e] for e in found.element} == {"Fe"}


def test_what_the_network_is_sure_of_is_not_fitted():
    found = verified(counts_of({"Fe": 9_000})[None], proposals(Fe=0.9999)[None], setup=None)
    assert not found.fitted.any()
    assert found.setup is None
    assert found.probabilities[0, ELEMENTS.index("Fe")] == np.float32(0.9999)


def test_fits_in_a_stack_are_those_one_by_one():
    amounts = [{"Fe": 5_000, "Pb": 900}, {"Cu": 300}, {"Ca": 90_000, "Ti": 800, "Zn": 3_000}]
    counts = np.stack([counts_of(each, seed) for seed, each in enumerate(amounts)])
    wanted = np.stack([chosen("Fe", "Pb", "As"), chosen("Cu"), chosen("Ca", "Ti", "Zn", "Ni")])
    shapes = shapes_of(SETUP)
    fit = fit_batch(operators_of(shapes), counts, wanted, model_error=MODEL_ERROR)
    numbers = figures_of(fit, wanted, np.full(wanted.shape, 0.5))
    for i, mine in enumerate(wanted):
        alone = fit_bins(
            shapes, counts[i], np.flatnonzero(mine), model_error=MODEL_ERROR, inflate=True
        )
        np.testing.assert_allclose(fit.model[i], alone.model, rtol=1e-6)
        np.testing.assert_allclose(
            fit.amounts[i, : alone.rows.size], alone.counts, rtol=1e-5, atol=1e-3
        )
        place = numbers.spectrum == i
        np.testing.assert_allclose(numbers.z[place], alone.z, rtol=1e-4, atol=1e-4)
        single = SpectrumFit(SETUP, shapes, alone, fit.counts[i])
        for element in np.flatnonzero(mine):
            templates = np.array([t for _, t, _ in peaks_of(shapes, ELEMENTS[element])])[:4]
            found, error = free_lines(single, ELEMENTS[element], templates)
            best, second = np.append(np.sort(found / error)[::-1], 0.0)[:2]
            one = numbers.features[place & (numbers.element == element)][0]
            assert np.sinh(one[FEATURES.index("best line")]) * 2 == pytest.approx(best, rel=1e-3)
            assert np.sinh(one[FEATURES.index("second line")]) * 2 == pytest.approx(
                second, rel=1e-3, abs=1e-3
            )
    assert left_over(fit)[1, ELEMENTS.index("Cu")] < 3


def test_threads_and_neighbours_change_nothing_and_input_stays():
    amounts = [{"Fe": 5_000}, {"Fe": 400, "Cu": 4_000}, {"Pb": 7_000}]
    counts = np.stack([counts_of(amounts[s % 3], s) for s in range(20)])
    said = np.stack(
        [proposals(Fe=0.8, Co=0.3), proposals(Fe=0.7, Cu=0.9, Zn=0.2), proposals(Pb=0.9)] * 7
    )[:20]
    before, asked = counts.copy(), said.copy()
    said.flags.writeable = counts.flags.writeable = False
    together = verified(counts, said, n_threads=2)
    serial = verified(counts, said, n_threads=1)
    np.testing.assert_array_equal(together.probabilities, serial.probabilities)
    for i in range(0, 20, 5):
        alone = verified(counts[i : i + 1], said[i : i + 1])
        np.testing.assert_allclose(alone.probabilities[0], together.probabilities[i], atol=1e-5)
        np.testing.assert_allclose(alone.z[0], together.z[i], rtol=1e-4)
    np.testing.assert_array_equal(before, counts)
    np.testing.assert_array_equal(asked, said)


def test_figures_tell_a_missing_line_and_a_peak_off_its_place():
    counts = counts_of({"Pb": 50_000})
    wanted = np.stack([chosen("Pb", "As")])
    fit = fit_batch(operators_of(shapes_of(SETUP)), counts[None], wanted, model_error=MODEL_ERROR)
    numbers = figures_of(fit, wanted, np.full(wanted.shape, 0.5))
    by_name = {
        ELEMENTS[e]: dict(zip(FEATURES, row, strict=True))
        for e, row in zip(numbers.element, numbers.features, strict=True)
    }
    arsenic, lead = by_name["As"], by_name["Pb"]
    assert arsenic["network log-odds"] == 0.0
    assert arsenic["lines missing of the whole peak"] > 2 > lead["lines missing of the whole peak"]
    explained = "share other elements explain"
    assert arsenic[explained] > 0.7 > lead[explained]
    assert lead["second line"] > 3
    assert lead["off centre"] < 0.04

    energy = CALIBRATION.energy_kev(1000)
    bragg = 20.0 + 5000.0 * 0.02 / 0.15 * np.exp(-0.5 * ((energy - 5.47) / 0.06) ** 2)
    wanted = np.stack([chosen("Cr")])
    fit = fit_batch(
        operators_of(shapes_of(SETUP)), np.round(bragg)[None], wanted, model_error=MODEL_ERROR
    )
    (row,) = figures_of(fit, wanted, np.full(wanted.shape, 0.5)).features
    assert row[FEATURES.index("off centre")] > 0.2


def test_least_squares_are_those_of_scipy():
    from scipy.optimize import nnls

    rng = np.random.default_rng(3)
    design = rng.normal(size=(40, 30, 12)) + 0.6
    data = rng.normal(size=(40, 30))
    hessian = design.transpose(0, 2, 1) @ design
    right = (design.transpose(0, 2, 1) @ data[:, :, None])[:, :, 0]
    first = rng.random(right.shape) < 0.5
    for guess in (None, first):
        found, passive = stacked_nnls(hessian, right, guess)
        for a, y, x, positive in zip(design, data, found, passive, strict=True):
            np.testing.assert_allclose(x, nnls(a, y)[0], atol=1e-8)
            np.testing.assert_array_equal(positive, x > 0)


def test_cancel_is_heard():
    token = CancelToken()
    token.cancel()
    counts = counts_of({"Fe": 1_000})
    with pytest.raises(Cancelled):
        verified(counts[None], proposals(Fe=0.5)[None], cancel=token)


def test_progress_reaches_the_end():
    heard = []
    verified(
        np.stack([counts_of({"Fe": 1_000})] * 3), None, progress=lambda f, _="": heard.append(f)
    )
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1.0)


def test_a_verification_of_other_weights_is_refused(tmp_path):
    class Other(Known):
        digest, name = "other", "tiny"

    with pytest.raises(SettingsError, match="other"):
        verify_spectra(np.ones((1, 1000)), CALIBRATION, Other(), VERIFIER, setup=SETUP)
    with pytest.raises(SettingsError, match="shape"):
        verified(np.ones((2, 1000)), proposals()[None])
    weights = tmp_path / "tiny.safetensors"
    assert verifier_for(Other(), weights)[0] is None
    VERIFIER.save(verifier_path(weights))
    found, why = verifier_for(Other(), weights)
    assert found is None
    assert "tiny.verify.json was calibrated for the weights d" in why
    assert verifier_for(Known(), weights) == (VERIFIER, "")


def test_under_electrons_the_network_stands():
    counts = counts_of({"Fe": 20_000})[None]
    said = proposals(Fe=0.7, As=0.6, Co=0.3)[None]
    found = verified(counts, said, setup=replace(SETUP, excitation="electrons"))
    np.testing.assert_array_equal(found.probabilities, said)
    np.testing.assert_array_equal(found.present, said >= Known.thresholds)
    np.testing.assert_array_equal(found.thresholds, Known.thresholds)
    assert not found.fitted.any()
    assert np.isnan(found.z).all()
    assert verified(counts, said).thresholds == pytest.approx(VERIFIER.threshold)
    assert verified(counts, said).fitted.all()


def test_as_a_method_to_score():
    verdicts = verified_verdicts(Known(), VERIFIER)(
        Spectrum(counts_of({"Fe": 20_000}), CALIBRATION)
    )
    assert verdicts["Fe"].present
    assert not verdicts["Co"].present


def test_calibration_is_kept_on_disk(tmp_path):
    path = VERIFIER.save(tmp_path / "one.json")
    assert Verifier.load(path) == VERIFIER
    path.write_text("{}")
    with pytest.raises(ModelError, match=r"one\.json"):
        Verifier.load(path)
    with pytest.raises(ModelError):
        Verifier.load(tmp_path / "none.json")
    with pytest.raises(ModelError, match="figures"):
        Verifier((1.0,), (1.0,), 0.0, 0.5, 0.1, 0.9, "d", {})


def test_learning_weighs_what_tells():
    rng = np.random.default_rng(0)
    n = 400
    labels = rng.integers(0, 2, size=(n, 2))
    features = rng.normal(size=(2 * n, len(FEATURES)))
    features[:, 1] += 4.0 * labels.ravel()
    table = Table(
        features,
        labels,
        np.full((n, 2), 0.5, dtype=np.float32),
        np.full(2, 0.5),
        np.repeat(np.arange(n), 2),
        np.tile([0, 1], n),
        np.arange(n) // 4,
    )
    verifier = learn(table, 0.02, 0.99, 0.05, "d", {"seed": 0})
    assert np.argmax(np.abs(verifier.weights)) == 1
    apart = verifier.card["held_apart"]
    assert apart["verified"]["average_precision"] > 0.95 > apart["network"]["average_precision"]
    assert verifier.network == "d"
    assert apart["verified"]["false_alarms_per_spectrum"] <= 0.06
