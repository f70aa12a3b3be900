"""A simulated batch taken apart: what is certain, what is free, what belongs to which element."""

from __future__ import annotations

import numpy as np

from xrfengine.classifier.instrument import InstrumentShapes
from xrfengine.classifier.sample import RATIO_SIGMA, Parts
from xrfengine.classifier.visibility import Mixture, coarse_bins

_UNKNOWN = 1e3
STRAY_SIGMA = 0.5
"""What the instrument itself shows of an element is known to half of it beforehand."""


def mixture_of(
    instrument: InstrumentShapes,
    range_kev: tuple[float, float],
    parts: Parts,
    scaled: np.ndarray,
    scale: np.ndarray,
    pairs: np.ndarray | None,
) -> Mixture:
    """The batch on coarse bins, taken apart for :func:`visibility.significance`.

    Parameters
    ----------
    instrument : InstrumentShapes
    range_kev : (low, high)
        Energies that count.
    parts : Parts
        Line groups of the elements.
    scaled : ndarray, shape (n, row)
        Counts by row of ``instrument.shapes``.
    scale : ndarray, shape (n,)
        Counts a unit of ``parts.amount``.
    pairs : ndarray or None, shape (n, channel)
        Sum peaks.
    """
    edges = instrument.calibration.edges_kev(instrument.n_channels)
    centres = 0.5 * (edges[1:] + edges[:-1])
    fwhm = instrument.detector.fwhm_kev(np.maximum(centres, 0.05))
    first = coarse_bins(edges, fwhm)
    bin_edges = np.append(edges[first], edges[-1])
    bin_centres = 0.5 * (bin_edges[1:] + bin_edges[:-1])
    low, high = bin_centres.searchsorted(range_kev)
    bin_centres = bin_centres[low:high]
    shapes = np.add.reduceat(instrument.shapes, first, axis=1)[:, low:high]
    total = scaled @ shapes
    scattered = [
        row
        for name, row in instrument.background.items()
        if name.startswith(("rayleigh", "compton"))
    ]
    stray = [instrument.background[name] for name in instrument.stray]
    smooth = [row for row in instrument.background.values() if row not in scattered + stray]
    free = [scaled[:, row, None] * shapes[row] for row in scattered + stray]
    free_sigma = [_UNKNOWN] * len(scattered) + [STRAY_SIGMA] * len(stray)
    if instrument.bragg_rows.size:
        free.append(scaled[:, instrument.bragg_rows] @ shapes[instrument.bragg_rows])
        free_sigma.append(_UNKNOWN)
    if pairs is not None:
        coarse = np.add.reduceat(pairs, first, axis=1)[:, low:high]
        total += coarse
        free.append(coarse)
        free_sigma.append(_UNKNOWN)
    n, n_bins = total.shape
    stacked = np.stack(free, axis=1) if free else np.zeros((n, 0, n_bins), dtype=np.float32)
    starts = np.flatnonzero(np.diff(parts.pair, prepend=-1))
    amount = parts.amount * scale[parts.spectrum]
    return Mixture(
        total=total,
        background=scaled[:, smooth] @ shapes[smooth],
        centres_kev=bin_centres,
        sigma_kev=instrument.detector.sigma_kev(np.maximum(bin_centres, 0.05)),
        pair_spectrum=parts.spectrum[starts],
        pair_element=parts.element[starts],
        part_pair=parts.pair,
        part_counts=amount[:, None] * shapes[parts.row],
        part_sigma=np.where(parts.main, 0.0, RATIO_SIGMA[parts.part]),
        free=stacked.astype(np.float32),
        free_sigma=np.array(free_sigma),
    )
