"""Clustering, timed against its peers on the same rows in the same run.

    python benchmarks/clusters.py [--pixels 30000] [--components 2] [--umap-learn] [--json FILE]

The rows are mixtures of 14 materials in 32 features with noise; a fifth of them are mixed. Three
tables: the self-organising map against the online rule as the thesis ran it; the embedding and
the tree, with ``--umap-learn`` against umap-learn and hdbscan on all rows (slow); the cut against
hdbscan's own functions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.cluster import (
    ClusterSettings,
    EmbeddingSettings,
    SomSettings,
    build_tree,
    cut,
    embed,
    quantisation_error,
    train_som,
    warm_up,
)
from xrfengine.cluster.process import close_workers

GRID = (3, 3)  # the thesis's map


def mixtures(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, 32) float32 and the material of each, −1 where two are mixed."""
    random = np.random.default_rng(seed)
    k = 14
    centres = random.normal(size=(k, 32)) * np.linspace(1.0, 0.1, 32)
    share = random.random(k) ** 2
    first, second = random.choice(k, n, p=share / share.sum()), random.integers(0, k, n)
    mixed = random.random(n) < 0.2
    amount = np.where(mixed, random.beta(0.3, 0.3, n), 0.0)[:, None]
    rows = (1 - amount) * centres[first] + amount * centres[second]
    rows += random.normal(size=rows.shape) * 0.12
    return rows.astype(np.float32), np.where(mixed, -1, first)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def agreement(labels: np.ndarray, truth: np.ndarray) -> float:
    """Adjusted Rand index over the rows of one material; the unassigned are one group."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(truth[truth >= 0], labels[truth >= 0]))


def online_som(rows: np.ndarray, steps: int, seed: int = 0) -> np.ndarray:
    """The rule of the thesis: rate 0.1 and radius 0.5 falling with decay 0.5, a row at a time."""
    random = np.random.default_rng(seed)
    nodes = rows[random.choice(len(rows), GRID[0] * GRID[1], replace=False)].astype(np.float64)
    place = np.indices(GRID).reshape(2, -1).T
    for t in range(steps):
        row = rows[t % len(rows)]
        fall = 1.0 + 0.5 * t / (steps / 2.0)
        best = ((nodes - row) ** 2).sum(axis=1).argmin()
        near = np.exp(-((place - place[best]) ** 2).sum(axis=1) / (2 * (0.5 / fall) ** 2))
        nodes += (0.1 / fall * near)[:, None] * (row - nodes)
    return nodes


def som(rows: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    settings = SomSettings(*GRID)
    ours, (labels, nodes) = timed(lambda: train_som(rows, settings))
    share = min(len(rows), 20_000)  # the peer is timed on a share and scaled to as many passes
    seconds, peer = timed(lambda: online_som(rows, share))
    peer_labels = np.concatenate(
        [((r[:, None] - peer) ** 2).sum(axis=2).argmin(axis=1) for r in np.array_split(rows, 50)]
    )
    return [
        {
            "what": f"batch SOM, {settings.n_starts} starts",
            "seconds": ours,
            "quantisation_error": quantisation_error(rows, nodes),
            "agreement": agreement(labels, truth),
        },
        {
            "what": "online SOM, one start, same passes (scaled)",
            "seconds": seconds * len(rows) / share * settings.n_passes,
            "quantisation_error": quantisation_error(rows, peer),
            "agreement": agreement(peer_labels, truth),
        },
    ]


def density(
    rows: np.ndarray, truth: np.ndarray, components: int, least: int
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Embedding and tree, and the coordinates."""
    warm, _ = timed(warm_up)
    settings = EmbeddingSettings(n_components=components)
    seconds, embedding = timed(lambda: embed(rows, settings))
    tree_seconds, tree = timed(lambda: build_tree(embedding.coordinates))
    labels = cut(tree, least)
    line = {
        "what": f"embed + tree, {embedding.n_fitted} fitted (warm-up {warm:.1f} s apart)",
        "seconds": seconds + tree_seconds,
        "tree_seconds": tree_seconds,
        "clusters": int(labels.max()) + 1,
        "agreement": agreement(labels, truth),
    }
    return [line], embedding.coordinates


def umap_learn(rows: np.ndarray, truth: np.ndarray, components: int, least: int) -> dict[str, Any]:
    import hdbscan

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # of a part that needs Tensorflow
        import umap

    def work() -> tuple[np.ndarray, float]:
        model = umap.UMAP(
            n_neighbors=30, min_dist=0.0, n_components=components, random_state=0, n_jobs=1
        )
        places = model.fit_transform(rows)
        start = time.perf_counter()
        labels = hdbscan.HDBSCAN(min_samples=10, min_cluster_size=least).fit(places).labels_
        return labels, time.perf_counter() - start

    work_on = umap.UMAP(n_neighbors=5, n_epochs=2, random_state=0, n_jobs=1)
    work_on.fit(rows[:5000])  # compiles
    seconds, (labels, tree_seconds) = timed(work)
    return {
        "what": "umap-learn + hdbscan on all rows",
        "seconds": seconds,
        "tree_seconds": tree_seconds,
        "clusters": int(labels.max()) + 1,
        "agreement": agreement(labels, truth),
    }


def cuts(coordinates: np.ndarray, least: int) -> list[dict[str, Any]]:
    from hdbscan._hdbscan_tree import compute_stability, condense_tree, get_clusters

    from xrfengine.cluster.density import ClusterTree, single_linkage

    linkage = single_linkage(coordinates, 10)
    tree = ClusterTree.from_linkage(linkage, 10)

    def library() -> np.ndarray:
        condensed = condense_tree(linkage, least)
        return get_clusters(condensed, compute_stability(condensed))[0]

    ours = min(timed(lambda: cut(tree, least))[0] for _ in range(7))
    theirs, labels = timed(library)
    same = agreement(cut(tree, least), labels.astype(np.int64) + 1)
    return [
        {"what": f"cut at {least}", "seconds": ours, "agreement": same},
        {"what": "hdbscan's own functions", "seconds": theirs, "agreement": 1.0},
    ]


def show(title: str, lines: list[dict[str, Any]]) -> None:
    print(f"\n{title}")
    for line in lines:
        rest = "  ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in line.items()
            if name not in ("what", "seconds")
        )
        print(f"  {line['what']:<62} {line['seconds']:9.4f} s  {rest}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=int, default=30_000)
    parser.add_argument("--components", type=int, default=2)
    parser.add_argument("--umap-learn", action="store_true", help="also run the slow peer")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows, truth = mixtures(asked.pixels)
    least = ClusterSettings().cluster_size(asked.pixels)
    report: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "pixels": asked.pixels,
        "som": som(rows, truth),
    }
    report["density"], coordinates = density(rows, truth, asked.components, least)
    if asked.umap_learn:
        report["density"].append(umap_learn(rows, truth, asked.components, least))
    report["cut"] = cuts(coordinates, least)
    close_workers()
    show(f"Self-organising map {GRID[0]}×{GRID[1]}, {asked.pixels} pixels", report["som"])
    show("UMAP → HDBSCAN", report["density"])
    show("Cut", report["cut"])
    print(json.dumps(report))
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
