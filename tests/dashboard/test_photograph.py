"""A photograph over the map, with no browser."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dashboard.canvas.photograph import PhotographLayer
from dashboard.keeping import photographs
from dashboard.keeping.photographs import Photographs, decoded, from_note, shown_on
from dashboard.plots.display import Display
from dashboard.results import Results
from dashboard.results.photograph import STORED
from dashboard.session import Session
from dashboard.views.map import MapView
from dashboard.views.photograph import PhotographView
from xrfengine.errors import XRFError

# The picture stored with the scan is twice as fine: (2x + ½, 2y + ½).
PLACES = ((2.0, 3.0), (29.0, 2.0), (28.0, 21.0), (3.0, 20.0), (15.0, 11.0))
PAIRS = tuple((x, y, 2 * x + 0.5, 2 * y + 0.5) for x, y in PLACES)


def image_bytes(kind="PNG", shape=(40, 60), dtype=np.uint8):
    rng = np.random.default_rng(0)
    size = shape if dtype == np.uint16 else (*shape, 3)
    picture = rng.integers(0, np.iinfo(dtype).max, size, dtype=dtype)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind)
    return buffer.getvalue(), picture


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_files_become_pictures(kind):
    data, picture = image_bytes(kind)
    np.testing.assert_array_equal(decoded(data), picture)


def test_sixteen_bits_are_stretched_and_large_ones_made_smaller(monkeypatch):
    data, _ = image_bytes(dtype=np.uint16)
    deep = decoded(data)
    assert deep.dtype == np.uint8
    assert deep.shape == (40, 60, 3)
    assert deep.max() > 250
    monkeypatch.setattr(photographs, "LONGEST_PX", 30)
    assert decoded(data).shape == (20, 30, 3)


def test_what_is_no_photograph_is_refused(monkeypatch):
    with pytest.raises(XRFError, match="no photograph"):
        decoded(b"not an image at all")
    data, _ = image_bytes()
    with pytest.raises(XRFError, match="no photograph"):
        decoded(data[: len(data) // 2])
    monkeypatch.setattr(photographs, "MOST_PIXELS", 1000)
    with pytest.raises(XRFError, match="60 × 40"):
        decoded(data)
    monkeypatch.setattr(photographs, "MOST_BYTES", 100)
    with pytest.raises(XRFError, match="MB"):
        decoded(data)


@pytest.mark.parametrize(
    "note", [None, {}, {"name": "a", "pairs": [[1, 2]], "matrix": None, "refined": False},
             {"name": "a", "pairs": [], "matrix": [0] * 9, "refined": True}],
)  # fmt: skip
def test_a_damaged_note_is_told(note):
    with pytest.raises(ValueError, match="damaged"):
        from_note(note, np.zeros((9, 9, 3), np.uint8), None)


def test_points_lay_the_photograph_on_the_scan_and_it_is_kept(visit, engine):
    async def steps(session, results):
        results.take_photograph_file(STORED)
        await results.settled()
        assert results.photograph.picture.shape == (48, 64, 3)
        results.mark_photograph(PAIRS[:3])
        await results.settled()
        assert results.photograph.registration is None
        results.mark_photograph(PAIRS)
        await results.settled()
        photo = results.photograph
        assert photo.registration.rms_px < 1e-6
        assert session.photo_opacity == 50, "shown as soon as it lies"
        k = photo.laid.shape[0] // 24
        middle = photo.laid[k // 2 :: k, k // 2 :: k]
        grey = results.opened.total_counts / results.opened.total_counts.max() * 255
        inside = np.s_[2:-2, 2:-2]
        smooth = np.abs(middle[..., 0].astype(float) - grey)[inside]
        assert np.median(smooth) < 2.0
        again = Results(engine, Session())
        again.open()
        await again.settled()
        assert again.photograph.pairs == PAIRS
        np.testing.assert_allclose(again.photograph.registration.matrix, photo.registration.matrix)
        np.testing.assert_array_equal(again.photograph.laid, photo.laid)
        results.forget_photograph()
        again.open()
        await again.settled()
        assert again.photograph is None
        assert Photographs().load("quarters") is None
        again.close()

    visit(steps)


def test_points_on_one_line_are_told_and_can_be_mended(visit):
    async def steps(session, results):
        results.take_photograph_file(STORED)
        await results.settled()
        line = tuple((v, v, 2.0 * v, 2.0 * v) for v in (1.0, 5.0, 9.0, 13.0))
        results.mark_photograph(line)
        await results.settled()
        assert results.photograph_state.kind == "error"
        assert "do not determine" in results.photograph_state.message
        results.mark_photograph(PAIRS)
        await results.settled()
        assert results.photograph_state.kind == "ready"
        assert results.photograph.laid is not None

    visit(steps)


def test_a_refinement_is_kept_and_tells_how_far_the_points_are(visit):
    async def steps(session, results):
        results.take_photograph_file(STORED)
        await results.settled()
        rough = tuple((x + 0.9, y - 0.8, u, v) for x, y, u, v in PAIRS)
        results.mark_photograph(rough)
        await results.settled()
        results.refine_photograph()
        await results.settled()
        photo = results.photograph
        assert photo.is_refined
        away = np.array([[x, y] for x, y in PLACES]) - np.array(rough)[:, :2]
        expected = np.linalg.norm(away, axis=1).mean()
        assert photo.registration.rms_px == pytest.approx(expected, abs=0.6)

    visit(steps)


def test_clicks_make_pairs_and_move_points(visit):
    async def steps(session, results):
        view = PhotographView(session, results)
        view.shown()
        await results.settled()
        view._list.value = STORED
        await results.settled()
        assert view._shown.data["url"][0].startswith("data:image/jpeg;base64,")
        assert view._size.tags == [64, 48]
        view.point("scan", (1.0, 1.0))
        view.point("scan", (9.0, 9.0))  # its counterpart comes first
        assert view._points["scan"] == [(1.0, 1.0)]
        assert "photograph: point 1" in view._told.told
        view._act({"clear": True})
        for x, y, u, v in PAIRS[:4]:
            view.point("photo", (u, v))
            view.point("scan", (x, y))
        await results.settled()
        assert "Four points fit exactly" in view._told.summary
        assert view._told.can_refine
        view.point("photo", (0.0, 0.0), near=2)
        assert "point 3 belongs" in view._told.told
        view.point("photo", (60.0, 40.0))
        await results.settled()
        assert results.photograph.pairs[2][2:] == (60.0, 40.0)
        view.point("scan", PLACES[4])
        view.point("photo", PAIRS[4][2:])
        await results.settled()
        assert float(view._told.items[4]["away"]) > 0
        assert "on average" in view._told.summary
        view._act({"remove": 4})
        await results.settled()
        assert len(results.photograph.pairs) == 4

    visit(steps, stage="photo")


def test_a_file_arrives_in_pieces(visit):
    data, picture = image_bytes()

    async def steps(session, results):
        view = PhotographView(session, results)
        cut = len(data) // 2
        for start, piece in ((0, data[:cut]), (cut, data[cut:])):
            view._receive({
                "name": "a.png", "size": len(data), "from": start,
                "piece": base64.b64encode(piece).decode(),
            })  # fmt: skip
        await results.settled()
        np.testing.assert_array_equal(results.photograph.picture, picture)
        assert results.photograph.name == "a.png"
        view._receive({"name": "a.png", "size": len(data), "from": 7, "piece": "AAAA"})
        assert results.photograph_state.kind == "error"
        view._receive({"name": "a.png", "size": 10**10, "too_large": True})
        assert "too large" in results.photograph_state.message

    visit(steps, stage="photo")


def test_it_lies_over_the_map_however_that_is_turned(visit):
    async def steps(session, results):
        view = MapView(session, results)
        PhotographLayer(session, results, view.canvas.figure)
        results.take_photograph_file(STORED)
        await results.settled()
        assert all(r.name != "photograph" for r in view.canvas.figure.renderers)
        results.mark_photograph(PAIRS)
        await results.settled()
        names = [r.name for r in view.canvas.figure.renderers]
        assert names.index("photograph") == names.index("values") + 1
        layer = view.canvas.figure.renderers[names.index("photograph")]
        assert layer.glyph.global_alpha == 0.5
        assert layer.data_source.data["w"] == [32]
        session.turns = 1
        await results.settled()
        assert layer.data_source.data["w"] == [24]
        session.photo_opacity = 0
        assert not layer.visible

    visit(steps)


def test_a_cut_out_shows_its_part():
    laid = np.zeros((20, 30, 4), np.uint8)
    laid[4:8, 10:14, 0] = 200
    part = shown_on(laid, Display((10, 15), crop=(5, 2, 7, 4)))
    assert part.shape == (4, 4, 4)
    assert (part[..., 0] == 200).all()
