"""What every reader has to say of a file before its counts are read, and the checks all share.

A format module has one function, a context manager that opens a file and yields a
:class:`Source`. Everything that is wrong with a file becomes a :class:`ReadError` that names the
file, the problem and the remedy; nothing is ever unpickled.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.cube import Calibration, Instrument
from xrfengine.errors import CalibrationError, ReadError
from xrfengine.jobs import chunks

BAND_BYTES = 16 << 20
"""Counts are read and checked in bands of about this size, so that memory stays at one array."""

HIGHEST_KEV = 500.0
"""Above this an energy axis is surely not in keV."""


@dataclass(frozen=True)
class Source:
    """An open file.

    Attributes
    ----------
    format : str
        Name of the format for people.
    shape : tuple of int
        (y, x, channel), or (channel,) for a single spectrum, after any reordering of axes.
    dtype : numpy.dtype
        The stored type, in this machine's byte order.
    calibrate : callable
        Gives the calibration the file states; raises ReadError where it states none.
    fill : callable
        Writes the counts into an array of that shape and type, in steps; yields the fraction done.
    """

    format: str
    shape: tuple[int, ...]
    dtype: np.dtype
    calibrate: Callable[[], Calibration]
    fill: Callable[[np.ndarray], Iterator[float]]
    instrument: Instrument

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def bands(shape: tuple[int, ...], itemsize: int, multiple: int = 1) -> Iterator[slice]:
    """Slices of the first axis of about ``BAND_BYTES``, their length a multiple of ``multiple``."""
    row_bytes = max(1, math.prod(shape[1:]) * itemsize)
    rows = max(1, BAND_BYTES // row_bytes // multiple) * multiple
    yield from chunks(shape[0], rows)


def boxes(
    shape: tuple[int, ...], itemsize: int, chunk: tuple[int, ...]
) -> Iterator[tuple[slice, ...]]:
    """Boxes of whole chunks that cover an array, each of one chunk or about ``BAND_BYTES``."""
    sides = [min(side, n) for side, n in zip(chunk, shape, strict=True)]
    for axis in reversed(range(len(shape))):
        room = BAND_BYTES // (math.prod(sides) * itemsize)
        sides[axis] = min(shape[axis], sides[axis] * max(1, room))
    axes = [list(chunks(n, side)) for n, side in zip(shape, sides, strict=True)]
    yield from itertools.product(*axes)


def check_layout(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise ReadError unless these can be counts of a cube or of a spectrum."""
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        kinds = {
            "O": "Python objects, which are never loaded because they can run code",
            "c": "complex numbers",
            "b": "true and false",
            "V": "records of several fields",
        }
        raise ReadError(
            f"{path}: the counts are {kinds.get(dtype.kind, f'of the type {dtype}')}",
            "Store them as integers or real numbers of at most 64 bits.",
        )
    if len(shape) not in (1, 3):
        raise ReadError(
            f"{path}: the counts have the shape {shape}, with {len(shape)} axes",
            "A cube needs the three axes (y, x, channel), a single spectrum one; "
            "reshape a list of spectra to (rows, columns, channels).",
        )
    if min(shape) < 1:
        raise ReadError(
            f"{path}: the counts are empty, their shape is {shape}",
            "Check that the measurement was saved to the end.",
        )
    if shape[-1] < 2:
        raise ReadError(
            f"{path}: there is only one channel (shape {shape})",
            "An XRF spectrum needs many channels; the last axis must be the channel.",
        )


def check_counts(path: Path, counts: np.ndarray) -> None:
    """Raise ReadError naming the first count that is negative or not finite.

    Works in bands and without copies, since a whole cube hardly fits twice.
    """
    if counts.dtype.kind == "u":
        return
    rows = counts.reshape(1, -1) if counts.ndim == 1 else counts
    for band in bands(rows.shape, rows.itemsize):
        block = rows[band]
        with np.errstate(invalid="ignore"):
            fine = block.min() >= 0 and block.max() < np.inf
        if fine:
            continue
        at = np.unravel_index(int(np.argmax(~((block >= 0) & (block < np.inf)))), block.shape)
        value = block[at]
        if counts.ndim == 1:
            where = f"channel {at[1]}"
        else:
            where = f"pixel y {band.start + at[0]}, x {at[1]}, channel {at[2]}"
        what = "negative" if value < 0 and np.isfinite(value) else "no finite number"
        raise ReadError(
            f"{path}: a count is {what}: {value} at {where}",
            "Counts of photons must be 0 or more: mask or set to 0 what was not measured, "
            "and store counts before any background subtraction.",
        )


def lower_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in values.items()}


def _number(value: Any) -> float | None:
    """A finite number, or None for anything else a file may hold in that place."""
    try:
        number = float(np.asarray(value).reshape(()))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def instrument_of(values: Mapping[str, Any]) -> Instrument:
    """What a file's attributes say of the measurement; names are matched without case."""
    low = lower_keys(values)

    def positive(*names: str) -> float | None:
        numbers = (_number(low[name]) for name in names if name in low)
        return next((number for number in numbers if number is not None and number > 0), None)

    anode = low.get("tube_anode")
    if isinstance(anode, bytes):
        anode = anode.decode(errors="replace")
    return Instrument(
        tube_anode=str(anode) if anode is not None and str(anode).strip() else None,
        tube_kv=positive("tube_kv", "kv"),
        live_time_s=positive("live_time_s"),
        pixel_size_mm=positive("pixel_size_mm", "step_mm"),
    )


def sidecar(path: Path) -> dict[str, Any]:
    """The JSON object beside a file: ``cube.json`` (or ``cube.npy.json``) for ``cube.npy``."""
    for candidate in (path.with_suffix(".json"), path.with_name(path.name + ".json")):
        if not candidate.is_file():
            continue
        try:
            values = json.loads(candidate.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ReadError(
                f"{candidate}: not readable as JSON ({error})",
                'It should read like {"offset_kev": 0.0, "gain_kev": 0.01}.',
            ) from error
        if not isinstance(values, dict):
            raise ReadError(
                f"{candidate}: holds no JSON object",
                'It should read like {"offset_kev": 0.0, "gain_kev": 0.01}.',
            )
        return lower_keys(values)
    return {}


def calibration_of(
    path: Path,
    values: Mapping[str, Any],
    n_channels: int,
    *,
    energy: np.ndarray | None = None,
    energy_name: str = "energy_keV",
) -> Calibration:
    """The calibration a file states: its energy axis, else offset and gain, else its sidecar.

    Parameters
    ----------
    values : mapping
        The file's attributes; ``offset_keV``, ``gain_keV``, ``quadratic_keV`` and
        ``fwhm_mn_keV`` are looked for without case.
    energy : ndarray or None
        Energies of the channels in keV.

    Raises
    ------
    ReadError
        If there is none, or it makes no sense.
    """
    low = lower_keys(values)
    if energy is None and "gain_kev" not in low:
        low = {**low, **sidecar(path)}
        energy = None if low.get("energy_kev") is None else np.asarray(low["energy_kev"])
    fwhm = _number(low.get("fwhm_mn_kev"))
    try:
        if energy is not None:
            result = _from_axis(path, energy, energy_name, n_channels)
        elif "gain_kev" in low:
            result = _from_numbers(path, low)
        else:
            raise ReadError(
                f"{path}: there is no energy calibration",
                f"Store the energies as energy_keV, or write {path.with_suffix('.json').name} "
                'beside it with {"offset_kev": …, "gain_kev": …}.',
            )
        highest = float(result.at(n_channels - 1))
        if highest > HIGHEST_KEV:
            raise ReadError(
                f"{path}: the energy axis ends at {highest:g} keV",
                "That looks like eV: energies must be given in keV.",
            )
        if fwhm is not None and fwhm > 0:
            return Calibration(result.offset_kev, result.gain_kev, result.quadratic_kev, fwhm)
        return result
    except CalibrationError as error:
        text = error.message if str(path) in error.message else f"{path}: {error.message}"
        raise ReadError(text, error.hint) from error


def _from_axis(path: Path, energy: np.ndarray, name: str, n_channels: int) -> Calibration:
    what = f"{path}: the energy axis {name}"
    if energy.dtype.kind not in "iuf":
        raise ReadError(f"{what} holds no numbers", "Store one energy in keV for each channel.")
    if energy.shape != (n_channels,):
        raise ReadError(
            f"{what} has the shape {energy.shape}, but the counts have {n_channels} channels",
            "It must list one energy for each channel, and the channel must be the last axis "
            "of the counts.",
        )
    return Calibration.from_energies(energy, what)


def _from_numbers(path: Path, low: Mapping[str, Any]) -> Calibration:
    numbers = {}
    for name, default in (("offset_kev", None), ("gain_kev", None), ("quadratic_kev", 0.0)):
        number = _number(low[name]) if name in low else default
        if number is None:
            raise ReadError(
                f"{path}: the calibration has no usable {name} ({low.get(name)!r})",
                "Give offset_kev and gain_kev as numbers in keV.",
            )
        numbers[name] = number
    return Calibration(**numbers)
