"""What the instrument itself puts into a spectrum: scattered lines of the tube, argon of the air.

An anode betrays itself by pairs: its lines at their own energy (Rayleigh) and, broader and lower
by what the geometry takes, once more (Compton). An element of the sample has no such companion.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from xrfengine.classifier.electrons import is_by_electrons
from xrfengine.classifier.fit import (
    MODEL_ERROR,
    SpectrumFit,
    fit_spectrum,
    guess_setup,
    refine_setup,
    select,
    standing_out,
)
from xrfengine.classifier.fit_shapes import Setup, Shapes, shapes_of, with_scatter
from xrfengine.classifier.fit_solve import Solution, fit_bins
from xrfengine.cube import Spectrum
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS, INSTRUMENT_ELEMENTS, edge_energy_kev

SEARCH = 5
"""Part of the keys of instruments kept on disk: raise it when the search may find others."""

ANODES: tuple[str, ...] = ("Rh", "Ag", "Mo", "Pd", "W", "Cu", "Au", "Cr", "Co", "Fe", "Ni")
"""Anodes that can be given."""

INFERRED: tuple[str, ...] = ("Rh", "Ag", "Mo", "Pd", "W", "Au")
"""Anodes that can be told by their scatter. The Compton peaks of lighter ones stand within 1.3
peak widths of their own lines, which are those of common elements of samples."""

_EVERY = np.arange(len(ELEMENTS))
_LEAST_GAIN = 40.0
_LEAST_COMPTON_Z = 5.0
_LEAST_RAYLEIGH_Z = 8.0  # nothing scatters inelastically alone
_PER_ELEMENT = 12.0
_ARGON_Z = 4.0
_MOST_ABOVE = 0.1  # of a beam's peak: what sums leave above it
_NEAR_STATED = 0.03
_CLEAR = 8.0  # standard deviations that a beam's peak stands out by where its energy is stated
_HALF_PEAK_KEV = 0.06
_CUT_KV = 40.0  # of tubes whose voltage lies beyond the axis
_LEAST_AT_END = 30.0
_RARE_ANODE, _RARE_Z = "Rh", 8.0


@dataclass(frozen=True)
class InstrumentLines:
    """What in a spectrum is the instrument's.

    Attributes
    ----------
    anode : str or None
        Of the tube, given or inferred; None where nothing tells.
    source : {"given", "inferred", "unknown"}
        How it is known.
    excitation : {"tube", "mono", "electrons"}
        A monochromatic beam scatters one line, electrons none.
    end_kev : float
        Tube voltage or beam energy, as stated or as the spectrum ends.
    compton_z : float
        Significance of the Compton peak.
    elements : tuple of str
        Elements to report apart from the sample's: the anode, and argon if there is any.
    """

    anode: str | None
    source: Literal["given", "inferred", "unknown"]
    excitation: Literal["tube", "mono", "electrons"]
    end_kev: float
    compton_z: float
    elements: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def sentence(self) -> str:
        """In words."""
        if self.excitation == "electrons":
            start = "Excited by electrons, by the continuum and the light elements"
        elif self.excitation == "mono":
            start = f"Monochromatic beam of {self.end_kev:.2f} keV, by its scatter"
        elif self.anode is None:
            start = "No scatter of a tube's anode is seen"
        elif self.source == "given":
            start = f"Anode {self.anode}, as given"
        elif self.compton_z < _LEAST_COMPTON_Z:
            start = f"Anode {self.anode}, by its lines, for it is rare in samples"
        else:
            start = (
                f"Anode {self.anode}, by its Rayleigh and Compton scatter ({self.compton_z:.0f} σ)"
            )
        argon = "; argon of the air" if "Ar" in self.elements else ""
        return f"{start}{argon}."


def instrument_lines(
    spectrum: Spectrum,
    anode: str | None = None,
    *,
    found: tuple[Setup, Literal["given", "inferred", "unknown"]] | None = None,
) -> tuple[InstrumentLines, SpectrumFit]:
    """Which lines are the instrument's, and the fit that says so.

    Parameters
    ----------
    spectrum : Spectrum
    anode : str or None
        As given by the user; None: as the file says, else inferred from the scatter.
    found : tuple or None
        What :func:`find_setup` found before.

    Returns
    -------
    InstrumentLines
    SpectrumFit
        Of the whole spectrum, scatter included: hand it to
        :func:`~xrfengine.classifier.evidence.explain`.

    Raises
    ------
    SettingsError
        If the given anode is none that tubes have.
    """
    setup, source = find_setup(spectrum, anode) if found is None else found
    fit = fit_spectrum(spectrum, setup=setup)
    argon = fit.z[INSTRUMENT_ELEMENTS[0]] >= _ARGON_Z
    elements = () if setup.anode is None else (setup.anode,)
    return (
        InstrumentLines(
            anode=setup.anode,
            source=source,
            excitation=setup.excitation,
            end_kev=setup.end_kev,
            compton_z=_compton_z(fit.shapes.scatter_names, fit.solution),
            elements=elements + (INSTRUMENT_ELEMENTS if argon else ()),
        ),
        fit,
    )


def find_setup(
    spectrum: Spectrum, anode: str | None = None
) -> tuple[Setup, Literal["given", "inferred", "unknown"]]:
    """The instrument behind a spectrum: response refined, anode given or inferred.

    Without a given anode, electrons are recognised
    (:func:`shows_electrons`), for which there is none.

    Parameters
    ----------
    spectrum : Spectrum
        One with many counts: for a cube, its sum.
    anode : str or None
        As given by the user; None: as the file says, else inferred.

    Raises
    ------
    SettingsError
        If the given anode is none that tubes have.
    """
    anode = anode or spectrum.instrument.tube_anode
    if anode is not None:
        if anode not in ELEMENTS:
            raise SettingsError(
                f"{anode!r} is no anode of a tube", f"Such are {', '.join(ANODES)}."
            )
        return refine_setup(spectrum, anode=anode), "given"
    # A first look at energies and width, and at what stands there with no scatter known.
    setup = guess_setup(spectrum)
    if shows_electrons(spectrum, setup):
        in_vacuum = replace(setup, excitation="electrons", air_cm=0.0)
        return refine_setup(spectrum, setup=in_vacuum), "inferred"
    without = shapes_of(setup)
    plain = select(without, spectrum.counts, _EVERY)
    y = without.to_bins(without.to_fine(spectrum.counts))
    trials: list[tuple[float, Shapes]] = []
    for trial in _trials(spectrum, setup):
        shapes = _shapes(trial, without)
        chosen = _less(plain.elements, trial.anode)
        solution = fit_bins(shapes, spectrum.counts, chosen, model_error=MODEL_ERROR)
        trials.append((_gain(plain, solution, y), shapes))
    best: tuple[float, Setup, Solution] | None = None
    for _, shapes in sorted(trials, key=lambda pair: -pair[0])[:2]:
        # A beam reaches other edges than a tube, so that other elements may be meant.
        is_beam = shapes.setup.excitation == "mono"
        chosen = _EVERY if is_beam else _less(plain.elements, shapes.setup.anode)
        solution = select(shapes, spectrum.counts, chosen)
        gain = _gain(plain, solution, y)
        if (
            gain >= _LEAST_GAIN
            and _compton_z(shapes.scatter_names, solution) >= _LEAST_COMPTON_Z
            and (is_beam or _rayleigh_z(shapes.scatter_names, solution) >= _LEAST_RAYLEIGH_Z)
            and (best is None or gain > best[0])
        ):
            best = gain, shapes.setup, solution
    if best is not None:
        return refine_setup(spectrum, setup=best[1], begun=best[2]), "inferred"
    if _shows_rare_anode(plain):
        rare = replace(setup, anode=_RARE_ANODE)
        return refine_setup(spectrum, setup=rare, begun=plain), "inferred"
    return refine_setup(spectrum, setup=setup, begun=plain), "unknown"


def shows_electrons(spectrum: Spectrum, setup: Setup) -> bool:
    """Whether electrons excited a spectrum: their continuum, and no scatter that ends it.

    Parameters
    ----------
    setup : Setup
        A first guess, for the width of peaks.
    """
    if not is_by_electrons(spectrum):
        return False
    beam = beam_energy(spectrum)
    return beam is None or not _ends_at(spectrum, beam, setup)


def _shows_rare_anode(solution: Solution) -> bool:
    """Whether lines of rhodium are there, though no Compton peak tells whose they are.

    L lines at a low voltage, or Rayleigh scatter of a metal, stand where fluorescence would. But
    rhodium is in every second tube, and in hardly any sample.
    """
    place = np.flatnonzero(solution.elements == ELEMENTS.index(_RARE_ANODE))
    return bool(place.size and solution.z[place[0]] >= _RARE_Z)


def _trials(spectrum: Spectrum, setup: Setup) -> list[Setup]:
    end = setup.end_kev
    highest = max(end, _CUT_KV) if _is_cut(spectrum) else end
    trials = []
    for symbol in INFERRED:
        edges = edge_energy_kev(symbol, "K"), edge_energy_kev(symbol, "L3")
        if edges[0] < 0.95 * end or 8.0 < edges[1] < 0.95 * end:
            trials.append(replace(setup, anode=symbol))
        elif edges[0] < 0.95 * highest:
            trials.append(replace(setup, anode=symbol, end_kev=highest))
    beam = beam_energy(spectrum)
    if beam is not None and _ends_at(spectrum, beam, setup):
        last = int(spectrum.calibration.channel(1.06 * beam + 0.3))
        trials.append(
            replace(
                setup,
                anode=None,
                excitation="mono",
                end_kev=round(beam, 3),
                last_channel=min(last, setup.last_channel),
            )
        )
    return trials


def _shapes(trial: Setup, without: Shapes) -> Shapes:
    if trial.anode is None:
        return shapes_of(trial)
    return with_scatter(without, trial.anode, trial.end_kev)


def _is_cut(spectrum: Spectrum) -> bool:
    """Whether the axis ends before the tube's continuum does, so that its voltage is not seen."""
    counts = np.asarray(spectrum.counts, dtype=np.float64)
    seen = np.flatnonzero(counts > 0)
    if spectrum.instrument.tube_kv is not None or not seen.size:
        return False
    last = int(seen[-1]) + 1
    reach = max(last // 50, 4)
    if last <= 6 * reach:  # too few channels to tell
        return False
    at_end, before = counts[last - reach : last].mean(), counts[: last - reach][-5 * reach :].mean()
    return bool(at_end * reach >= _LEAST_AT_END and at_end > 0.5 * before)


def beam_energy(spectrum: Spectrum) -> float | None:
    """Energy of the last strong peak, keV: that of the beam, if the beam is monochromatic.

    Strong is a tenth of the highest. What lies above are only sums. However weak, a peak at the
    energy that is stated as the voltage is the beam: there the continuum of a tube has ended.
    """
    counts = np.asarray(spectrum.counts, dtype=np.float64)
    energy = spectrum.energy_kev
    stated = spectrum.instrument.tube_kv
    if stated is not None:
        rank = np.where(
            np.abs(energy - stated) < _NEAR_STATED * stated,
            standing_out(counts, spectrum.calibration.gain_kev),
            0.0,
        )
        if rank.max() >= _CLEAR:
            around = np.abs(energy - energy[rank.argmax()]) < _HALF_PEAK_KEV
            return float((energy[around] * counts[around]).sum() / counts[around].sum())
    reach = max(int(_HALF_PEAK_KEV / spectrum.calibration.gain_kev), 1)
    smooth = np.convolve(counts, np.full(2 * reach + 1, 1.0 / (2 * reach + 1)), mode="same")
    smooth[energy < 4.0] = 0.0
    strong = np.flatnonzero(smooth > 0.1 * smooth.max())
    if smooth.max() < 3 or not strong.size:
        return None
    last = slice(max(int(strong[-1]) - 6 * reach, 0), int(strong[-1]) + 1)
    top = last.start + int(smooth[last].argmax())
    around = slice(max(top - reach, 0), top + reach + 1)
    return float((energy[around] * counts[around]).sum() / counts[around].sum())


def _ends_at(spectrum: Spectrum, beam_kev: float, setup: Setup) -> bool:
    """Whether a spectrum ends with its last strong peak, as that of a monochromatic beam must.

    The tube's continuum goes on to its voltage, and Kβ stands above the Kα or Compton peak that
    would be taken for a beam.
    """
    stated = spectrum.instrument.tube_kv
    if stated is not None:
        return abs(stated - beam_kev) < _NEAR_STATED * stated
    energy, counts = spectrum.energy_kev, np.asarray(spectrum.counts, dtype=np.float64)
    fwhm = float(setup.detector.fwhm_kev(beam_kev))
    peak = counts[np.abs(energy - beam_kev) < 1.2 * fwhm].sum()
    above = counts[(energy > beam_kev + 1.5 * fwhm) & (energy < 1.8 * beam_kev)].sum()
    return bool(above < _MOST_ABOVE * peak)


def _less(elements: np.ndarray, anode: str | None) -> np.ndarray:
    """Elements without the anode: its lines are to be explained by scatter alone."""
    if anode is None:
        return elements
    return np.setdiff1d(elements, [ELEMENTS.index(anode)])


def _gain(plain: Solution, solution: Solution, y: np.ndarray) -> float:
    """By how much a story fits better, elements having their price: the fewer the better.

    Compared where both have bins: a monochromatic beam's range ends sooner.
    """
    n = min(y.size, solution.model.size) - 1
    costs = [
        float(((y[:n] - one.model[:n]) ** 2 / plain.variance[:n]).sum())
        + _PER_ELEMENT * len(one.elements)
        for one in (plain, solution)
    ]
    return costs[0] - costs[1]


def _compton_z(names: tuple[str, ...], solution: Solution) -> float:
    """Significance of all Compton templates together (they share one peak)."""
    return _scatter_z("compton", names, solution)


def _rayleigh_z(names: tuple[str, ...], solution: Solution) -> float:
    """Significance of the anode's lines at their own energies, all families together."""
    return _scatter_z("rayleigh", names, solution)


def _scatter_z(kind: str, names: tuple[str, ...], solution: Solution) -> float:
    mine = [i for i, name in enumerate(names) if name.startswith(kind)]
    return float(np.sqrt((solution.scatter_z[mine] ** 2).sum())) if mine else 0.0
