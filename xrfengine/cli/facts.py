"""``xrfengine info`` and ``xrfengine calibrate``: what a file says, and what its peaks say."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from xrfengine.cli.inputs import add_calibration, add_json, calibration_file
from xrfengine.cli.terminal import Terminal, check_output, output
from xrfengine.errors import CalibrationError
from xrfengine.readers import Facts, probe


def add_info(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "info",
        help="shape, type, energies and instrument of a file",
        description="Say what a file holds, without reading its counts.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    add_calibration(parser)
    add_json(parser)
    parser.set_defaults(run=info)


def info(args: argparse.Namespace, terminal: Terminal) -> None:
    facts = probe(args.file, calibration_file(args.calibration))
    if args.json:
        terminal.print_json(facts.to_dict())
    else:
        terminal.print_table(_lines(facts))


def _lines(facts: Facts) -> list[tuple[str, str]]:
    low, high = facts.energy_range_kev
    calibration, instrument = facts.calibration, facts.instrument
    size = "single spectrum"
    if facts.kind == "cube":
        height, width, _ = facts.shape
        size = f"{height} × {width} pixels (y, x), {height * width:,} spectra"
    lines = [
        ("file", facts.path),
        ("format", facts.format),
        ("size", size),
        ("channels", f"{facts.n_channels:,}"),
        ("counts", f"{facts.dtype}, {facts.nbytes / 1e6:,.1f} MB in memory"),
        ("energy", f"{low:.3f} … {high:.3f} keV"),
        (
            "calibration",
            f"{calibration.offset_kev:.5f} keV + {calibration.gain_kev:.6f} keV × channel",
        ),
    ]
    known = (
        ("resolution", calibration.fwhm_mn_kev, "keV at Mn Kα"),
        ("tube", instrument.tube_anode, "anode"),
        ("voltage", instrument.tube_kv, "kV"),
        ("live time", instrument.live_time_s, "s"),
        ("pixel size", instrument.pixel_size_mm, "mm"),
    )
    for name, value, unit in known:
        if value is not None:
            lines.append(
                (name, f"{value if isinstance(value, str) else format(value, 'g')} {unit}")
            )
    return lines


def add_calibrate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "calibrate",
        help="energy calibration from peaks and their lines",
        description="Fit the energy calibration of a file to peaks and their lines.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--pair",
        metavar="CHANNEL=ENERGY",
        action="append",
        required=True,
        help="position of a peak and its energy in keV, or its line: 219.2=6.404, 219.2=Fe-Ka; "
        "two or more",
    )
    parser.add_argument("--quadratic", action="store_true", help="also fit the curvature")
    parser.add_argument(
        "-o",
        "--out",
        metavar="CAL.json",
        type=Path,
        help="write the calibration; named like the file it is found when that is read",
    )
    add_json(parser)
    parser.set_defaults(run=calibrate)


def calibrate(args: argparse.Namespace, terminal: Terminal) -> None:
    from xrfengine.calibrate import calibration_from_pairs, pair_from_text

    if args.out is not None:
        check_output(args.out, (".json",), [args.file])
    pairs = [pair_from_text(text) for text in args.pair]
    fitted = calibration_from_pairs(pairs, quadratic=args.quadratic)
    facts = probe(args.file, fitted)
    for channel, energy in pairs:
        if channel > facts.n_channels - 1:
            raise CalibrationError(
                f"{args.file}: there is no channel {channel:g} (for {energy:g} keV), the file has "
                f"{facts.n_channels}",
                "Channels are counted from 0.",
            )
    residuals = [
        {
            "channel": channel,
            "energy_kev": energy,
            "fitted_kev": float(fitted.at(channel)),
            "residual_kev": energy - float(fitted.at(channel)),
        }
        for channel, energy in pairs
    ]
    values = {
        "offset_kev": fitted.offset_kev,
        "gain_kev": fitted.gain_kev,
        "quadratic_kev": fitted.quadratic_kev,
    }
    if args.out is not None:
        with output(args.out) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    low, high = fitted.at(np.array([0, facts.n_channels - 1]))
    if args.json:
        terminal.print_json(
            {"file": args.file, **values, "energy_kev": [low, high], "pairs": residuals}
        )
        return
    curve = f" + {fitted.quadratic_kev:.3g} keV × channel²" if args.quadratic else ""
    terminal.print(
        f"{fitted.offset_kev:.5f} keV + {fitted.gain_kev:.7f} keV × channel{curve}, "
        f"{low:.3f} … {high:.3f} keV"
    )
    rows = [("channel", "line / keV", "fitted / keV", "off / eV")]
    for pair in residuals:
        off = f"{1000 * pair['residual_kev']:+.1f}"
        rows.append(
            (f"{pair['channel']:g}", f"{pair['energy_kev']:.4f}", f"{pair['fitted_kev']:.4f}", off)
        )
    terminal.print_table(rows, indent="  ")
