"""What a detector makes of a photon: resolution, efficiency, escape peaks, tail and shelf.

Two kinds: silicon drift detectors (``sdd``) and gas electron multipliers with an argon filling
(``gem``). Intensities given to :func:`render_lines` are photons *detected*: multiply by
:meth:`Detector.efficiency` (and by the path's transmission) first.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from xrfengine.errors import SettingsError

FWHM_PER_SIGMA = 2.354820045
MN_KA_KEV = 5.895
SI_KA_KEV, SI_EDGE_KEV = 1.740, 1.839
AR_KA_KEV, AR_EDGE_KEV = 2.957, 3.206

# Fano term of silicon: 2.3548² · 3.65 eV per pair · Fano factor 0.115 (FWHM² per keV).
_SI_FANO_KEV = FWHM_PER_SIGMA**2 * 0.00365 * 0.115
_GRID_KEV = np.geomspace(0.1, 120.0, 600)
_REACH_SIGMA = 5.5  # beyond, a Gaussian holds 4e-8 of its counts


@functools.cache
def _attenuation_table(material: str, photo_only: bool) -> tuple[np.ndarray, np.ndarray]:
    import xraylib as xrl

    section = xrl.CS_Photo_CP if photo_only else xrl.CS_Total_CP
    # A pair of points at each edge keeps the interpolation from smearing it.
    parts = xrl.CompoundParser(material)["Elements"]
    edges = []
    for number in parts:
        for shell in range(9):
            try:
                edges.append(xrl.EdgeEnergy(number, shell))
            except ValueError:  # no such shell in this element
                continue
    inside = np.array([e for e in edges if 0.1 < e < 120.0])
    grid = np.sort(np.concatenate([_GRID_KEV, inside * (1 - 5e-5), inside * (1 + 5e-5)]))
    values = np.array([section(material, float(e)) for e in grid])
    return np.log(grid), np.log(values)


def attenuation_cm2_g(
    material: str, energy_kev: np.ndarray | float, *, photo_only: bool = False
) -> np.ndarray:
    """Mass attenuation coefficient of a compound (xraylib), cm²/g, shape of ``energy_kev``.

    Parameters
    ----------
    material : str
        Chemical formula, such as ``"Si"`` or ``"CaCO3"``.
    energy_kev : array or float
        0.1…120 keV; clipped to that range.
    photo_only : bool
        Only photoelectric absorption, without scattering.
    """
    log_e, log_mu = _attenuation_table(material, photo_only)
    return np.exp(np.interp(np.log(np.clip(energy_kev, 0.1, 120.0)), log_e, log_mu))


def transmission(material: str, g_cm2: float, energy_kev: np.ndarray) -> np.ndarray:
    """Share of photons that pass a layer of ``g_cm2`` (density times thickness), Beer-Lambert."""
    return np.exp(-attenuation_cm2_g(material, energy_kev) * g_cm2)


@functools.cache
def _silicon_escape_table() -> tuple[np.ndarray, np.ndarray]:
    """Reed and Ware (1972): ½·ω·(1−1/r)·[1 − (µs/µ)·ln(1 + µ/µs)], normal incidence."""
    import xraylib as xrl

    energy = np.geomspace(SI_EDGE_KEV * 1.0005, 120.0, 400)
    silicon = attenuation_cm2_g("Si", energy)
    own = attenuation_cm2_g("Si", SI_KA_KEV)
    emitted = xrl.FluorYield(14, xrl.K_SHELL) * (1.0 - 1.0 / xrl.JumpFactor(14, xrl.K_SHELL))
    lost = 0.5 * emitted * (1.0 - own / silicon * np.log1p(silicon / own))
    return energy, lost / (1.0 - lost)


@dataclass(frozen=True)
class Detector:
    """Response of one detector.

    Attributes
    ----------
    kind : {"sdd", "gem"}
    fwhm_mn_kev : float
        Full width at half maximum at Mn Kα, keV. A silicon detector has an electronic part and
        a Fano part; a gas detector broadens with the square root of the energy throughout.
    tail_fraction : float
        Share of a peak's counts in the exponential low-energy tail (incomplete charge).
    tail_kev : float
        Length of that tail.
    shelf_fraction : float
        Share of a peak's counts spread evenly between 0 and the peak.
    escape_scale : float
        Factor on the escape fraction; 0 switches escape peaks off.
    thickness_g_cm2, dead_layer_g_cm2 : float
        Active silicon (or gas) and dead silicon.
    window, window_g_cm2 : str, float
        Entrance window: formula and areal density.
    """

    kind: Literal["sdd", "gem"] = "sdd"
    fwhm_mn_kev: float = 0.135
    tail_fraction: float = 0.02
    tail_kev: float = 0.12
    shelf_fraction: float = 0.004
    escape_scale: float = 1.0
    thickness_g_cm2: float = 0.1048  # 0.45 mm of silicon
    dead_layer_g_cm2: float = 2.3e-5  # 0.1 µm of silicon
    window: str = "Be"
    window_g_cm2: float = 2.3e-3  # 12.5 µm of beryllium

    def __post_init__(self) -> None:
        if self.kind not in ("sdd", "gem"):
            raise SettingsError(f"a detector of the kind {self.kind!r}", "Choose sdd or gem.")
        if not 0.02 <= self.fwhm_mn_kev <= 5.0:
            raise SettingsError(
                f"a resolution of {self.fwhm_mn_kev:g} keV at Mn Kα",
                "Give the full width at half maximum in keV, between 0.02 and 5.",
            )
        for name in ("tail_fraction", "shelf_fraction"):
            if not 0.0 <= getattr(self, name) < 0.5:
                raise SettingsError(
                    f"{name} = {getattr(self, name):g}", "Give a share between 0 and 0.5."
                )

    @classmethod
    def sdd(cls, fwhm_mn_kev: float = 0.135) -> Detector:
        """A silicon drift detector with a beryllium window."""
        return cls("sdd", fwhm_mn_kev)

    @classmethod
    def gem(cls, fwhm_fraction: float = 0.18) -> Detector:
        """An Ar/CO₂ (70/30) gas detector, 3 mm deep, with a Mylar window.

        Parameters
        ----------
        fwhm_fraction : float
            FWHM at 5.9 keV over 5.9 keV: 0.18 measured (Lach et al., Sensors 21 (2021) 7965).
        """
        return cls(
            "gem",
            fwhm_fraction * MN_KA_KEV,
            tail_fraction=0.0,
            shelf_fraction=0.01,
            thickness_g_cm2=0.3 * 0.7 * 1.66e-3,
            dead_layer_g_cm2=0.0,
            window="C10H8O4",
            window_g_cm2=3.5e-3,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Detector:
        return cls(**values)

    def fwhm_kev(self, energy_kev: np.ndarray | float) -> np.ndarray:
        """Full width at half maximum in keV at an energy in keV.

        Silicon: FWHM² = noise² + 2.3548²·ε·F·E (ε = 3.65 eV, F = 0.115); a resolution better
        than the Fano limit leaves a floor of 20 eV for the electronics. Gas: ∝ √E.
        """
        energy = np.maximum(np.asarray(energy_kev, dtype=np.float64), 0.0)
        if self.kind == "gem":
            return self.fwhm_mn_kev * np.sqrt(np.maximum(energy, 0.05) / MN_KA_KEV)
        fano = min(_SI_FANO_KEV, (self.fwhm_mn_kev**2 - 0.02**2) / MN_KA_KEV)
        noise2 = self.fwhm_mn_kev**2 - fano * MN_KA_KEV
        return np.sqrt(noise2 + fano * energy)

    def sigma_kev(self, energy_kev: np.ndarray | float) -> np.ndarray:
        """Standard deviation of a peak in keV."""
        return self.fwhm_kev(energy_kev) / FWHM_PER_SIGMA

    def efficiency(self, energy_kev: np.ndarray | float) -> np.ndarray:
        """Share of arriving photons that are counted, 0…1: window, dead layer, active depth."""
        energy = np.asarray(energy_kev, dtype=np.float64)
        active = "Si" if self.kind == "sdd" else "Ar"
        absorbed = attenuation_cm2_g(active, energy, photo_only=True) * self.thickness_g_cm2
        passed = transmission(self.window, self.window_g_cm2, energy)
        if self.dead_layer_g_cm2:
            passed = passed * transmission("Si", self.dead_layer_g_cm2, energy)
        return passed * -np.expm1(-absorbed)

    def escape(self, energy_kev: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Energy of the escape peak and its counts over those of the full-energy peak.

        Silicon: Reed and Ware (1972). Argon: a thin gas loses nearly every Ar K photon, so the
        fraction is that of the emission, ω(1−1/r) ≈ 0.107 of the absorbed photons above the
        edge (0.119 of the full peak), times ``escape_scale``.
        """
        energy = np.asarray(energy_kev, dtype=np.float64)
        if self.kind == "sdd":
            grid, ratio = _silicon_escape_table()
            fraction = np.where(energy > SI_EDGE_KEV, np.interp(energy, grid, ratio), 0.0)
            return energy - SI_KA_KEV, fraction * self.escape_scale
        fraction = np.where(energy > AR_EDGE_KEV, 0.119, 0.0)
        return energy - AR_KA_KEV, fraction * self.escape_scale


def add_gaussians(
    out: np.ndarray,
    rows: np.ndarray,
    energies_kev: np.ndarray,
    sigmas_kev: np.ndarray,
    intensities: np.ndarray,
    edges_kev: np.ndarray,
) -> None:
    """Add Gaussians, integrated over each channel, to the given rows of ``out``.

    Parameters
    ----------
    out : ndarray, float64, shape (row, channel), C-ordered
        Changed in place: the one function here that does.
    rows : ndarray of int, shape (peak,)
    energies_kev, sigmas_kev, intensities : ndarray, shape (peak,)
    edges_kev : ndarray, shape (channel + 1,), rising
    """
    from scipy.special import ndtr

    n_channels = edges_kev.size - 1
    low = edges_kev.searchsorted(energies_kev - _REACH_SIGMA * sigmas_kev) - 1
    high = edges_kev.searchsorted(energies_kev + _REACH_SIGMA * sigmas_kev) + 1
    width = high - low
    inside = (high > 0) & (low < n_channels) & (intensities != 0)
    flat = out.reshape(-1)
    # Peaks of like width together: one wide peak must not make every narrow one expensive.
    limit = 16
    while inside.any():
        now = inside & (width <= limit)
        inside &= ~now
        limit *= 2
        if not now.any():
            continue
        index = low[now, None] + np.arange(width[now].max() + 1)
        edge = edges_kev[np.clip(index, 0, n_channels)]
        below = ndtr((edge - energies_kev[now, None]) / sigmas_kev[now, None])
        counts = np.diff(below, axis=1) * intensities[now, None]
        channel = index[:, :-1]
        valid = (channel >= 0) & (channel < n_channels) & (counts != 0)
        position = (rows[now, None] * n_channels + channel)[valid]
        flat += np.bincount(position, weights=counts[valid], minlength=flat.size)


def add_tail_and_shelf(spectra: np.ndarray, edges_kev: np.ndarray, detector: Detector) -> None:
    """Move the detector's share of each row's counts into tail and shelf, in place.

    Tail: the Gaussian folded with a one-sided exponential (the hypermet tail; Phillips and
    Marlow, NIM 137 (1976) 525), as a recursive filter. Shelf: counts of a peak at E spread evenly
    over 0…E. What falls below the first channel is lost, as in the instrument.
    """
    from scipy.signal import lfilter

    tail, shelf = detector.tail_fraction, detector.shelf_fraction
    if tail == 0 and shelf == 0:
        return
    centres = 0.5 * (edges_kev[1:] + edges_kev[:-1])
    widths = np.diff(edges_kev)
    peaks = spectra * (1.0 - tail - shelf)
    if tail:
        keep = float(np.exp(-widths.mean() / detector.tail_kev))
        folded = lfilter([1.0 - keep], [1.0, -keep], spectra[:, ::-1], axis=1)[:, ::-1]
        peaks += tail * folded
    if shelf:
        positive = centres > widths.mean()
        share = np.where(positive, spectra / np.where(positive, centres, 1.0), 0.0)
        above = np.cumsum(share[:, ::-1], axis=1)[:, ::-1]
        width_above_zero = np.clip(edges_kev[1:], 0, None) - np.clip(edges_kev[:-1], 0, None)
        peaks += shelf * above * width_above_zero
    spectra[:] = peaks


def render_groups(
    groups: Sequence[tuple[np.ndarray, np.ndarray]],
    edges_kev: np.ndarray,
    detector: Detector,
    *,
    sigma_scale: float | Sequence[float] = 1.0,
) -> np.ndarray:
    """Spectra of several groups of lines, as the detector shows them.

    Parameters
    ----------
    groups : sequence of (energies_kev, intensities)
        One pair of arrays (line,) a group; intensities in detected photons (≥ 0).
    edges_kev : ndarray, shape (channel + 1,)
        Rising channel limits.
    detector : Detector
    sigma_scale : float or one a group
        Factor on the width (Compton peaks are 2 to 3 times as broad).

    Returns
    -------
    ndarray, float32, shape (group, channel)
        With escape peaks, tail and shelf; a group's counts sum to its intensities, but for what
        falls outside the channels.
    """
    if not groups:
        return np.zeros((0, np.size(edges_kev) - 1), dtype=np.float32)
    sizes = [len(energies) for energies, _ in groups]
    rows = np.repeat(np.arange(len(groups)), sizes)
    energies = np.concatenate([np.asarray(e, dtype=np.float64) for e, _ in groups])
    intensities = np.concatenate([np.asarray(i, dtype=np.float64) for _, i in groups])
    scale = np.broadcast_to(np.asarray(sigma_scale, dtype=np.float64), (len(groups),))[rows]
    return render_rows(len(groups), rows, energies, intensities, edges_kev, detector, scale)


def render_rows(
    n_rows: int,
    rows: np.ndarray,
    energies_kev: np.ndarray,
    intensities: np.ndarray,
    edges_kev: np.ndarray,
    detector: Detector,
    sigma_scale: np.ndarray | float = 1.0,
) -> np.ndarray:
    """As :func:`render_groups`, with one flat list of lines and the row each belongs to.

    Parameters
    ----------
    n_rows : int
    rows, energies_kev, intensities : ndarray, shape (line,)
    edges_kev : ndarray, shape (channel + 1,)
    detector : Detector
    sigma_scale : float or ndarray (line,)

    Returns
    -------
    ndarray, float32, shape (n_rows, channel)
    """
    edges = np.asarray(edges_kev, dtype=np.float64)
    out = np.zeros((n_rows, edges.size - 1))
    scale = np.broadcast_to(sigma_scale, energies_kev.shape)
    escaped, fraction = detector.escape(energies_kev)
    full = intensities / (1.0 + fraction)
    seen = (fraction > 0) & (escaped > 0)
    add_gaussians(
        out,
        np.concatenate([rows, rows[seen]]),
        np.concatenate([energies_kev, escaped[seen]]),
        np.concatenate(
            [
                detector.sigma_kev(energies_kev) * scale,
                detector.sigma_kev(escaped[seen]) * scale[seen],
            ]
        ),
        np.concatenate([full, (full * fraction)[seen]]),
        edges,
    )
    add_tail_and_shelf(out, edges, detector)
    return out.astype(np.float32)


def render_lines(
    energies_kev: np.ndarray,
    intensities: np.ndarray,
    edges_kev: np.ndarray,
    detector: Detector,
    *,
    sigma_scale: float = 1.0,
) -> np.ndarray:
    """Spectrum of one group of lines, float32, shape (channel,); see :func:`render_groups`."""
    return render_groups(
        [(np.asarray(energies_kev), np.asarray(intensities))],
        edges_kev,
        detector,
        sigma_scale=sigma_scale,
    )[0]
