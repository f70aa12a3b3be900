"""How well elements are named in real spectra: ours and established methods, in one run.

    python benchmarks/identification.py [--labels labels.csv] [--use all] [--methods a,b]
        [--model WEIGHTS] [--skip-thinning] [--skip-further] [--quick] [--out FILE.json]

Prints a table for X-ray and one for electron excitation, X-ray spectra by themselves beside the
reference scores, misses and false alarms by element, and F1 against counts (``thinning.py``);
then injections, the painting's maps, the phantom and the thesis's test (``further_tests.py``).
Peers are shown at their usual cut and at the best one for the *tune* rows; ours only at the
thresholds they were shipped with. Needs PyMca: ``pip install xrfengine[bench]``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import further_tests
import numpy as np
import thinning
from peers import METHODS, OURS, Unavailable
from peers.figures import (
    at_cut,
    best_cut,
    bootstrap,
    by_element,
    f1_of,
    file_counts,
    interval,
    macro_f1,
    materials,
)
from peers.running import run

from xrfengine.cache import digest, written_whole
from xrfengine.classifier.evaluate import (
    LabelledFile,
    Verdict,
    labelled_spectrum,
    read_labels,
    score_verdicts,
)
from xrfengine.classifier.predict import Classifier
from xrfengine.lines import ELEMENTS

DOMAINS = {"xray": "X-ray excitation", "sem": "Electron excitation (SEM-EDS)"}
SLOW = ("PyMca fit", "greedy", "xrfengine+fit")
REFERENCE_CUTS = {"greedy_search": 11.4, "pymca_peaks": 13.3}
"""Best cuts of the reference's own table, tuned on all of its spectra."""

Verdicts = list[Mapping[str, Verdict]]


def figures(rows: Sequence[LabelledFile], verdicts: Verdicts) -> dict[str, Any]:
    """Scores over all rows and over each use, macro F1, interval over materials, by element."""
    scores = score_verdicts(rows, verdicts)
    counts = file_counts(scores["per_file"])
    low, high = interval(bootstrap(counts, materials(rows)))
    found = {key: value for key, value in scores.items() if key != "per_file"}
    found["macro_f1"] = macro_f1(scores["per_file"])
    found["f1_95"] = [low, high]
    found["by_element"] = by_element(scores["per_file"])
    found["by_use"] = {}
    for use in ("tune", "check"):
        places = [i for i, row in enumerate(rows) if row.use == use]
        if places:
            part = score_verdicts([rows[i] for i in places], [verdicts[i] for i in places])
            part.pop("per_file")
            found["by_use"][use] = part
    return found


def judged(name: str, rows: Sequence[LabelledFile], verdicts: Verdicts) -> dict[str, Any]:
    """A method's figures at its own cut and, for peers, at the best one for the tune rows."""
    result = {"default": figures(rows, verdicts)}
    tune = [i for i, row in enumerate(rows) if row.use == "tune"]
    if name in OURS or not tune:
        return result
    cut = best_cut([rows[i] for i in tune], [verdicts[i] for i in tune])
    result["tuned"] = {"cut": cut, **figures(rows, at_cut(verdicts, cut))}
    return result


def best_f1(result: Mapping[str, Any]) -> float:
    return result.get("tuned", result["default"])["f1"]


def reference_verdicts(path: Path, rows: Sequence[LabelledFile]) -> dict[str, Verdicts]:
    """Scores per spectrum of the reference's methods, as verdicts at their best cut."""
    scores: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            for name in REFERENCE_CUTS:
                scores[name][line["file"]][line["element"]] = float(line[name])
    return {
        name: [
            {e: Verdict(s := scores[name][row.file].get(e, 0.0), s >= cut) for e in ELEMENTS}
            for row in rows
        ]
        for name, cut in REFERENCE_CUTS.items()
    }


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a row for each method and cut."""
    lines = [
        "| method | cut | recall | precision | false alarms a spectrum | F1 | tune | check "
        "| 95 % over materials | average precision | macro F1 | s a spectrum |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        for kind in ("default", "tuned"):
            f = result.get(kind)
            if f is None:
                continue
            uses = [f["by_use"].get(use, {}).get("f1") for use in ("tune", "check")]
            uses = ["–" if value is None else f"{value:.3f}" for value in uses]
            cut = "its own" if kind == "default" else f"{f['cut']:.3g}"
            seconds = result.get("s")
            lines.append(
                f"| {name} | {cut} | {f['recall']:.3f} | {f['precision']:.3f} "
                f"| {f['false_alarms_per_spectrum']:.2f} | {f['f1']:.3f} | {uses[0]} | {uses[1]} "
                f"| {f['f1_95'][0]:.3f} … {f['f1_95'][1]:.3f} | {f['average_precision']:.4f} "
                f"| {f['macro_f1']:.3f} | {'–' if seconds is None else f'{seconds:.2g}'} |"
            )
    return "\n".join(lines)


def element_table(ours: Mapping[str, Any], peer_name: str, peer: Mapping[str, Any]) -> str:
    """Markdown: elements that either method missed or reported wrongly."""
    mine, theirs = ours["default"]["by_element"], peer.get("tuned", peer["default"])["by_element"]
    nothing = {"found": 0, "missed": 0, "false_alarms": 0}
    lines = [
        f"| element | certain in | xrfengine missed | wrong | {peer_name} missed | wrong |",
        "|---|---|---|---|---|---|",
    ]
    for element in sorted({*mine, *theirs}, key=ELEMENTS.index):
        a, b = mine.get(element, nothing), theirs.get(element, nothing)
        if any(x["missed"] or x["false_alarms"] for x in (a, b)):
            certain = max(a["found"] + a["missed"], b["found"] + b["missed"])
            lines.append(
                f"| {element} | {certain} | {a['missed']} | {a['false_alarms']} "
                f"| {b['missed']} | {b['false_alarms']} |"
            )
    return "\n".join(lines)


def ahead(
    rows: Sequence[LabelledFile], ours: Verdicts, others: Mapping[str, Verdicts]
) -> dict[str, Any]:
    """F1 of ours less that of others on the same spectra, with paired 95 % intervals."""
    mine = file_counts(score_verdicts(rows, ours)["per_file"])
    found = {}
    for name, verdicts in others.items():
        pair = np.stack([mine, file_counts(score_verdicts(rows, verdicts)["per_file"])])
        a, b = bootstrap(pair, materials(rows))
        plain = f1_of(pair.sum(axis=1))
        found[name] = {"f1": float(plain[0] - plain[1]), "f1_95": list(interval(a - b))}
    return found


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("xrfengine", "numpy", "scipy", "torch", "xraylib", "PyMca5"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def domain_results(
    domain: str, rows: list[LabelledFile], spectra: list, given: argparse.Namespace
) -> dict[str, Any]:
    """Run and print everything of one domain."""
    print(f"\n## {DOMAINS[domain]}: {len(rows)} spectra\n", flush=True)
    results: dict[str, Any] = {}
    said: dict[str, Verdicts] = {}
    for name in given.methods:
        try:
            ran = run(name, given.model, spectra, given.processes if name in SLOW else 1)
        except Unavailable as reason:
            print(f"{name}: left out, {reason}.\n", flush=True)
            continue
        results[name] = {**judged(name, rows, ran.verdicts), "s": ran.median_s}
        said[name] = ran.verdicts
    print(table(results))
    found: dict[str, Any] = {"n_spectra": len(rows), "methods": results}
    peers = {name: result for name, result in results.items() if name not in OURS}
    if "xrfengine" in results and peers:
        best = max(peers, key=lambda name: best_f1(peers[name]))
        found["best_peer"] = best
        print(f"\n### By element: xrfengine and {best}\n")
        print(element_table(results["xrfengine"], best, peers[best]))
    reference = given.labels.parent / "reference_scores.csv"
    if domain == "xray" and not reference.is_file():
        print(f"\nReference scores: left out, {reference.name} is not beside the labels.")
    elif domain == "xray":
        found["reference"] = _beside_reference(reference, rows, said)
    return found


def _beside_reference(
    path: Path, rows: list[LabelledFile], said: Mapping[str, Verdicts]
) -> dict[str, Any]:
    """Methods and the reference's scores on the spectra that the reference covers."""
    with path.open(newline="", encoding="utf-8") as file:
        covered = {line["file"] for line in csv.DictReader(file)}
    places = [i for i, row in enumerate(rows) if row.file in covered]
    if not places:
        return {}
    here = [rows[i] for i in places]
    results = {n: judged(n, here, [v[i] for i in places]) for n, v in said.items()}
    reference = reference_verdicts(path, here)
    for name, verdicts in reference.items():
        results[f"reference {name}"] = {
            "tuned": {"cut": REFERENCE_CUTS[name], **figures(here, verdicts)}
        }
    print(f"\n### The {len(here)} spectra of {path.name}, its methods at their best cut\n")
    print(table(results))
    found: dict[str, Any] = {"n_spectra": len(here), "methods": results}
    if "xrfengine" in said:
        found["ahead"] = ahead(here, [said["xrfengine"][i] for i in places], reference)
        for name, by in found["ahead"].items():
            low, high = by["f1_95"]
            print(f"\nF1 ahead of {name}: {by['f1']:+.3f} ({low:+.3f} … {high:+.3f})")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=Path, default=Path("../shared/data/labels.csv"))
    parser.add_argument("--use", choices=("tune", "check", "all"), default="all")
    parser.add_argument("--domain", choices=tuple(DOMAINS), help="only spectra of this one")
    parser.add_argument("--methods", help=f"of {', '.join(METHODS)}; comma between")
    parser.add_argument("--model", type=Path, help="weights instead of the shipped ones")
    parser.add_argument("--skip-thinning", action="store_true")
    parser.add_argument("--skip-further", action="store_true", help="labelled spectra only")
    parser.add_argument("--quick", action="store_true", help="no slow peers, thinned once a level")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--out", type=Path, help="JSON with every figure")
    given = parser.parse_args()
    given.methods = given.methods.split(",") if given.methods else list(METHODS)
    unknown = [name for name in given.methods if name not in METHODS]
    if unknown:
        parser.error(f"unknown methods {', '.join(unknown)}; choose from {', '.join(METHODS)}")
    if given.quick:
        given.methods = [name for name in given.methods if name != "PyMca fit"]
    start = time.perf_counter()
    classifier = Classifier.load(given.model, device="cpu")
    print(f"Weights: {classifier.name} {classifier.digest}; rows: {given.use}.")
    result: dict[str, Any] = {
        "model": {
            "name": classifier.name,
            "preset": classifier.preset,
            "digest": classifier.digest,
        },
        "labels": {"file": given.labels.name, "digest": digest(given.labels.read_bytes())},
        "use": given.use,
        "versions": _versions(),
        "domains": {},
    }
    labels = [row for row in read_labels(given.labels) if given.use in ("all", row.use)]
    for domain in DOMAINS:
        if given.domain not in (None, domain):
            continue
        rows = [row for row in labels if row.domain == domain]
        if not rows:
            continue
        spectra = [labelled_spectrum(row, given.labels.parent) for row in rows]
        result["domains"][domain] = domain_results(domain, rows, spectra, given)
        if domain == "xray" and not given.skip_thinning:
            chosen = [name for name in thinning.METHODS if name in given.methods]
            levels = dict.fromkeys(thinning.LEVELS, 1) if given.quick else thinning.LEVELS
            print("\n### X-ray spectra thinned to fewer counts\n", flush=True)
            result["thinning"] = thinning.compare(
                rows,
                spectra,
                methods=chosen,
                levels=levels,
                model=given.model,
                processes=given.processes,
            )
            print(thinning.table(result["thinning"]))
    if not given.skip_further:
        result |= further_tests.run(
            given.labels,
            given.methods,
            model=given.model,
            use=None if given.use == "all" else given.use,
            quick=given.quick,
        )
    result["wall_s"] = round(time.perf_counter() - start, 1)
    print(f"\n{result['wall_s']:.0f} s in all.")
    if given.out is not None:
        with written_whole(given.out) as part:
            part.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
