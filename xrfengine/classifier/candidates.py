"""What a peak can be: elements and artefacts, ranked, with what speaks for and against each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from xrfengine.classifier.element_peaks import local_weight, peaks_of
from xrfengine.classifier.evidence import LineEvidence, evidence
from xrfengine.classifier.fit import SpectrumFit
from xrfengine.classifier.impostors import Impostor, impostors_at
from xrfengine.classifier.reading import Reading
from xrfengine.detector import render_groups
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS

Kind = Literal["line", "escape", "sum", "scatter", "diffraction"]

_REACH_FWHM = 0.75
"""Lines farther from a peak's top are not what it is."""
_CLIMB_FWHM = 1.2
"""A peak whose top is farther from where was pointed is not meant."""
_LEAST_SHARE = 0.01
_SEEN = 3.0
_LEFT_OVER, _LEFT_OVER_Z = 0.25, 5.0
"""Share of a peak, and its significance, from which what nothing explains is told."""
_MOST = 12
_MAIN_SHARE = 0.5


@dataclass(frozen=True)
class Candidate:
    """Something a peak can be.

    Attributes
    ----------
    kind : {"line", "escape", "sum", "scatter", "diffraction"}
    element : str
        Symbol; ``""`` for an artefact.
    name : str
        Such as ``"Fe Kα"`` or ``"the escape peak of Fe Kα"``.
    energy_kev : float
        Where it should stand; NaN where it could stand anywhere.
    distance_ev : float
        Its energy less that of the peak's top; NaN as above.
    share : float
        Of the peak's net counts that the fit gives to it, 0…1.
    is_reported, is_instrument : bool
        Of an element: said to be present; the instrument shows its lines by itself.
    probability : float or None
        Of an element, by the classifier.
    lines : tuple of LineEvidence
        Its lines with expected and observed counts; empty for an artefact.
    sentence : str
        For and against, in words.
    """

    kind: Kind
    element: str
    name: str
    energy_kev: float
    distance_ev: float
    share: float
    sentence: str
    is_reported: bool = False
    is_instrument: bool = False
    probability: float | None = None
    lines: tuple[LineEvidence, ...] = ()


@dataclass(frozen=True)
class Peak:
    """A peak and what it can be.

    Attributes
    ----------
    energy_kev : float
        Of its top, by the refined calibration.
    counts, error : float
        Net counts above the background, and their standard deviation.
    candidates : tuple of Candidate
        The likeliest first.
    """

    energy_kev: float
    counts: float
    error: float
    candidates: tuple[Candidate, ...]

    @property
    def is_seen(self) -> bool:
        """Whether anything stands there at all."""
        return self.counts > _SEEN * self.error

    def sentence(self) -> str:
        """The finding in one sentence."""
        at = f"at {self.energy_kev:.2f} keV"
        if not self.is_seen:
            return f"No peak stands out {at}. These would have a line there."
        best = self.candidates[0] if self.candidates else None
        if best is None or best.share < _LEAST_SHARE:
            likeliest = f" {best.name} is the likeliest of the lines there." if best else ""
            return f"Nothing in the fit explains the peak {at}.{likeliest}"
        if best.share >= 0.9:
            return f"The peak {at} is {best.name}."
        if best.share >= _MAIN_SHARE:
            return f"The peak {at} is mostly {best.name} ({best.share:.0%})."
        names = [f"{c.name} ({c.share:.0%})" for c in self.candidates[:3] if c.share >= 0.1]
        if len(names) < 2:
            return f"The peak {at} is in part {best.name} ({best.share:.0%})."
        return f"The peak {at} is shared by {', '.join(names)}."


def candidates_at(reading: Reading, stated_kev: float) -> Peak:
    """What the peak nearest to an energy can be.

    Parameters
    ----------
    reading : Reading
    stated_kev : float
        Where was pointed, on the energies stated for the spectrum.

    Raises
    ------
    SettingsError
        If the energy lies outside the range that is fitted.
    """
    fit = reading.fit
    low, high = fit.shapes.centres_kev[[0, -1]]
    if not low <= stated_kev <= high:
        raise SettingsError(
            f"{stated_kev:.2f} keV lies outside the range that is fitted",
            f"Choose a peak between {low:.2f} and {high:.2f} keV.",
        )
    top = _top_near(fit, reading.true_kev(stated_kev))
    template = _template(fit, top)
    weight = local_weight(fit, template)
    scale = float(weight @ template)
    counts = float(weight @ (fit.counts - fit.solution.background)) / scale
    error = float(np.sqrt(weight**2 @ fit.solution.variance)) / scale
    others = impostors_at(fit, "", top, template, fit.solution.model, _LEAST_SHARE)
    shares = {i.name.split(" ")[0]: i for i in others if i.kind == "line"}
    found = [_artefact(i, top) for i in others if i.kind != "line"]
    named = dict.fromkeys([*shares, *_near(fit, top)])
    found += [_element(reading, element, top, shares.get(element)) for element in named]
    # What is left of the whole model: corrections of the response explain counts, too.
    left = float(weight @ (fit.counts - fit.solution.model)) / scale
    if counts > 0 and left > _LEFT_OVER * counts and left > _LEFT_OVER_Z * error:
        found.append(_unexplained(left / counts))
    ranked = sorted(found, key=lambda c: -_rank(c))[:_MOST]
    return Peak(top, counts, error, tuple(ranked))


def _top_near(fit: SpectrumFit, energy_kev: float) -> float:
    """Centre of the peak on whose slope an energy lies; the energy if there is none nearby."""
    kev = fit.shapes.centres_kev
    fwhm = float(fit.setup.detector.fwhm_kev(energy_kev))
    height = (fit.counts - fit.solution.background) / np.gradient(kev)
    at = int(np.abs(kev - energy_kev).argmin())
    while abs(kev[at] - energy_kev) <= _CLIMB_FWHM * fwhm:
        around = range(max(at - 1, 0), min(at + 2, kev.size))
        higher = max(around, key=lambda bin_: height[bin_])
        if higher == at:
            break
        at = higher
    else:
        return energy_kev
    if height[at] * np.gradient(kev)[at] < _SEEN * np.sqrt(fit.solution.variance[at]):
        return energy_kev
    top = slice(max(at - 1, 0), at + 2)
    heights = np.maximum(height[top], 0.0)
    return float((heights * kev[top]).sum() / heights.sum())


def _template(fit: SpectrumFit, energy_kev: float) -> np.ndarray:
    """A peak of unit sum at an energy, shape (bin,)."""
    line = (np.array([energy_kev]), np.ones(1))
    fine = render_groups([line], fit.shapes.edges_kev, fit.setup.detector)[0]
    return fit.shapes.to_bins(fine).astype(np.float64)


def _near(fit: SpectrumFit, energy_kev: float) -> list[str]:
    """Elements with a line that could be the peak."""
    reach = _REACH_FWHM * float(fit.setup.detector.fwhm_kev(energy_kev))
    return [
        element
        for element in ELEMENTS
        if any(
            abs(line.energy_kev - energy_kev) <= reach
            for line, _, _ in peaks_of(fit.shapes, element)
        )
    ]


def _element(reading: Reading, element: str, top_kev: float, under: Impostor | None) -> Candidate:
    fit = reading.fit
    told = evidence(
        fit,
        element,
        reported=element in reading.reported,
        probability=reading.probabilities.get(element),
        is_instrument=element in reading.instrument,
    )
    line = min(told.lines, key=lambda one: abs(one.energy_kev - top_kev))
    return Candidate(
        kind="line",
        element=element,
        name=f"{element} {line.name}",
        energy_kev=line.energy_kev,
        distance_ev=1000.0 * (line.energy_kev - top_kev),
        share=float(np.clip(under.share, 0.0, 1.0)) if under is not None else 0.0,
        sentence=told.sentence(),
        is_reported=told.reported,
        is_instrument=told.is_instrument,
        probability=told.probability,
        lines=told.lines,
    )


def _artefact(impostor: Impostor, top_kev: float) -> Candidate:
    share = float(np.clip(impostor.share, 0.0, 1.0))
    words = f"{share:.0%} of the peak" if share >= _LEAST_SHARE else "next to nothing of the peak"
    witness = f"; {impostor.witness}" if impostor.witness else ""
    return Candidate(
        kind=impostor.kind,
        element="",
        name=impostor.name,
        energy_kev=impostor.energy_kev,
        distance_ev=1000.0 * (impostor.energy_kev - top_kev),
        share=share,
        sentence=f"It makes {words} in the fit{witness}. No element of the sample stands for it.",
    )


def _unexplained(share: float) -> Candidate:
    return Candidate(
        kind="diffraction",
        element="",
        name="a diffraction (Bragg) peak",
        energy_kev=float("nan"),
        distance_ev=float("nan"),
        share=share,
        sentence=(
            f"{share:.0%} of the peak is neither a line, an escape, a sum nor a scatter peak of "
            "what the fit knows. Crystals reflect the tube's radiation at such energies: in single "
            "pixels, with no second line anywhere."
        ),
    )


def _rank(candidate: Candidate) -> float:
    """What the fit gives it decides; then what the classifier says, missing lines, distance."""
    missing = sum(line.state == "absent" for line in candidate.lines)
    distance = 0.0 if np.isnan(candidate.distance_ev) else abs(candidate.distance_ev) / 1000.0
    said = 0.3 * (candidate.probability or 0.0) + 0.2 * candidate.is_reported
    return 10.0 * (candidate.share - distance) + said - 0.3 * min(missing, 2)


def with_spread(peak: Peak, pixels: float) -> Peak:
    """The same with how its counts lie over the scan, told where diffraction is a candidate.

    Parameters
    ----------
    pixels : float
        Share of the scan's pixels that hold half of the peak's net counts, 0…1.
    """
    words = f" Half of its counts come from {pixels:.1%} of the pixels: " + (
        "few, as for diffraction." if pixels < 0.02 else "many, which speaks against."
    )
    changed = tuple(
        replace(c, sentence=c.sentence + words) if c.kind == "diffraction" else c
        for c in peak.candidates
    )
    return replace(peak, candidates=changed)
