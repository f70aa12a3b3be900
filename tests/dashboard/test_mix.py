"""Three elements in one picture, with no browser."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from dashboard.results.mixed import MixWanted, mixture
from dashboard.session import Session
from dashboard.session.compare import FULL_RANGE
from dashboard.views.mix import MixView
from xrfengine.cube import ElementMaps
from xrfengine.errors import XRFError
from xrfengine.jobs import NEVER, no_progress


def mixed(engine, *values):
    return mixture(
        engine, engine.cube("quarters"), MixWanted(*values), progress=no_progress, cancel=NEVER
    )


@pytest.fixture
def on_stage(visit):
    """Run ``async def steps(session, results, view)`` with the mix on stage."""
    return partial(visit, make=MixView, stage="mix")


def quarters(rgba):
    """Median colour of each quarter's middle, (red, green, blue)."""
    colours = np.ascontiguousarray(rgba).view(np.uint8).reshape(*rgba.shape, 4)
    return [
        tuple(np.median(colours[y : y + 6, x : x + 8, :3], axis=(0, 1)))
        for y in (3, 15)
        for x in (4, 20)
    ]


def test_of_averaged_maps_regions_are_compared_not_the_pixels_of_one():
    """Within a region its noise repeats from pixel to pixel; from region to region it does not."""
    rng = np.random.default_rng(5)
    blocks = np.full((3, 30, 30), 60.0)
    for i in range(3):
        blocks[i, :, 10 * i : 10 * i + 10] = 100.0
    noise = rng.normal(8.0, 18.0, (3, 30, 30))
    regions = np.concatenate([noise, blocks + rng.normal(0.0, 5.0, blocks.shape)])
    elements = ("As", "Sb", "Mn", "Pb", "Cu", "Hg")
    values = np.kron(regions, np.ones((4, 4))).astype(np.float32)
    maps = ElementMaps(elements, values, "roi", region_px=4)

    class Engine:
        def maps(self, *_, **__):
            return maps

        def default_thresholds(self, *_):
            return {}

    wanted = MixWanted((), elements, "roi", 4, FULL_RANGE, "rgb")
    told = mixture(Engine(), None, wanted, progress=no_progress, cancel=NEVER)
    assert told.elements == ("Pb", "Cu", "Hg")


def test_each_quarter_shines_in_the_colour_of_its_element(engine):
    # Pb and Fe above, Hg and Cu below.
    got = mixed(engine, ("Pb", "Fe", "Cu"), (), "roi", 1, FULL_RANGE, "rgb")
    lead, iron, mercury, copper = quarters(got.rgba)
    assert np.argmax(lead) == 0
    assert lead[0] > 150
    assert np.argmax(iron) == 1
    assert np.argmax(copper) == 2
    assert max(mercury) < 60
    assert got.elements == ("Pb", "Fe", "Cu")
    assert got.shares.shape == (3, 24, 32)
    values = engine.maps(engine.cube("quarters"), "roi", 1)["Fe"]
    np.testing.assert_allclose(got.limits[1], np.percentile(values, (1, 99)), rtol=1e-6)


def test_the_first_three_are_those_that_differ_most(engine):
    got = mixed(engine, (), ("Pb", "Fe", "Hg", "Cu"), "roi", 1, FULL_RANGE, "rgb")
    assert len(set(got.elements)) == 3
    with pytest.raises(XRFError, match="Only 2 elements"):
        mixed(engine, (), ("Pb", "Fe"), "roi", 1, FULL_RANGE, "rgb")
    with pytest.raises(XRFError, match="Xx"):
        mixed(engine, ("Pb", "Fe", "Xx"), (), "roi", 1, FULL_RANGE, "rgb")


def test_choices_change_the_picture_and_stand_in_the_address(on_stage):
    async def steps(session, results, view):
        first = view._mixed
        assert set(first.elements) <= {f.element for f in results.found}
        view._take({"place": 1, "symbol": "Cu"})
        await results.settled()
        assert session.mix_elements[1] == "Cu"
        assert session.mix_elements[0] == first.elements[0]
        view._take({"place": 0, "low": 20.0, "high": 80.0})
        session.mix_method = "fit"
        session.mix_colours = "safe"
        await results.settled()
        assert [item["word"] for item in view._channels.items] == ["orange", "green", "violet"]
        assert "net counts" in view._channels.items[0]["text"]
        values = results.engine.maps(results.opened.cube, "fit", 1)[session.mix_elements[0]]
        low, high = np.percentile(values, (20, 80))
        np.testing.assert_allclose(view._mixed.limits[0], (low, high), rtol=1e-6)
        again = Session()
        assert again.restore(session.query()) == []
        assert again.mix_elements == session.mix_elements
        assert again.mix_ranges == ((20.0, 80.0), (1.0, 99.0), (1.0, 99.0))
        view._take({"place": 2, "low": 90.0, "high": 10.0})
        view._take({"place": 7, "symbol": "Fe"})
        assert session.mix_ranges == again.mix_ranges, "what makes no sense is not taken"
        view._take({"place": 0, "symbol": ""})
        await results.settled()
        assert session.mix_elements == ()

    on_stage(steps)


def test_a_method_without_the_element_says_so(on_stage):
    async def steps(session, results, view):
        assert view._cover.kind == "error"
        assert "U" in view._cover.message
        session.mix_elements = ("Pb", "Fe", "Cu")
        await results.settled()
        assert view._cover.kind == "ready"

    on_stage(steps, mix_elements=("Pb", "Fe", "U"), mix_method="fit")


@pytest.mark.parametrize(
    ("name", "given"),
    [("mix", "Fe,Pb"), ("mixrange", "1-99"), ("mixrange", "9-1,1-99,1-99"), ("mixof", "cluster")],
)
def test_damaged_links_are_told(name, given):
    session = Session()
    assert len(session.restore({name: given})) == 1
    assert session.mix_elements == ()
    assert session.mix_ranges == FULL_RANGE


def test_counts_are_mixed_evened_out_as_on_the_page(on_stage):
    async def steps(session, results, view):
        session.normalise = "total"
        await results.settled()
        values = results.maps["Fe"] if session.method == "roi" else None
        assert values is not None
        np.testing.assert_allclose(view._mixed.limits[1], np.percentile(values, (1, 99)), rtol=1e-5)
        assert view._channels.items[1]["text"].endswith("net counts at mean total")
        session.mix_method = "probability"
        await results.settled()
        assert view._channels.items[1]["text"].endswith("probability")

    on_stage(steps, mix_elements=("Pb", "Fe", "Cu"), method="roi")


def test_an_element_added_by_hand_is_mixed_as_fitted(on_stage):
    async def steps(session, results, view):
        assert view._cover.kind == "error"
        session.overrule("Co", "present")
        await results.settled()
        assert view._mixed.elements == ("Pb", "Fe", "Co")

    on_stage(steps, mix_elements=("Pb", "Fe", "Co"), mix_method="fit")
