"""A figure over the energy axis without the tools of the spectrum pane, for views on the stage."""

from __future__ import annotations

from bokeh.models import (
    CustomJSTickFormatter,
    PanTool,
    Range1d,
    ResetTool,
    SingleIntervalTicker,
    WheelZoomTool,
)
from bokeh.plotting import figure

from dashboard.spectrum.figure import LEFT_PX
from dashboard.spectrum.heights import FORMATS


def energy_figure(name: str, heights: str) -> figure:
    """An empty figure in keV that drags and zooms along its energies.

    Parameters
    ----------
    name : str
    heights : str
        What the vertical axis shows, drawn as logarithms to base ten.
    """
    tools = [PanTool(dimensions="width"), WheelZoomTool(dimensions="width"), ResetTool()]
    fig = figure(
        name=name, tools=tools, toolbar_location=None, x_range=Range1d(0, 1), y_range=Range1d(0, 1),
        sizing_mode="stretch_both", output_backend="canvas",
    )  # fmt: skip
    fig.toolbar.active_drag, fig.toolbar.active_scroll = tools[0], tools[1]
    fig.outline_line_color = None
    fig.background_fill_alpha = fig.border_fill_alpha = 0.0
    fig.xaxis.axis_label, fig.yaxis.axis_label = "Energy (keV)", heights
    fig.yaxis.formatter = CustomJSTickFormatter(code=FORMATS["log"])
    fig.yaxis.ticker = SingleIntervalTicker(interval=1)
    fig.ygrid.visible = False
    fig.min_border_left, fig.min_border_right = LEFT_PX, 16
    return fig
