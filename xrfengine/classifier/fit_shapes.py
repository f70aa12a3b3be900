"""What a fit puts together: every line group, scatter peak and background of one instrument.

Shapes are rendered on the channels themselves (or blocks of narrow ones) with the response as
refined so far, and summed into bins of about a third of a peak width, on which fits are made.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from xrfengine.classifier import scatter
from xrfengine.classifier.excitation import (
    TABLE_ELEMENTS,
    Source,
    electron_source,
    mono_source,
    tube_source,
)
from xrfengine.classifier.instrument import PARTS, line_table
from xrfengine.classifier.satellites import with_radiative_auger
from xrfengine.classifier.visibility import coarse_bins
from xrfengine.cube import Calibration
from xrfengine.detector import Detector, render_rows, transmission
from xrfengine.lines import ELEMENTS

SHIFT_KNOTS_KEV = np.array([0.5, 1.5, 3.0, 5.0, 8.0, 13.0, 20.0, 32.0])
"""Where the error of the energy axis is refined; straight between."""

FAMILY_OF_PART: tuple[str, ...] = ("K", "K", "L", "L", "M")

_AIR = "N156O42Ar1"
_AIR_G_CM3 = 1.2e-3
SOFT_KEV, SOFT_WEIGHT = 3.0, 0.25
"""Below this energy air, varnish and the sample itself take most of what is emitted: lines there
vouch for an element only if its harder ones are weaker than this share of them."""

_LOWEST_KEV = {"sdd": 0.85, "gem": 1.8}
_ABSORBED_KEV = 2.5  # below, a thick sample takes most of its own radiation
_COMPTON_ANGLES = (85.0, 105.0, 125.0, 150.0)
_COMPTON_WIDTH = 0.022  # FWHM over energy: momentum of the electrons and spread of angles
_PER_FWHM = 3.0
_FINE_PER_FWHM = 7.0


@dataclass(frozen=True)
class Setup:
    """An instrument as a fit believes it to be.

    Attributes
    ----------
    calibration : Calibration
        As stated in the file.
    n_channels : int
    detector : Detector
    anode : str or None
        Of the tube; None: no scatter peaks are fitted.
    end_kev : float
        Tube voltage or beam energy.
    excitation : {"tube", "electrons", "mono"}
    filter_um : float
        Aluminium between tube and sample, for all that hardens the beam: which L edges of heavy
        elements are reached depends on it.
    air_cm : float
        Path in air between sample and detector.
    shifts_kev : tuple of float
        Error of the stated energies at :data:`SHIFT_KNOTS_KEV`: true minus stated.
    first_channel, last_channel : int
        Range with counts.
    """

    calibration: Calibration
    n_channels: int
    detector: Detector
    anode: str | None
    end_kev: float
    excitation: str = "tube"
    filter_um: float = 0.0
    air_cm: float = 0.7
    shifts_kev: tuple[float, ...] = (0.0,) * SHIFT_KNOTS_KEV.size
    first_channel: int = 0
    last_channel: int = 1 << 30

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """For the disk: no arrays, and plain values."""
        return {}, asdict(self)

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> Setup:
        """Of what :meth:`to_arrays` gave."""
        return cls(
            **{
                **meta,
                "calibration": Calibration(**meta["calibration"]),
                "detector": Detector.from_dict(meta["detector"]),
                "shifts_kev": tuple(meta["shifts_kev"]),
            }
        )

    @property
    def source(self) -> Source:
        """What excites the sample."""
        if self.excitation == "electrons":
            return electron_source(self.end_kev)
        if self.excitation == "mono":
            return mono_source(self.end_kev)
        return tube_source(
            self.anode or "Rh",
            float(np.clip(self.end_kev, 5.0, 60.0)),
            filter_material="Al" if self.filter_um > 0 else None,
            filter_um=self.filter_um,
        )


@dataclass(frozen=True, eq=False)
class Shapes:
    """Rendered shapes of one :class:`Setup`.

    Attributes
    ----------
    edges_kev : ndarray, shape (fine + 1,)
        True energies of the limits of the fine bins (blocks of whole channels).
    starts : ndarray of int, shape (bin,)
        First fine bin of each bin of the fit.
    end : int
        Fine bin after the last.
    centres_kev : ndarray, shape (bin,)
    fine : ndarray, float32, shape (row, fine)
        Line groups, unit sum over all their lines in range; then scatter.
    binned : ndarray, float64, shape (row, bin)
    element, part : ndarray of int, shape (line row,)
        Which element of ``ELEMENTS`` and which of ``PARTS`` a row is.
    share : ndarray, shape (line row,)
        Expected counts of a group over those of all groups of the element.
    row_kev : ndarray, shape (line row,)
        Mean energy of its lines.
    escape : ndarray, float32, shape (line row, fine)
        Escape peaks alone, as contained in ``fine``.
    scatter_names : tuple of str
        Of the rows after the line rows.
    background : ndarray, float64, shape (hat, bin)
        Smooth functions for the background.
    """

    setup: Setup
    edges_kev: np.ndarray
    starts: np.ndarray
    end: int
    centres_kev: np.ndarray
    sigma_kev: np.ndarray
    fine: np.ndarray
    binned: np.ndarray
    element: np.ndarray
    part: np.ndarray
    share: np.ndarray
    row_kev: np.ndarray
    escape: np.ndarray
    scatter_names: tuple[str, ...]
    background: np.ndarray

    def part_shares(self, element: str) -> dict[str, float]:
        """Expected counts of each line group over those of all of the element, by name."""
        rows = np.flatnonzero(self.element == ELEMENTS.index(element))
        return {PARTS[self.part[row]]: float(self.share[row]) for row in rows}

    @property
    def block(self) -> int:
        """Channels in a fine bin."""
        return fine_block(self.setup)

    def to_fine(self, counts: np.ndarray) -> np.ndarray:
        """Counts in fine bins, float64, shape (…, fine); from shape (…, channel)."""
        block = self.block
        n = self.setup.n_channels // block
        counts = np.asarray(counts)[..., : n * block]
        return counts.reshape(*counts.shape[:-1], n, block).sum(axis=-1, dtype=np.float64)

    def to_bins(self, fine: np.ndarray) -> np.ndarray:
        """Sum fine bins, shape (…, fine), into the bins of the fit, shape (…, bin)."""
        return np.add.reduceat(fine[..., : self.end], self.starts, axis=-1)


def fine_block(setup: Setup) -> int:
    """Channels summed to one fine bin: as many as leave seven bins in the narrowest peak."""
    narrow = float(setup.detector.fwhm_kev(_LOWEST_KEV[setup.detector.kind]))
    return max(int(narrow / _FINE_PER_FWHM / setup.calibration.gain_kev), 1)


def _edges(setup: Setup) -> np.ndarray:
    block = fine_block(setup)
    n = setup.n_channels // block
    stated = setup.calibration.at(np.arange(n + 1) * float(block) - 0.5)
    return stated + np.interp(stated, SHIFT_KNOTS_KEV, setup.shifts_kev)


@functools.lru_cache(maxsize=12)
def shapes_of(
    setup: Setup,
    per_fwhm: float = _PER_FWHM,
    elements: tuple[int, ...] | None = None,
    satellites: bool = False,
) -> Shapes:
    """Render everything one instrument can show; kept for the next spectrum.

    Parameters
    ----------
    setup : Setup
    per_fwhm : float
        Bins of the fit in a peak width.
    elements : tuple of int or None
        Indices into ``ELEMENTS``: whose lines are rendered, which takes most of the time; None:
        all.
    satellites : bool
        With those of radiative Auger transitions, a percent of a K series: they matter beside the
        lines of elements that make up most of a bright spectrum.
    """
    edges = _edges(setup)
    centres = 0.5 * (edges[1:] + edges[:-1])
    source, detector, seen = setup.source, setup.detector, _seen_by(setup)
    lines, escape, element, part, share, row_kev = _line_shapes(
        source, detector, edges, seen, elements, satellites
    )
    names, scattered = _scatter_shapes(setup, source, edges, seen)
    fine = np.concatenate([lines, scattered])
    block = fine_block(setup)
    low = max(
        int(np.searchsorted(centres, _LOWEST_KEV[detector.kind])),
        -(-setup.first_channel // block),
    )
    end = min(centres.size, setup.last_channel // block, int(np.searchsorted(centres, 48.0)))
    end = max(end, min(low + 16, centres.size))
    low = min(low, end - 2)
    fwhm = detector.fwhm_kev(np.maximum(centres[low:end], 0.05))
    starts = low + coarse_bins(edges[low : end + 1], fwhm, per_fwhm)
    binned = np.add.reduceat(fine[:, :end], starts, axis=1).astype(np.float64)
    bin_centres = 0.5 * (edges[starts] + edges[np.append(starts[1:], end)])
    widths = edges[np.append(starts[1:], end)] - edges[starts]
    return Shapes(
        setup=setup,
        edges_kev=edges,
        starts=starts,
        end=end,
        centres_kev=bin_centres,
        sigma_kev=detector.sigma_kev(np.maximum(bin_centres, 0.05)),
        fine=fine,
        binned=binned,
        element=element,
        part=part,
        share=share,
        row_kev=row_kev,
        escape=escape,
        scatter_names=names,
        background=_hats(bin_centres, detector) * widths,
    )


def with_scatter(shapes: Shapes, anode: str, end_kev: float) -> Shapes:
    """The same lines with the scatter of another anode and voltage, in a tenth of the time.

    The ratios of lines stay as they are: anodes change them less than the ties between them allow.
    """
    setup = replace(shapes.setup, anode=anode, end_kev=end_kev)
    names, scattered = _scatter_shapes(setup, setup.source, shapes.edges_kev, _seen_by(setup))
    n = shapes.element.size
    return replace(
        shapes,
        setup=setup,
        fine=np.concatenate([shapes.fine[:n], scattered]),
        binned=np.concatenate([shapes.binned[:n], shapes.to_bins(scattered).astype(np.float64)]),
        scatter_names=names,
    )


def _seen_by(setup: Setup) -> scatter.Seen:
    """Share of the photons of an energy that the detector counts, behind the air."""

    def seen(energy_kev: np.ndarray) -> np.ndarray:
        share = setup.detector.efficiency(energy_kev)
        if setup.air_cm > 0:
            share = share * transmission(_AIR, setup.air_cm * _AIR_G_CM3, energy_kev)
        return share

    return seen


def _line_shapes(source, detector, edges, seen, elements, satellites):
    element, shell, part, energy, rate = line_table()
    intensity = source.shell_strengths()[element, shell] * rate * seen(energy)
    if source.kind != "electrons":
        intensity = intensity / (1.0 + (_ABSORBED_KEV / energy) ** 2.8)
    n_parts = len(PARTS)
    key = element * n_parts + part
    inside = (energy > edges[0]) & (energy < edges[-1]) & (intensity > 0)
    inside &= element < len(ELEMENTS) if elements is None else np.isin(element, elements)
    total = np.bincount(key[inside], intensity[inside], len(TABLE_ELEMENTS) * n_parts)
    of_element = total.reshape(-1, n_parts).sum(axis=1)
    keep = inside & (intensity > 3e-4 * total[key]) & (total[key] > 1e-4 * of_element[element])
    used, row = np.unique(key[keep], return_inverse=True)
    energy, intensity = energy[keep], intensity[keep] / total[used][row]
    rendered = row, energy, intensity
    if satellites:
        rendered = with_radiative_auger(row, part[keep], element[keep], energy, intensity)
    shapes = render_rows(used.size, *rendered, edges, detector)
    escaped, fraction = detector.escape(energy)
    seen_escape = (fraction > 0) & (escaped > 0)
    pure = Detector(**{**detector.to_dict(), "escape_scale": 0.0})
    escape = render_rows(
        used.size,
        row[seen_escape],
        escaped[seen_escape],
        (intensity * fraction / (1.0 + fraction))[seen_escape],
        edges,
        pure,
    )
    sums = shapes.sum(axis=1, dtype=np.float64)
    kept = sums > 0.3  # a group whose lines lie mostly outside tells nothing
    scale = np.float32(1.0) / sums[kept].astype(np.float32)
    used = used[kept]
    share = total[used] / np.maximum(of_element[used // n_parts], 1e-300)
    return (
        shapes[kept] * scale[:, None],
        escape[kept] * scale[:, None],
        used // n_parts,
        used % n_parts,
        share,
        np.bincount(row, energy * intensity)[kept],
    )


def _scatter_shapes(setup: Setup, source: Source, edges, seen):
    """Rayleigh and Compton peaks of each family of the anode, for several angles; unit sums."""
    if source.kind == "electrons" or (source.kind == "tube" and setup.anode is None):
        return (), np.zeros((0, edges.size - 1), np.float32)
    names: list[str] = []
    rows = []
    for angle in _COMPTON_ANGLES:
        found, rendered, kev = scatter.scattered_lines(
            source, seen, edges, setup.detector, angle, _COMPTON_WIDTH
        )
        for name, row, energy in zip(found, rendered, kev, strict=True):
            is_compton = name.startswith("compton")
            moved = float(energy - scatter.compton_kev(energy, angle))
            if is_compton and moved < 0.5 * setup.detector.fwhm_kev(energy):
                continue  # the Rayleigh peak stands for both
            label = f"{name} {angle:.0f}°" if is_compton else name
            total = row.sum(dtype=np.float64)
            if label in names or total <= 0 or not edges[0] < energy < edges[-1]:
                continue
            names.append(label)
            rows.append(row / np.float32(total))
    if not rows:
        return (), np.zeros((0, edges.size - 1), np.float32)
    return tuple(names), np.array(rows, dtype=np.float32)


def _hats(centres_kev: np.ndarray, detector: Detector) -> np.ndarray:
    """Quadratic B-splines on knots that widen with the energy, shape (hat, bin); sum to 1.

    A knot every six peak widths: smoother than any peak, and free enough for the humps and edges
    of scattered continua.
    """
    knots = [float(centres_kev[0])]
    while knots[-1] < centres_kev[-1]:
        knots.append(knots[-1] + 6.0 * float(detector.fwhm_kev(max(knots[-1], 1.5))))
    position = np.interp(centres_kev, knots, np.arange(len(knots), dtype=float))
    distance = np.abs(position - (np.arange(-1, len(knots) + 1)[:, None] - 0.5))
    inner = 0.75 - distance**2
    outer = 0.5 * np.clip(1.5 - distance, 0.0, None) ** 2
    return np.where(distance < 0.5, inner, outer)
