"""Components of the map: what lies over it, its settings, and the head of its profile."""

from __future__ import annotations

import param

from dashboard.components import Component


class MapGlass(Component):
    """Scale bar, and what the pointer is at; both worked out in the browser.

    What takes the server (the strongest elements of a pixel) is asked for with
    ``{at: [column, row]}`` once the pointer rests.
    """

    figure = param.String("xrf-map-figure", doc="Name of the figure it lies over.")
    matrix = param.List([1, 0, 0, 0, 1, 0], doc="Scan = matrix · (x, y, 1) of the picture.")
    pixel_size_mm = param.Number(0.0, doc="0: not known.")
    element = param.String("")
    unit = param.String("", doc="Of the values; empty: a probability.")
    told = param.Dict({}, doc="{at: [column, row], items: [[symbol, text]]}")
    _script = "map_glass"


class MapSettings(Component):
    """Settings of the map; what changes is told to ``on_message``."""

    palettes = param.List([], doc="(name, words, CSS gradient)")
    palette = param.String("")
    range = param.Dict({}, doc="{counts, low, high, quantiles: [[percentile, value]], usual}")
    percentile = param.Number(None, allow_None=True, doc="None: the usual end.")
    threshold = param.Number(0.0)
    mapper = param.String("", doc="Name of the colour mapper whose upper end is moved.")
    element = param.String("")
    unit = param.String("", doc="Empty: a probability.")
    evens = param.List([], doc="(value, words, why not or empty)")
    normalise = param.String("none")
    normalise_hint = param.String("")
    pixel_size_mm = param.Number(None, allow_None=True)
    pixel_size_hint = param.String("")
    pixel_size_entered = param.Boolean(False)
    is_cropped = param.Boolean(False)
    is_turned = param.Boolean(False)
    photo = param.Integer(None, allow_None=True, doc="Opacity, percent; None: no photograph.")
    _script = "map_settings"


class ProfileHead(Component):
    """Title row of a profile: its length, its curves, and what can lie beside the element."""

    text = param.String("")
    curves = param.List([], doc="(colour, layer, symbol)")
    beside = param.List([], doc="Two names, empty for none.")
    options = param.List([], doc="(words, name)")
    across = param.Integer(1, doc="Pixels averaged. Not called width, which is the layout's.")
    widths = param.List([1, 3, 5, 9])
    folded = param.Boolean(False)
    _script = "profile_head"
