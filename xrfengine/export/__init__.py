"""Taking it home: one file a format, from an :class:`Analysis` to bytes or to a path.

Everything is written whole or not at all, and says where it comes from: the digests of data and
model, the settings, and the version of the software.
"""

from __future__ import annotations

from xrfengine.export.analysis import Analysis, Area, Provenance, file_name

__all__ = ["Analysis", "Area", "Provenance", "file_name"]
