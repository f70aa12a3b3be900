"""What a spectrum holds besides the sample's lines: scatter, continuum, electronics, diffraction.

Shapes are counts a channel, as the detector shows them; the caller scales them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xrfengine.classifier.excitation import GRID_KEV, Source
from xrfengine.detector import Detector, render_rows

MATRICES: tuple[tuple[float, float], ...] = ((7.0, 2.0), (20.0, 7.0), (60.0, 25.0))
"""Thin or organic samples, stone, metal: the energy in keV at which a sample absorbs as much as it
scatters, and that at which half of the scattering is inelastic (Hubbell et al., J. Phys. Chem.
Ref. Data 4 (1975) 471; carbon 2 keV at large angles, iron about 25)."""

_ELECTRON_REST_KEV = 510.999

Seen = Callable[[np.ndarray], np.ndarray]


def compton_kev(energy_kev: np.ndarray | float, angle_deg: float) -> np.ndarray:
    """Energy after Compton scattering at an electron at rest."""
    energy = np.asarray(energy_kev, dtype=np.float64)
    return energy / (1.0 + energy / _ELECTRON_REST_KEV * (1.0 - np.cos(np.radians(angle_deg))))


def scatter_power(energy_kev: np.ndarray, balance_kev: float) -> np.ndarray:
    """Share of photons a sample scatters back, 0…1: half at ``balance_kev``.

    Absorption falls as E^-2.8 while coherent scattering rises slowly towards low energies, so the
    ratio falls as about E^2.5.
    """
    return 1.0 / (1.0 + (balance_kev / np.maximum(energy_kev, 0.05)) ** 2.5)


def compton_share(energy_kev: np.ndarray, half_kev: float) -> np.ndarray:
    """Inelastic share of the scattering, 0…1: grows with energy, falls with atomic number."""
    return energy_kev / (energy_kev + half_kev)


def scattered_continuum(
    source: Source,
    seen: Seen,
    centres_kev: np.ndarray,
    matrix: tuple[float, float],
    angle_deg: float,
) -> np.ndarray:
    """Tube continuum scattered by the sample, counts a channel (of even width), shape (channel,).

    The inelastic part is moved to its Compton energy; both fall off at the tube voltage.
    """
    energy = np.clip(centres_kev, 0.05, None)
    shape = np.zeros_like(energy)
    balance_kev, half_kev = matrix
    inelastic = compton_share(GRID_KEV, half_kev)
    power = source.continuum * scatter_power(GRID_KEV, balance_kev)
    for share, at in ((1.0 - inelastic, GRID_KEV), (inelastic, compton_kev(GRID_KEV, angle_deg))):
        shape += np.interp(energy, at, power * share, left=0.0, right=0.0)
    return np.where(centres_kev > 0.1, shape * seen(energy), 0.0)


def scattered_lines(
    source: Source,
    seen: Seen,
    edges_kev: np.ndarray,
    detector: Detector,
    angle_deg: float,
    compton_width: float,
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Rayleigh and Compton peaks of the source's lines.

    Parameters
    ----------
    source : Source
    seen : callable
        Efficiency times transmission at an energy.
    edges_kev : ndarray, shape (channel + 1,)
    detector : Detector
    angle_deg : float
        Mean scattering angle; the Compton peak blends angles about it.
    compton_width : float
        FWHM that Doppler broadening and solid angle add, over the energy: 0.012…0.05.

    Returns
    -------
    names : tuple of str
        ``"rayleigh K"``, ``"compton K"``, ``"rayleigh L3"`` … as the source has.
    shapes : ndarray, float32, shape (name, channel)
        Counts per photon of the beam, before the sample's scattering power.
    energies : ndarray, shape (name,)
        Mean energy of each.
    """
    families = sorted(set(source.line_family))
    names, rows, energies, intensities, widths, means = [], [], [], [], [], []
    for family in families:
        mine = np.array([f == family for f in source.line_family])
        line_kev, flux = source.line_kev[mine], source.line_flux[mine]
        if flux.sum() < 1e-30:  # filtered away; denormal numbers would divide to NaN
            continue
        # Single scattering over a range of angles, and a weak tail of photons scattered twice.
        moved = [compton_kev(line_kev, angle_deg + turn) for turn in (-14.0, 0.0, 14.0)]
        twice = compton_kev(moved[1], 90.0)
        compton = np.concatenate([*moved, twice])
        shares = np.concatenate([0.27 * flux, 0.36 * flux, 0.27 * flux, 0.10 * flux])
        doubled = np.repeat([1.0, 1.8], [3 * line_kev.size, line_kev.size])
        broad = doubled * compton_width * compton / detector.fwhm_kev(compton)
        for name, e, f, w in (
            ("rayleigh", line_kev, flux, np.ones_like(flux)),
            ("compton", compton, shares, np.sqrt(1.0 + broad**2)),
        ):
            rows.append(np.full(e.size, len(names)))
            names.append(f"{name} {family}")
            energies.append(e)
            intensities.append(f * seen(e))
            widths.append(w)
            means.append(float((e * f).sum() / f.sum()))
    if not names:
        return (), np.zeros((0, edges_kev.size - 1), np.float32), np.zeros(0)
    shapes = render_rows(
        len(names),
        np.concatenate(rows),
        np.concatenate(energies),
        np.concatenate(intensities),
        edges_kev,
        detector,
        np.concatenate(widths),
    )
    return tuple(names), shapes, np.array(means)


def bremsstrahlung(
    beam_kev: float, seen: Seen, centres_kev: np.ndarray, absorbed_kev: float
) -> np.ndarray:
    """Continuum under electrons, (E0 − E)/E (Kramers 1923) with absorption in the sample.

    ``absorbed_kev`` is the energy below which the sample takes most of it.
    """
    energy = np.clip(centres_kev, 0.05, None)
    leaving = 1.0 / (1.0 + (absorbed_kev / energy) ** 2.6)
    shape = np.clip(beam_kev / energy - 1.0, 0.0, None) * leaving * seen(energy)
    return np.where(centres_kev > 0.08, shape, 0.0)


def exponential(centres_kev: np.ndarray, length_kev: float) -> np.ndarray:
    """exp(−E/length) above 0: charge loss, secondary electrons, whatever falls off."""
    return np.where(centres_kev > 0, np.exp(-np.clip(centres_kev, 0, None) / length_kev), 0.0)


def plateau(centres_kev: np.ndarray, end_kev: float) -> np.ndarray:
    """Even counts up to the highest energy: Compton electrons in the detector, stray photons."""
    return np.where(
        centres_kev > 0, 1.0 / (1.0 + np.exp((centres_kev - end_kev) / (0.03 * end_kev))), 0.0
    )


def wavy(centres_kev: np.ndarray, base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The base times the exponential of a smooth random curve: backgrounds nobody modelled."""
    low, high = centres_kev[0], centres_kev[-1]
    knots = np.arange(low, high + 8.0, rng.uniform(2.5, 7.0))
    curve = np.interp(centres_kev, knots, rng.normal(0.0, 0.7, size=knots.size))
    # A running mean rounds the corners of the polygon, or they would look like edges.
    reach = max(int(1.2 / np.diff(centres_kev).mean()), 1)
    padded = np.pad(curve, reach, mode="edge")
    window = 2 * reach + 1
    total = np.cumsum(np.concatenate([[0.0], padded]))
    return base * np.exp((total[window:] - total[:-window]) / window)


def zero_peak(centres_kev: np.ndarray, sigma_kev: float) -> np.ndarray:
    """The electronics' noise peak at 0 keV that some files keep (Bruker)."""
    return np.exp(-0.5 * (centres_kev / sigma_kev) ** 2)


def unseen_pile_up(centres_kev: np.ndarray, excess: float, edge_kev: float) -> np.ndarray:
    """How much likelier a photon piles up unnoticed than a hard one, float32, shape (channel,).

    The fast channel that rejects pile-up has a threshold of its own, often above 0.5 keV: photons
    below escape it. So O + Al stands higher beside Al + Al than chance gives: by 1.4 in measured
    aluminium oxide under 15 keV electrons.
    """
    return (excess / (1.0 + np.exp((centres_kev - edge_kev) / 0.08))).astype(np.float32)


def pile_up(
    rates: np.ndarray,
    offset_channels: float,
    fractions: np.ndarray,
    unseen: np.ndarray | None = None,
) -> np.ndarray:
    """Sum peaks: two or three photons within the resolving time count as one of the summed energy.

    Parameters
    ----------
    rates : ndarray, float32, shape (n, channel)
        Expected counts.
    offset_channels : float
        Energy of channel 0 over the channel width.
    fractions : ndarray, shape (n,)
        Share of events that are pairs, rate times resolving time: 0…0.04.
    unseen : ndarray, shape (channel,), optional
        What :func:`unseen_pile_up` gives: a pair of photons from channels i and j is
        1 + unseen_i + unseen_j times as likely.

    Returns
    -------
    ndarray, float32, shape (n, channel)
        Expected counts of the sums alone: the self-convolution of the whole spectrum, and its
        second order where pairs are frequent. Computed in blocks of channels where these are
        narrow, for sum peaks are broad.
    """
    from scipy import fft

    n, n_channels = rates.shape
    block = max(n_channels // 1024, 1)
    coarse = rates[:, : n_channels // block * block].reshape(n, -1, block).sum(axis=2)
    triples = bool(fractions.max(initial=0.0) > 3e-3)
    length = fft.next_fast_len((3 if triples else 2) * coarse.shape[1], real=True)
    spectrum = fft.rfft(coarse, length, axis=1)
    share = (fractions / np.maximum(coarse.sum(axis=1), 1e-9)).astype(np.float32)[:, None]
    partner = spectrum
    if unseen is not None:
        # Σ r_i r_j (1 + u_i + u_j) is the convolution of r with r·(1 + 2u).
        likelier = 1.0 + 2.0 * unseen[: n_channels // block * block].reshape(-1, block).mean(axis=1)
        partner = fft.rfft(coarse * likelier, length, axis=1)
    order = spectrum * partner * share
    sums = _read_sums(fft.irfft(order, length, axis=1), 2, n_channels, block, offset_channels)
    if triples:
        order *= spectrum * (0.5 * share)  # Poisson: µ²/2 for two more photons, µ for one
        sums += _read_sums(fft.irfft(order, length, axis=1), 3, n_channels, block, offset_channels)
    return sums


def _read_sums(
    blocks: np.ndarray, photons: int, n_channels: int, block: int, offset_channels: float
) -> np.ndarray:
    """Counts in channels from counts in blocks, indexed by the sum of the photons' blocks.

    Block i is centred on channel b·i + (b − 1)/2 and channel c stands for the energy c + offset
    (in channels), so the sum of m photons falls on c = b·Σi + m(b − 1)/2 + (m − 1)·offset.
    """
    where = np.arange(n_channels) - (photons - 1) * offset_channels - photons * (block - 1) / 2
    where = np.clip(where / block, 0.0, blocks.shape[1] - 1.001)
    low = where.astype(np.int64)
    rest = (where - low).astype(np.float32)
    blocks = np.maximum(blocks, 0.0).astype(np.float32) / np.float32(block)
    return blocks[:, low] * (1.0 - rest) + blocks[:, low + 1] * rest
