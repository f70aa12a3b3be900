"""Single spectra in EMSA/MAS format (ISO 22029): ``.msa``, ``.emsa``, ``.txt``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.cube import Calibration, Instrument
from xrfengine.errors import ReadError
from xrfengine.readers.source import Source, calibration_of

KEV_PER_UNIT = {"kev": 1.0, "ev": 0.001}

ZERO_PEAK_SHARE = 1e-4
"""Some instruments subtract their zero peak before they export, which leaves a few counts just
below 0. Up to this share of all counts they are set to 0; more is an error."""


@contextlib.contextmanager
def open_msa(path: Path) -> Iterator[Source]:
    """Open an EMSA/MAS spectrum; the file is small, so it is parsed at once."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    header, body, has_end = _split(path, text)
    numbers, is_whole = _numbers(path, body)
    n_points = _number(path, header, "NPOINTS")
    is_xy = header.get("DATATYPE", "Y").strip().upper() == "XY"
    if is_xy:
        if numbers.size % 2:
            raise _truncated(path, "the last channel has an energy but no counts")
        energy, counts = numbers.reshape(-1, 2).T
    else:
        energy, counts = None, numbers
    counts = _trimmed(path, header, counts, n_points, has_end)
    if energy is not None:
        energy = energy[: counts.size]
    negative = np.where(counts < 0, counts, 0.0)
    if -negative.sum() <= ZERO_PEAK_SHARE * np.abs(counts).sum():
        counts = counts - negative
    if is_whole and not is_xy:
        counts = counts.astype(np.int64)

    def calibrate() -> Calibration:
        scale = _kev_per_unit(path, header)
        if energy is not None:
            return calibration_of(
                path, {}, counts.size, energy=energy * scale, energy_name="of the XY data"
            )
        gain = _number(path, header, "XPERCHAN")
        if gain is None:
            raise ReadError(
                f"{path}: the line #XPERCHAN is missing",
                "It states the width of a channel; add it, with #OFFSET.",
            )
        offset = _number(path, header, "OFFSET") or 0.0
        values = {"offset_kev": offset * scale, "gain_kev": gain * scale}
        return calibration_of(path, values, counts.size)

    def fill(out: np.ndarray) -> Iterator[float]:
        out[...] = counts
        yield 1.0

    yield Source(
        format="EMSA/MAS",
        shape=counts.shape,
        dtype=counts.dtype,
        calibrate=calibrate,
        fill=fill,
        instrument=Instrument(
            tube_kv=_positive(header, "BEAMKV"), live_time_s=_positive(header, "LIVETIME")
        ),
    )


def _split(path: Path, text: str) -> tuple[dict[str, str], list[str], bool]:
    """Header lines by keyword, data lines, and whether the file has its closing line."""
    header: dict[str, str] = {}
    body: list[str] = []
    in_data = has_end = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("#"):
            keyword, _, value = line[1:].partition(":")
            keyword = keyword.strip().upper().partition(" ")[0]
            if keyword == "ENDOFDATA":
                has_end = True
                break
            if keyword == "SPECTRUM":
                in_data = True
            elif not in_data:
                header.setdefault(keyword, value.strip())
        elif in_data and line:
            body.append(line)
    if "FORMAT" not in header or "EMSA" not in header["FORMAT"].upper():
        raise ReadError(
            f"{path}: this is no EMSA/MAS file, it does not begin with '#FORMAT : EMSA/MAS'",
            "Export the spectrum as EMSA/MAS, or give the file the extension of what it holds.",
        )
    if not in_data:
        raise _truncated(path, "there is no line #SPECTRUM and nothing after the header")
    return header, body, has_end


def _truncated(path: Path, what: str) -> ReadError:
    return ReadError(
        f"{path}: the file is truncated: {what}", "Copy it again, or export the spectrum anew."
    )


def _numbers(path: Path, body: list[str]) -> tuple[np.ndarray, bool]:
    tokens = re.split(r"[\s,;]+", " ".join(body).strip())
    tokens = [token for token in tokens if token]
    try:
        numbers = np.array(tokens, dtype=np.float64)
    except ValueError:
        bad = next(token for token in tokens if not _is_number(token))
        raise ReadError(
            f"{path}: the data hold {bad!r}, which is no number",
            "Numbers are separated by commas or blanks, with a point before the decimals.",
        ) from None
    return numbers, not any(set(token) & set(".eEnN") for token in tokens)


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def _trimmed(
    path: Path,
    header: dict[str, str],
    counts: np.ndarray,
    n_points: float | None,
    has_end: bool,
) -> np.ndarray:
    """The counts without the filling of the last line of a file in several columns."""
    if n_points is None:
        if not has_end:
            raise _truncated(path, "neither #NPOINTS nor #ENDOFDATA tells where the data end")
        return counts
    n = int(n_points)
    if counts.size < n:
        raise _truncated(path, f"{n} channels are announced, {counts.size} are there")
    columns = int(_number(path, header, "NCOLUMNS") or 1)
    if counts.size >= n + max(columns, 1):
        raise ReadError(
            f"{path}: {n} channels are announced, {counts.size} are there",
            "Correct #NPOINTS, or #DATATYPE (XY: energy and counts in turn).",
        )
    return counts[:n]


def _number(path: Path, header: dict[str, str], keyword: str) -> float | None:
    if not header.get(keyword):
        return None
    try:
        return float(header[keyword].split()[0].rstrip(","))
    except ValueError:
        raise ReadError(
            f"{path}: the line #{keyword} holds no number: {header[keyword]!r}", "Correct it."
        ) from None


def _positive(header: dict[str, str], keyword: str) -> float | None:
    """A number above 0 that is nice to know; whatever else stands there says nothing."""
    token = (header.get(keyword) or "0").split()[0]
    value: Any = float(token) if _is_number(token) else 0.0
    return value if 0 < value < float("inf") else None


def _kev_per_unit(path: Path, header: dict[str, str]) -> float:
    match = re.search(r"\bk?ev\b", header.get("XUNITS", "").lower())
    if match is None:
        raise ReadError(
            f"{path}: the unit of the energy axis is {header.get('XUNITS', '') or 'missing'}",
            "The line #XUNITS must say keV or eV.",
        )
    return KEV_PER_UNIT[match.group()]
