"""Full-spectrum non-negative least squares: all elements' line groups and a smooth background.

Weighted by Poisson variance, twice: the second time with the first model's. No scatter, no sum
peaks. Score: marginal significance of an element's strongest group, every other shape free.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from peers.line_shapes import bins_of, element_shapes, smooth_shapes
from xrfengine.classifier.evaluate import Verdict
from xrfengine.cube import Spectrum

CUT = 3.0


def nnls(spectrum: Spectrum) -> Mapping[str, Verdict]:
    """Verdicts on one spectrum; present from 3 standard deviations."""
    from scipy.optimize import nnls as solve

    bins = bins_of(spectrum)
    names, shapes = element_shapes(bins)
    columns = np.concatenate([shapes, smooth_shapes(bins)]).T
    y = bins.sums(spectrum.counts)
    model = y
    for _ in range(2):
        weight = 1.0 / np.sqrt(np.maximum(model, 1.0))
        amount, _ = solve(columns * weight[:, None], y * weight, maxiter=20 * columns.shape[1])
        model = columns @ amount
    used = np.flatnonzero(amount > 0)
    scaled = columns[:, used] / np.sqrt(np.maximum(model, 1.0))[:, None]
    variance = np.diag(np.linalg.pinv(scaled.T @ scaled))
    z = np.zeros(amount.size)
    z[used] = amount[used] / np.sqrt(np.maximum(variance, 1e-12))
    best: dict[str, float] = {}
    for (element, _), value in zip(names, z[: len(names)], strict=True):
        best[element] = max(best.get(element, 0.0), float(value))
    return {element: Verdict(value, value >= CUT) for element, value in best.items()}
