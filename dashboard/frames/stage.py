"""The stage: one large view at a time, over the panes beside the rail; Escape takes it away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import panel as pn

from dashboard.components import StageBar
from dashboard.session import Session

_STAGE = """:host { grid-area: 2 / 2 / 4 / 5; z-index: 20; position: relative; gap: 0;
  min-width: 0; min-height: 0; background: var(--xrf-surface); }"""
# No display here: it would show what is not visible.


@dataclass(frozen=True)
class Act:
    """What can be on the stage: its title, and what builds it when it is first asked for."""

    title: str
    build: Callable[[], Any]


class Stage(pn.viewable.Viewer):
    """Follows ``session.stage``; acts that were built are kept.

    An act whose view has a ``shown`` method is told whenever it comes on stage.
    """

    def __init__(self, session: Session, acts: Mapping[str, Act]) -> None:
        super().__init__()
        self.session, self._acts = session, acts
        self._built: dict[str, Any] = {}
        self._bar = StageBar(
            margin=0, height=41, sizing_mode="stretch_width",
            on_message=lambda data: self._close() if data.get("close") else None,
        )  # fmt: skip
        self._place = pn.Column(
            sizing_mode="stretch_both", margin=0, styles={"overflow": "hidden", "min-height": "0"}
        )
        self._layout = pn.Column(
            self._bar, self._place, stylesheets=[_STAGE], sizing_mode="stretch_both", margin=0,
            visible=False, css_classes=["xrf-stage"],
        )  # fmt: skip
        session.param.watch(lambda *e: self._show(), "stage")
        self._show()

    def __panel__(self) -> pn.Column:
        return self._layout

    def _close(self) -> None:
        self.session.stage = ""

    def _show(self) -> None:
        name = self.session.stage
        if name not in self._acts:  # of another version's link; nothing lies over the panes
            self._layout.visible = False
            return
        act = self._acts[name]
        if name not in self._built:
            self._built[name] = act.build()
        self._bar.text = act.title
        self._place.objects = [self._built[name]]
        self._layout.visible = True
        shown = getattr(self._built[name], "shown", None)
        if shown is not None:
            shown()
