"""Energy calibration: click peaks, name their lines, see the effect, apply or take back."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
from bokeh.events import Tap
from bokeh.models import ColumnDataSource

from dashboard.components.spectrum import CalibrationPanel
from dashboard.plots.pictures import energy_limits, stagger
from dashboard.results import Results
from dashboard.results.spectrum import OwnCalibration
from dashboard.session import Session
from dashboard.spectrum.figure import ACCENT, GROUND, MUTED
from dashboard.spectrum.heights import Heights
from dashboard.spectrum.plain import energy_figure
from dashboard.spectrum.proposal import Proposal, likely_lines, proposal
from xrfengine.calibrate import line_energy_kev, suggested_pairs
from xrfengine.cube import Calibration
from xrfengine.errors import XRFError
from xrfengine.peaks import peak_centre

_TOLD_KEV = (2.0, 6.4, 10.0, 20.0)
_SAME_CHANNELS = 3.0
_SURE = 0.1
"""Share of the area from which an element is sure enough to calibrate by."""


class CalibrationView(pn.viewable.Viewer):
    """The sum spectrum under the present and the proposed calibration, and the named peaks."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._build_figure()
        self._panel = CalibrationPanel(
            width=400, sizing_mode="stretch_height", margin=0, on_message=self._take
        )
        self._layout = pn.Row(
            pn.pane.Bokeh(self._figure, sizing_mode="stretch_both", margin=0),
            self._panel,
            sizing_mode="stretch_both", margin=0, css_classes=["xrf-calibration"],
        )  # fmt: skip
        self._problem = ""
        results.param.watch(lambda *e: self._show(), "opened")
        session.param.watch(lambda *e: self._show(), ["calibration_pairs", "theme"])
        self._show()

    def __panel__(self) -> pn.Row:
        return self._layout

    def _build_figure(self) -> None:
        fig = energy_figure("xrf-calibration-figure", "Counts per pixel")
        empty = {"energy": [], "rate": []}
        self._lines = {
            name: fig.line(
                "energy", "rate", name=name, line_width=width, source=ColumnDataSource(dict(empty))
            )
            for name, width in (("present", 1.0), ("proposed", 1.5))
        }
        self._marks = fig.segment(
            "energy", "low", "energy", "high", name="lines", line_dash="dashed",
            source=ColumnDataSource({"energy": [], "low": [], "high": []}),
        )  # fmt: skip
        self._names = fig.text(
            "energy", "rate", "name", name="names", text_align="center", text_font_size="12px",
            text_font_style="bold", y_offset=-4,
            source=ColumnDataSource({**empty, "name": []}),
        )  # fmt: skip
        self._peaks = fig.scatter(
            "energy", "rate", name="peaks", size=9, marker="inverted_triangle",
            source=ColumnDataSource(dict(empty)),
        )  # fmt: skip
        fig.on_event(Tap, lambda event: self._add_peak(float(event.x)))
        self._figure = fig
        self._of: Any = None

    # ---- what the user does

    def _add_peak(self, energy_kev: float) -> None:
        opened = self.results.opened
        if opened is None:
            return
        channel = round(peak_centre(opened.whole, energy_kev), 2)
        pairs = self.session.calibration_pairs
        if not 0 <= channel < opened.whole.counts.size or any(
            abs(channel - other) < _SAME_CHANNELS for other, _ in pairs
        ):
            return
        at = float(opened.cube.calibration.at(channel))
        likely = likely_lines(at, self._found())
        name = f"{likely[0].element} {likely[0].name}" if likely else ""
        self._problem = ""
        self.session.calibration_pairs = tuple(sorted((*pairs, (channel, name))))

    def _found(self) -> tuple[str, ...]:
        return tuple(item.element for item in self.results.found)

    def _take(self, data: dict[str, Any]) -> None:
        pairs = self.session.calibration_pairs
        self._problem = ""
        if "remove" in data and 0 <= data["remove"] < len(pairs):
            at = int(data["remove"])
            self.session.calibration_pairs = pairs[:at] + pairs[at + 1 :]
        elif "name" in data and 0 <= data["name"][0] < len(pairs):
            at, name = int(data["name"][0]), str(data["name"][1])[:24]
            self.session.calibration_pairs = (
                *pairs[:at], (pairs[at][0], name.strip()), *pairs[at + 1 :],
            )  # fmt: skip
        elif data.get("act") == "suggest":
            self._suggest()
        elif data.get("act") == "clear":
            self.session.calibration_pairs = ()
        elif data.get("act") == "apply":
            self._apply()
        elif data.get("act") == "reset":
            self._keep(None)

    def _suggest(self) -> None:
        opened = self.results.opened
        if opened is None:
            return
        sure = [f.element for f in self.results.found if not f.is_instrument and f.share >= _SURE]
        found = suggested_pairs(opened.whole, sure or self._found())
        if len(found) < 2:
            self._problem = (
                "No two peaks are plain enough. Click two peaks that you know, far from each other."
            )
            self._show()
            return
        self.session.calibration_pairs = tuple(
            (round(channel, 2), f"{line.element} {line.name}") for channel, line in found
        )

    def _apply(self) -> None:
        opened = self.results.opened
        made = None if opened is None else self._proposal()
        if made is None or made.calibration is None:
            return
        pairs = tuple(
            (channel, line_energy_kev(name), name)
            for channel, name in self.session.calibration_pairs
            if name
        )
        self._keep(OwnCalibration(made.calibration, pairs))

    def _keep(self, own: OwnCalibration | None) -> None:
        try:
            self.results.keep_calibration(own)
        except XRFError as error:
            self._problem = str(error)
            self._show()
            return
        self.session.calibration_pairs = ()

    # ---- what is shown

    def _proposal(self) -> Proposal:
        return proposal(self.session.calibration_pairs, self.results.opened.cube.calibration)

    def _show(self) -> None:
        opened, theme = self.results.opened, self.session.theme
        self._lines["present"].glyph.line_color = MUTED[theme]
        self._lines["proposed"].glyph.line_color = ACCENT[theme]
        self._marks.glyph.line_color = GROUND[theme]
        self._names.glyph.text_color = GROUND[theme]
        self._peaks.glyph.update(fill_color=ACCENT[theme], line_color=None)
        if opened is None:
            self._panel.param.update(current="The scan is being opened", pairs=[], can_apply=False)
            return
        made = self._proposal()
        self._draw(opened, made)
        self._tell(opened, made)

    def _draw(self, opened: Any, made: Proposal) -> None:
        whole = opened.whole
        counts = whole.mean_counts
        heights = Heights.above(counts, "log")
        rate = heights.of(counts)
        if self._of is not whole:
            self._of = whole
            low, high = energy_limits(whole.energy_kev, counts)
            x, y = self._figure.x_range, self._figure.y_range
            bottom, top = heights.limits(whole.energy_kev, counts)
            x.update(start=low, end=high, reset_start=low, reset_end=high)
            y.update(start=bottom, end=top, reset_start=bottom, reset_end=top)
        self._lines["present"].data_source.data = _curve(whole.calibration, rate)
        self._lines["proposed"].data_source.data = (
            _curve(made.calibration, rate)
            if made.calibration is not None
            else {"energy": [], "rate": []}
        )
        pairs = self.session.calibration_pairs
        shown = made.calibration or whole.calibration
        channels = [min(round(channel), rate.size - 1) for channel, _ in pairs]
        self._peaks.data_source.data = {
            "energy": [float(shown.at(channel)) for channel, _ in pairs],
            "rate": [float(rate[max(c - 2, 0) : c + 3].max()) for c in channels],
        }
        lines = {name: _energy(name) for _, name in pairs if name}
        lines = {name: energy for name, energy in lines.items() if energy is not None}
        energies = np.array(list(lines.values()))
        x, y = self._figure.x_range, self._figure.y_range
        levels = stagger(energies, 0.08 * (x.reset_end - x.reset_start))
        top = y.end - (0.05 + 0.04 * levels) * (y.end - y.start)
        self._marks.data_source.data = {
            "energy": energies, "low": np.full(energies.shape, y.start), "high": top,
        }  # fmt: skip
        self._names.data_source.data = {"energy": energies, "rate": top, "name": list(lines)}

    def _tell(self, opened: Any, made: Proposal) -> None:
        present, own = opened.cube.calibration, opened.own_calibration
        effect = []
        if made.calibration is not None:
            for kev in _TOLD_KEV:
                if kev < opened.whole.energy_kev[-1]:
                    moved = float(made.calibration.at(present.channel(kev))) - kev
                    effect.append([kev, round(1000.0 * moved, 1)])
        found = self._found()
        rows = []
        pairs = zip(self.session.calibration_pairs, made.residuals_ev, strict=True)
        for (channel, name), residual in pairs:
            at = float(present.at(channel))
            lines = [[f"{line.element} {line.name}", line.energy_kev] for line in
                     likely_lines(at, found)]  # fmt: skip
            rows.append(
                {"channel": channel, "energy": at, "name": name, "lines": lines,
                 "residual": None if residual is None else round(residual, 1)}
            )  # fmt: skip
        told = "Given by hand" if own is not None else "As the file says"
        if own is not None and own.pairs:
            told += ", by " + ", ".join(name for _, _, name in own.pairs)
        self._panel.param.update(
            current=_words(present), source=told, is_own=own is not None, pairs=rows,
            proposed="" if made.calibration is None else _words(made.calibration),
            effect=effect, problem=self._problem or made.problem,
            can_apply=made.calibration is not None,
        )  # fmt: skip


def _curve(calibration: Calibration, rate: np.ndarray) -> dict[str, np.ndarray]:
    return {"energy": calibration.energy_kev(rate.size).astype(np.float32), "rate": rate}


def _energy(name: str) -> float | None:
    try:
        return line_energy_kev(name)
    except XRFError:
        return None


def _words(calibration: Calibration) -> str:
    return (
        f"Channel 0 at {1000 * calibration.offset_kev:,.1f} eV, "
        f"{1000 * calibration.gain_kev:,.3f} eV a channel"
    )
