"""Resident memory while reading a cube, layout by layout.

Each layout is written by one process and read by a fresh one, which reports its peak resident
memory (VmHWM) above what it held after reading a small file of the same layout: the libraries of
a format are loaded at its first file and cost the same whatever the size of a scan. The figure to
stay below is 1.3 × the array's own bytes, the array included. Linux only.

    python benchmarks/memory.py [--megabytes 240] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

LIMIT = 1.3
CHANNELS = 1024


def resident_kb(field: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (peak) of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise RuntimeError(f"no {field} in /proc/self/status")


def some_counts(megabytes: int, dtype: str = "uint16") -> np.ndarray:
    """Sparse counts that compress like measured ones; shape (y, 128, 1024)."""
    rows = megabytes * 1_000_000 // (128 * CHANNELS * np.dtype(dtype).itemsize) + 1
    rng = np.random.default_rng(0)
    band = rng.poisson(0.3, (8, 128, CHANNELS)).astype(dtype)
    return np.concatenate([band] * (rows // 8 + 1))[:rows]


def _hdf5(path: Path, counts: np.ndarray, **storage: object) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("counts", data=counts, **storage)
        file["energy_keV"] = 0.02 * np.arange(CHANNELS)


def _sidecar(path: Path) -> None:
    path.with_suffix(".json").write_text(json.dumps({"offset_kev": 0.0, "gain_kev": 0.02}))


def _npy(path: Path, counts: np.ndarray) -> None:
    np.save(path, counts)
    _sidecar(path)


def _xarray(path: Path, counts: np.ndarray, chunks: tuple[int, ...] | None, zlib: bool) -> None:
    import xarray as xr

    energy = 0.02 * np.arange(CHANNELS)
    data = xr.Dataset({"counts": (("y", "x", "energy"), counts)}, coords={"energy": energy})
    if path.suffix == ".nc":
        data.to_netcdf(path, engine="h5netcdf", encoding={"counts": {"zlib": True}} if zlib else {})
    else:
        encoding = {"counts": {"chunks": chunks}} if chunks else {}
        data.to_zarr(path, encoding=encoding, zarr_format=2)


LAYOUTS: dict[str, tuple[str, str, Callable[[Path, np.ndarray], None]]] = {
    "hdf5": (".h5", "uint16", lambda p, c: _hdf5(p, c)),
    "hdf5-gzip": (".h5", "uint16", lambda p, c: _hdf5(p, c, compression="gzip")),
    "hdf5-gzip-row": (
        ".h5",
        "uint16",
        lambda p, c: _hdf5(p, c, chunks=(1, 128, CHANNELS), compression="gzip"),
    ),
    "hdf5-gzip-column": (
        ".h5",
        "uint16",
        lambda p, c: _hdf5(p, c, chunks=(len(c), 1, 64), compression="gzip"),
    ),
    "hdf5-gzip-shuffle-float": (
        ".h5",
        "float32",
        lambda p, c: _hdf5(p, c, compression="gzip", shuffle=True),
    ),
    "hdf5-gzip-one-chunk": (
        ".h5",
        "uint16",
        lambda p, c: _hdf5(p, c, chunks=c.shape, compression="gzip", compression_opts=1),
    ),
    "netcdf": (".nc", "uint16", lambda p, c: _xarray(p, c, None, False)),
    "netcdf-zlib": (".nc", "float32", lambda p, c: _xarray(p, c, None, True)),
    "zarr": (".zarr", "uint16", lambda p, c: _xarray(p, c, None, True)),
    "zarr-row": (".zarr", "uint16", lambda p, c: _xarray(p, c, (1, 128, CHANNELS), True)),
    "npy": (".npy", "uint16", _npy),
    "npy-float": (".npy", "float64", _npy),
    "npy-fortran": (".npy", "uint16", lambda p, c: _npy(p, np.asfortranarray(c))),
    "npz": (".npz", "uint16", lambda p, c: np.savez(p, counts=c, offset_kev=0.0, gain_kev=0.02)),
    "npz-compressed": (
        ".npz",
        "uint16",
        lambda p, c: np.savez_compressed(p, counts=c, offset_kev=0.0, gain_kev=0.02),
    ),
}


def measure(layout: str, folder: Path, megabytes: int) -> dict[str, float | str]:
    """Write the layout here, read it in a fresh process; returns bytes, ratio and seconds."""
    suffix, dtype, write = LAYOUTS[layout]
    path, small = folder / (layout + suffix), folder / (layout + "-small" + suffix)
    write(path, some_counts(megabytes, dtype))
    write(small, some_counts(2, dtype))
    command = [sys.executable, __file__, "--read", str(small), str(path)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {"layout": layout, **json.loads(answer)}


def read_and_report(small: str, path: str) -> dict[str, float]:
    """Read a small cube and then another in this process, and say what the other cost."""
    import xrfengine

    xrfengine.read(small)
    before = resident_kb("VmRSS")
    start = time.perf_counter()
    cube = xrfengine.read(path)
    seconds = time.perf_counter() - start
    rise = (resident_kb("VmHWM") - before) * 1024
    return {
        "megabytes": cube.counts.nbytes / 1e6,
        "ratio": rise / cube.counts.nbytes,
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=240)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--read", nargs=2, metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("layouts", nargs="*", choices=[*LAYOUTS, []], default=[])
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read_and_report(*arguments.read)))
        return
    rows = []
    for layout in arguments.layouts or LAYOUTS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(layout, Path(folder), arguments.megabytes))
        if not arguments.json:
            row = rows[-1]
            verdict = "" if row["ratio"] <= LIMIT else "  above the limit"
            print(
                f"{layout:24s} {row['megabytes']:7.0f} MB  "
                f"{row['ratio']:.2f} ×  {row['seconds']:.2f} s{verdict}"
            )
    if arguments.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
