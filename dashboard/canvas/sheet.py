"""The map's settings, in a sheet over its pane."""

from __future__ import annotations

from typing import Any

import panel as pn

from dashboard.components import MapSettings
from dashboard.display import CHOICES, flipped, turned
from dashboard.results import Results
from dashboard.session import Session


class MapSheet(pn.viewable.Viewer):
    """Follows the session; built when the sheet is first opened."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._settings = MapSettings(
            sizing_mode="stretch_width", margin=0, on_message=self._take_message
        )
        session.param.watch(lambda *e: self._show_way(), list(CHOICES))
        self._show_way()

    def __panel__(self) -> MapSettings:
        return self._settings

    def _take_message(self, data: dict[str, Any]) -> None:
        session = self.session
        now = session.turns, session.mirrored
        match data.get("do"):
            case "rotate_left" | "rotate_right" as way:
                session.param.update(**turned(*now, by=1 if way == "rotate_right" else -1))
            case "flip" | "flip_down" as way:
                session.param.update(**flipped(*now, upside_down=way == "flip_down"))
            case "uncrop":
                session.crop = None
            case "as_scanned":
                session.param.update(crop=None, turns=0, mirrored=False)

    def _show_way(self) -> None:
        session = self.session
        self._settings.param.update(
            is_cropped=session.crop is not None, is_turned=bool(session.turns or session.mirrored)
        )
