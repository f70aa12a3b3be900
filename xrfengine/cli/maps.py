"""``xrfengine maps``: one image for each element, as NetCDF."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
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
from xrfengine.cli.terminal import Terminal, check_output, write_netcdf
from xrfengine.cube import Cube, ElementMaps
from xrfengine.errors import SettingsError
from xrfengine.jobs import CancelToken, Progress, part
from xrfengine.lines import atomic_number
from xrfengine.maps.pooling import region_side

if TYPE_CHECKING:
    import xarray as xr


def add_maps(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "maps",
        help="one image for each element",
        description="Write one image for each element: NetCDF, variable maps (element, y, x). "
        "Printed are the elements found anywhere, those of tube and air apart.",
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
    parser.add_argument("--anode", metavar="SYMBOL", help="of the X-ray tube, such as Rh")
    parser.add_argument("--components", metavar="N", type=int, help="of nmf and pca (8)")
    add_calibration(parser)
    add_model(parser)
    add_json(parser)
    parser.set_defaults(run=maps)


def maps(args: argparse.Namespace, terminal: Terminal) -> None:
    check_output(args.out, (".nc",), [args.file])
    region_side(args.region)
    if args.anode is not None:
        atomic_number(args.anode)
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
    write_netcdf(data, args.out)
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
        if "found" in shown:
            terminal.print(f"  {_found_words(shown['found'])}")


def _found_words(found: list[dict[str, Any]]) -> str:
    sample = [each["symbol"] for each in found if not each.get("instrument")]
    instrument = [each["symbol"] for each in found if each.get("instrument")]
    words = "found: " + ", ".join(sample) if sample else "no element of the sample is found"
    return f"{words}; of the instrument: {', '.join(instrument)}" if instrument else words


def _refuse_misplaced(args: argparse.Namespace) -> None:
    """Options of one method with another would be ignored without a word."""
    for option, methods in (
        ("weights", ("fit",)),
        ("anode", ("probability", "roi", "fit")),
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
    result: ElementMaps,
    args: argparse.Namespace,
    model: str,
    thresholds: dict[str, float],
    cube: Cube,
) -> tuple[xr.Dataset, dict[str, Any], str]:
    from xrfengine.findings import found

    data = result.to_xarray()
    data["maps"].attrs["long_name"] = f"{args.method} of the element"
    listed = []
    for each in found(result, thresholds, _instrument(cube, args.anode)):
        listed.append({"symbol": each.element, "share": round(each.share, 4)})
        if each.is_instrument:
            listed[-1]["instrument"] = True
        if each.is_few:
            listed[-1]["in_few_pixels"] = True
    return data, {"elements": list(result.elements), "found": listed}, model


def _instrument(cube: Cube, anode: str | None) -> tuple[str, ...]:
    """The tube's anode: given, stated in the file, or inferred from the sum spectrum."""
    from xrfengine.classifier.anode import find_setup

    anode = anode or cube.instrument.tube_anode
    if anode is None and cube.sum_spectrum.total > 0:
        anode = find_setup(cube.sum_spectrum)[0].anode
    return () if anode is None else (anode,)


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
        result = replace(result, elements=wanted, values=values)
    thresholds = classifier.thresholds_at(result.counts_per_region)
    limits = dict(zip(classifier.elements, thresholds.tolist(), strict=True))
    return _of_elements(result, args, model_words(classifier), limits, cube)


def _roi(
    cube: Cube,
    args: argparse.Namespace,
    wanted: tuple[str, ...] | None,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[xr.Dataset, dict[str, Any], str]:
    from xrfengine.findings import noise_thresholds
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
    return _of_elements(result, args, "", noise_thresholds(result), cube)


def _fit(
    cube: Cube,
    args: argparse.Namespace,
    wanted: tuple[str, ...] | None,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[xr.Dataset, dict[str, Any], str]:
    from xrfengine.classifier.anode import find_setup
    from xrfengine.classifier.fit_basis import basis_of
    from xrfengine.classifier.verifier_files import verifier_for
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
