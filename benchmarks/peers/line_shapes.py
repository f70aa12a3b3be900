"""Line groups as a detector shows them: the shapes that fits and searches put together.

Physics is that of the tables (xraylib through :mod:`xrfengine.lines`) and of the detector's
response; nothing here was trained or tuned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xrfengine.classifier.fit import guess_setup
from xrfengine.classifier.visibility import coarse_bins
from xrfengine.cube import Spectrum
from xrfengine.detector import Detector, render_groups, transmission
from xrfengine.lines import ELEMENTS, line_groups

_AIR, _AIR_G_CM2 = "N156O42Ar1", 1.2e-3
_ABSORBED_KEV = 2.5  # a thick sample takes most of what it emits below
_LOWEST_KEV = {"sdd": 0.85, "gem": 1.8}
_HIGHEST_KEV = 48.0
_PER_FWHM = 3.0
_LEAST_INSIDE = 0.3  # a group whose lines lie mostly outside tells nothing


@dataclass(frozen=True, eq=False)
class Bins:
    """A spectrum in bins of a third of a peak width.

    Attributes
    ----------
    edges_kev : ndarray, shape (channel + 1,)
        Limits of the channels.
    starts : ndarray of int, shape (bin,)
        First channel of each bin; ``stop`` is the channel after the last bin.
    centres_kev, fwhm_kev : ndarray, shape (bin,)
    detector : Detector
    end_kev : float
        Tube voltage or beam energy, stated or guessed from where the spectrum ends.
    """

    edges_kev: np.ndarray
    starts: np.ndarray
    stop: int
    centres_kev: np.ndarray
    fwhm_kev: np.ndarray
    detector: Detector
    end_kev: float

    def sums(self, channels: np.ndarray) -> np.ndarray:
        """Sum of channels, shape (…, channel), in each bin, float64, shape (…, bin)."""
        inside = np.asarray(channels)[..., : self.stop]
        return np.add.reduceat(inside, self.starts, axis=-1, dtype=np.float64)

    @property
    def widths_kev(self) -> np.ndarray:
        ends = np.append(self.starts[1:], self.stop)
        return self.edges_kev[ends] - self.edges_kev[self.starts]


def bins_of(
    spectrum: Spectrum, *, shift_kev: tuple[float, float] = (0.0, 0.0), fwhm_scale: float = 1.0
) -> Bins:
    """Bins for a spectrum, with a correction of its energies (offset, share) and resolution."""
    setup = guess_setup(spectrum)
    low_channel, high_channel = setup.first_channel, setup.last_channel
    detector = setup.detector
    if fwhm_scale != 1.0:
        values = {**detector.to_dict(), "fwhm_mn_kev": detector.fwhm_mn_kev * fwhm_scale}
        detector = Detector.from_dict(values)
    edges = spectrum.calibration.edges_kev(spectrum.counts.size)
    edges = shift_kev[0] + (1.0 + shift_kev[1]) * edges
    lowest = int(edges.searchsorted(_LOWEST_KEV[detector.kind]))
    start = min(max(lowest, low_channel), edges.size - 4)
    stop = min(edges.size - 1, high_channel, int(edges.searchsorted(_HIGHEST_KEV)))
    stop = max(stop, start + 3)
    fwhm = detector.fwhm_kev(0.5 * (edges[start:stop] + edges[start + 1 : stop + 1]))
    starts = start + coarse_bins(edges[start : stop + 1], fwhm, _PER_FWHM)
    centres = 0.5 * (edges[starts] + edges[np.append(starts[1:], stop)])
    return Bins(edges, starts, stop, centres, detector.fwhm_kev(centres), detector, setup.end_kev)


def seen(bins: Bins, energy_kev: np.ndarray) -> np.ndarray:
    """Share of emitted photons that are counted: sample, a centimetre of air, detector."""
    share = bins.detector.efficiency(energy_kev) * transmission(_AIR, _AIR_G_CM2, energy_kev)
    return share / (1.0 + (_ABSORBED_KEV / energy_kev) ** 2.8)


def element_shapes(bins: Bins) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Unit shapes of the K, L and M group of every element.

    Returns
    -------
    names : list of (element, family)
    shapes : ndarray, float64, shape (group, bin)
        Each sums to 1, escape peaks included.
    """
    names, groups = [], []
    low, high = bins.edges_kev[0], bins.edges_kev[-1]
    for element in ELEMENTS:
        for group in line_groups(element, bins.end_kev):
            energy = np.array([line.energy_kev for line in group.lines])
            weight = np.array([line.weight for line in group.lines]) * seen(bins, energy)
            if group.strength > 0 and low < energy[0] < high:
                names.append((element, group.family))
                groups.append((energy, weight / weight.sum()))
    shapes = bins.sums(render_groups(groups, bins.edges_kev, bins.detector))
    total = shapes.sum(axis=1)
    kept = total > _LEAST_INSIDE
    return (
        [name for name, keep in zip(names, kept, strict=True) if keep],
        shapes[kept] / total[kept, None],
    )


def smooth_shapes(bins: Bins, step_fwhm: float = 6.0) -> np.ndarray:
    """Quadratic B-splines for a background, float64, shape (spline, bin); they sum to the widths.

    Knots every six peak widths: smoother than any peak, free enough for scattered continua.
    """
    knots = [float(bins.centres_kev[0])]
    while knots[-1] < bins.centres_kev[-1]:
        knots.append(knots[-1] + step_fwhm * float(bins.detector.fwhm_kev(max(knots[-1], 1.5))))
    place = np.interp(bins.centres_kev, knots, np.arange(len(knots), dtype=float))
    distance = np.abs(place - (np.arange(-1, len(knots) + 1)[:, None] - 0.5))
    inner, outer = 0.75 - distance**2, 0.5 * np.clip(1.5 - distance, 0.0, None) ** 2
    splines = np.where(distance < 0.5, inner, outer)
    splines = splines[splines.sum(axis=1) > 1e-6]
    return splines * bins.widths_kev / bins.widths_kev.max()
