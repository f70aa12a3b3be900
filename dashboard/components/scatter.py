"""Components of two elements against each other."""

from __future__ import annotations

import param

from dashboard.components import Component


class ScatterBar(Component):
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
    _script = "scatter_bar"


class CorrelationTable(Component):
    """Correlation of every pair of elements; a click is a message ``{pair: [symbol, symbol]}``."""

    elements = param.List([])
    values = param.List([], doc="Rows of numbers, or None where there is none.")
    caption = param.String("")
    _script = "correlation_table"
