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


class PhotoUpload(_Component):
    """Takes an image file and sends it in pieces."""

    received = param.Integer(0, doc="Bytes that have arrived; the next piece follows.")
    most_bytes = param.Integer(0)
    has_photo = param.Boolean(False)
    _esm = _code("photo_upload")


class PhotoPoints(_Component):
    """Control points with their residuals, and what can be done with them."""

    items = param.List([], doc="{n, away}")
    told = param.String("", doc="What to do next.")
    summary = param.String("")
    can_refine = param.Boolean(False)
    _esm = _code("photo_points")
