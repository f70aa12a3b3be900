"""NumPy's ``.npy`` and ``.npz``. Pickled objects are refused before a byte of them is loaded."""

from __future__ import annotations

import contextlib
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from xrfengine.errors import ReadError
from xrfengine.readers.source import (
    Source,
    bands,
    calibration_of,
    check_layout,
    instrument_of,
    sidecar,
)

READ_BYTES = 4 << 20

Header = tuple[tuple[int, ...], bool, np.dtype]
"""Shape, whether the first axis runs fastest, type."""


@contextlib.contextmanager
def open_npy(path: Path) -> Iterator[Source]:
    """Open an ``.npy`` file; its calibration stands in the JSON file beside it."""
    with path.open("rb") as file:
        header = _header(path, file)
        held = path.stat().st_size - file.tell()
        check_layout(path, header[0], header[2])
        values = sidecar(path)
        yield _source(path, "NumPy .npy", file, header, held, values, None)


@contextlib.contextmanager
def open_npz(path: Path) -> Iterator[Source]:
    """Open an ``.npz`` file with ``counts`` and ``energy_keV`` or ``offset_kev``, ``gain_kev``."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            if "counts" not in members:
                listed = f"only {', '.join(members)}" if members else "nor any other"
                raise ReadError(
                    f"{path}: there is no array 'counts' in it, {listed}",
                    "Save it with np.savez(file, counts=…, energy_keV=…).",
                )
            values = {
                name.lower(): _small(path, archive, member)
                for name, member in members.items()
                if name != "counts"
            }
            values = {name: value for name, value in values.items() if value is not None}
            with archive.open(members["counts"]) as file:
                header = _header(path, file)
                held = archive.getinfo(members["counts"]).file_size - file.tell()
                check_layout(path, header[0], header[2])
                energy = values.get("energy_kev", values.get("energy"))
                yield _source(path, "NumPy .npz", file, header, held, values, energy)
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,  # encrypted, or compressed in a way that Python lacks
    ) as error:
        raise ReadError(
            f"{path}: the archive is damaged or truncated ({error})",
            "Copy it again, or save it anew.",
        ) from error


def _header(path: Path, file: IO[bytes]) -> Header:
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        return read(file)
    except (ValueError, EOFError, SyntaxError, OverflowError, tokenize.TokenError) as error:
        # NumPy parses the header as a Python literal: damage shows as any error of that.
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise ReadError(
            f"{path}: the header of the array is damaged or truncated ({text})",
            "Copy the file again, or save it anew with numpy.save.",
        ) from error


def _small(path: Path, archive: zipfile.ZipFile, member: str) -> np.ndarray | None:
    """A short numeric array of the archive; None for anything else, which is not ours to read."""
    if not member.endswith(".npy"):
        return None
    with archive.open(member) as file:
        shape, _, dtype = _header(path, file)
        if dtype.kind not in "iufSU" or len(shape) > 1 or math.prod(shape) > 1 << 20:
            return None
        data = file.read(math.prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _source(
    path: Path,
    name: str,
    file: IO[bytes],
    header: Header,
    held: int,
    values: dict[str, Any],
    energy: np.ndarray | None,
) -> Source:
    shape, fortran, dtype = header
    native = dtype.newbyteorder("=")

    def calibrate() -> Any:
        return calibration_of(path, values, shape[-1], energy=energy)

    def truncated(missing: int) -> ReadError:
        return ReadError(
            f"{path}: the file is truncated, {missing:,} bytes of the counts are missing",
            "Copy it again, or save it anew.",
        )

    def fill(out: np.ndarray) -> Iterator[float]:
        needed = math.prod(shape) * dtype.itemsize
        if held < needed:
            raise truncated(needed - held)
        done = 0
        if not fortran or len(shape) == 1:
            for block in _blocks(out.reshape(-1)):
                _read_into(file, block, truncated)
                if not dtype.isnative:
                    block.byteswap(inplace=True)
                done += block.nbytes
                yield done / needed
            return
        stored = out.transpose(2, 1, 0)
        for band in bands(stored.shape, dtype.itemsize):
            block = np.empty((band.stop - band.start, *stored.shape[1:]), dtype=dtype)
            _read_into(file, block.reshape(-1), truncated)
            stored[band] = block
            done += block.nbytes
            yield done / needed

    return Source(
        format=name,
        shape=shape,
        dtype=native,
        calibrate=calibrate,
        fill=fill,
        instrument=instrument_of(values),
    )


def _blocks(flat: np.ndarray) -> Iterator[np.ndarray]:
    for band in bands(flat.shape, flat.itemsize):
        yield flat[band]


def _read_into(file: IO[bytes], flat: np.ndarray, truncated: Any) -> None:
    """Fill a contiguous array from a stream, a few megabytes at a time."""
    bytes_view = memoryview(flat.view(np.uint8))
    at = 0
    while at < len(bytes_view):
        got = file.readinto(bytes_view[at : at + READ_BYTES])  # type: ignore[attr-defined]
        if not got:
            raise truncated(len(bytes_view) - at)
        at += got
