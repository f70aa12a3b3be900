"""Ratios of two line groups of one element, which tell of layers.

A layer on top takes more of soft lines than of hard ones: where the Pb M lines (2.3 keV) are weak
beside the Pb L lines (10.5 keV), the lead lies deeper, or under more. Kα and Kβ lie closer, so
that only thick or heavy covers tell them apart (Trojek, Čechák and Musílek, Appl. Radiat. Isot. 68
(2010) 871).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.maps.fit import FitMaps

LEAST_Z = 3.0
"""Standard errors above zero from which a pixel's amount counts as measured."""

_SOFT_FIRST = {"M": 0, "L": 1, "K": 2}


@dataclass(frozen=True)
class Ratio:
    """Which line group is divided by which, both of one element."""

    element: str
    upper: str
    lower: str

    @property
    def names(self) -> tuple[str, str]:
        """The components of a fit: ``("Pb M", "Pb L")``."""
        return f"{self.element} {self.upper}", f"{self.element} {self.lower}"

    @property
    def text(self) -> str:
        """``"Pb M / L"``"""
        return f"{self.element} {self.upper} / {self.lower}"

    @property
    def splits_series(self) -> bool:
        """Whether both are series of one family, which a usual fit ties together."""
        return self.upper[0] == self.lower[0]


@dataclass(frozen=True, eq=False)
class RatioMap:
    """A ratio in every pixel; float32, read-only, nan where either group is not measured.

    Attributes
    ----------
    values, errors : ndarray, shape (y, x)
        The ratio of net counts, and its standard error.
    share : float
        Of the pixels that show a ratio, 0…1.
    """

    ratio: Ratio
    values: np.ndarray
    errors: np.ndarray
    region_px: int = 1

    def __post_init__(self) -> None:
        for name in ("values", "errors"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def share(self) -> float:
        return float(np.isfinite(self.values).mean())


def divide(
    upper: np.ndarray,
    upper_error: np.ndarray,
    lower: np.ndarray,
    lower_error: np.ndarray,
    least_z: float = LEAST_Z,
) -> tuple[np.ndarray, np.ndarray]:
    """Ratio and standard error, float32, where both are significant; nan elsewhere.

    To first order, r·√((σ₁/a)² + (σ₂/b)²): the covariance of the two is left out, which for groups
    of lines that lie apart is small.

    Parameters
    ----------
    upper, lower : ndarray
        Net counts, same shape.
    upper_error, lower_error : ndarray
        Their standard errors.
    least_z : float
        Standard errors above zero that either must reach, above 0.

    Raises
    ------
    SettingsError
        If the shapes differ or ``least_z`` is not above 0.
    """
    arrays = [np.asarray(a, np.float64) for a in (upper, upper_error, lower, lower_error)]
    if len({a.shape for a in arrays}) != 1:
        raise SettingsError(f"maps of the shapes {', '.join(str(a.shape) for a in arrays)}")
    if not least_z > 0:
        raise SettingsError(f"a limit of {least_z:g} standard errors", "It must be above 0.")
    a, sa, b, sb = arrays
    sound = (a > 0) & (b > 0) & (a >= least_z * sa) & (b >= least_z * sb)
    values = np.full(a.shape, np.nan)
    np.divide(a, b, out=values, where=sound)
    relative = np.full(a.shape, np.nan)
    np.divide(sa, a, out=relative, where=sound)
    other = np.full(a.shape, np.nan)
    np.divide(sb, b, out=other, where=sound)
    return values.astype(np.float32), (values * np.hypot(relative, other)).astype(np.float32)


def ratio_map(fit: FitMaps, ratio: Ratio, least_z: float = LEAST_Z) -> RatioMap:
    """The map of a ratio from a fit that holds both groups.

    Raises
    ------
    SettingsError
        If the fit lacks one of them.
    """
    upper, lower = (fit[name] for name in ratio.names)
    return RatioMap(ratio, *divide(*upper, *lower, least_z), fit.region_px)


def ratios_of(fit: FitMaps, apart: Collection[str] = ()) -> tuple[Ratio, ...]:
    """Ratios that a fit allows: softer over harder family, element by element.

    Parameters
    ----------
    fit : FitMaps
    apart : collection of str
        Elements whose Kα and Kβ the detector keeps apart: their ratio is offered, too.
    """
    found = []
    for element in dict.fromkeys(e for e in fit.elements if e):
        mine = {
            name.split()[1][0] for name, e in zip(fit.names, fit.elements, strict=True)
            if e == element
        }  # fmt: skip
        families = sorted(mine, key=_SOFT_FIRST.__getitem__)
        found += [
            Ratio(element, soft, hard)
            for i, soft in enumerate(families)
            for hard in families[i + 1 :]
        ]
        if "K" in mine and element in apart:
            found.append(Ratio(element, "Kα", "Kβ"))
    return tuple(found)
