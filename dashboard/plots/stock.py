"""Blank figures made ahead: HoloViews takes as long to make them as the rest of a page.

They are made on the server's loop, for HoloViews is not thread-safe, one at a time while nothing
else waits; a visitor who finds none waits for their making. Only the loop's thread comes here.
"""

from __future__ import annotations

from typing import Literal

from bokeh.document import Document
from bokeh.io.doc import patch_curdoc
from bokeh.plotting import figure as Figure
from tornado.ioloop import IOLoop

from dashboard.plots import figures

Kind = Literal["map", "spectrum", "embedding"]

_ELEMENTS = {
    "map": figures.element_map,
    "spectrum": figures.spectra,
    "embedding": figures.embedding,
}
_KEEP = 2
"""Visitors who may come at once."""
_LATER_S = 3.0
"""A page that is just being loaded comes first."""

_ready: dict[str, list[Figure]] = {kind: [] for kind in _ELEMENTS}


def take(kind: Kind) -> Figure:
    """A blank figure, used by nobody else."""
    kept = _ready[kind]
    return kept.pop() if kept else figures.render(_ELEMENTS[kind]())


def refill() -> None:
    """Make what is missing, one figure a turn of the loop."""
    kind = min(_ready, key=lambda name: len(_ready[name]))
    if len(_ready[kind]) < _KEEP:
        # The current document may be that of a page that is gone by now; these belong to none yet.
        nobodys = Document()
        with patch_curdoc(nobodys):
            _ready[kind].append(figures.render(_ELEMENTS[kind]()))
        IOLoop.current().add_callback(refill)


def refill_later() -> None:
    """Make what a page took once that page is likely to be there."""
    IOLoop.current().call_later(_LATER_S, refill)
