"""The line profile: values along a line on the map, in a small plot below it."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
from bokeh.models import HoverTool, LinearAxis, NumeralTickFormatter, Range1d

from dashboard.components.map import ProfileHead
from dashboard.names import element_name
from dashboard.plots import figures
from dashboard.results import Results
from dashboard.results.profiles import TOTAL, Along, beside_shown, profiles
from dashboard.session import Session
from dashboard.session.map import MOST_BESIDE
from dashboard.shown import capital
from xrfengine.regions import OKABE_ITO

PLOT_PX = 152
_INK = {"light": "#0b6e6e", "dark": "#4fc0b5"}
_MUTED = {"light": "#566360", "dark": "#9badaa"}
_BESIDE = (OKABE_ITO[5], OKABE_ITO[1])
_HEADROOM = 1.08
_NOTHING = Along("", "", np.zeros(0), np.zeros(0))


class ProfileView(pn.viewable.Viewer):
    """Follows ``session.profile``; nothing is built before there is a line."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._figure = None
        self._is_due = False
        self._layout = pn.Column(
            sizing_mode="stretch_width", margin=0, visible=False, css_classes=["xrf-profile"],
            styles={"border-top": "1px solid var(--xrf-hairline)", "flex": "none"},
        )  # fmt: skip
        session.param.watch(
            lambda *e: self._show(),
            ["profile", "profile_beside", "profile_width", "element", "theme"],
        )
        results.param.watch(
            lambda *e: self._show(), ["maps", "unit", "pixel_size_mm", "found", "window"]
        )

    def __panel__(self) -> pn.Column:
        return self._layout

    def _build(self) -> None:
        self._head = ProfileHead(
            sizing_mode="stretch_width", margin=0, on_message=self._take_message
        )
        self._head.param.watch(lambda e: self._plot.param.update(visible=not e.new), "folded")
        fig = self._figure = figures.render(figures.profile())
        fig.name = "xrf-profile-figure"
        fig.xgrid.visible, fig.ygrid.visible = True, False
        fig.extra_y_ranges = {TOTAL: Range1d(0, 1)}
        self._right = LinearAxis(y_range_name=TOTAL, axis_label="All counts")
        fig.add_layout(self._right, "right")
        for axis in (fig.yaxis[0], self._right):
            axis.formatter = NumeralTickFormatter(format="0,0.[00]")
        figures.layer(fig, TOTAL).y_range_name = TOTAL
        fig.add_tools(
            HoverTool(
                renderers=[figures.layer(fig, "chosen")], tooltips="@words", mode="vline",
                line_policy="nearest", point_policy="follow_mouse",
            )
        )  # fmt: skip
        fig.min_border_top = fig.min_border_right = 8
        fig.sizing_mode, fig.height = "stretch_width", PLOT_PX
        self._plot = pn.pane.Bokeh(fig, height=PLOT_PX, sizing_mode="stretch_width", margin=0)

    def _take_message(self, data: dict[str, Any]) -> None:
        match data:
            case {"close": True}:
                self.session.profile = None
            case {"width": int(px)} if 1 <= px <= 99:
                self.session.profile_width = px
            case {"beside": [*names]}:
                known = {name for _, name in self._options()}
                chosen = dict.fromkeys(str(n) for n in names if n and n in known)
                self.session.profile_beside = tuple(chosen)[:MOST_BESIDE]

    def _options(self) -> list[tuple[str, str]]:
        results, shown = self.results, "" if self.results.window else self.session.element
        symbols = [item.element for item in (*results.found, *results.few)]
        symbols = [s for s in symbols if s != shown and beside_shown(results)]
        # The symbol first: in a narrow pane there is no room for more.
        named = [(f"{symbol} {element_name(symbol)}", symbol) for symbol in symbols]
        return [("add a curve", ""), ("All counts", TOTAL), *named]

    def _show(self) -> None:
        """Once for all that changes together: a new plot reaches the browser whole."""
        if not self._is_due:
            self._is_due = True
            self.results.deliver(self._show_now)

    def _show_now(self) -> None:
        self._is_due = False
        found = profiles(self.session, self.results)
        if found is None:
            self._layout.visible = False
            return
        if self._figure is None:
            self._build()
        self._paint(found)
        if not self._layout.objects:
            self._layout.objects = [self._head, self._plot]
        self._layout.visible = True

    def _paint(self, curves: dict[str, Along]) -> None:
        fig, session, results = self._figure, self.session, self.results
        size, unit = (results.pixel_size_mm, "mm") if results.pixel_size_mm else (1.0, "px")
        colours = {
            "chosen": _INK[session.theme], TOTAL: _MUTED[session.theme],
            "beside0": _BESIDE[0], "beside1": _BESIDE[1],
        }  # fmt: skip
        words = _told(curves, size, unit)
        of = next((along.unit for name, along in curves.items() if name != TOTAL), results.unit)
        for name, colour in colours.items():
            along = curves.get(name, _NOTHING)
            layer = figures.layer(fig, name)
            layer.glyph.update(line_color=colour, line_width=1.5)
            data = {"distance": along.distance_px * size, "value": along.values}
            layer.data_source.data = data | ({"words": words} if name == "chosen" else {})
        length = max((along.distance_px[-1] for along in curves.values()), default=1.0) * size
        fig.x_range.update(start=0.0, end=length)
        lines = [along.values for name, along in curves.items() if name != TOTAL]
        fig.y_range.update(**_limits(lines, floor=0.0 if of else 1.0))
        self._right.visible = TOTAL in curves
        if TOTAL in curves:
            fig.extra_y_ranges[TOTAL].update(**_limits([curves[TOTAL].values]))
        fig.xaxis.axis_label = f"Distance ({unit})"
        fig.yaxis[0].axis_label = capital(of or "probability")
        self._head.param.update(
            text=f"{length:,.1f} {unit}",
            curves=[[colours[name], name, along.name] for name, along in curves.items()],
            beside=[*session.profile_beside, "", ""][:MOST_BESIDE],
            options=[list(option) for option in self._options()],
            across=session.profile_width,
            widths=sorted({1, 3, 5, 9, session.profile_width}),
        )


def _told(curves: dict[str, Along], size: float, unit: str) -> list[str]:
    """What the pointer tells at each place of the curve of what the map shows."""
    if "chosen" not in curves:
        return []
    parts = []
    for name, along in curves.items():
        digits = 0 if name == TOTAL else 1 if along.unit else 2
        label = "all counts" if name == TOTAL else along.name
        parts.append(
            [f"{label} {v:,.{digits}f}" if np.isfinite(v) else f"{label} –" for v in along.values]
        )
    places = [f"{at * size:,.1f} {unit}: " for at in curves["chosen"].distance_px]
    return [
        place + ", ".join(each)
        for place, each in zip(places, zip(*parts, strict=True), strict=True)
    ]  # fmt: skip


def _limits(curves: list[np.ndarray], floor: float = 0.0) -> dict[str, float]:
    """From 0 (or the lowest value) to a little above the highest, ``floor`` at least."""
    known = np.concatenate([*curves, np.zeros(1)])
    known = known[np.isfinite(known)]
    high = max(float(known.max()), floor)
    return {"start": float(known.min()), "end": high * _HEADROOM if high > 0 else 1.0}
