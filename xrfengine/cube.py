"""The types every part of the software speaks of: calibration, spectrum, cube, element maps.

All are frozen dataclasses over read-only arrays. Dimensions are always ``y, x, energy``;
energies are keV at the centre of a channel.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xrfengine.cache import digest
from xrfengine.errors import CalibrationError, SettingsError

if TYPE_CHECKING:
    import xarray as xr

MapKind = Literal["probability", "roi", "fit", "truth"]

MAP_UNITS: dict[str, str] = {"probability": "1", "roi": "counts", "fit": "counts", "truth": "1"}


@dataclass(frozen=True)
class Calibration:
    """Energy of a channel: ``offset_kev + gain_kev · channel + quadratic_kev · channel²``.

    Parameters
    ----------
    offset_kev : float
        Energy at the centre of channel 0.
    gain_kev : float
        Width of a channel, above 0.
    quadratic_kev : float
        Curvature per channel squared; 0 for nearly every instrument.
    fwhm_mn_kev : float or None
        Resolution (full width at half maximum) at Mn Kα, 5.9 keV, where known.
    """

    offset_kev: float
    gain_kev: float
    quadratic_kev: float = 0.0
    fwhm_mn_kev: float | None = None

    def __post_init__(self) -> None:
        values = (self.offset_kev, self.gain_kev, self.quadratic_kev)
        if not all(np.isfinite(values)):
            raise CalibrationError(
                f"the energy calibration holds a value that is no number: {values}",
                "Give offset and gain in keV.",
            )
        if self.gain_kev <= 0:
            raise CalibrationError(
                f"the energy calibration has a gain of {self.gain_kev:g} keV per channel",
                "Energies must rise with the channel: give a gain above 0.",
            )

    @classmethod
    def from_energies(cls, energy_kev: np.ndarray, what: str = "the energy axis") -> Calibration:
        """The calibration behind a list of channel energies, shape (channel,).

        Raises
        ------
        CalibrationError
            If the axis is too short, not finite, does not rise, or is not smooth (farther than
            half a channel from a parabola).
        """
        energy = np.asarray(energy_kev, dtype=np.float64)
        if energy.ndim != 1 or energy.size < 2:
            raise CalibrationError(
                f"{what} has the shape {energy.shape}",
                "It must list one energy in keV for each of at least two channels.",
            )
        if not np.isfinite(energy).all():
            raise CalibrationError(
                f"{what} holds values that are no numbers",
                "Every channel needs an energy in keV.",
            )
        if (np.diff(energy) <= 0).any():
            where = int(np.argmax(np.diff(energy) <= 0))
            raise CalibrationError(
                f"{what} does not rise at channel {where + 1} "
                f"({energy[where]:g} → {energy[where + 1]:g} keV)",
                "Energies must rise from channel to channel: sort or correct them.",
            )
        channel = np.arange(energy.size, dtype=np.float64)
        step = (energy[-1] - energy[0]) / (energy.size - 1)
        quadratic, gain, offset = 0.0, step, energy[0]
        if np.abs(offset + gain * channel - energy).max() > 0.01 * step and energy.size > 2:
            quadratic, gain, offset = np.polyfit(channel, energy, 2)
        worst = np.abs(offset + (gain + quadratic * channel) * channel - energy).max()
        if worst > 0.5 * step or gain <= 0:
            raise CalibrationError(
                f"{what} is not evenly spaced: it departs from a smooth line by {worst:g} keV",
                "Rebin the spectra to even channels first.",
            )
        return cls(float(offset), float(gain), float(quadratic))

    def energy_kev(self, n_channels: int) -> np.ndarray:
        """Channel centres in keV, shape (n_channels,)."""
        return self.at(np.arange(n_channels, dtype=np.float64))

    def edges_kev(self, n_channels: int) -> np.ndarray:
        """Channel limits in keV, shape (n_channels + 1,)."""
        return self.at(np.arange(n_channels + 1, dtype=np.float64) - 0.5)

    def at(self, channel: np.ndarray | float) -> np.ndarray:
        """Energy in keV at fractional channels."""
        c = np.asarray(channel, dtype=np.float64)
        return self.offset_kev + self.gain_kev * c + self.quadratic_kev * c * c

    def channel(self, energy_kev: np.ndarray | float) -> np.ndarray:
        """Fractional channel at an energy in keV; the inverse of :meth:`at`."""
        e = np.asarray(energy_kev, dtype=np.float64)
        if self.quadratic_kev == 0.0:
            return (e - self.offset_kev) / self.gain_kev
        # Citardauq form: stays exact when the curvature is tiny.
        c = self.offset_kev - e
        root = np.sqrt(np.maximum(self.gain_kev**2 - 4.0 * self.quadratic_kev * c, 0.0))
        return -2.0 * c / (self.gain_kev + root)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class Instrument:
    """What is known of the measurement; None where the file does not say.

    Attributes
    ----------
    tube_anode : str or None
        Symbol of the X-ray tube's anode, such as ``"Rh"``.
    tube_kv : float or None
        Tube voltage (or beam energy) in kV.
    live_time_s : float or None
        Live time of one spectrum in seconds.
    pixel_size_mm : float or None
        Distance of neighbouring pixels in mm.
    """

    tube_anode: str | None = None
    tube_kv: float | None = None
    live_time_s: float | None = None
    pixel_size_mm: float | None = None


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Counts of one spectrum (or a sum of many) with its calibration.

    Attributes
    ----------
    counts : ndarray, shape (channel,), ≥ 0
    n_pixels : int
        How many spectra were summed.
    """

    counts: np.ndarray
    calibration: Calibration
    name: str = ""
    n_pixels: int = 1
    instrument: Instrument = Instrument()

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts)
        if counts.ndim != 1 or counts.size < 2:
            raise SettingsError(f"a spectrum needs at least two channels, got {counts.shape}")
        object.__setattr__(self, "counts", _read_only(counts))

    @property
    def energy_kev(self) -> np.ndarray:
        return self.calibration.energy_kev(self.counts.size)

    @property
    def total(self) -> float:
        return float(self.counts.sum(dtype=np.float64))

    @property
    def mean_counts(self) -> np.ndarray:
        """Counts per pixel, float64, shape (channel,)."""
        return self.counts.astype(np.float64) / self.n_pixels


@dataclass(frozen=True, eq=False)
class Cube:
    """A spectral image: photon counts ``(y, x, energy)``, in the type they were stored in."""

    counts: np.ndarray
    calibration: Calibration
    name: str = "cube"
    path: str | None = None
    instrument: Instrument = Instrument()

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts)
        if counts.ndim != 3 or 0 in counts.shape or counts.shape[2] < 2:
            raise SettingsError(
                f"a cube needs the shape (y, x, energy) with at least two channels, "
                f"got {counts.shape}"
            )
        object.__setattr__(self, "counts", _read_only(counts))

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.counts.shape  # type: ignore[return-value]

    @property
    def n_pixels(self) -> int:
        return self.counts.shape[0] * self.counts.shape[1]

    @property
    def energy_kev(self) -> np.ndarray:
        return self.calibration.energy_kev(self.counts.shape[2])

    @cached_property
    def digest(self) -> str:
        """Digest of every count and of the calibration."""
        return digest(self.counts, self.calibration)

    @cached_property
    def total_counts(self) -> np.ndarray:
        """Counts of each pixel, float32, shape (y, x)."""
        total = np.empty(self.counts.shape[:2], dtype=np.float32)
        for row, counts in enumerate(self.counts):
            total[row] = counts.sum(axis=1, dtype=np.float64)
        return _read_only(total)

    def counts_per_region(self, region_px: int) -> float:
        """Median over the pixels of all counts of one, times the pixels of a k×k region."""
        return float(np.median(self.total_counts)) * region_px**2

    @cached_property
    def sum_spectrum(self) -> Spectrum:
        total = np.zeros(self.counts.shape[2])
        for counts in self.counts:
            total += counts.sum(axis=0, dtype=np.float64)
        return self.spectrum(total, self.name, self.n_pixels)

    @cached_property
    def max_spectrum(self) -> Spectrum:
        """The largest count of any pixel in each channel: shows what only few pixels hold."""
        high = self.counts[0].max(axis=0).astype(np.float64)
        for counts in self.counts[1:]:
            np.maximum(high, counts.max(axis=0), out=high)
        return self.spectrum(high, f"{self.name} (maximum)", 1)

    def spectrum(self, counts: np.ndarray, name: str, n_pixels: int) -> Spectrum:
        """A spectrum of this cube's calibration and instrument."""
        return Spectrum(counts, self.calibration, name, n_pixels, self.instrument)

    def recalibrated(self, calibration: Calibration) -> Cube:
        """The same counts under another energy calibration."""
        return dataclasses.replace(self, calibration=calibration)


@dataclass(frozen=True, eq=False)
class ElementMaps:
    """One image for each element, from one method.

    Attributes
    ----------
    elements : tuple of str
        Symbols, in the order of the first axis.
    values : ndarray, float32, shape (element, y, x)
        Always of the cube's full size: a k×k region fills its k×k pixels.
    kind : {"probability", "roi", "fit", "truth"}
        Probability that the element is visible (0…1), or net counts per pixel.
    region_px : int
        Side of the averaged regions, k.
    source : str
        Digest of the cube the maps came from.
    model : str
        Digest of the weights that made them; empty where none did.
    counts_per_region : float or None
        See :meth:`Cube.counts_per_region`, where thresholds depend on it.
    """

    elements: tuple[str, ...]
    values: np.ndarray
    kind: MapKind
    region_px: int = 1
    source: str = ""
    model: str = ""
    counts_per_region: float | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[0] != len(self.elements):
            raise SettingsError(
                f"{len(self.elements)} elements need maps of shape (element, y, x), "
                f"got {self.values.shape}"
            )
        object.__setattr__(self, "values", _read_only(self.values))

    def __getitem__(self, element: str) -> np.ndarray:
        """The map of one element, shape (y, x)."""
        try:
            return self.values[self.elements.index(element)]
        except ValueError:
            raise SettingsError(
                f"there is no {self.kind} map of {element!r}",
                f"Choose one of {', '.join(self.elements)}.",
            ) from None

    def to_xarray(self) -> xr.Dataset:
        """A data set with the variable ``maps`` (element, y, x), ready for NetCDF."""
        import xarray as xr  # half a second: only those who export pay for it

        maps = xr.DataArray(
            self.values,
            dims=("element", "y", "x"),
            coords={"element": list(self.elements)},
            attrs={
                "kind": self.kind,
                "units": MAP_UNITS[self.kind],
                "region_px": self.region_px,
                "cube_digest": self.source,
                "model_digest": self.model,
            },
        )
        return xr.Dataset({"maps": maps})

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        meta = {
            "elements": list(self.elements),
            "kind": self.kind,
            "region_px": self.region_px,
            "source": self.source,
            "model": self.model,
            "counts_per_region": self.counts_per_region,
        }
        return {"values": self.values}, meta

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> ElementMaps:
        return cls(values=arrays["values"], **{**meta, "elements": tuple(meta["elements"])})
