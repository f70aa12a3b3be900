"""Embedding and clusters of all pixels, against umap-learn → hdbscan, in one run.

    python benchmarks/embedding.py [--shape 60 50 --channels 512] [--cube FILE.h5]
                                   [--components 1 2] [--no-peer] [--no-repeat] [--json FILE]

Same rows for both: principal components of a phantom painting's spectra. The peer has the
thesis's parameters (30 neighbours, min_dist 0, min_samples 10, smallest cluster 2,500 of 182,352
pixels, scaled) and a seed, as ours has, which costs it the threads of its layout. Its neighbours
are searched for once and their time is counted for every number of components. Both run in a
process of their own whose compiled code is warm; its peak memory is read at the end (Linux).
``--no-repeat`` leaves out the second embedding in a new process that shows the same seed giving
the same bits.

The thesis's size is ``--shape 524 348 --channels 4096``: about 1.6 GB for the cube. What agrees
with what is told in ``cluster_rows.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cluster_rows import Rows, add_arguments, agreement, painting_rows

from xrfengine.cluster import (
    ClusterSettings,
    EmbeddingSettings,
    build_tree,
    cut,
    embed,
    warm_up,
)
from xrfengine.cluster.process import close_workers

SEED = 0


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def peak_bytes(process: int | str = "self") -> int | None:
    """Highest resident memory of a process; None where the system does not tell."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return None
    line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def worker_peak_bytes() -> int | None:
    """Of the process that embeds and builds trees, while it lives."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if not children.exists():
        return None
    peaks = []
    for pid in children.read_text().split():
        if b"xrfengine.cluster.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            peaks.append(peak_bytes(pid) or 0)
    return max(peaks, default=None)


def ours(rows: Rows, components: int, least: int, repeat: bool) -> dict[str, Any]:
    settings = EmbeddingSettings(n_components=components, seed=SEED)
    close_workers()
    warm_s, _ = timed(warm_up)
    told: list[float] = []
    embed_s, embedding = timed(
        lambda: embed(rows.features, settings, progress=lambda f, message="": told.append(f))
    )
    tree_s, tree = timed(lambda: build_tree(embedding.coordinates, 10))
    peak = worker_peak_bytes()
    cuts = [timed(lambda size=size: cut(tree, size)) for size in (least, 2 * least, least // 2)]
    labels = cuts[0][1]
    report = {
        "what": f"ours, {embedding.n_fitted} fitted",
        "components": components,
        "seconds": embed_s + tree_s,
        "embed_s": embed_s,
        "tree_s": tree_s,
        "warm_up_s": warm_s,
        "cut_s": max(seconds for seconds, _ in cuts),
        "clusters": int(labels.max()) + 1,
        "unassigned": float((labels < 0).mean()),
        **agreement(labels, rows.truth, least),
        "peak_bytes": peak,
        "placed": bool(np.isfinite(embedding.coordinates).all()),
        "progress": {"steps": len(told), "rises": bool((np.diff(told) >= 0).all())},
    }
    if repeat:
        close_workers()
        again = embed(rows.features, settings)
        report["same_bits"] = bool(np.array_equal(again.coordinates, embedding.coordinates))
    return report


def peer(rows: Rows, components: list[int], least: int) -> list[dict[str, Any]]:
    """umap-learn and hdbscan in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "rows.npy"), rows.features)
        asked = [str(least), *map(str, components)]
        subprocess.run([sys.executable, __file__, "--as-peer", folder, *asked], check=True)
        lines = json.loads(Path(folder, "report.json").read_text(encoding="utf-8"))
        for line in lines:
            labels = np.load(Path(folder, f"labels-{line['components']}.npy"))
            line.update(agreement(labels, rows.truth, least))
    return lines


def as_peer(folder: Path, least: int, components: list[int]) -> None:
    """What the process of the peer does: labels and times to files."""
    import hdbscan

    warnings.simplefilter("ignore")  # of a part that needs Tensorflow; of seeds and threads
    import umap
    from umap.umap_ import nearest_neighbors

    rows = np.load(folder / "rows.npy")
    n_neighbors = min(30, len(rows) - 1)

    def neighbours(of: np.ndarray) -> Any:
        random = np.random.RandomState(SEED)
        return nearest_neighbors(of, n_neighbors, "euclidean", {}, False, random)

    def layout(of: np.ndarray, knn: Any, n_components: int, epochs: int | None) -> np.ndarray:
        model = umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=0.0,
            n_components=n_components,
            n_epochs=epochs,
            precomputed_knn=knn,
            random_state=SEED,
            n_jobs=1,
        )
        return model.fit_transform(of)

    few = rows[np.random.default_rng(SEED).permutation(len(rows))[:4500]]
    layout(few, neighbours(few), components[0], 2)  # compiles; from 4096 rows on it approximates
    neighbours_s, knn = timed(lambda: neighbours(rows))
    lines = []
    for n_components in components:
        layout_s, places = timed(lambda n=n_components: layout(rows, knn, n, None))
        model = hdbscan.HDBSCAN(min_samples=10, min_cluster_size=least)
        tree_s, fitted = timed(lambda model=model, places=places: model.fit(places))
        np.save(folder / f"labels-{n_components}.npy", fitted.labels_)
        lines.append(
            {
                "what": "umap-learn → hdbscan, all pixels",
                "components": n_components,
                "seconds": neighbours_s + layout_s + tree_s,
                "embed_s": neighbours_s + layout_s,
                "neighbours_s": neighbours_s,
                "tree_s": tree_s,
                "clusters": int(fitted.labels_.max()) + 1,
                "unassigned": float((fitted.labels_ < 0).mean()),
                "peak_bytes": peak_bytes(),
            }
        )
    (folder / "report.json").write_text(json.dumps(lines), encoding="utf-8")


def show(report: dict[str, Any], cube_bytes: int) -> None:
    print(
        f"{report['machine']}; {report['pixels']} spectra, {report['features']} features "
        f"({report['features_s']:.1f} s, for both alike), smallest cluster {report['least']}"
    )
    header = ("d", "seconds", "embed", "tree", "clusters", "unassigned", "Rand", "information")
    print(f"{'':<36}" + "".join(f"{name:>12}" for name in (*header, "peak/cube")))
    for line in report["lines"]:
        peak = "?" if line["peak_bytes"] is None else f"{line['peak_bytes'] / cube_bytes:.2f}"
        figures = [
            f"{line['components']}",
            f"{line['seconds']:.1f}",
            f"{line['embed_s']:.1f}",
            f"{line['tree_s']:.1f}",
            f"{line['clusters']}",
            f"{line['unassigned']:.1%}",
            f"{line['rand']:.3f}",
            f"{line['information']:.3f}",
            peak,
        ]
        print(f"{line['what']:<36}" + "".join(f"{figure:>12}" for figure in figures))
    for components, ratio in report["ratio"].items():
        print(f"{components} components: {ratio:.1f} × faster")
    for line in report["lines"]:
        if "cut_s" in line:
            print(
                f"{line['components']} components: slowest cut {1e3 * line['cut_s']:.0f} ms, "
                f"same bits from the same seed: {line.get('same_bits', 'not asked')}, "
                f"warm-up {line['warm_up_s']:.1f} s apart"
            )


def main() -> None:
    if sys.argv[1:2] == ["--as-peer"]:
        as_peer(Path(sys.argv[2]), int(sys.argv[3]), [int(n) for n in sys.argv[4:]])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--components", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--no-repeat", action="store_true")
    asked = parser.parse_args()
    rows = painting_rows(asked)
    n = len(rows.features)
    least = ClusterSettings().cluster_size(n)
    lines = [
        ours(rows, components, least, repeat=not asked.no_repeat and i == 0)
        for i, components in enumerate(asked.components)
    ]
    close_workers()
    ratio = {}
    if not asked.no_peer:
        for mine, theirs in zip(tuple(lines), peer(rows, asked.components, least), strict=True):
            lines.append(theirs)
            ratio[str(theirs["components"])] = theirs["seconds"] / mine["seconds"]
    report: dict[str, Any] = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        **rows.facts,
        "pixels": n,
        "least": least,
        "lines": lines,
        "ratio": ratio,
    }
    show(report, rows.cube_bytes)
    print(json.dumps(report))
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
