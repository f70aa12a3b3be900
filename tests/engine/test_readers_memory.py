"""Reading takes at most 1.3 × the array's own bytes: measured in fresh processes."""

import importlib.util
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "memory.py"


def _memory():
    spec = importlib.util.spec_from_file_location("memory_benchmark", _SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    "layout",
    ["hdf5", "hdf5-gzip", "hdf5-gzip-one-chunk", "netcdf-zlib", "zarr", "npy", "npz"],
)
def test_reading_stays_within_the_limit(tmp_path, layout):
    memory = _memory()
    figures = memory.measure(layout, tmp_path, 200)
    assert figures["megabytes"] >= 200
    assert 0.9 < figures["ratio"] <= memory.LIMIT
