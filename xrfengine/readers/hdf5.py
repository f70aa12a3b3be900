"""HDF5 with ``counts`` and ``energy_keV``, and NetCDF 4 (which is HDF5) as xarray writes it.

NetCDF is read through h5py too: importing xarray alone costs more memory than the 30 % that
reading may take on top of a 200 MB cube.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xrfengine.errors import ReadError
from xrfengine.readers.hdf5_chunks import fill_from_large_chunks, has_large_chunks
from xrfengine.readers.source import Source, boxes, calibration_of, instrument_of, lower_keys

CHUNK_CACHE_BYTES = 4 << 20

ENERGY_NAMES = ("energy_kev", "energy", "energies_kev", "energies")

AXES = {
    "y": ("y", "row", "rows"),
    "x": ("x", "column", "columns", "col"),
    "energy": ("energy", "energy_kev", "channel", "channels", "e"),
}
"""Names of dimensions that tell the order of the axes."""


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[Source]:
    """Open an HDF5 or NetCDF 4 file; see :class:`~xrfengine.readers.source.Source`."""
    try:
        file = h5py.File(path, "r", locking="best-effort", rdcc_nbytes=CHUNK_CACHE_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        try:
            counts = _counts(path, file)
            yield _source(path, file, counts)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            # h5py tells of damage inside a file as any of these.
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ReadError:
    text = " ".join(str(error).split())
    if "truncated" in text:
        return ReadError(
            f"{path}: the file is truncated, its end is missing",
            "Copy it again, or save it anew where it was measured.",
        )
    if "lock" in text:
        return ReadError(
            f"{path}: another program has the file open for writing",
            "Close that program, or read a copy.",
        )
    if "filter" in text or "plugin" in text:
        return ReadError(
            f"{path}: its compression is not known here ({text})",
            "Rewrite the counts with gzip compression, for example with h5repack -f GZIP=4.",
        )
    return ReadError(
        f"{path}: the HDF5 file is damaged ({text})",
        "Copy it again, or save it anew where it was measured.",
    )


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            # A damaged name is no text and comes as bytes.
            found[name if isinstance(name, str) else os.fsdecode(name)] = item

    file.visititems(visit)
    return found


def _counts(path: Path, file: h5py.File) -> h5py.Dataset:
    """The data set ``counts`` at the top, else the only one of that name anywhere."""
    top = file.get("counts")
    if isinstance(top, h5py.Dataset):
        return top
    datasets = _datasets(file)
    named = [name for name in datasets if name.rpartition("/")[2].lower() == "counts"]
    if len(named) == 1:
        return datasets[named[0]]
    if named:
        raise ReadError(
            f"{path}: there are several data sets of counts: {', '.join(named)}",
            "Keep one of them as 'counts' at the top of the file.",
        )
    listed = [f"{name} {item.shape}" for name, item in list(datasets.items())[:8]]
    more = f" and {len(datasets) - 8} more" if len(datasets) > 8 else ""
    raise ReadError(
        f"{path}: there is no data set 'counts' in it, "
        + (f"only {', '.join(listed)}{more}" if listed else "nor any other"),
        "Store the counts (y, x, channel) as 'counts' and the energies as 'energy_keV'.",
    )


def _energy(counts: h5py.Dataset) -> tuple[np.ndarray | None, str]:
    """Energies in keV that stand beside the counts, and the name they stand under."""
    beside = {str(name).lower(): name for name in counts.parent}
    for name in ENERGY_NAMES:
        item = counts.parent.get(beside[name]) if name in beside else None
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            continue
        values = item[()]
        units = item.attrs.get("units", b"keV")
        units = units.decode() if isinstance(units, bytes) else str(units)
        if units.strip().lower() == "ev" and np.asarray(values).dtype.kind in "iuf":
            values = np.asarray(values, dtype=np.float64) / 1000.0
        return np.asarray(values), beside[name]
    return None, "energy_keV"


def axis_order(names: list[str | None], n_axes: int) -> tuple[int, ...]:
    """Which stored axis is y, x, energy; the order as stored unless the names say otherwise."""
    if n_axes == 3 and all(names):
        low = [str(name).lower() for name in names]
        found = [
            [i for i, name in enumerate(low) if name in AXES[axis]] for axis in ("y", "x", "energy")
        ]
        if all(len(places) == 1 for places in found):
            return tuple(places[0] for places in found)
    return tuple(range(n_axes))


def _dimension_names(counts: h5py.Dataset) -> list[str | None]:
    names: list[str | None] = []
    for dimension in counts.dims:
        scale = dimension[0].name if len(dimension) else None
        names.append(scale.rpartition("/")[2] if scale else dimension.label or None)
    return names


def _source(path: Path, file: h5py.File, counts: h5py.Dataset) -> Source:
    stored_shape = (0,) if counts.shape is None else counts.shape
    order = axis_order(_dimension_names(counts), len(stored_shape))
    shape = tuple(stored_shape[i] for i in order)
    attributes = {**file.attrs, **counts.parent.attrs, **counts.attrs}
    packed = {"scale_factor", "add_offset"} & set(lower_keys(counts.attrs))
    if packed:
        raise ReadError(
            f"{path}: the counts are packed with {' and '.join(sorted(packed))}",
            "Write them unpacked, as plain counts.",
        )

    def calibrate() -> Any:
        energy, name = _energy(counts)
        return calibration_of(path, attributes, shape[-1], energy=energy, energy_name=name)

    def fill(out: np.ndarray) -> Iterator[float]:
        # The view has the axes as stored; reading straight into it saves a second array.
        stored = out.transpose(np.argsort(order))
        if stored.flags.c_contiguous and has_large_chunks(counts):
            yield from fill_from_large_chunks(path, counts, stored)
            return
        chunk = counts.chunks or (1,) * len(stored_shape)
        for box in boxes(stored_shape, counts.dtype.itemsize, chunk):
            if stored.flags.c_contiguous:
                counts.read_direct(stored, box, box)
            else:
                stored[box] = counts[box]
            yield box[0].stop / stored_shape[0]

    is_netcdf = "_Netcdf4Dimid" in counts.attrs or path.suffix.lower() == ".nc"
    return Source(
        format="NetCDF" if is_netcdf else "HDF5",
        shape=shape,
        dtype=counts.dtype.newbyteorder("="),
        calibrate=calibrate,
        fill=fill,
        instrument=instrument_of(attributes),
    )
