"""The top bar: name, data set with its facts, link, and theme."""

from __future__ import annotations

from typing import Any

import panel as pn

from dashboard.components import Choice, Facts
from dashboard.results import Results
from dashboard.serving.page import NAME
from dashboard.session import Session
from xrfengine.assets import asset

_BRAND = """margin:0;display:flex;align-items:center;gap:8px;font-size:16px;font-weight:600;
color:var(--xrf-ink)"""
_BAR = """:host { align-items: center; flex-wrap: nowrap; gap: 8px; min-width: 0; }
:host > * { align-self: center !important; }"""


class SourceView(pn.viewable.Viewer):
    """What stands in the page's header; ``actions`` are buttons of other views."""

    def __init__(self, session: Session, results: Results, *actions: Any) -> None:
        super().__init__()
        self.session, self.results = session, results
        logo = asset("logo.svg").read_text(encoding="utf-8").replace("#0b6e6e", "currentColor")
        brand = pn.pane.HTML(
            f"<h1 style='{_BRAND}'><span style='color:var(--xrf-accent);display:flex'>{logo}"
            f"</span>{NAME}</h1>",
            margin=(0, 16, 0, 0),
            sanitize_html=False,
        )
        options = {info.label: info.id for info in results.engine.datasets()}
        if session.dataset and session.dataset not in options.values():
            options = {session.dataset: session.dataset, **options}
        self._picker = Choice(
            options=[*options.items()], value=session.dataset or next(iter(options.values()), ""),
            label="Data set", description="The scan that is shown", boxed=True, width=264,
            height=32, margin=0,
        )  # fmt: skip
        self._picker.param.watch(self._take, "value")
        self._facts = Facts(
            margin=(0, 8), height=32,
            styles={"flex": "1 1 0", "width": "0", "min-width": "0", "overflow": "hidden"},
        )  # fmt: skip
        self._layout = pn.Row(
            brand, self._picker, self._facts, *actions,
            sizing_mode="stretch_width", margin=0, align="center",
            stylesheets=[_BAR], styles={"color": "var(--xrf-ink)"},
        )  # fmt: skip
        results.param.watch(lambda *e: self._show(), ["opened", "pixel_size_mm"])
        session.param.watch(lambda e: self._follow(e.new), "dataset")

    def __panel__(self) -> pn.Row:
        return self._layout

    def _take(self, event) -> None:
        if event.new and event.new != self.session.dataset:
            self.session.dataset = event.new

    def _follow(self, dataset: str) -> None:
        if any(dataset == known for _, known in self._picker.options):
            self._picker.value = dataset

    def _show(self) -> None:
        opened = self.results.opened
        if opened is None:
            self._facts.text = ""
            return
        self._follow(opened.id)
        cube = opened.cube
        height, width, channels = cube.shape
        per_pixel = float(opened.total_counts.mean())
        facts = [f"{width:,} × {height:,} px"]
        if self.results.pixel_size_mm:
            facts.append(f"{self.results.pixel_size_mm:g} mm/px")
        digits = 0 if per_pixel >= 100 else 1
        facts.append(f"{per_pixel:,.{digits}f} counts/px")
        facts.append(f"{channels:,} channels")
        if cube.instrument.tube_anode and cube.instrument.tube_kv:
            facts.append(f"{cube.instrument.tube_anode} {cube.instrument.tube_kv:g} kV")
        self._facts.text = "  ·  ".join(facts)
