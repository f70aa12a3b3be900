"""What pictures of a scan have in common, on the page and on paper: colours and their limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def map_colours() -> tuple[str, ...]:
    """The usual colours of maps, ``#rrggbb`` from low to high.

    Their dark end is cut off, or it would drown in the grey image.
    """
    import colorcet

    return tuple(colorcet.b_linear_bmy_10_95_c78[72:])


def rgb(colours: Sequence[str]) -> np.ndarray:
    """Colours ``#rrggbb`` as float64 (n, 3), 0…255."""
    return np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours], dtype=np.float64)


def grey_limits(total_counts: np.ndarray) -> tuple[float, float]:
    """The 1st and 99th percentile, apart even for an even image."""
    low, high = np.percentile(total_counts, (1.0, 99.0))
    return (float(low), float(high)) if high > low else (float(low) - 1.0, float(low) + 1.0)


def spectrum_floor(mean_counts: np.ndarray) -> float:
    """Where a logarithmic axis begins: just below the smallest rate that still tells something."""
    top = float(mean_counts.max(initial=0.0))
    if top <= 0:
        return 0.1
    positive = mean_counts[mean_counts > 0]
    return max(float(np.percentile(positive, 2.0)) * 0.5, top * 1e-6)
