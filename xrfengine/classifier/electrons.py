"""Electrons or photons: what excited a sample, by the spectrum itself.

Files hardly ever say it. Electrons are slowed down in the sample, whose bremsstrahlung is then the
continuum of the spectrum: strongest at the lowest energies the detector lets through and falling
as (E₀ − E)/E to nothing at the beam's energy E₀ (H. A. Kramers, Phil. Mag. 46 (1923) 836). They
also excite the K lines of carbon to oxygen well, to which tubes hardly do anything. Under a tube
the continuum is the tube's, scattered: little between 1 and 8 keV, where windows, air and the
sample itself take it, and a hump above, up to the voltage.
"""

from __future__ import annotations

import numpy as np

from xrfengine.cube import Spectrum

_FIRST_KEV = 0.2  # below stands the noise, and the zero peak that some instruments store
_SOFT_KEV = 0.72  # above O Kα and Fe Lα, below F Kα's neighbours of transition metals' Lβ
_WINDOWS_KEV = ((1.0, 1.4), (2.0, 3.0), (4.0, 5.5), (7.0, 9.0), (9.9, 13.0), (14.0, 17.0))
_BOX_KEV = 0.06
_FEWEST_COUNTS = 2000.0
_LEAST_CONTINUUM = 0.025  # of all counts, per keV, at the lowest energies
_LEAST_SOFT, _PLAINLY_SOFT = 0.01, 0.1  # of all counts
_STEPS = (0.75, 0.9, 0.8)  # of the window below, at most
_STEEP = 0.5


def is_by_electrons(spectrum: Spectrum) -> bool:
    """Whether electrons excited a spectrum; in doubt they did not.

    Asked are much continuum at 1 to 3 keV that falls from window to window, and counts below
    0.72 keV. Where the latter are no tenth of all, the continuum must also steepen towards its end:
    the tails of strong peaks flatten instead.

    Parameters
    ----------
    spectrum : Spectrum
        One with many counts: for a cube, its sum. A stated anode settles it.
    """
    if spectrum.instrument.tube_anode is not None:
        return False
    energy = spectrum.energy_kev
    counts = np.where(energy > _FIRST_KEV, np.asarray(spectrum.counts, dtype=np.float64), 0.0)
    total = float(counts.sum())
    if total < _FEWEST_COUNTS:
        return False
    soft = float(counts[energy < _SOFT_KEV].sum()) / total
    first, second, *rest = (
        level / total for level in continuum(counts, energy, spectrum.calibration.gain_kev)
    )
    start = max(first, second)
    if soft < _LEAST_SOFT or start < _LEAST_CONTINUUM:
        return False
    falling = [start, *rest[:3]]
    if any(
        above > most * below
        for below, above, most in zip(falling[:-1], falling[1:], _STEPS, strict=True)
    ):
        return False
    return soft >= _PLAINLY_SOFT or rest[3] <= _STEEP * rest[2]


def continuum(counts: np.ndarray, energy_kev: np.ndarray, gain_kev: float) -> list[float]:
    """Counts per keV below the peaks of each window; 0 where the spectrum has ended.

    Parameters
    ----------
    counts, energy_kev : ndarray, shape (channel,)
    gain_kev : float

    Returns
    -------
    list of float
        Mean over the lowest fifth of each window, after smoothing.
    """
    width = max(round(_BOX_KEV / gain_kev), 1)
    smooth = np.convolve(counts, np.full(width, 1.0 / width), mode="same") / gain_kev
    levels = []
    for low, high in _WINDOWS_KEV:
        inside = np.sort(smooth[(energy_kev >= low) & (energy_kev < high)])
        levels.append(float(inside[: max(inside.size // 5, 1)].mean()) if inside.size else 0.0)
    return levels
