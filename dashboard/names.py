"""English names of the elements, for words on the screen."""

from __future__ import annotations

from xrfengine.names import element_name

__all__ = ["element_name"]
