"""Components of the export and of the pigment candidates."""

from __future__ import annotations

import param

from dashboard.components import Component


class ExportButtons(Component):
    """Saves the map shown as a picture, opens the export, and takes files that are sent."""

    title = param.String("", doc="Name of the picture's file; empty: no map yet.")
    busy = param.Boolean(False)
    is_open = param.Boolean(False)
    _script = "export_buttons"


class ExportList(Component):
    """What can be taken home, with a preview of the picture."""

    groups = param.List([], doc="{title, items: [{id, title, told, size, file, ready, why}]}")
    read_told = param.List(["", ""], doc="What came of a file of regions; 'problem' or empty.")
    most_bytes = param.Integer(0, doc="Of a file of regions.")
    preview = param.String("", doc="The picture as a data address; empty: the caption says why.")
    caption = param.String("")
    running = param.String("", doc="Id of what is being made.")
    fraction = param.Number(0.0)
    message = param.String("")
    problem = param.String("")
    problem_of = param.String("")
    _script = "export_list"


class Pigments(Component):
    """Pigment candidates, folded; each group opens to what speaks for and against it."""

    is_open = param.Boolean(False)
    about = param.String("", doc="Whose elements they are.")
    hint = param.String("")
    groups = param.List([], doc="{id, title, elements, told, pigments: [{name, formula, …}]}")
    unseen = param.List([], doc="{name, why}")
    busy = param.Boolean(False)
    problem = param.String("")
    _script = "pigments"
