"""The spectrum pane: curves by statistic, named peaks, fit, candidates, windows, calibration."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.keeping.history import History
from dashboard.plots.figures import layer
from dashboard.results import Results
from dashboard.results.spectrum import OwnCalibration
from dashboard.session import Session
from dashboard.views.calibration import CalibrationView
from dashboard.views.map import MapView
from dashboard.views.preprocessing import PreprocessingView
from dashboard.views.spectrum import SpectrumView
from xrfengine.cube import Calibration


@pytest.fixture
def looking(visit):
    """Run ``async def steps(session, results, view)`` on a spectrum pane of an open scan."""
    return lambda steps, view=SpectrumView, **choices: visit(steps, make=view, **choices)


def data(view, name):
    return layer(view.figure.model, name).data_source.data


def test_mean_sum_and_maximum_of_scan_and_selection(looking):
    async def steps(session, results, view):
        session.cluster = 0
        await results.settled()
        cube, mask = results.opened.cube, results.selected.mask
        wanted = {
            "mean": (cube.counts.mean((0, 1)), cube.counts[mask].mean(0)),
            "sum": (cube.counts.sum((0, 1)), cube.counts[mask].sum(0)),
            "max": (cube.counts.max((0, 1)), cube.counts[mask].max(0)),
        }
        for statistic, (whole, chosen) in wanted.items():
            session.statistic = statistic
            await results.settled()
            np.testing.assert_allclose(data(view, "whole")["counts"], whole, rtol=1e-5)
            np.testing.assert_allclose(data(view, "chosen")["counts"], chosen, rtol=1e-5)
            top = max(data(view, "whole")["rate"].max(), data(view, "chosen")["rate"].max())
            assert top < view.figure.model.y_range.end

    looking(steps, scale="linear")


def test_peaks_carry_the_names_of_what_was_found(looking):
    async def steps(session, results, view):
        names = dict(zip(data(view, "peaks")["name"], data(view, "peaks")["energy"], strict=True))
        assert {"Fe Kα", "Cu Kα"} <= set(names)
        assert abs(names["Fe Kα"] - 6.40) < 0.05
        session.peak_names = False
        assert list(data(view, "peaks")["name"]) == []

    looking(steps)


def test_families_of_lines_are_told_apart_and_stepped_through(looking):
    async def steps(session, results, view):
        dashes = dict(zip(data(view, "names")["name"], data(view, "marks")["dash"], strict=True))
        assert dashes["Pb Lα"] == "dashed"
        assert dashes["Pb Mα"] == "dotted"
        assert view._strip.families == ["L", "M"]
        view._strip._handle_msg({"step": 1})
        assert session.element == "Bi"
        view._strip._handle_msg({"step": -1})
        assert session.element == "Pb"

    looking(steps, element="Pb")


def test_a_clicked_peak_is_explained_and_a_candidate_is_chosen(looking):
    async def steps(session, results, view):
        view._ask_peak(6.42)
        await results.settled()
        assert session.peak_kev == 6.42
        assert results.peak.candidates[0].name == "Fe Kα"
        assert view._peak_sheet.is_open
        (panel,) = view._peak_sheet.panel.objects
        assert "Fe Kα" in panel.sentence
        first = panel.items[0]
        assert (first["element"], first["tags"]) == ("Fe", ["found"])
        assert {line["name"] for line in first["lines"]} >= {"Kα", "Kβ"}
        panel._handle_msg({"element": "Fe"})
        assert session.element == "Fe"
        session.peak_kev = 19.9
        await results.settled()
        assert panel.state["kind"] in ("ready", "error")
        view._peak_sheet.close()
        assert session.peak_kev is None

    looking(steps, element="Pb")


def test_candidates_of_selection_and_of_scan(looking):
    async def steps(session, results, view):
        session.cluster = 0
        await results.settled()
        view._ask_peak(10.55)
        await results.settled()
        assert results.reading.spectrum is results.selected.spectrum
        inside = results.peak.counts
        session.read_from = "scan"
        await results.settled()
        assert results.reading.spectrum is results.opened.whole
        assert results.peak.counts != inside

    looking(steps)


def test_the_fit_lies_over_the_spectrum_with_its_residual(looking):
    async def steps(session, results, view):
        session.show_fit = True
        await results.settled()
        model = data(view, "model")
        energy, whole = data(view, "whole")["energy"], data(view, "whole")["rate"]
        at = np.interp(6.4, model["energy"], model["rate"])
        assert at == pytest.approx(np.interp(6.4, energy, whole), rel=0.15)
        assert view._residual.pane.visible
        assert view._strip.fit[0].startswith("χ²")
        session.statistic = "max"
        await results.settled()
        assert not view._residual.pane.visible
        assert list(data(view, "model")["energy"]) == []
        assert view._strip.fit[0] == "no fit of a maximum"

    looking(steps, scale="linear")


def test_a_dragged_window_is_mapped_and_an_element_ends_it(looking):
    async def steps(session, results, view):
        session.energy_window_kev = (6.19, 6.61)
        await results.settled()
        shown = layer(view._figure, "values").data_source.data["image"][0]
        np.testing.assert_array_equal(shown, results.window.values)
        assert view._title.text == results.window.name == "6.18–6.62 keV"
        inside = (results.opened.cube.energy_kev > 6.18) & (results.opened.cube.energy_kev < 6.62)
        session.window_net = False
        await results.settled()
        total = results.opened.cube.counts[:, :, inside].sum(2)
        np.testing.assert_allclose(results.window.values, total)
        session.element = "Pb"
        await results.settled()
        assert results.window is None
        assert session.energy_window_kev is None
        shown = layer(view._figure, "values").data_source.data["image"][0]
        np.testing.assert_array_equal(shown, results.maps["Pb"])

    looking(steps, MapView, element="Fe")


def test_the_map_follows_an_edge_that_is_dragged_and_undo_knows_only_where_it_was_let_go(looking):
    async def steps(session, results, view):
        session.energy_window_kev = (6.19, 6.61)
        await results.settled()
        history = History(session)
        for high in (6.7, 6.8, 6.9):  # faster than maps are made
            view._take_window(6.19, high, False)
        await results.settled()
        assert results.window.name == "6.18–6.90 keV"
        assert session.energy_window_kev == (6.19, 6.61)
        assert not history.can_undo
        view._take_window(6.19, 6.61)  # back where it was
        await results.settled()
        assert results.window.name == "6.18–6.62 keV"
        view._take_window(6.19, 7.3)
        await results.settled()
        assert session.energy_window_kev == (6.19, 7.3)
        assert results.window.name == "6.18–7.30 keV"
        assert view.figure.band.right == 7.3
        history.undo()
        await results.settled()
        assert results.window.name == "6.18–6.62 keV"
        assert view.figure.band.right == 6.61
        session.energy_window_kev = None
        view._take_window(6.19, 6.9, False)  # sent before the browser knew
        await results.settled()
        assert results.window is None

    looking(steps)


def test_edges_of_a_window_are_typed_and_begun_at_the_element(looking):
    async def steps(session, results, view):
        assert view._strip.window == []
        view._begin_window()
        low, high = session.energy_window_kev
        assert low < 6.40 < high, "around Fe Kα"
        await results.settled()
        assert view._strip.window == [low, high, 0.0, pytest.approx(511 * 0.04), 0.04]
        assert view._strip.window_told == f"Counts at {results.window.name}"
        view._strip._handle_msg({"window": [6.1, 6.9], "final": False})
        await results.settled()
        assert results.window.name == "6.10–6.90 keV"
        assert session.energy_window_kev == (low, high)
        view._strip._handle_msg({"window": [6.1, 6.9], "final": True})
        assert session.energy_window_kev == (6.1, 6.9)
        for nonsense in ([6.9], ["a", 2], [float("nan"), 2.0], [7.0, 6.0], "x"):
            view._strip._handle_msg({"window": nonsense, "final": True})
            assert session.energy_window_kev == (6.1, 6.9)

    looking(steps, element="Fe")


def test_a_window_from_a_link_is_there_with_its_element(looking):
    async def steps(session, results, view):
        session.restore({"element": "Cu", "window": "6.2-6.6", "net": "0"})
        await results.settled()
        assert results.window is not None
        assert session.query()["window"] == "6.2-6.6"
        assert session.restore({"window": "6.6-6.2"}) == [
            "“window=6.6-6.2” is no window of energies in keV, such as 6.2-6.6."
        ]

    looking(steps)


def test_a_window_off_the_spectrum_is_explained(looking):
    async def steps(session, results, view):
        session.energy_window_kev = (90.0, 91.0)
        await results.settled()
        assert results.window_state.kind == "error"
        assert "There are no counts" in view._cover.message

    looking(steps)


def test_a_kept_calibration_is_applied_at_opening_marked_and_taken_back(looking, engine):
    async def steps(session, results, view):
        file = results.opened.cube.calibration
        own = OwnCalibration(Calibration(0.02, 0.0401), ((160.0, 6.436, "Fe Kα"),))
        results.keep_calibration(own)
        await results.settled()
        assert results.opened.cube.calibration == own.calibration
        assert results.opened.own_calibration == own
        assert view._strip.mark[0] == "Recalibrated"
        assert data(view, "whole")["energy"][0] == pytest.approx(0.02)
        other = Results(engine, Session())
        other.open()
        await other.settled()
        assert other.opened.cube is results.opened.cube, "one for everybody"
        other.close()
        results.keep_calibration(None)
        await results.settled()
        assert results.opened.cube.calibration == file
        assert view._strip.mark == []

    looking(steps)


def test_a_damaged_calibration_note_leaves_the_files_own(looking):
    async def steps(session, results, view):
        file = results.opened.cube.calibration
        for note in ({"offset_kev": "x"}, [1, 2], {"offset_kev": 0.0, "gain_kev": -1.0}):
            results.notes.keep("quarters", "calibration", note)
            results.open()
            await results.settled()
            assert results.opened.cube.calibration == file

    looking(steps)


def test_two_peaks_named_make_a_calibration_and_undo_takes_one_back(looking):
    async def steps(session, results, view):
        view._add_peak(6.44)
        view._add_peak(12.6)
        assert [name for _, name in session.calibration_pairs] == ["Fe Kα", "Pb Lβ"]
        assert view._panel.can_apply
        assert [row["energy"] for row in view._panel.pairs] == pytest.approx([6.4, 12.61], abs=0.03)
        view._take({"name": [1, "nonsense"]})
        assert not view._panel.can_apply
        assert "nonsense" in view._panel.problem
        view._take({"name": [1, "Pb-Lb"]})
        proposed = layer(view._figure, "proposed").data_source.data["energy"]
        assert len(proposed) == 512
        assert layer(view._figure, "names").data_source.data["name"] == ["Fe Kα", "Pb-Lb"]
        view._take({"act": "apply"})
        await results.settled()
        assert results.opened.own_calibration.pairs[0][2] == "Fe Kα"
        assert session.calibration_pairs == ()
        assert view._panel.is_own
        view._take({"act": "reset"})
        await results.settled()
        assert not view._panel.is_own

    looking(steps, CalibrationView)


def test_a_suggested_calibration_stays_near_a_right_one(looking):
    async def steps(session, results, view):
        view._take({"act": "suggest"})
        assert len(session.calibration_pairs) >= 2
        moved = dict(view._panel.effect)
        assert max(abs(moved[6.4]), abs(moved[10.0])) < 25, "eV, where peaks were named"
        view._take({"act": "clear"})
        assert view._panel.pairs == []

    looking(steps, CalibrationView)


def test_ends_left_out_are_shown_before_the_clusters_follow(looking):
    async def steps(session, results, view):
        before = results.clusters
        view._take({"drop": 60})
        assert "2.38 to" in view._panel.ends
        assert view._ends[0].right == pytest.approx(2.38)
        assert results.clusters is before
        view._take({"act": "apply"})
        await results.settled()
        assert session.drop_channels == 60
        assert results.cluster_settings().features.drop_channels == 60
        assert results.clusters is not before
        assert not view._panel.has_model
        view._take({"act": "usual"})
        await results.settled()
        assert session.drop_channels is None

    looking(steps, PreprocessingView)
