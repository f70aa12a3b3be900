"""Wires one session: its choices, their results, the views, and the page around them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any

import panel as pn

from dashboard.canvas.photograph import PhotographLayer
from dashboard.components import Notice, Tour
from dashboard.frames.stage import Act, Stage
from dashboard.keeping.history import History
from dashboard.keeping.links import Links, restored
from dashboard.keeping.saved import SavedViews
from dashboard.latest import explain
from dashboard.plots import stock
from dashboard.results import Results
from dashboard.serving import entrance
from dashboard.serving.page import FONT, AppPage, page
from dashboard.session import Session
from dashboard.views.actions import ActionsView
from dashboard.views.calibration import CalibrationView
from dashboard.views.clusters import ClustersView
from dashboard.views.compare import CompareView
from dashboard.views.elements import RailView
from dashboard.views.embedding import EmbeddingView
from dashboard.views.export import STAGE as EXPORT
from dashboard.views.export import ExportView
from dashboard.views.grouped import NodesView, TreeView
from dashboard.views.help import HelpView, first_visit
from dashboard.views.map import MapView
from dashboard.views.map_grid import MapGridView
from dashboard.views.mix import MixView
from dashboard.views.periodic_table import PeriodicTableView
from dashboard.views.photograph import PhotographView
from dashboard.views.pigments import PigmentsView
from dashboard.views.preprocessing import PreprocessingView
from dashboard.views.regions import RegionsView
from dashboard.views.scatter import CorrelationView, ScatterView
from dashboard.views.small_maps import SmallMapsView
from dashboard.views.source import SourceView
from dashboard.views.spectrum import SpectrumView
from dashboard.views.status import StatusView

_GRID = """:host { display: grid !important; height: 100%; gap: 1px; overflow: hidden;
  background: var(--xrf-hairline); padding: 0;
  grid-template-columns: 300px minmax(380px, 1.72fr) minmax(290px, 1fr) minmax(290px, 1fr);
  grid-template-rows: auto minmax(0, 55fr) minmax(0, 45fr) auto;
  grid-template-areas: "notice notice notice notice" "rail map spectrum spectrum"
    "rail map embedding clusters" "status status status status"; }
:host > * { margin: 0 !important; min-width: 0; min-height: 0; width: auto; height: auto; }"""

_RAIL = """:host { display: flex; flex-direction: column; background: var(--xrf-surface); gap: 0;
  min-height: 0; overflow: hidden auto; scrollbar-width: thin; }"""

_AT_HAND_S = 0.4
"""How long a page waits for its results before it appears without them."""


def _query() -> dict[str, str]:
    """What the address carried when the page was asked for."""
    return {
        key: values[0].decode("utf-8", "replace") for key, values in pn.state.session_args.items()
    }


def create_app(engine: Any) -> AppPage:
    """The page of one visitor, in the state the address asks for."""
    session, saved = Session(), SavedViews()
    notices = restored(session, _query(), saved)
    results = Results(engine, session)
    whole = compose(session, results, notices, saved)
    if pn.state.curdoc is not None and pn.state.curdoc.session_context is not None:
        pn.state.on_session_destroyed(lambda context: results.leave())
        pn.state.onload(stock.refill_later)
        entrance.open_after(pn.state.curdoc, partial(results.at_hand, _AT_HAND_S))
    results.open()
    return whole


def compose(
    session: Session,
    results: Results,
    notices: Sequence[str] = (),
    saved: SavedViews | None = None,
) -> AppPage:
    """The views of a session, on their page."""
    saved, history = saved or SavedViews(), History(session)
    status, tour = StatusView(session, results, history), first_visit(results)
    links = Links(session, saved, results.deliver, status.show_address)
    results.param.watch(lambda *e: links.write(), "opened")
    results.param.watch(lambda *e: history.begin(), "opened")
    map_view = partial(MapView, below=SmallMapsView(session, results))
    points_view = partial(EmbeddingView, elements=lambda: ScatterView(session, results))
    views = [view(session, results) for view in (map_view, SpectrumView, points_view, ClustersView)]
    notice = Notice(
        items=list(notices), sizing_mode="stretch_width", styles={"grid-area": "notice"}
    )
    PhotographLayer(session, results, views[0].canvas.figure)
    export = ExportView(session, results)
    acts = {**_acts(session, results, tour), EXPORT: Act("Export", export.build)}
    stage = Stage(session, acts)
    rail = pn.Column(
        RailView(session, results), RegionsView(session, results),
        PigmentsView(session, results), stylesheets=[_RAIL],
        styles={"grid-area": "rail"}, sizing_mode="stretch_both", margin=0,
        css_classes=["xrf-rail"],
    )  # fmt: skip
    grid = pn.Column(
        notice, rail, *views, status, stage, tour,
        stylesheets=[_GRID], sizing_mode="stretch_both", margin=0,
    )  # fmt: skip
    actions = ActionsView(session, results, history, saved, links)
    source = SourceView(session, results, actions, export.button)
    whole = page([source], [grid], dark=session.theme == "dark")

    def follow_theme(event) -> None:
        session.theme = "dark" if event.new else "light"

    whole.param.watch(follow_theme, "dark_theme")
    return whole


def _acts(session: Session, results: Results, tour: Tour) -> dict[str, Act]:
    """What can be laid over the panes, by ``session.stage``."""
    return {
        "help": Act("Help", lambda: HelpView(session, tour)),
        "calibrate": Act("Energy calibration", lambda: CalibrationView(session, results)),
        "preprocess": Act(
            "What the model and the clusters see", lambda: PreprocessingView(session, results)
        ),
        "compare": Act("Maps side by side", lambda: CompareView(session, results)),
        "table": Act("Periodic table", lambda: PeriodicTableView(session, results)),
        "maps": Act("All maps", lambda: MapGridView(session, results)),
        "tree": Act("Tree of the clusters", lambda: TreeView(session, results)),
        "correlations": Act("How elements go together", lambda: CorrelationView(session, results)),
        "nodes": Act("Grid of the self-organising map", lambda: NodesView(session, results)),
        "mix": Act("Three elements in one picture", lambda: MixView(session, results)),
        "photo": Act("Photograph", lambda: PhotographView(session, results)),
    }


def error_page(error: BaseException) -> AppPage:
    """A page that says what is wrong, where an exception would leave an empty one."""
    told = explain(error)
    text = (
        f"<div role='alert' style='max-width:560px;margin:80px auto;font:16px/1.5 {escape(FONT)}'>"
        f"<h1 style='font-size:20px'>The dashboard cannot open</h1>"
        f"<p>{escape(told.message)}.</p><p>{escape(told.hint)}</p>"
        "<p><a href=''>Reload this page</a> once that is mended.</p></div>"
    )
    return page([], [pn.pane.HTML(text, sizing_mode="stretch_width")], dark=False)
