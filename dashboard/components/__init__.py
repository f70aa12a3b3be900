"""Components of our own, where no stock widget does the job: plain JavaScript, no imports.

They are drawn in the browser from small values; the ones that must answer while the mouse moves
(the threshold, the tools of a plot) never ask the server.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import param
from panel.custom import JSComponent
from panel.util import classproperty


class Component(JSComponent):
    """A component whose messages go to one function."""

    __abstract = True
    # They send what was chosen, not every step towards it: nothing needs to wait for more.
    _debounce = 0
    _script: ClassVar[str]
    """Its code, ``dashboard/components/<script>.js``."""

    @classproperty
    def _bundle_path(cls) -> Path:
        from dashboard.components import bundle  # which reads the classes of this package

        return bundle.path()

    @classmethod
    def _render_esm(cls, compiled: bool | Literal["compiling"] = True, server: bool = False) -> str:
        from dashboard.components import bundle

        code = super()._render_esm(compiled=compiled, server=server)
        return code + bundle.KEPT if server else code

    def __init__(self, *, on_message: Callable[[dict[str, Any]], None] | None = None, **params):
        self._on_message = on_message
        super().__init__(**params)

    def _handle_msg(self, data: dict[str, Any]) -> None:
        if self._on_message is not None:
            self._on_message(data)


class SelectionCard(Component):
    """The current selection and the elements found in its spectrum."""

    title = param.String("")
    detail = param.String("")
    colour = param.String("")
    items = param.List([], doc="{symbol, name, probability}")
    instrument = param.String("", doc="Symbols that the instrument shows by itself.")
    value = param.String("", doc="The element shown on the map.")
    busy = param.Boolean(False)
    above = param.String("", doc="Words for what the threshold selects; empty: nothing does.")
    _script = "selection"


class Regions(Component):
    """The kept regions: names, colours, sizes, elements, and what can be done with them."""

    items = param.List([], doc="{id, name, colour, size, counts, elements, busy, error, shown}")
    value = param.String("", doc="The element shown on the map.")
    colours = param.List([], doc="To choose from.")
    has_selection = param.Boolean(False)
    _script = "regions"


class PaneState(Component):
    """Empty, loading and error of one pane, over its content."""

    kind = param.Selector(objects=["ready", "empty", "loading", "error"], default="loading")
    message = param.String("")
    hint = param.String("")
    fraction = param.Number(0.0)
    action = param.String("", doc="Word on its button; empty: no button.")
    covers = param.Boolean(True, doc="Over the whole pane, or in its corner.")
    _script = "pane_state"


class StatusBar(Component):
    """Facts, running jobs, the keys of the page and its address."""

    facts = param.List([], doc="(text, tooltip)")
    jobs = param.List([], doc="{id, label, fraction, message, remaining}")
    query = param.String("", doc="What the address bar shows after the path.")
    keys = param.Dict({}, doc="What is sent for a key, by its spelling.")
    ping = param.String("", doc="A small file of the server, to see whether it answers again.")
    _script = "status"


class Notice(Component):
    """What a link could not restore."""

    items = param.List([])
    _script = "notice"


class Caption(Component):
    """Title of a pane with its legend.

    Not called Title: panel-material-ui themes whatever is called like a model of Bokeh, and fails.
    """

    text = param.String("")
    detail = param.String("")
    chips = param.List([], doc="(colour, text)")
    _script = "caption"


class CopyLink(Component):
    """Button that copies the link, once the server has answered with it."""

    link = param.String("", doc="What stands behind the path; empty: it could not be kept.")
    answers = param.Integer(0, doc="Counts the answers.")
    _script = "copy_link"


class Facts(Component):
    """One line of facts, cut with an ellipsis where there is no room; whole in its tooltip."""

    text = param.String("")
    _script = "facts"


class TopActions(Component):
    """Undo, redo and help."""

    can_undo = param.Boolean(False)
    can_redo = param.Boolean(False)
    _script = "top_actions"


class SavedViewsMenu(Component):
    """The saved views of the scan: open, save, delete."""

    items = param.List([], doc="{id, name, saved_at}, newest first")
    error = param.String("")
    _script = "saved_views"


class Tour(Component):
    """The introduction of a first visit, step by step."""

    steps = param.List([], doc="{at: CSS class of what it tells of, title, text}")
    ready = param.Boolean(False, doc="Whether there is something to be introduced to.")
    starts = param.Integer(0, doc="Counts how often it was asked for.")
    _script = "tour"


class Tools(Component):
    """What dragging does on a plot; the tools are found by ``prefix-name``."""

    options = param.List(["Move", "Lasso", "Box"])
    value = param.String("Move", doc="The one active at first.")
    prefix = param.String("")
    _script = "tools"


class DrawingTools(Component):
    """What the mouse does on the map, and how what is drawn joins the selection."""

    value = param.String("Move", doc="The tool active at first.")
    operation = param.String("new", doc="See dashboard.session.OPERATIONS.")
    prefix = param.String("", doc="Bokeh's tools, the figure and the mailbox are prefix-name.")
    more = param.List([], doc="Further tools, drawn elsewhere.")
    actions = param.List([], doc="Buttons below the tools that act at once.")
    _script = "drawing"


class Slider(Component):
    """A whole number with its words; the value follows when the handle is let go."""

    value = param.Integer(1)
    low = param.Integer(1)
    high = param.Integer(100)
    label = param.String("")
    description = param.String("")
    _script = "slider"


class Toggle(Component):
    """A button that stays down."""

    value = param.Boolean(False)
    label = param.String("")
    icon = param.String("", doc="Name of an icon; empty: the label is written out.")
    description = param.String("")
    _script = "toggle"


class SheetButton(Component):
    """A button that opens a sheet over its pane; Escape closes it."""

    value = param.Boolean(False)
    label = param.String("")
    icon = param.String("", doc="Name of an icon in ``icons.js``; empty: the label is written out.")
    description = param.String("")
    _script = "sheet_button"


class StageBar(Component):
    """Title of a stage, and the button that closes it; so does Escape."""

    text = param.String("")
    _script = "stage_bar"


class Choice(Component):
    """A small choice: for the corner of a plot, or boxed for a title row, its label unseen."""

    value = param.String("")
    options = param.List([], doc="(word, value)")
    label = param.String("")
    description = param.String("")
    boxed = param.Boolean(False)
    _script = "choice"


class ActButtons(Component):
    """Buttons that open something on the stage; pressed while it is there."""

    value = param.String("")
    items = param.List([], doc="(act, icon, label, description)")
    _script = "act_buttons"


class IconButton(Component):
    """A button with an icon; a click is a message ``{click: true}``."""

    icon = param.String("", doc="Name of an icon in ``icons.js``.")
    label = param.String("")
    description = param.String("")
    pressed = param.Boolean(None, allow_None=True, doc="For a button that stays down.")
    _script = "icon_button"
