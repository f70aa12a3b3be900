"""Drawing on the map: what the browser sends, and the layers that show what is drawn and kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from bokeh.models import ColumnDataSource, Line, MultiLine
from bokeh.plotting import figure as Figure

from dashboard.plots.display import Display
from dashboard.plots.figures import layer
from dashboard.plots.outlines import path, within
from dashboard.plots.pictures import HIGHLIGHT
from dashboard.results.regions import RegionFacts
from dashboard.session import Selection
from dashboard.session.regions import OPERATIONS

MOST_VERTICES = 2_000
_SOURCES = {"polygon": ("map", 3), "brush": ("brush", 1), "pixel": ("pixel", 1)}
_CASING = "rgba(10, 14, 14, 0.7)"
"""Around the outlines: light colours show on light pixels, too."""


def drawn(data: dict, place: str = "map") -> tuple[Selection, str | None] | None:
    """What the mailbox of a figure holds: a selection in the figure's units, and how it joins.

    ``place`` is where polygons are drawn, ``"map"`` or ``"embedding"``. The operation is None where
    no key was held; None in all for what is no drawing.
    """
    how = str(data["how"][0]).split() if len(data.get("how", ())) else []
    x, y = (np.asarray(data.get(name, ()), dtype=np.float64) for name in ("x", "y"))
    if len(how) < 3 or how[0] not in _SOURCES or x.shape != y.shape or x.size > MOST_VERTICES:
        return None
    source, fewest = _SOURCES[how[0]]
    try:
        radius = float(how[2])
    except ValueError:
        return None
    if x.size < fewest or not np.isfinite([*x, *y, radius]).all():
        return None
    if source == "brush" and radius <= 0:
        return None
    vertices = tuple(zip(x.tolist(), y.tolist(), strict=True))
    source = place if source == "map" else source
    part = Selection(source, vertices, radius_px=radius if source == "brush" else 0.0)
    return part, how[1] if how[1] in OPERATIONS else None


def add_layers(fig: Figure) -> None:
    """Layers of the kept regions, below the selection's border, and of the brush above all."""
    for name, colour, width in (("casing", _CASING, "casing"), ("regions", "colour", "width")):
        fig.add_glyph(
            ColumnDataSource(data=_outlines((), Display((1, 1)))),
            MultiLine(
                xs="xs", ys="ys", line_color=colour, line_width=width, line_join="miter",
                line_cap="square",
            ),
            name=name,
        )  # fmt: skip
    fig.add_glyph(
        ColumnDataSource(data={"x": [], "y": []}),
        Line(
            x="x", y="y", line_color=HIGHLIGHT, line_alpha=0.4, line_width=8, line_cap="round",
            line_join="round",
        ),
        name="brush",
        level="overlay",
    )  # fmt: skip
    # Both strokes of an outline are one column of data: hovering widens them in the browser.
    casing, regions = (layer(fig, name) for name in ("casing", "regions"))
    casing.data_source = regions.data_source
    regions.data_source.name = "xrf-region-outlines"


def on_scan(part: Selection, display: Display) -> Selection | None:
    """What was drawn on the picture, in pixels of the scan; None if it misses the picture."""
    vertices = np.asarray(part.vertices)
    if part.source == "map":
        found = display.outlined(vertices)
        return replace(part, vertices=found) if len(found) >= 3 else None
    height, width = display.shape
    low, high = (-0.5, -0.5), (width - 0.51, height - 0.51)
    if part.source == "pixel" and not ((vertices >= low) & (vertices <= high)).all():
        return None
    found = display.to_scan(np.clip(vertices, low, high)).round(3)
    return replace(part, vertices=tuple(map(tuple, found.tolist())))


def show_regions(
    fig: Figure, facts: Iterable[RegionFacts], hidden: Iterable[str], display: Display
) -> None:
    """Outline the regions that are not hidden, each in its colour."""
    hidden = set(hidden)
    shown = [f for f in facts if f.outline is not None and f.region.id not in hidden]
    layer(fig, "regions").data_source.data = _outlines(shown, display)


def _outlines(facts: Iterable[RegionFacts], display: Display) -> dict[str, list]:
    x0, y0, x1, y1 = display.box
    box = (x0 - 0.5, y0 - 0.5, x1 - 0.5, y1 - 0.5)
    lines = []
    for region in facts:
        runs = within(region.outline, box)
        lines.append(path(display.to_shown(runs.reshape(-1, 2)).reshape(-1, 4)))
    return {
        "xs": [line[0] for line in lines],
        "ys": [line[1] for line in lines],
        "id": [f.region.id for f in facts],
        "colour": [f.region.colour for f in facts],
        "width": [2.25 for _ in lines],
        "casing": [4.25 for _ in lines],
    }
