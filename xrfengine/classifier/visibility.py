"""Which elements can be seen in a spectrum: marginal significance from the Fisher information.

An element counts as visible if its amplitude could be told from zero with everything else left
free: the other elements and their line ratios, the background's shape, scatter and sum peaks, the
calibration. The variance of an amplitude is then at least the diagonal of the inverse Fisher
matrix (Cramér-Rao); under Poisson statistics F_ij = Σ a_i a_j / λ over the channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Mixture:
    """Expected spectra on coarse bins, and what they are made of.

    Attributes
    ----------
    total : ndarray, float32, shape (n, bin)
        Expected counts.
    background : ndarray, float32, shape (n, bin)
        Of it, smooth background.
    centres_kev : ndarray, shape (bin,)
    sigma_kev : ndarray, shape (bin,)
        Resolution of the detector.
    pair_spectrum, pair_element : ndarray of int, shape (pair,)
        Every element in every spectrum; sorted by spectrum.
    part_pair : ndarray of int, shape (part,)
        Pair each line group belongs to; sorted.
    part_counts : ndarray, float32, shape (part, bin)
        Expected counts of each line group.
    part_sigma : ndarray, shape (part,)
        Relative freedom of the group against the element's strongest; 0 for the strongest.
    free : ndarray, float32, shape (n, component, bin)
        Further components of free amplitude: scatter peaks, sum peaks, diffraction, stray lines.
    free_sigma : ndarray, shape (component,)
        What is known of their amplitudes beforehand, as a standard deviation over the amplitude.
    """

    total: np.ndarray
    background: np.ndarray
    centres_kev: np.ndarray
    sigma_kev: np.ndarray
    pair_spectrum: np.ndarray
    pair_element: np.ndarray
    part_pair: np.ndarray
    part_counts: np.ndarray
    part_sigma: np.ndarray
    free: np.ndarray
    free_sigma: np.ndarray


def coarse_bins(edges_kev: np.ndarray, fwhm_kev: np.ndarray, per_fwhm: float = 2.5) -> np.ndarray:
    """First channel of each bin, about ``per_fwhm`` bins a peak width; int, shape (bin,)."""
    width = np.maximum(fwhm_kev / per_fwhm, np.diff(edges_kev))
    number = np.floor(np.cumsum(np.diff(edges_kev) / width))
    return np.flatnonzero(np.diff(number, prepend=-1.0) > 0)


_N_HATS = 9
_MOST_RATIOS = 10


def _ranks(spectrum: np.ndarray, n: int) -> np.ndarray:
    """Running number of each entry within its spectrum; ``spectrum`` is sorted."""
    first = np.searchsorted(spectrum, np.arange(n))
    return np.arange(spectrum.size) - first[spectrum]


def significance(
    mixture: Mixture,
    *,
    model_uncertainty: float,
    offset_sigma_kev: float,
    gain_sigma: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Significance of every element in every spectrum it is in.

    Parameters
    ----------
    mixture : Mixture
    model_uncertainty : float
        Relative error of any model of the counts of a bin, added to the Poisson variance: at 10⁸
        counts statistics alone would call hopeless overlaps visible.
    offset_sigma_kev, gain_sigma : float
        Prior spread of the calibration error.

    Returns
    -------
    marginal : ndarray, shape (pair,)
        Amplitude over its standard deviation, all else free.
    alone : ndarray, shape (pair,)
        The same, all else known.
    rival : ndarray, shape (pair,)
        Index of the pair of the same spectrum its estimate is most entangled with; itself if none.
    """
    n, n_bins = mixture.total.shape
    n_pairs = mixture.pair_spectrum.size
    if n_pairs == 0:
        nothing = np.zeros(0)
        return nothing, nothing, np.zeros(0, dtype=np.int64)
    total = mixture.total
    spectra = np.add.reduceat(
        mixture.part_counts,
        np.searchsorted(mixture.part_pair, np.arange(n_pairs)),
        axis=0,
    )
    rank = _ranks(mixture.pair_spectrum, n)
    most = int(rank.max()) + 1
    ratio_part, ratio_spectrum, ratio_rank = _free_ratios(mixture, n)
    n_ratios = int(ratio_rank.max()) + 1 if ratio_rank.size else 0
    hats = _hats(mixture.centres_kev)
    n_free = mixture.free.shape[1]
    size = most + n_ratios + _N_HATS + n_free + 3
    parts = np.zeros((n, size, n_bins), dtype=np.float32)
    prior = np.full((n, size), 1e-6)
    parts[mixture.pair_spectrum, rank] = spectra
    start = most
    if n_ratios:
        sigma = mixture.part_sigma[ratio_part].astype(np.float32)
        parts[ratio_spectrum, start + ratio_rank] = mixture.part_counts[ratio_part] * sigma[:, None]
        prior[:, start : start + n_ratios] = 1.0
    start += n_ratios
    # The smooth background is known to a third of itself, independently every few keV.
    parts[:, start : start + _N_HATS] = 0.33 * mixture.background[:, None, :] * hats
    prior[:, start : start + _N_HATS] = 1.0
    start += _N_HATS
    parts[:, start : start + n_free] = mixture.free
    prior[:, start : start + n_free] = mixture.free_sigma**-2.0
    start += n_free
    slope = np.gradient(total, mixture.centres_kev.astype(np.float32), axis=1)
    parts[:, start] = slope * np.float32(offset_sigma_kev)
    parts[:, start + 1] = slope * (gain_sigma * mixture.centres_kev).astype(np.float32)
    curve = np.gradient(slope, mixture.centres_kev.astype(np.float32), axis=1)
    parts[:, start + 2] = curve * (0.05 * mixture.sigma_kev**2).astype(np.float32)
    prior[:, start:] = 1.0

    variance = total + np.float32(model_uncertainty**2) * total * total + np.float32(0.02)
    parts /= np.sqrt(variance)[:, None, :]
    fisher = np.matmul(parts, parts.transpose(0, 2, 1)).astype(np.float64)
    diagonal = np.arange(size)
    alone = np.sqrt(fisher[mixture.pair_spectrum, rank, rank])
    fisher[:, diagonal, diagonal] += prior + 1e-6 * fisher[:, diagonal, diagonal]
    inverse = np.linalg.inv(fisher)
    # No variance is below that with all else known; where components are nearly alike, rounding
    # would even make it negative.
    variance = np.maximum(inverse[:, diagonal, diagonal], 1.0 / fisher[:, diagonal, diagonal])
    deviation = np.sqrt(variance)
    marginal = 1.0 / deviation[mixture.pair_spectrum, rank]
    correlation = np.abs(inverse[:, :most, :most])
    correlation /= deviation[:, :most, None] * deviation[:, None, :most]
    correlation[:, diagonal[:most], diagonal[:most]] = 0.3  # weaker ties do not count
    nearest = correlation.argmax(axis=2)[mixture.pair_spectrum, rank]
    first = np.searchsorted(mixture.pair_spectrum, np.arange(n))
    rival = first[mixture.pair_spectrum] + nearest
    return marginal, alone, np.minimum(rival, n_pairs - 1)


def _free_ratios(mixture: Mixture, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The line groups whose ratio to the main one matters most, at most ten a spectrum."""
    counts = mixture.part_counts.sum(axis=1)
    candidates = np.flatnonzero((mixture.part_sigma > 0) & (counts > 5.0))
    spectrum = mixture.pair_spectrum[mixture.part_pair[candidates]]
    order = np.lexsort((-counts[candidates], spectrum))
    candidates, spectrum = candidates[order], spectrum[order]
    rank = _ranks(spectrum, n)
    kept = rank < _MOST_RATIOS
    return candidates[kept], spectrum[kept], rank[kept]


def _hats(centres_kev: np.ndarray) -> np.ndarray:
    """Triangular functions over the range, float32, shape (hat, bin); denser at low energies."""
    position = np.sqrt(np.clip(centres_kev - centres_kev[0], 0.0, None))
    position = position / position[-1] * (_N_HATS - 1)
    return np.clip(1.0 - np.abs(position - np.arange(_N_HATS)[:, None]), 0, 1).astype(np.float32)


def visible_labels(
    marginal: np.ndarray,
    alone: np.ndarray,
    rival: np.ndarray,
    *,
    z_visible: float,
    z_absent: float,
) -> np.ndarray:
    """1 visible, 0 absent, −1 neither, int8, shape (pair,).

    Two elements that only their sum betrays (both significant alone, neither when the other is
    free) are neither: something is there, but nobody can say which.
    """
    labels = np.full(marginal.shape, -1, dtype=np.int8)
    labels[marginal >= z_visible] = 1
    labels[marginal <= z_absent] = 0
    entangled = (rival != np.arange(rival.size)) & (alone >= z_visible)
    hidden = marginal < z_visible
    labels[hidden & entangled & hidden[rival] & (alone[rival] >= z_visible)] = -1
    return labels
