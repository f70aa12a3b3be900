"""Energy calibration from peaks the user names: pairs of (peak channel, line energy)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

import numpy as np

from xrfengine.cube import Calibration, Spectrum
from xrfengine.errors import CalibrationError
from xrfengine.lines import SYMBOLS, Line, emission_lines, labelled_lines
from xrfengine.peaks import PeakName, named_peaks

LINE_RANGE_KEV = (0.05, 150.0)
"""No characteristic line that an XRF detector sees lies outside (Be Kα 0.11, U Kβ 111 keV)."""

GAIN_RANGE_KEV = (0.0005, 1.0)
OFFSET_RANGE_KEV = (-10.0, 30.0)

TOLERANCE_KEV = 0.05
"""A peak that departs farther from the fitted line is a mistaken one: a third of the width of a
peak, and ten times what a peak's position is uncertain by."""

_SEEN_BESIDE = 0.1
_BESIDE_KEV = 0.15
"""A line that other lines as strong as this share of their family stand nearer to is not plain."""

_AGREE_KEV = 0.01
_PLAIN = ("Kα", "Kβ", "Lα")
"""The others are several lines, whose common centre depends on the excitation."""

_GREEK = str.maketrans({"α": "a", "β": "b", "γ": "g", "ζ": "z", "η": "n"})

Pair = tuple[float, float]


def calibration_from_pairs(
    pairs: Iterable[Pair], *, quadratic: bool = False, fwhm_mn_kev: float | None = None
) -> Calibration:
    """The calibration that puts peaks where their lines are, by least squares.

    Parameters
    ----------
    pairs : iterable of (channel, energy_kev)
        Position of a peak as a channel (0 is the first, fractions allowed) and the energy of its
        line in keV. At least two different channels, three for ``quadratic``.
    quadratic : bool
        Also fit the curvature, for instruments that need it.
    fwhm_mn_kev : float or None
        Resolution at Mn Kα to note in the calibration.

    Raises
    ------
    CalibrationError
        Naming the pair: too few channels, a channel or energy out of range, energies that fall,
        an implausible gain or offset, a pair far off the line through the others.
    """
    channel, energy = _checked(pairs, 3 if quadratic else 2)
    degree = 2 if quadratic else 1
    # Scaled channels keep the fit well conditioned.
    scale = channel.max()
    fitted = np.polynomial.polynomial.polyfit(channel / scale, energy, degree)
    coefficients = [float(c) for c in fitted / scale ** np.arange(degree + 1)]
    offset, gain = coefficients[:2]
    curvature = coefficients[2] if quadratic else 0.0
    low, high = GAIN_RANGE_KEV
    slopes = gain + 2 * curvature * np.array([0.0, channel.max()])
    if not (low <= slopes.min() and slopes.max() <= high):
        raise CalibrationError(
            f"the pairs give a gain of {slopes.min():.4g}…{slopes.max():.4g} keV per channel"
            if quadratic
            else f"the pairs give a gain of {gain:.4g} keV per channel",
            f"Channels of {low:g} to {high:g} keV make sense: check which line each peak is, "
            "and that energies are in keV.",
        )
    if not OFFSET_RANGE_KEV[0] <= offset <= OFFSET_RANGE_KEV[1]:
        raise CalibrationError(
            f"the pairs put channel 0 at {offset:.4g} keV",
            f"{OFFSET_RANGE_KEV[0]:g} to {OFFSET_RANGE_KEV[1]:g} keV makes sense: check which "
            "line each peak is.",
        )
    result = Calibration(offset, gain, curvature, fwhm_mn_kev)
    _check_residuals(channel, energy, result, degree)
    return result


def _checked(pairs: Iterable[Pair], at_least: int) -> tuple[np.ndarray, np.ndarray]:
    """Channels and energies by rising channel, each of them plausible and rising together."""
    rows = []
    for pair in pairs:
        try:
            channel, energy = (float(value) for value in pair)
        except (TypeError, ValueError):
            raise CalibrationError(
                f"{pair!r} is no pair of numbers", "Give (peak channel, line energy in keV)."
            ) from None
        if not (np.isfinite(channel) and channel >= 0):
            raise CalibrationError(
                f"the pair {_show(channel, energy)} has no valid channel",
                "Channels are counted from 0.",
            )
        if not LINE_RANGE_KEV[0] <= energy <= LINE_RANGE_KEV[1]:
            raise CalibrationError(
                f"the pair {_show(channel, energy)} has no plausible energy",
                f"Lines lie between {LINE_RANGE_KEV[0]:g} and {LINE_RANGE_KEV[1]:g} keV; "
                "energies are in keV, not eV.",
            )
        rows.append((channel, energy))
    rows.sort()
    n_channels = len({channel for channel, _ in rows})
    if n_channels < at_least:
        raise CalibrationError(
            f"a calibration needs peaks at {at_least} different channels at least, "
            f"there are {n_channels}",
            "Name another peak, far from the first.",
        )
    for (c0, e0), (c1, e1) in itertools.pairwise(rows):
        if c1 > c0 and e1 <= e0:
            raise CalibrationError(
                f"energies must rise with the channel, but do not from {_show(c0, e0)} "
                f"to {_show(c1, e1)}",
                "Check which line each of the two peaks is.",
            )
    channel, energy = np.array(rows).T
    return channel, energy


def _show(channel: float, energy: float) -> str:
    return f"channel {channel:g} = {energy:g} keV"


def _check_residuals(
    channel: np.ndarray, energy: np.ndarray, calibration: Calibration, degree: int
) -> None:
    limit = max(TOLERANCE_KEV, calibration.gain_kev)
    residual = energy - calibration.at(channel)
    if np.abs(residual).max() <= limit:
        return
    # A single wrong pair drags the line towards itself. The one without which the others fit
    # best is the wrong one.
    left = [
        _spread(np.delete(channel, i), np.delete(energy, i), degree) for i in range(channel.size)
    ]
    worst = int(np.argmin(left)) if channel.size > degree + 2 else int(np.abs(residual).argmax())
    raise CalibrationError(
        f"the pair {_show(channel[worst], energy[worst])} does not fit the others: "
        f"it lies {abs(residual[worst]):.3g} keV off the fitted line",
        "Check which line that peak is, or leave the pair out.",
    )


def _spread(channel: np.ndarray, energy: np.ndarray, degree: int) -> float:
    scaled = channel / channel.max()
    fitted = np.polynomial.polynomial.polyfit(scaled, energy, degree)
    return float(np.abs(np.polynomial.polynomial.polyval(scaled, fitted) - energy).max())


def pair_from_text(text: str) -> Pair:
    """Parse ``CHANNEL=ENERGY``; the energy is a number in keV or a line such as ``Fe-Kα``.

    Raises
    ------
    CalibrationError
        Naming the text.
    """
    channel, equals, energy = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return float(channel), _energy_from_text(energy)
    except ValueError:
        raise CalibrationError(
            f"{text!r} is no pair of a channel and an energy",
            "Write it like 219.2=6.404 or 219.2=Fe-Ka.",
        ) from None


def _energy_from_text(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return line_energy_kev(text)


def line_energy_kev(name: str) -> float:
    """Energy in keV of a line by name: ``Fe-Kα``, ``Fe Ka``, ``FeKa1``, ``Pb-L3M5``.

    Raises
    ------
    CalibrationError
        If there is no such line.
    """
    match = re.fullmatch(r"\s*([A-Z][a-z]?)[\s_-]*([KLM]\S*)\s*", name)
    if match is None or match[1] not in SYMBOLS[1:]:
        raise CalibrationError(
            f"{name!r} is neither a number nor the name of a line",
            "Write an energy in keV, or a line like Fe-Ka or Pb-Lb.",
        )
    symbol, wanted = match[1], _plain(match[2])
    merged = labelled_lines(symbol, *LINE_RANGE_KEV)
    single = emission_lines(symbol, 2 * LINE_RANGE_KEV[1])
    for line in (*merged, *single):
        if wanted in (_plain(line.name), _plain(line.iupac)):
            return line.energy_kev
    known: Sequence[str] = [line.name for line in merged]
    raise CalibrationError(
        f"there is no line {name!r}", f"{symbol} has {', '.join(known) or 'no lines here'}."
    )


def _plain(name: str) -> str:
    return name.translate(_GREEK).lower().replace(",", "")


def suggested_pairs(
    spectrum: Spectrum, elements: Sequence[str], most: int = 8
) -> tuple[tuple[float, Line], ...]:
    """Peaks of a spectrum that lines of known elements name plainly: (channel, line).

    They are looked for where the present calibration has them, so it may be off by a third of a
    peak width or so. Lines of two elements nearer than a peak width, and lines too weak to be sure
    of, are left out.

    Parameters
    ----------
    spectrum : Spectrum
        One with many counts: for a cube, its sum.
    elements : sequence of str
        Symbols of what is there.
    most : int
        Pairs at most: the strongest, spread over the energies.

    Returns
    -------
    tuple of (float, Line)
        By rising channel; empty where nothing is plain.
    """
    named = [peak for peak in named_peaks(spectrum, elements) if peak.line.energy_kev > 1.5]
    lines = [
        line
        for element in dict.fromkeys(peak.line.element for peak in named)
        for line in labelled_lines(element, *LINE_RANGE_KEV)
        if line.weight > _SEEN_BESIDE
    ]
    alone = [
        peak
        for peak in named
        if not any(
            line.element != peak.line.element
            and abs(line.energy_kev - peak.line.energy_kev) < _BESIDE_KEV
            for line in lines
        )
        and peak.line.name in _PLAIN
    ]
    chosen = _agreeing(sorted(alone, key=lambda peak: -peak.z)[:most])
    return tuple(sorted(((p.channel, p.line) for p in chosen), key=lambda pair: pair[0]))


def _agreeing(peaks: list[PeakName]) -> list[PeakName]:
    """Peaks that one straight line fits; those that depart most are left out one by one."""
    kept = list(peaks)
    while len(kept) > 2:
        channel = np.array([peak.channel for peak in kept])
        energy = np.array([peak.line.energy_kev for peak in kept])
        weight = np.sqrt([peak.z for peak in kept])  # positions are surer than z alone says
        fitted = np.polynomial.polynomial.polyfit(channel / channel.max(), energy, 1, w=weight)
        off = np.abs(np.polynomial.polynomial.polyval(channel / channel.max(), fitted) - energy)
        if off.max() <= _AGREE_KEV:
            break
        del kept[int(off.argmax())]
    return kept
