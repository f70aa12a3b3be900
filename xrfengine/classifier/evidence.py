"""For and against an element: which of its lines are there, and what else could be them.

Everything is computed from one full-spectrum fit (:mod:`fit`): a line's counts are those found
when it is left free on its own and so is everything else; what is expected follows from the
ratios of the lines; an impostor is what the fit puts under the line without the element.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from xrfengine.classifier.element_peaks import (
    free_lines,
    peak_counts,
    peaks_of,
    replacements,
)
from xrfengine.classifier.fit import SpectrumFit, fit_spectrum
from xrfengine.classifier.impostors import Impostor, impostors_at
from xrfengine.cube import Spectrum
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS, Line

State = Literal["present", "absent", "unclear"]

_SEEN, _DECISIVE = 3.0, 3.0
_TOLD_APART = 5.0  # below, nearly everything could stand in for nearly everything
_MENTION = 0.02  # probability from which an element not reported is worth a word


@dataclass(frozen=True)
class LineEvidence:
    """One line of an element in a spectrum.

    Attributes
    ----------
    name : str
        Such as ``"Kα"``; ``"Kα+Kβ"`` where the detector shows one peak.
    energy_kev : float
    expected : float
        Net counts that the element's lines together let expect; for an element that is not
        reported, the counts if it were the whole peak at its main line.
    observed, error : float
        Net counts of the line alone, everything else free, and their standard deviation.
    state : {"present", "absent", "unclear"}
        Absent: less than a third of what is expected, and the expected would have been seen.
        Unclear: the spectrum cannot tell.
    """

    name: str
    energy_kev: float
    expected: float
    observed: float
    error: float
    state: State


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against one element in one spectrum.

    Attributes
    ----------
    element : str
    reported : bool
    probability : float or None
        Of the classifier, 0…1, where it was asked.
    z : float
        Marginal significance of the element in the fit: all its lines, everything else free.
    counts, error : float
        Net counts of all its lines in range.
    lines : tuple of LineEvidence
        The one that vouches for the element first: by falling expected counts, soft ones later.
    impostors : tuple of Impostor
        What else lies under its main line, by falling share.
    inseparable : tuple of str
        Elements that would fit as well in its place.
    is_instrument : bool
        Its lines come, at least in part, from tube or air.
    wide : bool
        The detector's peaks are too wide to tell neighbouring elements apart.
    """

    element: str
    reported: bool
    probability: float | None
    z: float
    counts: float
    error: float
    lines: tuple[LineEvidence, ...]
    impostors: tuple[Impostor, ...]
    inseparable: tuple[str, ...] = ()
    is_instrument: bool = False
    wide: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the sentence."""
        return {**asdict(self), "sentence": self.sentence()}

    def sentence(self) -> str:
        """The evidence in words and numbers."""
        if not self.lines:
            return f"{self.element}: none of its lines lies in the range of this spectrum."
        words = [*self._for(), *self._against()] if self.reported else self._not_reported()
        if self.is_instrument:
            words.append("tube or air show its lines by themselves")
        if self.inseparable and (self.reported or self.z >= _TOLD_APART):
            group = "/".join(
                sorted((self.element, *self.inseparable), key=ELEMENTS.index),
            )
            why = "this detector cannot separate" if self.wide else "the counts do not separate"
            words.append(f"{why} {group}")
        verdict = "reported" if self.reported else "not reported"
        return f"{self.element} {verdict}: {'; '.join(words)}."

    def _for(self) -> list[str]:
        seen = [line for line in self.lines if line.state == "present"]
        words = []
        for line in seen[:3]:
            ratio = "" if line is self.lines[0] else f" of {_count(line.expected)} expected"
            words.append(f"{_at(self.element, line)} is present ({_measured(line)}{ratio})")
        return words or ["none of its lines stands out by itself"]

    def _against(self) -> list[str]:
        words = [_absent(self.element, x) for x in self.lines if x.state == "absent"]
        for impostor in self.impostors[:2]:
            if impostor.share >= 0.1:
                words.append(
                    f"{impostor.share:.0%} of the peak at {self.lines[0].energy_kev:.2f} keV "
                    f"is {impostor.name}"
                )
        return words

    def _not_reported(self) -> list[str]:
        main = self.lines[0]
        strongest = [i for i in self.impostors if i.share >= 0.2][:2]
        explained = sum(i.share for i in self.impostors)
        if strongest and explained >= 0.5:
            names = " and ".join(i.name for i in strongest)
            words = [f"{main.energy_kev:.2f} keV is explained by {names}"]
        elif main.state == "present":
            words = [f"a peak stands at {main.energy_kev:.2f} keV ({_measured(main)})"]
        else:
            words = [f"no peak of its own at {main.energy_kev:.2f} keV ({_measured(main)})"]
        missing = [x for x in self.lines[1:] if x.state == "absent"]
        words += [_absent(self.element, x) for x in missing[:2]]
        words += [i.witness for i in strongest if i.witness][:2]
        return words


def _at(element: str, line: LineEvidence) -> str:
    return f"{element} {line.name} at {line.energy_kev:.2f}"


def _absent(element: str, line: LineEvidence) -> str:
    return f"{_at(element, line)} is absent ({_measured(line)} of {_count(line.expected)} expected)"


def _measured(line: LineEvidence) -> str:
    return f"{_count(line.observed)} ± {_count(line.error)} counts"


def _count(value: float) -> str:
    """Three significant figures are all that counts carry."""
    if abs(value) < 100:
        return f"{value:.0f}"
    return f"{float(f'{value:.3g}'):,.0f}".replace(",", "\u202f")


def explain(
    spectrum: Spectrum,
    reported: Collection[str],
    probabilities: Mapping[str, float] | None = None,
    *,
    instrument: Collection[str] = (),
    anode: str | None = None,
    fit: SpectrumFit | None = None,
) -> tuple[Evidence, ...]:
    """Evidence for the elements reported, and for those narrowly not.

    Parameters
    ----------
    spectrum : Spectrum
    reported : collection of str
        Symbols said to be present.
    probabilities : mapping of str to float, or None
        Of the classifier, by symbol: those not reported but above 0.02 are explained too.
    instrument : collection of str
        Elements of tube and air, see :func:`~xrfengine.classifier.anode.instrument_lines`.
    anode : str or None
        Anode whose scatter is in the spectrum.
    fit : SpectrumFit or None
        A fit at hand, to save making one.

    Returns
    -------
    tuple of Evidence
        Reported ones first, each part by falling significance.

    Raises
    ------
    SettingsError
        If a symbol is unknown.
    """
    probabilities = dict(probabilities or {})
    if fit is None:
        fit = fit_spectrum(spectrum, anode=anode)
    near = {e for e, p in probabilities.items() if p >= _MENTION}
    near |= {e for e in fit.elements if fit.z[e] >= 2 * _SEEN}
    unknown = sorted(set(reported) - set(ELEMENTS))
    if unknown:
        raise SettingsError(
            f"there is no evidence to be had for {', '.join(unknown)}",
            f"Choose from {', '.join(ELEMENTS)}.",
        )
    near &= set(ELEMENTS)
    asked = sorted(set(reported) | near, key=lambda e: (e not in reported, -fit.z[e]))
    return tuple(
        evidence(
            fit,
            element,
            reported=element in reported,
            probability=probabilities.get(element),
            is_instrument=element in instrument,
        )
        for element in asked
    )


def evidence(
    fit: SpectrumFit,
    element: str,
    *,
    reported: bool,
    probability: float | None = None,
    is_instrument: bool = False,
) -> Evidence:
    """What speaks for and against one element, from a fit.

    Raises
    ------
    SettingsError
        If the element is unknown.
    """
    peaks = peaks_of(fit.shapes, element)
    z = fit.z[element]
    counts, error = fit.net_counts(element)
    if not peaks:
        return Evidence(element, reported, probability, z, counts, error, (), ())
    templates = np.array([template for _, template, _ in peaks])
    observed, deviation = free_lines(fit, element, templates)
    without = fit.model_without(element)
    shares = np.array([share for _, _, share in peaks])
    amount = _amounts(fit, peaks, observed, deviation, reported)
    lines = tuple(
        LineEvidence(
            name=line.name,
            energy_kev=line.energy_kev,
            expected=float(expected),
            observed=float(found),
            error=float(spread),
            state=_state(float(expected), float(found), float(spread), line, peaks[0][0]),
        )
        for (line, _, _), expected, found, spread in zip(
            peaks, amount * shares, observed, deviation, strict=True
        )
    )
    main = peaks[0][0]
    wide = fit.setup.detector.kind == "gem"
    return Evidence(
        element=element,
        reported=reported,
        probability=probability,
        z=z,
        counts=counts,
        error=error,
        lines=lines,
        impostors=impostors_at(fit, element, main.energy_kev, templates[0], without),
        inseparable=replacements(fit, element) if wide or z >= _TOLD_APART else (),
        is_instrument=is_instrument,
        wide=wide,
    )


def _amounts(fit, peaks, observed, deviation, reported: bool) -> np.ndarray:
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


def _state(expected: float, observed: float, error: float, line: Line, main: Line) -> State:
    if observed >= _SEEN * error and observed >= 0.3 * expected:
        return "present"
    # A softer family may be missing for good reasons: the sample or the air keeps it.
    comparable = line.family == main.family or line.energy_kev > main.energy_kev
    if comparable and expected >= _DECISIVE * error and observed < expected / 3 + error:
        return "absent"
    return "unclear"
