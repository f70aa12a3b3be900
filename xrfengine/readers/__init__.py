"""One way in for every file: :func:`read`, :func:`probe`, :func:`datasets`.

One module a format, one entry in :data:`FORMATS`. To add a format, write a context manager that
yields a :class:`~xrfengine.readers.source.Source` and name it there.
"""

from __future__ import annotations

import importlib
import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.cube import Calibration, Cube, Instrument, Spectrum
from xrfengine.errors import ReadError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress
from xrfengine.readers.source import Source, check_counts, check_layout

SNIFF_BYTES = 512


@dataclass(frozen=True)
class Format:
    """One file format: its extensions, how its files begin, and who opens them.

    Attributes
    ----------
    begins : tuple of bytes
        The first bytes of a file, any of them; a folder begins with nothing.
    opener : str
        ``module:function``, imported when a file of this format is opened.
    """

    name: str
    suffixes: tuple[str, ...]
    begins: tuple[bytes, ...]
    opener: str

    def open(self, path: Path) -> AbstractContextManager[Source]:
        module, _, function = self.opener.partition(":")
        return getattr(importlib.import_module(module), function)(path)


_HERE = "xrfengine.readers."

FORMATS: tuple[Format, ...] = (
    Format("HDF5", (".h5", ".hdf5"), (b"\x89HDF\r\n\x1a\n",), _HERE + "hdf5:open_hdf5"),
    Format("NetCDF", (".nc",), (b"\x89HDF\r\n\x1a\n",), _HERE + "hdf5:open_hdf5"),
    Format("NumPy .npy", (".npy",), (b"\x93NUMPY",), _HERE + "numpy_files:open_npy"),
    Format("NumPy .npz", (".npz",), (b"PK\x03\x04", b"PK\x05\x06"), _HERE + "numpy_files:open_npz"),
    Format("EMSA/MAS", (".msa", ".emsa"), (b"#FORMAT",), _HERE + "msa:open_msa"),
    Format("EMSA/MAS", (".txt",), (b"#FORMAT",), _HERE + "msa:open_msa"),
    Format("Zarr", (".zarr",), (), _HERE + "zarr_store:open_zarr"),
)

_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"CDF\x01", "a NetCDF 3 file (save it as NetCDF 4: xarray, engine='h5netcdf')"),
    (b"CDF\x02", "a NetCDF 3 file (save it as NetCDF 4: xarray, engine='h5netcdf')"),
    (b"\x80\x04", "a Python pickle, which is never loaded because it can run code"),
    (b"\x80\x05", "a Python pickle, which is never loaded because it can run code"),
    (b"AAMVHFSS", "a Bruker .bcf file"),
)


@dataclass(frozen=True)
class Facts:
    """What can be said of a file without reading its counts.

    Attributes
    ----------
    kind : {"cube", "spectrum"}
    shape : tuple of int
        (y, x, channel), or (channel,) for a spectrum.
    dtype : str
        Type of the counts, such as ``"uint16"``.
    nbytes : int
        Size of the counts in memory.
    """

    path: str
    name: str
    format: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    calibration: Calibration
    instrument: Instrument

    @property
    def n_channels(self) -> int:
        return self.shape[-1]

    @property
    def energy_range_kev(self) -> tuple[float, float]:
        """Energy of the first and of the last channel in keV."""
        low, high = self.calibration.at(np.array([0, self.n_channels - 1]))
        return float(low), float(high)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        low, high = self.energy_range_kev
        return {
            "file": self.path,
            "name": self.name,
            "format": self.format,
            "kind": self.kind,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "nbytes": self.nbytes,
            "channels": self.n_channels,
            "energy_kev": [low, high],
            "offset_kev": self.calibration.offset_kev,
            "gain_kev": self.calibration.gain_kev,
            "quadratic_kev": self.calibration.quadratic_kev,
            "fwhm_mn_kev": self.calibration.fwhm_mn_kev,
            "tube_anode": self.instrument.tube_anode,
            "tube_kv": self.instrument.tube_kv,
            "live_time_s": self.instrument.live_time_s,
            "pixel_size_mm": self.instrument.pixel_size_mm,
        }


def read(
    path: str | os.PathLike[str],
    calibration: Calibration | None = None,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Cube | Spectrum:
    """Read a cube or a single spectrum.

    Counts keep the type they were stored in. Memory grows by the size of the counts and a few
    blocks of 16 MB.

    Parameters
    ----------
    path : path
        HDF5, NetCDF 4, ``.npy``, ``.npz``, Zarr or EMSA/MAS.
    calibration : Calibration or None
        Taken instead of what the file states; a ``.npy`` needs it, or a JSON file beside it.

    Raises
    ------
    ReadError
        Naming the file, what is wrong with it, and the remedy.
    """
    path = Path(path)
    with _opened(path) as source:
        check_layout(path, source.shape, source.dtype)
        calibration = calibration or source.calibrate()
        counts = _room_for(path, source)
        for fraction in source.fill(counts):
            cancel.check()
            progress(fraction, f"Reading {path.name}")
    check_counts(path, counts)
    if len(source.shape) == 1:
        return Spectrum(counts, calibration, path.stem, 1, source.instrument)
    return Cube(counts, calibration, path.stem, str(path), source.instrument)


def probe(path: str | os.PathLike[str], calibration: Calibration | None = None) -> Facts:
    """Shape, type, calibration and instrument of a file; its counts stay unread.

    Raises
    ------
    ReadError
        Naming the file, what is wrong with it, and the remedy.
    """
    path = Path(path)
    with _opened(path) as source:
        check_layout(path, source.shape, source.dtype)
        return Facts(
            path=str(path),
            name=path.stem,
            format=source.format,
            kind="spectrum" if len(source.shape) == 1 else "cube",
            shape=tuple(int(n) for n in source.shape),
            dtype=source.dtype.name,
            nbytes=int(source.nbytes),
            calibration=calibration or source.calibrate(),
            instrument=source.instrument,
        )


def datasets(folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Files of a folder that look readable, by name and first bytes, in natural order.

    Raises
    ------
    ReadError
        If the folder does not exist or may not be looked into.
    """
    folder = Path(folder)
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except FileNotFoundError:
        raise ReadError(f"{folder}: there is no such folder", "Check the path.") from None
    except OSError as error:
        raise ReadError(
            f"{folder}: cannot be listed ({error.strerror})", "Give a folder you may read."
        ) from error
    return tuple(sorted((entry for entry in entries if _looks_readable(entry)), key=_natural))


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sort key under which scan2 comes before scan10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def _looks_readable(path: Path) -> bool:
    form = _format_of_suffix(path)
    if form is None:
        return False
    try:
        if path.is_dir():
            return form.name == "Zarr"
        return path.is_file() and _first_bytes(path).startswith(form.begins or (b"\0" * 9,))
    except OSError:
        return False


def _format_of_suffix(path: Path) -> Format | None:
    suffix = path.suffix.lower()
    return next((form for form in FORMATS if suffix in form.suffixes), None)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SNIFF_BYTES).lstrip(b"\xef\xbb\xbf")


def _opened(path: Path) -> AbstractContextManager[Source]:
    """Open a file whose name, first bytes and kind agree."""
    form = _format_of_suffix(path)
    known = ", ".join(suffix for each in FORMATS for suffix in each.suffixes)
    if not path.exists():
        raise ReadError(f"{path}: there is no such file", "Check the path and its spelling.")
    if path.is_dir():
        from xrfengine.readers.zarr_store import is_zarr, open_zarr

        if is_zarr(path):
            return open_zarr(path)
        raise ReadError(
            f"{path}: this is a folder, not a file", "Give one of the files in it, by its name."
        )
    try:
        begin = _first_bytes(path)
    except OSError as error:
        raise ReadError(
            f"{path}: cannot be opened ({error.strerror})", "Give a file you may read."
        ) from error
    content = _content(begin)
    renamed = next((each.suffixes[0] for each in FORMATS if each.name == content), "")
    if form is None:
        raise ReadError(
            f"{path}: the extension {path.suffix or '(none)'} is not one that can be read",
            f"It begins like {content}: if it is laid out as one, rename it to {renamed}."
            if renamed
            else f"Readable are {known}.",
        )
    if not begin:
        raise ReadError(f"{path}: the file is empty, 0 bytes", "Copy it again, or save it anew.")
    if not begin.startswith(form.begins or (b"\0" * 9,)):
        raise ReadError(
            f"{path}: this is no {form.name} file, although its name says so; "
            f"it looks like {content}",
            "Give it the extension of what it holds, or save it anew.",
        )
    return form.open(path)


def _content(begin: bytes) -> str:
    """What a file is by its first bytes, in words."""
    for form in FORMATS:
        if form.begins and begin.startswith(form.begins):
            return form.name
    for start, name in _OTHERS:
        if begin.startswith(start):
            return name
    if begin and all(byte >= 32 or byte in b"\t\r\n\f" for byte in begin):
        return "plain text"
    return "nothing known here"


def _room_for(path: Path, source: Source) -> np.ndarray:
    """An array for the counts, or a ReadError where this machine cannot hold it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    problem = ReadError(
        f"{path}: the counts take {source.nbytes / 1e9:.1f} GB in memory, "
        f"this machine has {memory / 1e9:.1f} GB",
        "Crop or bin the cube, or use a machine with more memory.",
    )
    if source.nbytes > memory:
        raise problem
    try:
        return np.empty(source.shape, dtype=source.dtype)
    except MemoryError as error:
        raise problem from error


__all__ = ["FORMATS", "Facts", "Format", "datasets", "probe", "read"]
