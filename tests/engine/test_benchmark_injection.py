"""The injection test of the benchmarks, on a host whose content is known."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xrfengine.classifier.evaluate import LabelledFile, Verdict
from xrfengine.classifier.fit import MODEL_ERROR, fit_spectrum
from xrfengine.classifier.fit_shapes import Setup, shapes_of
from xrfengine.classifier.fit_solve import fit_bins
from xrfengine.cube import Calibration, Spectrum
from xrfengine.detector import Detector
from xrfengine.lines import ELEMENTS

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
LABELS = Path(__file__).resolve().parents[3] / "shared/data/labels.csv"
AMOUNTS = {"Ca": 30_000, "Fe": 80_000, "Pb": 20_000}


@pytest.fixture(scope="module")
def modules():
    """The scripts, imported as they import each other: from their own folder."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import injection
        import injection_plan

        yield injection, injection_plan
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def host(modules):
    _, plan = modules
    setup = Setup(Calibration(0.0, 0.02), 1500, Detector.sdd(0.14), None, 40.0)
    shapes = shapes_of(setup)
    rates = np.full(1500, 20.0)
    for element, counts in AMOUNTS.items():
        for row in np.flatnonzero(shapes.element == ELEMENTS.index(element)):
            rates += counts * shapes.share[row] * shapes.fine[row]
    counts = np.random.default_rng(3).poisson(rates).astype(float)
    counts.flags.writeable = False
    entry = LabelledFile(
        "made", "xray", "tune", "g", frozenset(AMOUNTS), frozenset({"Ar", "Mn"}), None
    )
    chosen = np.array(sorted(ELEMENTS.index(e) for e in (*AMOUNTS, "Mn")))
    solution = fit_bins(shapes, counts, chosen, model_error=MODEL_ERROR)
    return plan.Host(entry, Spectrum(counts, setup.calibration), shapes, solution, shapes)


def test_only_elements_the_spectrum_lacks_are_injected(host, modules):
    _, plan = modules
    assert set(host.injectable) <= set(plan.INJECTED)
    known = replace(host.entry, ignored=host.entry.ignored | {"Hg"})
    fewer = plan.Host(known, host.spectrum, host.shapes, host.solution, host.drawn)
    assert set(host.injectable) - set(fewer.injectable) == {"Hg"}


def test_amounts_give_the_significance_asked_for(host, modules):
    _, plan = modules
    for element in ("Co", "As", "Se", "Hg"):
        counts = plan.counts_for(host, element)
        assert None not in counts
        assert np.all(np.diff(counts) > 0)
        for sigma, amount in zip(plan.SIGMAS, counts, strict=True):
            assert plan.significance(host, element, amount) == pytest.approx(sigma, rel=0.02)


def test_a_line_under_another_takes_more(host, modules):
    _, plan = modules
    # As Kα lies under Pb Lα, Se Kα beside both.
    assert plan.counts_for(host, "As")[3] > 2 * plan.counts_for(host, "Se")[3]


def test_the_fit_sees_what_was_injected(host, modules):
    _, plan = modules
    elements = (*AMOUNTS, "Mn", "Se")
    found = []
    for seed in range(6):
        counts = plan.counts_for(host, "Se", (20,))[0]
        spectrum = plan.injected(host, plan.Injection(0, "Se", 20, counts, seed))
        fit = fit_spectrum(spectrum, elements, setup=host.shapes.setup, keep=True)
        found.append(fit.z["Se"])
    assert 15 < np.mean(found) < 25


def test_drawing_repeats_itself_and_leaves_the_host(host, modules):
    _, plan = modules
    before = host.spectrum.counts.copy()
    one = plan.Injection(0, "Hg", 10, 500.0, 7)
    a, b = plan.injected(host, one), plan.injected(host, one)
    np.testing.assert_array_equal(a.counts, b.counts)
    np.testing.assert_array_equal(host.spectrum.counts, before)
    added = a.counts.sum() - before.sum()
    assert abs(added - 500) < 5 * np.sqrt(500)
    assert np.all(a.counts >= before)


def test_nothing_is_injected_below_the_threshold_of_the_electronics(host, modules):
    _, plan = modules
    one = plan.Injection(0, "Sn", 10, 2e5, 7)
    for first, is_step in ((plan._STEP_COUNTS - 1, False), (plan._STEP_COUNTS, True)):
        counts = host.spectrum.counts.copy()
        counts[:100], counts[100] = 0, first
        made = plan.injected(replace(host, spectrum=replace(host.spectrum, counts=counts)), one)
        assert (made.counts[:100].sum() == 0) == is_step
        assert made.counts[100:].sum() > counts.sum() + 1e5


def test_blocks_of_channels_keep_their_counts(modules):
    _, plan = modules
    fine = np.exp(-0.5 * ((np.arange(100) - 50) / 4.0) ** 2)
    channels = plan._on_channels(fine, 3, 305)
    assert channels.size == 305
    np.testing.assert_allclose(channels[:300].reshape(100, 3).sum(axis=1), fine, atol=1e-12)
    assert not channels[300:].any()


def test_what_was_reported_before_counts_neither_way(host, modules):
    injection, plan = modules
    planned, _ = plan.injections([host])
    planned = [one for one in planned if one.element in ("Se", "Hg")]
    clean = host.spectrum.total

    def method(spectrum):
        more = spectrum.total > clean
        said = {"Hg": True, "Se": more, "Mn": more, "Zn": spectrum.total > clean + 600}
        return {element: Verdict(1.0, present) for element, present in said.items()}

    outcomes = list(injection._outcomes(method, [host], planned, 1))
    summary = injection._summary(outcomes, 1, 50)
    assert summary["n"] == 2 * len(plan.SIGMAS)
    assert summary["reported_before"] == len(plan.SIGMAS)  # Hg
    assert summary["recall_by_element"]["Se"] == 1.0
    assert summary["recall_by_element"]["Hg"] is None
    # Mn is plausible and no alarm. Se is one where Hg was added; Zn, where much was.
    assert summary["confusions"]["Hg → Se"] == len(plan.SIGMAS)
    assert set(summary["confusions"]) == {"Hg → Se", "Hg → Zn", "Se → Zn"}
    alarms = sum(summary["confusions"].values())
    assert summary["further_false_alarms"] == pytest.approx(alarms / len(outcomes))
    by_sigma = summary["further_by_sigma"]
    assert by_sigma["4"] < by_sigma["50"]


def test_measured_hosts_are_few_of_each_group(modules):
    if not LABELS.is_file():
        pytest.skip("no labelled spectra beside the repository")
    _, plan = modules
    rows = plan.hosts_of(LABELS, "tune", per_group=1, seed=1)
    groups = [entry.group for entry, _ in rows]
    assert len(groups) == len(set(groups)) >= 8
    assert all(entry.domain == "xray" and entry.use == "tune" for entry, _ in rows)
