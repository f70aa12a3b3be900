"""Components of the maps side by side, of their mix, and of the photograph."""

from __future__ import annotations

import param

from dashboard.components import Component


class Readout(Component):
    """A line that tells what the pointer is at; scripts of the page find it by its key."""

    key = param.String("")
    idle = param.String("", doc="What stands there while the pointer is elsewhere.")
    _script = "readout"


class SmallSpectrum(Component):
    """The spectrum of a component, without tools."""

    points = param.List([], doc="(keV, height from 0 to 1)")
    marks = param.List([], doc="(keV, symbol)")
    label = param.String("")
    _script = "small_spectrum"


class MixTriangle(Component):
    """The colours of three maps mixed, as a triangle.

    Not called Legend, for the reason that Caption is not called Title.
    """

    names = param.List([], doc="Three symbols.")
    colours = param.List([], doc="Three of (red, green, blue), 0…255.")
    words = param.List([], doc="Their names.")
    _script = "mix_triangle"


class MixChannels(Component):
    """Element and range of each of the colours of a mix."""

    items = param.List([], doc="{symbol, word, colour, low, high, text}; percentiles.")
    options = param.List([], doc="(word, symbol)")
    _script = "mix_channels"


class PhotoUpload(Component):
    """Takes an image file and sends it in pieces."""

    received = param.Integer(0, doc="Bytes that have arrived; the next piece follows.")
    most_bytes = param.Integer(0)
    has_photo = param.Boolean(False)
    _script = "photo_upload"


class PhotoPoints(Component):
    """Control points with their residuals, and what can be done with them."""

    items = param.List([], doc="{n, away}")
    told = param.String("", doc="What to do next.")
    summary = param.String("")
    can_refine = param.Boolean(False)
    _script = "photo_points"
