"""Embedding and clusters of all pixels, against umap-learn → hdbscan, in one run.

    python benchmarks/embedding.py [--shape 60 50 --channels 512] [--cube FILE.h5]
                                   [--components 1 2] [--seeds 0 1] [--no-peer] [--no-repeat]
                                   [--no-scaling] [--json FILE]

Same rows for both: principal components of a phantom painting's spectra. The peer has the
thesis's parameters (30 neighbours, min_dist 0, min_samples 10, smallest cluster 2,500 of 182,352
pixels, scaled) and a seed, as ours has, which costs it the threads of its layout. Its neighbours
are searched for once a seed and their time is counted for every number of components. Ours and
the peer take turns, each in a process of its own whose compiled code is warm; peak memory is read
at the end (Linux). ``--no-repeat`` leaves out the second embedding in a new process that shows
the same seed giving the same bits, ``--no-scaling`` the cost of ours at ¼, ½ and 1 times the
pixels.

The thesis's size is ``--shape 524 348 --channels 4096``: about 1.6 GB for the cube, and minutes
for every layout of the peer. What agrees with what is told in ``cluster_rows.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from cluster_rows import (
    Cost,
    Rows,
    add_arguments,
    agreement,
    measured,
    painting_rows,
    resident_bytes,
    slope,
)

from xrfengine.cluster import (
    ClusterSettings,
    EmbeddingSettings,
    build_tree,
    cut,
    embed,
    warm_up,
)
from xrfengine.cluster.process import close_workers

MIN_SAMPLES = 10


def worker_pid() -> int | None:
    """The process that embeds and builds trees, while it lives."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.exists():
        for pid in children.read_text().split():
            if b"xrfengine.cluster.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
    return None


def embed_and_build(
    features: np.ndarray, settings: EmbeddingSettings, told: list[float] | None = None
) -> tuple[Cost, Cost, Any, Any]:
    """Costs of embedding and tree, and both; in the worker that is there and warm."""
    told = [] if told is None else told
    embed_cost, embedding = measured(
        lambda: embed(features, settings, progress=lambda f, message="": told.append(f)),
        worker_pid,
    )
    tree_cost, tree = measured(lambda: build_tree(embedding.coordinates, MIN_SAMPLES), worker_pid)
    return embed_cost, tree_cost, embedding, tree


def ours(rows: Rows, components: int, seed: int, least: int, repeat: bool) -> dict[str, Any]:
    settings = EmbeddingSettings(n_components=components, seed=seed)
    close_workers()
    warm_cost, _ = measured(warm_up)
    told: list[float] = []
    embed_cost, tree_cost, embedding, tree = embed_and_build(rows.features, settings, told)
    pid = worker_pid()
    peak = None if pid is None else resident_bytes(pid, peak=True)
    cuts = {
        f"{selection} {size}": measured(lambda s=size, w=selection: cut(tree, s, w))[0].wall_s
        for selection in ("eom", "leaf")
        for size in (max(5, least // 100), max(5, least // 10), least, 2 * least)
    }
    report = {
        "what": f"ours, {embedding.n_fitted} fitted",
        "components": components,
        "seed": seed,
        **(embed_cost + tree_cost).to_dict(),
        "embed": embed_cost.to_dict(),
        "tree": tree_cost.to_dict(),
        "warm_up": warm_cost.to_dict(),
        "cut_s": cuts,
        **agreement(cut(tree, least), rows.truth, least),
        "peak_bytes": peak,
        "placed": bool(np.isfinite(embedding.coordinates).all()),
        "progress": {"steps": len(told), "rises": bool((np.diff(told) >= 0).all())},
    }
    if repeat:
        close_workers()
        again = embed(rows.features, settings)
        report["same_bits"] = bool(np.array_equal(again.coordinates, embedding.coordinates))
    return report


def scaling(rows: Rows, components: int) -> dict[str, Any]:
    """Cost of embedding and tree at ¼, ½ and 1 times the pixels, drawn evenly."""
    close_workers()
    warm_up()
    settings = EmbeddingSettings(n_components=components)
    sizes, costs = [], []
    order = np.random.default_rng(0).permutation(len(rows.features))
    for times in (0.25, 0.5, 1.0):
        some = rows.features[np.sort(order[: round(len(order) * times)])]
        embed_cost, tree_cost, *_ = embed_and_build(some, settings)
        sizes.append(len(some))
        costs.append(embed_cost + tree_cost)
    return {
        "pixels": sizes,
        "costs": [cost.to_dict() for cost in costs],
        "slope": slope(sizes, costs),
    }


def peer(rows: Rows, components: int, seed: int, least: int, folder: Path) -> dict[str, Any]:
    """umap-learn and hdbscan in a process of their own; neighbours once a seed, in ``folder``."""
    np.save(folder / "rows.npy", rows.features)
    asked = [str(folder), str(least), str(components), str(seed)]
    subprocess.run([sys.executable, __file__, "--as-peer", *asked], check=True)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return {**report, **agreement(np.load(folder / "labels.npy"), rows.truth, least)}


def as_peer(folder: Path, least: int, components: int, seed: int) -> None:
    """What the process of the peer does: labels and costs to files."""
    import hdbscan

    warnings.simplefilter("ignore")  # of a part that needs Tensorflow; of seeds and threads
    import umap
    from umap.umap_ import nearest_neighbors

    rows = np.load(folder / "rows.npy")
    n_neighbors = min(30, len(rows) - 1)

    def neighbours(of: np.ndarray) -> Any:
        random = np.random.RandomState(seed)
        return nearest_neighbors(of, n_neighbors, "euclidean", {}, False, random)

    def layout(of: np.ndarray, knn: Any, epochs: int | None) -> np.ndarray:
        model = umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=0.0,
            n_components=components,
            n_epochs=epochs,
            precomputed_knn=knn,
            random_state=seed,
            n_jobs=1,
        )
        return model.fit_transform(of)

    few = rows[np.random.default_rng(seed).permutation(len(rows))[:4500]]
    layout(few, neighbours(few), 2)  # compiles; from 4096 rows on it approximates
    kept = folder / f"neighbours-{seed}.npz"
    if kept.exists():  # searched for with another number of components
        with np.load(kept) as file:
            knn = file["indices"], file["distances"]
            neighbours_cost = Cost(*file["cost"].tolist())
    else:
        neighbours_cost, knn = measured(lambda: neighbours(rows))
        cost = [neighbours_cost.wall_s, neighbours_cost.cpu_s]
        np.savez(kept, indices=knn[0], distances=knn[1], cost=cost)
    # An index over the rows as a third entry would only serve transform().
    layout_cost, places = measured(lambda: layout(rows, (knn[0], knn[1]), None))
    model = hdbscan.HDBSCAN(min_samples=MIN_SAMPLES, min_cluster_size=least)
    tree_cost, fitted = measured(lambda: model.fit(places))
    np.save(folder / "labels.npy", fitted.labels_)
    report = {
        "what": "umap-learn → hdbscan, all pixels",
        "components": components,
        "seed": seed,
        **(neighbours_cost + layout_cost + tree_cost).to_dict(),
        "embed": (neighbours_cost + layout_cost).to_dict(),
        "neighbours": neighbours_cost.to_dict(),
        "tree": tree_cost.to_dict(),
        "peak_bytes": resident_bytes(peak=True),
    }
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")


def show(report: dict[str, Any], cube_bytes: int) -> None:
    print(
        f"{report['machine']}; {report['pixels']} spectra, {report['features']} features "
        f"({report['features_cost']['wall_s']:.1f} s, for both alike), smallest cluster "
        f"{report['least']}, {report['lines'][0]['combinations']} combinations of pigments"
    )
    names = ("d", "seed", "wall s", "cpu s", "tree cpu", "clusters", "no cluster", "Rand", "AMI")
    print(
        f"{'':<34}" + "".join(f"{name:>11}" for name in (*names, "Rand in", "AMI in", "peak/cube"))
    )
    for line in report["lines"]:
        peak = "?" if line["peak_bytes"] is None else f"{line['peak_bytes'] / cube_bytes:.2f}"
        figures = [
            f"{line['components']}",
            f"{line['seed']}",
            f"{line['wall_s']:.1f}",
            f"{line['cpu_s']:.1f}",
            f"{line['tree']['cpu_s']:.1f}",
            f"{line['clusters']}",
            f"{line['unassigned']:.1%}",
            f"{line['rand']:.3f}",
            f"{line['information']:.3f}",
            f"{line['rand_assigned']:.3f}",
            f"{line['information_assigned']:.3f}",
            peak,
        ]
        print(f"{line['what']:<34}" + "".join(f"{figure:>11}" for figure in figures))
    for ratio in report["ratios"]:
        print(
            f"{ratio['components']} components, seed {ratio['seed']}: {ratio['wall']:.1f} × faster "
            f"by the clock, {ratio['cpu']:.1f} × in processor time"
        )
    for line in report["lines"]:
        if "cut_s" in line:
            slowest = max(line["cut_s"], key=line["cut_s"].get)
            print(
                f"{line['components']} components, seed {line['seed']}: slowest cut "
                f"{1e3 * line['cut_s'][slowest]:.1f} ms ({slowest}), same bits from the same "
                f"seed: {line.get('same_bits', 'not asked')}, "
                f"warm-up {line['warm_up']['wall_s']:.1f} s apart"
            )
    if "scaling" in report:
        told = ", ".join(
            f"{n}: {cost['wall_s']:.1f} s ({cost['cpu_s']:.1f} s)"
            for n, cost in zip(report["scaling"]["pixels"], report["scaling"]["costs"], strict=True)
        )
        steep = report["scaling"]["slope"]
        print(
            f"ours by the clock (processor), {told}; slope {steep['wall']:.2f} ({steep['cpu']:.2f})"
        )
    if report["features_bytes_above"] is not None:
        print(f"features: {report['features_bytes_above'] / cube_bytes:.2f} × the cube above it")


def main() -> None:
    if sys.argv[1:2] == ["--as-peer"]:
        as_peer(Path(sys.argv[2]), *(int(n) for n in sys.argv[3:6]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--components", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--no-repeat", action="store_true")
    parser.add_argument("--no-scaling", action="store_true")
    asked = parser.parse_args()
    rows = painting_rows(asked)
    least = ClusterSettings().cluster_size(len(rows.features))
    lines, ratios = [], []
    with tempfile.TemporaryDirectory() as name:
        for seed in asked.seeds:
            for components in asked.components:
                repeat = not asked.no_repeat and not lines
                lines.append(ours(rows, components, seed, least, repeat))
                close_workers()
                if asked.no_peer:
                    continue
                lines.append(peer(rows, components, seed, least, Path(name)))
                mine, theirs = lines[-2:]
                ratios.append(
                    {
                        "components": components,
                        "seed": seed,
                        "wall": theirs["wall_s"] / mine["wall_s"],
                        "cpu": theirs["cpu_s"] / mine["cpu_s"],
                    }
                )
    report: dict[str, Any] = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        **rows.facts,
        "pixels": len(rows.features),
        "least": least,
        "lines": lines,
        "ratios": ratios,
    }
    if not asked.no_scaling:
        report["scaling"] = scaling(rows, asked.components[0])
        close_workers()
    show(report, rows.cube_bytes)
    print(json.dumps(report))
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
