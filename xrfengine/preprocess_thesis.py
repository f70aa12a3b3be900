"""The thesis's network input: crop, zero the margins, pad, extrapolate, 4096 points, maximum 1.

Its section 2.4. Interpolates between channels, and forgets how many photons there were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from xrfengine.errors import SettingsError

if TYPE_CHECKING:
    from xrfengine.preprocess import PreprocessSettings

_FIT_POINTS = 100
"""Non-zero points to which the thesis fits the exponential at each end."""


class ThesisRecipe:
    """The recipe for one energy axis.

    Parameters
    ----------
    settings : PreprocessSettings
        Of the mode ``thesis``.
    centres_kev : ndarray, shape (channel,)
        Energies of the channels that are kept.

    Raises
    ------
    SettingsError
        If nothing of the spectrum is left between its margins.
    """

    def __init__(self, settings: PreprocessSettings, centres_kev: np.ndarray) -> None:
        self.extrapolate = settings.extrapolate
        self._grid = np.linspace(settings.low_kev, settings.high_kev, settings.n_bins)
        inside = np.flatnonzero(
            (centres_kev >= settings.low_kev) & (centres_kev <= settings.high_kev)
        )
        if inside.size == 0:
            raise SettingsError(
                f"no channel lies within {settings.low_kev:g}…{settings.high_kev:g} keV",
                "Check the energy calibration.",
            )
        low = centres_kev[inside[0]] + settings.margin_kev
        high = centres_kev[inside[-1]] - settings.margin_kev
        stay = inside[(centres_kev[inside] >= low) & (centres_kev[inside] <= high)]
        if stay.size < 2:
            raise SettingsError(
                f"the spectrum reaches only from {centres_kev[inside[0]]:g} to "
                f"{centres_kev[inside[-1]]:g} keV: nothing is left between its margins",
                "Check the energy calibration, or use the preset compact.",
            )
        kept = slice(int(stay[0]), int(stay[-1]) + 1)
        self._kept, self._energy = kept, centres_kev[kept]

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        """One feature, 0…1, float32, shape (n, 1, bin), of counts (n, channel)."""
        grid, energy = self._grid, self._energy
        if len(counts) == 0:
            return np.empty((0, 1, grid.size), dtype=np.float32)
        values = counts[:, self._kept]
        if self.extrapolate:
            curves = [_exponential_end(energy, values, end) for end in ("low", "high")]
        # Linear interpolation between neighbouring channels; zero outside the unmasked range.
        position = np.interp(grid, energy, np.arange(energy.size, dtype=np.float64))
        left = np.minimum(position.astype(np.intp), energy.size - 2)
        share = position - left
        out = values[:, left] * (1.0 - share) + values[:, left + 1] * share
        out[:, (grid < energy[0]) | (grid > energy[-1])] = 0.0
        if self.extrapolate:
            ceiling = values.max(axis=1, keepdims=True)
            for end, (log_a, b, limit) in zip(("low", "high"), curves, strict=True):
                beyond = grid < energy[0] if end == "low" else grid > energy[-1]
                x = grid[beyond]
                # Zero channels next to the margin count as unmeasured: the curve starts at the
                # outermost non-zero point, as the fit does.
                fill = np.exp(np.minimum(log_a[:, None] + b[:, None] * x, 80.0))
                # A rising curve through noise must not dwarf the spectrum it continues.
                out[:, beyond] = np.minimum(fill, ceiling)
                inner = _between(grid, energy, limit, end)
                if inner is not None:
                    columns, use = inner
                    curve = np.exp(np.minimum(log_a[:, None] + b[:, None] * grid[columns], 80.0))
                    part = out[:, columns]
                    out[:, columns] = np.where(use, np.minimum(curve, ceiling), part)
        peak = out.max(axis=1, keepdims=True)
        out /= np.where(peak > 0, peak, 1.0)
        return out.astype(np.float32)[:, None, :]


def _between(
    grid: np.ndarray, energy: np.ndarray, limit: np.ndarray, end: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Grid points between the margin and each spectrum's outermost non-zero point."""
    inside = (grid >= energy[0]) & (grid <= energy[-1])
    reach = grid < limit.max() if end == "low" else grid > limit.min()
    columns = np.flatnonzero(inside & reach)
    if columns.size == 0:
        return None
    x = grid[columns]
    use = x < limit[:, None] if end == "low" else x > limit[:, None]
    return columns, use


def _exponential_end(
    energy: np.ndarray, values: np.ndarray, end: Literal["low", "high"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a·exp(b·x) to the 100 non-zero points nearest one end, for all spectra at once.

    A straight line through the logarithms weighted by the squared values, which is least squares
    of the curve itself to first order. Returns ln a, b and the energy of the outermost point,
    each of shape (n,); spectra with fewer than two non-zero points get a curve of zero.
    """
    order = slice(None) if end == "low" else slice(None, None, -1)
    y = values[:, order]
    x = energy[order]
    positive = y > 0
    rank = np.cumsum(positive, axis=1)
    reach = min(y.shape[1], int((rank < _FIT_POINTS).sum(axis=1).max()) + 1)
    y, x = y[:, :reach], x[:reach]
    use = positive[:, :reach] & (rank[:, :reach] <= _FIT_POINTS)
    weight = np.where(use, y, 0.0) ** 2
    log_y = np.log(np.where(use, y, 1.0))
    total = weight.sum(axis=1)
    safe = np.where(total > 0, total, 1.0)
    mean_x = (weight @ x) / safe
    mean_y = (weight * log_y).sum(axis=1) / safe
    dx = x[None, :] - mean_x[:, None]
    spread = (weight * dx * dx).sum(axis=1)
    slope = (weight * dx * (log_y - mean_y[:, None])).sum(axis=1)
    fits = (use.sum(axis=1) >= 2) & (spread > 0)
    b = np.where(fits, slope / np.where(spread > 0, spread, 1.0), 0.0)
    log_a = np.where(fits, mean_y - b * mean_x, -np.inf)
    first = np.argmax(use, axis=1)
    outermost = np.where(use.any(axis=1), x[first], energy[0] if end == "low" else energy[-1])
    return log_a, b, outermost
