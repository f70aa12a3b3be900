"""``xrfengine simulate`` and ``xrfengine train``: spectra with labels, and models from them."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.cli.inputs import add_json
from xrfengine.cli.terminal import Terminal, check_output, output
from xrfengine.errors import SettingsError
from xrfengine.jobs import CancelToken, Progress, chunks

SIMULATED_AT_ONCE = 512


def add_simulate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "simulate",
        help="labelled spectra of one random instrument",
        description="Write simulated spectra of one random instrument: HDF5 with counts "
        "(1, spectrum, channel), energy_keV, labels (spectrum, element; 1 visible, 0 absent, "
        "-1 neither), n_elements, elements.",
    )
    parser.add_argument("-n", metavar="N", type=int, required=True, help="number of spectra")
    parser.add_argument("-o", "--out", metavar="OUT.h5", type=Path, required=True)
    parser.add_argument(
        "--preset",
        choices=("physical", "thesis"),
        default="physical",
        help="how spectra are made (default: physical)",
    )
    parser.add_argument(
        "--elements-each", metavar="K", type=int, help="elements in each spectrum (default: drawn)"
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    add_json(parser)
    parser.set_defaults(run=simulate)


def simulate(args: argparse.Namespace, terminal: Terminal) -> None:
    check_output(args.out, (".h5", ".hdf5"))
    if args.n < 1:
        raise SettingsError(f"-n {args.n}: no spectra to simulate", "Give a number from 1.")
    if args.seed < 0:
        raise SettingsError(f"--seed {args.seed}", "Give a whole number from 0.")
    with terminal.progress() as progress, output(args.out) as temporary:
        facts = _simulate(temporary, args, progress, terminal.cancel)
        terminal.cancel.check()
    facts = {"out": args.out, **facts}
    if args.json:
        terminal.print_json(facts)
    else:
        low, high = facts["energy_kev"]
        terminal.print(
            f"{args.out}: {args.n:,} spectra of {facts['channels']} channels, "
            f"{low:.2f} … {high:.2f} keV, {facts['visible_elements']:.1f} visible elements each"
        )


def _simulate(
    path: Path, args: argparse.Namespace, progress: Progress, cancel: CancelToken
) -> dict[str, Any]:
    import h5py

    from xrfengine.classifier.instrument import draw_instrument
    from xrfengine.classifier.simulate import THESIS_ELEMENTS, SimulationSettings, Simulator
    from xrfengine.lines import ELEMENTS

    settings = SimulationSettings(preset=args.preset)
    elements = THESIS_ELEMENTS if args.preset == "thesis" else ELEMENTS
    simulator = Simulator(settings, elements)
    rng = np.random.default_rng(args.seed)
    instrument = None if args.preset == "thesis" else draw_instrument(settings, rng)
    visible = 0
    with h5py.File(path, "w") as file:
        for rows in chunks(args.n, SIMULATED_AT_ONCE):
            cancel.check()
            n = rows.stop - rows.start
            if instrument is None:
                batch = simulator.batch(n, rng, args.elements_each)
            else:
                batch = simulator.measure(instrument, n, rng, args.elements_each)
            if rows.start == 0:
                shape = (1, args.n, batch.counts.shape[1])
                counts = file.create_dataset("counts", shape, batch.counts.dtype, compression=1)
                labels = file.create_dataset("labels", (args.n, len(elements)), np.int8)
                put_in = file.create_dataset("n_elements", (args.n,), np.int32)
                energy = batch.calibration.energy_kev(shape[2])
            counts[0, rows] = batch.counts
            labels[rows] = batch.labels
            put_in[rows] = batch.n_elements
            visible += int((batch.labels == 1).sum())
            progress(rows.stop / args.n, "Simulating")
        file["energy_keV"] = energy
        file["elements"] = list(elements)
        file.attrs["settings"] = json.dumps(settings.to_dict())
        file.attrs["seed"] = args.seed
    return {
        "preset": args.preset,
        "seed": args.seed,
        "spectra": args.n,
        "channels": energy.size,
        "energy_kev": [energy[0], energy[-1]],
        "elements": list(elements),
        "visible_elements": visible / args.n,
    }


def add_train(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "train",
        help="a model from simulated spectra",
        description="Train a network on spectra simulated as they are needed. The same command "
        "goes on where it was interrupted or killed. The card beside the weights says how they "
        "were made and what they reached.",
    )
    parser.add_argument(
        "--preset",
        choices=("compact", "thesis", "resnet"),
        default="compact",
        help="network and recipe (default: compact)",
    )
    parser.add_argument(
        "--bright",
        metavar="M.safetensors",
        type=Path,
        help="go on from these weights to a network that reads every count of bright spectra, "
        "which the search for traces asks; kept beside them as M.bright.safetensors",
    )
    parser.add_argument("--minutes", metavar="M", type=float, default=20.0, help="default: 20")
    parser.add_argument("--out", "-o", metavar="M.safetensors", type=Path, required=True)
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    parser.add_argument("--steps", metavar="N", type=int, help="end after so many steps instead")
    parser.add_argument(
        "--learning-rate",
        metavar="X",
        type=float,
        help="the highest (default: the preset's, 0.001 with --bright; lower ones lose less of the "
        "weights that are gone on from)",
    )
    parser.add_argument("--workers", metavar="N", type=int, help="processes that simulate")
    parser.add_argument("--threads", metavar="N", type=int, help="threads of the arithmetic")
    parser.add_argument("--batch", metavar="N", type=int, help="spectra a step")
    parser.add_argument(
        "--validation-spectra", metavar="N", type=int, help="simulated spectra held apart"
    )
    parser.add_argument("--device", metavar="DEVICE", help="cpu or cuda (default: the best there)")
    add_json(parser)
    parser.set_defaults(run=train)


def train(args: argparse.Namespace, terminal: Terminal) -> None:
    from xrfengine.classifier.checkpoint import load
    from xrfengine.classifier.recipe import TrainSettings
    from xrfengine.classifier.train import train as train_network

    check_output(args.out, (".safetensors",))
    optional = {
        "steps": args.steps,
        "workers": args.workers,
        "threads": args.threads,
        "batch": args.batch,
        "validation_spectra": args.validation_spectra,
        "device": args.device,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    given |= {"minutes": args.minutes, "seed": args.seed}
    if args.bright is None:
        settings = TrainSettings.for_preset(args.preset, **given)
    elif args.preset != "compact":
        raise SettingsError(
            f"--preset {args.preset} has no meaning with --bright",
            "Leave it out: the network that is gone on from says it.",
        )
    else:
        settings = TrainSettings.for_bright(args.bright, **given)
    if args.learning_rate is not None:
        settings = settings.at_rate(args.learning_rate)
    with terminal.progress() as progress:
        path = train_network(
            settings,
            args.out,
            command=shlex.join(["xrfengine", *args.argv]),
            progress=progress,
            cancel=terminal.cancel,
        )
    checkpoint = load(path)
    figures = {k: v for k, v in checkpoint.card["validation"].items() if k != "by_element"}
    facts = {
        "out": path,
        "preset": args.preset,
        "digest": checkpoint.digest,
        "bytes": path.stat().st_size,
        "steps": checkpoint.card["steps"],
        "minutes": checkpoint.card["training_minutes"],
        "validation": figures,
    }
    if args.json:
        terminal.print_json(facts)
        return
    terminal.print(
        f"{path}: {facts['steps']:,} steps in {facts['minutes']:.1f} min, "
        f"{facts['bytes'] / 1e6:.1f} MB, digest {checkpoint.digest}"
    )
    terminal.print_table([(k, f"{v:g}") for k, v in figures.items()], indent="  ")
