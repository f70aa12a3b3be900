"""What can be taken home, by name: the same for the page and for the command line."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xrfengine.cache import written_whole
from xrfengine.errors import SettingsError
from xrfengine.export.analysis import Analysis, file_name
from xrfengine.export.script import Source, script
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress, part

Write = Callable[[Path, Analysis, Source, Progress, CancelToken], None]


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes
    ----------
    name : function (analysis) -> str
        Of the file, without a folder.
    write : function (path, analysis, source, progress, cancel)
        Writes it whole, or raises.
    n_bytes : function (analysis) -> int
        About as many, before anything is compressed.
    """

    name: Callable[[Analysis], str]
    write: Write
    n_bytes: Callable[[Analysis], int]


def write(
    kind: str,
    folder: Path,
    analysis: Analysis,
    source: Source | None = None,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Path:
    """Write a file of a kind into a folder; its path.

    Raises
    ------
    SettingsError
        If there is no such kind, or the analysis does not hold what it needs.
    Cancelled
    """
    if kind not in KINDS:
        raise SettingsError(f"nothing is called {kind!r}", f"Choose of {', '.join(KINDS)}.")
    path = Path(folder) / KINDS[kind].name(analysis)
    KINDS[kind].write(path, analysis, source or Source(), progress, cancel)
    return path


def found_symbols(analysis: Analysis) -> tuple[str, ...]:
    """The elements found of which there is a map, in their order; the shown one if there is none.

    Those of the instrument are left out, and so is what was declared absent.
    """
    absent = {symbol for symbol, is_in in analysis.provenance.overruled if not is_in}
    symbols = [item.element for item in analysis.found if not item.is_instrument]
    return tuple(s for s in symbols if s not in absent) or (analysis.element,)


def spectra_of(analysis: Analysis) -> list:
    """Of the whole scan and of every area."""
    return [analysis.cube.sum_spectrum, *(area.spectrum for area in analysis.areas)]


def _bytes(path: Path, data: bytes) -> None:
    with written_whole(path) as beside:
        beside.write_bytes(data)


def _pack(path: Path, files: Sequence[tuple[str, bytes | Path]], is_packed: bool = False) -> None:
    """One ZIP of files, by name."""
    method = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
    with written_whole(path) as beside, zipfile.ZipFile(beside, "w", method) as archive:
        for name, content in files:
            if isinstance(content, Path):
                archive.write(content, name)
            else:
                archive.writestr(name, content)


def _png(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.figure import map_figure

    _bytes(path, map_figure(analysis))


def _pngs(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.figure import map_figure

    symbols, files = found_symbols(analysis), []
    for n, symbol in enumerate(symbols):
        cancel.check()
        progress(n / len(symbols), f"Drawing {symbol}")
        each = replace(analysis, element=symbol, window=None)
        files.append((each.map_name(".png"), map_figure(each)))
    _pack(path, files, is_packed=True)


def _photo(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.figure import map_figure

    _bytes(path, map_figure(analysis, with_photo=True))


def _profile_png(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel):
    from xrfengine.export.profile import profile_figure

    _bytes(path, profile_figure(analysis))


def _profile_csv(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel):
    from xrfengine.export.profile import profile_csv

    _bytes(path, profile_csv(analysis))


def _tiff(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.tiff import write_tiff

    write_tiff(path, analysis)


def _tiffs(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.tiff import write_tiff

    write_tiff(path, analysis, found_symbols(analysis))


def _netcdf(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.netcdf import write_netcdf

    write_netcdf(path, analysis)


def _csv(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.spectra import spectra_csv

    _bytes(path, spectra_csv(spectra_of(analysis), analysis.provenance))


def _msa(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.spectra import spectrum_msa

    files = []
    for n, each in enumerate(spectra_of(analysis)):
        name = file_name(analysis.provenance.dataset, each.name if n else "whole scan")
        files.append((f"{n}_{name}.msa", spectrum_msa(each, analysis.provenance)))
    _pack(path, files)


def _regions(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.geojson import regions_geojson

    _bytes(path, regions_geojson(analysis))


def _html(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.report import report
    from xrfengine.export.report_html import report_html

    _bytes(path, report_html(report(analysis, progress=progress, cancel=cancel)))


def _pdf(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    from xrfengine.export.report import report
    from xrfengine.export.report_pdf import report_pdf

    content = report(analysis, progress=part(progress, 0.0, 0.7), cancel=cancel)
    cancel.check()
    progress(0.8, "Setting the pages")
    _bytes(path, report_pdf(content))


def _script(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    _bytes(path, script(analysis, source).encode())


def _everything(path: Path, analysis: Analysis, source: Source, progress: Progress, cancel) -> None:
    import tempfile

    kinds = [
        name for name in KINDS if name not in ("png", "tiff", "all") and is_ready(name, analysis)
    ]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        files = []
        for n, kind in enumerate(kinds):
            cancel.check()
            share = part(progress, n / len(kinds), (n + 0.9) / len(kinds))
            one = write(kind, Path(folder), analysis, source, progress=share, cancel=cancel)
            files.append((one.name, one))
        _pack(path, files)


def is_ready(kind: str, analysis: Analysis) -> bool:
    """Whether the analysis holds what a kind needs."""
    needed = {
        "geojson": bool(analysis.areas),
        "photo": analysis.photo is not None,
        "profile": analysis.profile is not None,
        "profile_csv": analysis.profile is not None,
    }
    return needed.get(kind, True)


def _plane(analysis: Analysis) -> int:
    """Bytes of one map in 32 bits."""
    return 4 * analysis.maps.values[0].size


def _profile_name(analysis: Analysis) -> str:
    """The line's ends tell two profiles of one map apart."""
    if analysis.profile is None:
        return analysis.name("profile", "")
    ends = "-".join(f"{end:.0f}" for end in analysis.profile.line)
    return analysis.map_name("", f"profile-{ends}")


def _profile_bytes(analysis: Analysis) -> int:
    profile = analysis.profile
    return 0 if profile is None else 12 * profile.distance_px.size * (1 + len(profile.curves))


def _spectra_bytes(analysis: Analysis) -> int:
    return 16 * analysis.cube.shape[2] * len(spectra_of(analysis))


KINDS: dict[str, Kind] = {
    "png": Kind(lambda a: a.map_name(".png"), _png, lambda a: 300_000),
    "photo": Kind(lambda a: a.map_name(".png", "photograph"), _photo, lambda a: 2_000_000),
    "profile": Kind(lambda a: _profile_name(a) + ".png", _profile_png, lambda a: 100_000),
    "profile_csv": Kind(lambda a: _profile_name(a) + ".csv", _profile_csv, _profile_bytes),
    "pngs": Kind(
        lambda a: a.name("maps", ".zip"), _pngs, lambda a: 300_000 * len(found_symbols(a))
    ),
    "tiff": Kind(lambda a: a.map_name(".ome.tif"), _tiff, _plane),
    "tiffs": Kind(
        lambda a: a.name("maps", ".ome.tif"), _tiffs, lambda a: _plane(a) * len(found_symbols(a))
    ),
    "netcdf": Kind(
        lambda a: a.name("maps", ".nc"),
        _netcdf,
        lambda a: a.maps.values.nbytes * (1 if a.errors is None else 2),
    ),
    "csv": Kind(lambda a: a.name("spectra", ".csv"), _csv, _spectra_bytes),
    "msa": Kind(lambda a: a.name("spectra-msa", ".zip"), _msa, _spectra_bytes),
    "geojson": Kind(
        lambda a: a.name("regions", ".geojson"), _regions, lambda a: 20_000 * len(a.areas)
    ),
    "pdf": Kind(lambda a: a.name("report", ".pdf"), _pdf, lambda a: 900_000),
    "html": Kind(lambda a: a.name("report", ".html"), _html, lambda a: 1_200_000),
    "script": Kind(lambda a: a.name("analysis", ".py"), _script, lambda a: 4_000),
    "all": Kind(
        lambda a: a.name("everything", ".zip"),
        _everything,
        lambda a: sum(KINDS[k].n_bytes(a) for k in KINDS if k != "all" and is_ready(k, a)),
    ),
}
"""By the names that the command line takes."""
