"""Taking it home: the buttons of the top bar, and the list of what there is on the stage."""

from __future__ import annotations

import base64
import mimetypes
from functools import partial
from pathlib import Path
from typing import Any

import panel as pn

from dashboard.components.taking_home import ExportButtons, ExportList
from dashboard.latest import LatestOnly
from dashboard.names import element_name
from dashboard.plots.display import CHOICES
from dashboard.results import Results
from dashboard.results.exports import analysis_of, is_under_photograph, picture_name
from dashboard.results.reading import MOST_BYTES
from dashboard.session import Session
from xrfengine.errors import XRFError
from xrfengine.export.analysis import Analysis
from xrfengine.jobs import CancelToken, Progress

STAGE = "export"
PIECE_BYTES = 1 << 19
_PREVIEW_DPI = 110.0


class Courier:
    """Hands files to the browser in pieces: the next one when the last has arrived.

    Over the connection the page has anyway: no address that others could guess, and it works
    behind whatever the page works behind.
    """

    def __init__(self, component: ExportButtons) -> None:
        self._component = component
        self._path: Path | None = None
        self._number = 0

    def deliver(self, path: Path) -> None:
        """Send a file, then delete it. One that is still on its way is given up."""
        self._forget()
        self._path, self._number = path, self._number + 1
        self._send(0)

    def take(self, data: dict[str, Any]) -> None:
        """What the browser says: which piece it wants, or that it has them all."""
        if data.get("received") == self._number:
            self._forget()
        elif data.get("id") == self._number and isinstance(data.get("next"), int):
            self._send(max(data["next"], 0))

    def _send(self, index: int) -> None:
        if self._path is None:
            return
        size = self._path.stat().st_size
        with self._path.open("rb") as file:
            file.seek(index * PIECE_BYTES)
            piece = file.read(PIECE_BYTES)
        self._component._send_msg(
            {
                "id": self._number,
                "name": self._path.name,
                "type": mimetypes.guess_type(self._path.name)[0] or "application/octet-stream",
                "pieces": max(-(-size // PIECE_BYTES), 1),
                "index": index,
                "bytes": piece,
            }
        )

    def _forget(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


class ExportView:
    """``button`` goes to the top bar at once; :meth:`build` makes the stage when it is opened."""

    def __init__(self, session: Session, results: Results) -> None:
        self.session, self.results = session, results
        self.button = ExportButtons(
            margin=0, width=180, height=32, align="center", css_classes=["xrf-export-buttons"],
            on_message=self._take_button,
        )  # fmt: skip
        self._courier = Courier(self.button)
        self._list: ExportList | None = None
        self._drawing = LatestOnly(results.deliver)
        results.param.watch(
            lambda *e: self._show_title(),
            ["maps", "map_state", "opened", "window", "photograph"],
        )
        results.param.watch(lambda *e: self._show_title(), "making")
        results.param.watch(lambda e: e.new and self._courier.deliver(e.new), "made")
        session.param.watch(
            lambda *e: self._show_title(), ["element", "method", "stage", "photo_opacity"]
        )
        self._show_title()

    # ---- the top bar

    def _take_button(self, data: dict[str, Any]) -> None:
        if data.get("quick"):
            # The map as it is on the page: where a photograph lies over it, with that.
            with_photo = is_under_photograph(self.session, self.results)
            self._make("photo" if with_photo else "png")
        elif data.get("open"):
            self.session.stage = "" if self.session.stage == STAGE else STAGE
        else:
            self._courier.take(data)

    def _show_title(self) -> None:
        self.button.param.update(
            title=picture_name(self.session, self.results),
            busy=self.results.making in ("png", "photo"),
            is_open=self.session.stage == STAGE,
        )

    def _analysis(self) -> Analysis | None:
        try:
            return analysis_of(self.session, self.results)
        except XRFError:
            return None

    def _make(self, kind: str) -> None:
        if not self.results.making:
            self.results.make(kind, _WORDS[kind][0].format(element=self.session.element))

    # ---- the stage

    def build(self) -> pn.viewable.Viewable:
        """The list with its preview; called once."""
        self._list = ExportList(
            sizing_mode="stretch_both", margin=0, on_message=self._take_list,
            most_bytes=MOST_BYTES,
            css_classes=["xrf-export-list-pane"],
        )  # fmt: skip
        results, session = self.results, self.session
        results.param.watch(
            lambda *e: self._show_list(),
            [
                "maps",
                "map_state",
                "found",
                "selected",
                "regions",
                "errors",
                "window",
                "pixel_size_mm",
                "photograph",
            ],
        )
        session.param.watch(
            lambda *e: self._show_list(),
            [
                "element",
                "threshold",
                "window_threshold",
                "stage",
                "photo_opacity",
                "profile",
                "profile_beside",
                "profile_width",
                *CHOICES,
            ],
        )
        results.param.watch(lambda *e: self._show_work(), ["making", "made_share", "made_problem"])
        results.param.watch(
            lambda e: self._list.param.update(read_told=list(e.new)), "regions_read"
        )
        self._show_list()
        self._show_work()
        return self._list

    def _take_list(self, data: dict[str, Any]) -> None:
        if data.get("cancel"):
            self.results.stop_making()
        elif "file" in data:
            text = None if data.get("too_large") else str(data.get("read", ""))
            self.results.read_regions(text, str(data["file"])[:80])
        elif data.get("make") in _WORDS:
            self._make(data["make"])

    def _show_work(self) -> None:
        fraction, message = self.results.made_share
        kind, problem = self.results.made_problem
        self._list.param.update(
            running=self.results.making, fraction=fraction, message=message or "Writing",
            problem=problem, problem_of=kind,
        )  # fmt: skip

    def _show_list(self) -> None:
        if self.session.stage != STAGE:
            return
        analysis = self._analysis()
        if analysis is None:
            told = "The maps are not there yet. What can be taken home appears with them."
            self._list.param.update(groups=[], preview="", caption=told)
            return
        self._list.groups = groups(analysis)
        self._list.caption = f"The picture of {picture_title(analysis)}"
        self._drawing.start(
            partial(_preview, analysis),
            then=lambda source: self._list.param.update(preview=source),
            failed=lambda error: self._list.param.update(preview="", caption=error.message),
        )


def picture_title(analysis: Analysis) -> str:
    """What the picture shows: an element's name, or two energies."""
    window = analysis.window
    return element_name(analysis.element) if window is None else window.name


def _preview(analysis: Analysis, *, progress: Progress, cancel: CancelToken) -> str:
    from xrfengine.export.figure import map_figure

    picture = map_figure(analysis, dpi=_PREVIEW_DPI)
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


_WORDS: dict[str, tuple[str, str]] = {
    "png": ("Picture of {element}", "PNG with scale bar, colour bar and caption"),
    "pngs": ("Pictures of all {n} elements found", "The same for each of them, in one ZIP"),
    "photo": ("Picture of {element} under the photograph", "As strong as it lies over the map now"),
    "profile": ("Profile along the line", "PNG: {curves} over the distance"),
    "profile_csv": ("Profile as a table", "CSV: distance, place and values of {curves}"),
    "tiff": ("Values of {element}", "OME-TIFF, 32 bit: numbers as they are, for image software"),
    "tiffs": ("Values of all {n} elements found", "OME-TIFF, 32 bit, one channel an element"),
    "netcdf": (
        "All maps as NetCDF",
        "HDF5 inside: maps, {errors}thresholds, selection, and where all is from",
    ),
    "csv": ("Spectra as a table", "CSV: energy and counts of {spectra}"),
    "msa": ("Spectra as EMSA/MAS", "One .msa file each, in one ZIP: {spectra}"),
    "geojson": (
        "Regions as GeoJSON",
        "Outlines in pixels, with area and elements: {regions}",
    ),
    "pdf": (
        "Report to print",
        "PDF, A4: maps, spectra, elements, regions, pigment candidates, settings",
    ),
    "html": ("Report to read", "The same as one HTML file, pictures inside"),
    "script": (
        "Python script",
        "Repeats this view with xrfengine: maps, thresholds, spectra of the selection",
    ),
    "all": ("Everything", "All files of this page, in one ZIP"),
}
_GROUPS = (
    ("Pictures", ("png", "photo", "pngs", "profile")),
    ("Maps", ("tiff", "tiffs", "netcdf")),
    ("Spectra, profile, regions", ("csv", "msa", "profile_csv", "geojson")),
    ("To read, to keep, to repeat", ("pdf", "html", "script", "all")),
)


_WHY = {
    "geojson": "Select some pixels first",
    "photo": "Lay a photograph over the map first",
    "profile": "Draw a line on the map first",
    "profile_csv": "Draw a line on the map first",
}


def groups(analysis: Analysis) -> list[dict[str, Any]]:
    """What can be taken home of an analysis, in groups; for the component."""
    from xrfengine.export.kinds import KINDS, found_symbols, is_ready
    from xrfengine.export.shown import shown_map

    names = ["the whole scan", *(area.name for area in analysis.areas)]
    shown = shown_map(analysis)
    words = {
        "regions": _and(names[1:]) or "none yet",
        "element": shown.element or shown.title,
        "n": len(found_symbols(analysis)),
        "errors": "standard errors, " if analysis.errors is not None else "",
        "spectra": _and(names),
        "curves": _and([c.name for c in analysis.profile.curves])
        if analysis.profile
        else "the element chosen",
    }

    def item(kind: str) -> dict[str, Any]:
        title, told = (text.format(**words) for text in _WORDS[kind])
        return {
            "id": kind,
            "title": title,
            "told": told,
            "size": size_words(KINDS[kind].n_bytes(analysis)),
            "file": KINDS[kind].name(analysis),
            "ready": is_ready(kind, analysis),
            "why": _WHY.get(kind, ""),
        }

    return [{"title": title, "items": [item(kind) for kind in kinds]} for title, kinds in _GROUPS]


def _and(names: list[str]) -> str:
    if len(names) > 5:
        return f"{', '.join(names[:4])} and {len(names) - 4} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def size_words(n_bytes: int) -> str:
    """``"4 kB"``, ``"1.4 MB"``; about so many."""
    if n_bytes < 950_000:
        return f"{max(round(n_bytes / 1000), 1)} kB"
    mega = n_bytes / 1e6
    return f"{mega:.1f} MB" if mega < 9.5 else f"{mega:,.0f} MB"
