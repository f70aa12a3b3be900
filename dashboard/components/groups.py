"""Components of the groups of pixels: clusters, their tree, the self-organising map."""

from __future__ import annotations

import param

from dashboard.components import Component


class Clusters(Component):
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
    _script = "clusters"


class Tree(Component):
    """The condensed tree; messages ``{branch: index}`` for a click, ``{level: 0…1}`` for a cut."""

    branches = param.List([], doc="{i, parent, size, share, steps: (depth, left, right) each 0…1}")
    chosen = param.Dict({}, doc="By index of a branch: {number, colour, name}")
    value = param.Integer(None, allow_None=True, doc="Number of the chosen cluster.")
    _script = "tree"


class Nodes(Component):
    """The grid of a self-organising map; a click is a message ``{number: …}``."""

    items = param.List([], doc="{number, name, colour, size, share, elements, text, heights}")
    joined = param.List([], doc="(number, number): a node, and that which it was merged into.")
    rows = param.Integer(1)
    columns = param.Integer(1)
    value = param.Integer(None, allow_None=True, doc="Number of the chosen node.")
    axis = param.String("", doc="What the small spectra show.")
    _script = "nodes"


class LabelsMap(Component):
    """Clusters as a map; messages ``{at: (x, y) each 0…1}`` and ``{action: name}``."""

    src = param.String("")
    title = param.String("")
    colour = param.String("")
    text = param.String("")
    hint = param.String("")
    actions = param.List([], doc="(word, name, tooltip)")
    _script = "labels_map"
