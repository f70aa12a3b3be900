"""How a choice too large for the address stands in a saved view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kept:
    """One entry of a saved view.

    ``write`` gives what JSON holds; ``read`` is its inverse and raises ``ValueError``, in words
    that continue "this view could not be restored in full: …", for anything else.
    """

    parameter: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
