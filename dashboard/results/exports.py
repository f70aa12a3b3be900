"""From what a session shows to what is taken home; pure but for reading the session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboard.plots.display import Display
from dashboard.plots.pictures import MAP_PALETTES, window_limits
from dashboard.results.profiles import TOTAL, profiles
from xrfengine.errors import XRFError
from xrfengine.export.analysis import (
    METHOD_FILE,
    Analysis,
    Area,
    Curve,
    Photo,
    Placement,
    Profile,
    Provenance,
    WindowShown,
    file_name,
    window_file_name,
)
from xrfengine.export.script import Source


def analysis_of(session: Any, results: Any) -> Analysis:
    """The view as it is now; on the loop, for threads must not look at the session.

    Raises
    ------
    XRFError
        If there are no maps yet, or none of the chosen element.
    """
    opened, maps = results.opened, results.maps
    if opened is None or maps is None or results.map_state.kind == "loading":
        raise XRFError("The maps are not there yet", "Wait until they are, then export them.")
    element = session.element
    if element not in maps.elements:
        if results.window is None:
            raise XRFError(
                f"There is no map of {element} by this method",
                "Choose another element, or another method above the map.",
            )
        element = maps.elements[0]
    moved = session.thresholds_of(session.method)
    model = results.engine.classifier
    settings: dict[str, Any] = {}
    if results.unit and session.normalise != "none":
        settings["normalise"] = session.normalise
    if moved:
        settings["moved_thresholds"] = sorted(moved)
    if session.method == "fit" and results.added():
        settings["fitted_also"] = list(results.added())
    if session.method == "cluster":
        settings["clusters"] = repr(results.cluster_settings())
    return Analysis(
        opened.cube,
        maps,
        {**results.starts, **moved},
        results.found,
        element,
        Provenance(
            dataset=opened.label,
            source=opened.cube.digest,
            method=session.method,
            region_px=maps.region_px,
            model=model.digest,
            model_name=model.name,
            pixel_size_mm=results.pixel_size_mm,
            overruled=tuple((s, said == "present") for s, said in session.overrides.verdicts),
            settings=settings,
        ),
        results.errors,
        areas_of(results),
        window_of(session, results),
        placement_of(session, opened.cube.shape[:2]),
        f"{results.unit} per pixel" if results.unit else "",
        MAP_PALETTES[session.colours],
        session.top_percentile,
        profile_of(session, results),
        photo_of(session, results),
    )


def profile_of(session: Any, results: Any) -> Profile | None:
    """Values along the line on the map, where one is drawn."""
    found = profiles(session, results)
    if not found:
        return None
    curves = tuple(
        Curve(
            "All counts" if along.name == TOTAL else along.name,
            along.values,
            f"{along.unit} per pixel" if along.unit else "",
        )
        for along in found.values()
    )
    distance = next(iter(found.values())).distance_px
    return Profile(session.profile, session.profile_width, distance, curves)


def photo_of(session: Any, results: Any) -> Photo | None:
    """The photograph as it lies over the map, where it is shown."""
    if not is_under_photograph(session, results):
        return None
    photo = results.photograph
    return Photo(photo.name, photo.laid, session.photo_opacity / 100)


def is_under_photograph(session: Any, results: Any) -> bool:
    """Whether a photograph lies over the map."""
    photo = results.photograph
    return photo is not None and photo.laid is not None and session.photo_opacity > 0


def window_of(session: Any, results: Any) -> WindowShown | None:
    """The map of the counts between two energies, where that is shown."""
    window = results.window
    if window is None:
        return None
    start, top = window_limits(window)
    moved = session.window_threshold
    return WindowShown(
        window.name,
        window.values,
        start if moved is None else moved,
        top,
        window.unit,
        window.region_px,
    )


def placement_of(session: Any, shape_yx: tuple[int, int]) -> Placement:
    """How the picture lies on the page."""
    display = Display.of(session, shape_yx)
    return Placement(display.crop, display.turns, display.mirrored)


def picture_name(session: Any, results: Any) -> str:
    """Of the file a picture of the shown map is saved to; empty while there is none.

    With the photograph, where one lies over the map.
    """
    opened, maps = results.opened, results.maps
    if opened is None or maps is None or results.map_state.kind == "loading":
        return ""
    more = "photograph" if is_under_photograph(session, results) else ""
    if results.window is not None:
        return window_file_name(opened.label, results.window.name, more) + ".png"
    if session.element not in maps.elements:
        return ""
    method = METHOD_FILE.get(session.method, session.method)
    return file_name(opened.label, session.element, method, more) + ".png"


def areas_of(results: Any) -> tuple[Area, ...]:
    """The selection and the kept regions, as far as their pixels are known; named apart."""
    areas, selected = [], results.selected
    if selected is not None:
        areas.append(
            Area(
                selected.title,
                selected.colour,
                selected.mask,
                replace(selected.spectrum, name=selected.title),
                selected.identified,
            )
        )
    names = {area.name for area in areas}
    for facts in results.regions:
        if facts.spectrum is None or facts.mask is None:
            continue
        name, number = facts.region.name, 2
        while name in names:
            name, number = f"{facts.region.name} ({number})", number + 1
        names.add(name)
        areas.append(Area(name, facts.region.colour, facts.mask, facts.spectrum, facts.identified))
    return tuple(areas)


def source_of(session: Any, results: Any, analysis: Analysis) -> Source:
    """How a script finds the scan and draws the selection again."""
    path, selected = results.opened.cube.path, results.selected
    file = ""
    if path is not None and results.opened.id != "demo":
        file = path.replace("\\", "/").rpartition("/")[2]
    vertices = {}
    if selected is not None and selected.chosen is not None and selected.chosen.source == "map":
        vertices[selected.title] = selected.chosen.vertices
    return Source(file, analysis.provenance.settings.get("clusters", ""), vertices)
