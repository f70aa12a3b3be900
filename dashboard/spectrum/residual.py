"""What a fit leaves over, below its spectrum: counts less model in standard deviations."""

from __future__ import annotations

import numpy as np
import panel as pn
from bokeh.models import (
    BoxAnnotation,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    PrintfTickFormatter,
    Range1d,
)
from bokeh.plotting import figure

from dashboard.spectrum.figure import LEFT_PX, MODEL

HEIGHT_PX = 72
_LEAST_LIMIT = 5.0
_BAND = 2.0


class Residual:
    """A strip that shares the energies of a spectrum's figure.

    Parameters
    ----------
    x_range : Range1d
        Of the figure above it.
    """

    def __init__(self, x_range: Range1d) -> None:
        fig = figure(
            name="xrf-residual-figure", x_range=x_range, y_range=Range1d(-5, 5), tools="",
            toolbar_location=None, sizing_mode="stretch_both", output_backend="canvas",
        )  # fmt: skip
        fig.min_border_left, fig.min_border_right = LEFT_PX, 16
        fig.min_border_top = fig.min_border_bottom = 2
        fig.outline_line_color = None
        fig.background_fill_alpha = fig.border_fill_alpha = 0.0
        fig.xaxis.visible = False
        fig.xgrid.visible = fig.ygrid.visible = False
        fig.yaxis.axis_label = "Residual"
        fig.yaxis.formatter = PrintfTickFormatter(format="%d σ")
        fig.add_layout(
            BoxAnnotation(bottom=-_BAND, top=_BAND, fill_color="#8a9693", fill_alpha=0.15,
                          line_color=None, level="underlay")
        )  # fmt: skip
        self._line = fig.step(
            "energy", "residual", name="residual", mode="center", line_width=1,
            source=_source(np.zeros(0), np.zeros(0)),
        )  # fmt: skip
        fig.add_tools(
            HoverTool(
                renderers=[self._line], mode="vline", line_policy="nearest",
                tooltips="@energy{0.00} keV: @residual{0.0} standard deviations",
            )
        )  # fmt: skip
        self.model = fig
        self.pane = pn.pane.Bokeh(
            fig, height=HEIGHT_PX, sizing_mode="stretch_width", margin=0, visible=False,
            styles={"flex": "none", "border-top": "1px solid var(--xrf-hairline)"},
        )  # fmt: skip

    def follow_theme(self, theme: str) -> None:
        self._line.glyph.line_color = MODEL[theme]

    def put(self, energy_kev: np.ndarray, residual: np.ndarray) -> None:
        """Show it; the axis holds all but the largest outliers."""
        limit = _LEAST_LIMIT
        if residual.size:
            limit = max(limit, float(np.percentile(np.abs(residual), 99.0)) * 1.1)
        limit = float(np.ceil(limit))
        self.model.y_range.update(start=-limit, end=limit)
        self.model.yaxis.ticker = FixedTicker(ticks=[-round(0.7 * limit), 0, round(0.7 * limit)])
        self._line.data_source.data = dict(_source(energy_kev, residual).data)


def _source(energy_kev: np.ndarray, residual: np.ndarray) -> ColumnDataSource:
    return ColumnDataSource(
        {"energy": energy_kev.astype(np.float32), "residual": residual.astype(np.float32)}
    )
