"""The status bar: device, model, how long the last map took, and what runs."""

from __future__ import annotations

import panel as pn
from panel.io.callbacks import PeriodicCallback

from dashboard.components import StatusBar
from dashboard.keeping.history import History
from dashboard.results import Results
from dashboard.session import Session
from dashboard.shortcuts import SHORTCUTS, perform

_JOBS_EVERY_MS = 500
_PING = "static/js/bokeh.min.js"


class StatusView(pn.viewable.Viewer):
    """The bottom line; it also shows the address and hears the keys."""

    def __init__(self, session: Session, results: Results, history: History) -> None:
        super().__init__()
        self.session, self.results, self.history = session, results, history
        self._bar = StatusBar(
            css_classes=["xrf-status"], sizing_mode="stretch_width", height=25, margin=0,
            styles={"grid-area": "status", "background": "var(--xrf-surface)",
                    "border-top": "1px solid var(--xrf-hairline)"},
            keys={key.keys: key.act for key in SHORTCUTS if key.act}, ping=_PING,
            on_message=self._take_message,
        )  # fmt: skip
        results.param.watch(lambda *e: self._show_facts(), ["map_seconds", "opened"])
        if pn.state.curdoc is not None and pn.state.curdoc.session_context is not None:
            # In the background: it must not turn the server busy twice a second.
            PeriodicCallback(
                callback=self._show_jobs, period=_JOBS_EVERY_MS, background=True
            ).start()

    def __panel__(self) -> StatusBar:
        return self._bar

    def show_address(self, query: str) -> None:
        """Write the part of the address behind the path."""
        self._bar.query = query

    def _take_message(self, data: dict) -> None:
        if "key" in data:
            found = tuple(item.element for item in self.results.found if not item.is_instrument)
            perform(str(data["key"]), self.session, self.history, found)
        for job in self.results.jobs():
            if job.id == data.get("cancel"):
                job.cancel()

    def _show_facts(self) -> None:
        opened = self.results.opened
        facts = [] if opened is None else list(opened.engine_facts)
        seconds = self.results.map_seconds
        if seconds is not None:
            k = self.session.region_px
            took = f"in {seconds:.1f} s" if seconds >= 0.05 else "at hand"
            facts.append((f"map {k}×{k} {took}", "From the request to the finest map"))
        self._bar.facts = facts

    def _show_jobs(self) -> None:
        jobs = [
            {
                "id": job.id,
                "label": job.label,
                "fraction": round(job.fraction, 3),
                "message": job.message,
                "remaining": None if job.remaining_s is None else round(job.remaining_s),
            }
            for job in self.results.jobs()
            if job.elapsed_s > 0.3
        ]
        if jobs != self._bar.jobs:
            self._bar.jobs = jobs
