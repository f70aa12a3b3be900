"""Peaks of a spectrum: where they stand, and which lines of which elements name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xrfengine.cube import Spectrum
from xrfengine.detector import Detector
from xrfengine.lines import Line, labelled_lines

USUAL_FWHM_MN_KEV = 0.15
_LOWEST_KEV = 1.0
_LEAST_Z = 5.0
_NEAR_FWHM = 0.5
_WEAKEST_WEIGHT = 0.05
_APART_FWHM = 1.3
"""Nearer to its main line, a weaker one is a shoulder at most."""


@dataclass(frozen=True)
class PeakName:
    """A peak with the line that names it.

    Attributes
    ----------
    channel : float
        Centre of its top.
    energy_kev : float
        There, as the spectrum's calibration says.
    z : float
        Significance: net counts over their standard deviation.
    line : Line
    """

    channel: float
    energy_kev: float
    z: float
    line: Line


def peak_centre(spectrum: Spectrum, energy_kev: float, reach_kev: float | None = None) -> float:
    """Channel of the top of the peak nearest to an energy; fractional.

    Parameters
    ----------
    energy_kev : float
        Where to look, on the spectrum's own energies.
    reach_kev : float or None
        How far from there the top may be; None: a peak width.

    Returns
    -------
    float
        The channel of the energy itself where no peak stands within reach.
    """
    calibration, counts = spectrum.calibration, np.asarray(spectrum.counts, dtype=np.float64)
    fwhm = _fwhm(spectrum, energy_kev)
    reach = fwhm if reach_kev is None else reach_kev
    pointed = float(calibration.channel(energy_kev))
    first, last = (
        int(np.clip(np.rint(calibration.channel(e)), 0, counts.size - 1))
        for e in (energy_kev - reach, energy_kev + reach)
    )
    if last - first < 2:
        return pointed
    half = max(round(0.25 * fwhm / calibration.gain_kev), 1)
    smooth = np.convolve(counts, np.ones(2 * half + 1), mode="same")
    top = first + int(smooth[first : last + 1].argmax())
    if top in (first, last):
        return pointed  # a slope that goes on
    # So wide that the weaker partner of a doublet, such as Lα2, draws the centre as it should.
    half = max(round(0.5 * fwhm / calibration.gain_kev), 1)
    around = np.arange(max(top - half, 0), min(top + half + 1, counts.size))
    feet = [counts[k] for k in (top - 3 * half, top + 3 * half) if 0 <= k < counts.size]
    net = np.maximum(counts[around] - min(feet, default=0.0), 0.0)
    return float((net * around).sum() / net.sum()) if net.sum() > 0 else pointed


def named_peaks(spectrum: Spectrum, elements: Sequence[str]) -> tuple[PeakName, ...]:
    """The peaks that lines of these elements explain, the most significant first.

    A peak is named after the element that puts most into it, by the counts at its strongest line
    and the ratio of the two.

    Parameters
    ----------
    spectrum : Spectrum
        Of counts, not of rates: their noise decides what is a peak.
    elements : sequence of str
        Symbols of what is there.
    """
    energy = spectrum.energy_kev
    low, high = max(float(energy[0]), _LOWEST_KEV), float(energy[-1])
    found: list[tuple[float, PeakName]] = []
    for element in dict.fromkeys(elements):
        lines = labelled_lines(element, low, high)
        stands = {line: _net(spectrum, line.energy_kev) for line in lines}
        clear = [line.family for line, (net, sigma) in stands.items() if net >= _LEAST_Z * sigma]
        for line, (net, sigma) in stands.items():
            main = max(
                (one for one in lines if one.family == line.family), key=lambda one: one.weight
            )
            expected = max(stands[main][0], 0.0) * line.weight / main.weight
            beside = abs(line.energy_kev - main.energy_kev) / _fwhm(spectrum, line.energy_kev)
            if (
                net < _LEAST_Z * sigma
                or line.weight < _WEAKEST_WEIGHT
                or expected <= 0
                or (line is not main and beside < _APART_FWHM)
                or (line.family != "K" and "K" in clear)  # its soft lines tell nothing more
            ):
                continue
            channel = peak_centre(
                spectrum, line.energy_kev, _NEAR_FWHM * _fwhm(spectrum, line.energy_kev)
            )
            at = float(spectrum.calibration.at(channel))
            found.append((min(expected, net), PeakName(channel, at, net / sigma, line)))
    kept: list[PeakName] = []
    for _, name in sorted(found, key=lambda pair: -pair[0]):
        width = _fwhm(spectrum, name.energy_kev)
        if all(abs(name.energy_kev - other.energy_kev) > 0.7 * width for other in kept):
            kept.append(name)
    return tuple(sorted(kept, key=lambda name: -name.z))


def _fwhm(spectrum: Spectrum, energy_kev: float) -> float:
    fwhm_mn = spectrum.calibration.fwhm_mn_kev or USUAL_FWHM_MN_KEV
    detector = Detector.sdd(fwhm_mn) if fwhm_mn < 0.45 else Detector.gem(fwhm_mn / 5.895)
    return float(detector.fwhm_kev(max(energy_kev, 0.1)))


def _net(spectrum: Spectrum, energy_kev: float) -> tuple[float, float]:
    """Counts around an energy less the straight background beside it, and their deviation."""
    calibration, counts = spectrum.calibration, spectrum.counts
    width = 0.6 * _fwhm(spectrum, energy_kev)
    start, stop = (
        int(np.clip(np.rint(calibration.channel(e) + 0.5), 0, counts.size))
        for e in (energy_kev - width, energy_kev + width)
    )
    stop = max(stop, start + 1)
    size = max((stop - start) // 2, 1)
    left = counts[max(start - 2 * size, 0) : max(start - size, 0)]
    right = counts[stop + size : stop + 2 * size]
    sides = [side for side in (left, right) if side.size]
    inside = float(counts[start:stop].sum(dtype=np.float64))
    if not sides:
        return 0.0, 1.0
    level = float(np.mean([side.mean(dtype=np.float64) for side in sides]))
    taken = level * (stop - start)
    share = (stop - start) / sum(side.size for side in sides)
    return inside - taken, float(np.sqrt(max(inside + taken * share, 1.0)))
