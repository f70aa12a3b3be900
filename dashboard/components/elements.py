"""Components of the lists of elements: names, small maps, all maps, the periodic table."""

from __future__ import annotations

import param

from dashboard.components import Component


class Threshold(Component):
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
    _script = "threshold"


class Elements(Component):
    """Found elements by share of the area, and the rest by search."""

    found = param.List([], doc="See dashboard.plots.thumbnails.entries.")
    all = param.List([], doc="{symbol, name} of every element the model knows.")
    value = param.String("")
    note = param.String("")
    problem = param.String("", doc="Why what the user says of elements could not be kept.")
    _script = "elements"


class SmallMaps(Component):
    """A strip of small maps; a click chooses the element, hovering shows it in a figure."""

    items = param.List([], doc="See dashboard.plots.thumbnails.entries; with src.")
    figure = param.String("", doc="Name of the figure that previews; pixel centres whole numbers.")
    shape = param.Tuple((1, 1), length=2, doc="(width, height) of the picture in pixels.")
    problem = param.String("", doc="Why nothing can be shown.")
    value = param.String("")
    _script = "small_maps"


class MapGrid(Component):
    """All maps at once, as large as they fit; a click chooses the element."""

    items = param.List([], doc="See dashboard.plots.thumbnails; with src, empty until drawn.")
    aspect = param.Number(1.0, doc="Width of a map over its height.")
    value = param.String("")
    busy = param.Boolean(False)
    problem = param.String("", doc="Why nothing can be shown.")
    opened = param.Integer(0, doc="Counts how often it came on stage: the focus goes there.")
    _script = "map_grid"


class PeriodicTable(Component):
    """Every element in its place; a click chooses, a second action overrules."""

    cells = param.List([], doc="{symbol, number, name, known, measured, lines} with (name, keV).")
    found = param.List([], doc="See dashboard.plots.thumbnails.entries.")
    value = param.String("")
    kind = param.String("probability", doc="Of the maps.")
    detail = param.Dict({}, doc="{symbol, src, top, threshold} of the chosen element.")
    problem = param.String("", doc="Why lines or map cannot be shown.")
    opened = param.Integer(0, doc="Counts how often it came on stage: the focus goes there.")
    _script = "periodic_table"
