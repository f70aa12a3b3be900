"""Components of the maps side by side, of their mix, and of the photograph."""

from __future__ import annotations

import param

from dashboard.components import _code, _Component


class Readout(_Component):
    """A line that tells what the pointer is at; scripts of the page find it by its key."""

    key = param.String("")
    idle = param.String("", doc="What stands there while the pointer is elsewhere.")
    _esm = _code("readout")


class SmallSpectrum(_Component):
    """The spectrum of a component, without tools."""

    points = param.List([], doc="(keV, height from 0 to 1)")
    marks = param.List([], doc="(keV, symbol)")
    label = param.String("")
    _esm = _code("small_spectrum")


class MixTriangle(_Component):
    """The colours of three maps mixed, as a triangle.

    Not called Legend, for the reason that Caption is not called Title.
    """

    names = param.List([], doc="Three symbols.")
    colours = param.List([], doc="Three of (red, green, blue), 0…255.")
    words = param.List([], doc="Their names.")
    _esm = _code("mix_triangle")


class MixChannels(_Component):
    """Element and range of each of the colours of a mix."""

    items = param.List([], doc="{symbol, word, colour, low, high, text}; percentiles.")
    options = param.List([], doc="(word, symbol)")
    _esm = _code("mix_channels")
