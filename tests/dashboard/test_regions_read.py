"""Regions read from a file on the export page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dashboard.keeping.history import History
from dashboard.session import Selection
from dashboard.views.export import STAGE, ExportView
from xrfengine.regions import OKABE_ITO

BOX = ((2.0, 2.0), (9.0, 2.0), (9.0, 8.0), (2.0, 8.0))


def feature(ring, **properties):
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def collection(*features):
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


SQUARE = [[1.5, 0.5], [3.5, 0.5], [3.5, 1.5], [1.5, 1.5], [1.5, 0.5]]


def listed(session, results):
    session.stage = STAGE
    return ExportView(session, results).build()


def test_what_was_saved_is_read_again_beside_what_is_there(visit):
    async def steps(session, results):
        built = listed(session, results)
        session.draw(Selection("map", BOX))
        await results.settled()
        results.keep_selection()
        await results.settled()
        results.make("geojson", "Regions")
        await results.settled()
        text = results.made.read_text()
        history = History(session)
        built._handle_msg({"file": "a.geojson", "read": text})
        await results.settled()
        assert built.read_told == ["1 region was read; they are in the list at the left.", ""]
        first, second = results.regions
        np.testing.assert_array_equal(first.mask, second.mask)
        assert second.identified is not None
        assert first.region.id != second.region.id
        assert [f.region.colour for f in results.regions] == list(OKABE_ITO[:2])
        history.undo()
        assert len(session.regions) == 1

    visit(steps)


def test_polygons_of_other_programs_get_names_and_colours(visit):
    async def steps(session, results):
        results.read_regions(collection(feature(SQUARE), feature(SQUARE, name="n" * 200)), "q.json")
        await results.settled()
        assert results.regions_read[0].startswith("2 regions were read")
        assert [r.name for r in session.regions] == ["Region 1", "n" * 80]
        assert [f.n_pixels for f in results.regions] == [2, 2]

    visit(steps)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no json", "The file a.json is no GeoJSON. Choose"),
        ("[" * 100_000, "The file a.json is no GeoJSON. Choose"),
        ("[1, 2]", "This is no GeoJSON with regions. It should"),
        (collection(), "The GeoJSON holds no polygon. Draw"),
        (None, "The file a.json is too large. At most 8 MB"),
        (collection(feature([[x + 900, y] for x, y in SQUARE], name="Sky")), "“Sky” lies beside"),
        (collection(*[feature(SQUARE)] * 501), "The file holds 501 regions, and 0 are there. At"),
    ],
    ids=["text", "deep", "list", "empty", "large", "beside", "many"],
)
def test_what_cannot_be_read_is_told_and_changes_nothing(visit, text, told):
    async def steps(session, results):
        built = listed(session, results)
        results.read_regions(text, "a.json")
        await results.settled()
        assert built.read_told[0].startswith(told)
        assert built.read_told[1] == "problem"
        assert session.regions == ()

    visit(steps)
