"""The page is whole before any browser sees it."""

from __future__ import annotations

import asyncio
import re

import numpy as np
import panel as pn
from bokeh.document import Document

from dashboard.app import create_app, error_page
from dashboard.plots.figures import layer
from dashboard.results import Results
from dashboard.serving.page import _without_unused, page
from dashboard.session import Session
from dashboard.views.map import MapView
from dashboard.views.spectrum import SpectrumView
from xrfengine.errors import ModelError

ROOTS = {
    "xrf-map",
    "xrf-spectrum",
    "xrf-embedding",
    "xrf-clusters",
    "xrf-threshold",
    "xrf-region-size",
    "xrf-element",
    "xrf-status",
}


def text_of(whole) -> str:
    return " ".join(pane.object for pane in whole.select(pn.pane.HTML))


def test_every_pane_is_on_the_page(engine):
    async def main():
        whole = create_app(engine)
        classes = {name for part in whole.select() for name in (part.css_classes or ())}
        assert classes >= ROOTS
        assert whole.get_root() is not None

    asyncio.run(main())


def test_bokeh_finds_no_mistake_in_the_page(engine, caplog):
    # The server does not look: it would do so for every visitor.
    async def main():
        document = Document()
        create_app(engine).server_doc(document)
        with caplog.at_level("WARNING"):
            document.validate()

    asyncio.run(main())
    # Sheets are empty until they are opened.
    assert set(re.findall(r"[EW]-\d+ \((\w+)\)", caplog.text)) == {"EMPTY_LAYOUT"}


def test_an_error_at_the_start_is_told_in_plain_words():
    whole = error_page(ModelError("the weights are missing", "Install the package again."))
    assert "the weights are missing" in text_of(whole)
    assert "Install the package again." in text_of(whole)
    whole = error_page(RuntimeError("<script>internal</script>"))
    assert "reference" in text_of(whole)
    assert "internal" not in text_of(whole)


def test_a_page_neither_follows_the_busy_server_nor_is_kept_alive_by_it():
    def followers():
        return len(pn.state.param.watchers.get("busy", {}).get("value", ()))

    before = followers()
    made = page([], [], dark=False)
    assert followers() == before
    assert made.busy is False


def test_code_that_no_page_needs_is_not_loaded():
    tags = (
        '<script type="text/javascript" src="static/js/bokeh.min.js?v=6"></script>\n'
        '<script src="static/js/bokeh-gl.min.js?v=4"></script>\n'
        '<script src="static/bundled/datatabulator/luxon.min.js"></script>\n'
        '<script src="static/extensions/panel/panel.min.js"></script>'
    )
    kept = _without_unused(tags)
    assert kept.count("<script") == kept.count("</script>") == 2
    assert "bokeh.min.js" in kept
    assert "panel.min.js" in kept


def shown(engine, view_class, choose=None):
    """The figure of a view over an open scan, and the results."""

    async def main():
        session = Session()
        results = Results(engine, session)
        view = view_class(session, results)
        results.open()
        await results.settled()
        if choose is not None:
            choose(session)
            await results.settled()
        figure = view.figure.model if view_class is SpectrumView else view._figure
        return figure, results, session

    return asyncio.run(main())


def test_the_map_paints_the_element_above_its_threshold(engine, mask_of):
    def choose(session):
        session.element = "Fe"
        session.threshold = 0.3
        session.show_clusters = True
        session.cluster = 0

    figure, results, _ = shown(engine, MapView, choose)
    values = layer(figure, "values")
    np.testing.assert_array_equal(values.data_source.data["image"][0], results.maps["Fe"])
    assert values.glyph.color_mapper.low == 0.3
    assert values.glyph.color_mapper.low_color == "rgba(0, 0, 0, 0)"
    grey = layer(figure, "grey").data_source.data["image"][0]
    np.testing.assert_array_equal(grey, results.opened.total_counts)
    labels = layer(figure, "clusters").data_source.data["image"][0].astype(int) - 1
    np.testing.assert_array_equal(labels, results.clusters.clustering.labels)
    mask = mask_of(figure, grey.shape)
    np.testing.assert_array_equal(mask, results.clusters.clustering.labels == 0)
    assert layer(figure, "mask").visible


def test_changing_the_element_leaves_the_zoom_alone(engine):
    def choose(session):
        session.element = "Fe"

    figure, _, session = shown(engine, MapView, choose)
    figure.x_range.update(start=3, end=9)
    session.element = "Pb"
    assert (figure.x_range.start, figure.x_range.end) == (3, 9)


def test_the_spectrum_names_the_lines_of_the_element(engine):
    def choose(session):
        session.element = "Fe"
        session.scale = "sqrt"
        session.cluster = 0

    figure, results, _ = shown(engine, SpectrumView, choose)
    names = layer(figure, "names").data_source.data
    assert "Fe Kα" in names["name"]
    assert abs(names["energy"][names["name"].index("Fe Kα")] - 6.40) < 0.02
    whole = layer(figure, "whole").data_source.data
    np.testing.assert_allclose(whole["rate"], np.sqrt(results.opened.whole.mean_counts), rtol=1e-5)
    chosen = layer(figure, "chosen").data_source.data
    np.testing.assert_allclose(chosen["counts"], results.selected.spectrum.mean_counts, rtol=1e-5)
