"""The status bar: device, model, how long the last map took, and what runs."""

from __future__ import annotations

from urllib.parse import urlencode

import panel as pn
from panel.io.callbacks import PeriodicCallback

from dashboard.components import StatusBar
from dashboard.results import Results
from dashboard.session import Session

_JOBS_EVERY_MS = 500


class StatusView(pn.viewable.Viewer):
    """The bottom line; it also keeps the address and hears the Escape key."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._bar = StatusBar(
            css_classes=["xrf-status"], sizing_mode="stretch_width", height=25, margin=0,
            styles={"grid-area": "status", "background": "var(--xrf-surface)",
                    "border-top": "1px solid var(--xrf-hairline)"},
            on_message=self._take_message,
        )  # fmt: skip
        session.param.watch(lambda *e: self._write_address(), list(_carried(session)))
        results.param.watch(lambda *e: self._show_facts(), ["map_seconds", "opened"])
        results.param.watch(lambda *e: self._write_address(), "opened")
        if pn.state.curdoc is not None and pn.state.curdoc.session_context is not None:
            # In the background: it must not turn the server busy twice a second.
            PeriodicCallback(
                callback=self._show_jobs, period=_JOBS_EVERY_MS, background=True
            ).start()

    def __panel__(self) -> StatusBar:
        return self._bar

    def _write_address(self) -> None:
        self._bar.query = "?" + urlencode(self.session.query(), safe=":,/ ").replace(" ", "+")

    def _take_message(self, data: dict) -> None:
        if data.get("key") == "Escape":
            self.session.selection = None
        for job in self.results.jobs():
            if job.id == data.get("cancel"):
                job.cancel()

    def _show_facts(self) -> None:
        opened = self.results.opened
        facts = [] if opened is None else list(opened.engine_facts)
        seconds = self.results.map_seconds
        if seconds is not None:
            k = self.session.region_px
            took = f"{seconds:.1f} s" if seconds >= 0.05 else "at hand"
            facts.append((f"map {k}×{k} in {took}", "From the request to the finest map"))
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


def _carried(session: Session) -> tuple[str, ...]:
    return tuple(name for name in session.param if name not in ("name", "selection"))
