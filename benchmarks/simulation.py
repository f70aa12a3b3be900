"""How many training spectra a second the simulator makes.

Run from the repository's root: ``python benchmarks/simulation.py [--batches N] [--size N]``.
Prints a table and, with ``--json FILE``, writes the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

from xrfengine.cache import written_whole
from xrfengine.classifier.simulate import THESIS_ELEMENTS, SimulationSettings, Simulator
from xrfengine.lines import ELEMENTS


def measure(preset: str, size: int, batches: int, seed: int) -> dict[str, float]:
    """Wall and processor time of ``batches`` batches, after one that fills the tables."""
    elements = THESIS_ELEMENTS if preset == "thesis" else ELEMENTS
    simulator = Simulator(SimulationSettings(preset=preset), elements)
    rng = np.random.default_rng(seed)
    start = time.perf_counter()
    simulator.batch(size, rng)
    first_s = time.perf_counter() - start
    start, start_cpu = time.perf_counter(), time.process_time()
    channels = 0
    for _ in range(batches):
        channels += simulator.batch(size, rng).counts.shape[1]
    wall_s, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    return {
        "preset": preset,
        "batch_size": size,
        "batches": batches,
        "mean_channels": channels / batches,
        "first_batch_s": first_s,
        "spectra_per_s": size * batches / wall_s,
        "spectra_per_cpu_s": size * batches / cpu_s,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [
        measure(preset, size, arguments.batches, arguments.seed)
        for preset in ("physical", "thesis")
        for size in arguments.size
    ]
    print(f"{'preset':<10}{'batch':>6}{'channels':>10}{'spectra/s':>11}{'per CPU s':>11}")
    for row in rows:
        print(
            f"{row['preset']:<10}{row['batch_size']:>6}{row['mean_channels']:>10.0f}"
            f"{row['spectra_per_s']:>11.0f}{row['spectra_per_cpu_s']:>11.0f}"
        )
    if arguments.json:
        machine = {"processor": platform.processor(), "cores": os.cpu_count()}
        with written_whole(arguments.json) as path:
            path.write_text(json.dumps({"machine": machine, "results": rows}, indent=2))


if __name__ == "__main__":
    main()
