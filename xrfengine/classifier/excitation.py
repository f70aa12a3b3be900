"""What excites the sample: X-ray tube, monochromatic beam or electrons.

Gives the flux that reaches the sample and, from it, how strongly every shell of every element
radiates.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np

from xrfengine.detector import attenuation_cm2_g, transmission
from xrfengine.lines import (
    ELEMENTS,
    SHELLS,
    atomic_number,
    edge_energy_kev,
    line_groups,
    shell_strength,
)

ALL_SHELLS: tuple[str, ...] = sum(SHELLS.values(), ())
LIGHT_ELEMENTS: tuple[str, ...] = ("C", "N", "O", "F")
"""Seen by electron microscopes and open windows; never asked of the classifier."""
TABLE_ELEMENTS: tuple[str, ...] = ELEMENTS + LIGHT_ELEMENTS

GRID_KEV = np.geomspace(0.5, 60.0, 220)
_GRID_STEP_KEV = np.gradient(GRID_KEV)
_DENSITY = {"Al": 2.70, "Ti": 4.51, "Ni": 8.91, "Cu": 8.96, "Zr": 6.51, "Mo": 10.2, "Rh": 12.4,
            "Ag": 10.5, "Be": 1.85}  # fmt: skip
_ELECTRONS = dict(zip(ALL_SHELLS, (2, 2, 2, 4, 2, 2, 4, 4, 6), strict=True))


@functools.cache
def photon_table() -> np.ndarray:
    """Fluorescence cross sections with cascade, cm²/g, shape (element, shell, energy of grid)."""
    table = np.zeros((len(TABLE_ELEMENTS), len(ALL_SHELLS), GRID_KEV.size))
    for row, symbol in enumerate(TABLE_ELEMENTS):
        for column, shell in enumerate(ALL_SHELLS):
            edge = edge_energy_kev(symbol, shell)
            if not np.isfinite(edge):
                continue
            for k in np.flatnonzero(edge < GRID_KEV):
                table[row, column, k] = shell_strength(symbol, shell, float(GRID_KEV[k]))
    return table


@functools.cache
def _yields_and_edges() -> tuple[np.ndarray, np.ndarray]:
    import xraylib as xrl

    yields = np.zeros((len(TABLE_ELEMENTS), len(ALL_SHELLS)))
    edges = np.full(yields.shape, np.inf)
    for row, symbol in enumerate(TABLE_ELEMENTS):
        for column, shell in enumerate(ALL_SHELLS):
            edges[row, column] = edge_energy_kev(symbol, shell)
            try:
                yields[row, column] = xrl.FluorYield(
                    atomic_number(symbol), getattr(xrl, f"{shell}_SHELL")
                )
            except ValueError:  # not in the tables: does not radiate
                continue
    return yields, edges


@dataclass(frozen=True, eq=False)
class Source:
    """What hits the sample.

    Attributes
    ----------
    kind : {"tube", "mono", "electrons"}
    end_kev : float
        Tube voltage, beam energy.
    anode : str or None
        Of a tube.
    continuum : ndarray, shape (energy of grid,)
        Photons per keV on :data:`GRID_KEV` (zeros for the other kinds).
    line_kev, line_flux : ndarray, shape (line,)
        Characteristic lines of the anode, or the monochromatic line.
    line_family : tuple of str
        Group of each line: K, L3, L1+L2 or M (``"mono"`` for a monochromatic beam).
    """

    kind: Literal["tube", "mono", "electrons"]
    end_kev: float
    anode: str | None
    continuum: np.ndarray
    line_kev: np.ndarray
    line_flux: np.ndarray
    line_family: tuple[str, ...]

    def shell_strengths(self) -> np.ndarray:
        """Relative emission of each shell per unit of element, shape (element, shell)."""
        if self.kind == "electrons":
            return electron_strengths(self.end_kev)
        flux = self.continuum * _GRID_STEP_KEV
        nearest = GRID_KEV.searchsorted(self.line_kev).clip(0, GRID_KEV.size - 1)
        flux = flux + np.bincount(nearest, self.line_flux, minlength=GRID_KEV.size)
        return photon_table() @ flux


def electron_strengths(beam_kev: float) -> np.ndarray:
    """Emission per atom under electrons, shape (element, shell).

    Bethe cross section integrated over the slowing-down: n·ω·(U ln U − U + 1), U the
    overvoltage (Green and Cosslett, Proc. Phys. Soc. 78 (1961) 1206).
    """
    yields, edges = _yields_and_edges()
    over = np.maximum(beam_kev / edges, 1.0)
    electrons = np.array([_ELECTRONS[s] for s in ALL_SHELLS])
    return electrons * yields * (over * np.log(over) - over + 1.0)


@functools.lru_cache(maxsize=512)
def _characteristic(anode: str, tube_kv: float) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Lines of the anode, photons per mA·s·sr (Ebel, X-Ray Spectrometry 28 (1999) 255)."""
    number = atomic_number(anode)
    binding = 0.0135 * number  # mean ionisation energy in keV
    row = TABLE_ELEMENTS.index(anode)
    yields, edges = _yields_and_edges()
    energies, fluxes, families = [], [], []
    for group in line_groups(anode, tube_kv):
        if group.strength == 0:
            continue
        electrons, b, constant = {"K": (2, 0.35, 5e13), "L": (8, 0.25, 6.9e13)}.get(
            group.family, (18, 0.2, 6.9e13)
        )
        shell = SHELLS[group.family][-1]
        column = ALL_SHELLS.index(shell)
        over = tube_kv / edges[row, column]
        core = over * np.log(over) + 1 - over
        correction = (
            16.05
            * np.sqrt(binding / edges[row, column])
            * (np.sqrt(over) * np.log(over) + 2 * (1 - np.sqrt(over)))
        )
        backscatter = 0.75
        total = (
            constant
            * electrons
            * b
            / number
            * (core + correction)
            * backscatter
            * yields[row, column]
        )
        for line in group.lines:
            if line.weight > 0.004:
                energies.append(line.energy_kev)
                fluxes.append(total * line.weight)
                # L3 and L1+L2 apart: absorption on the way bends their ratio.
                soft = "L3" if line.iupac.startswith("L3") else "L1+L2"
                families.append(soft if group.family == "L" else group.family)
    return np.array(energies), np.array(fluxes), tuple(families)


def tube_source(
    anode: str,
    tube_kv: float,
    *,
    window_um: float = 125.0,
    filter_material: str | None = None,
    filter_um: float = 0.0,
    optics_cut_kev: float | None = None,
    optics_power: float = 4.0,
    characteristic_scale: float = 1.0,
) -> Source:
    """Spectrum of an X-ray tube behind window, filter and optics.

    Continuum: 1.35e9·Z·(E0/E − 1) photons per keV with absorption in the anode; lines after
    Ebel (X-Ray Spectrometry 28 (1999) 255).

    Parameters
    ----------
    anode : str
    tube_kv : float
        5…60 kV.
    window_um : float
        Beryllium window of the tube.
    filter_material, filter_um : str or None, float
        Primary filter.
    optics_cut_kev, optics_power : float or None, float
        A polycapillary passes half at this energy and falls with this power above.
    characteristic_scale : float
        Factor on the lines: real tubes differ from the formula.
    """
    number = atomic_number(anode)
    continuum = 1.35e9 * number * np.clip(tube_kv / GRID_KEV - 1.0, 0.0, None)
    depth = 0.7e-3 * (tube_kv / 40.0) ** 1.6  # mean depth of emission in g/cm²
    continuum = continuum / (1.0 + attenuation_cm2_g(anode, GRID_KEV) * depth)
    line_kev, line_flux, family = _characteristic(anode, round(float(tube_kv), 1))
    line_flux = (
        line_flux * characteristic_scale / (1.0 + attenuation_cm2_g(anode, line_kev) * depth)
    )

    def passed(energy: np.ndarray) -> np.ndarray:
        share = transmission("Be", window_um * 1e-4 * _DENSITY["Be"], energy)
        if filter_material:
            grams = filter_um * 1e-4 * _DENSITY[filter_material]
            share = share * transmission(filter_material, grams, energy)
        if optics_cut_kev:
            share = share / (1.0 + (energy / optics_cut_kev) ** optics_power)
        return share

    continuum = continuum * passed(GRID_KEV)
    line_flux = line_flux * passed(line_kev)
    total = float((continuum * _GRID_STEP_KEV).sum() + line_flux.sum())
    return Source(
        "tube", float(tube_kv), anode, continuum / total, line_kev, line_flux / total, family
    )


def mono_source(beam_kev: float) -> Source:
    """A monochromatic beam (synchrotron, or a crystal behind a tube)."""
    return Source(
        "mono",
        float(beam_kev),
        None,
        np.zeros_like(GRID_KEV),
        np.array([float(beam_kev)]),
        np.ones(1),
        ("mono",),
    )


def electron_source(beam_kev: float) -> Source:
    """The beam of an electron microscope."""
    nothing = np.zeros(0)
    return Source("electrons", float(beam_kev), None, np.zeros_like(GRID_KEV), nothing, nothing, ())


def random_source(
    rng: np.random.Generator,
    anodes: tuple[tuple[str, float], ...],
    tube_kv: tuple[float, float],
    share_electrons: float,
    share_mono: float,
    filters: bool,
) -> Source:
    """Draw a source as laboratories, museums, synchrotrons and microscopes use them.

    Parameters
    ----------
    anodes : tuple of (symbol, share)
    tube_kv : (low, high)
    share_electrons, share_mono : float
        Chance of electron and of monochromatic excitation; the rest are tubes.
    filters : bool
        Whether tubes may carry a filter or a polycapillary.
    """
    kind = rng.random()
    if kind < share_electrons:
        if rng.random() < 0.1:  # transmission microscope
            return electron_source(rng.choice([80.0, 200.0, 300.0]))
        return electron_source(rng.choice([5, 10, 12, 15, 15, 20, 20, 25, 30]) + rng.normal(0, 0.1))
    if kind < share_electrons + share_mono:
        return mono_source(rng.uniform(5.0, 25.0))
    symbols, shares = zip(*anodes, strict=True)
    anode = symbols[rng.choice(len(symbols), p=np.array(shares) / sum(shares))]
    low, high = tube_kv
    usual = [15.0, 28.0, 30.0, 35.0, 40.0, 45.0, 50.0]
    kv = rng.choice(usual) if rng.random() < 0.5 else rng.uniform(low, high)
    kv = float(np.clip(kv, low, high))
    material, micrometres, cut = None, 0.0, None
    if filters and rng.random() < 0.33:
        material = str(rng.choice(["Al", "Al", "Ti", "Ni", "Cu", "Zr", "Mo", "Rh", "Ag"]))
        # Thick enough to matter, thin enough to leave some beam at 0.7 of the voltage.
        at = attenuation_cm2_g(material, 0.7 * kv) * _DENSITY[material] * 1e-4
        micrometres = 10 ** rng.uniform(-1.5, 0.6) / float(at)
    if filters and rng.random() < 0.25:
        cut = rng.uniform(6.0, 22.0)
    return tube_source(
        anode,
        kv,
        window_um=10 ** rng.uniform(1.7, 3.0),
        filter_material=material,
        filter_um=micrometres,
        optics_cut_kev=cut,
        optics_power=rng.uniform(2.0, 5.5),
        characteristic_scale=float(np.exp(rng.normal(0.0, 0.5))),
    )
