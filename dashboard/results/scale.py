"""How large a pixel is, and in what counts are told."""

from __future__ import annotations

from typing import Any

from dashboard.results.base import ResultsBase
from xrfengine.errors import XRFError
from xrfengine.maps.normalise import COUNTED

TOPIC = "pixel_size_mm"
"""Of the notes kept with a data set."""
LARGEST_PIXEL_MM = 1000.0


class ScaleResults(ResultsBase):
    """The distance of pixels, entered or from the file; and thresholds that follow the unit."""

    def keep_pixel_size(self, size_mm: float | None) -> None:
        """Keep an entered distance with the data set; None: what the file says holds again."""
        if self.opened is None:
            return
        try:
            self.notes.keep(self.opened.id, TOPIC, size_mm)
            self.pixel_size_problem = ""
        except XRFError as error:
            self.pixel_size_problem = f"Not kept for next time: {error}"
        stated = self.opened.cube.instrument.pixel_size_mm
        self.pixel_size_mm = stated if size_mm is None else size_mm

    def _show_scale(self) -> None:
        """The scan was opened."""
        entered = self.notes.of(self.opened.id).get(TOPIC)
        self.pixel_size_problem = ""
        self.pixel_size_mm = (
            float(entered) if sound_size(entered) else self.opened.cube.instrument.pixel_size_mm
        )

    def _follow_normalise(self, event: Any) -> None:
        """Counts per second are other numbers than counts: moved thresholds move along."""
        if self.opened is None:
            return
        seconds = self.opened.cube.instrument.live_time_s
        per_second = [each == "live_time" for each in (event.old, event.new)]
        if seconds and per_second[0] != per_second[1]:
            factor = 1 / seconds if per_second[1] else seconds
            self.session.thresholds = {
                (method, symbol): at * factor if method in COUNTED else at
                for (method, symbol), at in self.session.thresholds.items()
            }
            if self.session.window_threshold is not None:
                self.session.window_threshold *= factor


def sound_size(size_mm: Any) -> bool:
    """Whether that can be the distance of pixels, in mm."""
    return (
        isinstance(size_mm, int | float)
        and not isinstance(size_mm, bool)
        and 0 < size_mm <= LARGEST_PIXEL_MM
    )
