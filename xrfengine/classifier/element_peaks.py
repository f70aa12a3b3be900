"""The lines of one element in a fit: as peaks, each free on its own, and who could replace them."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from xrfengine.classifier.fit import SpectrumFit
from xrfengine.classifier.fit_shapes import SOFT_KEV, SOFT_WEIGHT, Shapes
from xrfengine.classifier.fit_solve import composites
from xrfengine.detector import render_groups
from xrfengine.lines import ELEMENTS, Line, LineGroup, atomic_number, line_groups

Peak = tuple[Line, np.ndarray, float]
"""A peak of an element: merged line, its template (bin,) of unit sum, its expected share."""

_LABELS = ("Kα", "Kβ", "Lα", "Lβ", "Lγ", "Mα")
_RESOLVED = 0.7  # lines nearer than this many peak widths are one peak
_LEAST_SHARE = 0.02
_REPLACEABLE = 6.0  # loss in χ² that another element may cost before it is told apart
_MERGED = 0.6  # the same, from which a gas detector shows a mixture of the two as one peak
_RARE = frozenset(
    e for e in ELEMENTS if atomic_number(e) in {*range(57, 74), 75, 76, 77, 81, 90, 92}
)
"""Named last, or not at all, where anything could stand in for anything."""
_LIKE = 0.3  # cosine of the shapes from which one element can stand in for another


@functools.lru_cache(maxsize=1024)
def peaks_of(shapes: Shapes, element: str) -> tuple[Peak, ...]:
    """Peaks of an element as this detector shows them: the one that vouches for it first."""
    return rendered_peaks(shapes, element)


def rendered_peaks(shapes: Shapes, element: str) -> tuple[Peak, ...]:
    """What :func:`peaks_of` keeps, for shapes that are used once and should not be kept with it."""
    detector = shapes.setup.detector
    low, high = shapes.centres_kev[0], shapes.centres_kev[-1]
    parts = shapes.part_shares(element)
    found: list[list[tuple[float, float, str]]] = []
    for group in line_groups(element, max(shapes.setup.end_kev, 2.0)):
        if group.strength == 0:
            continue
        amount = _by_part(group, parts)
        for label in _LABELS:
            members = [
                (line.energy_kev, weight, label)
                for line, weight in zip(group.lines, amount, strict=True)
                if line.name.startswith(label) and low <= line.energy_kev <= high and weight > 0
            ]
            if members:
                found.append(members)
    found.sort(key=_mean_kev)
    merged: list[list[tuple[float, float, str]]] = []
    for members in found:
        at = _mean_kev(members)
        if merged and at - _mean_kev(merged[-1]) < _RESOLVED * float(detector.fwhm_kev(at)):
            merged[-1] = merged[-1] + members
        else:
            merged.append(members)
    total = sum(w for members in merged for _, w, _ in members)
    peaks = []
    for members in merged:
        share = sum(w for _, w, _ in members) / total
        if share < _LEAST_SHARE:
            continue
        energies, weights = (np.array(v) for v in list(zip(*members, strict=True))[:2])
        fine = render_groups([(energies, weights / weights.sum())], shapes.edges_kev, detector)[0]
        name = "+".join(dict.fromkeys(label for _, _, label in members))
        at = float((energies * weights).sum() / weights.sum())
        line = Line(element, name, "", name[0], at, share)  # type: ignore[arg-type]
        peaks.append((line, shapes.to_bins(fine), share))
    return tuple(sorted(peaks, key=_vouches, reverse=True))


def _vouches(peak: Peak) -> float:
    line, _, share = peak
    return share * (SOFT_WEIGHT if line.energy_kev < SOFT_KEV else 1.0)


def _mean_kev(members: list[tuple[float, float, str]]) -> float:
    return sum(e * w for e, w, _ in members) / sum(w for _, w, _ in members)


def _by_part(group: LineGroup, parts: Mapping[str, float]) -> list[float]:
    """Expected detected counts of every line of a group; the fit knows those of each part."""
    names = [_part_of(line.iupac) for line in group.lines]
    of_part: dict[str, float] = {}
    for name, line in zip(names, group.lines, strict=True):
        of_part[name] = of_part.get(name, 0.0) + line.weight
    return [
        parts.get(name, 0.0) * line.weight / of_part[name]
        for name, line in zip(names, group.lines, strict=True)
    ]


def _part_of(iupac: str) -> str:
    if iupac[0] == "K":
        return "Kα" if iupac[1] == "L" else "Kβ"
    if iupac[0] == "L":
        return "L3" if iupac.startswith("L3") else "L1+L2"
    return "M"


def _projected(fit: SpectrumFit, element: str, weighted: np.ndarray) -> tuple:
    """Templates seen past everything but the element: what is left of their curvature.

    Parameters
    ----------
    weighted : ndarray, shape (template, bin)
        Templates over the variance.

    Returns
    -------
    gain, mixed : ndarray, shape (template, free)
        ``gain`` is ``mixed`` times the covariance of the free columns with the element gone,
        Σ − Σe Σee⁻¹ Σe', and 0 for the columns of the element.
    """
    solution = fit.solution
    mine = np.flatnonzero(fit.is_column_of(element))
    mixed = weighted @ solution.columns.T
    mixed[:, mine] = 0.0
    gain = mixed @ solution.inverse
    if mine.size:
        own = solution.inverse[mine][:, mine]
        gain = gain - gain[:, mine] @ np.linalg.solve(own, solution.inverse[mine])
        gain[:, mine] = 0.0
    return gain, mixed


def free_lines(
    fit: SpectrumFit, element: str, templates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Counts of each template and their error, all else free but the element itself gone.

    Parameters
    ----------
    templates : ndarray, shape (line, bin)

    Returns
    -------
    counts, error : ndarray, shape (line,)
    """
    solution = fit.solution
    own = solution.model - fit.model_without(element)
    weighted = templates / solution.variance
    gain, mixed = _projected(fit, element, weighted)
    inner = weighted @ templates.T
    inner[np.diag_indices_from(inner)] *= 1.0 + 1e-6
    left = inner - gain @ mixed.T
    right = weighted @ (fit.counts - solution.model + own)
    right -= gain @ (solution.columns @ (own / solution.variance))
    covariance = np.linalg.inv(left)
    return covariance @ right, np.sqrt(np.maximum(np.diag(covariance), 1e-12))


def peak_counts(fit: SpectrumFit, template: np.ndarray) -> float:
    """Counts above the background in the place of a line, whoever they belong to."""
    weight = local_weight(fit, template)
    return float(weight @ (fit.counts - fit.solution.background) / (weight @ template))


def amounts(
    fit: SpectrumFit,
    peaks: tuple[Peak, ...],
    observed: np.ndarray,
    deviation: np.ndarray,
    reported: bool,
) -> np.ndarray:
    """Counts of the whole element that each line's expectation starts from, shape (line,).

    Reported: what the lines of the same family say together, for what depth and windows take
    from one family tells nothing of another. Not reported: the whole peak at the main line.
    """
    shares = np.array([share for _, _, share in peaks])
    if not reported:
        whole = max(peak_counts(fit, peaks[0][1]), 0.0) / shares[0]
        return np.full(len(peaks), whole)
    families = np.array([line.family for line, _, _ in peaks])
    amount = np.empty(len(peaks))
    for family in set(families):
        mine = families == family
        weight = (shares[mine] / deviation[mine]) ** 2
        amount[mine] = max((observed[mine] / shares[mine] * weight).sum() / weight.sum(), 0.0)
    return amount


def local_weight(fit: SpectrumFit, template: np.ndarray) -> np.ndarray:
    """Weight of each bin in what stands at a line, shape (bin,): near its top only.

    Shelf and escape of a strong peak, where errors of the model are small, would weigh more.
    """
    return np.where(template > 0.1 * template.max(), template, 0.0) / fit.solution.variance


def replacements(fit: SpectrumFit, element: str) -> tuple[str, ...]:
    """Elements that, in place of this one, would fit nearly as well."""
    solution, variance = fit.solution, fit.solution.variance
    if not fit.is_column_of(element).any():
        return ()
    own = solution.model - fit.model_without(element)
    candidates = composites(fit.shapes)
    weighted = candidates / variance
    gain, mixed = _projected(fit, element, weighted)
    curvature = (weighted * candidates).sum(axis=1)
    left = curvature - (gain * mixed).sum(axis=1)
    gradient = weighted @ (fit.counts - solution.model + own)
    gradient -= gain @ (solution.columns @ (own / variance))
    z = np.where(left > 1e-4 * curvature, gradient, 0.0)
    z = z / np.sqrt(np.where(left > 1e-4 * curvature, left, 1.0))
    z[solution.elements] = 0.0
    lost = fit.z[element] ** 2
    norm = np.sqrt(curvature)
    own_row = ELEMENTS.index(element)
    like = (weighted @ candidates[own_row]) / np.maximum(norm * norm[own_row], 1e-300)
    good = (z > 0) & (z**2 > lost - _REPLACEABLE) & (like > _LIKE)
    if fit.setup.detector.kind == "gem":
        # One broad peak: a mixture of neighbours looks like the one between them.
        good |= like > _MERGED
        good[own_row] = False
    if fit.setup.detector.kind != "gem":
        return tuple(ELEMENTS[i] for i in np.argsort(-z) if good[i])[:6]
    # Neighbours in the table first: lines of one family, all of which move together.
    family = _family(fit.shapes, element)
    other = np.array([_family(fit.shapes, e) != family for e in ELEMENTS])
    order = np.lexsort((-like, other))
    near = [ELEMENTS[i] for i in order if good[i] and not other[i]][:4]
    far = [ELEMENTS[i] for i in order if good[i] and other[i] and ELEMENTS[i] not in _RARE][:2]
    return (*near, *far)


def _family(shapes: Shapes, element: str) -> str:
    """Family of the line that vouches for an element; empty where none is in range."""
    peaks = peaks_of(shapes, element)
    return peaks[0][0].family if peaks else ""
