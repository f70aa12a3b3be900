"""The engine under the dashboard: XRF spectral images, elements, maps, clusters.

``import xrfengine`` stays cheap; torch, numba and umap load when something needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xrfengine.cube import Calibration, Cube, ElementMaps, Instrument, Spectrum
from xrfengine.errors import XRFError

if TYPE_CHECKING:
    from xrfengine.engine import Engine
    from xrfengine.readers import read

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "read":
        from xrfengine.readers import read

        return read
    if name == "Engine":
        from xrfengine.engine import Engine

        return Engine
    message = f"module 'xrfengine' has no attribute {name!r}"
    raise AttributeError(message)


__all__ = [
    "Calibration",
    "Cube",
    "ElementMaps",
    "Engine",
    "Instrument",
    "Spectrum",
    "XRFError",
    "read",
]
