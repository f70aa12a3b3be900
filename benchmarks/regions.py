"""Spectrum of a lasso: tiles against NumPy fancy indexing, on the same pixels in one run.

    python benchmarks/regions.py [--shape 524 348 4096] [--quick] [--json OUT.json]

Polygons of 1,000 to 100,000 pixels on a cube of random 16-bit counts; ``--quick`` takes 130 rows
of 512 channels. The distance to the limit: bytes that the region's pixels hold, over what reading
memory once takes on this machine. Last, the sums of k×k regions from tiles and from the cube, and
how the time of a lasso grows with its pixels (slope in log-log; reading them all would be 1).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine import Calibration, Cube
from xrfengine.maps.pooling import block_sums
from xrfengine.regions import polygon_mask, region_spectrum
from xrfengine.store import make_tiles, region_totals, tile_sums

REPEATS = 9


def median_s(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median seconds of a call, after one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def lasso(shape_yx: tuple[int, int], share: float) -> np.ndarray:
    """A wavy closed curve about the middle that holds about a share of the pixels."""
    height, width = shape_yx
    turn = np.linspace(0.0, 2.0 * np.pi, 80, endpoint=False)
    reach = np.sqrt(share / np.pi) * (1.0 + 0.12 * np.cos(7.0 * turn))
    vertices = np.c_[
        width * (0.5 + reach * np.cos(turn)) - 0.5, height * (0.5 + reach * np.sin(turn)) - 0.5
    ]
    return polygon_mask(vertices, shape_yx)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=3, default=(524, 348, 4096))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.shape = (130, 348, 512)
    height, width, n_channels = options.shape
    band = np.random.default_rng(0).poisson(5.0, (1, width, n_channels)).astype(np.uint16)
    cube = Cube(np.tile(band, (height, 1, 1)), Calibration(0.0, 0.01), "random")
    counts = cube.counts
    read_s = median_s(lambda: counts.view(np.uint64).max(), 3)
    make_tiles(Cube(counts[:30, :30], cube.calibration, "warm"))
    started = time.perf_counter()
    tiles = make_tiles(cube)
    built_s = time.perf_counter() - started
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; cube "
        f"{height}×{width}×{n_channels}, {counts.nbytes / 1e9:.2f} GB, read once at "
        f"{counts.nbytes / read_s / 1e9:.1f} GB/s"
    )
    share = tiles.nbytes / counts.nbytes
    print(f"tiles: {built_s:.2f} s once, {share:.3f} of the cube's memory\n")
    header = ("pixels", "tiles ms", "row by row ms", "fancy indexing ms", "ratio", "limit ms")
    print("".join(f"{name:>19}" for name in header))
    rows = []
    for wanted in (1_000, 10_000, 100_000):
        mask = lasso((height, width), min(wanted / (height * width), 0.7))
        ours = median_s(lambda mask=mask: region_totals(cube, tiles, mask))
        plain = median_s(lambda mask=mask: region_spectrum(cube, mask), 3)
        peer = median_s(lambda mask=mask: counts[mask].sum(axis=0, dtype=np.float64), 3)
        np.testing.assert_array_equal(
            region_totals(cube, tiles, mask)[0], counts[mask].sum(axis=0, dtype=np.float64)
        )
        pixels = int(mask.sum())
        limit = pixels * n_channels * counts.itemsize / (counts.nbytes / read_s)
        rows.append(
            {"pixels": pixels, "tiles_s": ours, "rows_s": plain, "fancy_s": peer, "limit_s": limit}
        )
        figures = (1e3 * ours, 1e3 * plain, 1e3 * peer, peer / ours, 1e3 * limit)
        print(f"{pixels:>19}" + "".join(f"{v:>19.1f}" for v in figures))
    pixels = [row["pixels"] for row in rows]
    slope = float(np.polyfit(np.log(pixels), np.log([row["tiles_s"] for row in rows]), 1)[0])
    print(f"\ntime against pixels of the lasso: slope {slope:.2f}")
    coarse = []
    print(f"\n{'regions':>19}{'tiles ms':>19}{'block sums ms':>19}")
    for k in (5, 10, 20, 25):
        ours = median_s(lambda k=k: tile_sums(tiles, k), 5)
        peer = median_s(lambda k=k: block_sums(counts, k), 1)
        coarse.append({"region_px": k, "tiles_s": ours, "block_sums_s": peer})
        print(f"{f'{k}×{k}':>19}{1e3 * ours:>19.1f}{1e3 * peer:>19.1f}")
    if options.json:
        report = {
            "tiles_built_s": built_s,
            "tiles_share_of_cube": share,
            "bytes_per_s": counts.nbytes / read_s,
            "lasso": rows,
            "slope": slope,
            "coarse": coarse,
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
