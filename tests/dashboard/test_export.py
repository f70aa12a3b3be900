"""Taking it home from the page: what is made is what is shown."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dashboard.keeping.photographs import Photograph
from dashboard.plots.display import Display
from dashboard.plots.pictures import MAP_PALETTES
from dashboard.results.exports import analysis_of, picture_name, source_of
from dashboard.session import Selection
from dashboard.views.export import STAGE, Courier, ExportView, groups, size_words
from xrfengine.errors import XRFError
from xrfengine.export.analysis import Placement
from xrfengine.export.kinds import KINDS
from xrfengine.export.script import script
from xrfengine.export.shown import shown_map

BOX = ((2.0, 2.0), (9.0, 2.0), (9.0, 8.0), (2.0, 8.0))


async def made(results, kind):
    """The bytes of a file, as the page would send them."""
    results.make(kind, kind)
    await results.settled()
    assert results.made_problem == ("", "")
    return results.made.read_bytes()


def test_the_quick_picture_is_of_the_map_shown_and_well_named(visit):
    async def steps(session, results):
        session.element = "Hg"
        assert picture_name(session, results) == "Scan-quarters_Hg_probability.png"
        picture = Image.open(io.BytesIO(await made(results, "png")))
        assert results.made.name == "Scan-quarters_Hg_probability.png"
        assert picture.width > 1000
        assert results.opened.cube.digest in picture.info["Source"]

    visit(steps)


def test_values_leave_as_they_are_shown(visit, tmp_path):
    async def steps(session, results):
        session.element = "Hg"
        session.threshold = 0.7
        session.overrule("As", "absent")
        session.selection = Selection("map", BOX)
        await results.settled()
        (tmp_path / "a.ome.tif").write_bytes(await made(results, "tiff"))
        values = tifffile.imread(tmp_path / "a.ome.tif")
        np.testing.assert_array_equal(values, results.maps["Hg"])
        (tmp_path / "a.nc").write_bytes(await made(results, "netcdf"))
        with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as data:
            assert float(data["threshold"].sel(element="Hg")) == 0.7
            assert data.attrs["overruled"] == "As: absent"
            assert data.attrs["model_digest"] == results.engine.classifier.digest
            assert int(data["regions"].sum()) == int(results.selected.mask.sum())
            np.testing.assert_array_equal(data["maps"], results.maps.values)

    visit(steps)


def test_fitted_maps_leave_with_their_errors(visit, tmp_path):
    async def steps(session, results):
        session.method = "fit"
        await results.settled()
        assert results.errors
        (tmp_path / "a.nc").write_bytes(await made(results, "netcdf"))
        with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as data:
            element = results.maps.elements[0]
            np.testing.assert_array_equal(
                data["errors"].sel(element=element), results.errors[element]
            )

    visit(steps)


def test_everything_holds_every_file(visit):
    async def steps(session, results):
        session.selection = Selection("map", BOX)
        await results.settled()
        with zipfile.ZipFile(io.BytesIO(await made(results, "all"))) as archive:
            names = archive.namelist()
            assert archive.testzip() is None
        analysis = analysis_of(session, results)
        left_out = {"png", "tiff", "all"}  # the zips of all elements hold them
        left_out |= {"photo", "profile", "profile_csv"}  # there are none
        assert names == [KINDS[kind].name(analysis) for kind in KINDS if kind not in left_out]

    visit(steps)


def test_before_the_maps_are_there_nothing_can_be_taken(visit):
    async def steps(session, results):
        results.open()  # again: the maps are gone for a moment
        assert picture_name(session, results) == ""
        with pytest.raises(XRFError, match="not there yet"):
            analysis_of(session, results)
        results.make("png", "Picture")
        kind, told = results.made_problem
        assert kind == "png"
        assert "Wait" in told
        await results.settled()
        assert picture_name(session, results)

    visit(steps)


def test_a_cancelled_file_is_not_sent(visit):
    async def steps(session, results):
        results.make("all", "Everything")
        assert results.making == "all"
        results.stop_making()
        await results.settled()
        assert results.making == ""
        assert results.made is None

    visit(steps)


def test_another_data_set_ends_what_is_being_made(visit):
    async def steps(session, results):
        results.make("all", "Everything")
        session.dataset = "line"
        assert results.making == ""
        await results.settled()
        assert results.made is None

    visit(steps)


def test_the_list_tells_what_each_file_will_hold(visit):
    async def steps(session, results):
        session.element = "Hg"
        view = ExportView(session, results)
        listed = groups(analysis_of(session, results))
        items = {item["id"]: item for group in listed for item in group["items"]}
        assert set(items) == set(KINDS), "whatever can be made is listed"
        assert items["png"]["title"] == "Picture of Hg"
        assert items["tiff"]["size"] == "3 kB"
        session.stage = STAGE
        built = view.build()
        await view._drawing.finished()
        assert built.preview.startswith("data:image/png;base64,")
        session.selection = Selection("map", BOX)
        await results.settled()
        told = {item["id"]: item["told"] for group in built.groups for item in group["items"]}
        assert f"the whole scan and {results.selected.title}" in told["csv"]

    visit(steps)


@pytest.mark.parametrize(
    ("n_bytes", "words"), [(1, "1 kB"), (314_000, "314 kB"), (1_400_000, "1.4 MB"), (6e7, "60 MB")]
)
def test_sizes_in_words(n_bytes, words):
    assert size_words(n_bytes) == words


class Sink:
    def __init__(self):
        self.pieces = []

    def _send_msg(self, data):
        self.pieces.append(data)


def test_files_travel_in_pieces_that_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("dashboard.views.export.PIECE_BYTES", 10)
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(range(25)))
    sink = Sink()
    courier = Courier(sink)
    courier.deliver(path)
    number = sink.pieces[0]["id"]
    for index in (1, 2):
        courier.take({"id": number - 1, "next": index})  # of another file: not heard
        courier.take({"id": number, "next": index})
    assert [len(piece["bytes"]) for piece in sink.pieces] == [10, 10, 5]
    assert b"".join(piece["bytes"] for piece in sink.pieces) == bytes(range(25))
    assert {piece["pieces"] for piece in sink.pieces} == {3}
    courier.take({"received": number})
    assert not path.exists()
    courier.take({"id": number, "next": 0})
    assert len(sink.pieces) == 3


@given(st.integers(0, 3), st.booleans(), st.sampled_from([None, (2, 1, 7, 4), (0, 0, 3, 5)]))
def test_pictures_lie_as_on_the_page(turns, mirrored, crop):
    image = np.arange(5 * 9).reshape(5, 9)
    page = Display((5, 9), crop, turns, mirrored)
    np.testing.assert_array_equal(Placement(crop, turns, mirrored).shown(image), page.shown(image))


def test_the_picture_follows_what_the_page_shows(visit):
    async def steps(session, results):
        session.param.update(crop=(0, 0, 10, 6), turns=1)
        analysis = analysis_of(session, results)
        assert analysis.placement == Placement((0, 0, 10, 6), 1, False)
        session.energy_window_kev = (6.2, 6.6)
        await results.settled()
        analysis = analysis_of(session, results)
        assert analysis.window.values is results.window.values
        assert picture_name(session, results) == analysis.map_name(".png")
        assert analysis.map_name(".png").endswith("-keV_counts.png")
        session.window_threshold = 12.5
        assert analysis_of(session, results).window.threshold == 12.5
        await made(results, "png")

    visit(steps)


def test_pixel_size_colours_and_counts_evened_out_come_along(visit, tmp_path):
    async def steps(session, results):
        results.keep_pixel_size(0.25)
        session.param.update(method="roi", normalise="total", colours="green", top_percentile=90.0)
        await results.settled()
        analysis = analysis_of(session, results)
        assert analysis.pixel_size_mm == 0.25
        assert analysis.colours == MAP_PALETTES["green"]
        assert analysis.provenance.settings["normalise"] == "total"
        shown = shown_map(analysis)
        assert shown.unit == "net counts at mean total per pixel"
        assert shown.top == pytest.approx(results.top(session.element), rel=1e-5)
        text = script(analysis, source_of(session, results, analysis))
        start = text.index("# Maps of all")
        names = {"engine": results.engine, "cube": results.opened.cube}
        exec(text[start : text.index("overruled =")], names)
        np.testing.assert_array_equal(names["maps"].values, results.maps.values)
        assert names["thresholds"] == pytest.approx(dict(analysis.thresholds))
        (tmp_path / "a.nc").write_bytes(await made(results, "netcdf"))
        with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as data:
            assert data["maps"].attrs["units"] == "net counts at mean total per pixel"
            assert float(data["x"][1]) == 0.25

    visit(steps)


def items_of(analysis):
    return {item["id"]: item for group in groups(analysis) for item in group["items"]}


def test_a_profile_leaves_as_it_is_drawn(visit):
    async def steps(session, results):
        session.element = "Hg"
        told = items_of(analysis_of(session, results))["profile_csv"]
        assert not told["ready"]
        assert told["why"] == "Draw a line on the map first"
        session.param.update(profile=(2.0, 20.0, 29.0, 20.0), profile_beside=("Pb", "total"))
        results.keep_pixel_size(0.5)
        analysis = analysis_of(session, results)
        told = items_of(analysis)["profile_csv"]
        assert told["ready"]
        assert told["told"].endswith("of Hg, Pb and All counts")
        text = (await made(results, "profile_csv")).decode()
        assert results.made.name == "Scan-quarters_Hg_probability_profile-2-20-29-20.csv"
        head, *rows = [line for line in text.splitlines() if not line.startswith("#")]
        assert head == (
            "distance_mm,distance_px,x_px,y_px,Hg (probability),Pb (probability),"
            "All counts (counts per pixel)"
        )
        table = np.array([[float(value) for value in row.split(",")] for row in rows])
        np.testing.assert_allclose(table[:, 0], np.arange(28) / 2)
        np.testing.assert_allclose(table[:, 4], results.maps["Hg"][20, 2:30], rtol=1e-5)
        np.testing.assert_allclose(table[:, 6], results.opened.total_counts[20, 2:30])
        assert Image.open(io.BytesIO(await made(results, "profile"))).width > 1500

    visit(steps)


def test_the_photograph_leaves_as_strong_as_it_lies_over_the_map(visit):
    async def steps(session, results):
        session.element = "Hg"
        assert not items_of(analysis_of(session, results))["photo"]["ready"]
        laid = np.full((48, 64, 4), 255, np.uint8)
        results.photograph = Photograph("visible.jpg", laid[..., :3], laid=laid)
        assert analysis_of(session, results).photo is None, "it is not shown"
        session.photo_opacity = 40
        photo = analysis_of(session, results).photo
        assert photo.laid is laid
        assert photo.opacity == 0.4
        assert items_of(analysis_of(session, results))["photo"]["ready"]
        view = ExportView(session, results)
        assert view.button.title == "Scan-quarters_Hg_probability_photograph.png"
        view.button._handle_msg({"quick": True})
        assert results.making == "photo", "the map as it is on the page"
        await results.settled()
        assert results.made.name == "Scan-quarters_Hg_probability_photograph.png"

    visit(steps)


def test_the_script_and_the_maps_hold_what_was_added_and_the_window(visit, tmp_path):
    async def steps(session, results):
        session.overrule("Co", "present")
        session.energy_window_kev = (6.2, 6.6)
        await results.settled()
        analysis = analysis_of(session, results)
        text = script(analysis, source_of(session, results, analysis))
        start = text.index("# Maps of all")
        names = {"engine": results.engine, "cube": results.opened.cube}
        exec(text[start : text.index("overruled =")], names)
        assert "Co" in names["maps"].elements
        assert names["thresholds"] == pytest.approx(dict(analysis.thresholds))
        (tmp_path / "a.nc").write_bytes(await made(results, "netcdf"))
        with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as data:
            np.testing.assert_array_equal(data["window"], results.window.values)
            assert data["window"].attrs["long_name"] == f"net counts between {results.window.name}"
            assert "Co" in data["element"]

    visit(steps, method="fit")
