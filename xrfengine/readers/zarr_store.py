"""Zarr stores as xarray writes them: an array ``counts`` with named dimensions, and ``energy``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.errors import ReadError
from xrfengine.readers.hdf5 import ENERGY_NAMES, axis_order
from xrfengine.readers.source import Source, boxes, calibration_of, instrument_of


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr store."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zmetadata"))


@contextlib.contextmanager
def open_zarr(path: Path) -> Iterator[Source]:
    """Open a Zarr group; see :class:`~xrfengine.readers.source.Source`."""
    import zarr  # a third of a second: only those who read Zarr pay for it
    from zarr.errors import BaseZarrError

    try:
        group = zarr.open_group(path, mode="r")
        arrays = dict(group.arrays())
        if "counts" not in arrays:
            listed = [f"{name} {array.shape}" for name, array in arrays.items()]
            raise ReadError(
                f"{path}: there is no array 'counts' in it, "
                + (f"only {', '.join(listed)}" if listed else "nor any other"),
                "Store the counts as 'counts' with the dimensions y, x, energy.",
            )
        yield _source(path, arrays, dict(group.attrs))
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, BaseZarrError) as error:
        # Damage shows as whatever the codec or the metadata parser trips over.
        raise ReadError(
            f"{path}: the Zarr store is damaged ({type(error).__name__}: {error})",
            "Copy it again, all files of it, or write it anew.",
        ) from error


def _dimension_names(array: Any) -> list[str | None]:
    names = getattr(array.metadata, "dimension_names", None)
    if names is None:
        names = array.attrs.get("_ARRAY_DIMENSIONS")
    return list(names) if names else [None] * array.ndim


def _source(path: Path, arrays: dict[str, Any], group_attributes: dict[str, Any]) -> Source:
    counts = arrays["counts"]
    order = axis_order(_dimension_names(counts), counts.ndim)
    shape = tuple(counts.shape[i] for i in order)
    attributes = {**group_attributes, **dict(counts.attrs)}
    if {"scale_factor", "add_offset"} & set(attributes):
        raise ReadError(
            f"{path}: the counts are packed with a scale factor or offset",
            "Write them unpacked, as plain counts.",
        )

    def calibrate() -> Any:
        low = {name.lower(): array for name, array in arrays.items()}
        for name in ENERGY_NAMES:
            if name in low:
                energy = np.asarray(low[name][...])
                if str(low[name].attrs.get("units", "keV")).strip().lower() == "ev":
                    energy = energy / 1000.0
                return calibration_of(path, attributes, shape[-1], energy=energy, energy_name=name)
        return calibration_of(path, attributes, shape[-1])

    def fill(out: np.ndarray) -> Iterator[float]:
        import zarr

        stored = out.transpose(np.argsort(order))
        # One chunk after the other: decoding many at once, each in a thread with memory of its
        # own, would take half the cube again.
        with zarr.config.set({"async.concurrency": 1}):
            for box in boxes(counts.shape, counts.dtype.itemsize, counts.chunks):
                stored[box] = counts[box]
                yield box[0].stop / counts.shape[0]

    return Source(
        format="Zarr",
        shape=shape,
        dtype=counts.dtype.newbyteorder("="),
        calibrate=calibrate,
        fill=fill,
        instrument=instrument_of(attributes),
    )
