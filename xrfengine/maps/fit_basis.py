"""What a full-spectrum fit is made of: shapes of line groups, scatter, sum peaks and background.

A basis is plain arrays: who knows the instrument renders it
(:func:`xrfengine.classifier.fit_basis.basis_of`), :mod:`xrfengine.maps.fit` only fits it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from xrfengine.errors import SettingsError

Kind = Literal["lines", "scatter", "sums", "background"]


@dataclass(frozen=True, eq=False)
class FitBasis:
    """Components of a fit, on bins of whole channels.

    Attributes
    ----------
    names : tuple of str
        ``"Fe K"``, ``"Pb L"``, ``"rayleigh K"``, ``"sum peaks"``, ``"background 1"`` …
    kinds : tuple of {"lines", "scatter", "sums", "background"}
    elements : tuple of str
        Symbol of the element whose lines a component is; ``""`` for what is no element's.
    main : tuple of str
        For each element its component that maps show: the best measured one.
    shapes : ndarray, float64, shape (component, bin), ≥ 0
        Counts in each bin for one net count of the component.
    starts : ndarray of int, shape (bin,), rising
        First channel of each bin; a bin ends where the next starts.
    stop : int
        Channel after the last bin.

    Raises
    ------
    SettingsError
        If the sizes do not fit together, a shape is empty or negative, or a bin is.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    elements: tuple[str, ...]
    main: tuple[str, ...]
    shapes: np.ndarray
    starts: np.ndarray
    stop: int

    def __post_init__(self) -> None:
        shapes = np.array(self.shapes, dtype=np.float64, ndmin=2)
        starts = np.array(self.starts, dtype=np.int64)
        sizes = {len(self.names), len(self.kinds), len(self.elements), shapes.shape[0]}
        if len(sizes) != 1 or shapes.shape[1] != starts.size:
            raise SettingsError(
                f"a basis of {len(self.names)} names has shapes of {shapes.shape} over "
                f"{starts.size} bins",
                "Every component needs a name, a kind, an element and one value a bin.",
            )
        limits = np.append(starts, self.stop)
        if not starts.size or starts[0] < 0 or (np.diff(limits) <= 0).any():
            raise SettingsError("the bins of a basis do not rise", "Give rising first channels.")
        if not np.isfinite(shapes).all() or (shapes < 0).any() or (shapes.sum(axis=1) <= 0).any():
            raise SettingsError(
                "a component of the basis is empty, negative or no number",
                "Leave out what has no counts in the range of the bins.",
            )
        missing = [name for name in self.main if name not in self.names]
        if missing:
            raise SettingsError(f"the basis has no component {missing[0]!r}")
        for array, name in ((shapes, "shapes"), (starts, "starts")):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def n_components(self) -> int:
        return self.shapes.shape[0]

    @property
    def n_bins(self) -> int:
        return self.shapes.shape[1]

    def of_kind(self, *kinds: Kind) -> np.ndarray:
        """Indices of the components of these kinds."""
        return np.array([i for i, kind in enumerate(self.kinds) if kind in kinds], dtype=np.int64)

    def to_bins(self, counts: np.ndarray) -> np.ndarray:
        """Counts summed to bins, float64, shape (…, bin); from shape (…, channel)."""
        inside = np.asarray(counts)[..., : self.stop]
        return np.add.reduceat(inside, self.starts, axis=-1, dtype=np.float64)
