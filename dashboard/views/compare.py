"""Maps side by side on the same pixels: methods, elements, lines, components, two scans."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import panel as pn

from dashboard.canvas.compare_pane import OF_ELEMENT, PANE, ROW, ComparePane
from dashboard.components import Choice, Toggle, Tools
from dashboard.names import element_name
from dashboard.plots.display import CHOICES, Display
from dashboard.plots.linked import link
from dashboard.plots.pictures import MAP_PALETTES
from dashboard.results import Results
from dashboard.results.compared import Wanted
from dashboard.session import Session
from dashboard.session.compare import MOST_PANES, N_COMPONENTS, SIDE_BY_SIDE, Shown

_FITTED = ("fit", "lines", "ratio")
_COUNTED = ("fit", "roi", "lines", "window", "component")
"""What can be evened out; a probability and a ratio stay what they are."""
_STAGE_PX = (1140, 740)
_AROUND_MAP_PX = 110
"""Room for the maps in a window of 1440×900, and of that what is no map."""
_GRID = """:host { display: grid !important; gap: 1px; background: var(--xrf-surface);
  min-height: 0; min-width: 0; flex: 1 1 0; overflow: hidden; grid-auto-rows: 0; }
:host > * { margin: 0 !important; min-width: 0; min-height: 0; width: auto; height: auto;
  box-shadow: 0 0 0 1px var(--xrf-hairline); }"""


def _columns_and_rows(number: int, shape_yx: tuple[int, int]) -> tuple[int, int]:
    """Side by side or in two rows, whichever shows scans of this shape larger."""
    height, width = shape_yx

    def scale(grid: tuple[int, int]) -> float:
        columns, rows = grid
        room_px = _STAGE_PX[0] / columns, _STAGE_PX[1] / rows - _AROUND_MAP_PX
        return min(room_px[0] / width, room_px[1] / height)

    return max([(number, 1), *([(2, 2)] if number > 2 else [(1, 2)])], key=scale)


class CompareView(pn.viewable.Viewer):
    """Two to four maps that move together."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._panes = [
            ComparePane(
                f"xrf-compare-{i + 1}",
                results,
                partial(self._choose, i),
                self._range_colours,
                self._way,
            )
            for i in range(MOST_PANES)
        ]
        link([pane.map for pane in self._panes])
        self._what = Choice(
            label="Side by side", margin=0, description="What the maps show; each can be changed"
        )
        self._what.param.watch(lambda e: self._take_preset(e.new), "value")
        self._number = Choice(
            label="Maps", options=[(str(n), str(n)) for n in range(2, MOST_PANES + 1)], margin=0,
            description="How many maps",
        )  # fmt: skip
        self._number.param.watch(lambda e: self._take_number(int(e.new)), "value")
        self._parts = Choice(
            label="Components", options=[(str(n), str(n)) for n in N_COMPONENTS], margin=0,
            value=str(session.n_components), visible=False,
            description="How many components the spectra are taken apart into (NMF)",
        )  # fmt: skip
        self._parts.param.watch(lambda e: setattr(session, "n_components", int(e.new)), "value")
        self._common = Toggle(
            label="Common range", value=session.compare_common, margin=0, width=128,
            description="Maps of one unit share one range of colours",
        )  # fmt: skip
        self._common.link(session, value="compare_common")
        self._scans = [(info.label, info.id) for info in results.engine.datasets()]
        self._grid = pn.Column(stylesheets=[_GRID], sizing_mode="stretch_both", margin=0)
        self._layout = pn.Column(
            pn.Row(
                self._what, self._number, self._parts, self._common,
                Tools(prefix=self._panes[0].map.key, options=[], width=36, margin=0),
                stylesheets=[ROW], margin=0, sizing_mode="stretch_width",
            ),
            self._grid,
            stylesheets=[PANE], sizing_mode="stretch_both", margin=0, css_classes=["xrf-compare"],
        )  # fmt: skip
        session.param.watch(
            lambda *e: self.shown(),
            [
                "compare_panes",
                "element",
                "region_px",
                "thresholds",
                "n_components",
                "normalise",
                "overrides",
                "energy_window_kev",
                "window_net",
            ],
        )
        session.param.watch(lambda *e: self._range_colours(), "compare_common")
        session.param.watch(lambda *e: self._repaint(), ["colours", *CHOICES])
        results.param.watch(lambda *e: self.shown(), ["opened", "found"])

    def __panel__(self) -> pn.Column:
        return self._layout

    # ---- choices

    def _choose(self, place: int, shown: Shown) -> None:
        panes = self.session.compare_panes
        if place < len(panes) and panes[place] != shown:
            self.session.compare_panes = (*panes[:place], shown, *panes[place + 1 :])

    def presets(self) -> dict[str, tuple[Shown, ...]]:
        """What can be laid side by side at one click, by its words."""
        found = [f.element for f in self.results.found if not f.is_instrument]
        method = self.session.method if self.session.method in OF_ELEMENT else "probability"
        chosen = {
            "methods, one element": SIDE_BY_SIDE,
            "lines and their ratio": (Shown("fit"), Shown("lines"), Shown("ratio")),
            "element and components": (Shown("fit"), Shown("component")),
        }
        if len(found) > 1:
            several = tuple(Shown(method, symbol) for symbol in found[:MOST_PANES])
            chosen["found elements"] = several
        here = self.session.dataset
        if self.session.energy_window_kev is not None:
            chosen["element and drawn window"] = (Shown(method), Shown("window"))
        others = [id_ for _, id_ in self._scans if id_ != here]
        if others:
            chosen["two scans"] = (Shown(method), Shown(method, scan=others[0]))
        return chosen

    def _take_preset(self, words: str) -> None:
        panes = self.presets().get(words)
        if panes is not None:
            self.session.compare_panes = panes

    def _take_number(self, number: int) -> None:
        panes = self.session.compare_panes
        if number != len(panes):
            extra = [s for s in (*SIDE_BY_SIDE, Shown("component")) if s not in panes]
            extra += [SIDE_BY_SIDE[0]] * MOST_PANES
            self.session.compare_panes = (*panes, *extra)[:number]

    # ---- showing

    def shown(self) -> None:
        """Show what is chosen; called whenever this comes on stage, and by what changes on it."""
        if self.session.stage != "compare" or self.results.opened is None:
            return
        session, opened = self.session, self.results.opened
        panes = session.compare_panes
        presets = self.presets()
        words = next((word for word, each in presets.items() if each == panes), "own choice")
        options = [(word, word) for word in dict.fromkeys((*presets, words))]
        self._what.param.update(options=options, value=words)
        self._number.value = str(len(panes))
        self._parts.param.update(
            visible=any(each.kind == "component" for each in panes),
            value=str(session.n_components),
        )
        self._common.value = session.compare_common
        self._arrange(len(panes), opened.cube.shape[:2])
        elements, scans = self._elements(), self._offered_scans()
        for pane, each in zip(self._panes, panes, strict=False):
            pane.offer(each, elements, scans)
            if session.element or each.name:
                pane.show(self._wanted(each))

    def _wanted(self, shown: Shown) -> Wanted:
        session = self.session
        if shown.scan == session.dataset:
            shown = replace(shown, scan="")
        symbol = shown.name or session.element
        moved = session.thresholds.get((shown.kind, symbol))
        follows, is_window, is_fit = not shown.name, shown.kind == "window", shown.kind in _FITTED
        is_here, results = not shown.scan, self.results
        return Wanted(
            shown,
            session.dataset,
            session.element if follows and not is_window else "",
            session.region_px,
            {} if moved is None else {(shown.kind, symbol): moved},
            session.n_components if shown.kind == "component" else 0,
            session.normalise if shown.kind in _COUNTED else "none",
            session.energy_window_kev if is_window else None,
            session.window_net if is_window else True,
            results.added() if is_fit and is_here else (),
            results.opened.cube.calibration if is_here else None,
        )

    def _arrange(self, number: int, shape_yx: tuple[int, int]) -> None:
        wanted = [pane.layout for pane in self._panes[:number]]
        if self._grid.objects != wanted:
            self._grid.objects = wanted
        columns, rows = _columns_and_rows(number, shape_yx)
        for place, layout in enumerate(wanted):
            # By name: Panel may put empty elements of its own between them.
            layout.styles = {"grid-area": f"map{place}"}
        names = [f"map{i}" if i < number else "." for i in range(columns * rows)]
        lines = [names[i * columns : (i + 1) * columns] for i in range(rows)]
        self._grid.styles = {
            "grid-template-areas": " ".join(f'"{" ".join(line)}"' for line in lines),
            "grid-template-columns": f"repeat({columns}, minmax(0, 1fr))",
            "grid-template-rows": f"repeat({rows}, minmax(0, 1fr))",
        }

    def _elements(self) -> list[tuple[str, str]]:
        chosen = self.session.element
        options = [(f"Chosen element ({chosen})" if chosen else "Chosen element", "")]
        found = [f.element for f in self.results.found]
        known = () if self.results.maps is None else self.results.maps.elements
        rest = sorted(set(known) - set(found))
        return options + [
            (f"{symbol} {element_name(symbol)}", symbol) for symbol in (*found, *rest)
        ]

    def _offered_scans(self) -> list[tuple[str, str]]:
        here = self.session.dataset
        return [("This scan", ""), *((label, id_) for label, id_ in self._scans if id_ != here)]

    def _way(self, shape_yx: tuple[int, int]) -> tuple[Display, tuple[str, ...]]:
        """How a map of this shape lies, and its colours: as the page's map, if that is alike."""
        opened = self.results.opened
        is_alike = opened is not None and opened.cube.shape[:2] == shape_yx
        display = Display.of(self.session, shape_yx) if is_alike else Display(shape_yx)
        return display, MAP_PALETTES[self.session.colours]

    def _repaint(self) -> None:
        for pane in self._panes:
            pane.repaint()
        self._range_colours()

    def _range_colours(self) -> None:
        """Each map its own range, or one for those of a unit."""
        panes = self._panes[: len(self.session.compare_panes)]
        drawn = [pane for pane in panes if pane.picture is not None]
        for pane in drawn:
            same = [p.picture for p in drawn if p.picture.unit == pane.picture.unit]
            if not self.session.compare_common:
                same = [pane.picture]
            pane.colour_range(min(p.low for p in same), max(p.high for p in same))
