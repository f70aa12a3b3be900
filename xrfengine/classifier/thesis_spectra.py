"""Spectra as the thesis made them: Gaussians, arbitrary heights, an exponential, no noise.

Source: E. Zarębski, bachelor thesis, AGH Kraków 2024, section 2.3. Where it is silent: Fano
factor 1.2, electronic noise 0, main line 1 and the others by the usual ratios, heights uniform
in 0.1…1, argon escape entries of 0.05…0.2 for lines above 3.2 keV, background a·exp(−bE) with
a in 0…0.3 and b in 0.05…0.3 per keV, no counting noise, maximum 1.
"""

from __future__ import annotations

import functools

import numpy as np

from xrfengine.cube import Calibration
from xrfengine.detector import AR_EDGE_KEV, AR_KA_KEV
from xrfengine.lines import line_groups, main_line

THESIS_ELEMENTS: tuple[str, ...] = (
    "K", "Ca", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu",
    "Zn", "As", "Br", "Sr", "Ag", "Cd", "Sn", "Sb", "Hg", "Pb",
)  # fmt: skip

N_CHANNELS = 4096
HIGH_KEV = 30.0
FANO = 1.2
NOISE_KEV2 = 0.0
SHIFT_KEV, PEAK_SHIFT_KEV, WIDTH_KEV = 0.05, 0.002, 0.08
_NARROWEST_KEV = 0.02  # σ(E) − 0.08 keV may fall below 0: no peak is narrower than this
_SAME_PEAK_KEV = 0.08
_REACH_SIGMA = 5.0


def thesis_calibration() -> Calibration:
    """4096 channels over 0…30 keV."""
    gain = HIGH_KEV / N_CHANNELS
    return Calibration(offset_kev=gain / 2, gain_kev=gain)


@functools.cache
def thesis_lines(symbol: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Table entry of an element: energies in keV, relative intensities (main line 1), escape.

    Lines of one family (K up to Mo, L above) that share a peak are one entry. ``escape`` marks
    the lines that get an argon escape entry.
    """
    main = main_line(symbol, 0.5, 20.0, 40.0)
    if main is None:
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool)
    lines = next(g for g in line_groups(symbol, 40.0) if g.family == main.family).lines
    peaks: list[list[float]] = []
    for line in lines:
        if line.weight < 0.01:
            continue
        for peak in peaks:
            if abs(peak[0] - line.energy_kev) < _SAME_PEAK_KEV:
                total = peak[1] + line.weight
                peak[0] = (peak[0] * peak[1] + line.energy_kev * line.weight) / total
                peak[1] = total
                break
        else:
            peaks.append([line.energy_kev, line.weight])
    energies = np.array([p[0] for p in peaks])
    ratios = np.array([p[1] for p in peaks])
    return energies, ratios / ratios.max(), energies > AR_EDGE_KEV


def thesis_sigma_kev(energy_kev: np.ndarray) -> np.ndarray:
    """σ = sqrt(NOISE/2.3548 + 0.00358·FANO·E), printed so in the thesis."""
    return np.sqrt(NOISE_KEV2 / 2.3548 + 0.00358 * FANO * energy_kev)


def thesis_spectra(
    chosen: np.ndarray, elements: tuple[str, ...], rng: np.random.Generator
) -> np.ndarray:
    """Spectra of given element sets, float32, shape (n, 4096), each with maximum 1.

    Parameters
    ----------
    chosen : ndarray of bool, shape (n, element)
    elements : tuple of str
    rng : numpy Generator
    """
    n = chosen.shape[0]
    rows, columns = np.nonzero(chosen)
    tables = [thesis_lines(e) for e in elements]
    sizes = np.array([t[0].size for t in tables])
    repeat = sizes[columns]
    row = np.repeat(rows, repeat)
    height = np.repeat(rng.uniform(0.1, 1.0, size=rows.size), repeat)
    energy = np.concatenate([tables[c][0] for c in columns]) if rows.size else np.zeros(0)
    ratio = np.concatenate([tables[c][1] for c in columns]) if rows.size else np.zeros(0)
    escapes = np.concatenate([tables[c][2] for c in columns]) if rows.size else np.zeros(0, bool)
    row = np.concatenate([row, row[escapes]])
    share = rng.uniform(0.05, 0.2, size=int(escapes.sum()))
    amplitude = height * ratio
    amplitude = np.concatenate([amplitude, amplitude[escapes] * share])
    energy = np.concatenate([energy, energy[escapes] - AR_KA_KEV])

    centre = (
        energy
        + rng.uniform(-SHIFT_KEV, SHIFT_KEV, size=n)[row]
        + rng.uniform(-PEAK_SHIFT_KEV, PEAK_SHIFT_KEV, size=energy.size)
    )
    sigma = thesis_sigma_kev(energy) + rng.uniform(-WIDTH_KEV, WIDTH_KEV, size=energy.size)
    sigma = np.maximum(sigma, _NARROWEST_KEV)
    channels = thesis_calibration().energy_kev(N_CHANNELS)
    a = rng.uniform(0.0, 0.3, size=(n, 1))
    b = rng.uniform(0.05, 0.3, size=(n, 1))
    spectra = (a * np.exp(-b * channels)).astype(np.float32)
    _add_peaks(spectra, row, centre, sigma, amplitude)
    return spectra / spectra.max(axis=1, keepdims=True)


def _add_peaks(spectra, row, centre, sigma, amplitude) -> None:
    """Add Gaussians of the given amplitude at the channel centres, in place."""
    gain = HIGH_KEV / N_CHANNELS
    position = (centre / gain - 0.5).astype(np.float32)
    width = (sigma / gain).astype(np.float32)
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(spectra.shape[0] + 1))
    # Plain loops over slices: a slice of float32 costs less than index arrays of all channels.
    grid = np.arange(N_CHANNELS, dtype=np.float32)
    for i in range(spectra.shape[0]):
        target = spectra[i]
        for k in order[starts[i] : starts[i + 1]]:
            reach = _REACH_SIGMA * width[k]
            low = max(int(position[k] - reach), 0)
            high = min(int(position[k] + reach) + 2, N_CHANNELS)
            if low >= high:
                continue
            x = (grid[low:high] - position[k]) / width[k]
            target[low:high] += np.float32(amplitude[k]) * np.exp(-0.5 * x * x)
