"""At the right of the top bar: undo and redo, saved views, the link, help."""

from __future__ import annotations

import asyncio
from typing import Any

import panel as pn

from dashboard.components import ActButtons, CopyLink, SavedViewsMenu, TopActions
from dashboard.keeping.history import History
from dashboard.keeping.links import Links
from dashboard.keeping.saved import SavedViews
from dashboard.latest import explain
from dashboard.results import Results
from dashboard.session import Session
from xrfengine.errors import XRFError

_ACTS = [
    ["compare", "compare", "Maps side by side",
     "Maps side by side: methods, elements, single lines and their ratios, two scans"],
    ["mix", "palette", "Three elements in one picture",
     "Three elements in one picture, each in its own colour"],
    ["photo", "photo", "Photograph", "A photograph of the object, laid over the map"],
]  # fmt: skip
_ROW = """:host { display: flex; flex-flow: row nowrap; align-items: center; gap: 8px; }
:host > * { margin: 0 !important; flex: none; }"""


class ActionsView(pn.viewable.Viewer):
    """What acts on the whole view."""

    def __init__(
        self,
        session: Session,
        results: Results,
        history: History,
        views: SavedViews,
        links: Links,
    ) -> None:
        super().__init__()
        self.session, self.results, self.history = session, results, history
        self._views, self._links = views, links
        self._acts = ActButtons(items=_ACTS, value=session.stage, width=34 * len(_ACTS), height=32)
        self._acts.link(session, value="stage", bidirectional=True)
        self._top = TopActions(on_message=self._act, width=100, height=32)
        history.param.watch(lambda *e: self._show_steps(), ["can_undo", "can_redo"])
        self._menu = SavedViewsMenu(on_message=self._use_menu, width=88, height=32)
        self._copy = CopyLink(on_message=lambda data: self._copy_link(), width=104, height=32)
        self._layout = pn.Row(
            self._acts, self._top, self._menu, self._copy, stylesheets=[_ROW], margin=0
        )
        results.param.watch(lambda *e: self._list(), "opened")

    def __panel__(self) -> pn.Row:
        return self._layout

    def _show_steps(self) -> None:
        self._top.param.update(can_undo=self.history.can_undo, can_redo=self.history.can_redo)

    def _act(self, data: dict[str, Any]) -> None:
        match data.get("do"):
            case "undo":
                self.history.undo()
            case "redo":
                self.history.redo()
            case "help":
                self.session.stage = "" if self.session.stage == "help" else "help"

    def _use_menu(self, data: dict[str, Any]) -> None:
        dataset = self.session.dataset
        try:
            if "save" in data:
                self._views.keep(dataset, self.session.state(), str(data["save"]))
            elif "delete" in data:
                self._views.delete(dataset, str(data["delete"]))
            elif "open" in data:
                state = self._views.state(dataset, str(data["open"]))
                # A link of another scan's view must not lead away from this one.
                state = {**state, "address": {**state["address"], "dataset": dataset}}
                notices = self.session.restore_state(state)
                self._menu.error = " ".join(notices)
                return
        except XRFError as error:
            self._menu.error = str(error)
            return
        self._menu.error = ""
        self._list()

    def _list(self) -> None:
        """Read the list beside the page: the folder may lie on a slow disk."""
        dataset = self.session.dataset
        if self.results.opened is None:
            self._menu.items = []
            return

        async def read() -> None:
            try:
                views = await asyncio.to_thread(self._views.listed, dataset)
            except OSError as error:
                self._menu.error = explain(error).message
                return
            items = [{"id": v.id, "name": v.name, "saved_at": v.saved_at} for v in views]
            self.results.deliver(lambda: self._menu.param.update(items=items))

        self._reading = asyncio.get_running_loop().create_task(read())

    def _copy_link(self) -> None:
        try:
            link, self._menu.error = self._links.keep(), ""
        except XRFError as error:
            link, self._menu.error = "", str(error)
        self._copy.param.update(link=link)
        self._copy.answers += 1
