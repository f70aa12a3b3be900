"""How far a fit alone gets with traces in bright spectra, if it is told everything else.

    python benchmarks/trace_limit.py LABELS.csv [--use tune] [--most 110] [--json FILE]

A likelihood search that knows the anode, the voltage and every labelled element, and is told the
instrument as refined on them (the same fit that sets the amounts of ``injection.py``), adds the
elements that it still misses, one at a time. Printed by significance: of line groups injected at
ten standard deviations into spectra of more than 3·10⁵ counts the share that it adds, and how many
elements it adds to those spectra as they are, of which no label knows. What no threshold of this
search reaches, a classifier must make up for by knowing how spectra usually look.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from injection import BRIGHT_COUNTS
from injection_plan import Host, injected, injected_into, injection_hosts

from xrfengine.classifier.anode import ANODES
from xrfengine.classifier.fit import MODEL_ERROR
from xrfengine.classifier.fit_solve import Solution, fit_bins
from xrfengine.classifier.trace_figures import z_of
from xrfengine.lines import ELEMENTS, INSTRUMENT_ELEMENTS

SIGMA = 10
LIMITS = (5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0)
TRIED, PROMISING_Z, MOST_ADDED = 8, 1.5, 15


def added(host: Host, counts: np.ndarray) -> dict[str, float]:
    """Elements that the search adds to a spectrum, with their significance in the last fit."""
    labelled = host.entry.certain | host.entry.ignored
    beyond = {ELEMENTS.index(e) for e in (*INSTRUMENT_ELEMENTS, *ANODES) if e in labelled}
    chosen = np.array(
        [ELEMENTS.index(e) for e in sorted(labelled) if e in ELEMENTS and not _is_anode(host, e)],
        dtype=int,
    )
    solution, found = _fitted(host, counts, chosen), []
    while len(found) < MOST_ADDED:
        outside = np.nan_to_num(solution.outside_z, nan=-1.0)
        promising = [i for i in np.argsort(-outside)[:TRIED] if outside[i] >= PROMISING_Z]
        trials = [
            (z_of(_fitted(host, counts, np.append(chosen, i), solution), i), int(i))
            for i in promising
            if int(i) not in beyond
        ]
        z, best = max(trials, default=(0.0, -1))
        if z < min(LIMITS):
            break
        found.append(best)
        chosen = np.append(chosen, best)
        solution = _fitted(host, counts, chosen)
    return {ELEMENTS[i]: z_of(solution, i) for i in found}


def _is_anode(host: Host, element: str) -> bool:
    return element == host.shapes.setup.anode


def _fitted(
    host: Host, counts: np.ndarray, chosen: np.ndarray, start: Solution | None = None
) -> Solution:
    begun = {} if start is None else {"start": start.model}
    return fit_bins(
        host.shapes, counts, chosen, model_error=MODEL_ERROR, n_rounds=3, inflate=True, **begun
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("--use", default="tune")
    parser.add_argument("--most", type=int, default=110, help="injections (default: 110)")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    hosts = injection_hosts(asked.labels, asked.use)
    bright = {i for i, host in enumerate(hosts) if host.spectrum.total > BRIGHT_COUNTS}
    planned = injected_into(hosts, bright, SIGMA)[: asked.most]
    found = []
    for number, plan in enumerate(planned):
        host = hosts[plan.host]
        z = added(host, injected(host, plan).counts).get(plan.element, 0.0)
        found.append({"file": host.entry.file, "element": plan.element, "z": z})
        print(f"{number + 1} of {len(planned)}", end="\r", file=sys.stderr, flush=True)
    invented = {
        hosts[i].entry.file: added(hosts[i], np.asarray(hosts[i].spectrum.counts)) for i in bright
    }
    print(f"{len(found)} injections at {SIGMA} σ into {len(bright)} bright spectra, all else known")
    print(f"{'z from':>8}{'recall':>9}{'absent added to a spectrum':>29}")
    for limit in LIMITS:
        recall = np.mean([each["z"] >= limit for each in found])
        absent = sum(z >= limit for each in invented.values() for z in each.values())
        print(f"{limit:>8.0f}{recall:>9.3f}{absent / len(bright):>29.2f}")
    if asked.json:
        told = {"injections": found, "added": invented}
        asked.json.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
