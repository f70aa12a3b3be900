"""Fixtures of the dashboard's tests: no browser, no server, a stand-in model."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from dashboard.plots.figures import layer
from dashboard.results import Results
from dashboard.session import Session

_SPEC = importlib.util.spec_from_file_location(
    "fake_engine", Path(__file__).with_name("fake_engine.py")
)
fake_engine = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fake_engine)


@pytest.fixture(autouse=True)
def _own_state(tmp_path, monkeypatch):
    """What is saved goes to a folder of the test's own."""
    monkeypatch.setenv("XRF_STATE", str(tmp_path / "state"))


@pytest.fixture
def engine(tmp_path):
    engine = fake_engine.FakeEngine(tmp_path)
    yield engine
    engine.close()


@pytest.fixture
def visit(engine):
    """Run ``async def steps(session, results)`` on a session of the fake engine.

    With ``make``, such as the class of a view, this is made of both before the scan is opened, and
    given to the steps as a third.
    """

    def run(steps, make=None, **choices):
        async def main():
            session = Session(**choices)
            results = Results(engine, session)
            made = () if make is None else (make(session, results),)
            results.open()
            await results.settled()
            await steps(session, results, *made)
            results.close()

        asyncio.run(main())

    return run


def painted_mask(figure, shape_yx: tuple[int, int]) -> np.ndarray:
    """The pixels a map marks as selected; bool (y, x)."""
    data = layer(figure, "mask").data_source.data
    whole = np.zeros(shape_yx, bool)
    height, width = data["image"][0].shape
    top, left = round(data["y"][0] + 0.5), round(data["x"][0] + 0.5)
    whole[top : top + height, left : left + width] = data["image"][0] != 0
    return whole


@pytest.fixture
def mask_of():
    return painted_mask
