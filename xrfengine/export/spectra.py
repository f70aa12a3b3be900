"""Spectra as tables (CSV) and, one a file, in EMSA/MAS format 1.0 (ISO 22029)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from xrfengine.cube import Spectrum
from xrfengine.errors import SettingsError
from xrfengine.export.analysis import Provenance

_PER_LINE = 8
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def spectra_csv(spectra: Sequence[Spectrum], provenance: Provenance) -> bytes:
    """One line a channel: energy in keV, and for each spectrum summed counts and counts a pixel.

    Lines that begin with ``#`` say where it is from. Numbers have a decimal point; UTF-8.

    Raises
    ------
    SettingsError
        If there is no spectrum, or they differ in their energy axis.
    """
    if not spectra:
        raise SettingsError("there is no spectrum to write", "Select some pixels first.")
    first = spectra[0]
    for each in spectra[1:]:
        if each.calibration != first.calibration or each.counts.size != first.counts.size:
            raise SettingsError(
                f"{each.name} has another energy axis than {first.name}", "Export them one by one."
            )
    out = io.StringIO(newline="")
    for name, value in provenance.to_dict().items():
        out.write(f"# {name}: {_one_line(str(value))}\r\n")
    for each in spectra:
        out.write(f"# spectrum: {_one_line(each.name)}, {each.n_pixels} pixels\r\n")
    table = csv.writer(out)
    heads = [[f"{each.name} (counts)", f"{each.name} (counts per pixel)"] for each in spectra]
    table.writerow(["energy_kev", *(head for pair in heads for head in pair)])
    columns = [each.counts for each in spectra]
    for channel, energy in enumerate(first.energy_kev):
        row = [f"{energy:.6g}"]
        for each, counts in zip(spectra, columns, strict=True):
            value = float(counts[channel])
            row += [f"{value:.10g}", f"{value / each.n_pixels:.6g}"]
        table.writerow(row)
    return out.getvalue().encode("utf-8")


def spectrum_msa(spectrum: Spectrum, provenance: Provenance) -> bytes:
    """One spectrum: summed counts, evenly spaced channels in keV.

    Raises
    ------
    SettingsError
        If the calibration is curved: the format knows offset and gain only.
    """
    calibration, n = spectrum.calibration, spectrum.counts.size
    straight = calibration.offset_kev + calibration.gain_kev * np.arange(n)
    if np.abs(spectrum.energy_kev - straight).max() > 0.1 * calibration.gain_kev:
        raise SettingsError(
            "EMSA/MAS files know no curved energy axis", "Export this spectrum as CSV."
        )
    day, time = provenance.made.removesuffix(" UTC").split(" ")
    year, month, date = day.split("-")
    instrument = spectrum.instrument
    head: list[tuple[str, str]] = [
        ("FORMAT", "EMSA/MAS Spectral Data File"),
        ("VERSION", "1.0"),
        ("TITLE", _ascii(f"{spectrum.name}, {provenance.dataset}", 64)),
        ("DATE", f"{date}-{_MONTHS[int(month) - 1]}-{year}"),
        ("TIME", time),
        ("OWNER", provenance.software),
        ("NPOINTS", str(n)),
        ("NCOLUMNS", str(_PER_LINE)),
        ("XUNITS", "keV"),
        ("YUNITS", "counts"),
        ("DATATYPE", "Y"),
        ("XPERCHAN", f"{calibration.gain_kev:.9g}"),
        ("OFFSET", f"{calibration.offset_kev:.9g}"),
        ("SIGNALTYPE", "XRF"),
    ]
    if instrument.tube_kv:
        head.append(("BEAMKV", f"{instrument.tube_kv:g}"))
    if instrument.live_time_s:
        head.append(("LIVETIME", f"{instrument.live_time_s * spectrum.n_pixels:g}"))
    for name, value in provenance.to_dict().items():
        head.append(("COMMENT", _ascii(f"{name}: {value}", 120)))
    head.append(("COMMENT", f"pixels summed: {spectrum.n_pixels}"))
    lines = [f"#{key:<12}: {value}" for key, value in head]
    lines.append(f"#{'SPECTRUM':<12}: Spectral Data Starts Here")
    texts = [f"{float(value):.10g}" for value in spectrum.counts]
    lines += [", ".join(texts[at : at + _PER_LINE]) for at in range(0, n, _PER_LINE)]
    lines.append(f"#{'ENDOFDATA':<12}:")
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _ascii(text: str, longest: int) -> str:
    """What the format allows: ASCII on one line; other letters become ``?``."""
    return _one_line(text).encode("ascii", "replace").decode("ascii")[:longest]
