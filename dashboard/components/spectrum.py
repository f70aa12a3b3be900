"""Components of the spectrum, of its calibration, and of what is made of it."""

from __future__ import annotations

import param

from dashboard.components import Component


class SpectrumStrip(Component):
    """Below the title of the spectrum: element cursor, legend, fit, energy window."""

    element = param.String("")
    element_name = param.String("")
    families = param.List([], doc="K, L, M: those of which a line is marked.")
    chips = param.List([], doc="(colour, text, id or empty, whether shown); with an id it toggles.")
    equal = param.Boolean(False, doc="Curves are scaled to the same area.")
    window = param.List([], doc="(low, high, lowest, highest, step) in keV; empty: no window.")
    window_told = param.String("", doc="What is counted between them.")
    mark = param.List([], doc="(text, tooltip) where the energies are not the file's.")
    fit = param.List([], doc="(text, tooltip) of the fit that is shown.")
    _script = "spectrum_strip"


class Candidates(Component):
    """What a peak can be, the likeliest first; a click chooses the element."""

    title = param.String("")
    sentence = param.String("")
    items = param.List([], doc="{name, element, share, distance, tags, sentence, lines}")
    value = param.String("", doc="The element shown on the map.")
    source = param.String("", doc="'selection' or 'scan'.")
    has_selection = param.Boolean(False)
    state = param.Dict({}, doc="{kind, message, hint, fraction}")
    _script = "candidates"


class CalibrationPanel(Component):
    """Named peaks of a calibration, what they give, and applying it."""

    current = param.String("")
    source = param.String("")
    is_own = param.Boolean(False)
    pairs = param.List([], doc="{channel, energy, name, residual, lines: [(name, keV)]}")
    proposed = param.String("")
    effect = param.List([], doc="(keV, eV by which it moves)")
    problem = param.String("")
    can_apply = param.Boolean(False)
    _script = "calibration_panel"


class PreprocessPanel(Component):
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
    _script = "preprocess_panel"
