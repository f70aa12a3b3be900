"""Sheets: settings that open over the right side of a pane, from a button in its title row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from dashboard.components import SheetButton

_SHEET = """:host { position: absolute !important; top: 0; right: 0; bottom: 0; z-index: 12;
  max-width: 100%; background: var(--xrf-surface); border-left: 1px solid var(--xrf-hairline);
  overflow: hidden auto; scrollbar-width: thin; }"""


class Sheet:
    """A button and the sheet it opens.

    Nothing modal: the pane stays in use beside it. The content is built when it is first opened,
    so that pages do not load slower for what few visitors ask for; ``panel`` goes into the pane's
    :func:`dashboard.frames.pane.body`, ``button`` into its title row.

    Parameters
    ----------
    label : str
        Of the button.
    build : callable
        Returns the content, called once, on the session's loop.
    description : str
        Tooltip of the button.
    icon : str
        See :class:`dashboard.components.SheetButton`.
    width_px : int
        Of the sheet.
    """

    def __init__(
        self,
        label: str,
        build: Callable[[], Any],
        *,
        description: str = "",
        icon: str = "",
        width_px: int = 320,
    ) -> None:
        self._build = build
        self.button = SheetButton(
            label=label, description=description, icon=icon, margin=0, height=32
        )
        self.panel = pn.Column(
            stylesheets=[_SHEET], width=width_px, margin=0, visible=False, css_classes=["xrf-sheet"]
        )
        self.button.param.watch(self._toggle, "value")

    @property
    def is_open(self) -> bool:
        return self.button.value

    def close(self) -> None:
        self.button.value = False

    def _toggle(self, event: Any) -> None:
        if event.new and not self.panel.objects:
            self.panel.append(self._build())
        self.panel.visible = event.new
