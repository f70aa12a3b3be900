"""Maps side by side on the same pixels: methods, elements, lines, components, two scans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import panel as pn

from dashboard.compared import Picture, Wanted, picture
from dashboard.components import Choice, Toggle, Tools
from dashboard.components.comparing import Readout, SmallSpectrum
from dashboard.linked import LinkedMap, link
from dashboard.names import element_name
from dashboard.pane import body, show_state, state_cover
from dashboard.results import Results
from dashboard.session import Session
from dashboard.session.compare import MOST_PANES, N_COMPONENTS, SIDE_BY_SIDE, Shown
from dashboard.shown import READY, State, failed_state
from xrfengine.errors import XRFError

KIND_WORDS = [
    ("Probability", "probability"),
    ("Net counts, fitted", "fit"),
    ("Counts in a window", "roi"),
    ("Single lines, fitted", "lines"),
    ("Ratio of lines", "ratio"),
    ("Component", "component"),
]
_KINDS_TOLD = (
    "Probability: that the element is visible. Net counts, fitted: of its main lines, with their "
    "standard error. Counts in a window: around its main line. Single lines: one group, such as "
    "Pb M. Ratio of lines: softer over harder lines of one element; where it is low, the element "
    "lies deeper or under more. Component: what parts of the spectra come and go together (NMF)"
)
_STAGE_PX = (1140, 740)
_AROUND_MAP_PX = 110
"""Room for the maps in a window of 1440×900, and of that what is no map."""
_OF_ELEMENT = ("probability", "fit", "roi")
_GRID = """:host { display: grid !important; gap: 1px; background: var(--xrf-hairline);
  min-height: 0; min-width: 0; flex: 1 1 0; overflow: hidden; grid-auto-rows: 0; }
:host > * { margin: 0 !important; min-width: 0; min-height: 0; width: auto; height: auto; }"""
_PANE = """:host { display: flex; flex-direction: column; min-width: 0; min-height: 0; gap: 0;
  background: var(--xrf-surface); overflow: hidden; }"""
_ROW = """:host { display: flex; flex-flow: row nowrap; align-items: center; flex: none; gap: 8px;
  height: 40px; padding: 0 8px; border-bottom: 1px solid var(--xrf-hairline); overflow: hidden; }
:host > * { flex: 0 1 auto; min-width: 0; margin: 0 !important; }"""


def _columns_and_rows(number: int, shape_yx: tuple[int, int]) -> tuple[int, int]:
    """Side by side or in two rows, whichever shows scans of this shape larger."""
    height, width = shape_yx

    def scale(grid: tuple[int, int]) -> float:
        columns, rows = grid
        room_px = _STAGE_PX[0] / columns, _STAGE_PX[1] / rows - _AROUND_MAP_PX
        return min(room_px[0] / width, room_px[1] / height)

    return max([(number, 1), *([(2, 2)] if number > 2 else [(1, 2)])], key=scale)


class ComparePane:
    """One of the maps side by side, with its own choice of what it shows."""

    def __init__(
        self,
        key: str,
        results: Results,
        choose: Callable[[Shown], None],
        arrived: Callable[[], None],
    ) -> None:
        self.map = LinkedMap(key)
        self.picture: Picture | None = None
        self._results, self._choose, self._arrived = results, choose, arrived
        self._work = results.further_work(is_listed=True)
        self._wanted: Wanted | None = None
        self._drawn: Wanted | None = None
        self._shown = Shown()
        self._elements: list[tuple[str, str]] = []
        self._kind = Choice(options=KIND_WORDS, label="", description=_KINDS_TOLD, margin=0)
        self._name = Choice(label="", description="Of which element, lines or component", margin=0)
        self._scan = Choice(label="", description="Of which scan", margin=0, visible=False)
        self._kind.param.watch(self._take_kind, "value")
        self._name.param.watch(self._take_name, "value")
        self._scan.param.watch(self._take_scan, "value")
        self._readout = Readout(key=key, margin=0, sizing_mode="stretch_width", height=25)
        self._spectrum = SmallSpectrum(
            margin=0, sizing_mode="stretch_width", height=96, visible=False
        )
        self._cover = state_cover(self._act)
        self.layout = pn.Column(
            pn.Row(
                self._kind, self._name, self._scan,
                stylesheets=[_ROW], margin=0, sizing_mode="stretch_width",
            ),
            body(
                pn.pane.Bokeh(self.map.figure, sizing_mode="stretch_both", margin=0), self._cover
            ),
            self._spectrum,
            self._readout,
            stylesheets=[_PANE], margin=0, css_classes=["xrf-compare-pane"],
            sizing_mode="stretch_both",
        )  # fmt: skip
        self._show_state(State("loading", "Opening the scan"))

    def offer(
        self, shown: Shown, elements: list[tuple[str, str]], scans: list[tuple[str, str]]
    ) -> None:
        """What is chosen, and what can be."""
        self._shown, self._elements = shown, elements
        self._scan.visible = len(scans) > 1
        self._scan.param.update(options=scans, value=shown.scan)
        self._kind.value = shown.kind
        self._offer_names()

    def _offer_names(self) -> None:
        if self._shown.kind in _OF_ELEMENT:
            options = self._elements
        else:
            first = (
                "Nearest to the element" if self._shown.kind == "component" else "Of the element"
            )
            is_drawn = self.picture is not None and self._drawn is self._wanted
            if is_drawn and not self._shown.name:
                first += f": {self.picture.title}"
            options = [(first, ""), *(self.picture.names if is_drawn else ())]
        name = self._shown.name
        if name not in [value for _, value in options]:
            options = [*options, (name.replace("-", " "), name)]
        self._name.param.update(options=options, value=name)

    def _take_kind(self, event) -> None:
        if event.new and event.new != self._shown.kind:
            keeps = {event.new, self._shown.kind} <= set(_OF_ELEMENT)
            name = self._shown.name if keeps else ""
            self._choose(replace(self._shown, kind=event.new, name=name))

    def _take_name(self, event) -> None:
        if event.new != self._shown.name:
            self._choose(replace(self._shown, name=event.new))

    def _take_scan(self, event) -> None:
        if event.new != self._shown.scan:
            self._choose(replace(self._shown, scan=event.new))

    # ---- the map

    def show(self, wanted: Wanted) -> None:
        """Paint what is wanted, unless it is there already."""
        if wanted == self._wanted:
            return
        self._wanted = wanted
        words = next(word for word, kind in KIND_WORDS if kind == wanted.shown.kind)
        if self.picture is None:
            self._show_state(State("loading", "Preparing the map"))
        self._work.start(
            partial(picture, self._results.engine, wanted),
            then=self._paint,
            failed=self._fail,
            stopped=self._stop,
            progressed=lambda fraction, message: self._show_state(
                State("loading", message or words, fraction=fraction, action="Cancel")
            ),
            label=f"{words}, side by side",
        )

    def _paint(self, drawn: Picture) -> None:
        self.picture, self._drawn = drawn, self._wanted
        self.map.show_grey(drawn.total_counts, drawn.grey)
        images = {"image": drawn.values}
        if drawn.errors is not None:
            images["error"] = drawn.errors
        self.map.show_values(drawn.unit, drawn.low, drawn.high, **images)
        self._readout.idle = " · ".join(filter(None, (drawn.title, drawn.detail)))
        spectrum = drawn.spectrum
        self._spectrum.visible = spectrum is not None
        if spectrum is not None:
            self._spectrum.param.update(
                points=[list(p) for p in zip(spectrum.energy_kev, spectrum.heights, strict=True)],
                marks=[list(mark) for mark in spectrum.marks],
                label=f"Spectrum of the component: {drawn.detail}",
            )
        self._offer_names()
        self._show_state(READY)
        self._arrived()

    def colour_range(self, low: float, high: float) -> None:
        """Where colours begin and end; pixels below are left out where the map says so."""
        self.map.mapper.update(low=low, high=high)

    def _fail(self, error: XRFError) -> None:
        self.picture = self._drawn = None
        self._spectrum.visible = False
        self._readout.idle = ""
        self._show_state(failed_state(error, "Try again"))

    def _stop(self) -> None:
        self._show_state(State("empty", "The map was cancelled", action="Start again"))

    def _act(self, action: str) -> None:
        if action == "Cancel":
            self._work.cancel()
            self._stop()
        elif self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            self.show(wanted)

    def _show_state(self, state: State) -> None:
        show_state(self._cover, state, has_content=self.picture is not None)


class CompareView(pn.viewable.Viewer):
    """Two to four maps that move together."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._panes = [
            ComparePane(
                f"xrf-compare-{i + 1}", results, partial(self._choose, i), self._range_colours
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
                stylesheets=[_ROW], margin=0, sizing_mode="stretch_width",
            ),
            self._grid,
            stylesheets=[_PANE], sizing_mode="stretch_both", margin=0, css_classes=["xrf-compare"],
        )  # fmt: skip
        session.param.watch(
            lambda *e: self.shown(),
            ["compare_panes", "element", "region_px", "thresholds", "n_components"],
        )
        session.param.watch(lambda *e: self._range_colours(), "compare_common")
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
        method = self.session.method if self.session.method in _OF_ELEMENT else "probability"
        chosen = {
            "methods, one element": SIDE_BY_SIDE,
            "lines and their ratio": (Shown("fit"), Shown("lines"), Shown("ratio")),
            "element and components": (Shown("fit"), Shown("component")),
        }
        if len(found) > 1:
            several = tuple(Shown(method, symbol) for symbol in found[:MOST_PANES])
            chosen["found elements"] = several
        here = self.session.dataset
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
        follows = not shown.name
        return Wanted(
            shown,
            session.dataset,
            session.element if follows else "",
            session.region_px,
            {} if moved is None else {(shown.kind, symbol): moved},
            session.n_components if shown.kind == "component" else 0,
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

    def _range_colours(self) -> None:
        """Each map its own range, or one for those of a unit."""
        panes = self._panes[: len(self.session.compare_panes)]
        drawn = [pane for pane in panes if pane.picture is not None]
        for pane in drawn:
            same = [p.picture for p in drawn if p.picture.unit == pane.picture.unit]
            if not self.session.compare_common:
                same = [pane.picture]
            pane.colour_range(min(p.low for p in same), max(p.high for p in same))
