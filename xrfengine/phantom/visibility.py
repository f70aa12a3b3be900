"""Which elements a pixel's spectrum can show at all, given its counting noise.

An element is visible where the marginal significance of its amplitude, all other present
components left free, reaches :data:`VISIBLE_Z`: with the expected counts µ of a channel and the
spectra s of the components, the Fisher information is F = Σ s sᵀ/µ and z = a/√(F⁻¹) of the
element's own entry (Poisson statistics; Cramér–Rao bound).
"""

from __future__ import annotations

import numpy as np

VISIBLE_Z = 4.0
ABSENT_Z = 1.5
_PRESENT_SHARE = 1e-6  # of the pixel's counts: below, an element is not part of the mixture


def rebin_factor(n_channels: int, gain_kev: float, width_kev: float = 0.04) -> int:
    """How many channels may be joined without losing information on peaks of 130 eV."""
    factor = max(1, int(width_kev / gain_kev))
    while n_channels % factor:
        factor -= 1
    return factor


def significance(
    counts: np.ndarray, amplitudes: np.ndarray, templates: np.ndarray, n_elements: int
) -> np.ndarray:
    """Significance of each element at each pixel.

    Parameters
    ----------
    counts : ndarray, float32, shape (n, bin), > 0
        Expected counts.
    amplitudes : ndarray, float32, shape (n, template)
        Counts that each template contributes; the first ``n_elements`` are elements, the rest
        background that is always free.
    templates : ndarray, float32, shape (template, bin)
        Each sums to 1.

    Returns
    -------
    ndarray, float32, shape (n, element)
        Standard deviations by which the element's amplitude stands above zero.
    """
    n_templates = templates.shape[0]
    i, j = np.triu_indices(n_templates)
    products = (templates[i] * templates[j]).astype(np.float32)
    pairs = (1.0 / np.maximum(counts, 1e-9)).astype(np.float32) @ products.T
    total = counts.sum(axis=1, keepdims=True)
    present = amplitudes > _PRESENT_SHARE * total
    present[:, n_elements:] = True
    # In units of the pixel's counts the information is of order one whatever the dose.
    information = np.zeros((len(counts), n_templates, n_templates))
    information[:, i, j] = pairs * total
    information[:, j, i] = information[:, i, j]
    both = present[:, :, None] & present[:, None, :]
    information = np.where(both, information, np.eye(n_templates))
    scale = 1.0 / np.sqrt(np.einsum("nii->ni", information))
    # Correlation form keeps the inverse well conditioned; the ridge is far below any z of note.
    correlation = information * scale[:, :, None] * scale[:, None, :]
    correlation += 1e-7 * np.eye(n_templates)
    variance = np.einsum("nii->ni", np.linalg.inv(correlation)) * scale**2
    deviation = np.sqrt(np.maximum(variance, 1e-30) * total)
    z = np.where(present, amplitudes / deviation, 0.0)
    return z[:, :n_elements].astype(np.float32)
