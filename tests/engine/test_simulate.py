"""Simulated batches: reproducible, well-formed, labelled by what can be seen."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine.classifier.instrument import draw_instrument
from xrfengine.classifier.simulate import (
    THESIS_ELEMENTS,
    SimulationSettings,
    Simulator,
    draw_counts,
)
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS

# A plain laboratory instrument: nothing but the sample's lines and the scattered tube.
PLAIN = SimulationSettings(
    anodes=(("Rh", 1.0),),
    tube_kv=(40.0, 40.0),
    share_electrons=0.0,
    share_mono=0.0,
    share_gas=0.0,
    fwhm_kev=(0.13, 0.14),
    filters=False,
    sum_peaks=False,
    bragg=False,
    smooth_backgrounds=False,
    zero_peak=False,
    cut_ends=False,
)


def plain_instrument(rng, wide=True, **changes):
    """An instrument of the plain settings that reaches from below 1 to above 20 keV."""
    simulator = Simulator(replace(PLAIN, **changes), ELEMENTS)
    while True:
        instrument = draw_instrument(simulator.settings, rng)
        axis = instrument.calibration.energy_kev(instrument.n_channels)
        fine = instrument.detector.fwhm_mn_kev < 0.15 and instrument.calibration.gain_kev < 0.03
        if fine and (axis[-1] > 20.0 or not wide):
            return simulator, instrument


def heights_of(n, **elements):
    heights = np.zeros((n, len(ELEMENTS)))
    for symbol, height in elements.items():
        heights[:, ELEMENTS.index(symbol)] = height
    return heights


@pytest.mark.parametrize("preset", ["thesis", "physical"])
@pytest.mark.parametrize("n_elements", [None, 0, 3])
def test_a_batch_is_well_formed(preset, n_elements):
    elements = THESIS_ELEMENTS if preset == "thesis" else ELEMENTS
    simulator = Simulator(SimulationSettings(preset=preset), elements)
    batch = simulator.batch(17, np.random.default_rng(5), n_elements)
    assert batch.counts.dtype == np.float32
    assert batch.counts.shape[0] == 17
    assert batch.labels.shape == (17, len(elements))
    assert batch.labels.dtype == np.int8
    assert set(np.unique(batch.labels)) <= {-1, 0, 1}
    assert np.isfinite(batch.counts).all()
    assert (batch.counts >= 0).all()
    if n_elements is not None:
        assert (batch.n_elements == n_elements).all()
    if preset == "physical":
        assert (batch.counts == np.rint(batch.counts)).all()
        energy = batch.calibration.energy_kev(batch.counts.shape[1])
        assert -1.1 < energy[0] < 0.2
        assert 9.0 < energy[-1] < 51.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_any_instrument_gives_counts_and_the_same_seed_the_same_batch(seed):
    simulator = Simulator(SimulationSettings(), ELEMENTS)
    one, two = (simulator.batch(6, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one.counts, two.counts)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.calibration == two.calibration
    assert np.isfinite(one.counts).all()
    assert (one.counts.sum(axis=1) > 50).all()


def test_seeds_differ():
    simulator = Simulator(SimulationSettings(), ELEMENTS)
    one, two = (simulator.batch(4, np.random.default_rng(s)) for s in (1, 2))
    assert one.calibration != two.calibration


@pytest.mark.parametrize(
    "effect",
    ["filters", "path", "escape", "sum_peaks", "tail_and_shelf", "radiative_auger", "scatter",
     "continuum", "smooth_backgrounds", "zero_peak", "bragg", "self_absorption",
     "calibration_error", "shape_error", "cut_ends", "poisson"],
)  # fmt: skip
def test_every_effect_can_be_switched_off(effect):
    simulator = Simulator(SimulationSettings(**{effect: False}), ELEMENTS)
    for seed in range(3):
        batch = simulator.batch(4, np.random.default_rng(seed))
        assert np.isfinite(batch.counts).all()
        assert (batch.counts.sum(axis=1) > 0).all()


def test_bare_lines_only():
    """Everything off but the lines: counts lie at the lines of what was put in."""
    off = dict.fromkeys(
        ("filters", "path", "escape", "sum_peaks", "tail_and_shelf", "radiative_auger", "scatter",
         "continuum",
         "smooth_backgrounds", "zero_peak", "bragg", "stray",
         "calibration_error", "shape_error", "cut_ends"), False,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    simulator, instrument = plain_instrument(rng, **off)
    batch = simulator.expose(instrument, heights_of(3, Fe=1.0), np.full(3, 1e5), rng)
    energy = batch.calibration.energy_kev(batch.counts.shape[1])
    iron = (np.abs(energy - 6.40) < 0.3) | (np.abs(energy - 7.06) < 0.3) | (energy < 1.2)
    assert batch.counts[:, iron].sum() / batch.counts.sum() > 0.995
    assert batch.counts.sum(axis=1) == pytest.approx(1e5, rel=0.02)


def test_a_strong_lone_element_is_visible_and_nothing_else():
    rng = np.random.default_rng(2)
    simulator, instrument = plain_instrument(rng)
    batch = simulator.expose(instrument, heights_of(4, Fe=1.0), np.full(4, 1e6), rng)
    assert (batch.labels[:, ELEMENTS.index("Fe")] == 1).all()
    others = np.delete(batch.labels, [ELEMENTS.index(e) for e in ("Fe", "Ar", "Rh")], axis=1)
    assert not others.any()


def test_cobalt_shows_alone_but_not_under_much_iron():
    rng = np.random.default_rng(3)
    simulator, instrument = plain_instrument(rng)
    cobalt = ELEMENTS.index("Co")
    hidden = simulator.expose(instrument, heights_of(8, Fe=1.0, Co=3e-4), np.full(8, 1e5), rng)
    alone = simulator.expose(instrument, heights_of(8, Ca=1.0, Co=3e-2), np.full(8, 1e6), rng)
    assert (hidden.labels[:, cobalt] != 1).all()
    assert (alone.labels[:, cobalt] == 1).mean() > 0.8


def test_more_counts_show_more():
    rng = np.random.default_rng(4)
    simulator, instrument = plain_instrument(rng)
    heights = heights_of(10, Ca=1.0, Mn=0.01, Fe=0.3, Zn=0.01, Pb=0.02)
    seen = [
        (simulator.expose(instrument, heights, np.full(10, n), rng).labels == 1).sum()
        for n in (3e2, 1e4, 1e6)
    ]
    assert seen[0] < seen[1] < seen[2]


def test_model_uncertainty_hides_what_only_statistics_shows():
    heights = heights_of(6, Fe=1.0, Co=1e-3, Ti=1.0, V=1e-3)
    traces, found = [ELEMENTS.index("Co"), ELEMENTS.index("V")], [0, 0]
    for seed in range(3):
        for place, uncertainty in enumerate((0.0, 0.02)):
            rng = np.random.default_rng(seed)
            simulator, instrument = plain_instrument(rng, model_uncertainty=uncertainty)
            batch = simulator.expose(instrument, heights, np.full(6, 1e8), rng)
            found[place] += int((batch.labels[:, traces] == 1).sum())
    assert found[1] < found[0]


def test_only_lines_in_the_range_count():
    """Iron at a voltage that excites it, judged above its lines only."""
    heights = heights_of(3, Fe=1.0)
    labels = []
    for range_kev in ((0.7, 41.0), (9.0, 41.0)):
        rng = np.random.default_rng(11)
        simulator, instrument = plain_instrument(rng, range_kev=range_kev)
        batch = simulator.expose(instrument, heights, np.full(3, 1e6), rng)
        labels.append(batch.labels[:, ELEMENTS.index("Fe")].tolist())
    assert labels == [[1, 1, 1], [0, 0, 0]]


def test_the_anode_is_neither():
    rng = np.random.default_rng(7)
    simulator, instrument = plain_instrument(rng)
    batch = simulator.expose(instrument, heights_of(2, Rh=1.0), np.full(2, 1e5), rng)
    assert (batch.labels[:, ELEMENTS.index("Rh")] == -1).all()


def test_expose_leaves_its_input_alone():
    rng = np.random.default_rng(8)
    simulator, instrument = plain_instrument(rng)
    heights = heights_of(3, Cu=1.0)
    heights.flags.writeable = False
    totals = np.full(3, 1e4)
    totals.flags.writeable = False
    batch = simulator.expose(instrument, heights, totals, rng)
    assert (batch.n_elements == 1).all()


def test_labels_follow_the_order_asked_for():
    few = ("Zn", "Fe", "Ca")
    everything = Simulator(SimulationSettings(), ELEMENTS).batch(20, np.random.default_rng(9))
    some = Simulator(SimulationSettings(), few).batch(20, np.random.default_rng(9))
    columns = [ELEMENTS.index(e) for e in few]
    np.testing.assert_array_equal(some.labels, everything.labels[:, columns])


def test_every_element_is_seen_sometimes():
    simulator = Simulator(SimulationSettings(), ELEMENTS)
    rng = np.random.default_rng(10)
    labels = np.concatenate([simulator.batch(128, rng).labels for _ in range(25)])
    missing = [e for e, row in zip(ELEMENTS, labels.T, strict=True) if not (row == 1).any()]
    assert not missing
    assert 1.5 < (labels == 1).sum(axis=1).mean() < 8.0


@pytest.mark.parametrize("rate", [0.02, 1.0, 7.0, 29.0, 31.0, 500.0, 1e5])
def test_counts_are_poisson(rate):
    rates = np.full((200, 500), rate, dtype=np.float32)
    rates.flags.writeable = False
    counts = draw_counts(rates, np.random.default_rng(0)).astype(np.float64)
    n = counts.size
    assert counts.mean() == pytest.approx(rate, abs=5 * np.sqrt(rate / n))
    # The variance's own standard deviation is rate·sqrt((2 + 1/rate)/n).
    assert counts.var() == pytest.approx(rate, abs=5 * rate * np.sqrt((2 + 1 / rate) / n) + 0.1)
    skewness = ((counts - rate) ** 3).mean() / rate**1.5
    assert skewness == pytest.approx(rate**-0.5, abs=0.1 + 5 * np.sqrt((6 + 40 / rate) / n))


def test_settings_round_trip_through_json():
    given_settings = replace(PLAIN, z_visible=5.0)
    text = json.dumps(given_settings.to_dict())
    again = SimulationSettings.from_dict(json.loads(text))
    assert again == given_settings
    assert hash(again) == hash(given_settings)


@pytest.mark.parametrize(
    ("values", "says"),
    [({"preset": "other"}, "other"), ({"tube_kv": (40, 10)}, "tube_kv"),
     ({"counts": (0, 10)}, "counts"), ({"share_gas": 1.5}, "share_gas"),
     ({"share_electrons": 0.6, "share_mono": 0.6}, "share_mono"),
     ({"z_absent": 5.0}, "z_absent"), ({"anodes": ()}, "anode")],
)  # fmt: skip
def test_bad_settings_are_named(values, says):
    with pytest.raises(SettingsError, match=says):
        SimulationSettings(**values)


def test_unknown_settings_and_elements_are_named():
    with pytest.raises(SettingsError, match="colour"):
        SimulationSettings.from_dict({"colour": 1})
    with pytest.raises(SettingsError, match="Xx"):
        Simulator(SimulationSettings(), ("Fe", "Xx"))
    simulator = Simulator(SimulationSettings(), ("Fe",))
    with pytest.raises(SettingsError, match="batch of 0"):
        simulator.batch(0, np.random.default_rng(0))
    with pytest.raises(SettingsError, match="2 elements"):
        simulator.batch(1, np.random.default_rng(0), n_elements=2)


def test_the_valley_of_iron_is_filled_by_radiative_auger():
    """Pure iron holds about 9 % of Kβ below Kβ, a third of a per cent of all in the valley."""
    shares = []
    for switched in (True, False):
        rng = np.random.default_rng(12)
        simulator, instrument = plain_instrument(
            rng, radiative_auger=switched, tail_and_shelf=False, calibration_error=False,
            scatter=False, continuum=False, path=False,
        )  # fmt: skip
        batch = simulator.expose(instrument, heights_of(1, Fe=1.0), np.array([1e7]), rng)
        energy = batch.calibration.energy_kev(batch.counts.shape[1])
        valley = (energy > 6.65) & (energy < 6.82)
        shares.append(batch.counts[0, valley].sum() / batch.counts[0].sum())
    assert shares[1] < 1e-3
    assert 1e-3 < shares[0] - shares[1] < 8e-3


def test_what_the_instrument_shows_itself_is_ignored_on_request():
    """What a spectrum holds is learned without it, what a sample holds with it as absent."""
    absent, ignored = (
        Simulator(SimulationSettings(own_lines=kind, counts=(1e6, 1e7)), ELEMENTS)
        for kind in ("absent", "ignored")
    )
    seen = 0
    for seed in range(40):
        instrument = draw_instrument(absent.settings, np.random.default_rng(seed))
        own = [ELEMENTS.index(e) for e in instrument.own_elements]
        one, two = (
            s.measure(instrument, 6, np.random.default_rng(seed)) for s in (absent, ignored)
        )
        assert np.array_equal(one.counts, two.counts)
        changed = one.labels != two.labels
        assert (one.labels[changed] == 0).all()
        assert (two.labels[changed] == -1).all()
        assert not np.delete(changed, own, axis=1).any()
        assert not (two.labels[:, own] == 0).any()
        seen += int(changed.sum())
    assert seen > 20
    with pytest.raises(SettingsError, match="own lines"):
        SimulationSettings(own_lines="present")
