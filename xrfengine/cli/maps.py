"""``xrfengine maps`` and ``xrfengine cluster``: images of a cube, as NetCDF."""

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
    element_list,
    load_model,
    model_words,
    read_cube,
)
from xrfengine.cli.terminal import Terminal, check_output, output
from xrfengine.cube import Cube, ElementMaps
from xrfengine.errors import SettingsError
from xrfengine.jobs import CancelToken, Progress, part
from xrfengine.maps.pooling import region_side

if TYPE_CHECKING:
    import xarray as xr

    from xrfengine.cluster import Clustering, ClusterSettings


def add_maps(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "maps",
        help="one image for each element",
        description="Write one image for each element: NetCDF, variable maps (element, y, x).",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("-o", "--out", metavar="OUT.nc", type=Path, required=True)
    parser.add_argument(
        "--method",
        choices=("probability", "roi", "fit", "nmf", "pca"),
        default="probability",
        help="probability of the element; net counts in a window around its main line (roi) or "
        "by a fit of the whole spectrum, with standard errors (fit); components with their "
        "spectra (nmf, pca) (default: probability)",
    )
    parser.add_argument(
        "--region",
        metavar="K",
        type=int,
        default=1,
        help="average over blocks of K×K pixels (default: 1)",
    )
    parser.add_argument(
        "--elements",
        metavar="Fe,Pb",
        help="only these (default: all; for fit: those found in the summed spectrum)",
    )
    parser.add_argument(
        "--weights",
        choices=("pixel", "shared"),
        help="of a fit: from each pixel's counts, or the same for all, which is faster (pixel)",
    )
    parser.add_argument("--anode", metavar="SYMBOL", help="of the X-ray tube, such as Rh; for fit")
    parser.add_argument("--components", metavar="N", type=int, help="of nmf and pca (8)")
    add_calibration(parser)
    add_model(parser)
    add_json(parser)
    parser.set_defaults(run=maps)


def maps(args: argparse.Namespace, terminal: Terminal) -> None:
    check_output(args.out, (".nc",), [args.file])
    region_side(args.region)
    wanted = element_list(args.elements)
    _refuse_misplaced(args)
    calibration = calibration_file(args.calibration)
    compute = {"roi": _roi, "fit": _fit, "nmf": _factors, "pca": _factors}
    with terminal.progress() as progress:
        cube = read_cube(
            args.file, calibration, progress=part(progress, 0.0, 0.1), cancel=terminal.cancel
        )
        start = time.perf_counter()
        share = part(progress, 0.1, 1.0)
        data, shown, model = compute.get(args.method, _probability)(
            cube, args, wanted, share, terminal.cancel
        )
        seconds = time.perf_counter() - start
    data.attrs.update({"source": args.file.name, "model": model})
    terminal.cancel.check()
    _write_netcdf(data, args.out)
    facts = {
        "file": args.file,
        "out": args.out,
        "method": args.method,
        "region_px": args.region,
        "model": model or None,
        "shape": list(cube.shape[:2]),
        **shown,
        "seconds": round(seconds, 3),
    }
    if args.json:
        terminal.print_json(facts)
    else:
        height, width = cube.shape[:2]
        number = len(shown.get("elements", ())) or shown["components"]
        terminal.print(
            f"{args.out}: {number} maps of {height}×{width} pixels "
            f"({args.method}, regions of {args.region}×{args.region}), {seconds:.1f} s"
        )


def _refuse_misplaced(args: argparse.Namespace) -> None:
    """Options of one method with another would be ignored without a word."""
    for option, methods in (
        ("weights", ("fit",)),
        ("anode", ("fit",)),
        ("components", ("nmf", "pca")),
    ):
        if getattr(args, option) is not None and args.method not in methods:
            raise SettingsError(
                f"--{option} has no meaning with --method {args.method}",
                f"Leave it out, or use --method {' or '.join(methods)}.",
            )
    if args.elements is not None and args.method in ("nmf", "pca"):
        raise SettingsError(
            f"--elements has no meaning with --method {args.method}",
            "Components are not elements: leave it out.",
        )


def _of_elements(
    result: ElementMaps, args: argparse.Namespace, model: str
) -> tuple[xr.Dataset, dict[str, Any], str]:
    data = result.to_xarray()
    data["maps"].attrs["long_name"] = f"{args.method} of the element"
    return data, {"elements": list(result.elements)}, model


def _probability(
    cube: Cube,
    args: argparse.Namespace,
    wanted: tuple[str, ...] | None,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[xr.Dataset, dict[str, Any], str]:
    from xrfengine.classifier.predict import probability_maps

    classifier = load_model(args)
    for element in wanted or ():
        classifier.index(element)
    result = probability_maps(cube, classifier, args.region, progress=progress, cancel=cancel)
    if wanted is not None:
        values = np.stack([result[element] for element in wanted])
        result = ElementMaps(
            wanted, values, result.kind, result.region_px, result.source, result.model
        )
    return _of_elements(result, args, model_words(classifier))


def _roi(
    cube: Cube,
    args: argparse.Namespace,
    wanted: tuple[str, ...] | None,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[xr.Dataset, dict[str, Any], str]:
    from xrfengine.maps.roi import roi_maps

    result = roi_maps(cube, wanted, args.region, progress=progress, cancel=cancel)
    missing = [element for element in wanted or () if element not in result.elements]
    if missing:
        low, high = cube.calibration.at(np.array([0, cube.shape[2] - 1]))
        raise SettingsError(
            f"{args.file}: {', '.join(missing)} has no excited line between {low:.2f} and "
            f"{high:.2f} keV",
            "Leave it out, or use --method probability.",
        )
    return _of_elements(result, args, "")


def _fit(
    cube: Cube,
    args: argparse.Namespace,
    wanted: tuple[str, ...] | None,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[xr.Dataset, dict[str, Any], str]:
    from xrfengine.classifier.anode import find_setup
    from xrfengine.classifier.fit_basis import basis_of
    from xrfengine.classifier.verify import verifier_for
    from xrfengine.findings import identify
    from xrfengine.maps.fit import fit_maps

    total, model = cube.sum_spectrum, ""
    progress(0.01, "Finding the instrument")
    setup, _ = find_setup(total, args.anode)
    cancel.check()
    if wanted is None:
        classifier = load_model(args)
        verifier, _ = verifier_for(classifier, args.model)
        found = identify(classifier, total, verifier, lambda: setup)
        wanted = tuple(each.symbol for each in found if each.present and not each.is_instrument)
        model = model_words(classifier)
    cancel.check()
    basis = basis_of(total, wanted or None, setup=setup)
    result = fit_maps(
        cube,
        basis,
        args.weights or "pixel",
        args.region,
        progress=part(progress, 0.1, 1.0),
        cancel=cancel,
    )
    elements = [result.elements[result.names.index(name)] for name in result.main]
    return result.to_xarray(), {"elements": elements, "components": len(result.names)}, model


def _factors(
    cube: Cube,
    args: argparse.Namespace,
    wanted: tuple[str, ...] | None,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[xr.Dataset, dict[str, Any], str]:
    from xrfengine.maps.factors import FactorSettings, factor_maps

    settings = FactorSettings(
        args.method, 8 if args.components is None else args.components, args.region
    )
    result = factor_maps(cube, settings, progress=progress, cancel=cancel)
    return result.to_xarray(cube.energy_kev), {"components": settings.n_components}, ""


def _write_netcdf(data: xr.Dataset, out: Path) -> None:
    packed = {"zlib": True, "complevel": 3, "shuffle": True}
    encoding = {
        name: packed for name, item in data.data_vars.items() if item.ndim > 1 and item.size
    }
    with output(out) as temporary:
        data.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)


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
    _write_netcdf(data, args.out)
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
