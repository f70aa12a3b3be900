"""The sheet with what is drawn in the spectrum, and the way to calibration and preprocessing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard.session import Session

_SWITCHES = (
    ("peak_names", "Name the peaks", "After the elements found, where there is room"),
    (
        "show_fit",
        "Show the fit",
        "Model, background and residual of a fit of the whole spectrum with the elements found",
    ),
    (
        "window_net",
        "Window less background",
        "From the counts in a dragged window of energies, the background beside it is taken off",
    ),
)

_LABEL = {"& .MuiFormControlLabel-label": {"fontSize": "14px"}}


def display_panel(session: Session, begin_window: Callable[[], None]) -> pn.Column:
    """Switches and buttons; they follow the session."""
    switches = []
    for name, label, description in _SWITCHES:
        switch = pmui.Switch(
            label=label, value=getattr(session, name), margin=(4, 12), height=32, sx=_LABEL
        )
        switch.link(session, value=name)
        session.param.watch(lambda event, s=switch: s.param.update(value=event.new), name)
        switches += [switch, _hint(description)]
    buttons = [
        _button("Energy window at the element", lambda event: begin_window()),
        _button("Energy calibration", lambda event: _open(session, "calibrate")),
        _button("What the model sees", lambda event: _open(session, "preprocess")),
    ]
    return pn.Column(*switches, *buttons, margin=0, sizing_mode="stretch_width")


def _open(session: Session, stage: str) -> None:
    session.stage = stage


def _button(label: str, on_click: Any) -> pmui.Button:
    return pmui.Button(
        label=label, variant="outlined", size="small", margin=(8, 12, 0, 12), height=32,
        sizing_mode="stretch_width", on_click=on_click,
    )  # fmt: skip


def _hint(text: str) -> pn.pane.HTML:
    style = "font-size:12px;line-height:1.35;display:block;color:var(--xrf-muted)"
    return pn.pane.HTML(
        f"<span style='{style}'>{text}</span>",
        margin=(0, 12, 4, 12), sizing_mode="stretch_width",
    )  # fmt: skip
