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
    amounts,
    free_lines,
    peak_counts,
    peaks_of,
    replacements,
)
from xrfengine.classifier.fit import MODEL_ERROR, SpectrumFit, fit_spectrum, refine_setup
from xrfengine.classifier.fit_shapes import Setup, shapes_of
from xrfengine.classifier.fit_solve import fit_bins
from xrfengine.classifier.impostors import Impostor, impostors_at, scatter_words
from xrfengine.cube import Spectrum
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS, Line

State = Literal["present", "absent", "unclear"]

_SEEN, _DECISIVE = 3.0, 3.0
_EXPLAINED = 0.7  # share of a peak from which others explain it
_HIDDEN = 0.15  # share of a peak below which a line in it is judged by nothing but its size
_TOLD_APART = 5.0  # below, nearly everything could stand in for nearly everything
_ADDED_Z, _ADDED_PROBABILITY, _MOST_ADDED = 6.0, 0.1, 6
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
        Its lines come, at least in part, from the instrument.
    wide : bool
        The detector's peaks are too wide to tell neighbouring elements apart.
    scatter : tuple of str
        Of the tube's anode: its scattered lines, in words.
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
    scatter: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the sentence."""
        return {**asdict(self), "sentence": self.sentence()}

    def sentence(self) -> str:
        """The evidence in words and numbers."""
        verdict = "reported" if self.reported else "not reported"
        if not self.lines:
            return (
                f"{self.element} {verdict}: none of its lines lies in the range of this spectrum."
            )
        words = [*self._for(), *self._against()] if self.reported else self._not_reported()
        if self.scatter:
            words = [*self.scatter]
        elif self.is_instrument:
            words.append("tube, air or metal near the beam show its lines by themselves")
        if self.inseparable and (self.reported or self.z >= _TOLD_APART):
            group = "/".join(
                sorted((self.element, *self.inseparable), key=ELEMENTS.index),
            )
            why = "this detector cannot separate" if self.wide else "the counts do not separate"
            words.append(f"{why} {group}")
        if self.is_instrument:
            verdict = "of the instrument"
        return f"{self.element} {verdict}: {'; '.join(words)}."

    def _for(self) -> list[str]:
        seen = [line for line in self.lines if line.state == "present"]
        words = []
        for line in seen[:3]:
            # Below one count, "expected" says only that another family was not found at all.
            told = line is not self.lines[0] and line.expected >= 1.0
            ratio = f" of {_count(line.expected)} expected" if told else ""
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
        names = " and ".join(i.name for i in strongest)
        stands = main.state == "present" and sum(i.share for i in self.impostors) < _EXPLAINED
        if stands:
            words = [f"a peak stands at {main.energy_kev:.2f} keV ({_measured(main)})"]
            if strongest:
                words.append(f"{_share(sum(i.share for i in strongest))} there is {names}")
        elif strongest:
            words = [f"{main.energy_kev:.2f} keV is explained by {names}"]
        else:
            words = [f"no peak of its own at {main.energy_kev:.2f} keV ({_measured(main)})"]
        missing = [x for x in self.lines[1:] if x.state == "absent"]
        words += [_absent(self.element, x) for x in missing[:2]]
        words += list(dict.fromkeys(i.witness for i in strongest if i.witness))[:2]
        if stands and self.probability is not None and not self.is_instrument:
            words.append(f"its probability, {self.probability:.2f}, is below the threshold")
        return words


def _share(value: float) -> str:
    return "all" if value >= 0.95 else f"{value:.0%}"


def _at(element: str, line: LineEvidence) -> str:
    return f"{element} {line.name} at {line.energy_kev:.2f}"


def _absent(element: str, line: LineEvidence) -> str:
    return f"{_at(element, line)} is absent ({_measured(line)} of {_count(line.expected)} expected)"


def _measured(line: LineEvidence) -> str:
    return f"{_count(line.observed)} ± {_count(line.error)} counts"


def _count(value: float) -> str:
    """Three significant figures are all that counts carry."""
    rounded = value if abs(value) < 100 else float(f"{value:.3g}")
    return f"{rounded:,.0f}".replace("-", "\u2212")


def explain(
    spectrum: Spectrum,
    reported: Collection[str],
    probabilities: Mapping[str, float] | None = None,
    *,
    instrument: Collection[str] = (),
    anode: str | None = None,
    setup: Setup | None = None,
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
        Elements of tube and air, see :func:`~xrfengine.classifier.anode.instrument_lines`, and
        traces that are put down to the instrument.
    anode : str or None
        Anode whose scatter is in the spectrum.
    setup : Setup or None
        The instrument, where it was found before.
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
        fit = evidence_fit(spectrum, reported, probabilities, anode=anode, setup=setup)
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


def evidence_fit(
    spectrum: Spectrum,
    reported: Collection[str],
    probabilities: Mapping[str, float],
    *,
    anode: str | None = None,
    setup: Setup | None = None,
) -> SpectrumFit:
    """Fit a spectrum with what is reported, and with what is plainly left over.

    Only elements that the classifier deems possible are added, strongest first: among 71, some
    would always be found to fill a gap, and then be named as what explains another's line.

    Parameters
    ----------
    probabilities : mapping of str to float
        Of the classifier; empty: every element is possible.
    """
    if setup is None:
        setup = refine_setup(spectrum, anode=anode)
    if not probabilities:
        return fit_spectrum(spectrum, setup=setup)
    shapes = shapes_of(setup)
    possible = {e for e, p in probabilities.items() if p >= _ADDED_PROBABILITY} | set(reported)
    possible -= {setup.anode}
    allowed = np.isin(ELEMENTS, sorted(possible))
    chosen = np.flatnonzero(allowed & np.isin(ELEMENTS, sorted(reported)))
    start = None
    for _ in range(_MOST_ADDED + 1):
        solution = fit_bins(
            shapes,
            spectrum.counts,
            chosen,
            model_error=MODEL_ERROR,
            start=start,
            inflate=True,
        )
        outside = np.where(allowed, np.nan_to_num(solution.outside_z, nan=0.0), 0.0)
        best = int(outside.argmax())
        if outside[best] < _ADDED_Z:
            break
        chosen, start = np.union1d(chosen, best), solution.model
    counts = shapes.to_bins(shapes.to_fine(spectrum.counts))
    return SpectrumFit(setup, shapes, solution, counts)


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
        return Evidence(
            element, reported, probability, z, counts, error, (), (), is_instrument=is_instrument
        )
    templates = np.array([template for _, template, _ in peaks])
    observed, deviation = free_lines(fit, element, templates)
    without = fit.model_without(element)
    shares = np.array([share for _, _, share in peaks])
    amount = amounts(fit, peaks, observed, deviation, reported)
    lines = tuple(
        LineEvidence(
            name=line.name,
            energy_kev=line.energy_kev,
            expected=float(expected),
            observed=float(found),
            error=float(spread),
            state=_state(
                float(expected),
                float(found),
                float(spread),
                line,
                peaks[0][0],
                peak_counts(fit, template),
            ),
        )
        for (line, template, _), expected, found, spread in zip(
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
        scatter=scatter_words(fit) if element == fit.setup.anode else (),
    )


def _state(
    expected: float, observed: float, error: float, line: Line, main: Line, whole: float
) -> State:
    if (
        line is not main
        and expected < _HIDDEN * whole
        and not expected / 3 < observed < 3 * expected
    ):
        return "unclear"  # so small a part of the peak there that it says nothing
    if observed >= _SEEN * error and observed >= 0.3 * expected:
        return "present"
    # A softer family may be missing for good reasons: the sample or the air keeps it.
    comparable = line.family == main.family or line.energy_kev > main.energy_kev
    if comparable and expected >= _DECISIVE * error and observed < expected / 3 + error:
        return "absent"
    return "unclear"
