"""Measures and plots of the accuracy benchmarks, on results known beforehand."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from xrfengine.cube import Calibration, Cube, ElementMaps

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def scripts():
    """The scripts, imported as they import each other: from their own folder."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import accuracy_plots
        import label_evidence
        import painting
        import phantom_truth
        import presence_maps

        yield SimpleNamespace(
            plots=accuracy_plots,
            label_evidence=label_evidence,
            painting=painting,
            phantom_truth=phantom_truth,
            presence_maps=presence_maps,
        )
    finally:
        sys.path.remove(str(BENCHMARKS))


def mapped(scripts, values, cut, element="Fe"):
    values = np.asarray(values, dtype=np.float32)[None]
    return scripts.presence_maps.Mapped((element,), values, values >= cut)


def test_agreement_of_a_map_with_itself_and_any_monotone_change(scripts):
    values = np.random.default_rng(0).random((6, 7))
    one, other = mapped(scripts, values, 0.5), mapped(scripts, np.exp(9 * values), np.exp(4.5))
    found = scripts.painting.agreement(one, other, "Fe")
    assert found == pytest.approx({"rank": 1.0, "kappa": 1.0, "jaccard": 1.0})


def test_agreement_of_strangers_is_none_beyond_chance(scripts):
    rng = np.random.default_rng(1)
    one, other = (mapped(scripts, rng.random((60, 60)), 0.1) for _ in range(2))
    found = scripts.painting.agreement(one, other, "Fe")
    assert abs(found["rank"]) < 0.06
    assert abs(found["kappa"]) < 0.06
    assert found["jaccard"] > 0.75  # which is why κ stands beside it


def test_agreement_is_not_defined_where_there_is_nothing_to_compare(scripts):
    everywhere = mapped(scripts, np.full((4, 4), 0.9), 0.5)
    found = scripts.painting.agreement(everywhere, everywhere, "Fe")
    assert found == {"rank": None, "kappa": None, "jaccard": 1.0}
    found = scripts.painting.agreement(everywhere, everywhere, "Cu")
    assert found == {"rank": None, "kappa": None, "jaccard": None}


@pytest.mark.parametrize("region_px", [1, 2])
def test_windows_report_what_stands_out(scripts, region_px):
    calibration = Calibration(0.0, 0.02)
    energy = calibration.energy_kev(600)
    rates = np.full((4, 6, 600), 10.0)
    rates[:, 3:] += 200.0 * np.exp(-0.5 * ((energy - 6.40) / 0.06) ** 2)
    counts = np.random.default_rng(2).poisson(rates).astype(np.uint16)
    counts.flags.writeable = False
    maps = scripts.presence_maps.by_windows(Cube(counts, calibration), region_px, ("Fe", "Cu"))
    there = maps.presence("Fe")
    assert there.shape == (4 // region_px, 6 // region_px)
    assert there[:, -1].all()
    assert not there[:, 0].any()
    assert not maps.presence("Cu").all()
    assert not maps.presence("Hg").any()


def test_grey_pixels_count_only_strictly(scripts):
    z = np.array([[9.0, 9.0, 2.0, 2.0, 0.5, 0.5]], dtype=np.float32)
    said = np.array([[1, 0, 1, 0, 1, 0]], dtype=np.float32)
    phantom = SimpleNamespace(
        cube=SimpleNamespace(instrument=SimpleNamespace(tube_anode="Rh")),
        significance=ElementMaps(("Fe",), z[None], "truth"),
    )
    maps = scripts.presence_maps.Mapped(
        ("Fe", "Rh", "Cu"), np.stack([said] * 3), np.stack([said] * 3) > 0
    )
    tallies = scripts.phantom_truth._tallies(phantom, maps)
    assert set(tallies) == {"Fe", "Cu"}  # the anode is the instrument's
    assert tallies["Fe"].tolist() == [1, 1, 1, 1]
    assert tallies["Cu"].tolist() == [0, 0, 0, 3]
    figures = scripts.phantom_truth._figures(tallies, 6)
    assert figures["macro_f1"] == pytest.approx(2 / 4)
    assert figures["macro_f1_strict"] == pytest.approx(2 / 5)
    assert figures["false_alarms_per_pixel"] == pytest.approx(4 / 6)


def test_elements_in_touching_pixels_are_listed_as_found(scripts):
    present = np.zeros((4, 30, 40), dtype=bool)
    present[0, 4:6, 4:6] = present[3, 4:6, 4:6] = True  # a patch, below a share of 1 %
    present[1, ::9, ::9] = present[2, ::9, ::9] = True  # scattered, 1.7 %
    z = np.array([9.0, 9.0, 0.0, 3.0], dtype=np.float32)[:, None, None] * np.ones((30, 40))
    phantom = SimpleNamespace(
        cube=SimpleNamespace(instrument=SimpleNamespace(tube_anode="Rh")),
        significance=ElementMaps(("Fe", "Cu", "Hg", "As"), z.astype(np.float32), "truth"),
    )
    maps = scripts.presence_maps.Mapped(
        ("Fe", "Cu", "Hg", "As"), present.astype(np.float32), present
    )
    listed = scripts.phantom_truth._listed(phantom, maps)  # As is neither there nor not
    assert listed["pixels that touch"].tolist() == [1, 0, 1, 1]
    assert listed["share of the area"].tolist() == [2, 1, 0, 0]


def test_plots_are_drawn_alike_each_time(scripts, tmp_path):
    levels = [
        {
            "counts": counts,
            "methods": {
                "greedy": {
                    "default": {"f1": 0.1},
                    "tuned": {"f1": f1 - 0.1},
                    "f1_95": [f1 - 0.2, f1],
                },
                "xrfengine": {"default": {"f1": f1}, "f1_95": [f1 - 0.1, f1 + 0.05]},
            },
        }
        for counts, f1 in ((10_000, 0.9), (200, 0.5))
    ]
    injection = {
        "sigmas": [4, 10],
        "methods": {
            "xrfengine": {
                "recall": {"4": None, "10": 0.9},
                "interval": {"4": None, "10": [0.8, 1.0]},
                "further_false_alarms": 0.034,
            }
        },
    }
    curves = scripts.plots.thinning_curves(levels)
    assert [curve.name for curve in curves] == ["xrfengine", "greedy"]  # ours first
    assert curves[1].x == (200, 10_000)
    assert curves[1].y == pytest.approx((0.4, 0.8))  # peers at their best cut
    (curve,) = scripts.plots.injection_curves(injection)
    assert curve.x == (10,)
    assert curve.note == "0.03 further false alarms"
    result = {"thinning": levels, "injection": injection}
    written = scripts.plots.run(result, tmp_path)
    assert [path.name for path in written] == [
        "f1_against_counts.svg",
        "recall_against_significance.svg",
    ]
    first = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in scripts.plots.run(result, tmp_path)] == first
    assert all(b"<svg" in content for content in first)


def test_nothing_is_drawn_of_nothing(scripts, tmp_path):
    assert scripts.plots.run({}, tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_a_line_shows_on_both_detectors_and_its_neighbourhood_does_not(scripts):
    rng = np.random.default_rng(2)
    calibration = Calibration(0.0, 0.04)
    energy = calibration.energy_kev(1000)
    peak = np.exp(-0.5 * ((energy - 26.27) / 0.1) ** 2)
    strength = np.zeros((40, 60))
    strength[10:30, 15:40] = 20.0
    rates = 4.0 + strength[:, :, None] * peak / peak.sum()
    cubes = tuple(Cube(rng.poisson(rates * f).astype(np.uint16), calibration) for f in (1.0, 1.5))
    counts = cubes[0].counts.copy()
    line = scripts.label_evidence.compared(cubes, 26.27)
    for net, error, factor in zip(
        line["net_counts"], line["error_counts"], (1.0, 1.5), strict=True
    ):
        assert abs(net - factor * strength.sum()) < 4.0 * error + 0.02 * factor * strength.sum()
    assert line["by_chance"] < 1e-4
    assert line["rank_correlation"] > 0.4
    beside = scripts.label_evidence.compared(cubes, 28.5)
    assert abs(beside["net_counts"][0]) < 4.0 * beside["error_counts"][0]
    assert abs(beside["rank_correlation"]) < 0.3
    np.testing.assert_array_equal(cubes[0].counts, counts)
