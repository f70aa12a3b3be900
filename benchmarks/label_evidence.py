"""Is an element there that no label names? Net counts of a line on two detectors of one scan.

    python benchmarks/label_evidence.py SCAN_A SCAN_B --line-kev 26.27 [--control-kev 27.6]

Of a line's window less the background in windows on both sides: net counts of the sum with their
Poisson error; how far the two detectors' maps of it agree, which noise does not (rank
correlation of 5×5 regions); and the same for a window without any line beside it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from xrfengine.cube import Cube
from xrfengine.maps.pooling import block_sums
from xrfengine.readers import read

HALF_KEV, GAP_KEV, SIDE_KEV = 0.28, 0.05, 0.32
"""Half the line's window, the gap to the windows of the background, and their width."""

REGION_PX = 5


def net_map(cube: Cube, line_kev: float) -> tuple[np.ndarray, float, float]:
    """Net counts of regions (y, x), their sum, and its standard deviation."""
    energy = cube.calibration.energy_kev(cube.shape[2])
    away = np.abs(energy - line_kev)
    line = away < HALF_KEV
    side = (away >= HALF_KEV + GAP_KEV) & (away < HALF_KEV + GAP_KEV + SIDE_KEV)
    share = line.sum() / side.sum()
    # Sums of regions first: the windows are a few channels of many.
    first = int(np.flatnonzero(line | side)[0])
    last = int(np.flatnonzero(line | side)[-1]) + 1
    sums = block_sums(np.ascontiguousarray(cube.counts[:, :, first:last]), REGION_PX)
    inside = sums[:, :, line[first:last]].sum(axis=2, dtype=np.float64)
    beside = sums[:, :, side[first:last]].sum(axis=2, dtype=np.float64)
    net = inside - share * beside
    return net, float(net.sum()), float(np.sqrt(inside.sum() + share**2 * beside.sum()))


def compared(cubes: tuple[Cube, Cube], line_kev: float) -> dict[str, float | list[float]]:
    """Net counts and errors of both detectors, and the rank correlation of their maps."""
    found = [net_map(cube, line_kev) for cube in cubes]
    rank, chance = spearmanr(found[0][0].ravel(), found[1][0].ravel())
    return {
        "line_kev": line_kev,
        "net_counts": [net for _, net, _ in found],
        "error_counts": [error for _, _, error in found],
        "rank_correlation": float(rank),
        "by_chance": float(chance),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", type=Path, nargs=2)
    parser.add_argument("--line-kev", type=float, required=True)
    parser.add_argument("--control-kev", type=float, nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    cubes = (read(args.scans[0]), read(args.scans[1]))
    rows = [compared(cubes, kev) for kev in (args.line_kev, *args.control_kev)]
    print(f"{'keV':>7}{'net, first':>20}{'net, second':>20}{'rank correlation':>20}{'chance':>10}")
    for row in rows:
        cells = [
            f"{net:,.0f} ± {error:,.0f}"
            for net, error in zip(row["net_counts"], row["error_counts"], strict=True)
        ]
        print(
            f"{row['line_kev']:>7.2f}{cells[0]:>20}{cells[1]:>20}"
            f"{row['rank_correlation']:>20.2f}{row['by_chance']:>10.1g}"
        )
    if args.json is not None:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
