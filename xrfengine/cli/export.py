"""``xrfengine export``: what the page offers to take home, as files in a folder."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from xrfengine.cli.inputs import (
    add_calibration,
    add_json,
    add_model,
    calibration_file,
    read_cube,
)
from xrfengine.cli.terminal import Terminal
from xrfengine.cube import Cube
from xrfengine.errors import SettingsError, XRFError
from xrfengine.findings import most_telling
from xrfengine.jobs import Progress, part
from xrfengine.maps.pooling import region_side

if TYPE_CHECKING:
    from xrfengine.export.analysis import Analysis

WORDS = {
    "png": "picture of a map, with scale bar and caption",
    "pngs": "pictures of all elements found (ZIP)",
    "tiff": "values of a map (OME-TIFF, 32 bit)",
    "tiffs": "values of all elements found",
    "netcdf": "all maps with errors and thresholds",
    "csv": "the summed spectrum as a table",
    "msa": "the same in EMSA/MAS format (ZIP)",
    "pdf": "report to print",
    "html": "report to read",
    "script": "Python script that repeats it",
}


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "export",
        help="pictures, maps, spectra, a report: what the page offers to take home",
        description="Write files for other software and for people. "
        + "; ".join(f"{name}: {words}" for name, words in WORDS.items())
        + "; report: pdf and html.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--what", nargs="+", choices=(*WORDS, "report"), default=["png"], metavar="KIND",
        help="one or several of " + ", ".join((*WORDS, "report")) + " (default: png)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", metavar="FOLDER", type=Path, default=Path(),
        help="where to (default: the current folder)",
    )  # fmt: skip
    parser.add_argument(
        "--element", metavar="Hg", help="that png and tiff show (default: the most telling one)"
    )
    parser.add_argument(
        "--method", choices=("probability", "fit", "roi"), default="probability",
        help="as in xrfengine maps (default: probability)",
    )  # fmt: skip
    parser.add_argument(
        "--region", metavar="K", type=int, default=1, help="average over K×K pixels (default: 1)"
    )
    parser.add_argument("--threshold", metavar="T", type=float, help="of the element")
    parser.add_argument(
        "--pixel", metavar="MM", type=float, help="size of a pixel, where the file does not say"
    )
    add_calibration(parser)
    add_model(parser)
    add_json(parser)
    parser.set_defaults(run=run_export)


def run_export(args: argparse.Namespace, terminal: Terminal) -> None:
    from xrfengine.export.kinds import write
    from xrfengine.export.script import Source

    region_side(args.region)
    if args.pixel is not None and not 0 < args.pixel < 1e4:
        raise SettingsError(f"a pixel of {args.pixel:g} mm", "Give its size in mm, above 0.")
    kinds = list(dict.fromkeys(k for w in args.what for k in _kinds(w)))
    if args.out.exists() and not args.out.is_dir():
        raise XRFError(f"{args.out}: the output is no folder", "Name a folder.")
    if args.calibration is not None and "script" in kinds:
        raise SettingsError(
            "a script cannot take over --calibration",
            "Leave the script out, or write the calibration into the file.",
        )
    written = []
    start = time.perf_counter()
    with terminal.progress() as progress:
        analysis = analysis_of(args, terminal, part(progress, 0.0, 0.6))
        for n, kind in enumerate(kinds):
            terminal.cancel.check()
            share = part(progress, 0.6 + 0.4 * n / len(kinds), 0.6 + 0.4 * (n + 1) / len(kinds))
            try:
                path = write(
                    kind, args.out, analysis, Source(args.file.name),
                    progress=share, cancel=terminal.cancel,
                )  # fmt: skip
            except OSError as error:
                raise XRFError(
                    f"{args.out}: cannot be written ({error.strerror or error})",
                    "Choose a folder you may write to, with room left.",
                ) from error
            written.append(path)
    if args.json:
        facts = {
            "file": args.file,
            "element": analysis.element,
            "written": [{"path": path, "bytes": path.stat().st_size} for path in written],
            "seconds": round(time.perf_counter() - start, 3),
        }
        terminal.print_json(facts)
    else:
        for path in written:
            terminal.print(f"{path}: {path.stat().st_size / 1000:,.0f} kB")


def _kinds(word: str) -> tuple[str, ...]:
    return ("pdf", "html") if word == "report" else (word,)


def analysis_of(args: argparse.Namespace, terminal: Terminal, progress: Progress) -> Analysis:
    """What the arguments ask for, computed as the page does it."""
    from xrfengine.engine import Engine

    calibration = calibration_file(args.calibration)
    cube = read_cube(
        args.file, calibration, progress=part(progress, 0.0, 0.1), cancel=terminal.cancel
    )
    engine = Engine(model=args.model, device=args.device)
    try:
        return _analysis(engine, cube, args, terminal, part(progress, 0.1, 1.0))
    finally:
        engine.close()


def _analysis(engine, cube: Cube, args, terminal: Terminal, progress: Progress) -> Analysis:
    from xrfengine.export.analysis import Analysis, Provenance

    maps = engine.maps(cube, args.method, args.region, progress=progress, cancel=terminal.cancel)
    engine.instrument_elements(cube)
    thresholds = engine.default_thresholds(maps)
    if args.threshold is not None and args.element is None:
        raise SettingsError("--threshold needs an element", "Give --element, too.")
    found = engine.found(maps, thresholds)
    element = args.element or most_telling(maps, found)
    _ = maps[element]  # complains in words if there is none
    settings = {}
    if args.threshold is not None:
        thresholds = {**thresholds, element: args.threshold}
        settings["moved_thresholds"] = [element]
        found = engine.found(maps, thresholds)
    errors = engine.fit(cube, args.region).main_errors() if args.method == "fit" else None
    model = engine.classifier
    return Analysis(
        cube,
        maps,
        thresholds,
        found,
        element,
        Provenance(
            dataset=args.file.name,
            source=cube.digest,
            method=args.method,
            region_px=args.region,
            model=model.digest,
            model_name=model.name,
            pixel_size_mm=args.pixel or cube.instrument.pixel_size_mm,
            settings=settings,
        ),
        errors,
    )
