"""A synthetic painting with known truth: demo, tests, benchmarks.

A lady in profile before a landscape, in some twenty historical pigments. The man in a red cap whom
she faced was painted out: only X-rays see him. Restorers of two centuries have retouched losses.
Colours (Kubelka–Munk) and spectra (fluorescence, absorption by the layers above, scatter,
detector) follow from the same paint films.
"""

from __future__ import annotations

from xrfengine.phantom.files import (
    demo_file,
    read_areas,
    read_picture,
    read_truth,
    write_phantom,
)
from xrfengine.phantom.make import TITLE, Phantom, PhantomSettings, make_phantom
from xrfengine.phantom.pigments import PALETTE, Pigment

__all__ = [
    "PALETTE",
    "TITLE",
    "Phantom",
    "PhantomSettings",
    "Pigment",
    "demo_file",
    "make_phantom",
    "read_areas",
    "read_picture",
    "read_truth",
    "write_phantom",
]
