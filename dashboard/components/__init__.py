"""Components of our own, where no stock widget does the job: plain JavaScript, no imports.

They are drawn in the browser from small values; the ones that must answer while the mouse moves
(the threshold, the tools of a plot) never ask the server.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

_HERE = Path(__file__).resolve().parent
_LIB = (_HERE / "lib.js").read_text(encoding="utf-8")
_ICONS = (_HERE / "icons.js").read_text(encoding="utf-8")


def _code(name: str) -> str:
    code = (_HERE / f"{name}.js").read_text(encoding="utf-8")
    return _LIB + (_ICONS if "icon(" in code else "") + code


class _Component(JSComponent):
    """A component whose messages go to one function."""

    __abstract = True

    def __init__(self, *, on_message: Callable[[dict[str, Any]], None] | None = None, **params):
        self._on_message = on_message
        super().__init__(**params)

    def _handle_msg(self, data: dict[str, Any]) -> None:
        if self._on_message is not None:
            self._on_message(data)


class Threshold(_Component):
    """Slider that moves the colour limit of the map in the browser."""

    value = param.Number(None, allow_None=True, doc="None: at its start.")
    start = param.Number(0.5, doc="Where it starts.")
    low = param.Number(0.0)
    high = param.Number(1.0)
    symbol = param.String("")
    label = param.String("Threshold")
    description = param.String("")
    top = param.Number(1.0, doc="Where the colours end.")
    mapper = param.String("", doc="Name of the colour mapper it moves.")
    ramp = param.String("", doc="The colours of the map as a CSS gradient.")
    _esm = _code("threshold")


class Elements(_Component):
    """Found elements by share of the area, and the rest by search."""

    found = param.List([], doc="See dashboard.thumbnails.entries.")
    all = param.List([], doc="{symbol, name} of every element the model knows.")
    value = param.String("")
    note = param.String("")
    problem = param.String("", doc="Why what the user says of elements could not be kept.")
    _esm = _code("elements")


class SmallMaps(_Component):
    """A strip of small maps; a click chooses the element, hovering shows it in a figure."""

    items = param.List([], doc="See dashboard.thumbnails.entries; with src.")
    figure = param.String("", doc="Name of the figure that previews; pixel centres whole numbers.")
    shape = param.Tuple((1, 1), length=2, doc="(width, height) of the picture in pixels.")
    problem = param.String("", doc="Why nothing can be shown.")
    value = param.String("")
    _esm = _code("small_maps")


class Clusters(_Component):
    """The clusters with colour, share, size and elements; a click selects the pixels.

    Messages: ``{name: [number, text]}``, ``{merge: [number, number]}``, ``{apart: number}``,
    ``{region: number}``, ``{automatic: true}``.
    """

    items = param.List(
        [],
        doc="{number, name, given, colour, share, size, elements, text, merged}; number −1: none",
    )
    value = param.Integer(None, allow_None=True, doc="Number of the chosen one.")
    note = param.String("", doc="Said above them, with a way back to automatic clusters.")
    partial = param.Boolean(False, doc="Elements are still to come.")
    stale = param.Boolean(False, doc="Others are being looked for.")
    can_keep = param.Boolean(False, doc="Whether they can become regions.")
    _esm = _code("clusters")


class SelectionCard(_Component):
    """The current selection and the elements found in its spectrum."""

    title = param.String("")
    detail = param.String("")
    colour = param.String("")
    items = param.List([], doc="{symbol, name, probability}")
    value = param.String("", doc="The element shown on the map.")
    busy = param.Boolean(False)
    above = param.String("", doc="Words for what the threshold selects; empty: nothing does.")
    _esm = _code("selection")


class Regions(_Component):
    """The kept regions: names, colours, sizes, elements, and what can be done with them."""

    items = param.List([], doc="{id, name, colour, size, counts, elements, busy, error, shown}")
    value = param.String("", doc="The element shown on the map.")
    colours = param.List([], doc="To choose from.")
    has_selection = param.Boolean(False)
    _esm = _code("regions")


class PaneState(_Component):
    """Empty, loading and error of one pane, over its content."""

    kind = param.Selector(objects=["ready", "empty", "loading", "error"], default="loading")
    message = param.String("")
    hint = param.String("")
    fraction = param.Number(0.0)
    action = param.String("", doc="Word on its button; empty: no button.")
    covers = param.Boolean(True, doc="Over the whole pane, or in its corner.")
    _esm = _code("pane_state")


class StatusBar(_Component):
    """Facts, running jobs, the keys of the page and its address."""

    facts = param.List([], doc="(text, tooltip)")
    jobs = param.List([], doc="{id, label, fraction, message, remaining}")
    query = param.String("", doc="What the address bar shows after the path.")
    keys = param.Dict({}, doc="What is sent for a key, by its spelling.")
    ping = param.String("", doc="A small file of the server, to see whether it answers again.")
    _esm = _code("status")


class Notice(_Component):
    """What a link could not restore."""

    items = param.List([])
    _esm = _code("notice")


class Caption(_Component):
    """Title of a pane with its legend.

    Not called Title: panel-material-ui themes whatever is called like a model of Bokeh, and fails.
    """

    text = param.String("")
    detail = param.String("")
    chips = param.List([], doc="(colour, text)")
    _esm = _code("caption")


class CopyLink(_Component):
    """Button that copies the link, once the server has answered with it."""

    link = param.String("", doc="What stands behind the path; empty: it could not be kept.")
    answers = param.Integer(0, doc="Counts the answers.")
    _esm = _code("copy_link")


class Facts(_Component):
    """One line of facts, cut with an ellipsis where there is no room; whole in its tooltip."""

    text = param.String("")
    _esm = _code("facts")


class TopActions(_Component):
    """Undo, redo and help."""

    can_undo = param.Boolean(False)
    can_redo = param.Boolean(False)
    _esm = _code("top_actions")


class SavedViewsMenu(_Component):
    """The saved views of the scan: open, save, delete."""

    items = param.List([], doc="{id, name, saved_at}, newest first")
    error = param.String("")
    _esm = _code("saved_views")


class Tour(_Component):
    """The introduction of a first visit, step by step."""

    steps = param.List([], doc="{at: CSS class of what it tells of, title, text}")
    ready = param.Boolean(False, doc="Whether there is something to be introduced to.")
    starts = param.Integer(0, doc="Counts how often it was asked for.")
    _esm = _code("tour")


class Tools(_Component):
    """What dragging does on a plot; the tools are found by ``prefix-name``."""

    options = param.List(["Move", "Lasso", "Box"])
    value = param.String("Move", doc="The one active at first.")
    prefix = param.String("")
    _esm = _code("tools")


class DrawingTools(_Component):
    """What the mouse does on the map, and how what is drawn joins the selection."""

    value = param.String("Move", doc="The tool active at first.")
    operation = param.String("new", doc="See dashboard.session.OPERATIONS.")
    prefix = param.String("", doc="Bokeh's tools, the figure and the mailbox are prefix-name.")
    more = param.List([], doc="Further tools, drawn elsewhere.")
    actions = param.List([], doc="Buttons below the tools that act at once.")
    _esm = _code("drawing")


class Slider(_Component):
    """A whole number with its words; the value follows when the handle is let go."""

    value = param.Integer(1)
    low = param.Integer(1)
    high = param.Integer(100)
    label = param.String("")
    description = param.String("")
    _esm = _code("slider")


class Toggle(_Component):
    """A button that stays down."""

    value = param.Boolean(False)
    label = param.String("")
    icon = param.String("", doc="Name of an icon; empty: the label is written out.")
    description = param.String("")
    _esm = _code("toggle")


class SheetButton(_Component):
    """A button that opens a sheet over its pane; Escape closes it."""

    value = param.Boolean(False)
    label = param.String("")
    icon = param.String("", doc="Name of an icon in ``icons.js``; empty: the label is written out.")
    description = param.String("")
    _esm = _code("sheet_button")


class StageBar(_Component):
    """Title of a stage, and the button that closes it; so does Escape."""

    text = param.String("")
    _esm = _code("stage_bar")


class Choice(_Component):
    """A small choice: for the corner of a plot, or boxed for a title row, its label unseen."""

    value = param.String("")
    options = param.List([], doc="(word, value)")
    label = param.String("")
    description = param.String("")
    boxed = param.Boolean(False)
    _esm = _code("choice")


class ActButtons(_Component):
    """Buttons that open something on the stage; pressed while it is there."""

    value = param.String("")
    items = param.List([], doc="(act, icon, label, description)")
    _esm = _code("act_buttons")


class SpectrumStrip(_Component):
    """Below the title of the spectrum: element cursor, legend, fit, energy window."""

    element = param.String("")
    element_name = param.String("")
    families = param.List([], doc="K, L, M: those of which a line is marked.")
    chips = param.List([], doc="(colour, text, id or empty, whether shown); with an id it toggles.")
    equal = param.Boolean(False, doc="Curves are scaled to the same area.")
    window = param.String("", doc="The energies that are mapped; empty: none.")
    mark = param.List([], doc="(text, tooltip) where the energies are not the file's.")
    fit = param.List([], doc="(text, tooltip) of the fit that is shown.")
    _esm = _code("spectrum_strip")


class Candidates(_Component):
    """What a peak can be, the likeliest first; a click chooses the element."""

    title = param.String("")
    sentence = param.String("")
    items = param.List([], doc="{name, element, share, distance, tags, sentence, lines}")
    value = param.String("", doc="The element shown on the map.")
    source = param.String("", doc="'selection' or 'scan'.")
    has_selection = param.Boolean(False)
    state = param.Dict({}, doc="{kind, message, hint, fraction}")
    _esm = _code("candidates")


class PeriodicTable(_Component):
    """Every element in its place; a click chooses, a second action overrules."""

    cells = param.List([], doc="{symbol, number, name, known, measured, lines} with (name, keV).")
    found = param.List([], doc="See dashboard.thumbnails.entries.")
    value = param.String("")
    kind = param.String("probability", doc="Of the maps.")
    detail = param.Dict({}, doc="{symbol, src, top, threshold} of the chosen element.")
    problem = param.String("", doc="Why lines or map cannot be shown.")
    opened = param.Integer(0, doc="Counts how often it came on stage: the focus goes there.")
    _esm = _code("periodic_table")


class MapGrid(_Component):
    """All maps at once, as large as they fit; a click chooses the element."""

    items = param.List([], doc="See dashboard.thumbnails.entries; with src, empty until drawn.")
    aspect = param.Number(1.0, doc="Width of a map over its height.")
    value = param.String("")
    busy = param.Boolean(False)
    problem = param.String("", doc="Why nothing can be shown.")
    opened = param.Integer(0, doc="Counts how often it came on stage: the focus goes there.")
    _esm = _code("map_grid")


class IconButton(_Component):
    """A button with an icon; a click is a message ``{click: true}``."""

    icon = param.String("", doc="Name of an icon in ``icons.js``.")
    label = param.String("")
    description = param.String("")
    pressed = param.Boolean(None, allow_None=True, doc="For a button that stays down.")
    _esm = _code("icon_button")


class Tree(_Component):
    """The condensed tree; messages ``{branch: index}`` for a click, ``{level: 0…1}`` for a cut."""

    branches = param.List([], doc="{i, parent, size, share, steps: (depth, left, right) each 0…1}")
    chosen = param.Dict({}, doc="By index of a branch: {number, colour, name}")
    value = param.Integer(None, allow_None=True, doc="Number of the chosen cluster.")
    _esm = _code("tree")


class Nodes(_Component):
    """The grid of a self-organising map; a click is a message ``{number: …}``."""

    items = param.List([], doc="{number, name, colour, size, share, elements, text, heights}")
    rows = param.Integer(1)
    columns = param.Integer(1)
    value = param.Integer(None, allow_None=True, doc="Number of the chosen node.")
    axis = param.String("", doc="What the small spectra show.")
    _esm = _code("nodes")


class LabelsMap(_Component):
    """Clusters as a map; messages ``{at: (x, y) each 0…1}`` and ``{action: name}``."""

    src = param.String("")
    title = param.String("")
    colour = param.String("")
    text = param.String("")
    hint = param.String("")
    actions = param.List([], doc="(word, name, tooltip)")
    _esm = _code("labels_map")


class CalibrationPanel(_Component):
    """Named peaks of a calibration, what they give, and applying it."""

    current = param.String("")
    source = param.String("")
    is_own = param.Boolean(False)
    pairs = param.List([], doc="{channel, energy, name, residual, lines: [(name, keV)]}")
    proposed = param.String("")
    effect = param.List([], doc="(keV, eV by which it moves)")
    problem = param.String("")
    can_apply = param.Boolean(False)
    _esm = _code("calibration_panel")


class PreprocessPanel(_Component):
    """What the network is given of a spectrum, and what the clusters leave out."""

    facts = param.List([], doc="(what, value)")
    choices = param.List([], doc="(word, value)")
    shown = param.String("counts")
    has_model = param.Boolean(False)
    drop = param.Integer(0, doc="Channels at each end.")
    most = param.Integer(1)
    ends = param.String("")
    is_usual = param.Boolean(True)
    is_applied = param.Boolean(True)
    can_apply = param.Boolean(True)
    problem = param.String("")
    _esm = _code("preprocess_panel")


class ScatterBar(_Component):
    """Which two elements are shown, and how they go together.

    Messages: ``{across: symbol}``, ``{up: symbol}``, ``{log: bool}``, ``{colour: name}``,
    ``{table: true}``.
    """

    elements = param.List([], doc="(name, symbol)")
    across = param.String("")
    up = param.String("")
    log = param.Boolean(False)
    colours = param.List([], doc="(word, name)")
    colour = param.String("")
    text = param.String("")
    title = param.String("", doc="Tooltip of the text.")
    _esm = _code("scatter_bar")


class CorrelationTable(_Component):
    """Correlation of every pair of elements; a click is a message ``{pair: [symbol, symbol]}``."""

    elements = param.List([])
    values = param.List([], doc="Rows of numbers, or None where there is none.")
    caption = param.String("")
    _esm = _code("correlation_table")
