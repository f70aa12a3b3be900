"""HDF5 data sets whose compressed chunks are a large part of the cube, read as a stream.

HDF5 unpacks a chunk as a whole. Where one chunk holds the whole cube, as some programs write it,
that takes the cube's memory a second time; here it is unpacked a megabyte at a time instead.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import h5py
import numpy as np

from xrfengine.errors import ReadError

PIECE_BYTES = 1 << 20
LARGE_SHARE = 0.1
LARGE_BYTES = 16 << 20

SHUFFLE, GZIP = h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE


def has_large_chunks(counts: h5py.Dataset) -> bool:
    """Whether the chunks are large, and packed in a way that can be unpacked as a stream."""
    if counts.ndim != 3 or not counts.chunks or counts.file.userblock_size:
        return False
    chunk_bytes = math.prod(counts.chunks) * counts.dtype.itemsize
    if chunk_bytes < max(LARGE_BYTES, LARGE_SHARE * counts.nbytes):
        return False
    return _filters(counts) in ([GZIP], [SHUFFLE, GZIP]) and counts.dtype.isnative


def _filters(counts: h5py.Dataset) -> list[int]:
    created = counts.id.get_create_plist()
    return [created.get_filter(i)[0] for i in range(created.get_nfilters())]


def fill_from_large_chunks(path: Path, counts: h5py.Dataset, out: np.ndarray) -> Iterator[float]:
    """Unpack all chunks into ``out``, C-contiguous (y, x, channel); yields the fraction done."""
    shuffled = SHUFFLE in _filters(counts)
    stored = [counts.id.get_chunk_info(i) for i in range(counts.id.get_num_chunks())]
    if math.prod(-(-n // side) for n, side in zip(counts.shape, counts.chunks, strict=True)) > len(
        stored
    ):
        out[...] = counts.fillvalue  # chunks that were never written
    with path.open("rb") as file:
        for number, chunk in enumerate(stored):
            if chunk.filter_mask:
                raise ReadError(
                    f"{path}: a chunk of the counts skips its compression",
                    "Rewrite the file, for example with h5repack.",
                )
            file.seek(chunk.byte_offset)
            pieces = _Unpacked(path, file, chunk.size)
            for done in _fill(pieces, out, chunk.chunk_offset, counts.chunks, shuffled):
                yield (number + done) / len(stored)
    yield 1.0


class _Unpacked:
    """The bytes of one chunk, as many at a time as are asked for."""

    def __init__(self, path: Path, file: IO[bytes], size: int) -> None:
        self._path, self._file, self._left = path, file, size
        self._stream = zlib.decompressobj()
        self._packed = b""

    def take(self, n: int) -> bytes:
        found = []
        while n > 0:
            if not self._packed:
                self._packed = self._file.read(min(PIECE_BYTES, self._left))
                self._left -= len(self._packed)
            try:
                piece = self._stream.decompress(self._packed, n)
            except zlib.error as error:
                raise self._damaged(str(error)) from error
            self._packed = self._stream.unconsumed_tail
            if not piece and not self._packed and (self._stream.eof or self._left <= 0):
                raise self._damaged("it ends too early")
            found.append(piece)
            n -= len(piece)
        return b"".join(found)

    def _damaged(self, what: str) -> ReadError:
        return ReadError(
            f"{self._path}: the compressed counts are damaged ({what})",
            "Copy the file again, or save it anew where it was measured.",
        )


def _fill(
    pieces: _Unpacked,
    out: np.ndarray,
    start: tuple[int, ...],
    chunk: tuple[int, ...],
    shuffled: bool,
) -> Iterator[float]:
    """Write one chunk into its place; what of it lies beyond the cube's edge is dropped.

    A shuffled chunk holds the first bytes of all numbers, then all second bytes, and so on: those
    planes are written one after the other.
    """
    if shuffled:
        target = out.view(np.uint8).reshape(*out.shape, out.dtype.itemsize)
        planes = [target[..., byte] for byte in range(out.dtype.itemsize)]
    else:
        planes = [out]
    line_bytes = chunk[2] * planes[0].dtype.itemsize
    n_lines = chunk[0] * chunk[1]
    at_once = max(1, PIECE_BYTES // line_bytes)
    channels = slice(start[2], min(start[2] + chunk[2], out.shape[2]))
    for number, plane in enumerate(planes):
        for first in range(0, n_lines, at_once):
            line = np.arange(first, min(first + at_once, n_lines))
            data = np.frombuffer(pieces.take(line.size * line_bytes), dtype=plane.dtype)
            y, x = start[0] + line // chunk[1], start[1] + line % chunk[1]
            inside = (y < out.shape[0]) & (x < out.shape[1])
            lines = data.reshape(line.size, chunk[2])[:, : channels.stop - channels.start]
            plane[y[inside], x[inside], channels] = lines[inside]
            yield (number + (line[-1] + 1) / n_lines) / len(planes)
