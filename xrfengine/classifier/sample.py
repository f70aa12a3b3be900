"""One sample in front of an instrument: how much of every shape its spectrum holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.classifier.excitation import TABLE_ELEMENTS
from xrfengine.classifier.instrument import InstrumentShapes

if TYPE_CHECKING:
    from xrfengine.classifier.simulate import SimulationSettings

# How far a sample can bend the ratio of a line group to the element's main group, beyond what
# is known: K β/α little, L1+L2 over L3 more (depth), M and L against K most. FIELD: thick oxides
# bend Kβ/Kα by 1.13 to 1.25, cover layers by up to 2 (K) and 5 (L).
RATIO_SIGMA = np.array([0.3, 0.08, 0.4, 0.25, 0.6])


@dataclass(frozen=True, eq=False)
class Parts:
    """Line groups present: spectrum, element, part, row, amount, pair; sorted by pair."""

    spectrum: np.ndarray
    element: np.ndarray
    part: np.ndarray
    row: np.ndarray
    amount: np.ndarray
    pair: np.ndarray
    main: np.ndarray


def element_parts(
    instrument: InstrumentShapes,
    chosen: np.ndarray,
    heights: np.ndarray,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> Parts:
    """Amounts of every line group: physical ratios, bent by the sample.

    Self-absorption in a thick sample weakens a line as 1/(1 + (Ec/E)^2.8); a cover layer, as
    exp(−(Ed/E)^2.8) (absorption between edges falls about so). Both act on all lines by energy,
    so light elements and M lines fade first; what edges do besides is left to random factors.
    """
    spectrum, element = np.nonzero(chosen)
    row = instrument.element_rows[element]
    valid = row >= 0
    shown = valid.any(axis=1)
    spectrum, element, row, valid = spectrum[shown], element[shown], row[shown], valid[shown]
    n_pairs = spectrum.size
    strength = np.where(valid, instrument.row_strength[row], 0.0)
    kev = np.where(valid, np.maximum(instrument.row_kev[row], 0.1), 1.0)
    amount = strength
    if settings.self_absorption and n_pairs:
        thick = 10 ** rng.uniform(0.0, 1.2, size=chosen.shape[0])[spectrum]
        cover = np.where(rng.random(n_pairs) < 0.2, 10 ** rng.uniform(-0.2, 0.95, n_pairs), 0.0)
        amount = amount / (1.0 + (thick[:, None] / kev) ** 2.8)
        amount = amount * np.exp(-((cover[:, None] / kev) ** 2.8).clip(max=30.0))
        amount = amount * np.exp(rng.normal(0.0, 0.5 * RATIO_SIGMA, size=amount.shape))
    best = amount.max(axis=1, initial=0.0)
    # Elements that this instrument hardly excites or sees are seldom its strongest.
    reach = instrument.row_strength[instrument.element_rows]
    reach = np.where(instrument.element_rows >= 0, reach, 0.0).max()
    handicap = (np.maximum(strength.max(axis=1, initial=0.0), 1e-30) / reach) ** rng.uniform(0, 0.5)
    amount = amount / np.maximum(best, 1e-300)[:, None]
    amount = amount * (heights[spectrum, element] * np.maximum(handicap, 1e-3))[:, None]
    strongest = amount.argmax(axis=1) if n_pairs else np.zeros(0, dtype=np.int64)
    kept = valid & (amount > 0)
    pair, part = np.nonzero(kept)
    # Pairs without any amount left (absorbed entirely) drop out; number the others anew.
    pairs, renumbered = np.unique(pair, return_inverse=True)
    del pairs
    return Parts(
        spectrum=spectrum[pair],
        element=element[pair],
        part=part,
        row=row[kept],
        amount=amount[kept].astype(np.float32),
        pair=renumbered,
        main=strongest[pair] == part,
    )


def add_light_elements(
    instrument: InstrumentShapes, weights: np.ndarray, rng: np.random.Generator
) -> None:
    """Carbon to fluorine, which electron microscopes see in nearly everything.

    Oxygen may be as strong as anything else: in oxides O + Al makes a sum peak at 2.01 keV, the
    place of P Kα, and O + Si one at 2.26 keV, near S Kα.
    """
    if instrument.source.kind != "electrons":
        return
    ranges = (("C", 0.8, -2.0, 0.3), ("O", 0.85, -1.2, 0.5), ("N", 0.1, -2.0, 0.3))
    for symbol, share, low, high in (*ranges, ("F", 0.1, -2.0, 0.3)):
        row = instrument.element_rows[TABLE_ELEMENTS.index(symbol), 0]
        if row < 0:
            continue
        n = weights.shape[0]
        amount = 10 ** rng.uniform(low, high, size=n)
        weights[:, row] = np.where(rng.random(n) < share, amount, 0.0)


def add_background(
    instrument: InstrumentShapes, weights: np.ndarray, rng: np.random.Generator
) -> None:
    """Scatter, continuum and all else that is no element's, scaled to the fluorescence."""
    n = weights.shape[0]
    total = weights.sum(axis=1, dtype=np.float64)
    total = np.maximum(total, 1.0)  # blanks: against the one unit a main element has
    names = instrument.background
    n_matrix = instrument.scatter_amounts.shape[0]
    mix = rng.dirichlet(np.full(n_matrix, 0.6), size=n)
    per_matrix = instrument.scatter_amounts.sum(axis=1, keepdims=True)
    shares = instrument.scatter_amounts / np.where(per_matrix > 0, per_matrix, 1.0)
    scattered = mix @ shares
    scattered *= np.exp(rng.normal(0.0, 0.35, size=scattered.shape))
    level = instrument.scatter_level + rng.normal(0.0, 0.35, size=n)
    if instrument.source.kind == "electrons":
        level = rng.normal(-0.4, 0.35) + rng.normal(0.0, 0.2, size=n)
    else:  # paper scatters more than metal
        level += mix @ np.linspace(0.5, -0.6, n_matrix)
    weights += (scattered * (total * 10**level)[:, None]).astype(np.float32)
    everything = weights.sum(axis=1, dtype=np.float64)
    everything = np.where(everything > 0, everything, 1.0)
    for name, low, high, share in (
        ("exponential short", -3.5, -0.4, 0.65),
        ("exponential long", -3.5, -0.2, 0.5),
        ("plateau", -4.0, -0.3, 0.7),
        ("wavy", -2.5, -0.1, 0.4),
        ("zero peak", -3.0, 0.3, 0.8),
    ):
        if name in names and rng.random() < share:
            if instrument.source.kind == "electrons" and name != "zero peak":
                high = -1.3  # a microscope's continuum is nearly all there is
            level = rng.uniform(low, high) + rng.normal(0.0, 0.25, size=n)
            weights[:, names[name]] += (everything * 10**level).astype(np.float32)
    if not (weights > 0).any(axis=1).all():  # a blank on an instrument without any background
        row = instrument.shapes.sum(axis=1)[list(names.values())].argmax()
        weights[(weights <= 0).all(axis=1), list(names.values())[row]] = 1.0
    for name, level in instrument.stray.items():
        weights[:, names[name]] = everything * 10 ** rng.normal(level, 0.25, size=n)
    if instrument.bragg_rows.size:
        # Metals and minerals diffract, glasses and powders hardly; pure aluminium in a 30 kV
        # beam of rhodium shows eight such peaks.
        size = (n, instrument.bragg_rows.size)
        peaks = 10 ** rng.uniform(-3.5, -0.8, size=size) * everything[:, None]
        met = rng.random(size) < rng.choice([0.0, 0.1, 0.6], size=(n, 1), p=[0.5, 0.2, 0.3])
        weights[:, instrument.bragg_rows] = np.where(met, peaks, 0.0)
