"""Three elements in one picture, each in its own colour."""

from __future__ import annotations

from functools import partial

import panel as pn

from dashboard.components import Choice, Tools
from dashboard.components.comparing import MixChannels, MixTriangle, Readout
from dashboard.frames.pane import body, show_state, state_cover
from dashboard.names import element_name
from dashboard.plots.display import CHOICES, Display
from dashboard.plots.linked import LinkedMap, link
from dashboard.results import Results
from dashboard.results.mixed import COLOUR_WORDS, COLOURS, Mixture, MixWanted, mixture
from dashboard.session import Session
from dashboard.shown import READY, State, failed_state

_KEY = "xrf-mix"
_METHODS = [
    ("Counts in a window", "roi"),
    ("Net counts, fitted", "fit"),
    ("Probability", "probability"),
]
_COLOUR_CHOICE = [("red, green, blue", "rgb"), ("orange, green, violet", "safe")]
_BESIDE = """:host { display: flex; flex-flow: row nowrap; gap: 0; min-width: 0; min-height: 0;
  height: 100%; }"""
_LEFT = """:host { display: flex; flex-direction: column; flex: 1 1 0; gap: 0; min-width: 0;
  min-height: 0; }"""
_RIGHT = """:host { flex: none; overflow: hidden auto; scrollbar-width: thin; gap: 0;
  border-left: 1px solid var(--xrf-hairline); }"""
_HEAD = """:host { display: flex; flex-flow: row wrap; align-items: center; gap: 4px 8px;
  padding: 4px 12px; border-bottom: 1px solid var(--xrf-hairline); }
:host > * { margin: 0 !important; flex: none; }"""


class MixView(pn.viewable.Viewer):
    """The mix, its legend, and what it is of."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._work = results.further_work(is_listed=True)
        self._mixed: Mixture | None = None
        self._wanted: tuple | None = None
        self.map = LinkedMap(_KEY, is_rgba=True)
        link([self.map])
        self._cover = state_cover(self._act)
        self._readout = Readout(key=_KEY, margin=0, sizing_mode="stretch_width", height=25)
        self._method = Choice(
            label="Maps of", options=_METHODS, value=session.mix_method, margin=0,
            description="What is mixed",
        )  # fmt: skip
        self._method.link(session, value="mix_method")
        self._colours = Choice(
            label="Colours", options=_COLOUR_CHOICE, value=session.mix_colours, margin=0,
            description="Orange, green and violet differ in lightness, too: people who see red "
            "and green alike can tell them apart",
        )  # fmt: skip
        self._colours.link(session, value="mix_colours")
        self._channels = MixChannels(
            on_message=self._take, margin=0, sizing_mode="stretch_width"
        )  # fmt: skip
        self._legend = MixTriangle(margin=(16, 64), width=176)
        self._layout = pn.Row(
            pn.Column(
                body(
                    pn.pane.Bokeh(self.map.figure, sizing_mode="stretch_both", margin=0),
                    self._cover,
                ),
                self._readout,
                stylesheets=[_LEFT], sizing_mode="stretch_both", margin=0,
            ),
            pn.Column(
                pn.Row(
                    self._method, Tools(prefix=_KEY, options=[], width=36, margin=0),
                    self._colours, stylesheets=[_HEAD], margin=0, sizing_mode="stretch_width",
                ),
                self._channels,
                self._legend,
                stylesheets=[_RIGHT], width=304, margin=0, sizing_mode="stretch_height",
            ),
            stylesheets=[_BESIDE], sizing_mode="stretch_both", margin=0, css_classes=["xrf-mix"],
        )  # fmt: skip
        self._show_state(State("loading", "Opening the scan"))
        session.param.watch(
            lambda *e: self.shown(),
            [
                "mix_elements",
                "mix_method",
                "mix_ranges",
                "mix_colours",
                "region_px",
                "normalise",
                "overrides",
            ],
        )
        session.param.watch(lambda *e: self._mixed and self._paint(self._mixed), list(CHOICES))
        results.param.watch(lambda *e: self.shown(), ["opened", "found"])

    def __panel__(self) -> pn.Row:
        return self._layout

    def _take(self, data: dict) -> None:
        """What was changed of one colour."""
        session, place = self.session, data.get("place")
        if place not in (0, 1, 2) or self._mixed is None:
            return
        if "symbol" in data:
            elements = list(session.mix_elements or self._mixed.elements)
            elements[place] = str(data["symbol"])
            session.mix_elements = tuple(elements) if data["symbol"] else ()
        elif "low" in data and "high" in data:
            low, high = float(data["low"]), float(data["high"])
            if 0.0 <= low < high <= 100.0:
                ranges = list(session.mix_ranges)
                ranges[place] = (low, high)
                session.mix_ranges = tuple(ranges)

    def shown(self) -> None:
        """Mix what is chosen, if that is on stage and not there already."""
        session, opened = self.session, self.results.opened
        if session.stage != "mix" or opened is None:
            return
        self._method.value, self._colours.value = session.mix_method, session.mix_colours
        found = tuple(f.element for f in self.results.found if not f.is_instrument)
        if not session.mix_elements and self.results.maps is None:
            return
        wanted = MixWanted(
            session.mix_elements,
            () if session.mix_elements else found,
            session.mix_method,
            session.region_px,
            session.mix_ranges,
            session.mix_colours,
            "none" if session.mix_method == "probability" else session.normalise,
            self.results.added() if session.mix_method == "fit" else (),
        )
        if (opened.id, wanted) == self._wanted:
            return
        self._wanted = opened.id, wanted
        if self._mixed is None:
            self._show_state(State("loading", "Preparing the maps"))
        self._work.start(
            partial(mixture, self.results.engine, opened.cube, wanted),
            then=self._paint,
            failed=lambda error: self._show_state(failed_state(error, "Try again")),
            stopped=self._stop,
            progressed=lambda fraction, message: self._show_state(
                State("loading", message or "Mixing", fraction=fraction, action="Cancel")
            ),
            label="Three elements in one picture",
        )

    def _paint(self, mixed: Mixture) -> None:
        self._mixed = mixed
        session = self.session
        shares = {f"share{i}": share for i, share in enumerate(mixed.shares)}
        display = Display.of(session, mixed.rgba.shape)
        self.map.show_colours(mixed.rgba, mixed.elements, display, **shares)
        colours, words = COLOURS[session.mix_colours], COLOUR_WORDS[session.mix_colours]
        unit, digits = (mixed.unit, 0) if mixed.unit else ("probability", 2)
        self._channels.param.update(
            options=self._elements(),
            items=[
                {
                    "symbol": symbol,
                    "word": word,
                    "colour": f"rgb{colour}",
                    "low": span[0],
                    "high": span[1],
                    "text": f"{low:,.{digits}f} to {high:,.{digits}f}, {unit}".replace("-", "−"),
                }
                for symbol, word, colour, span, (low, high) in zip(
                    mixed.elements, words, colours, session.mix_ranges, mixed.limits, strict=True
                )
            ],
        )
        self._legend.param.update(
            names=list(mixed.elements), colours=[list(c) for c in colours], words=list(words)
        )
        self._readout.idle = ", ".join(
            f"{symbol} {word}" for symbol, word in zip(mixed.elements, words, strict=True)
        )
        self._show_state(READY)

    def _elements(self) -> list[tuple[str, str]]:
        found = [f.element for f in self.results.found]
        known = () if self.results.maps is None else self.results.maps.elements
        rest = sorted(set(known) - set(found))
        named = [(f"{each} {element_name(each)}", each) for each in (*found, *rest)]
        return [*named, ("the three that differ most", "")]

    def _stop(self) -> None:
        self._show_state(State("empty", "The mix was cancelled", action="Start again"))

    def _act(self, action: str) -> None:
        if action == "Cancel":
            self._work.cancel()
            self._stop()
        else:
            self._wanted = None
            self.shown()

    def _show_state(self, state: State) -> None:
        show_state(self._cover, state, has_content=self._mixed is not None)
