"""Emission lines of every element from Na to U, from the tables of xraylib.

Energies and radiative rates are xraylib's (Schoonjans et al., Spectrochim. Acta B 66 (2011)
776); photoionisation cross sections are Kissel's with the full cascade (radiative, Auger and
Coster-Kronig), so the L and M intensities follow which subshells the excitation reaches.
xraylib is scalar and slow: every table here is computed once and kept.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

from xrfengine.errors import SettingsError

Family = Literal["K", "L", "M"]

_PERIODIC_TABLE = """
n H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb
Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U
"""

SYMBOLS: tuple[str, ...] = tuple(_PERIODIC_TABLE.split())
"""Chemical symbols by atomic number; index 0 is the neutron, a placeholder."""

_LEFT_OUT = frozenset(("Ne", "Kr", "Xe", "Tc", "Pm", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Pa"))

ELEMENTS: tuple[str, ...] = tuple(s for s in SYMBOLS[11:] if s not in _LEFT_OUT)
"""The 71 elements the compact classifier knows: Na to U without gases and short-lived ones."""

INSTRUMENT_ELEMENTS: tuple[str, ...] = ("Ar",)
"""Elements that tell of the air or the detector gas, not of the sample."""

FAMILIES: tuple[Family, ...] = ("K", "L", "M")
SHELLS: dict[Family, tuple[str, ...]] = {
    "K": ("K",),
    "L": ("L1", "L2", "L3"),
    "M": ("M1", "M2", "M3", "M4", "M5"),
}

_SIEGBAHN = {
    "KL3": "Kα1", "KL2": "Kα2", "KM3": "Kβ1", "KM2": "Kβ3", "KN3": "Kβ2", "KN2": "Kβ2",
    "KM4": "Kβ5", "KM5": "Kβ5", "KN4": "Kβ4", "KN5": "Kβ4",
    "L3M5": "Lα1", "L3M4": "Lα2", "L2M4": "Lβ1", "L3N5": "Lβ2", "L3N4": "Lβ15", "L1M3": "Lβ3",
    "L1M2": "Lβ4", "L3N1": "Lβ6", "L3O45": "Lβ5", "L1M5": "Lβ9", "L1M4": "Lβ10",
    "L2M3": "Lβ17", "L3O1": "Lβ7", "L2N4": "Lγ1", "L1N2": "Lγ2", "L1N3": "Lγ3", "L1O2": "Lγ4",
    "L1O3": "Lγ4", "L2N1": "Lγ5", "L2O4": "Lγ6", "L2O1": "Lγ8", "L3M1": "Ll", "L2M1": "Lη",
    "L3M2": "Lt", "L3M3": "Ls",
    "M5N7": "Mα1", "M5N6": "Mα2", "M4N6": "Mβ", "M3N5": "Mγ", "M3N4": "Mγ2", "M5N3": "Mζ1",
    "M4N2": "Mζ2", "M2N4": "M2N4",
}  # fmt: skip

_UPPER = {
    "K": ("L", "M", "N", "O"),
    "L": ("M", "N", "O", "P"),
    "M": ("N", "O", "P"),
}
_SUBSHELLS = {"L": 3, "M": 5, "N": 7, "O": 7, "P": 5}
# Pairs of subshells that the tables give as one line and not apart. L3-O4,5 is 2 to 3 % of the
# L3 lines of heavy elements: without it, Pb Lβ5 at 13.01 keV reads as Bi Lβ1.
_JOINED = ("L1N67", "L1O45", "L1P23", "L2P23", "L3O45", "L3P23", "L3P45")
_WEAKEST_SHARE = 3e-4  # lines below this share of their family are dropped
_LOWEST_KEV = 0.18  # no window of an energy-dispersive detector lets less through


@dataclass(frozen=True)
class Line:
    """One emission line, or several too close to tell apart.

    Attributes
    ----------
    element : str
        Symbol.
    name : str
        Siegbahn name, such as ``"Kα1"`` (merged lines: ``"Kα"``).
    iupac : str
        IUPAC name, such as ``"KL3"`` (merged lines: that of the strongest).
    family : {"K", "L", "M"}
    energy_kev : float
    weight : float
        Share of the intensity of its family, 0…1; the lines of a family sum to 1.
    """

    element: str
    name: str
    iupac: str
    family: Family
    energy_kev: float
    weight: float


@dataclass(frozen=True)
class LineGroup:
    """All lines of one element with the vacancy in one shell.

    Attributes
    ----------
    lines : tuple of Line
        By falling weight; the weights sum to 1.
    strength : float
        Fluorescence cross section in cm²/g at the excitation (photoionisation × cascade × yield);
        0 if the excitation reaches no edge of the shell.
    """

    element: str
    family: Family
    lines: tuple[Line, ...]
    strength: float


@functools.cache
def _xraylib():
    import xraylib  # 50 ms: paid by those who ask for a line

    return xraylib


def atomic_number(symbol: str) -> int:
    """Atomic number of an element, 1…92.

    Raises
    ------
    SettingsError
        If there is no such element.
    """
    try:
        number = SYMBOLS.index(symbol)
    except ValueError:
        number = 0
    if number == 0:
        raise SettingsError(
            f"{symbol!r} is no chemical element up to uranium",
            "Write symbols as in the periodic table, such as Fe or Pb.",
        )
    return number


def edge_energy_kev(symbol: str, shell: str) -> float:
    """Absorption edge of a shell (``"K"``, ``"L1"`` … ``"M5"``) in keV; inf where there is none."""
    xrl = _xraylib()
    try:
        return xrl.EdgeEnergy(atomic_number(symbol), getattr(xrl, f"{shell}_SHELL"))
    except ValueError:  # xraylib has no value: no electrons in this shell
        return float("inf")


def shell_strength(symbol: str, shell: str, excitation_kev: float) -> float:
    """Fluorescence cross section of one shell with the full cascade, cm²/g; 0 if not excited.

    Kissel's photoionisation cross section times fluorescence yield; vacancies handed on from
    deeper shells (Auger, radiative, Coster-Kronig) included, where those are excited.
    """
    xrl = _xraylib()
    if excitation_kev <= edge_energy_kev(symbol, shell):
        return 0.0
    number = atomic_number(symbol)
    try:
        return xrl.CS_FluorShell_Kissel_Cascade(
            number, getattr(xrl, f"{shell}_SHELL"), excitation_kev
        )
    except ValueError:  # no fluorescence yield in the tables: this shell does not radiate
        return 0.0


@functools.cache
def shell_lines(symbol: str, shell: str) -> tuple[tuple[str, float, float], ...]:
    """Lines of one shell as (IUPAC name, energy in keV, radiative rate); rates sum to about 1."""
    xrl = _xraylib()
    number = atomic_number(symbol)
    family = shell[0]
    names = []
    for upper in _UPPER[family]:
        subshells = 3 if upper == "L" else _SUBSHELLS[upper]
        names += [f"{shell}{upper}{i + 1}" for i in range(subshells)]
    names += [name for name in _JOINED if name.startswith(shell)]
    found = []
    for name in names:
        code = getattr(xrl, f"{name}_LINE", None)
        if code is None:
            continue
        try:
            rate = xrl.RadRate(number, code)
            energy = xrl.LineEnergy(number, code)
        except ValueError:  # forbidden, or no electron up there
            continue
        if rate > 0 and energy >= _LOWEST_KEV:
            found.append((name, energy, rate))
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def line_groups(symbol: str, excitation_kev: float = 50.0) -> tuple[LineGroup, ...]:
    """K, L and M group of an element at an excitation energy.

    Parameters
    ----------
    symbol : str
    excitation_kev : float
        Energy of the exciting photons in keV. Subshells whose edge lies above it do not
        contribute, which changes the ratios inside the L and M groups.

    Returns
    -------
    tuple of LineGroup
        Every family that has lines in the tables; a family that is not excited keeps its lines
        (ratios as if fully excited) with strength 0.

    Raises
    ------
    SettingsError
        If the element is unknown or the energy not above 0.
    """
    if not excitation_kev > 0:
        raise SettingsError(
            f"an excitation energy of {excitation_kev:g} keV", "Give an energy above 0 keV."
        )
    atomic_number(symbol)
    groups = []
    for family in FAMILIES:
        shells = [s for s in SHELLS[family] if shell_lines(symbol, s)]
        strengths = {s: shell_strength(symbol, s, excitation_kev) for s in shells}
        total = sum(strengths.values())
        if total == 0.0:
            above = max((edge_energy_kev(symbol, s) for s in shells), default=0.0) * 1.5
            strengths = {s: shell_strength(symbol, s, above) for s in shells}
        lines = weigh_lines(symbol, family, strengths)
        if lines:
            groups.append(LineGroup(symbol, family, lines, float(total)))
    return tuple(groups)


def weigh_lines(symbol: str, family: Family, strengths: dict[str, float]) -> tuple[Line, ...]:
    """The lines of a family from the strengths of its subshells; weights sum to 1."""
    weighted = [
        (iupac, energy, rate * strength)
        for shell, strength in strengths.items()
        if strength > 0
        for iupac, energy, rate in shell_lines(symbol, shell)
    ]
    total = sum(w for _, _, w in weighted)
    kept = [(n, e, w) for n, e, w in weighted if w >= _WEAKEST_SHARE * total]
    total = sum(w for _, _, w in kept)
    lines = [
        Line(symbol, _SIEGBAHN.get(iupac, iupac), iupac, family, float(energy), float(w / total))
        for iupac, energy, w in kept
    ]
    return tuple(sorted(lines, key=lambda line: -line.weight))


@functools.lru_cache(maxsize=4096)
def emission_lines(symbol: str, excitation_kev: float = 50.0) -> tuple[Line, ...]:
    """All lines that the excitation reaches, by falling emitted intensity."""
    scored = [
        (group.strength * line.weight, line)
        for group in line_groups(symbol, excitation_kev)
        if group.strength > 0
        for line in group.lines
    ]
    return tuple(line for _, line in sorted(scored, key=lambda pair: -pair[0]))


_LABELS = ("Kα", "Kβ", "Lα", "Lβ", "Lγ", "Mα")


@functools.cache
def _merged_lines(symbol: str) -> tuple[Line, ...]:
    """Kα, Kβ, Lα … as a plot names them, each at the weighted energy of what it merges."""
    merged = []
    for group in line_groups(symbol, 120.0):
        for label in _LABELS:
            members = [line for line in group.lines if line.name.startswith(label)]
            if not members:
                continue
            strongest = members[0]
            # Lβ of heavy elements spans several detector widths: only what lies at the
            # strongest member is seen as one peak.
            near = [m for m in members if abs(m.energy_kev / strongest.energy_kev - 1) < 0.02]
            weight = sum(m.weight for m in near)
            energy = sum(m.weight * m.energy_kev for m in near) / weight
            merged.append(Line(symbol, label, strongest.iupac, group.family, energy, weight))
    return tuple(merged)


@functools.lru_cache(maxsize=4096)
def labelled_lines(symbol: str, low_kev: float, high_kev: float) -> tuple[Line, ...]:
    """The handful of lines a plot marks and names: Kα Kβ Lα Lβ Lγ Mα, by rising energy.

    Parameters
    ----------
    symbol : str
    low_kev, high_kev : float
        Only lines between these energies are given.
    """
    inside = [line for line in _merged_lines(symbol) if low_kev <= line.energy_kev <= high_kev]
    return tuple(sorted(inside, key=lambda line: line.energy_kev))


_HIGHEST_MAIN_KEV = 28.0  # above, silicon detectors are nearly transparent and tubes weak


@functools.lru_cache(maxsize=4096)
def main_line(
    symbol: str, low_kev: float, high_kev: float, excitation_kev: float = 50.0
) -> Line | None:
    """The line to put a window on: Kα if it is excited and in range, else Lα, else Mα.

    Parameters
    ----------
    symbol : str
    low_kev, high_kev : float
        Range of the spectrum.
    excitation_kev : float
        Tube voltage; a shell counts as excited if its edge lies below 90 % of it.

    Returns
    -------
    Line or None
        Merged line (Kα1 + Kα2 …), or None if the element shows no line in the range.
    """
    edges = {
        "K": edge_energy_kev(symbol, "K"),
        "L": edge_energy_kev(symbol, "L3"),
        "M": edge_energy_kev(symbol, "M5"),
    }
    for line in _merged_lines(symbol):
        if line.name[1] != "α" or not low_kev <= line.energy_kev <= high_kev:
            continue
        if line.energy_kev <= _HIGHEST_MAIN_KEV and edges[line.family] < 0.9 * excitation_kev:
            return line
    return None
