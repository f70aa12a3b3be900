"""``xrfengine identify``: which elements are in a spectrum, or anywhere in a cube."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterator
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
from xrfengine.cli.terminal import Terminal
from xrfengine.cube import Calibration, Cube, Spectrum
from xrfengine.findings import Identified, identified
from xrfengine.jobs import CancelToken, Progress, chunks, part
from xrfengine.lines import atomic_number
from xrfengine.maps.pooling import block_grid, block_sums, region_side
from xrfengine.readers import probe

if TYPE_CHECKING:
    from xrfengine.classifier.anode import InstrumentLines
    from xrfengine.classifier.fit_shapes import Setup
    from xrfengine.classifier.predict import Classifier
    from xrfengine.classifier.verify import Verifier

Parts = tuple[list[dict[str, Any]], np.ndarray]
"""Where each spectrum comes from, and the counts (n, channel)."""

REGIONS_AT_ONCE = 4096
_VERIFIED, _NOT_ASKED = "calibrated for these weights", "switched off"
_LEFT_OUT = (
    "the spectrum was excited by electrons, by its continuum and light elements: "
    "the fit is left out, the network alone speaks"
)

DESCRIPTION = """\
Say which elements are in a spectrum, or in the sum spectrum of a cube.

Few pixels drown in a sum. With --by, more spectra of the same cube are classified, and each
element gets the highest probability among them and the sum:
  max      the largest count of any pixel in each channel, taken as a spectrum
  cluster  the accumulated spectrum of each cluster of like pixels (SOM, or --clusters)
  region   the summed spectra of blocks of 10×10 pixels (or --region)
Where the highest probability was found is printed as well. The more spectra are asked, the
likelier one of them raises a false alarm: --by finds candidates, the sum confirms.

Where a verification was calibrated for the weights, a full-spectrum fit has its say on whatever
the network is not sure of; "present" then means its threshold, else those of the network. Sum
spectra of more than 100,000 counts are searched for traces as well (a second or two); traces of
steel, brass and the like, which instruments show by themselves, are then told apart as
"present (instrument)". Spectra of electron microscopes are recognised, and left to the network.

With --explain, a fit of the sum spectrum tells what speaks for each element that is reported or
narrowly not: which of its lines are there, which are missing, and what else could be its peak.
The tube's anode and the argon of the air are then reported apart; --anode names the anode where
its scatter does not tell.
"""


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "identify",
        help="elements in spectra, or anywhere in cubes",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path)
    parser.add_argument(
        "--by",
        choices=("sum", "max", "cluster", "region"),
        default="sum",
        help="which spectra of a cube to ask (default: sum)",
    )
    parser.add_argument(
        "--region", metavar="K", type=int, default=10, help="side of the blocks (default: 10)"
    )
    parser.add_argument(
        "--clusters",
        choices=("som", "umap-hdbscan"),
        default="som",
        help="how pixels are clustered (default: som)",
    )
    parser.add_argument("--all", action="store_true", help="list absent elements too")
    parser.add_argument(
        "--explain", action="store_true", help="tell what speaks for and against (seconds a file)"
    )
    parser.add_argument(
        "--no-verify", dest="verify", action="store_false", help="let the network speak alone"
    )
    parser.add_argument("--anode", metavar="SYMBOL", help="of the X-ray tube, such as Rh")
    add_calibration(parser)
    add_model(parser)
    add_json(parser)
    parser.set_defaults(run=identify)


def identify(args: argparse.Namespace, terminal: Terminal) -> None:
    region_side(args.region)
    if args.anode is not None:
        atomic_number(args.anode)
    calibration = calibration_file(args.calibration)
    for path in args.files:  # a wrong name at the end is told before the work on the first
        probe(path, calibration)
    classifier = load_model(args)
    from xrfengine.classifier.verifier_files import verifier_for

    verifier, why_not = None, _NOT_ASKED
    if args.verify:
        verifier, why_not = verifier_for(classifier, args.model)
    results = []
    with terminal.progress() as progress:
        for i, path in enumerate(args.files):
            share = part(progress, i / len(args.files), (i + 1) / len(args.files))
            results.append(
                _identify(path, calibration, args, classifier, verifier, share, terminal.cancel)
            )
            results[-1].setdefault("verification", why_not or _VERIFIED)
    if args.json:
        terminal.print_json(results)
        return
    for result in results:
        _print(result, args.all, terminal)


def _identify(
    path: Path,
    calibration: Calibration | None,
    args: argparse.Namespace,
    classifier: Classifier,
    verifier: Verifier | None,
    progress: Progress,
    cancel: CancelToken,
) -> dict[str, Any]:
    from xrfengine.classifier.anode import find_setup, instrument_lines
    from xrfengine.classifier.traces import is_searched
    from xrfengine.classifier.verify import (
        fit_is_left_out,
        is_open,
        verify_spectra,
        verify_spectrum,
    )

    cube = read_cube(path, calibration, progress=part(progress, 0.0, 0.2), cancel=cancel)
    spectrum = cube.sum_spectrum
    best = np.full(len(classifier.elements), -1.0, dtype=np.float32)
    network = np.zeros_like(best)
    where: list[dict[str, Any]] = [{}] * best.size
    n_spectra = 0
    left_out: dict[str, str] = {}
    own: tuple[str, ...] = ()
    # Found when first needed, on the sum: a second or two.
    found_setup = functools.cache(functools.partial(find_setup, spectrum, args.anode))
    for places, counts in spectra_of(cube, args, part(progress, 0.2, 1.0), cancel):
        cancel.check()
        said = classifier.probabilities(counts, cube.calibration, cancel=cancel)
        found = said
        is_sum = places[0]["part"] == "sum"
        is_asked = verifier is not None and (
            is_open(said, verifier).any()
            or (is_sum and verifier.traces is not None and is_searched(spectrum))
        )
        if is_asked and fit_is_left_out(found_setup()[0]):
            verifier, left_out = None, {"verification": _LEFT_OUT}
        elif is_asked and is_sum:
            verified = verify_spectrum(
                spectrum,
                classifier,
                verifier,
                lambda: found_setup()[0],
                proposed=said,
                cancel=cancel,
            )
            found, own = verified.probabilities, verified.own_elements(classifier.elements)
        elif is_asked:
            found = verify_spectra(
                counts,
                cube.calibration,
                classifier,
                verifier,
                setup=found_setup()[0],
                proposed=said,
                cancel=cancel,
            ).probabilities
        winner = found.argmax(axis=0)
        for column in np.flatnonzero(found.max(axis=0) > best):
            best[column] = found[winner[column], column]
            network[column] = said[winner[column], column]
            where[column] = places[winner[column]]
        n_spectra += len(counts)
    by_symbol = dict(zip(classifier.elements, where, strict=True))
    instrument: tuple[str | None, ...] = (args.anode, cube.instrument.tube_anode)
    told: dict[str, Any] = {}
    if args.explain:
        lines, fit = instrument_lines(spectrum, args.anode, found=found_setup())
        instrument = lines.elements
    elif found_setup.cache_info().currsize:
        instrument += (found_setup()[0].anode,)
    # What another part of the scan shows better is no mere trace.
    own = tuple(e for e in own if where[classifier.elements.index(e)].get("part") == "sum")
    verdicts = identified(
        classifier,
        best,
        (*instrument, *own),
        # The surest of many parts is held to the usual thresholds.
        counts=spectrum.total if n_spectra == 1 else None,
        threshold=None if verifier is None else verifier.threshold,
        proposed=None if verifier is None else network,
    )
    if args.explain:
        told = explained(spectrum, verdicts, lines, own, fit.setup)
    elements = []
    for item in verdicts:
        entry: dict[str, Any] = {
            "symbol": item.symbol,
            "probability": item.probability,
            "present": item.present,
        }
        if item.proposed is not None:
            entry["network"] = item.proposed
        if item.is_instrument:
            entry["instrument"] = True
        if args.by != "sum":
            entry["where"] = by_symbol[item.symbol]
        if item.symbol in told.get("evidence", {}):
            entry["evidence"] = told["evidence"][item.symbol]
        elements.append(entry)
    return {
        "file": str(path),
        "model": model_words(classifier),
        "shape": list(cube.shape),
        "counts": spectrum.total,
        "by": args.by,
        "spectra": n_spectra,
        **left_out,
        **({"instrument_lines": told["instrument"]} if told else {}),
        "elements": elements,
    }


def explained(
    spectrum: Spectrum,
    verdicts: tuple[Identified, ...],
    lines: InstrumentLines,
    own: tuple[str, ...],
    setup: Setup,
) -> dict[str, Any]:
    """The instrument's lines, and the evidence by symbol; plain values.

    ``own`` are the traces that are put down to the instrument.

    Evidence is of the sum spectrum, also where ``--by`` found an element elsewhere.
    """
    from xrfengine.classifier.evidence import explain

    found = explain(
        spectrum,
        [item.symbol for item in verdicts if item.present],
        {item.symbol: item.probability for item in verdicts},
        instrument=(*lines.elements, *own),
        setup=setup,
    )
    return {
        "instrument": {**lines.to_dict(), "sentence": lines.sentence()},
        "evidence": {item.element: item.to_dict() for item in found},
    }


def spectra_of(
    cube: Cube, args: argparse.Namespace, progress: Progress, cancel: CancelToken
) -> Iterator[Parts]:
    """The spectra of a cube that ``--by`` asks for, the sum always first, some at a time."""
    yield [{"part": "sum"}], cube.sum_spectrum.counts[None]
    if cube.n_pixels == 1:  # a single spectrum has no parts
        return
    if args.by == "max":
        yield [{"part": "max"}], cube.max_spectrum.counts[None]
    elif args.by == "region":
        yield from _regions(cube, args.region, progress, cancel)
    elif args.by == "cluster":
        yield _clusters(cube, args.clusters, progress, cancel)


def _regions(cube: Cube, k: int, progress: Progress, cancel: CancelToken) -> Iterator[Parts]:
    height, width, n_channels = cube.shape
    by, bx = block_grid((height, width), k)
    for rows in chunks(by, max(1, REGIONS_AT_ONCE // bx)):
        cancel.check()
        sums = block_sums(cube.counts, k, rows)
        places = [
            {
                "part": "region",
                "y": [y * k, min((y + 1) * k, height)],
                "x": [x * k, min((x + 1) * k, width)],
            }
            for y in range(rows.start, rows.stop)
            for x in range(bx)
        ]
        yield places, sums.reshape(-1, n_channels)
        progress(rows.stop / by, "Regions")


def _clusters(cube: Cube, method: str, progress: Progress, cancel: CancelToken) -> Parts:
    from xrfengine.cluster import ClusterSettings, cluster_cube, cluster_spectra

    settings = ClusterSettings(method=method)  # type: ignore[arg-type]
    clustering = cluster_cube(cube, settings, progress=progress, cancel=cancel)
    spectra = cluster_spectra(cube, clustering.labels, cancel=cancel)
    places = [
        {"part": "cluster", "cluster": i, "n_pixels": spectrum.n_pixels}
        for i, spectrum in enumerate(spectra)
    ]
    counts = [spectrum.counts for spectrum in spectra]
    return places, np.stack(counts) if counts else np.zeros((0, cube.shape[2]))


def _print(result: dict[str, Any], every: bool, terminal: Terminal) -> None:
    height, width, n_channels = result["shape"]
    terminal.print(
        f"{result['file']}: {height}×{width} pixels, {n_channels} channels, "
        f"{result['counts']:.4g} counts, model {result['model']}"
    )
    rows = [
        (
            element["symbol"],
            f"{element['probability']:.3f}",
            _verdict(element),
            _place(element.get("where", {})),
        )
        for element in result["elements"]
        if every or element["present"] or element["probability"] >= 0.1
    ]
    if result["verification"] not in (_VERIFIED, _NOT_ASKED):
        terminal.print(f"  {result['verification']}")
    if not any(element["present"] for element in result["elements"]):
        terminal.print("  no element reaches its threshold")
    terminal.print_table(rows, indent="  ")
    if "instrument_lines" in result:
        terminal.print(f"\n  {result['instrument_lines']['sentence']}")
    for element in result["elements"]:
        if "evidence" in element:
            terminal.print(f"  {element['evidence']['sentence']}")


def _verdict(element: dict[str, Any]) -> str:
    if not element["present"]:
        return "-"
    return "present (instrument)" if element.get("instrument") else "present"


def _place(where: dict[str, Any]) -> str:
    if where.get("part") == "region":
        (top, bottom), (left, right) = where["y"], where["x"]
        return f"y {top}–{bottom - 1}, x {left}–{right - 1}"
    if where.get("part") == "cluster":
        return f"cluster {where['cluster']} ({where['n_pixels']:,} pixels)"
    return where.get("part", "")
