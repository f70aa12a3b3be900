"""What a report says, as a list of blocks; how it looks is up to those who write it out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xrfengine.cube import MAP_UNITS
from xrfengine.export.analysis import METHOD_WORDS, Analysis, Area
from xrfengine.export.figure import map_figure
from xrfengine.export.figure_overview import small_maps_figure, spectra_figure
from xrfengine.export.words import number, percent
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress
from xrfengine.names import element_name

if TYPE_CHECKING:
    from xrfengine.pigments import Candidate

_MAP_DPI = 220.0
_MOST_CANDIDATES = 8
_CAUTION = (
    "Candidates, no findings: X-ray fluorescence sees elements, not compounds, and elements of "
    "several layers together. Only together with colour, microscopy or a method that sees "
    "compounds do they become an identification."
)


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of text; ``widths`` are shares of the page's, ``numbers`` the columns set right."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Picture:
    """PNG, as wide as the page; ``told`` is said to those who cannot see it."""

    png: bytes
    told: str


Block = Heading | Text | Table | Picture


@dataclass(frozen=True)
class Report:
    """A report: its title, what stands below it, and its blocks."""

    title: str
    subtitle: str
    blocks: tuple[Block, ...]


def report(
    analysis: Analysis, *, progress: Progress = no_progress, cancel: CancelToken = NEVER
) -> Report:
    """Maps, spectra, tables, settings and provenance of one view.

    Raises
    ------
    Cancelled
    """
    facts = analysis.provenance
    parts = (_summary, _map, _elements, _overruled, _spectra, _regions, _pigments, _settings)
    blocks: list[Block] = []
    for n, make in enumerate(parts):
        cancel.check()
        progress(n / len(parts), "Writing the report")
        blocks += make(analysis)
    told = METHOD_WORDS.get(facts.method, facts.method)
    return Report(facts.dataset, f"{told}. {facts.made}, {facts.software}", tuple(blocks))


def _summary(analysis: Analysis) -> Iterator[Block]:
    cube, facts = analysis.cube, analysis.provenance
    height, width, channels = cube.shape
    low, high = (float(cube.energy_kev[i]) for i in (0, -1))
    rows = [("Size", f"{width:,} × {height:,} pixels, {channels:,} channels")]
    if facts.pixel_size_mm:
        size = facts.pixel_size_mm
        rows.append(
            ("Pixel", f"{size:g} mm; the scan is {width * size:,.4g} × {height * size:,.4g} mm")
        )
    else:
        rows.append(("Pixel", "size not known"))
    rows.append(("Energy", f"{low:.2f} to {high:.2f} keV"))
    rows.append(("Counts", f"{number(float(cube.total_counts.mean()))} per pixel"))
    tube = cube.instrument
    told = [tube.tube_anode or "", f"{tube.tube_kv:g} kV" if tube.tube_kv else ""]
    told.append(f"{tube.live_time_s:g} s per pixel" if tube.live_time_s else "")
    if any(told):
        rows.append(("Instrument", ", ".join(filter(None, told))))
    symbols = [item.element for item in _of_sample(analysis)]
    rows.append(("Elements found", " ".join(symbols) or "none"))
    yield _facts(rows)


def _map(analysis: Analysis) -> Iterator[Block]:
    name = element_name(analysis.element).lower()
    what = f"Map of {name}" if analysis.window is None else f"Counts at {analysis.window.name}"
    yield Heading(what)
    picture = map_figure(analysis, dpi=_MAP_DPI, with_areas=True)
    yield Picture(picture, f"{what}, with scale bar and caption")


def _of_sample(analysis: Analysis) -> list:
    from xrfengine.export.kinds import found_symbols

    known = set(found_symbols(analysis))
    return [item for item in analysis.found if item.element in known]


def _elements(analysis: Analysis) -> Iterator[Block]:
    listed, maps = _of_sample(analysis), analysis.maps
    yield Heading("Elements found")
    shown = tuple(item.element for item in listed if item.element in maps.elements)
    if not shown:
        yield Text("No element is above its threshold anywhere.")
        return
    yield Picture(small_maps_figure(analysis, shown), f"Small maps of {', '.join(shown)}")
    said = dict(analysis.provenance.overruled)
    unit = MAP_UNITS[maps.kind].replace("1", "probability")
    rows = [
        (
            item.element,
            element_name(item.element),
            percent(item.share) if item.share else "–",
            number(item.strength) if item.share else "–",
            number(analysis.thresholds[item.element]),
            "added by hand" if said.get(item.element) else "",
        )
        for item in listed
    ]
    head = ("", "Element", "Share of area", f"Mean {unit}", "Threshold", "")
    yield Table(head, tuple(rows), (0.07, 0.21, 0.17, 0.21, 0.16, 0.18), (2, 3, 4))
    yield Text(
        "Share: pixels at or above the threshold. Mean: of these pixels"
        + ("." if maps.kind == "probability" else ", in net counts per pixel.")
    )
    device = [item.element for item in analysis.found if item.is_instrument]
    if device:
        yield Text(
            f"Left out: {', '.join(device)}. Their lines come from the X-ray tube or the air, "
            "whether or not the sample holds them."
        )


def _overruled(analysis: Analysis) -> Iterator[Block]:
    said = analysis.provenance.overruled
    yield Heading("Overruled by hand")
    if not said:
        yield Text("Nothing: all elements are as they were found.")
        return
    for is_in, words in ((True, "Declared present"), (False, "Declared absent")):
        symbols = [f"{s} ({element_name(s).lower()})" for s, verdict in said if verdict == is_in]
        if symbols:
            yield Text(f"{words}: {', '.join(symbols)}.")


def _spectra(analysis: Analysis) -> Iterator[Block]:
    yield Heading("Spectra")
    names = ["whole scan", *(area.name for area in analysis.areas)]
    yield Picture(spectra_figure(analysis), f"Counts per pixel over energy: {', '.join(names)}")


def _regions(analysis: Analysis) -> Iterator[Block]:
    if not analysis.areas:
        return
    yield Heading("Regions")
    rows = [
        (
            area.name,
            f"{area.n_pixels:,}",
            _area_words(analysis, area),
            number(area.spectrum.total / max(area.spectrum.n_pixels, 1)),
            _present_words(area),
        )
        for area in analysis.areas
    ]
    head = ("Region", "Pixels", "Area", "Counts per pixel", "Elements, with their probability")
    yield Table(head, tuple(rows), (0.24, 0.1, 0.13, 0.13, 0.40), (1, 2, 3))


def _area_words(analysis: Analysis, area: Area) -> str:
    square = analysis.area_mm2(area.n_pixels)
    if square is None:
        return "–"
    return f"{number(square / 100)} cm²" if square >= 1000 else f"{number(square)} mm²"


def _present_words(area: Area) -> str:
    if area.identified is None:
        return "not identified"
    return ", ".join(f"{i.symbol} {i.probability:.2f}" for i in area.present()) or "none"


def _pigments(analysis: Analysis) -> Iterator[Block]:
    """Of every region; of the whole scan nothing, for it holds everything."""
    from xrfengine.pigments import candidates, grouped

    asked = [area for area in analysis.areas if area.identified is not None]
    if not asked:
        return
    yield Heading("Pigment candidates")
    yield Text(_CAUTION)
    rows: list[tuple[str, ...]] = []
    for area in asked:
        listed = candidates(area.identified, overruled=analysis.provenance.overruled)
        for n, group in enumerate(grouped(listed)[:_MOST_CANDIDATES]):
            rows.append((area.name if n == 0 else "", *_candidate_words(group)))
    if not rows:
        yield Text("No pigment of the table fits the elements of these regions.")
        return
    head = ("Region", "Elements", "Candidates", "Speaks against, and what is not told")
    yield Table(head, tuple(rows), (0.17, 0.10, 0.40, 0.33))


def _candidate_words(group: Sequence[Candidate]) -> tuple[str, str, str]:
    """Elements, candidates and what speaks against them, of pigments that need the same."""
    best = group[0]
    named = [f"{e.pigment.name} ({e.pigment.formula}; {e.pigment.dates})" for e in group]
    told = "; ".join(named)
    against = list(dict.fromkeys(words for each in group for words in each.speaks_against))
    if len(group) > 1:
        against.append("elements do not tell these apart")
    against += best.unseen
    return " ".join(best.pigment.needs), told, "; ".join(against) or "–"


def _settings(analysis: Analysis) -> Iterator[Block]:
    facts = analysis.provenance
    calibration = analysis.cube.calibration
    rows = [
        ("Method", METHOD_WORDS.get(facts.method, facts.method)),
        ("Averaged over", f"{facts.region_px} × {facts.region_px} pixels"),
        (
            "Energy calibration",
            f"{calibration.offset_kev:.6g} keV + {calibration.gain_kev:.6g} keV per channel"
            + (f", curvature {calibration.quadratic_kev:.3g}" if calibration.quadratic_kev else ""),
        ),
        ("Data, digest", facts.source),
    ]
    if facts.model:
        rows.append(("Model, digest", f"{facts.model_name} {facts.model}".strip()))
    rows.append(("Software", facts.software))
    for name, value in facts.settings.items():
        told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        rows.append((name.replace("_", " ").capitalize(), told))
    yield Heading("Settings")
    yield _facts(rows)


def _facts(rows: Sequence[tuple[str, str]]) -> Table:
    return Table((), tuple(rows), (0.24, 0.76))
