"""Self-organising map of 3×3 nodes: batches on the device against minisom, in one run.

    python benchmarks/som.py [--shape 60 50 --channels 512] [--cube FILE.h5] [--passes 20]
                             [--peer-rows 10000] [--no-scaling] [--json FILE]

Same rows (principal components of a phantom painting's spectra), same start, as many passes;
minisom with the thesis's parameters (learning rate 0.1, neighbourhood 0.5, asymptotic decay).
minisom learns from ``--peer-rows`` rows drawn at random (0: all), a step a row, and its time is
scaled to all rows: a step costs the same whichever row it is. Quality is compared where both
learned from those rows; the two take turns, and both keep to one core. ``--no-scaling`` leaves
out the cost at ¼, ½, 1 and 2 times the rows. The thesis's size is ``--shape 524 348 --channels
4096``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
from cluster_rows import (
    Cost,
    add_arguments,
    agreement,
    growth_bytes,
    measured,
    painting_rows,
    slope,
)
from minisom import MiniSom
from threadpoolctl import threadpool_limits

from xrfengine.cluster import ClusterSettings, SomSettings, quantisation_error, train_som
from xrfengine.cluster.som import POLISH_PASSES

GRID = (3, 3)
LEARNING_RATE, NEIGHBOURHOOD = 0.1, 0.5  # thesis 3.1.1


def least(work: Callable[[], Any], repeats: int) -> tuple[Cost, Any]:
    """Least cost of a few runs, of clock and processor each, and the last result."""
    runs = [measured(work) for _ in range(repeats)]
    costs = [cost for cost, _ in runs]
    return Cost(min(c.wall_s for c in costs), min(c.cpu_s for c in costs)), runs[-1][1]


def minisom(rows: np.ndarray, start: np.ndarray, passes: int) -> np.ndarray:
    """Nodes (node, d) after ``passes`` over the rows in random order, from ``start``."""
    som = MiniSom(
        *GRID,
        rows.shape[1],
        sigma=NEIGHBOURHOOD,
        learning_rate=LEARNING_RATE,
        decay_function="asymptotic_decay",
        sigma_decay_function="asymptotic_decay",
        random_seed=0,
    )
    som._weights = start.reshape(*GRID, -1).astype(np.float64)
    som.train(rows, passes * len(rows), random_order=True)
    return som.get_weights().reshape(start.shape)


def settings_for(passes: int) -> SomSettings:
    """As many passes as asked for, those that end the learning included, over all rows."""
    return SomSettings(*GRID, n_passes=max(1, passes - POLISH_PASSES), n_starts=1, max_learn=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--peer-rows", type=int, default=10_000)
    parser.add_argument("--starts", type=int, default=3, help="starts compared in quality")
    parser.add_argument("--no-scaling", action="store_true")
    parser.add_argument("--device", help="cpu or cuda; the best there is by default")
    asked = parser.parse_args()
    painting = painting_rows(asked)
    rows, n = painting.features, len(painting.features)
    settings = settings_for(asked.passes)
    share = rows
    if 0 < asked.peer_rows < n:
        chosen = np.random.default_rng(0).choice(n, asked.peer_rows, replace=False)
        share = rows[np.sort(chosen)]

    def ours(of: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return train_som(of, settings, initial=start, device=asked.device)

    starts = [
        share[np.random.default_rng(seed).choice(len(share), GRID[0] * GRID[1], replace=False)]
        for seed in range(max(1, asked.starts))
    ]
    ours(share[:500], starts[0])  # loads torch
    quality, peer_costs, by_turns = [], [], []
    for start in starts:
        peer_cost, peer_nodes = measured(lambda start=start: minisom(share, start, asked.passes))
        peer_costs.append(peer_cost)
        by_turns.append(measured(lambda start=start: ours(rows, start))[0])
        errors = (
            quantisation_error(share, ours(share, start)[1]),
            quantisation_error(share, peer_nodes),
        )
        quality.append({"ours": errors[0], "minisom": errors[1], "ratio": errors[0] / errors[1]})
    ours_cost = Cost(min(c.wall_s for c in by_turns), min(c.cpu_s for c in by_turns))
    more = n / len(share)
    peer_cost = Cost(
        more * min(c.wall_s for c in peer_costs), more * min(c.cpu_s for c in peer_costs)
    )
    above, (labels, nodes) = growth_bytes(lambda: ours(rows, starts[0]))
    shipped_cost, (shipped_labels, shipped) = measured(lambda: train_som(rows, device=asked.device))
    # The work that cannot be less: two products a row and pass; the machine's rate is measured.
    operations = 4.0 * n * GRID[0] * GRID[1] * rows.shape[1] * (asked.passes + 1)
    square = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    with threadpool_limits(1):
        rate = 2.0 * 1024**3 / least(lambda: square @ square, 5)[0].wall_s
    smallest = ClusterSettings().cluster_size(n)
    report: dict[str, Any] = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        **painting.facts,
        "pixels": n,
        "passes": asked.passes,
        "peer_rows": len(share),
        "ours": ours_cost.to_dict(),
        "minisom_scaled": peer_cost.to_dict(),
        "ratio": {
            "wall": peer_cost.wall_s / ours_cost.wall_s,
            "cpu": peer_cost.cpu_s / ours_cost.cpu_s,
        },
        "quality": quality,
        "quantisation_error": quantisation_error(rows, nodes),
        "agreement": agreement(labels, painting.truth, smallest),
        "bytes_above": above,
        "cube_bytes": painting.cube_bytes,
        "shipped": {
            **shipped_cost.to_dict(),
            "quantisation_error": quantisation_error(rows, shipped),
            "agreement": agreement(shipped_labels, painting.truth, smallest),
        },
        "operations_at_matrix_rate_s": operations / rate,
    }
    if not asked.no_scaling:
        sizes, costs = [], []
        for times in (0.25, 0.5, 1.0, 2.0):
            some = np.concatenate([rows, rows]) if times == 2.0 else rows[: round(n * times)]
            sizes.append(len(some))
            costs.append(least(lambda some=some: ours(some, starts[0]), 3)[0])
        report["scaling"] = {
            "pixels": sizes,
            "costs": [cost.to_dict() for cost in costs],
            "slope": slope(sizes, costs),
        }
    show(report)
    print(json.dumps(report))
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def show(report: dict[str, Any]) -> None:
    def line(what: str, cost: dict[str, float], more: str = "") -> None:
        print(f"  {what:<44}{cost['wall_s']:>9.3f} s {cost['cpu_s']:>9.3f} s   {more}")

    print(f"{report['machine']}; {report['pixels']} spectra, {report['features']} features")
    print(f"3×3 nodes, {report['passes']} passes, same start{'wall':>24}{'processor':>12}")
    line("ours, all rows", report["ours"])
    ratio = report["ratio"]
    peer = f"minisom, {report['peer_rows']} rows, scaled to all"
    line(peer, report["minisom_scaled"], f"{ratio['wall']:.0f} × ({ratio['cpu']:.0f} ×)")
    limit_s = report["operations_at_matrix_rate_s"]
    print(f"  {'products alone at the matrix rate':<44}{limit_s:>9.3f} s")
    shipped = report["shipped"]
    line(
        "ours as shipped (8 starts, 20,000 rows)",
        shipped,
        f"error {shipped['quantisation_error']:.5f} (one start {report['quantisation_error']:.5f})",
    )
    for i, found in enumerate(report["quality"]):
        print(
            f"  start {i}: quantisation error {found['ours']:.5f}, minisom "
            f"{found['minisom']:.5f}, ratio {found['ratio']:.4f}"
        )
    for what, found in (("one start", report["agreement"]), ("shipped", shipped["agreement"])):
        print(
            f"  agreement with the truth, {what}: adjusted Rand {found['rand']:.3f}, "
            f"adjusted mutual information {found['information']:.3f}"
        )
    if report["bytes_above"] is not None:
        print(f"  memory: {report['bytes_above'] / report['cube_bytes']:.2f} × the cube above it")
    if "scaling" in report:
        for n, cost in zip(report["scaling"]["pixels"], report["scaling"]["costs"], strict=True):
            line(f"{n} spectra", cost)
        steep = report["scaling"]["slope"]
        print(f"  slope {steep['wall']:.2f} by the clock, {steep['cpu']:.2f} in processor time")


if __name__ == "__main__":
    main()
