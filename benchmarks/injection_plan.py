"""What the injection test injects: measured spectra, amounts for a significance, counts drawn.

See ``benchmarks/injection.py``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from xrfengine.classifier.anode import ANODES, find_setup
from xrfengine.classifier.evaluate import LabelledFile, labelled_spectrum, read_labels
from xrfengine.classifier.fit import MODEL_ERROR, guess_setup, refine_setup
from xrfengine.classifier.fit_shapes import FAMILY_OF_PART, Setup, Shapes, shapes_of
from xrfengine.classifier.fit_solve import Solution, composites, fit_bins
from xrfengine.cube import Instrument, Spectrum
from xrfengine.detector import Detector
from xrfengine.jobs import Progress, no_progress
from xrfengine.lines import ELEMENTS

INJECTED = ("Co", "As", "Se", "Br", "Ag", "Cd", "Sn", "Sb", "Ba", "Au", "Hg", "Bi")
SIGMAS = (4, 6, 8, 10, 15, 20, 30, 50)

PER_GROUP = 3
"""Spectra of one instrument and setting: 26 spectra of one puck must not outweigh the rest."""

_TRUSTED = ("high", "medium-high", "medium")
_USUAL_FWHM_KEV = 0.145
_FARTHEST_SHIFT_KEV = 0.025  # where no line holds it, the refined energy axis runs away
_SHIFT_ERROR_KEV, _WIDTH_ERROR = 0.002, 0.02
_RATIO_WITHIN, _RATIO_BETWEEN = 0.08, 0.3
_STEP_COUNTS = 30  # a spectrum that begins with so many ends at a threshold
_LARGEST_SHARE = 0.3  # of the spectrum's counts; what takes more cannot be told from the rest


@dataclass(frozen=True, eq=False)
class Host:
    """A measured spectrum to inject into.

    Attributes
    ----------
    entry : LabelledFile
    spectrum : Spectrum
        As the methods are given it.
    shapes : Shapes
        Of the instrument as refined on the spectrum.
    solution : Solution
        The fit with all labelled elements.
    drawn : Shapes
        Of an instrument a little off it: what injections are drawn from.
    """

    entry: LabelledFile
    spectrum: Spectrum
    shapes: Shapes
    solution: Solution
    drawn: Shapes

    @cached_property
    def injectable(self) -> tuple[str, ...]:
        """Elements that the spectrum lacks and that would show if they were there."""
        known = self.entry.certain | self.entry.ignored | {self.shapes.setup.anode}
        rows = {ELEMENTS[i] for i in self.shapes.element} & {
            ELEMENTS[i] for i in self.drawn.element
        }
        return tuple(e for e in INJECTED if e in rows and e not in known)

    @cached_property
    def prior(self) -> np.ndarray:
        """Ties and priors in the hessian of the fit: what stays when counts are added."""
        solution = self.solution
        return solution.hessian - (solution.columns / solution.variance) @ solution.columns.T


@dataclass(frozen=True)
class Injection:
    """One line group to add to one host: net counts that give ``sigma`` standard deviations."""

    host: int
    element: str
    sigma: float
    counts: float
    seed: int


def hosts_of(
    labels_csv: Path, use: str | None = None, *, per_group: int = PER_GROUP, seed: int = 1
) -> list[tuple[LabelledFile, Mapping[str, str]]]:
    """Trusted X-ray rows to inject into, at most ``per_group`` of a group, with all columns.

    Raises
    ------
    ReadError
        If the table cannot be read.
    """
    labels = read_labels(labels_csv)
    with Path(labels_csv).open(newline="", encoding="utf-8") as file:
        facts = {row["file"]: row for row in csv.DictReader(file)}
    groups: dict[str, list[LabelledFile]] = {}
    for entry in labels:
        trusted = facts[entry.file].get("trust", "high") in _TRUSTED
        if entry.domain == "xray" and trusted and (use is None or entry.use == use):
            groups.setdefault(entry.group, []).append(entry)
    rng = np.random.default_rng((seed, 0x6709))
    return [
        (group[i], facts[group[i].file])
        for group in groups.values()
        for i in sorted(rng.permutation(len(group))[:per_group])
    ]


def injection_hosts(
    labels_csv: Path,
    use: str | None = None,
    *,
    per_group: int = PER_GROUP,
    misfit: bool = True,
    seed: int = 1,
    progress: Progress = no_progress,
) -> list[Host]:
    """Labelled X-ray spectra, at most ``per_group`` of one instrument and setting.

    Parameters
    ----------
    misfit : bool
        Standard deviations grow by what the fit of the spectrum leaves unexplained around a
        line (diffraction, tails): Birge's ratio, see
        :func:`~xrfengine.classifier.fit_solve.misfit`.

    Raises
    ------
    ReadError
        If the table or a file cannot be read.
    """
    rng = np.random.default_rng((seed, 0x4057))
    chosen = hosts_of(labels_csv, use, per_group=per_group, seed=seed)
    found = []
    for index, (entry, facts) in enumerate(chosen):
        spectrum = labelled_spectrum(entry, Path(labels_csv).parent)
        found.append(_host(entry, spectrum, facts, misfit, rng))
        progress((index + 1) / len(chosen), entry.file)
    return found


def _host(
    entry: LabelledFile, spectrum: Spectrum, facts: Mapping[str, str], misfit: bool, rng
) -> Host:
    anodes = [e for e in facts["instrument_lines"].split() if e in ANODES]
    anode = anodes[0] if anodes else None
    # Voltage and anode stand in the table: the amounts should not hang on guessing them.
    told = replace(
        spectrum,
        instrument=Instrument(
            tube_anode=anode,
            tube_kv=float(facts["kV"]) if facts.get("kV") else spectrum.instrument.tube_kv,
        ),
    )
    labelled = tuple(sorted(e for e in entry.certain | entry.ignored if e in ELEMENTS))
    if anode is None:
        setup, _ = find_setup(told)
    else:
        # Started at a usual width: a blank shows no peak but scatter, which is broader.
        start = replace(guess_setup(told, anode), detector=Detector.sdd(_USUAL_FWHM_KEV))
        setup = refine_setup(told, tuple(e for e in labelled if e != anode), setup=start)
    setup = _shifted(setup, 0.0)
    shapes = shapes_of(setup)
    rows = np.array([ELEMENTS.index(e) for e in labelled if e != setup.anode], dtype=int)
    solution = fit_bins(shapes, spectrum.counts, rows, model_error=MODEL_ERROR, inflate=misfit)
    detector = replace(
        setup.detector,
        fwhm_mn_kev=setup.detector.fwhm_mn_kev * float(np.exp(rng.normal(0.0, _WIDTH_ERROR))),
    )
    off = replace(_shifted(setup, float(rng.normal(0.0, _SHIFT_ERROR_KEV))), detector=detector)
    return Host(entry, spectrum, shapes, solution, shapes_of(off))


def _shifted(setup: Setup, by_kev: float) -> Setup:
    shifts = np.clip(setup.shifts_kev, -_FARTHEST_SHIFT_KEV, _FARTHEST_SHIFT_KEV) + by_kev
    return replace(setup, shifts_kev=tuple(float(s) for s in shifts))


def significance(host: Host, element: str, counts: float) -> float:
    """Marginal significance of ``counts`` net counts of an element added to a host.

    Parameters
    ----------
    counts : float
        Net counts of all lines in range, above 0.

    Returns
    -------
    float
        Amount over its standard deviation, everything else in the fit free.
    """
    solution, columns = host.solution, host.solution.columns
    template = composites(host.shapes)[ELEMENTS.index(element)]
    template = template / template.sum()
    near = _near(solution.model + counts * template) ** 2 - _near(solution.model) ** 2
    variance = solution.variance + counts * template + MODEL_ERROR**2 * near
    hessian = host.prior + (columns / variance) @ columns.T
    mixed = columns @ (template / variance)
    size = np.sqrt(np.diag(hessian))
    explained = (mixed / size) @ np.linalg.solve(hessian / np.outer(size, size), mixed / size)
    left = float(template @ (template / variance) - explained)
    return counts * float(np.sqrt(max(left, 0.0)))


def _near(model: np.ndarray) -> np.ndarray:
    """Highest counts within a peak width, as the variance of the fit takes them."""
    from scipy.ndimage import maximum_filter1d

    return maximum_filter1d(model, 5, mode="nearest")


def counts_for(host: Host, element: str, sigmas: tuple[float, ...] = SIGMAS) -> list[float | None]:
    """Net counts that give each significance; None where a third of the spectrum would not do."""
    from scipy.interpolate import PchipInterpolator

    most = _LARGEST_SHARE * host.spectrum.total
    start = significance(host, element, 1.0)
    if start <= 0:
        return [None] * len(sigmas)
    # Amount and significance are nearly proportional: few points of the curve give all of it.
    tried, reached = [], []
    counts = 0.5 * min(sigmas) / start
    while not reached or (reached[-1] < max(sigmas) and counts <= 1.5 * most):
        tried.append(counts)
        reached.append(significance(host, element, counts))
        counts *= 2.0
    if len(tried) < 2 or min(np.diff(reached)) <= 0:
        return [None] * len(sigmas)
    curve = PchipInterpolator(np.log(reached), np.log(tried), extrapolate=False)
    found = np.exp(curve(np.log(np.array(sigmas, dtype=float))))
    return [float(n) if np.isfinite(n) and n <= most else None for n in found]


def injections(hosts: list[Host], *, seed: int = 1) -> tuple[list[Injection], int]:
    """All injections in random order, and how many no amount would make significant."""
    planned, hopeless = [], 0
    for index, host in enumerate(hosts):
        for element in host.injectable:
            for sigma, counts in zip(SIGMAS, counts_for(host, element), strict=True):
                if counts is None:
                    hopeless += 1
                else:
                    planned.append(Injection(index, element, sigma, counts, len(planned)))
    order = np.random.default_rng((seed, 0x0D)).permutation(len(planned))
    return [planned[i] for i in order], hopeless


def injected_into(hosts: list[Host], chosen: set[int], sigma: float) -> list[Injection]:
    """Injections of one significance into some of the hosts, by their place, in random order."""
    return [p for p in injections(hosts)[0] if p.sigma == sigma and p.host in chosen]


def injected(host: Host, injection: Injection, *, seed: int = 1) -> Spectrum:
    """The host's spectrum with an injection drawn and added; the host is left as it is.

    Nothing is added below the threshold of the host's electronics, where tails of peaks would fall.
    """
    rng = np.random.default_rng((seed, 0x1A7, injection.seed))
    shapes = host.drawn
    rows = np.flatnonzero(shapes.element == ELEMENTS.index(injection.element))
    families = {family: rng.normal(0.0, _RATIO_BETWEEN) for family in ("K", "L", "M")}
    bent = np.array([families[FAMILY_OF_PART[part]] for part in shapes.part[rows]])
    bent = bent + rng.normal(0.0, _RATIO_WITHIN, size=rows.size)
    amounts = shapes.share[rows] * np.exp(bent)
    fine = (amounts / amounts.sum()) @ shapes.fine[rows].astype(np.float64)
    expected = injection.counts * _on_channels(fine, shapes.block, host.spectrum.counts.size)
    drawn = rng.poisson(expected)
    before = np.asarray(host.spectrum.counts, dtype=np.float64)
    first = int(np.argmax(before > 0))
    if before[first] >= _STEP_COUNTS:
        drawn[:first] = 0
    return replace(host.spectrum, counts=before + drawn)


def _on_channels(fine: np.ndarray, block: int, n_channels: int) -> np.ndarray:
    """Counts of blocks of channels spread over the channels, smoothly; shape (channel,)."""
    from scipy.interpolate import PchipInterpolator

    out = np.zeros(n_channels)
    if block == 1:
        out[: fine.size] = fine
    else:
        total = np.concatenate([[0.0], np.cumsum(fine)])
        limits = np.arange(fine.size * block + 1) / block
        out[: fine.size * block] = np.diff(
            PchipInterpolator(np.arange(fine.size + 1), total)(limits)
        )
    return np.maximum(out, 0.0)
