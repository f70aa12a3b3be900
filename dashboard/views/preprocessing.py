"""What becomes of a spectrum before it is judged: the network's bins, the clusters' range."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import panel as pn
from bokeh.models import BoxAnnotation, ColumnDataSource, CustomJSTickFormatter

from dashboard.components.spectrum import PreprocessPanel
from dashboard.latest import LatestOnly
from dashboard.results import Results
from dashboard.session import Session
from dashboard.spectrum.figure import ACCENT, MUTED
from dashboard.spectrum.heights import FORMATS, Heights
from dashboard.spectrum.plain import energy_figure
from xrfengine.cluster.features import FeatureSettings, kept_channels
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress

_TOLD_KEV = (2.0, 6.4, 20.0)
SHOWN = (("Counts in the network's bins", "counts"), ("Peaks as the network sees them", "peaks"))


class PreprocessingView(pn.viewable.Viewer):
    """The sum spectrum, what the network is given of it, and the ends the clusters leave out."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._work = LatestOnly(results.deliver)
        self._input: Any = None
        self._shown, self._drop = "counts", None
        self._build_figure()
        self._panel = PreprocessPanel(
            width=400, sizing_mode="stretch_height", margin=0, on_message=self._take
        )
        self._layout = pn.Row(
            pn.pane.Bokeh(self._figure, sizing_mode="stretch_both", margin=0),
            self._panel,
            sizing_mode="stretch_both", margin=0, css_classes=["xrf-preprocessing"],
        )  # fmt: skip
        results.param.watch(lambda *e: self._open(), "opened")
        session.param.watch(lambda *e: self._follow_drop(), "drop_channels")
        session.param.watch(lambda *e: self._show(), "theme")
        self._open()

    def __panel__(self) -> pn.Row:
        return self._layout

    def _build_figure(self) -> None:
        fig = energy_figure("xrf-preprocessing-figure", "Counts per pixel and keV")
        empty = {"energy": [], "rate": []}
        self._file = fig.line(
            "energy", "rate", name="file", line_width=1, source=ColumnDataSource(dict(empty))
        )
        self._network = fig.step(
            "energy", "rate", name="network", mode="center", line_width=1.5,
            source=ColumnDataSource(dict(empty)),
        )  # fmt: skip
        self._outside = [_shade("#8a9693", 0.18) for _ in range(2)]
        self._ends = [_shade("#e69f00", 0.22) for _ in range(2)]
        for box in (*self._outside, *self._ends):
            fig.add_layout(box)
        self._figure = fig

    # ---- what the user does

    def _take(self, data: dict[str, Any]) -> None:
        if data.get("shown") in dict(map(reversed, SHOWN)):
            self._shown = data["shown"]
        elif "drop" in data:
            self._drop = max(int(data["drop"]), 0)
        elif data.get("act") == "apply":
            self.session.drop_channels = self._drop
            return
        elif data.get("act") == "usual":
            self._drop = None
            self.session.drop_channels = None
        self._show()

    def _follow_drop(self) -> None:
        self._drop = self.session.drop_channels
        self._show()

    # ---- what is shown

    def _open(self) -> None:
        self._input, opened = None, self.results.opened
        if opened is None:
            return
        self._drop = self.session.drop_channels
        self._show()
        self._work.start(
            partial(_network_input, self.results.engine, opened.whole),
            then=self._take_input,
            failed=lambda error: self._panel.param.update(problem=str(error)),
        )

    def _take_input(self, given: Any) -> None:
        self._input = given
        self._show()

    def _show(self) -> None:
        opened, theme = self.results.opened, self.session.theme
        self._file.glyph.line_color = MUTED[theme]
        self._network.glyph.line_color = ACCENT[theme]
        if opened is None:
            return
        self._draw(opened)
        self._tell(opened)

    def _kept(self, opened: Any) -> slice | None:
        """Channels the clusters compare; None where nothing would be left."""
        try:
            return kept_channels(opened.cube, FeatureSettings(drop_channels=self._drop))
        except XRFError:
            return None

    def _draw(self, opened: Any) -> None:
        whole, given = opened.whole, self._input
        edges = opened.cube.calibration.edges_kev(whole.counts.size)
        density = whole.mean_counts / np.diff(edges)
        is_peaks = self._shown == "peaks" and given is not None and given.significance is not None
        heights = Heights.above(density, "log")
        fig = self._figure
        if is_peaks:
            rate = np.arcsinh(given.significance)
            self._file.data_source.data = {"energy": [], "rate": []}
            self._network.data_source.data = _steps(given.edges_kev, rate)
            low, high = float(rate.min()), float(rate.max())
            fig.yaxis.axis_label = "Significance of a peak (standard deviations)"
            fig.yaxis.formatter = CustomJSTickFormatter(code=_SINH)
        else:
            self._file.data_source.data = {
                "energy": whole.energy_kev.astype(np.float32), "rate": heights.of(density),
            }  # fmt: skip
            self._network.data_source.data = {"energy": [], "rate": []}
            if given is not None:
                wide = np.diff(given.edges_kev)
                scale = density.max() if given.is_scaled else 1.0 / whole.n_pixels / wide
                self._network.data_source.data = _steps(
                    given.edges_kev, heights.of(given.counts * scale)
                )
            low, high = heights.limits(whole.energy_kev, density)
            fig.yaxis.axis_label = "Counts per pixel and keV"
            fig.yaxis.formatter = CustomJSTickFormatter(code=FORMATS["log"])
        span = 0.02 * (edges[-1] - edges[0])
        if not np.isclose(fig.x_range.reset_end or 0, edges[-1] + span):
            left, right = float(edges[0] - span), float(edges[-1] + span)
            fig.x_range.update(start=left, end=right, reset_start=left, reset_end=right)
        fig.y_range.update(start=low, end=high, reset_start=low, reset_end=high)
        grid = None if given is None else (given.edges_kev[0], given.edges_kev[-1])
        _put_ends(self._outside, edges, grid)
        kept = self._kept(opened)
        _put_ends(
            self._ends, edges, None if kept is None else (edges[kept.start], edges[kept.stop])
        )

    def _tell(self, opened: Any) -> None:
        whole, given, n = opened.whole, self._input, opened.whole.counts.size
        facts = []
        if given is not None:
            facts = _network_facts(whole, given)
        kept = self._kept(opened)
        edges = opened.cube.calibration.edges_kev(n)
        ends = "Too many: nothing would be left of the spectrum"
        if kept is not None:
            share = 1.0 - float(whole.counts[kept].sum()) / max(whole.total, 1.0)
            ends = (
                f"Compared: {edges[kept.start]:.2f} to {edges[kept.stop]:.2f} keV. "
                f"Left out: {_percent(share)} of all counts."
            )
        usual = kept_channels(opened.cube, FeatureSettings()).start
        self._panel.param.update(
            facts=facts, shown=self._shown,
            choices=[list(c) for c in SHOWN if c[1] == "counts" or _has_peaks(given)],
            drop=usual if self._drop is None else self._drop, most=n // 4, ends=ends,
            is_usual=self.session.drop_channels is None and self._drop is None,
            is_applied=self._drop == self.session.drop_channels, can_apply=kept is not None,
            problem="", has_model=given is not None,
        )  # fmt: skip


_SINH = """
const v = Math.sinh(tick)
return Math.abs(v) < 1000 ? v.toFixed(Math.abs(v) < 10 ? 1 : 0) : v.toExponential(0)
"""


def _network_input(engine: Any, spectrum: Any, *, progress: Progress, cancel: CancelToken) -> Any:
    return engine.network_input(spectrum)


def _has_peaks(given: Any) -> bool:
    return given is not None and given.significance is not None


def _network_facts(whole: Any, given: Any) -> list[list[str]]:
    low, high = given.edges_kev[0], given.edges_kev[-1]
    energy = whole.energy_kev
    outside = float(whole.counts[(energy < low) | (energy > high)].sum()) / max(whole.total, 1.0)
    width = np.diff(given.edges_kev)
    facts = [
        ["Energies", f"{low:.2f} to {high:.2f} keV"],
        ["Counts outside", _percent(outside)],
        ["Bins", f"{width.size:,} for {energy.size:,} channels"],
    ]
    for kev in _TOLD_KEV:
        if low < kev < min(high, energy[-1]):
            at = int(np.searchsorted(given.edges_kev, kev)) - 1
            facts.append([f"Width at {kev:.1f} keV", f"{1000 * width[at]:.0f} eV"])
    return facts


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else "less than 0.1 %"


def _steps(edges_kev: np.ndarray, rate: np.ndarray) -> dict[str, np.ndarray]:
    centres = 0.5 * (edges_kev[1:] + edges_kev[:-1])
    return {"energy": centres.astype(np.float32), "rate": rate.astype(np.float32)}


def _shade(colour: str, alpha: float) -> BoxAnnotation:
    return BoxAnnotation(
        left=0, right=0, fill_color=colour, fill_alpha=alpha, line_color=None, visible=False,
        level="underlay",
    )  # fmt: skip


def _put_ends(
    boxes: list[BoxAnnotation], edges: np.ndarray, kept: tuple[float, float] | None
) -> None:
    """Shade what lies below and above the kept energies, as far as the file reaches."""
    for box in boxes:
        box.visible = False
    if kept is None:
        return
    low, high = float(edges[0]), float(edges[-1])
    for box, (left, right) in zip(boxes, ((low, kept[0]), (kept[1], high)), strict=True):
        if right > left:
            box.update(left=float(left), right=float(right), visible=True)
