"""Maps of the phantom painting against its truth: what each pixel's spectrum can show at all.

    python benchmarks/phantom_truth.py [--shape 120 160] [--seeds 0 1 2] [--model FILE]
                                       [--json FILE]

Truth is ``Phantom.visible``: 1 where the element's marginal significance at these counts reaches
four standard deviations. Macro F1 is given twice: with the pixels between 1.5 and 4 left out, as
in training and everywhere else in the project (nobody can say there), and strictly, with them
counted as absent. Pixels of all seeds are pooled by element; elements visible in fewer than one
pixel in a thousand are left out of the mean, and named.

How each method's elements would be listed is counted, too: as found where more pixels touch than
chance has it, or from a share of the area on (:func:`xrfengine.findings.is_seen_in_few`), as *in
few pixels* else; right is what truth shows in at least one pixel, wrong what it shows in none.

Beside our maps at their default thresholds: windows and the full-spectrum fit (what the sum
spectrum shows), present from three standard deviations.

``run(model) -> dict`` and ``print_table(result)`` are for ``benchmarks/identification.py``, under
``"phantom"``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from presence_maps import Mapped, map_methods

from xrfengine.classifier.predict import Classifier
from xrfengine.findings import is_seen_in_few
from xrfengine.jobs import Progress, no_progress
from xrfengine.lines import INSTRUMENT_ELEMENTS
from xrfengine.phantom import Phantom, PhantomSettings, make_phantom

SHAPE_YX, SEEDS, COUNTS = (120, 160), (0, 1, 2), 20_000.0
VISIBLE_Z, ABSENT_Z = 4.0, 1.5
_SELDOM = 1e-3


def run(
    model: Path | None = None,
    *,
    shape_yx: tuple[int, int] = SHAPE_YX,
    n_channels: int = 2048,
    seeds: Sequence[int] = SEEDS,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Score maps of phantoms, 1×1 pixel.

    Returns
    -------
    dict
        ``methods``: name → ``macro_f1``, ``macro_f1_strict``, ``by_element`` (element → f1,
        precision, recall, f1_strict, share visible), ``false_alarms_per_pixel`` (elements
        reported where absent), ``listed`` (rule → found right, found wrong, few right, few wrong,
        over all scans) and ``s_per_map``; ``seldom``: elements left out of the means.
    """
    classifier = Classifier.load(model)
    tallies: dict[str, dict[str, np.ndarray]] = {}
    listed: dict[str, dict[str, np.ndarray]] = {}
    seconds: dict[str, float] = {}
    n_pixels = 0
    for index, seed in enumerate(seeds):
        phantom = make_phantom(
            PhantomSettings(shape_yx, n_channels, counts_per_pixel=COUNTS, seed=seed)
        )
        n_pixels += phantom.cube.n_pixels
        methods = map_methods(classifier)
        for step, (name, mapper) in enumerate(methods.items()):
            start = time.perf_counter()
            maps = mapper(phantom.cube, 1)
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start
            for element, counts in _tallies(phantom, maps).items():
                of_method = tallies.setdefault(name, {})
                of_method[element] = of_method.get(element, 0) + counts
            for rule, places in _listed(phantom, maps).items():
                of_method = listed.setdefault(name, {})
                of_method[rule] = of_method.get(rule, 0) + places
            progress((index + (step + 1) / len(methods)) / len(seeds), f"seed {seed}, {name}")
    return {
        "shape_yx": list(shape_yx),
        "n_channels": n_channels,
        "seeds": list(seeds),
        "counts_per_pixel": COUNTS,
        "model": classifier.digest,
        "seldom": _seldom(tallies["xrfengine"], n_pixels),
        "methods": {
            name: {
                **_figures(of_method, n_pixels),
                "listed": {rule: places.tolist() for rule, places in listed[name].items()},
                "s_per_map": seconds[name] / len(seeds),
            }
            for name, of_method in tallies.items()
        },
    }


def _tallies(phantom: Phantom, maps: Mapped) -> dict[str, np.ndarray]:
    """Element → pixels (visible found, visible missed, grey reported, absent reported)."""
    apart = {phantom.cube.instrument.tube_anode, *INSTRUMENT_ELEMENTS}
    z = phantom.significance
    found = {}
    for element in sorted({*z.elements, *maps.elements} - apart):
        present = maps.presence(element)
        if element in z.elements:
            visible, absent = z[element] >= VISIBLE_Z, z[element] <= ABSENT_Z
        else:
            visible, absent = np.zeros_like(present), np.ones_like(present)
        grey = ~visible & ~absent
        found[element] = np.array(
            [
                (visible & present).sum(),
                (visible & ~present).sum(),
                (grey & present).sum(),
                (absent & present).sum(),
            ]
        )
    return found


def _listed(phantom: Phantom, maps: Mapped) -> dict[str, np.ndarray]:
    """Rule → elements (found right, found wrong, few right, few wrong)."""
    apart = {phantom.cube.instrument.tube_anode, *INSTRUMENT_ELEMENTS}
    z = phantom.significance
    rules = {"pixels that touch": [0] * 4, "share of the area": [0] * 4}
    for element in set(maps.elements) - apart:
        present = maps.presence(element)
        strongest = z[element].max() if element in z.elements else 0.0
        if not present.any() or ABSENT_Z < strongest < VISIBLE_Z:
            continue
        for rule, is_found in (
            ("pixels that touch", not is_seen_in_few(present)),
            ("share of the area", present.mean() >= _SELDOM),
        ):
            rules[rule][2 * (not is_found) + (strongest < VISIBLE_Z)] += 1
    return {rule: np.array(places) for rule, places in rules.items()}


def _seldom(tallies: Mapping[str, np.ndarray], n_pixels: int) -> list[str]:
    return [e for e, t in tallies.items() if 0 < t[0] + t[1] < _SELDOM * n_pixels]


def _figures(tallies: Mapping[str, np.ndarray], n_pixels: int) -> dict[str, Any]:
    by_element = {}
    for element, (hit, missed, grey, alarm) in tallies.items():
        if hit + missed < _SELDOM * n_pixels:
            continue
        by_element[element] = {
            "visible": float((hit + missed) / n_pixels),
            "f1": float(2 * hit / (2 * hit + missed + alarm)),
            "precision": float(hit / max(hit + alarm, 1)),
            "recall": float(hit / (hit + missed)),
            "f1_strict": float(2 * hit / (2 * hit + missed + alarm + grey)),
        }
    alarms = {e: int(t[3]) for e, t in tallies.items() if t[3]}
    worst = sorted(alarms, key=lambda e: -alarms[e])[:12]
    return {
        "macro_f1": float(np.mean([e["f1"] for e in by_element.values()])),
        "macro_f1_strict": float(np.mean([e["f1_strict"] for e in by_element.values()])),
        "by_element": by_element,
        "false_alarms_per_pixel": sum(alarms.values()) / n_pixels,
        "most_false_alarms_per_pixel": {e: alarms[e] / n_pixels for e in worst},
    }


def print_table(result: Mapping[str, Any]) -> None:
    """The result in columns."""
    y, x = result["shape_yx"]
    print(
        f"Phantom painting, {len(result['seeds'])} × {y}×{x} pixels of "
        f"{result['counts_per_pixel']:,.0f} counts, regions of 1×1"
    )
    for name, m in result["methods"].items():
        print(
            f"  {name:<13} macro F1 {m['macro_f1']:.3f}   strict {m['macro_f1_strict']:.3f}   "
            f"false alarms a pixel {m['false_alarms_per_pixel']:.4f}   {m['s_per_map']:.1f} s a map"
        )
        worst = m["most_false_alarms_per_pixel"].items()
        for rule, (right, wrong, few_right, few_wrong) in m["listed"].items():
            print(
                f"    listed by {rule}: as found {right} right, {wrong} wrong; "
                f"in few pixels {few_wrong} wrong, {few_right} right"
            )
        print("    absent but reported: " + ", ".join(f"{e} {share:.4f}" for e, share in worst))
    print(f"  too seldom visible for the means: {' '.join(result['seldom']) or 'none'}")
    names = list(result["methods"])
    print("  element  visible   " + "   ".join(f"{name:^20}" for name in names))
    print(" " * 20 + "   ".join(f"{'F1':>6}{'prec.':>7}{'recall':>7}" for _ in names))
    for element, first in result["methods"][names[0]]["by_element"].items():
        cells = []
        for name in names:
            e = result["methods"][name]["by_element"][element]
            cells.append(f"{e['f1']:>6.3f}{e['precision']:>7.3f}{e['recall']:>7.3f}")
        print(f"  {element:<7}  {first['visible']:>7.3f}   " + "   ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", type=int, nargs=2, default=SHAPE_YX, metavar=("Y", "X"))
    parser.add_argument("--channels", type=int, default=2048)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    result = run(
        given.model, shape_yx=tuple(given.shape), n_channels=given.channels, seeds=given.seeds
    )
    print_table(result)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
