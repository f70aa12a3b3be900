"""Blank figures made ahead, on the server's loop, between the pages."""

import asyncio

import pytest
from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.io.doc import patch_curdoc

from dashboard.plots import stock


@pytest.fixture
def empty(monkeypatch):
    monkeypatch.setattr(stock, "_ready", {kind: [] for kind in stock._ELEMENTS})


async def _turns():
    stock.refill()
    for _ in range(20):
        await asyncio.sleep(0)


def test_figures_are_made_when_the_page_that_took_them_is_gone(empty):
    gone = Document()
    gone.on_change(print)
    gone.destroy(print)
    with patch_curdoc(gone):
        asyncio.run(_turns())
        assert curdoc() is gone
    assert {kind: len(made) for kind, made in stock._ready.items()} == dict.fromkeys(
        stock._ELEMENTS, stock._KEEP
    )


def test_a_figure_goes_to_one_page_only(empty):
    asyncio.run(_turns())
    taken = [stock.take("map") for _ in range(stock._KEEP + 1)]
    assert len({id(figure) for figure in taken}) == len(taken)
    assert not stock._ready["map"]
    page = Document()
    for figure in taken:
        page.add_root(figure)
