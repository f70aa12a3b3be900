"""Self-organising map of 3×3 nodes: batches on the device against minisom, in one run.

    python benchmarks/som.py [--shape 60 50 --channels 512] [--cube FILE.h5] [--passes 20]
                             [--peer-rows 10000] [--scaling] [--json FILE]

Same rows (principal components of a phantom painting's spectra), same start, as many passes;
minisom with the thesis's parameters (learning rate 0.1, neighbourhood 0.5, asymptotic decay).
minisom learns from ``--peer-rows`` rows drawn at random (0: all), a step a row, and its time is
scaled to all rows: a step costs the same whichever row it is. Quality is compared where both
learned from those rows. ``--scaling`` adds the cost at ¼, ½, 1 and 2 times the rows. The thesis's
size is ``--shape 524 348 --channels 4096``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from cluster_rows import add_arguments, agreement, painting_rows
from minisom import MiniSom

from xrfengine.cluster import ClusterSettings, SomSettings, quantisation_error, train_som
from xrfengine.cluster.som import POLISH_PASSES

GRID = (3, 3)
LEARNING_RATE, NEIGHBOURHOOD = 0.1, 0.5  # thesis 3.1.1


def timed(work: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """Least wall seconds, and the result."""
    walls, result = [], None
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        walls.append(time.perf_counter() - started)
    return min(walls), result


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


def slope(sizes: list[int], seconds: list[float]) -> float:
    """Of the logarithm of the seconds against that of the size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--peer-rows", type=int, default=10_000)
    parser.add_argument("--starts", type=int, default=3, help="starts compared in quality")
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--device", help="cpu or cuda; the best there is by default")
    asked = parser.parse_args()
    painting = painting_rows(asked)
    rows, n = painting.features, len(painting.features)
    settings = settings_for(asked.passes)
    random = np.random.default_rng(0)
    share = rows
    if 0 < asked.peer_rows < n:
        share = rows[np.sort(random.choice(n, asked.peer_rows, replace=False))]

    def ours(of: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return train_som(of, settings, initial=start, device=asked.device)

    starts = [
        share[np.random.default_rng(seed).choice(len(share), GRID[0] * GRID[1], replace=False)]
        for seed in range(max(1, asked.starts))
    ]
    ours(share[:500], starts[0])  # loads torch
    quality, peer_s = [], []
    for start in starts:
        _, nodes = ours(share, start)
        seconds, peer_nodes = timed(lambda start=start: minisom(share, start, asked.passes))
        peer_s.append(seconds)
        errors = (quantisation_error(share, nodes), quantisation_error(share, peer_nodes))
        quality.append({"ours": errors[0], "minisom": errors[1], "ratio": errors[0] / errors[1]})
    ours_s, (labels, nodes) = timed(lambda: ours(rows, starts[0]), 3)
    peer_all_s = min(peer_s) * n / len(share)
    shipped_s, (shipped_labels, shipped) = timed(lambda: train_som(rows, device=asked.device))
    # The work that cannot be less: two products a row and pass; the machine's rate is measured.
    operations = 4.0 * n * GRID[0] * GRID[1] * rows.shape[1] * (asked.passes + 1)
    square = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    rate = 2.0 * 1024**3 / timed(lambda: square @ square, 5)[0]
    least = ClusterSettings().cluster_size(n)
    report: dict[str, Any] = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        **painting.facts,
        "pixels": n,
        "passes": asked.passes,
        "peer_rows": len(share),
        "ours_s": ours_s,
        "minisom_s_scaled": peer_all_s,
        "ratio": peer_all_s / ours_s,
        "quality": quality,
        "quantisation_error": quantisation_error(rows, nodes),
        "agreement": agreement(labels, painting.truth, least),
        "shipped": {
            "seconds": shipped_s,
            "quantisation_error": quantisation_error(rows, shipped),
            "agreement": agreement(shipped_labels, painting.truth, least),
        },
        "operations_at_matrix_rate_s": operations / rate,
    }
    if asked.scaling:
        sizes, seconds = [], []
        for times in (0.25, 0.5, 1.0, 2.0):
            some = np.concatenate([rows, rows]) if times == 2.0 else rows[: round(n * times)]
            sizes.append(len(some))
            seconds.append(timed(lambda some=some: ours(some, starts[0]), 3)[0])
        report["scaling"] = {"pixels": sizes, "seconds": seconds, "slope": slope(sizes, seconds)}
    show(report)
    print(json.dumps(report))
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def show(report: dict[str, Any]) -> None:
    print(f"{report['machine']}; {report['pixels']} spectra, {report['features']} features")
    print(f"3×3 nodes, {report['passes']} passes, same start")
    print(f"  {'ours, all rows':<44}{report['ours_s']:>9.3f} s")
    peer = f"minisom, {report['peer_rows']} rows, scaled to all"
    print(f"  {peer:<44}{report['minisom_s_scaled']:>9.3f} s   {report['ratio']:.0f} ×")
    limit_s = report["operations_at_matrix_rate_s"]
    print(f"  {'products alone at the matrix rate':<44}{limit_s:>9.3f} s")
    shipped = report["shipped"]
    print(
        f"  {'ours as shipped (8 starts, 20,000 rows)':<44}{shipped['seconds']:>9.3f} s   "
        f"error {shipped['quantisation_error']:.5f} (one start {report['quantisation_error']:.5f})"
    )
    for i, line in enumerate(report["quality"]):
        print(
            f"  start {i}: quantisation error {line['ours']:.5f}, minisom {line['minisom']:.5f}, "
            f"ratio {line['ratio']:.4f}"
        )
    print(f"  agreement with the truth {report['agreement']}")
    if "scaling" in report:
        told = ", ".join(
            f"{n}: {s:.3f} s"
            for n, s in zip(report["scaling"]["pixels"], report["scaling"]["seconds"], strict=True)
        )
        print(f"  {told}; slope {report['scaling']['slope']:.2f}")


if __name__ == "__main__":
    main()
