"""From what a session shows to what is taken home; pure but for reading the session."""

from __future__ import annotations

from typing import Any

from xrfengine.errors import XRFError
from xrfengine.export.analysis import METHOD_FILE, Analysis, Area, Provenance, file_name
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
    if session.element not in maps.elements:
        raise XRFError(
            f"There is no map of {session.element} by this method",
            "Choose another element, or another method above the map.",
        )
    moved = session.thresholds_of(session.method)
    model = results.engine.classifier
    settings: dict[str, Any] = {}
    if moved:
        settings["moved_thresholds"] = sorted(moved)
    if session.method == "cluster":
        settings["clusters"] = repr(results.cluster_settings())
    return Analysis(
        opened.cube,
        maps,
        {**results.starts, **moved},
        results.found,
        session.element,
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
    )


def picture_name(session: Any, results: Any) -> str:
    """Of the file a picture of the shown map is saved to; empty while there is none."""
    opened, maps = results.opened, results.maps
    if opened is None or maps is None or session.element not in maps.elements:
        return ""
    if results.map_state.kind == "loading":
        return ""
    method = METHOD_FILE.get(session.method, session.method)
    return file_name(opened.label, session.element, method) + ".png"


def areas_of(results: Any) -> tuple[Area, ...]:
    """The selection and the kept regions, as far as their pixels are known; named apart."""
    areas, selected = [], results.selected
    if selected is not None:
        areas.append(
            Area(
                selected.title,
                selected.colour,
                selected.mask,
                selected.spectrum,
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
