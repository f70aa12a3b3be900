"""What else can stand where a line is looked for: other lines, escape, sum and scatter peaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from xrfengine.classifier.element_peaks import local_weight
from xrfengine.classifier.fit import SpectrumFit
from xrfengine.classifier.fit_shapes import SOFT_KEV, SOFT_WEIGHT
from xrfengine.detector import AR_KA_KEV, SI_KA_KEV
from xrfengine.lines import Line, labelled_lines

Kind = Literal["line", "escape", "sum", "scatter"]
_LEAST_SHARE = 0.05
_HIGHEST_KEV = 60.0
_SEEN_Z = 3.0


@dataclass(frozen=True)
class Impostor:
    """Something other than the element that puts counts under its line.

    Attributes
    ----------
    kind : {"line", "escape", "sum", "scatter"}
    name : str
        Such as ``"Pb Lα"``, ``"the escape peak of Fe Kα"``, ``"the sum of Fe Kα and Fe Kα"``.
    energy_kev : float
        Where its peak lies.
    share : float
        Of the net counts under the line, 0…1 and above if the model overshoots.
    witness : str
        What shows that it is there, such as ``"Pb Lβ at 12.61 is present"``; may be empty.
    """

    kind: Kind
    name: str
    energy_kev: float
    share: float
    witness: str = ""


def impostors_at(
    fit: SpectrumFit,
    element: str,
    energy_kev: float,
    template: np.ndarray,
    without: np.ndarray,
    least_share: float = _LEAST_SHARE,
) -> tuple[Impostor, ...]:
    """What the fit puts under a line besides the element itself, by falling share.

    Parameters
    ----------
    template : ndarray, shape (bin,)
        The line's peak, unit sum.
    without : ndarray, shape (bin,)
        The model without the element.
    least_share : float
        Of the counts under the line, below which nothing is named.
    """
    solution, shapes = fit.solution, fit.shapes
    weight = local_weight(fit, template)

    def under(counts: np.ndarray) -> float:
        return float(weight @ counts)

    net = under(fit.counts - solution.background)
    if net < _SEEN_Z * float(np.sqrt(weight**2 @ solution.variance)):
        return ()  # nothing stands there to be explained
    reach = float(fit.setup.detector.fwhm_kev(energy_kev))
    found: list[Impostor] = []
    for other, amounts in fit.row_counts().items():
        if other == element:
            continue
        own = sum(n * shapes.binned[row] for row, n in amounts.items())
        escaped = sum(n * shapes.to_bins(shapes.escape[row]) for row, n in amounts.items())
        line = _nearest_line(fit, other, energy_kev, reach)
        share = under(own - escaped) / net
        if share >= least_share and line is not None:
            found.append(
                Impostor(
                    "line",
                    f"{other} {line.name}",
                    line.energy_kev,
                    share,
                    _witness(fit, other, energy_kev, reach),
                )
            )
        share = under(escaped) / net
        if share >= least_share:
            lost = SI_KA_KEV if fit.setup.detector.kind == "sdd" else AR_KA_KEV
            parent = _nearest_line(fit, other, energy_kev + lost, reach)
            if parent is not None:
                found.append(
                    Impostor(
                        "escape",
                        f"the escape peak of {other} {parent.name}",
                        parent.energy_kev - lost,
                        share,
                        f"{other} {parent.name} at {parent.energy_kev:.2f} is strong",
                    )
                )
    share = under(solution.sums) / net
    if share >= least_share:
        found.append(_sum_peak(fit, energy_kev, reach, share))
    first = shapes.element.size
    for index, name in enumerate(shapes.scatter_names):
        share = under(solution.scatter_counts[index] * shapes.binned[first + index]) / net
        if share >= least_share:
            found.append(Impostor("scatter", _scatter_name(fit, name), energy_kev, share))
    return tuple(sorted(_joined(found), key=lambda i: -i.share))


def _joined(found: list[Impostor]) -> list[Impostor]:
    """Compton templates of several angles are one peak to the reader."""
    by_name: dict[str, Impostor] = {}
    for one in found:
        if one.name in by_name:
            share = by_name[one.name].share + one.share
            by_name[one.name] = Impostor(one.kind, one.name, one.energy_kev, share, one.witness)
        else:
            by_name[one.name] = one
    return list(by_name.values())


def _scatter_name(fit: SpectrumFit, name: str) -> str:
    kind, family = name.split(" ")[:2]
    word = {"rayleigh": "Rayleigh", "compton": "Compton"}[kind]
    if family == "mono":
        return f"{word} scatter of the beam"
    return f"{word} scatter of the {fit.setup.anode} {family[0]} lines"


def scatter_words(fit: SpectrumFit) -> tuple[str, ...]:
    """The scattered lines of the anode in words, with counts; those that stand out."""
    found: dict[str, list[float]] = {}
    kev: dict[str, list[float]] = {}
    first = fit.shapes.element.size
    for index, name in enumerate(fit.shapes.scatter_names):
        counts = float(fit.solution.scatter_counts[index])
        if fit.solution.scatter_z[index] < _SEEN_Z:
            continue
        shape = fit.shapes.binned[first + index]
        word = _scatter_name(fit, name)
        found.setdefault(word, []).append(counts)
        kev.setdefault(word, []).append(float(fit.shapes.centres_kev[shape.argmax()]) * counts)
    return tuple(
        f"{word} at {sum(kev[word]) / sum(counts):.1f} keV ({sum(counts):.3g} counts)".replace(
            "e+0", "·10^"
        )
        for word, counts in found.items()
    )


def _nearest_line(fit: SpectrumFit, element: str, energy_kev: float, reach: float) -> Line | None:
    """The line of an element at an energy, if one lies within a peak width."""
    near = labelled_lines(element, energy_kev - 1.2 * reach, energy_kev + 1.2 * reach)
    return min(near, key=lambda line: abs(line.energy_kev - energy_kev), default=None)


def _witness(fit: SpectrumFit, element: str, away_kev: float, reach: float) -> str:
    """Another line of an element that is plainly there, away from the one in question."""
    low, high = fit.shapes.centres_kev[0], fit.shapes.centres_kev[-1]
    best, score = "", 5.0
    others = np.array([n for n in fit.row_counts() if n != element])
    lines_of_others = [x for n in others for x in labelled_lines(str(n), low, high)]
    for line in labelled_lines(element, low, high):
        if abs(line.energy_kev - away_kev) < 1.5 * reach:
            continue
        width = float(fit.setup.detector.fwhm_kev(line.energy_kev))
        if any(
            abs(x.energy_kev - line.energy_kev) < 0.5 * width and fit.z[x.element] > 5.0
            for x in lines_of_others
        ):
            continue
        at = int(np.abs(fit.shapes.centres_kev - line.energy_kev).argmin())
        near = slice(max(at - 1, 0), at + 2)
        mine = fit.solution.model[near].sum() - fit.model_without(element)[near].sum()
        sigma = mine / np.sqrt(fit.solution.variance[near].sum())
        sigma *= SOFT_WEIGHT if line.energy_kev < SOFT_KEV else 1.0
        if sigma > score:
            best, score = f"{element} {line.name} at {line.energy_kev:.2f} is present", sigma
    return best


def _sum_peak(fit: SpectrumFit, energy_kev: float, reach: float, share: float) -> Impostor:
    """Name the pair of strong lines whose energies add up to this one."""
    peaks: list[tuple[float, Line]] = []
    low = fit.shapes.centres_kev[0]
    for element in fit.elements[:12]:
        for line in labelled_lines(element, low, min(energy_kev, _HIGHEST_KEV)):
            at = int(np.abs(fit.shapes.centres_kev - line.energy_kev).argmin())
            peaks.append((float(fit.solution.model[at]), line))
    best, name, at_kev = 0.0, "sums of stronger peaks", energy_kev
    for i, (height, first) in enumerate(peaks):
        for other, second in peaks[i:]:
            total = first.energy_kev + second.energy_kev
            if abs(total - energy_kev) < reach and height * other > best:
                best, at_kev = height * other, total
                pair = [f"{line.element} {line.name}" for line in (first, second)]
                name = f"the sum peak of {' and '.join(dict.fromkeys(pair))}"
                if first is second:
                    name = f"the sum peak of two {pair[0]}"
    return Impostor("sum", name, at_kev, share)
