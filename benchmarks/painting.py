"""The painting, scanned twice with two detectors: do maps agree, and what is reported of it.

    python benchmarks/painting.py CUBES_FOLDER [--method NAME …] [--model FILE] [--json FILE]

Nobody knows where each element really is; but two scans of one painting, and two detectors that
look at one spot at the same time, must show the same. For every element and method, between
repeats and between detectors:

- Spearman's rank correlation of the maps: unmoved by any monotone change of scale, so that
  probabilities and counts compare. Where an element is everywhere, probabilities have no contrast
  left and their ranks are noise; the next two say what matters there.
- Cohen's κ of the presence maps: agreement beyond what chance gives two maps with these shares;
  not defined where both maps are constant.
- Jaccard's index of the presence maps: pixels where both report it over those where either does;
  not defined where neither reports it anywhere.

Agreement is no proof of truth: an overlap is reproducible, too. The second part holds against it
which elements each method reports of the sum spectra (Pb Ca Fe Cu Zn Hg Ti are there; Sn, which
the scan's authors report, is scatter of the silver anode).

``run(methods, cubes_folder, model=…) -> dict`` (methods as in ``benchmarks/peers``, for the second
part) and ``print_table(result)`` are for ``benchmarks/identification.py``, under ``"painting"``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from injection import chosen_methods
from presence_maps import Mapped, map_methods

from xrfengine.classifier.evaluate import Classify
from xrfengine.classifier.predict import Classifier
from xrfengine.jobs import Progress, no_progress
from xrfengine.readers import read

SCANS, DETECTORS = ("prova1", "prova2"), ("10264", "19511")
MUST = ("Pb", "Ca", "Fe", "Cu", "Zn", "Hg", "Ti")
MUST_NOT = ("Sn",)
MAPPED = (*MUST, "S", "K", "Mn", "Cr", "Ni", "Sr", "As")
"""What the paints may hold by their labels, beside what is certain."""

INSTRUMENT = ("Ag", "Ar")
REGIONS_PX = (1, 5)


def file_name(scan: str, detector: str) -> str:
    return f"vinca_aurora_{scan}_{detector}.h5"


def run(
    methods: Mapping[str, Classify],
    cubes_folder: Path,
    *,
    model: Path | None = None,
    regions_px: tuple[int, ...] = REGIONS_PX,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Agreement of maps, and elements reported of the sum spectra.

    Returns
    -------
    dict
        ``reported``: method → detector → ``missing``, ``wrong``, ``reported`` (of the sum of both
        scans' files, each named). ``agreement``: region side → method → pairing (``repeats``,
        ``detectors``) → element → ``rank``, ``kappa``, ``jaccard`` (means of the two pairs; None
        where not defined).

    Raises
    ------
    ReadError
        If a cube is missing.
    """
    cubes = {
        (scan, detector): read(Path(cubes_folder) / file_name(scan, detector))
        for scan in SCANS
        for detector in DETECTORS
    }
    reported = {
        name: {
            f"{scan} {detector}": _reported(method, cube)
            for (scan, detector), cube in cubes.items()
        }
        for name, method in methods.items()
    }
    mappers = map_methods(Classifier.load(model), MAPPED)
    agreement: dict[str, Any] = {}
    steps, done = len(regions_px) * len(mappers) * len(cubes), 0
    for region_px in regions_px:
        by_method = agreement.setdefault(str(region_px), {})
        for name, mapper in mappers.items():
            maps = {}
            for key, cube in cubes.items():
                maps[key] = mapper(cube, region_px)
                done += 1
                progress(done / steps, f"{name}, {region_px} px")
            by_method[name] = {
                "repeats": _agreement([[maps[s, d] for s in SCANS] for d in DETECTORS]),
                "detectors": _agreement([[maps[s, d] for d in DETECTORS] for s in SCANS]),
            }
    return {"reported": reported, "agreement": agreement}


def _reported(method: Classify, cube) -> dict[str, list[str]]:
    found = {e for e, v in method(cube.sum_spectrum).items() if v.present} - set(INSTRUMENT)
    return {
        "reported": sorted(found),
        "missing": [e for e in MUST if e not in found],
        "wrong": [e for e in MUST_NOT if e in found],
    }


def _agreement(pairs: list[list[Mapped]]) -> dict[str, dict[str, float | None]]:
    """Element → measures, each the mean over the pairs in which it is defined."""
    found = {}
    for element in MAPPED:
        measures = [agreement(one, other, element) for one, other in pairs]
        found[element] = {
            key: _mean([m[key] for m in measures]) for key in ("rank", "kappa", "jaccard")
        }
    return found


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def agreement(one: Mapped, other: Mapped, element: str) -> dict[str, float | None]:
    """How far two maps of an element agree.

    Returns
    -------
    dict
        ``rank`` (Spearman, −1…1), ``kappa`` (Cohen, ≤ 1), ``jaccard`` (0…1); None where a map is
        missing or a measure not defined.
    """
    from scipy.stats import spearmanr

    a, b = one.value(element), other.value(element)
    rank = None
    if a is not None and b is not None and np.ptp(a) > 0 and np.ptp(b) > 0:
        rank = float(spearmanr(a.ravel(), b.ravel()).statistic)
    p, q = one.presence(element), other.presence(element)
    same, by_chance = float((p == q).mean()), _chance(float(p.mean()), float(q.mean()))
    either = int((p | q).sum())
    return {
        "rank": rank,
        "kappa": (same - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else None,
        "jaccard": int((p & q).sum()) / either if either else None,
    }


def _chance(p: float, q: float) -> float:
    return p * q + (1.0 - p) * (1.0 - q)


def print_table(result: Mapping[str, Any]) -> None:
    """The result in columns."""
    print("Painting, elements reported of the sum spectra")
    for name, spectra in result["reported"].items():
        for spectrum, r in spectra.items():
            print(
                f"  {name:<14} {spectrum:<13} missing: {' '.join(r['missing']) or '–':<10} "
                f"Sn: {'yes' if r['wrong'] else 'no':<4} all: {' '.join(r['reported'])}"
            )
    for region_px, by_method in result["agreement"].items():
        for key, title in (
            ("rank", "rank correlation"),
            ("kappa", "Cohen's κ of presence"),
            ("jaccard", "Jaccard index of presence"),
        ):
            print(f"Painting, {region_px}×{region_px} pixels, {title}")
            print(" " * 26 + "".join(f"{e:>6}" for e in MAPPED) + f"{'mean7':>7}")
            for name, pairings in by_method.items():
                for pairing, elements in pairings.items():
                    cells = "".join(_cell(elements[e][key], 6) for e in MAPPED)
                    mean = _mean([elements[e][key] for e in MUST])
                    print(f"  {name:<13}{pairing:<11}{cells}{_cell(mean, 7)}")


def _cell(value: float | None, width: int) -> str:
    return f"{'–' if value is None else f'{value:.2f}':>{width}}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cubes", type=Path)
    parser.add_argument("--method", action="append", default=[])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--region", type=int, action="append", metavar="PIXELS")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    result = run(
        chosen_methods(given.method, given.model),
        given.cubes,
        model=given.model,
        regions_px=tuple(given.region or REGIONS_PX),
    )
    print_table(result)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
