"""Which elements a sample holds and how high their peaks stand.

Drawn by how common elements are, with a floor that lets every element be learned.
"""

from __future__ import annotations

import numpy as np

from xrfengine.lines import ELEMENTS

# Themes of real samples: (share of spectra, {element: weight}). Weights say how often an element
# is met in such samples, after the tables of Rudnick and Gao (Treatise on Geochemistry 4, 2014)
# for rocks and after common practice for alloys and pigments.
_ROCK = {
    "Si": 9, "Al": 6, "K": 8, "Ca": 10, "Fe": 10, "Ti": 7, "Mn": 6, "Na": 3, "Mg": 4, "P": 3,
    "S": 4, "Cl": 3, "Sr": 5, "Rb": 4, "Zr": 4, "Ba": 3, "Zn": 4, "Cu": 3, "Ni": 2.5, "Cr": 2.5,
    "V": 2, "Pb": 2, "Y": 2, "Nb": 1.2, "Ga": 1, "As": 1.2, "Co": 0.8, "Ce": 1.2, "La": 1,
    "Nd": 0.8, "Th": 0.8, "U": 0.7, "Br": 0.8, "Sc": 0.5, "Mo": 0.5, "Sn": 0.5, "W": 0.4,
}  # fmt: skip
_METAL = {
    "Fe": 10, "Cr": 6, "Ni": 7, "Mn": 5, "Mo": 3, "Cu": 9, "Zn": 6, "Sn": 5, "Pb": 5, "Al": 4,
    "Si": 3, "Ti": 3, "V": 2, "Co": 3, "W": 2, "Nb": 1.5, "Ag": 4, "Au": 4, "As": 2, "Sb": 2,
    "Bi": 1.5, "Hg": 1, "Cd": 1.2, "Pt": 1, "Pd": 1, "Rh": 0.7, "Ta": 1, "Zr": 1.2, "Mg": 1,
    "S": 1.5, "P": 1, "In": 0.7, "Ir": 0.5, "Re": 0.4, "Hf": 0.4, "Ge": 0.4, "Ga": 0.4,
}  # fmt: skip
_PIGMENT = {
    "Pb": 9, "Ca": 9, "Fe": 9, "Cu": 6, "Zn": 6, "Hg": 4, "Ti": 4, "K": 5, "S": 4, "Cl": 3,
    "Mn": 4, "Co": 2.5, "As": 2.5, "Cr": 2.5, "Ba": 4, "Sr": 3, "Sn": 2.5, "Sb": 2.5, "Cd": 2.5,
    "Se": 2, "Si": 4, "Al": 3, "Ni": 1.5, "Br": 1, "Au": 1.5, "Ag": 1.5, "Bi": 1, "P": 2,
    "Zr": 0.7, "Mo": 0.5, "V": 0.5, "I": 0.4,
}  # fmt: skip
_OXIDE = {
    "Si": 10, "Al": 10, "Mg": 5, "Na": 4, "Ca": 6, "K": 4, "Ti": 3, "Fe": 4, "P": 2, "S": 2,
    "Cl": 2, "Mn": 1.5, "Zn": 1.5, "Zr": 1.5, "Ba": 1, "Pb": 1, "Cr": 1, "Ni": 1, "Cu": 1, "Sr": 1,
}  # fmt: skip
_THEMES = ((0.3, _ROCK), (0.25, _METAL), (0.25, _PIGMENT), (0.2, {}))
_FLOOR = 0.12  # weight of an element that a theme does not name
# What lies under an electron microscope is often one mineral, glass or ceramic.
_THEMES_ELECTRONS = ((0.15, _ROCK), (0.25, _METAL), (0.1, _PIGMENT), (0.15, {}), (0.35, _OXIDE))


_RICHNESS = 5.0  # elements a spectrum, on the mean


def sample_chance(element: str) -> float:
    """How often samples hold an element, 0…1, roughly: by the weights they are drawn with."""
    chance = 0.0
    for share, table in _THEMES:
        floor = _FLOOR if table else 1.0
        weights = {e: table.get(e, 0.0) + floor for e in ELEMENTS if e != "Ar"}
        chance += share * weights.get(element, 0.0) / sum(weights.values())
    return min(_RICHNESS * chance, 1.0)


def draw_elements(
    n: int,
    elements: tuple[str, ...],
    rng: np.random.Generator,
    n_elements: int | None = None,
    most: int = 13,
    *,
    electrons: bool = False,
) -> np.ndarray:
    """Which elements each spectrum holds, bool, shape (n, element).

    Parameters
    ----------
    n : int
        Spectra.
    elements : tuple of str
        What may be drawn; Ar never is (it belongs to the air).
    n_elements : int or None
        How many in each spectrum; None draws 0…``most``, often few.
    electrons : bool
        Samples of an electron microscope.
    """
    weights = np.empty((n, len(elements)))
    themes = _THEMES_ELECTRONS if electrons else _THEMES
    theme = rng.choice(len(themes), size=n, p=[share for share, _ in themes])
    for index, (_, table) in enumerate(themes):
        floor = _FLOOR if table else 1.0
        weights[theme == index] = [table.get(e, 0.0) + floor for e in elements]
    weights[:, [i for i, e in enumerate(elements) if e == "Ar"]] = 1e-30
    if n_elements is None:
        # Blanks, single elements and rich mixtures all occur; the mean is near five.
        counts = rng.geometric(0.2, size=n) - rng.integers(0, 2, size=n)
        long = (rng.random(n) < 0.15) | (counts > most)
        counts[long] = rng.integers(5, most + 1, size=int(long.sum()))
    else:
        counts = np.full(n, n_elements)
    # Gumbel's trick: the highest of log weight + Gumbel noise are a draw without replacement.
    keys = np.log(weights) + rng.gumbel(size=weights.shape)
    rank = np.empty_like(keys, dtype=np.int64)
    order = np.argsort(-keys, axis=1)
    np.put_along_axis(rank, order, np.arange(len(elements))[None, :], axis=1)
    chosen = rank < counts[:, None]
    chosen[weights < 1e-20] = False
    return chosen


def draw_heights(chosen: np.ndarray, rng: np.random.Generator, decades: float = 3.5) -> np.ndarray:
    """Relative counts of the strongest group of every element, shape (n, element), 0…1.

    Log-uniform over ``decades``; in most spectra one element is raised to the top, for there is
    nearly always a main component.
    """
    heights = np.where(chosen, 10 ** rng.uniform(-decades, 0.0, size=chosen.shape), 0.0)
    raise_one = rng.random(chosen.shape[0]) < 0.8
    top = heights.argmax(axis=1)
    rows = np.flatnonzero(raise_one & chosen.any(axis=1))
    heights[rows, top[rows]] = 1.0
    return heights
