"""Injection test: what is found of line groups added to measured spectra that lack them.

    python benchmarks/injection.py LABELS.csv [--use tune] [--method NAME …] [--model FILE]
                                   [--most N] [--sigma S …] [--no-misfit]
                                   [--json FILE]

Line groups of twelve elements, at 4 to 50 standard deviations of marginal significance, are drawn
with counting noise and added to labelled X-ray spectra in which the element is neither certain
nor plausible nor of the instrument. Recall by significance, and what else a method reports that
it did not report of the spectrum before.

The amount that gives a significance follows from the fit of the spectrum with all labelled
elements, scatter, background, sum peaks and errors of the response free: amount over standard
deviation, in the Fisher information with the injected counts included. Its variance holds, as
that of the engine's fit and of the training labels does, a relative error of the model beside the
counting noise, lest the sum of a painting call a thousandth of a peak significant; and it grows
by what the fit leaves unexplained around the line (``--no-misfit``: it does not).

What is drawn is not what is fitted: every spectrum gets its own small error of energy and width,
every injection its own ratios between line groups. Sums of the injected lines with others are left
out. Peers are taken at their usual cut.

``run(methods, labels_csv) -> dict`` and ``print_table(result)`` are for
``benchmarks/identification.py``, which puts the result under ``"injection"`` in its JSON file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from injection_plan import (
    INJECTED,
    PER_GROUP,
    SIGMAS,
    Host,
    Injection,
    injected,
    injection_hosts,
    injections,
)

from xrfengine.classifier.evaluate import Classify
from xrfengine.jobs import Progress, no_progress

MOST: Mapping[str, int] = {
    "xrfengine+fit": 200,
    "greedy": 200,
    "PyMca fit": 100,
    "NNLS": 500,
}
"""Injections given to slow methods, the first of a shuffled list; the others get all."""


BRIGHT_COUNTS = 3e5
"""Hosts with more counts are also shown apart: a method that reads no more than so many of them
cannot see what the others' noise would let it see."""


def chosen_methods(names: Iterable[str] = (), model: Path | None = None) -> dict[str, Classify]:
    """Methods of ``benchmarks/peers`` by name, built; without names, all that can run here."""
    from peers import METHODS, Unavailable

    wanted = list(names) or list(METHODS)
    unknown = [name for name in wanted if name not in METHODS]
    if unknown:
        raise SystemExit(f"no method {', '.join(unknown)}: choose from {', '.join(METHODS)}")
    built = {}
    for name in wanted:
        try:
            built[name] = METHODS[name](model)
        except Unavailable as reason:
            print(f"{name} is left out: {reason}", file=sys.stderr)
    return built


def run(
    methods: Mapping[str, Classify],
    labels_csv: Path,
    *,
    use: str | None = None,
    per_group: int = PER_GROUP,
    most: int | None = None,
    sigmas: Iterable[float] = SIGMAS,
    misfit: bool = True,
    seed: int = 1,
    n_bootstrap: int = 1000,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Score methods by the injection test.

    Parameters
    ----------
    methods : mapping
        Name → method, built.
    labels_csv : Path
        Table for :func:`~xrfengine.classifier.evaluate.read_labels`.
    use : str or None
        Only rows of this use.
    most : int or None
        Injections a method is given at most; None: as :data:`MOST` says.
    sigmas : iterable of float
        Significances that are scored, of :data:`~injection_plan.SIGMAS`.
    misfit : bool
        See :func:`injection_plan.injection_hosts`.

    Returns
    -------
    dict
        ``n_hosts``, ``n_injections``, ``hopeless``, ``sigmas``, and ``methods``: name → see
        :func:`_summary`.
    """
    hosts = injection_hosts(
        labels_csv, use, per_group=per_group, misfit=misfit, seed=seed, progress=progress
    )
    planned, hopeless = injections(hosts, seed=seed)
    planned = [plan for plan in planned if plan.sigma in set(sigmas)]
    bright = [host.spectrum.total > BRIGHT_COUNTS for host in hosts]
    result: dict[str, Any] = {
        "n_hosts": len(hosts),
        "n_bright": sum(bright),
        "n_groups": len({host.entry.group for host in hosts}),
        "n_injections": len(planned),
        "hopeless": hopeless,
        "sigmas": list(SIGMAS),
        "use": use,
        "misfit": misfit,
        "seed": seed,
        "methods": {},
    }
    for name, method in methods.items():
        limit = most or MOST.get(name, len(planned))
        outcomes, seconds = [], time.perf_counter()
        for index, outcome in enumerate(_outcomes(method, hosts, planned[:limit], seed)):
            outcomes.append(outcome)
            progress((index + 1) / min(limit, len(planned)), name)
        seconds = time.perf_counter() - seconds
        summary = _summary(outcomes, seed, n_bootstrap)
        for key, wanted in (("bright", True), ("dim", False)):
            part = [o for o in outcomes if bright[o["host"]] == wanted]
            told = _summary(part, seed, 2)
            summary[f"recall_{key}"] = told["recall"]
            summary[f"n_{key}"] = told["n"]
            summary[f"further_false_alarms_{key}"] = told["further_false_alarms"]
        summary["s_per_spectrum"] = seconds / max(len(outcomes), 1)
        result["methods"][name] = summary
    return result


def _outcomes(
    method: Classify, hosts: list[Host], planned: list[Injection], seed: int
) -> Iterator[dict[str, Any]]:
    """What a method made of each injection; ``found`` is None if it reported it before."""
    before: dict[int, set[str]] = {}
    for injection in planned:
        host = hosts[injection.host]
        if injection.host not in before:
            before[injection.host] = _reported(method(host.spectrum))
        already = before[injection.host]
        after = _reported(method(injected(host, injection, seed=seed)))
        innocent = host.entry.certain | host.entry.ignored | {injection.element}
        yield {
            "host": injection.host,
            "element": injection.element,
            "sigma": injection.sigma,
            "found": None if injection.element in already else injection.element in after,
            "further": sorted(after - already - innocent),
        }


def _reported(verdicts) -> set[str]:
    return {element for element, verdict in verdicts.items() if verdict.present}


def _summary(outcomes: list[dict[str, Any]], seed: int, n_bootstrap: int) -> dict[str, Any]:
    """Figures of one method.

    Returns
    -------
    dict
        ``n`` injections; ``recall`` and ``interval`` (95 %, bootstrap over hosts) by
        significance; ``recall_by_element`` from 10 σ up; ``further_false_alarms`` an injection,
        its interval and by significance; ``confusions`` (``"As → Pb"`` → times).
    """
    host = np.array([o["host"] for o in outcomes], dtype=int)
    sigma = np.array([o["sigma"] for o in outcomes])
    element = np.array([o["element"] for o in outcomes])
    counted = np.array([o["found"] is not None for o in outcomes], dtype=bool)
    found = np.array([bool(o["found"]) for o in outcomes]) & counted
    further = np.array([len(o["further"]) for o in outcomes], dtype=float)
    rng = np.random.default_rng((seed, 0xB007))
    n_hosts = int(host.max(initial=-1)) + 1
    weights = rng.multinomial(n_hosts, np.full(n_hosts, 1.0 / n_hosts), size=n_bootstrap)

    def mean(values, mask) -> float | None:
        return float(values[mask].mean()) if mask.any() else None

    def interval(values, mask) -> list[float] | None:
        if not mask.any():
            return None
        top = np.bincount(host[mask], values[mask], minlength=n_hosts)
        bottom = np.bincount(host[mask], minlength=n_hosts)
        ratio = (weights @ top) / np.maximum(weights @ bottom, 1e-9)
        return [float(v) for v in np.percentile(ratio[(weights @ bottom) > 0], [2.5, 97.5])]

    every = np.ones(len(outcomes), dtype=bool)
    by_sigma = {str(s): sigma == s for s in SIGMAS}
    clear = counted & (sigma >= 10)
    confusions = Counter(f"{o['element']} → {e}" for o in outcomes for e in o["further"])
    return {
        "n": len(outcomes),
        "reported_before": int((~counted).sum()),
        "recall": {s: mean(found, mask & counted) for s, mask in by_sigma.items()},
        "interval": {s: interval(found, mask & counted) for s, mask in by_sigma.items()},
        "recall_by_element": {e: mean(found, clear & (element == e)) for e in INJECTED},
        "further_false_alarms": mean(further, every),
        "further_interval": interval(further, every),
        "further_by_sigma": {s: mean(further, mask) for s, mask in by_sigma.items()},
        "confusions": dict(confusions.most_common(20)),
    }


def print_table(result: Mapping[str, Any]) -> None:
    """The result in words and columns."""
    print(
        f"Injection: {result['n_injections']} line groups into {result['n_hosts']} spectra of "
        f"{result['n_groups']} instruments and settings; {result['hopeless']} more could not "
        "reach their significance."
    )
    sigmas = [str(s) for s in result["sigmas"]]
    width = max([len(name) for name in result["methods"]] + [6])
    head = "".join(f"{s + ' σ':>7}" for s in sigmas)
    print(f"{'recall':<{width}}{head}{'further':>9}{'(95 %)':>16}{'n':>7}{'ms':>7}")
    for name, m in result["methods"].items():
        cells = "".join(_cell(m["recall"][s]) for s in sigmas)
        low, high = m["further_interval"] or (float("nan"),) * 2
        print(
            f"{name:<{width}}{cells}{m['further_false_alarms']:>9.3f}"
            f"{f'{low:.3f}…{high:.3f}':>16}{m['n']:>7}{1e3 * m['s_per_spectrum']:>7.1f}"
        )
    for key, words in (("dim", "up to"), ("bright", "above")):
        print(f"recall in spectra of {words} {BRIGHT_COUNTS:.0e} counts")
        for name, m in result["methods"].items():
            further = m[f"further_false_alarms_{key}"]
            print(
                f"{name:<{width}}"
                + "".join(_cell(m[f"recall_{key}"][s]) for s in sigmas)
                + f"  further {_cell(further).strip()}, n = {m[f'n_{key}']}"
            )
    print("from 10 σ up, by element")
    print(" " * width + "".join(f"{e:>7}" for e in INJECTED))
    for name, m in result["methods"].items():
        print(f"{name:<{width}}" + "".join(_cell(m["recall_by_element"][e]) for e in INJECTED))
    for name, m in result["methods"].items():
        most = ", ".join(f"{k} {n}" for k, n in list(m["confusions"].items())[:10])
        print(f"{name}, further false alarms: {most or 'none'}")


def _cell(value: float | None) -> str:
    return f"{'–' if value is None else f'{value:.3f}':>7}"


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("--use", choices=("tune", "check"))
    parser.add_argument("--method", action="append", default=[])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--most", type=int)
    parser.add_argument("--sigma", type=int, action="append", choices=SIGMAS, default=[])
    parser.add_argument("--per-group", type=int, default=PER_GROUP)
    parser.add_argument("--no-misfit", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _on_stderr(fraction: float, message: str = "") -> None:
    print(f"\r{fraction:6.1%}  {message:<40}", end="", file=sys.stderr, flush=True)


def main() -> None:
    given = _given()
    result = run(
        chosen_methods(given.method, given.model),
        given.labels,
        use=given.use,
        per_group=given.per_group,
        most=given.most,
        sigmas=given.sigma or SIGMAS,
        misfit=not given.no_misfit,
        seed=given.seed,
        progress=_on_stderr,
    )
    print_table(result)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
