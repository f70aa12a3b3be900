"""PyMca's peak search, each peak given to the best candidate of PyMca's line tables.

The search is the one behind PyMca's calibration and peak identifier (``SpecfitFuns.seek``, after
Mariscotti, NIM 50 (1967) 309) at 6 σ. The candidates of a peak are the elements with a strong line
within 50 eV. As a user of the identifier would, the strongest peak is explained first; a peak
that lines of elements already named, their escape or sum peaks explain names nobody; and a
candidate counts for more the more of its other expected lines were found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from xrfengine.classifier.evaluate import Verdict
from xrfengine.classifier.fit import guess_setup
from xrfengine.cube import Spectrum
from xrfengine.detector import SI_KA_KEV
from xrfengine.lines import ELEMENTS, edge_energy_kev

CUT = 6.0
"""PyMca's default sensitivity is 3.25; 6 σ names fewer wrong elements."""

_LEAST = 3.5
_STRETCHES_KEV = (0.9, 2.6, 5.0, 10.0, 20.0, 48.0)
_CHANNELS_A_PEAK = 8.0
_NEAR_KEV = 0.050
_LOWEST_KEV = 0.9


@dataclass(frozen=True)
class _Family:
    element: str
    edge_kev: float
    energies: tuple[float, ...]
    rates: tuple[float, ...]


@cache
def _families() -> tuple[_Family, ...]:
    """K, L and M lines of PyMca's tables, blended where a detector shows one peak."""
    from PyMca5.PyMcaPhysics.xrf import Elements

    shells = (("K", ("K",), "K"), ("L", ("L1", "L2", "L3"), "L3"), ("M", ("M",), "M5"))
    # How the L lines divide well above the edges; PyMca lists each subshell apart.
    share = {"K": 1.0, "L1": 0.15, "L2": 0.30, "L3": 0.55, "M": 1.0}
    found = []
    for element in ELEMENTS:
        table = Elements.Element[element]
        for _, rays, edge in shells:
            lines = [
                (table[line]["energy"], table[line]["rate"] * share[ray])
                for ray in rays
                for line in table.get(f"{ray} xrays", ())
            ]
            lines = sorted(line for line in lines if line[0] > _LOWEST_KEV and line[1] > 0.005)
            blended: list[list[float]] = []
            for energy, rate in lines:
                if blended and energy - blended[-1][0] < 0.08:
                    e, r = blended[-1]
                    blended[-1] = [(e * r + energy * rate) / (r + rate), r + rate]
                else:
                    blended.append([energy, rate])
            if blended:
                total = sum(rate for _, rate in blended)
                found.append(
                    _Family(
                        element,
                        edge_energy_kev(element, edge),
                        tuple(e for e, _ in blended),
                        tuple(r / total for _, r in blended),
                    )
                )
    return tuple(found)


def pymca_peaks(spectrum: Spectrum) -> Mapping[str, Verdict]:
    """Verdicts on one spectrum; the score is the relevance of the peak that named the element."""
    energy, relevance, height, end_kev = search(spectrum)
    excited = [f for f in _families() if f.edge_kev < end_kev]
    score: dict[str, float] = {}
    named: list[_Family] = []
    strength: list[float] = []
    for peak in np.argsort(-relevance):
        at = float(energy[peak])
        if _explained(at, float(height[peak]), named, strength, energy, height):
            continue
        support = [_support(family, at, energy, height, int(peak)) for family in excited]
        best = int(np.argmax(support))
        if support[best] <= 0:
            continue
        family = excited[best]
        named.append(family)
        strength.append(float(height[peak]) / max(_rate_at(family, at), 1e-3))
        score[family.element] = max(score.get(family.element, 0.0), float(relevance[peak]))
    return {
        element: Verdict(score.get(element, 0.0), score.get(element, 0.0) >= CUT)
        for element in ELEMENTS
    }


def _rate_at(family: _Family, at_kev: float) -> float:
    near = [r for e, r in zip(family.energies, family.rates, strict=True) if abs(e - at_kev) < 0.09]
    return sum(near)


def _support(
    family: _Family, at_kev: float, energy: np.ndarray, height: np.ndarray, peak: int
) -> float:
    """How well a family explains a peak: nearness of its main line, share of its lines found."""
    main = int(np.argmax(family.rates))
    off = abs(family.energies[main] - at_kev)
    if off > _NEAR_KEV:
        return 0.0
    found, expected = family.rates[main], 0.0
    for place, (line, rate) in enumerate(zip(family.energies, family.rates, strict=True)):
        counts = height[peak] * rate / family.rates[main]
        if place == main:
            expected += rate
            continue
        # Lines too weak to stand out are not missed: soft ones are absorbed, faint ones drown.
        if line < at_kev - 0.3 or counts < 0.05 * height[peak]:
            continue
        expected += rate
        there = np.abs(energy - line) < _NEAR_KEV + 0.02
        if (height[there] > 0.25 * counts).any():
            found += rate
    return found / expected * np.exp(-0.5 * (off / 0.025) ** 2)


def _explained(
    at_kev: float,
    counts: float,
    named: list[_Family],
    strength: list[float],
    energy: np.ndarray,
    height: np.ndarray,
) -> bool:
    """Whether lines of named elements, their escape peaks or sums can make this peak."""
    for family, whole in zip(named, strength, strict=True):
        for line, rate in zip(family.energies, family.rates, strict=True):
            if abs(line - at_kev) < _NEAR_KEV + 0.02 and counts < 4.0 * whole * rate:
                return True
    strong = np.argsort(-height)[:6]
    for first in strong:
        escape = float(energy[first]) - SI_KA_KEV
        if abs(escape - at_kev) < _NEAR_KEV and counts < 0.02 * height[first]:
            return True
        for second in strong:
            total = float(energy[first] + energy[second])
            if abs(total - at_kev) < 0.06 and counts < 0.02 * min(height[first], height[second]):
                return True
    return False


def search(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Peaks: energies in keV, relevance in σ, heights in counts; and the end of the spectrum.

    Searched stretch by stretch with the width that peaks have there, narrow channels summed to
    about eight a peak: PyMca's search takes one width for all.
    """
    from PyMca5.PyMcaMath.fitting import SpecfitFuns

    setup = guess_setup(spectrum)
    at, relevance, height = [], [], []
    for low, high in pairwise(_STRETCHES_KEV):
        width_kev = float(setup.detector.fwhm_kev(0.5 * (low + min(high, 1.5 * low))))
        block = max(int(width_kev / spectrum.calibration.gain_kev / _CHANNELS_A_PEAK), 1)
        n = spectrum.counts.size // block
        counts = spectrum.counts[: n * block].reshape(n, block).sum(axis=1, dtype=np.float64)
        # A whole number: with others the filter of PyMca may not sum to zero.
        width = max(round(width_kev / spectrum.calibration.gain_kev / block), 3)
        ends = (spectrum.calibration.channel(np.array([low, high])) + 0.5) / block - 0.5
        # The filter needs a margin on both sides of what is wanted.
        first, last = int(ends[0] - 6 * width), int(ends[1] + 6 * width)
        first, last = max(first, 0), min(last, n)
        if last - first < 6 * width:
            continue
        found = []
        for sensitivity in (_LEAST, CUT, 2 * CUT, 4 * CUT):
            try:
                part = np.ascontiguousarray(counts[first:last])
                found = SpecfitFuns.seek(part, 0, part.size, width, sensitivity, 0, 1)
                break
            except SystemError:  # how PyMca says that it found too many peaks: fewer, then
                continue
        for place, sigmas in found:
            top = first + _top(counts[first:last], int(place), width)
            energy = float(spectrum.calibration.at((top + 0.5) * block - 0.5))
            if low <= energy < high and energy < 1.05 * setup.end_kev:
                at.append(energy)
                relevance.append(float(sigmas))
                height.append(float(counts[first + int(place)]) / block)
    return np.array(at), np.array(relevance), np.array(height), setup.end_kev


def _top(counts: np.ndarray, place: int, width: float) -> float:
    """Centroid of the upper part of a peak, in channels."""
    reach = max(int(0.4 * width), 1)
    around = counts[max(place - reach, 0) : place + reach + 1]
    above = around - around.min() * 0.9
    total = above.sum()
    if total <= 0:
        return float(place)
    return max(place - reach, 0) + float((np.arange(around.size) * above).sum() / total)
