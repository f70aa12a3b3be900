"""Traces in bright spectra: what a search by the fit finds beyond the network, and what it invents.

    python benchmarks/trace_search.py LABELS.csv [--use tune] [--most 60] [--json FILE]

The search itself, without its judge (:mod:`xrfengine.classifier.traces`).

Printed by significance: of line groups injected at ten standard deviations into spectra of more
than 10⁵ counts (see ``injection.py``) the share that network or search find; and certain and
absent elements that the search adds to the spectra as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from injection_plan import injected, injected_into, injection_hosts

from xrfengine.assets import asset
from xrfengine.classifier.anode import find_setup
from xrfengine.classifier.evaluate import labelled_spectrum, read_labels
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.traces import BRIGHT_COUNTS, candidates
from xrfengine.classifier.verify import fit_is_left_out
from xrfengine.classifier.whole_reading import read_whole
from xrfengine.cube import Spectrum

SIGMA = 10
LIMITS = (6.0, 7.0, 8.0, 10.0, 15.0)


def found_by_network(classifier: Classifier, spectrum: Spectrum) -> tuple[str, ...]:
    counts = np.asarray(spectrum.counts, dtype=np.float32)[None]
    said = classifier.probabilities(counts, spectrum.calibration)[0]
    return tuple(np.array(classifier.elements)[said >= classifier.thresholds].tolist())


def added_to_rows(
    classifier: Classifier, reader: Classifier, labels_csv: Path, use: str | None
) -> list[dict]:
    """What the search adds to bright X-ray spectra, and whether the labels have it."""
    rows = []
    for entry in read_labels(labels_csv):
        if entry.domain != "xray" or (use is not None and entry.use != use):
            continue
        spectrum = labelled_spectrum(entry, labels_csv.parent)
        if spectrum.total < BRIGHT_COUNTS:
            continue
        setup, _ = find_setup(spectrum)
        if fit_is_left_out(setup):
            continue
        found = found_by_network(classifier, spectrum)
        traces = candidates(spectrum, found, setup, read_whole(spectrum, reader, setup))
        for element, z in zip(traces.elements, traces.z, strict=True):
            ignored = element in entry.ignored
            label = "certain" if element in entry.certain else "ignored" if ignored else "absent"
            rows.append({"element": element, "z": z, "label": label})
    return rows


def found_injections(
    classifier: Classifier, reader: Classifier, labels_csv: Path, use: str | None, most: int
) -> list[dict]:
    """Of injections into bright spectra: whether the network found them, and z of the search."""
    hosts = injection_hosts(labels_csv, use)
    bright = {i for i, host in enumerate(hosts) if host.spectrum.total > BRIGHT_COUNTS}
    planned = injected_into(hosts, bright, SIGMA)[:most]
    setups = {i: find_setup(hosts[i].spectrum)[0] for i in sorted({p.host for p in planned})}
    rows = []
    for number, plan in enumerate(planned):
        spectrum = injected(hosts[plan.host], plan)
        found = found_by_network(classifier, spectrum)
        setup = setups[plan.host]
        reading = read_whole(spectrum, reader, setup)
        traces = candidates(spectrum, found, setup, reading)
        z = dict(zip(traces.elements, traces.z, strict=True)).get(plan.element, 0.0)
        rows.append({"element": plan.element, "network": plan.element in found, "z": z})
        print(f"{number + 1} of {len(planned)}", end="\r", file=sys.stderr, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("--use", default="tune")
    parser.add_argument("--most", type=int, default=60, help="injections (default: 60)")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    classifier = Classifier.load(asset("compact.safetensors"))
    reader = Classifier.load(asset("compact.bright.safetensors"))
    found = found_injections(classifier, reader, asked.labels, asked.use, asked.most)
    rows = added_to_rows(classifier, reader, asked.labels, asked.use)
    alone = np.mean([row["network"] for row in found])
    print(f"{len(found)} injections at {SIGMA} σ into bright spectra, network alone {alone:.2f}")
    print(f"{'z from':>8}{'recall':>9}{'certain added':>15}{'absent added':>14}")
    for limit in LIMITS:
        recall = np.mean([row["network"] or row["z"] >= limit for row in found])
        added = [row["label"] for row in rows if row["z"] >= limit]
        print(f"{limit:>8.0f}{recall:>9.2f}{added.count('certain'):>15}{added.count('absent'):>14}")
    if asked.json:
        asked.json.write_text(json.dumps({"injections": found, "added": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
