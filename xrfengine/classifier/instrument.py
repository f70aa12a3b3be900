"""One random instrument: source, path, detector, channels, and the shapes they give.

Rendering every line group of an instrument once makes a batch of spectra one matrix product.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.classifier import scatter
from xrfengine.classifier.apparatus import (
    ShapeError,
    draw_channels,
    draw_detector,
    draw_path,
    draw_shape_error,
    draw_stray,
    misread,
)
from xrfengine.classifier.excitation import (
    ALL_SHELLS,
    TABLE_ELEMENTS,
    Source,
    random_source,
)
from xrfengine.classifier.satellites import with_radiative_auger
from xrfengine.cube import Calibration
from xrfengine.detector import Detector, render_rows, transmission
from xrfengine.lines import shell_lines

if TYPE_CHECKING:
    from xrfengine.classifier.simulate import SimulationSettings

PARTS: tuple[str, ...] = ("Kα", "Kβ", "L3", "L1+L2", "M")
"""Line groups whose ratios a sample may bend, each rendered as one row."""

_WEAKEST_RATE = 1e-3
_STRAY = "stray "


@functools.cache
def line_table() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every line: element index, shell index, part index, energy in keV, radiative rate."""
    found = []
    for element, symbol in enumerate(TABLE_ELEMENTS):
        for shell_index, shell in enumerate(ALL_SHELLS):
            for name, energy, rate in shell_lines(symbol, shell):
                if rate < _WEAKEST_RATE or energy > 60.0:
                    continue
                if shell == "K":
                    part = 0 if name[1] == "L" else 1
                elif shell[0] == "L":
                    part = 2 if shell == "L3" else 3
                else:
                    part = 4
                found.append((element, shell_index, part, energy, rate))
    element, shell, part, energy, rate = map(np.array, zip(*found, strict=True))
    return element, shell, part, energy, rate


@dataclass(frozen=True, eq=False)
class InstrumentShapes:
    """What one instrument shows of everything it can show; rows have unit sum.

    Attributes
    ----------
    calibration : Calibration
        What the user believes: without the calibration error.
    shapes : ndarray, float32, shape (row, channel)
    element_rows : ndarray of int, shape (table element, part)
        Row of each line group, −1 where it is not excited or out of range.
    row_kev, row_strength : ndarray, shape (row,)
        Mean energy and relative detected counts per unit of element (element rows).
    background : dict
        Name → row of each shape that is no element's.
    scatter_amounts : ndarray, shape (matrix, row)
        Relative counts of the scatter rows for light, middle and heavy samples.
    scatter_level : float
        log10 of scattered over fluorescence counts, typical of this instrument.
    pile_up : float
        Typical share of piled-up pairs.
    unseen_pile_up : ndarray, float32, shape (channel,), or None
        How much likelier soft photons pile up.
    shape_error : ShapeError or None
    has_air : bool
    bragg_rows : ndarray of int
    stray : dict
        Name of a row of ``background`` → log10 of its share of all counts: lines of the
        instrument itself.
    fine_end : int
        First channel above the range with counts; channels below ``fine_start`` are empty.
    """

    source: Source
    detector: Detector
    calibration: Calibration
    n_channels: int
    shapes: np.ndarray
    element_rows: np.ndarray
    row_kev: np.ndarray
    row_strength: np.ndarray
    background: dict[str, int]
    scatter_amounts: np.ndarray
    scatter_level: float
    pile_up: float
    unseen_pile_up: np.ndarray | None
    shape_error: ShapeError | None
    has_air: bool
    bragg_rows: np.ndarray
    stray: dict[str, float]
    fine_start: int
    fine_end: int

    @property
    def own_elements(self) -> tuple[str, ...]:
        """Elements that the instrument itself shows, source and air apart."""
        return tuple(name.removeprefix(_STRAY) for name in self.stray)


def draw_instrument(settings: SimulationSettings, rng: np.random.Generator) -> InstrumentShapes:
    """Draw an instrument and render everything it can show.

    Parameters
    ----------
    settings : SimulationSettings
        Of the preset ``physical``.
    rng : numpy Generator
    """
    source = random_source(
        rng,
        settings.anodes,
        settings.tube_kv,
        settings.share_electrons,
        settings.share_mono,
        settings.filters,
    )
    detector = draw_detector(settings, source, rng)
    layers, air = draw_path(settings, source, rng)
    calibration, n_channels = draw_channels(settings, source, detector.fwhm_mn_kev, rng)
    edges = misread(calibration.edges_kev(n_channels), settings, detector.kind == "gem", rng)
    centres = 0.5 * (edges[1:] + edges[:-1])

    def seen(energy_kev: np.ndarray) -> np.ndarray:
        share = detector.efficiency(energy_kev)
        for formula, grams in layers:
            share = share * transmission(formula, grams, energy_kev)
        return share

    shapes, element_rows, row_kev, strength = _element_shapes(
        source, detector, edges, seen, settings, rng
    )
    extra, background, amounts, bragg = _background_shapes(
        source, detector, edges, centres, seen, settings, rng
    )
    stray = draw_stray(source, detector, rng) if settings.stray else {}
    own, stray = _stray_shapes(stray, shapes, element_rows, strength)
    for name in stray:
        background[name] = extra.shape[0] + len([n for n in background if n in stray])
    extra = np.concatenate([extra, own])
    amounts = np.pad(amounts, ((0, 0), (0, own.shape[0])))
    offset = shapes.shape[0]
    background = {name: row + offset for name, row in background.items()}
    all_shapes = np.concatenate([shapes, extra])
    start, end = 0, n_channels
    if settings.cut_ends and rng.random() < 0.3:  # lower-level discriminator
        start = int(np.clip(calibration.channel(rng.uniform(0.1, 1.3)), 0, n_channels - 1))
    if settings.cut_ends and rng.random() < 0.06:
        end = int(np.clip(calibration.channel(rng.uniform(10.0, 30.0)), start + 64, n_channels))
    all_shapes[:, :start] = 0
    all_shapes[:, end:] = 0
    padded = np.zeros((amounts.shape[0], all_shapes.shape[0]))
    padded[:, offset:] = amounts
    unseen = None
    if settings.sum_peaks and rng.random() < 0.6:
        unseen = scatter.unseen_pile_up(
            centres, 10 ** rng.uniform(-0.5, 1.2), rng.uniform(0.4, 1.6)
        )
    return InstrumentShapes(
        source=source,
        detector=detector,
        calibration=calibration,
        n_channels=n_channels,
        shapes=all_shapes,
        element_rows=element_rows,
        row_kev=np.concatenate([row_kev, np.zeros(extra.shape[0])]),
        row_strength=np.concatenate([strength, np.zeros(extra.shape[0])]),
        background=background,
        scatter_amounts=padded,
        scatter_level=float(
            np.clip(rng.normal(0.2 if source.kind == "mono" else -0.7, 0.6), -2.0, 1.5)
        ),
        pile_up=_draw_pile_up(source, rng) if settings.sum_peaks else 0.0,
        unseen_pile_up=unseen,
        shape_error=draw_shape_error(edges, detector, rng) if settings.shape_error else None,
        has_air=air,
        bragg_rows=bragg + offset,
        stray=stray,
        fine_start=start,
        fine_end=end,
    )


def _unit_rows(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sums = shapes.sum(axis=1, dtype=np.float64)
    return (shapes / np.where(sums > 0, sums, 1.0)[:, None]).astype(np.float32), sums


def _draw_pile_up(source: Source, rng: np.random.Generator) -> float:
    """Electron microscopes run their detectors at rates where sum peaks are the rule."""
    return float(10 ** rng.uniform(-3.8 if source.kind == "electrons" else -5.0, -1.7))


def _element_shapes(source, detector, edges, seen, settings, rng):
    element, shell, part, energy, rate = line_table()
    per_shell = source.shell_strengths()
    intensity = per_shell[element, shell] * rate * seen(energy)
    inside = (energy > edges[0]) & (energy < edges[-1] + 0.2) & (intensity > 0)
    key = element * len(PARTS) + part
    group_total = np.bincount(key[inside], intensity[inside], len(TABLE_ELEMENTS) * len(PARTS))
    keep = inside & (intensity > 3e-4 * group_total[key])
    # A line group too weak beside the element's best is not worth a row.
    best = group_total.reshape(-1, len(PARTS)).max(axis=1)
    keep &= group_total[key] > 1e-5 * best[element]
    used, row = np.unique(key[keep], return_inverse=True)
    # Tabulated positions are good to a few eV, and chemistry moves them by about one.
    jitter = rng.normal(0.0, settings.line_sigma_kev, size=used.size)
    kev, counts = energy[keep] + jitter[row], intensity[keep]
    if settings.radiative_auger:
        under_beta, under_alpha = rng.uniform(0.05, 0.14), 10 ** rng.uniform(-3.0, -2.1)
        row, kev, counts = with_radiative_auger(
            row, part[keep], element[keep], kev, counts, under_beta, under_alpha
        )
    rendered = render_rows(used.size, row, kev, counts, edges, detector)
    shapes, sums = _unit_rows(rendered)
    strength = sums
    mean_kev = np.bincount(row, kev * counts) / np.bincount(row, counts)
    rows = np.full(len(TABLE_ELEMENTS) * len(PARTS), -1)
    rows[used] = np.where(sums > 0.3 * group_total[used], np.arange(used.size), -1)
    return shapes, rows.reshape(-1, len(PARTS)), mean_kev, strength


def _stray_shapes(
    levels: dict[str, float], shapes: np.ndarray, element_rows: np.ndarray, strength: np.ndarray
) -> tuple[np.ndarray, dict[str, float]]:
    """One row for each of the instrument's own elements that it shows, all groups together."""
    rows, shown = [], {}
    for symbol, level in levels.items():
        mine = element_rows[TABLE_ELEMENTS.index(symbol)]
        mine = mine[mine >= 0]
        if mine.size:
            rows.append(strength[mine] @ shapes[mine])
            shown[_STRAY + symbol] = level
    own = np.array(rows, dtype=np.float32).reshape(len(rows), shapes.shape[1])
    return _unit_rows(own)[0], shown


def _line_scatter(name: str, energy_kev: float) -> np.ndarray:
    """Scattered share of a line of the source for each matrix; ``name`` says which kind."""
    factors = []
    for balance_kev, half_kev in scatter.MATRICES:
        inelastic = scatter.compton_share(energy_kev, half_kev)
        kind = inelastic if name.startswith("compton") else 1.0 - inelastic
        factors.append(scatter.scatter_power(energy_kev, balance_kev) * kind)
    return np.array(factors)


def _uncertain_lines(source: Source, rng: np.random.Generator) -> Source:
    """The source with line ratios as they come back from a sample: Kβ/Kα within some 15 %.

    Absorption in the anode, the window and the sample falls with energy by a power near 2.8, and
    scattering grows by one; tabulated ratios of L lines are good to some percent.
    """
    families = np.array(source.line_family)
    flux = source.line_flux * np.exp(rng.normal(0.0, 0.06, size=families.size))
    for family in sorted(set(source.line_family)):
        mine = families == family
        flux[mine] *= (source.line_kev[mine] / source.line_kev[mine].mean()) ** rng.normal(0.0, 1.5)
    return replace(source, line_flux=flux)


def _background_shapes(source, detector, edges, centres, seen, settings, rng):
    shapes: list[np.ndarray] = []
    names: dict[str, int] = {}
    amounts: list[np.ndarray] = []
    n_matrix = len(scatter.MATRICES)

    def add(name: str, shape: np.ndarray, amount: np.ndarray | None = None) -> None:
        names[name] = len(shapes)
        shapes.append(shape)
        amounts.append(np.zeros(n_matrix) if amount is None else amount)

    angle = rng.uniform(90.0, 150.0)
    widths = np.diff(edges)
    base = np.zeros_like(centres)
    if source.kind == "electrons":
        for index, absorbed in enumerate((0.3, 0.8, 2.0)):
            shape = scatter.bremsstrahlung(source.end_kev, seen, centres, absorbed)
            one = np.zeros(n_matrix)
            one[index] = 1.0
            add(f"continuum {index}", shape, one)
            base = base + shape
    else:
        if settings.continuum and source.kind == "tube":
            for index, matrix in enumerate(scatter.MATRICES):
                shape = widths * scatter.scattered_continuum(source, seen, centres, matrix, angle)
                one = np.zeros(n_matrix)
                one[index] = shape.sum()
                add(f"continuum {index}", shape, one)
                base = base + shape
        if settings.scatter:
            width = rng.uniform(0.012, 0.05)
            # How much of the soft L and M lines comes back depends on surface and geometry.
            soft = 10 ** rng.normal(0.3, 0.5)
            found, rendered, kev = scatter.scattered_lines(
                _uncertain_lines(source, rng), seen, edges, detector, angle, width
            )
            for name, shape, e in zip(found, rendered, kev, strict=True):
                factor = _line_scatter(name, e)
                if not name.endswith(("K", "mono")):
                    factor = factor * soft
                add(name, shape, factor * shape.sum())
    if settings.smooth_backgrounds:
        add("exponential short", scatter.exponential(centres, 10 ** rng.uniform(-0.7, 0.3)))
        add("exponential long", scatter.exponential(centres, 10 ** rng.uniform(0.3, 1.0)))
        add("plateau", scatter.plateau(centres, source.end_kev))
        smooth = base if base.any() else scatter.plateau(centres, source.end_kev)
        add("wavy", scatter.wavy(centres, smooth, rng))
    if settings.zero_peak and edges[0] < 0.03 and (edges[0] < -0.5 or rng.random() < 0.3):
        add("zero peak", scatter.zero_peak(centres, rng.uniform(0.02, 0.06)))
    first = len(shapes)
    bragg = np.zeros(0, dtype=np.int64)
    if settings.bragg and source.kind == "tube" and rng.random() < 0.25:
        count = 10
        top = min(0.7 * source.end_kev, 18.0)
        rendered = render_rows(
            count,
            np.arange(count),
            rng.uniform(1.5, top, size=count),
            np.ones(count),
            edges,
            detector,
            rng.uniform(0.9, 2.0, size=count),
        )
        shapes.extend(rendered)
        amounts.extend([np.zeros(n_matrix)] * count)
        bragg = np.arange(first, first + count)
    if not shapes:
        add("plateau", scatter.plateau(centres, source.end_kev))
    unit, _ = _unit_rows(np.array(shapes))
    return unit, names, np.array(amounts).T, bragg
