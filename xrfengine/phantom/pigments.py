"""The palette of the demo painting: what each pigment is made of, how it looks and hides.

Formulas, densities and dates follow the pigment handbooks: *Artists' Pigments. A Handbook of
Their History and Characteristics*, vol. 1–4 (National Gallery of Art, 1986–2007), and Eastaugh
et al., *Pigment Compendium* (Butterworth-Heinemann, 2008). Earths, smalt and bone black vary
from source to source: theirs are typical compositions. Colours are those of the pigment in oil,
laid on thickly; hiding powers are set by eye on the handbooks' scale from poor to excellent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from xrfengine.errors import SettingsError

PIGMENT_VOLUME_SHARE = 0.4
"""Volume share of pigment in a dry oil paint film; the rest is binder. 0.3–0.5 is usual."""

OIL_DENSITY_G_CM3 = 0.95
OIL_FORMULA = "C57H98O9"
"""Linseed oil, taken as oxidised trilinolein."""


@dataclass(frozen=True)
class Pigment:
    """One pigment of the palette.

    Attributes
    ----------
    name : str
        As a museum label would say it.
    compounds : tuple of (formula, mass share)
        Mass shares sum to 1.
    density_g_cm3 : float
        Of the pigment itself, without binder.
    colour : str
        Masstone as sRGB ``#rrggbb``.
    hiding_per_um : float
        Kubelka–Munk scattering of the paint film for one µm; 0.02 glaze, 0.6 titanium white.
    dates : str
        When painters used it.
    """

    name: str
    compounds: tuple[tuple[str, float], ...]
    density_g_cm3: float
    colour: str
    hiding_per_um: float
    dates: str


_KAOLIN = "Al2Si2O9H4"

PALETTE: dict[str, Pigment] = {
    "lead white": Pigment(
        "Lead white", (("Pb3C2O8H2", 1.0),), 6.8, "#f6f1e2", 0.22, "antiquity – 20th c."
    ),
    "vermilion": Pigment("Vermilion", (("HgS", 1.0),), 8.1, "#c8301c", 0.25, "antiquity – 20th c."),
    "azurite": Pigment("Azurite", (("Cu3C2O8H2", 1.0),), 3.8, "#23518f", 0.10, "until c. 1700"),
    "malachite": Pigment("Malachite", (("Cu2CO5H2", 1.0),), 4.0, "#4f8f63", 0.10, "until c. 1700"),
    "verdigris": Pigment(
        "Verdigris", (("CuC4H8O5", 1.0),), 1.9, "#1f5c4a", 0.05, "antiquity – 18th c."
    ),
    "yellow ochre": Pigment(
        "Yellow ochre",
        (("FeO2H", 0.42), (_KAOLIN, 0.35), ("SiO2", 0.16), ("CaCO3", 0.045), ("K2O", 0.02),
         ("TiO2", 0.005)),
        3.2, "#c08a35", 0.14, "always",
    ),
    "red ochre": Pigment(
        "Red ochre",
        (("Fe2O3", 0.55), (_KAOLIN, 0.25), ("SiO2", 0.175), ("K2O", 0.02), ("TiO2", 0.005)),
        3.8, "#8a3a22", 0.20, "always",
    ),
    "umber": Pigment(
        "Umber",
        (("Fe2O3", 0.45), ("MnO2", 0.15), (_KAOLIN, 0.25), ("SiO2", 0.10), ("CaCO3", 0.05)),
        3.6, "#4a3220", 0.16, "15th c. – today",
    ),
    "lead-tin yellow": Pigment(
        "Lead-tin yellow (type I)", (("Pb2SnO4", 1.0),), 8.0, "#f0d05a", 0.22, "1300 – 1750"
    ),
    "smalt": Pigment(
        "Smalt",
        (("SiO2", 0.68), ("K2O", 0.15), ("CoO", 0.075), ("As2O3", 0.045), ("FeO", 0.03),
         ("NiO", 0.012), ("Bi2O3", 0.008)),
        2.6, "#42568f", 0.05, "1550 – 1800",
    ),
    "bone black": Pigment(
        "Bone black", (("Ca5P3O13H", 0.80), ("C", 0.13), ("CaCO3", 0.07)), 2.3, "#1d1a19", 0.20,
        "always",
    ),
    "gold leaf": Pigment("Gold leaf", (("Au", 0.97), ("Ag", 0.03)), 19.0, "#dfb048", 15.0,
        "always"),
    "ultramarine": Pigment(
        "Ultramarine (lapis lazuli)", (("Na8Al6Si6O24S3", 0.93), ("CaCO3", 0.05), ("FeS2", 0.02)),
        2.4, "#1f2f8c", 0.06, "1200 – today",
    ),
    "orpiment": Pigment("Orpiment", (("As2S3", 1.0),), 3.5, "#eaa81e", 0.16, "antiquity – 1800"),
    "red lake": Pigment(
        "Red lake on alum", (("C14H8O4", 0.55), ("Al2O6H6", 0.38), ("K2SO4", 0.07)), 1.6,
        "#7a1a26", 0.03, "always",
    ),
    "chalk": Pigment("Chalk", (("CaCO3", 0.9965), ("SrCO3", 0.0015), ("Fe2O3", 0.002)), 2.7,
        "#e6dcc6", 0.03, "grounds north of the Alps"),
    "zinc white": Pigment("Zinc white", (("ZnO", 1.0),), 5.6, "#f7f6f0", 0.16, "after 1835"),
    "titanium white": Pigment(
        "Titanium white", (("TiO2", 0.75), ("BaSO4", 0.25)), 4.2, "#fbfaf5", 0.60, "after 1920"
    ),
    "cadmium red": Pigment(
        "Cadmium red", (("CdS", 0.62), ("CdSe", 0.38)), 4.9, "#c62a22", 0.28, "after 1910"
    ),
    "cobalt blue": Pigment("Cobalt blue", (("CoAl2O4", 1.0),), 4.2, "#2a55a8", 0.09, "after 1806"),
    "viridian": Pigment("Viridian", (("Cr2O5H4", 1.0),), 3.3, "#1f6b57", 0.08, "after 1838"),
    "canvas": Pigment("Canvas and size", (("C6H10O5", 0.997), ("CaO", 0.003)), 1.5, "#b79f78",
        0.03, "support"),
}  # fmt: skip

NAMES: tuple[str, ...] = tuple(PALETTE)
INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}


def pigment_index(name: str) -> int:
    """Position of a pigment in the palette; SettingsError if it is not there."""
    if name not in INDEX:
        raise SettingsError(f"no pigment {name!r}", f"The palette holds {', '.join(NAMES)}.")
    return INDEX[name]


def _parse(compounds: tuple[tuple[str, float], ...]) -> dict[int, float]:
    import xraylib

    share: dict[int, float] = {}
    for formula, mass_share in compounds:
        parsed = xraylib.CompoundParser(formula)
        for z, fraction in zip(parsed["Elements"], parsed["massFractions"], strict=True):
            share[z] = share.get(z, 0.0) + mass_share * fraction
    return share


@cache
def film_composition() -> np.ndarray:
    """Mass of each element in one µm of paint film, in g/cm².

    Returns
    -------
    ndarray, float64, shape (pigment, 100)
        Indexed by atomic number. Includes the binder (not for gold leaf and canvas, which have
        none).
    """
    table = np.zeros((len(NAMES), 100))
    oil = _parse(((OIL_FORMULA, 1.0),))
    for row, (name, pigment) in enumerate(PALETTE.items()):
        bare = name in ("gold leaf", "canvas")
        volume = 1.0 if bare else PIGMENT_VOLUME_SHARE
        for z, share in _parse(pigment.compounds).items():
            table[row, z] += 1e-4 * volume * pigment.density_g_cm3 * share
        for z, share in oil.items():
            table[row, z] += 1e-4 * (1.0 - volume) * OIL_DENSITY_G_CM3 * share
    table.flags.writeable = False
    return table


def linear_rgb(colour: str) -> np.ndarray:
    """Reflectance in linear light, shape (3,), of an sRGB colour ``#rrggbb``."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


@cache
def optics() -> tuple[np.ndarray, np.ndarray]:
    """Kubelka–Munk absorption and scattering per µm of film, each of shape (pigment, 3)."""
    scattering = np.array([[p.hiding_per_um] * 3 for p in PALETTE.values()])
    reflectance = np.clip([linear_rgb(p.colour) for p in PALETTE.values()], 0.004, 0.97)
    absorption = scattering * (1.0 - reflectance) ** 2 / (2.0 * reflectance)
    return absorption, scattering


def _over(below: np.ndarray, film_um: np.ndarray) -> np.ndarray:
    """Reflectance (n, 3) of a film (n, pigment) in µm over a surface of reflectance (n, 3)."""
    absorption, scattering = optics()
    k = film_um @ absorption.astype(np.float32)
    s = np.maximum(film_um @ scattering.astype(np.float32), 1e-6)
    ratio = k / s
    infinite = np.clip(1.0 + ratio - np.sqrt(ratio * ratio + 2.0 * ratio), 1e-4, 0.9999)
    # Kubelka's hyperbolic solution for a film of finite thickness over a known surface.
    decay = np.exp(-np.minimum(s * (1.0 / infinite - infinite), 60.0))
    upper = (below - infinite) * decay / infinite - infinite * (below - 1.0 / infinite)
    lower = (below - infinite) * decay - (below - 1.0 / infinite)
    return np.clip(upper / lower, 0.0, 1.0)


def render_colour(layers: tuple[np.ndarray, ...]) -> np.ndarray:
    """Colour of a stack of paint films by Kubelka–Munk theory, linear light.

    Parameters
    ----------
    layers : tuple of ndarray, float32, shape (n, pigment)
        Film thickness of every pigment in µm, from the support upwards.

    Returns
    -------
    ndarray, float32, shape (n, 3)
        Reflectance, 0…1.

    Notes
    -----
    Kubelka, *J. Opt. Soc. Am.* 38, 448 (1948).
    """
    surface = np.broadcast_to(
        linear_rgb(PALETTE["canvas"].colour).astype(np.float32), (layers[0].shape[0], 3)
    )
    for film in layers:
        painted = film.sum(axis=1) > 1e-4
        if painted.any():
            surface = surface.copy()
            surface[painted] = _over(surface[painted], film[painted])
    return surface.astype(np.float32)
