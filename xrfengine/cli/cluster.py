"""``xrfengine cluster``: pixels with like spectra, as NetCDF."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xrfengine.cli.inputs import (
    add_calibration,
    add_json,
    add_model,
    calibration_file,
    load_model,
    model_words,
    read_cube,
)
from xrfengine.cli.terminal import Terminal, check_output, write_netcdf
from xrfengine.cube import Cube
from xrfengine.errors import SettingsError
from xrfengine.jobs import CancelToken, part

if TYPE_CHECKING:
    import xarray as xr

    from xrfengine.cluster import Clustering, ClusterSettings


def add_cluster(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "cluster",
        help="pixels with like spectra",
        description="Group pixels with like spectra and classify the accumulated spectrum of each "
        "group: NetCDF with labels (y, x), spectra (cluster, energy), probability "
        "(cluster, element). Label −1: in no cluster.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("-o", "--out", metavar="OUT.nc", type=Path, required=True)
    parser.add_argument(
        "--method",
        choices=("som", "umap-hdbscan"),
        default="som",
        help="self-organising map, or UMAP and HDBSCAN (default: som)",
    )
    parser.add_argument("--grid", metavar="R,C", default="3,3", help="nodes of the SOM (3,3)")
    parser.add_argument("--neighbors", metavar="N", type=int, help="n_neighbors of UMAP")
    parser.add_argument(
        "--components", metavar="N", type=int, help="dimensions UMAP reduces to before clustering"
    )
    parser.add_argument("--min-samples", metavar="N", type=int, help="min_samples of HDBSCAN")
    parser.add_argument("--min-cluster-size", metavar="N", type=int, help="in pixels")
    parser.add_argument("--drop", metavar="N", type=int, help="channels dropped at both ends")
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    parser.add_argument(
        "--no-classify", action="store_true", help="leave out the elements of the clusters"
    )
    add_calibration(parser)
    add_model(parser)
    add_json(parser)
    parser.set_defaults(run=cluster)


def cluster_settings(args: argparse.Namespace) -> ClusterSettings:
    """The settings behind the arguments; what is not given keeps its default."""
    from xrfengine.cluster import ClusterSettings, EmbeddingSettings, FeatureSettings, SomSettings

    try:
        rows, columns = (int(side) for side in args.grid.replace("x", ",").split(","))
    except ValueError:
        raise SettingsError(
            f"--grid {args.grid}: this is no grid", "Write rows and columns, such as 3,3."
        ) from None

    def given(**values: Any) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value is not None}

    return ClusterSettings(
        method=args.method,
        features=FeatureSettings(**given(drop_channels=args.drop, seed=args.seed)),
        som=SomSettings(rows=rows, columns=columns, seed=args.seed),
        embedding=EmbeddingSettings(
            **given(n_neighbors=args.neighbors, n_components=args.components, seed=args.seed)
        ),
        **given(min_samples=args.min_samples, min_cluster_size=args.min_cluster_size),
    )


def cluster(args: argparse.Namespace, terminal: Terminal) -> None:
    from xrfengine.cluster import cluster_cube

    check_output(args.out, (".nc",), [args.file])
    settings = cluster_settings(args)
    calibration = calibration_file(args.calibration)
    with terminal.progress() as progress:
        cube = read_cube(
            args.file, calibration, progress=part(progress, 0.0, 0.1), cancel=terminal.cancel
        )
        start = time.perf_counter()
        clustering = cluster_cube(
            cube, settings, progress=part(progress, 0.1, 0.9), cancel=terminal.cancel
        )
        seconds = time.perf_counter() - start
        data, found = _clusters(cube, clustering, args, terminal.cancel)
    data.attrs.update({"source": args.file.name, "settings": json.dumps(settings.to_dict())})
    terminal.cancel.check()
    write_netcdf(data, args.out)
    facts = {
        "file": args.file,
        "out": args.out,
        "method": args.method,
        "settings": settings.to_dict(),
        "model": data.attrs.get("model"),
        "n_clusters": clustering.n_clusters,
        "n_unassigned": clustering.n_unassigned,
        "seconds": round(seconds, 3),
        "clusters": found,
    }
    if args.json:
        terminal.print_json(facts)
        return
    terminal.print(
        f"{args.out}: {clustering.n_clusters} clusters ({args.method}), "
        f"{clustering.n_unassigned:,} pixels in none, {seconds:.1f} s"
    )
    terminal.print_table(
        [
            (f"{each['cluster']}", f"{each['n_pixels']:,}", " ".join(each.get("elements", ())))
            for each in found
        ],
        indent="  ",
    )


def _clusters(
    cube: Cube, clustering: Clustering, args: argparse.Namespace, cancel: CancelToken
) -> tuple[xr.Dataset, list[dict[str, Any]]]:
    """The data set to write, and for each cluster its size and elements."""
    import xarray as xr

    from xrfengine.cluster import cluster_spectra
    from xrfengine.findings import classified_clusters

    spectra = cluster_spectra(cube, clustering.labels, cancel=cancel)
    counts = [spectrum.counts for spectrum in spectra]
    sizes = [spectrum.n_pixels for spectrum in spectra]
    variables: dict[str, Any] = {
        "labels": (("y", "x"), clustering.labels, {"long_name": "cluster, −1 for none"}),
        "n_pixels": ("cluster", np.array(sizes, dtype=np.int64)),
        "spectra": (
            ("cluster", "energy"),
            np.stack(counts) if counts else np.zeros((0, cube.shape[2])),
            {"long_name": "accumulated spectrum", "units": "counts"},
        ),
    }
    coordinates: dict[str, Any] = {"energy": ("energy", cube.energy_kev, {"units": "keV"})}
    attributes = {"method": clustering.method, "cube_digest": cube.digest}
    found: list[dict[str, Any]] = [{"cluster": i, "n_pixels": size} for i, size in enumerate(sizes)]
    if not args.no_classify:
        classifier = load_model(args)
        result = classified_clusters(classifier, clustering, spectra)
        variables["probability"] = (("cluster", "element"), result.probabilities)
        coordinates["element"] = list(classifier.elements)
        attributes["model"] = model_words(classifier)
        for each, elements in zip(found, result.elements, strict=True):
            each["elements"] = list(elements)
    return xr.Dataset(variables, coordinates, attributes), found
