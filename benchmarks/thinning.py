"""Real spectra with fewer counts: what is left of each method at 200 to 100,000 counts.

Every X-ray spectrum is thinned binomially, which is just what a shorter measurement would have
given. Counted are the certain elements whose best line then still stands 3√B above the counts B of
background in its window, by the unthinned spectrum; the others count neither way. Used by
``identification.py``; run alone: ``python benchmarks/thinning.py [--use tune] [--quick]``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from peers import OURS
from peers.figures import at_cut, best_cut, bootstrap, f1_of, file_counts, interval, materials
from peers.roi_windows import line_windows, net_and_background
from peers.running import run

from xrfengine.classifier.evaluate import (
    LabelledFile,
    labelled_spectrum,
    read_labels,
    score_verdicts,
)
from xrfengine.classifier.fit import guess_setup
from xrfengine.cube import Spectrum

LEVELS: dict[int, int] = {200: 3, 1_000: 3, 10_000: 2, 100_000: 1}
"""Counts → how often each spectrum is thinned to them."""

METHODS = ("xrfengine", "greedy", "PyMca peaks")
OPPONENT = "greedy"

_FIRST_KEV = 0.5  # below lies the electronics' zero peak, which is no photon
_STANDS_OUT = 3.0


def photons(spectrum: Spectrum) -> float:
    """Counts above 0.5 keV."""
    return float(spectrum.counts[spectrum.energy_kev > _FIRST_KEV].sum(dtype=np.float64))


def thinned(spectrum: Spectrum, counts: float, rng: np.random.Generator) -> Spectrum:
    """Each photon kept with the probability that leaves ``counts`` above 0.5 keV on average."""
    whole = np.rint(np.maximum(spectrum.counts, 0)).astype(np.int64)
    share = min(counts / max(photons(spectrum), 1.0), 1.0)
    return replace(spectrum, counts=rng.binomial(whole, share))


def standing_out(row: LabelledFile, spectrum: Spectrum, counts: float) -> frozenset[str]:
    """The certain elements whose best line stands 3√B out at this many counts."""
    detector = guess_setup(spectrum).detector
    share = counts / max(photons(spectrum), 1.0)
    found = set()
    for element in row.certain:
        windows = line_windows(element, spectrum.calibration, spectrum.counts.size, detector)
        for _, window in windows:
            net, background = net_and_background(spectrum.counts, window)
            # With less than one count of background expected, three counts are asked for.
            if net * share >= _STANDS_OUT * np.sqrt(max(background * share, 1.0)):
                found.add(element)
                break
    return frozenset(found)


@dataclass(frozen=True, eq=False)
class Thinned:
    """Thinned spectra of one level, with the labels that then hold."""

    counts: int
    rows: list[LabelledFile]
    spectra: list[Spectrum]


def thin_all(
    rows: Sequence[LabelledFile], spectra: Sequence[Spectrum], counts: int, repeats: int
) -> Thinned:
    """Every X-ray spectrum that has that many photons, ``repeats`` times."""
    labels, thin = [], []
    for row, spectrum in zip(rows, spectra, strict=True):
        if row.domain != "xray" or photons(spectrum) < counts:
            continue
        seen = standing_out(row, spectrum, counts)
        label = replace(row, certain=seen, ignored=row.ignored | (row.certain - seen))
        for repeat in range(repeats):
            rng = np.random.default_rng((counts, repeat, *row.file.encode()))
            labels.append(label)
            thin.append(thinned(spectrum, counts, rng))
    return Thinned(counts, labels, thin)


def compare(
    rows: Sequence[LabelledFile],
    spectra: Sequence[Spectrum],
    *,
    methods: Sequence[str] = METHODS,
    levels: Mapping[int, int] = LEVELS,
    model: Path | None = None,
    processes: int = 2,
) -> list[dict[str, Any]]:
    """F1 of each method at each level, and ours less the greedy search's, paired.

    Peers are scored at their usual cut and at the best one for thinned *tune* rows of that very
    level; ours only at its own thresholds.

    Returns
    -------
    list of dict
        One a level: counts, n_spectra, n_certain, methods (name → figures), difference (F1 of
        ours less that of the greedy search at the cut tuned for the level, and 95 % interval),
        difference_one_cut (the same with one cut for all counts, as ours has one).
    """
    results = []
    for counts, repeats in levels.items():
        thin = thin_all(rows, spectra, counts, repeats)
        if not thin.rows:
            continue
        # Before thinning hides elements, so that all draws of one material stay together.
        whole = {row.file: row for row in rows}
        material = materials([whole[row.file] for row in thin.rows])
        tune = [i for i, row in enumerate(thin.rows) if row.use == "tune"]
        level: dict[str, Any] = {
            "counts": counts,
            "repeats": repeats,
            "n_spectra": len(thin.rows),
            "n_certain": sum(len(row.certain) for row in thin.rows),
            "n_materials": int(material.max()) + 1,
            "methods": {},
        }
        kept: dict[str, Any] = {}
        one_cut: dict[str, Any] = {}
        for name in methods:
            said = run(name, model, thin.spectra, processes if name == OPPONENT else 1)
            figures = {"default": _figures(thin.rows, said.verdicts)}
            best = file_counts(score_verdicts(thin.rows, said.verdicts)["per_file"])
            one_cut[name] = best
            if name not in OURS and tune:
                cut = best_cut([thin.rows[i] for i in tune], [said.verdicts[i] for i in tune])
                tuned = at_cut(said.verdicts, cut)
                figures["tuned"] = {"cut": cut, **_figures(thin.rows, tuned)}
                best = file_counts(score_verdicts(thin.rows, tuned)["per_file"])
            kept[name] = best
            low, high = interval(bootstrap(best, material))
            level["methods"][name] = {**figures, "f1_95": [low, high], "s": said.median_s}
        if methods[0] in OURS and OPPONENT in kept:
            for key, counted in (("difference", kept), ("difference_one_cut", one_cut)):
                pair = np.stack([counted[methods[0]], counted[OPPONENT]])
                ours, theirs = bootstrap(pair, material)
                plain = f1_of(pair.sum(axis=1))
                level[key] = {
                    "f1": float(plain[0] - plain[1]),
                    "f1_95": list(interval(ours - theirs)),
                }
        results.append(level)
    return results


def _figures(rows: Sequence[LabelledFile], verdicts: Any) -> dict[str, float]:
    names = ("recall", "precision", "false_alarms_per_spectrum", "f1", "average_precision")
    scores = score_verdicts(rows, verdicts)
    return {name: scores[name] for name in names}


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: one row a level and method."""
    lines = [
        "| counts | spectra | elements | method | recall | false alarms | F1 | F1 tuned for the "
        "level (cut) | 95 % | average precision | ours − greedy, its cut tuned | the same, "
        "one cut |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for level in results:
        for name, found in level["methods"].items():
            now, tuned = found["default"], found.get("tuned")
            low, high = found["f1_95"]
            ahead = []
            for key in ("difference", "difference_one_cut"):
                if key in level and name == OPPONENT:
                    below, above = level[key]["f1_95"]
                    ahead.append(f"{level[key]['f1']:+.3f} ({below:+.3f} … {above:+.3f})")
                else:
                    ahead.append("")
            best = f"{tuned['f1']:.3f} ({tuned['cut']:.3g})" if tuned else "–"
            lines.append(
                f"| {level['counts']:,} | {level['n_spectra']} | {level['n_certain']} | {name} "
                f"| {now['recall']:.3f} | {now['false_alarms_per_spectrum']:.2f} | {now['f1']:.3f} "
                f"| {best} | {low:.3f} … {high:.3f} | {now['average_precision']:.3f} "
                f"| {' | '.join(ahead)} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=Path, default=Path("../shared/data/labels.csv"))
    parser.add_argument("--use", choices=("tune", "check", "all"), default="all")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--quick", action="store_true", help="each spectrum once a level")
    parser.add_argument("--method", action="append", help="default: all of them")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = [
        row
        for row in read_labels(given.labels)
        if row.domain == "xray" and given.use in ("all", row.use)
    ]
    spectra = [labelled_spectrum(row, given.labels.parent) for row in rows]
    levels = dict.fromkeys(LEVELS, 1) if given.quick else LEVELS
    methods = given.method or METHODS
    results = compare(rows, spectra, methods=methods, levels=levels, model=given.model)
    print(table(results))
    if given.json:
        given.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
