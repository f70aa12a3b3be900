"""Traces in bright spectra: what a search by the fit finds beyond the network, and what it invents.

    python benchmarks/trace_search.py LABELS.csv [--use tune] [--most 60] [--json FILE]

The network reads at most some 10⁵ counts of a spectrum, for above that an element's trace is a
matter of how well the instrument is known, spectrum by spectrum. Here the instrument is refined on
what the network found, and elements are added one at a time: the one whose lines, taken into the
fit, are the most significant of all, until none is. An element's significance while it is left out
tells little: what it leaves unexplained makes the model look bad just where its lines are.

Printed by significance: of line groups injected at ten standard deviations into spectra of more
than 3·10⁵ counts (see ``injection.py``) the share that network or search find; and certain and
absent elements that the search adds to the spectra as they are. The search is no part of
``identify``: what it adds still needs a judge.

Greedy addition with everything else refitted is orthogonal matching pursuit (Pati, Rezaiifar and
Krishnaprasad, Asilomar 1993).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from injection_plan import injected, injection_hosts, injections

from xrfengine.assets import asset
from xrfengine.classifier.anode import find_setup
from xrfengine.classifier.evaluate import labelled_spectrum, read_labels
from xrfengine.classifier.fit import MODEL_ERROR, refine_setup
from xrfengine.classifier.fit_shapes import Setup, Shapes, shapes_of
from xrfengine.classifier.fit_solve import Solution, fit_bins
from xrfengine.classifier.predict import Classifier
from xrfengine.classifier.verify import fit_is_left_out
from xrfengine.cube import Spectrum
from xrfengine.lines import ELEMENTS

MOST_ADDED = 8
_TRIED = 6
"""Elements taken into the fit on trial at every step, those first that promise most from without.
With more, nothing else was found in the tune rows."""
_PROMISING_Z = 3.0
_ADDED_Z = 6.0
"""Significance from which an element is taken into the fit; what counts as found is stricter."""


@dataclass(frozen=True, eq=False)
class Searched:
    """A spectrum after the search.

    Attributes
    ----------
    setup : Setup
        The instrument, refined on what the network found.
    solution : Solution
        The fit with all elements.
    known, added : tuple of str
        Elements that were given, and those that the search added, in their order.
    """

    setup: Setup
    solution: Solution
    known: tuple[str, ...]
    added: tuple[str, ...]

    def z(self, element: str) -> float:
        """Marginal significance of an element in the fit."""
        return _z(self.solution, ELEMENTS.index(element))


def search(spectrum: Spectrum, found: tuple[str, ...], setup: Setup) -> Searched:
    """Add to the elements found in a spectrum what the fit clearly misses.

    Parameters
    ----------
    spectrum : Spectrum
        One with many counts.
    found : tuple of str
        By the network.
    setup : Setup
        See :func:`~xrfengine.classifier.anode.find_setup`.
    """
    known = tuple(e for e in found if e != setup.anode)
    setup = refine_setup(spectrum, known, setup=setup)
    shapes = shapes_of(setup)
    chosen = np.array([ELEMENTS.index(e) for e in known], dtype=int)
    solution = _fit(shapes, spectrum.counts, chosen)
    added: list[int] = []
    while len(added) < MOST_ADDED:
        best = _best(shapes, spectrum.counts, chosen, solution)
        if best is None:
            break
        added.append(best)
        chosen = np.append(chosen, best)
        solution = _fit(shapes, spectrum.counts, chosen)
    return Searched(setup, solution, known, tuple(ELEMENTS[i] for i in added))


def _best(shapes: Shapes, counts: np.ndarray, chosen: np.ndarray, solution: Solution) -> int | None:
    """The element that is the most significant once in the fit; None if none is enough."""
    outside = np.nan_to_num(solution.outside_z, nan=-1.0)
    promising = [int(i) for i in np.argsort(-outside)[:_TRIED] if outside[i] >= _PROMISING_Z]
    tried = []
    for element in promising:
        trial = fit_bins(
            shapes, counts, np.append(chosen, element), model_error=MODEL_ERROR, n_rounds=2,
            start=solution.model, inflate=True,
        )  # fmt: skip
        tried.append((_z(trial, element), element))
    z, best = max(tried, default=(0.0, -1))
    return best if z >= _ADDED_Z else None


def _fit(shapes: Shapes, counts: np.ndarray, chosen: np.ndarray) -> Solution:
    return fit_bins(shapes, counts, chosen, model_error=MODEL_ERROR, n_rounds=3, inflate=True)


def _z(solution: Solution, element: int) -> float:
    at = np.flatnonzero(solution.elements == element)
    return float(solution.z[at[0]]) if at.size else 0.0


BRIGHT_COUNTS = 3e5
SIGMA = 10
LIMITS = (6.0, 7.0, 8.0, 10.0, 15.0)


def found_by_network(classifier: Classifier, spectrum: Spectrum) -> tuple[str, ...]:
    counts = np.asarray(spectrum.counts, dtype=np.float32)[None]
    said = classifier.probabilities(counts, spectrum.calibration)[0]
    return tuple(np.array(classifier.elements)[said >= classifier.thresholds].tolist())


def added_to_rows(classifier: Classifier, labels_csv: Path, use: str | None) -> list[dict]:
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
        searched = search(spectrum, found_by_network(classifier, spectrum), setup)
        for element in searched.added:
            ignored = element in entry.ignored or element in (setup.anode, "Ar")
            label = "certain" if element in entry.certain else "ignored" if ignored else "absent"
            rows.append({"element": element, "z": searched.z(element), "label": label})
    return rows


def found_injections(
    classifier: Classifier, labels_csv: Path, use: str | None, most: int
) -> list[dict]:
    """Of injections into bright spectra: whether the network found them, and z of the search."""
    hosts = injection_hosts(labels_csv, use)
    bright = {i for i, host in enumerate(hosts) if host.spectrum.total > BRIGHT_COUNTS}
    planned = [p for p in injections(hosts)[0] if p.sigma == SIGMA and p.host in bright][:most]
    setups = {i: find_setup(hosts[i].spectrum)[0] for i in sorted({p.host for p in planned})}
    rows = []
    for number, plan in enumerate(planned):
        spectrum = injected(hosts[plan.host], plan)
        found = found_by_network(classifier, spectrum)
        searched = search(spectrum, found, setups[plan.host])
        z = searched.z(plan.element) if plan.element in searched.added else 0.0
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
    found = found_injections(classifier, asked.labels, asked.use, asked.most)
    rows = added_to_rows(classifier, asked.labels, asked.use)
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
