"""``xrfengine evaluate``: what a model is worth, on measured and on simulated spectra."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from xrfengine.cli.inputs import add_json, add_model, load_model, model_words
from xrfengine.cli.terminal import Terminal, output
from xrfengine.errors import XRFError

MOST_ELEMENTS = 9
"""In one simulated spectrum, as in the thesis (3.2)."""

FIGURES = (
    ("recall", "recall of certain elements"),
    ("precision", "precision"),
    ("false_alarms_per_spectrum", "false alarms a spectrum"),
    ("f1", "F1"),
    ("average_precision", "average precision"),
)


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="scores of a model on labelled spectra",
        description="Score a model on measured spectra whose elements are known (a CSV table with "
        "the columns file, kind, domain, use, certain, plausible, instrument_lines), or with "
        "--simulated on fresh simulated ones. Of a cube the sum spectrum is taken.",
    )
    parser.add_argument("labels", metavar="LABELS.csv", type=Path, nargs="?")
    parser.add_argument(
        "--domain",
        choices=("xray", "sem", "all"),
        default="xray",
        help="excited by X-rays, by electrons, or both (default: xray)",
    )
    parser.add_argument("--use", metavar="USE", help="only rows of this use, such as tune, check")
    parser.add_argument(
        "--simulated", action="store_true", help="ROC by element, scores by number of elements"
    )
    parser.add_argument(
        "--spectra", metavar="N", type=int, default=5000, help="simulated, for ROC (5000)"
    )
    parser.add_argument(
        "--per-count",
        metavar="N",
        type=int,
        default=1000,
        help="simulated for each number of elements, 1 to 9 (1000)",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=1)
    parser.add_argument("--out", "-o", metavar="DIR", type=Path, help="write figures and plots")
    add_model(parser)
    add_json(parser)
    parser.set_defaults(run=evaluate)


def evaluate(args: argparse.Namespace, terminal: Terminal) -> None:
    if args.simulated == (args.labels is not None):
        raise XRFError(
            "evaluate needs either a table of labels or --simulated",
            "Write `xrfengine evaluate LABELS.csv` or `xrfengine evaluate --simulated`.",
        )
    if args.out is not None and args.out.exists() and not args.out.is_dir():
        raise XRFError(f"{args.out}: this is a file", "Name a folder for the figures.")
    if min(args.spectra, args.per_count) < 1 or args.seed < 0:
        raise XRFError(
            f"--spectra {args.spectra} --per-count {args.per_count} --seed {args.seed}",
            "Give numbers of spectra from 1 and a seed from 0.",
        )
    if args.simulated:
        _simulated(args, terminal)
    else:
        _labels(args, terminal)


def _labels(args: argparse.Namespace, terminal: Terminal) -> None:
    from xrfengine.classifier.evaluate import read_labels, score_labels

    read_labels(args.labels)  # a wrong table is told before the model loads
    classifier = load_model(args)
    with terminal.progress() as progress:
        result = score_labels(
            args.labels,
            classifier,
            None if args.domain == "all" else args.domain,
            args.use,
            progress=progress,
            cancel=terminal.cancel,
        )
    result = {
        "labels": str(args.labels),
        "domain": args.domain,
        "use": args.use,
        "model": model_words(classifier),
        **result,
    }
    if args.out is not None:
        with output(args.out / f"labels-{args.domain}.json") as temporary:
            text = json.dumps(result, indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    if args.json:
        terminal.print_json(result)
        return
    terminal.print(f"{args.labels}: {result['n_spectra']} spectra, model {result['model']}")
    terminal.print_table([(words, f"{result[key]:.4f}") for key, words in FIGURES], indent="  ")
    for key, words in (("misses", "missed"), ("false_alarms", "false alarms")):
        listed = " ".join(f"{element}×{n}" for element, n in list(result[key].items())[:20])
        terminal.print(f"  {words}: {listed or 'none'}")


def _simulated(args: argparse.Namespace, terminal: Terminal) -> None:
    from xrfengine.classifier.evaluate_simulated import evaluate_simulated

    classifier = load_model(args)
    with terminal.progress() as progress:
        result = evaluate_simulated(
            classifier,
            args.out,
            n_spectra=args.spectra,
            n_per_count=args.per_count,
            element_counts=tuple(range(1, min(MOST_ELEMENTS, len(classifier.elements)) + 1)),
            seed=args.seed,
            progress=progress,
            cancel=terminal.cancel,
        )
    if args.json:
        terminal.print_json(result)
        return
    areas: dict[str, float] = result["auc"]
    mean = result["mean_auc"]
    terminal.print(
        f"{result['n_spectra']} simulated spectra, model {model_words(classifier)}, "
        f"mean area under ROC {'none' if mean is None else format(mean, '.4f')}"
    )
    weakest = sorted(areas.items(), key=lambda item: item[1])[:8]
    terminal.print("  weakest: " + " ".join(f"{e} {area:.3f}" for e, area in weakest))
    rows: list[tuple[str, ...]] = [("elements", "accuracy", "precision", "recall", "F1")]
    scores: dict[str, Any]
    for number, scores in [*result["by_number"].items(), ("any", result["overall"])]:
        names = ("accuracy", "precision", "recall", "f1")
        rows.append((number, *(f"{scores[name]:.4f}" for name in names)))
    terminal.print_table(rows, indent="  ")
