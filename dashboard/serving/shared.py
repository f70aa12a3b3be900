"""The one engine of this process, shared by all sessions."""

from __future__ import annotations

import os
from pathlib import Path

import panel as pn

from xrfengine.engine import Engine


def _make() -> Engine:
    data, model = os.environ.get("XRF_DATA"), os.environ.get("XRF_MODEL")
    return Engine(
        data_folder=Path(data).expanduser() if data else None,
        model=Path(model).expanduser() if model else None,
    )


def get_engine() -> Engine:
    """The engine, made at the first call; ``XRF_DATA`` and ``XRF_MODEL`` say from what."""
    return pn.state.as_cached("xrf-engine", _make)
