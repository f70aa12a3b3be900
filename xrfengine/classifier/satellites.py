"""Satellites of emission lines: photons that shared their energy with an ejected electron.

In the simulation and in the fit alike; without them they read as other elements.
"""

from __future__ import annotations

import numpy as np

from xrfengine.classifier.excitation import TABLE_ELEMENTS
from xrfengine.lines import atomic_number, edge_energy_kev

_AUGER_BELOW_Z = 42  # heavier elements keep their K vacancies' energy in one photon


def with_radiative_auger(
    row: np.ndarray,
    part: np.ndarray,
    element: np.ndarray,
    kev: np.ndarray,
    counts: np.ndarray,
    under_beta: float = 0.09,
    under_alpha: float = 0.003,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add the satellites of photons that shared their energy with an ejected electron.

    KMM under Kβ: a shoulder some 50 to 400 eV below it (iron), which fills the valley between Kα
    and Kβ and else reads as Mn or Co in iron. Measured spectra of pure iron, from two tubes and
    an electron microscope, hold 9 % of Kβ there; MAPS fits it as a tail of 0.167. KLL and KLM
    below Kα by somewhat more than the L edge: a few parts in a thousand.

    Parameters
    ----------
    row, part, element : ndarray of int, shape (line,)
        Row to render a line in, its place in :data:`~xrfengine.classifier.instrument.PARTS`, its
        element in ``TABLE_ELEMENTS``.
    kev, counts : ndarray, shape (line,)
    under_beta, under_alpha : float
        Share of Kβ and of Kα lines that the satellites take.

    Returns
    -------
    row, kev, counts : ndarray, shape (line and satellite,)
    """
    light = np.array([atomic_number(e) < _AUGER_BELOW_Z for e in TABLE_ELEMENTS])[element]
    l3 = np.array([min(edge_energy_kev(e, "L3"), 3.0) for e in TABLE_ELEMENTS])[element]
    beta, alpha = light & (part == 1), light & (part == 0)
    # The shoulder's depth follows the outer shells' binding, as the L edge does; 0.707: iron.
    depth = np.clip(l3[beta] / 0.707, 0.4, 1.8)
    rows, energies = [row], [kev]
    amounts = [counts * np.where(beta, 1.0 - under_beta, np.where(alpha, 1.0 - under_alpha, 1.0))]
    for mask, below, share in (
        (beta, 0.05 * depth, 0.30 * under_beta),
        (beta, 0.10 * depth, 0.25 * under_beta),
        (beta, 0.17 * depth, 0.20 * under_beta),
        (beta, 0.26 * depth, 0.13 * under_beta),
        (beta, 0.38 * depth, 0.12 * under_beta),
        (alpha, 1.04 * l3[alpha], 0.6 * under_alpha),
        (alpha, 1.25 * l3[alpha], 0.4 * under_alpha),
    ):
        rows.append(row[mask])
        energies.append(kev[mask] - below)
        amounts.append(counts[mask] * share)
    return np.concatenate(rows), np.concatenate(energies), np.concatenate(amounts)
