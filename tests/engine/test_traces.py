"""Traces in bright spectra: what the search adds, and who judges it."""

from dataclasses import replace

import numpy as np
import pytest

from xrfengine.assets import asset
from xrfengine.classifier.calibrate_traces import (
    Candidates,
    _taking_part,
    gather,
    joined,
    learn,
    own_chances,
)
from xrfengine.classifier.calibrated import bright_path, traces_path, verifier_path
from xrfengine.classifier.checkpoint import load, untrained
from xrfengine.classifier.fit_figures import FEATURES as VERIFIED_FEATURES
from xrfengine.classifier.fit_shapes import Setup, shapes_of
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.trace_figures import FEATURES, trace_figures
from xrfengine.classifier.trace_judge import TraceJudge
from xrfengine.classifier.traces import (
    TraceSearch,
    agreed,
    candidates,
    is_searched,
    search,
    with_traces,
)
from xrfengine.classifier.verifier_files import verifier_for
from xrfengine.classifier.verify import (
    Verifier,
    verified_verdicts,
    verify_spectra,
    verify_spectrum,
)
from xrfengine.classifier.whole_reading import Reading
from xrfengine.cube import Calibration, Spectrum
from xrfengine.detector import Detector
from xrfengine.errors import ModelError
from xrfengine.findings import identify
from xrfengine.jobs import Cancelled, CancelToken
from xrfengine.lines import ELEMENTS

CALIBRATION = Calibration(0.0, 0.02)
SETUP = Setup(CALIBRATION, 1000, Detector.sdd(0.14), None, 40.0)
MATRIX = {"Ca": 3e5, "Fe": 2e6, "Zn": 5e5}


def weights(**by_name):
    return tuple(by_name.get(name.split(",")[0].replace(" ", "_"), 0.0) for name in FEATURES)


# An element of z = 7 is a draw.
JUDGE = TraceJudge(
    weights(significance=10.0), (1.0,) * len(FEATURES), -10.0 * np.log(7.0), 0.5, {}, "d", "b", {}
)
VERIFIER = Verifier(
    (0.0,) * len(VERIFIED_FEATURES), (1.0,) * len(VERIFIED_FEATURES), 0.0, 0.8, 0.02, 0.99, "d", {}
)


def spectrum_of(seed=5, **amounts):
    shapes = shapes_of(SETUP)
    rates = np.full(1000, 200.0)
    for element, counts in {**MATRIX, **amounts}.items():
        for row in np.flatnonzero(shapes.element == ELEMENTS.index(element)):
            rates += counts * shapes.share[row] * shapes.fine[row]
    counts = np.random.default_rng(seed).poisson(rates).astype(np.float64)
    counts.flags.writeable = False
    return Spectrum(counts, CALIBRATION)


class Known:
    """Stands for a network that is sure of the matrix and sees nothing else."""

    elements, digest, thresholds = ELEMENTS, "d", np.full(len(ELEMENTS), 0.5)
    dim, thresholds_at = None, Classifier.thresholds_at

    def probabilities(self, counts, calibration, **_):
        said = np.full(len(ELEMENTS), 1e-4, dtype=np.float32)
        said[[ELEMENTS.index(e) for e in MATRIX]] = 0.999
        return np.stack([said] * len(counts))


class Says(Known):
    """Says the same of every element in every spectrum."""

    def __init__(self, odds=0.0):
        self.odds = odds

    def probabilities(self, counts, calibration, **_):
        return np.full((len(counts), len(ELEMENTS)), 1.0 / (1.0 + np.exp(-self.odds)))


def reading(odds=0.0):
    return Reading(Says(odds), CALIBRATION, dict.fromkeys(ELEMENTS, odds))


def traces(judge=JUDGE):
    return TraceSearch(judge, Known())


def verified(spectrum):
    return verify_spectra(spectrum.counts[None], CALIBRATION, Known(), VERIFIER, setup=SETUP)


def test_search_adds_the_trace_and_nothing_else():
    searched = search(spectrum_of(Br=6000), tuple(MATRIX), SETUP)
    assert searched.added == ("Br",)
    assert searched.z("Br") > 10
    assert searched.z("Au") == 0
    assert search(spectrum_of(), tuple(MATRIX), SETUP).added == ()


def test_what_the_reader_proposes_is_tried_but_not_believed():
    spectrum = spectrum_of(Br=6000)
    searched = search(spectrum, tuple(MATRIX), SETUP, {"Br": 0.0, "Sr": 1.0})
    assert searched.added == searched.crowded.added == ("Br",)


def test_weak_proposals_do_not_blur_what_lies_near():
    """Mercury, which is not there, takes a part of bromine: Hg Lβ lies beside Br Kα."""
    spectrum = spectrum_of(Br=1000)
    alone = search(spectrum, tuple(MATRIX), SETUP)
    searched = search(spectrum, tuple(MATRIX), SETUP, {"Br": 1.0, "Hg": -1.0})
    assert searched.crowded.z("Br") < alone.z("Br") - 1.5
    assert searched.added == ("Br",)
    assert searched.z("Br") == pytest.approx(alone.z("Br"))


@pytest.mark.parametrize("odds", [1.0, -1.0])
def test_what_the_reader_holds_for_likely_may_be_seen_beside_weak_ones_only(monkeypatch, odds):
    spectrum = spectrum_of(Br=6000)
    seen = search(spectrum, tuple(MATRIX), SETUP, {"Br": odds})
    monkeypatch.setattr(
        "xrfengine.classifier.traces.search", lambda *_: replace(seen, added=(), crowded=seen)
    )
    found = candidates(spectrum, tuple(MATRIX), SETUP, reading(odds))
    assert found.elements == (("Br",) if odds > 0 else ())
    assert found.features.shape == (len(found.elements), len(FEATURES))
    assert found.z == tuple(seen.z(e) for e in found.elements)


def test_figures_ask_the_reader():
    spectrum = spectrum_of(Br=6000)
    searched = search(spectrum, tuple(MATRIX), SETUP)
    elements, features = trace_figures(
        searched, spectrum, replace(reading(-7.0), said=dict.fromkeys(ELEMENTS, -8.0))
    )
    assert elements == ("Br",)
    assert features.shape == (1, len(FEATURES))
    figure = dict(zip(FEATURES, features[0], strict=True))
    assert figure["log-odds of the network that reads all counts"] == pytest.approx(-8.0)
    assert figure["significance"] == pytest.approx(np.log(searched.z("Br")))
    assert figure["misfit under the line"] < np.log(3.0)
    assert np.sinh(figure["another line"]) > 1.0  # Br Kβ
    assert figure["log-odds beyond those of the fit's picture"] == pytest.approx(-1.0, abs=1e-3)


def test_what_does_not_fit_shows_in_the_figures():
    """A peak half a width off its place is taken for an element, but fits badly."""
    good, rate = spectrum_of(Br=6000), np.zeros(1000)
    energy = CALIBRATION.at(np.arange(1000.0))
    rate = 6000 * 0.02 / 0.075 / 2.5 * np.exp(-0.5 * ((energy - 12.02) / 0.075) ** 2)
    counts = spectrum_of().counts + np.random.default_rng(1).poisson(rate)
    bad = Spectrum(counts, CALIBRATION)
    told = []
    for spectrum in (good, bad):
        searched = search(spectrum, tuple(MATRIX), SETUP)
        elements, features = trace_figures(searched, spectrum, reading())
        assert elements
        told.append(dict(zip(FEATURES, features[0], strict=True)))
    assert told[1]["misfit under the line"] > told[0]["misfit under the line"] + 0.5


def test_the_anode_and_argon_are_no_traces():
    spectrum = spectrum_of(Br=6000, Ar=20000)
    searched = search(spectrum, tuple(MATRIX), SETUP)
    assert set(searched.added) == {"Ar", "Br"}
    assert trace_figures(searched, spectrum, reading())[0] == ("Br",)
    tube = replace(searched, setup=replace(SETUP, anode="Br"))
    assert trace_figures(tube, spectrum, reading())[0] == ()


@pytest.mark.parametrize(("draw_z", "there"), [(7.0, True), (200.0, False)])
def test_the_judge_decides_on_what_the_search_adds(draw_z, there):
    spectrum = spectrum_of(Br=6000)
    before = verified(spectrum)
    kept = before.probabilities.copy()
    judge = replace(JUDGE, bias=-10.0 * np.log(draw_z))
    after = with_traces(spectrum, Known(), before, traces(judge), SETUP)
    br = ELEMENTS.index("Br")
    assert after.present[0, br] == there
    assert (after.probabilities[0, br] >= VERIFIER.threshold) == there
    assert np.array_equal(before.probabilities, kept)
    assert after.present[0, [ELEMENTS.index(e) for e in MATRIX]].all()
    others = np.delete(np.arange(len(ELEMENTS)), br)
    assert np.array_equal(after.probabilities[0, others], kept[0, others])


def test_what_the_reader_holds_for_absent_is_judged_like_what_the_search_adds():
    """The verification reports Co, which is not there, and Br, which is."""
    spectrum = spectrum_of(Br=6000)
    before = verified(spectrum)
    co, br = ELEMENTS.index("Co"), ELEMENTS.index("Br")
    probabilities = before.probabilities.copy()
    probabilities[0, [co, br]] = 0.95
    doubted = replace(
        before, probabilities=probabilities, present=probabilities >= before.thresholds
    )
    after = with_traces(spectrum, Known(), doubted, traces(), SETUP)
    assert (after.present[0, co], after.present[0, br]) == (False, True)
    assert after.probabilities[0, co] < VERIFIER.threshold
    assert after.present[0, [ELEMENTS.index(e) for e in MATRIX]].all()
    # Of tube and air it knows nothing.
    tube = replace(SETUP, anode="Co")
    assert with_traces(spectrum, Known(), doubted, traces(), tube).present[0, co]
    assert agreed(("Co", "Fe", "Ar"), {"Co": -1.0, "Fe": 1.0, "Ar": -3.0}, SETUP) == ("Fe", "Ar")


def test_what_explains_nothing_beside_the_rest_is_let_go():
    """Ca and Fe are there and stay, Co and argon are not; of argon the search knows nothing."""
    spectrum = spectrum_of()
    told = candidates(spectrum, (*MATRIX, "Co", "Ar"), SETUP, reading(1.0))
    assert told.lost == ("Co",)
    before = verified(spectrum)
    probabilities, co = before.probabilities.copy(), ELEMENTS.index("Co")
    probabilities[0, co] = 0.95
    sure = replace(before, probabilities=probabilities, present=probabilities >= before.thresholds)

    after = with_traces(spectrum, Known(), sure, TraceSearch(JUDGE, Says(2.0)), SETUP)
    assert not after.present[0, co]
    assert after.present[0, [ELEMENTS.index(e) for e in MATRIX]].all()


def test_one_threshold_serves_verification_and_judge():
    """Odds over the judge's threshold are odds over the verification's."""
    spectrum, br = spectrum_of(Br=6000), ELEMENTS.index("Br")
    at = with_traces(spectrum, Known(), verified(spectrum), traces(), SETUP)
    z = float(at.z[0, br])
    bias = -10.0 * np.log(z)
    for shift, there in ((1e-9, True), (-1e-6, False)):
        judge = replace(JUDGE, bias=bias + shift)
        after = with_traces(spectrum, Known(), verified(spectrum), traces(judge), SETUP)
        assert after.present[0, br] == there or abs(shift) < 1e-7
        assert float(after.probabilities[0, br]) == pytest.approx(VERIFIER.threshold, abs=1e-4)
        assert after.present[0, br] == (after.probabilities[0, br] >= VERIFIER.threshold)


def test_only_bright_spectra_of_silicon_detectors_under_x_rays_are_searched():
    bright = spectrum_of()
    assert is_searched(bright)
    assert is_searched(bright, SETUP)
    assert not is_searched(Spectrum(bright.counts / 100, CALIBRATION))
    assert not is_searched(bright, replace(SETUP, excitation="electrons"))
    assert not is_searched(bright, replace(SETUP, detector=Detector.gem(0.17)))

    def never():
        raise AssertionError("no fit was needed")

    judged = replace(VERIFIER, traces=traces())
    dim = Spectrum(np.round(bright.counts / 100), CALIBRATION)
    assert not verify_spectrum(dim, Known(), judged, never).fitted.any()
    assert not verify_spectrum(bright, Known(), VERIFIER, never).fitted.any()


def test_identify_reports_the_trace():
    spectrum = spectrum_of(Br=6000)
    for searching, there in ((traces(), True), (None, False)):
        judged = replace(VERIFIER, traces=searching)
        told = {i.symbol: i for i in identify(Known(), spectrum, judged, lambda: SETUP)}
        assert told["Br"].present == there
        assert {e for e, i in told.items() if i.present} == {*MATRIX, *(["Br"] * there)}


def test_a_trace_that_instruments_show_is_told_apart():
    spectrum, br = spectrum_of(Br=6000), ELEMENTS.index("Br")
    for chance, is_own in ((0.9, True), (0.1, False)):
        judge = traces(replace(JUDGE, own={"Br": chance, "Ca": 0.9}))
        after = with_traces(spectrum, Known(), verified(spectrum), judge, SETUP)
        assert after.present[0, br] != is_own
        assert after.own_elements(ELEMENTS) == (("Br",) if is_own else ())
        assert after.probabilities[0, br] >= VERIFIER.threshold  # it is there, whosoever's
        assert after.present[0, ELEMENTS.index("Ca")]  # no trace: the network is sure of it
        judged = replace(VERIFIER, traces=judge)
        told = {i.symbol: i for i in identify(Known(), spectrum, judged, lambda: SETUP)}
        assert told["Br"].present
        assert told["Br"].is_instrument == is_own
    # What is not there is nobody's.
    judge = traces(replace(JUDGE, own={"Br": 0.9}))
    nothing = with_traces(spectrum_of(), Known(), verified(spectrum_of()), judge, SETUP)
    assert nothing.own_elements(ELEMENTS) == ()


def test_of_the_sample_a_trace_of_the_instrument_is_not_scored(monkeypatch):
    monkeypatch.setattr("xrfengine.classifier.verify.find_setup", lambda spectrum: (SETUP, ""))
    for chance, is_own in ((0.9, True), (0.1, False)):
        judged = replace(VERIFIER, traces=traces(replace(JUDGE, own={"Br": chance})))
        verdict = verified_verdicts(Known(), judged)(spectrum_of(Br=6000))["Br"]
        assert verdict.present != is_own
        assert (verdict.score >= VERIFIER.threshold) != is_own


def test_a_search_can_be_cancelled():
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        search(spectrum_of(), tuple(MATRIX), SETUP, cancel=cancel)


def test_the_judge_is_kept_beside_the_verification(tmp_path):
    path = tmp_path / "tiny.safetensors"
    assert traces_path(path).name == "tiny.traces.json"
    assert bright_path(path).name == "tiny.bright.safetensors"

    def found():
        return verifier_for(Known(), path)[0].traces

    VERIFIER.save(verifier_path(path))
    judge = replace(JUDGE, bright=untrained().digest)
    judge.save(traces_path(path))
    assert TraceJudge.load(traces_path(path)) == judge
    assert found() is None  # no reader
    untrained().save(bright_path(path))
    assert found().judge == judge
    assert found().reader.digest == judge.bright
    replaced = replace(VERIFIER, traces=found())
    assert Verifier.load(replaced.save(tmp_path / "again.json")) == VERIFIER
    for other in (replace(judge, network="other"), replace(judge, bright="other")):
        other.save(traces_path(path))
        assert found() is None
    traces_path(path).write_text("{")  # as good as of another version
    weights = untrained().save(path)
    replace(VERIFIER, network=load(weights).digest).save(verifier_path(weights))
    assert _taking_part(weights)[2].digest == judge.bright
    VERIFIER.save(verifier_path(path))
    with pytest.raises(ModelError, match=r"tiny\.traces\.json"):
        verifier_for(Known(), path)
    with pytest.raises(ModelError, match="another version"):
        replace(JUDGE, weights=(1.0,))


def test_learning_sets_the_threshold_for_the_rate_asked():
    rng = np.random.default_rng(3)
    labels = np.repeat([1, 0, -1, 0], [300, 300, 100, 7])
    is_own = np.repeat([False, True], [700, 7])  # there, whosoever's: no false alarms
    features = rng.normal(size=(707, len(FEATURES)))
    features[:, 0] += 2.0 * (labels == 1) + 50.0 * (labels == -1)  # the last must not count
    features[is_own, 0] += 5.0
    order = rng.permutation(707)
    candidates = Candidates(
        features[order],
        labels[order],
        is_own[order],
        ("Fe",) * 707,
        np.arange(707),
        np.arange(707),
        700,
        400,
        0,
    )
    strict, loose = (learn(candidates, rate, "d", "b", {}) for rate in (0.02, 0.1))
    assert strict.weights == loose.weights
    assert int(np.argmax(np.abs(strict.weights))) == 0
    assert strict.threshold > loose.threshold
    for judge, rate in ((strict, 0.02), (loose, 0.1)):
        told = judge.card["held_apart"]
        odds = judge.log_odds(candidates.features)
        invented = (odds >= 0) & (candidates.labels == 0) & ~candidates.is_own
        assert invented.sum() == pytest.approx(rate * 700, abs=4)
        assert told["invented_per_spectrum"] == pytest.approx(rate)
        own = told["own_added_per_spectrum"] * 700 + told["own_put_down_to_the_instrument"]
        assert own >= 6
    found = [j.card["held_apart"]["visible_added"] for j in (strict, loose)]
    assert 100 < found[0] < found[1] < 300
    nothing = replace(candidates, labels=np.zeros(707, dtype=int), is_own=np.zeros(707, dtype=bool))
    with pytest.raises(ModelError, match="no traces"):
        learn(nothing, 0.05, "d", "b", {})


def test_whose_a_trace_is_goes_by_how_often_instruments_show_it():
    elements = ("Fe",) * 60 + ("Ag",) * 40 + ("Br",) * 20
    of_instrument = np.repeat([True, False, True, False, False], [40, 20, 4, 36, 20])
    told = own_chances(elements, ~of_instrument, of_instrument)
    assert told["Si"] > told["Fe"] > 0.5 > told["Ag"]
    assert "Br" not in told  # no instrument shows it
    assert own_chances(("Br",), np.array([True]), np.array([False])) == {}


def test_satellites_of_iron_are_not_taken_for_other_elements():
    """A tenth of Kβ lies up to 400 eV below it, in the place of Co, Mn and rare earths."""
    shapes = shapes_of(SETUP, satellites=True)
    rates = np.full(1000, 200.0)
    for row in np.flatnonzero(shapes.element == ELEMENTS.index("Fe")):
        rates += 2e7 * shapes.share[row] * shapes.fine[row]
    iron = Spectrum(np.random.default_rng(2).poisson(rates).astype(np.float64), CALIBRATION)
    assert search(iron, ("Fe",), SETUP).added == ()
    without = shapes_of(SETUP)
    first = np.flatnonzero(without.element == ELEMENTS.index("Fe"))
    assert not np.allclose(without.fine[first], shapes.fine[first])
    assert np.allclose(shapes.fine[first].sum(axis=1), 1.0, atol=1e-4)


def test_candidates_are_gathered_from_simulated_spectra():
    classifier = Classifier.load(asset("compact.safetensors"), device="cpu")
    verifier, _ = verifier_for(classifier)
    told = gather(classifier, verifier, verifier.traces.reader, 2, seed=1)
    assert told.n_spectra == 2
    assert told.n_visible >= told.n_found > 0
    assert told.features.shape == (len(told.elements), len(FEATURES))
    assert np.isfinite(told.features).all()
    assert set(np.unique(told.labels)) <= {-1, 0, 1}
    both = joined([told, told])
    assert both.n_spectra == 4
    assert len(both.elements) == len(both.spectrum) == len(both.features)
    first = both.spectrum < 2
    for mine in (first, ~first):
        assert np.array_equal(both.features[mine], told.features)
    assert not set(both.instrument[first]) & set(both.instrument[~first])


def test_the_shipped_judge_belongs_to_the_shipped_weights():
    verifier, why_not = verifier_for(Classifier.load(asset("compact.safetensors"), device="cpu"))
    assert verifier is not None, why_not
    assert verifier.traces is not None
    card = verifier.traces.judge.card
    reached = card["held_apart"]["invented_per_spectrum"]
    assert reached <= card["invented_asked"] <= 0.05
