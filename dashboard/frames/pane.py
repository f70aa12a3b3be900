"""The frame every view stands in: title row, tools, content, and its four states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from dashboard.components import PaneState
from dashboard.shown import State

_COLUMN = """:host { display: flex; flex-direction: column; min-width: 0; min-height: 0;
  background: var(--xrf-surface); position: relative; overflow: hidden; gap: 0; }"""
_TITLE = """:host { display: flex; flex-flow: row nowrap; align-items: center; gap: 8px; flex: none;
  height: 40px; padding: 0 8px 0 12px; border-bottom: 1px solid var(--xrf-hairline);
  overflow: hidden; min-width: 0; }
:host > * { flex: none; margin: 0 !important; align-self: center !important; }"""
_BODY = """:host { position: relative; flex: 1 1 0; min-height: 0; min-width: 0; overflow: hidden;
  flex-direction: column; }"""
# No display there: it would show a body that is not visible.
_OVER = """:host { position: absolute !important; inset: 0 !important; width: 100% !important;
  height: 100% !important; z-index: 5; margin: 0 !important; }
:host > div { position: absolute; inset: 0; pointer-events: none; }"""


def title_row(*objects: Any) -> pn.Row:
    """A row of 40 px with a hairline below; the first object takes what room is left."""
    first, *rest = objects
    first.styles = {"flex": "1 1 0", "min-width": "0", "overflow": "hidden"}
    return pn.Row(first, *rest, stylesheets=[_TITLE], margin=0, sizing_mode="stretch_width")


def body(*objects: Any, **styles: str) -> pn.Column:
    """What fills the rest of a pane; the state covers it."""
    return pn.Column(
        *objects, stylesheets=[_BODY], margin=0, sizing_mode="stretch_both", styles=styles
    )


def pane(*rows: Any, area: str, css_class: str) -> pn.Column:
    """A pane in the page's grid."""
    return pn.Column(
        *rows,
        stylesheets=[_COLUMN],
        styles={"grid-area": area},
        css_classes=[css_class],
        sizing_mode="stretch_both",
        margin=0,
    )


def state_cover(on_action: Callable[[str], None] | None = None) -> PaneState:
    """The state of a pane, to be laid over its body."""
    return PaneState(
        on_message=lambda data: on_action(str(data.get("action", ""))) if on_action else None,
        stylesheets=[_OVER],
        margin=0,
    )


def show_state(cover: PaneState, state: State, *, has_content: bool) -> None:
    """Over the whole pane while there is nothing to see, else in its corner."""
    cover.param.update(
        kind=state.kind,
        message=state.message,
        hint=state.hint,
        fraction=state.fraction,
        action=state.action,
        covers=not has_content,
    )
