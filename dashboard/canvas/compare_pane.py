"""One of the maps side by side, with its own choice of what it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import panel as pn

from dashboard.components import Choice
from dashboard.components.comparing import Readout, SmallSpectrum
from dashboard.frames.pane import body, show_state, state_cover
from dashboard.plots.display import Display
from dashboard.plots.linked import LinkedMap
from dashboard.results import Results
from dashboard.results.compared import Picture, Wanted, picture
from dashboard.session.compare import Shown
from dashboard.shown import READY, State, failed_state
from xrfengine.errors import XRFError

KIND_WORDS = [
    ("Probability", "probability"),
    ("Net counts, fitted", "fit"),
    ("Counts in a window", "roi"),
    ("Counts in the drawn window", "window"),
    ("Single lines, fitted", "lines"),
    ("Ratio of lines", "ratio"),
    ("Component", "component"),
]
_KINDS_TOLD = (
    "Probability: that the element is visible. Net counts, fitted: of its main lines, with their "
    "standard error. Counts in a window: around its main line. Counts in the drawn window: "
    "between the energies marked in the spectrum. Single lines: one group, such as Pb M. Ratio "
    "of lines: softer over harder lines of one element; where it is low, the element lies deeper "
    "or under more. Component: what parts of the spectra come and go together (NMF)"
)
OF_ELEMENT = ("probability", "fit", "roi")
_FIRST = {"component": "Nearest", "window": "Energies"}
PANE = """:host { display: flex; flex-direction: column; min-width: 0; min-height: 0; gap: 0;
  background: var(--xrf-surface); overflow: hidden; container-type: inline-size; }"""
ROW = """:host { display: flex; flex-flow: row nowrap; align-items: center; flex: none; gap: 8px;
  height: 40px; padding: 0 8px; border-bottom: 1px solid var(--xrf-hairline); overflow: hidden; }
:host > * { flex: 0 1 auto; min-width: 0; margin: 0 !important; }"""
_CHOICES = """@container (max-width: 440px) {
  :host { flex-wrap: wrap; gap: 0 8px; height: auto; min-height: 72px; padding: 4px 8px; }
  :host > *:first-child { flex-basis: 100%; } }"""
"""In narrow panes on two lines, that nothing is cut off; in all alike, for the maps stay level."""


class ComparePane:
    """One of the maps side by side, with its own choice of what it shows."""

    def __init__(
        self,
        key: str,
        results: Results,
        choose: Callable[[Shown], None],
        arrived: Callable[[], None],
        way: Callable[[tuple[int, int]], tuple[Display, tuple[str, ...]]],
    ) -> None:
        self.map = LinkedMap(key)
        self.picture: Picture | None = None
        self._results, self._choose, self._arrived, self._way = results, choose, arrived, way
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
        self._readout = Readout(key=key, margin=0, sizing_mode="stretch_width")
        self._spectrum = SmallSpectrum(
            margin=0, sizing_mode="stretch_width", height=96, visible=False
        )
        self._cover = state_cover(self._act)
        self.layout = pn.Column(
            pn.Row(
                self._kind, self._name, self._scan,
                stylesheets=[ROW, _CHOICES], margin=0, sizing_mode="stretch_width",
            ),
            body(
                pn.pane.Bokeh(self.map.figure, sizing_mode="stretch_both", margin=0), self._cover
            ),
            self._spectrum,
            self._readout,
            stylesheets=[PANE], margin=0, css_classes=["xrf-compare-pane"],
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
        if self._shown.kind in OF_ELEMENT:
            options = self._elements
        else:
            first = _FIRST.get(self._shown.kind, "Of the element")
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
            keeps = {event.new, self._shown.kind} <= set(OF_ELEMENT)
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
            partial(picture, self._results.engine, self._results.scan, wanted),
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
        self.repaint()
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

    def repaint(self) -> None:
        """Paint the map again, as it is to lie and in its colours."""
        drawn = self.picture
        if drawn is None:
            return
        display, palette = self._way(drawn.values.shape)
        self.map.mapper.palette = list(palette)
        self.map.show_grey(drawn.total_counts, drawn.grey, display)
        images = {"image": drawn.values}
        if drawn.errors is not None:
            images["error"] = drawn.errors
        self.map.show_values(drawn.unit, drawn.low, drawn.high, display, **images)

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
