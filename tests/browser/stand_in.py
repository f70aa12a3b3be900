"""Run by ``panel serve --setup``: two small scans, a broken one, and a stand-in model."""

import importlib.util
import os
from pathlib import Path

import dashboard.serving.shared

_path = Path(os.environ["XRF_STAND_IN"])
_spec = importlib.util.spec_from_file_location("fake_engine", _path)
_fake_engine = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fake_engine)

dashboard.serving.shared._make = lambda: _fake_engine.FakeEngine(Path(os.environ["XRF_CACHE"]))
