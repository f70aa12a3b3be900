"""Saved views and notes: kept whole, found again, refused in words."""

from __future__ import annotations

import json
import os

import pytest

from dashboard.keeping.saved import MOST_BYTES, Notes, SavedViews
from dashboard.session import Selection, Session
from xrfengine.errors import XRFError


@pytest.fixture
def views(tmp_path):
    return SavedViews(tmp_path)


def test_a_view_reopens_the_session(views):
    session = Session(dataset="demo", element="Fe", region_px=5, scale="sqrt")
    session.threshold = 0.3
    session.selection = Selection("map", ((0, 0), (4, 0), (4, 4.5)))
    id_ = views.keep("demo", session.state(), "Sleeve")
    again = Session()
    assert again.restore_state(views.state("demo", id_)) == []
    assert again.state() == session.state()


def test_only_named_views_are_listed_newest_first(views, monkeypatch):
    times = iter((1.0, 2.0, 3.0))
    monkeypatch.setattr("dashboard.keeping.saved.time.time", lambda: next(times))
    views.keep("demo", {"address": {}}, "first")
    views.keep("demo", {"address": {}})
    last = views.keep("demo", {"address": {}}, "last")
    assert [view.name for view in views.listed("demo")] == ["last", "first"]
    assert views.listed("other") == ()
    views.delete("demo", last)
    assert [view.name for view in views.listed("demo")] == ["first"]


@pytest.mark.parametrize("id_", ["000000000000", "../../../etc", "", "abc"])
def test_an_unknown_view_is_told(views, id_):
    with pytest.raises(XRFError, match="is not here"):
        views.state("demo", id_)


def test_a_damaged_file_is_neither_listed_nor_opened(views, tmp_path):
    id_ = views.keep("demo", {"address": {}}, "good")
    (path,) = tmp_path.rglob(f"{id_}.json")
    path.write_text('{"name": "good", "saved_at": 3')
    assert views.listed("demo") == ()
    with pytest.raises(XRFError):
        views.state("demo", id_)


def test_too_large_or_too_long_is_refused(views, tmp_path):
    with pytest.raises(XRFError, match="too large"):
        views.keep("demo", {"address": {"x": "y" * MOST_BYTES}})
    with pytest.raises(XRFError, match="characters"):
        views.keep("demo", {}, "n" * 100)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    "state",
    [None, [], {"address": 3}, {"address": {}, "large": {"selection": {"source": "moon"}}},
     {"address": {}, "large": {"selection": [1]}}, {"address": {"method": "magic"}}],
)  # fmt: skip
def test_a_damaged_state_is_told_and_harmless(state):
    session = Session()
    assert len(session.restore_state(state)) == 1
    assert session.state() == Session().state()


def test_notes_are_kept_by_topic(tmp_path):
    notes = Notes(tmp_path)
    notes.keep("demo", "pixel_size_mm", 0.5)
    notes.keep("demo", "overrides", {"As": "absent"})
    notes.keep("other", "pixel_size_mm", 1.0)
    assert Notes(tmp_path).of("demo") == {"pixel_size_mm": 0.5, "overrides": {"As": "absent"}}
    notes.keep("demo", "overrides", None)
    assert notes.of("demo") == {"pixel_size_mm": 0.5}
    for path in tmp_path.glob("*.json"):
        assert json.loads(path.read_text())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(XRFError, match="written"):
        Notes(tmp_path / "deep").keep("demo", "pixel_size_mm", 0.5)


def test_a_folder_in_the_way_is_told(tmp_path):
    (tmp_path / "notes").write_text("a file where the folder should be")
    with pytest.raises(XRFError, match="written"):
        Notes(tmp_path / "notes").keep("demo", "pixel_size_mm", 0.5)
