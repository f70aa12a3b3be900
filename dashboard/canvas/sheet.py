"""The map's settings, in a sheet over its pane."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import panel as pn

from dashboard.components.map import MapSettings
from dashboard.frames.sheet import Sheet
from dashboard.plots.display import CHOICES, flipped, turned
from dashboard.plots.figures import MAPPER_NAME
from dashboard.plots.pictures import MAP_PALETTES, percentile, ramp, window_limits
from dashboard.results import Results
from dashboard.results.scale import LARGEST_PIXEL_MM, sound_size
from dashboard.session import COLOURS, NORMALISE, Session
from dashboard.shown import capital
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress
from xrfengine.maps.normalise import scatter_window

PALETTE_WORDS = {
    "bmy": "Plum to yellow",
    "blue-yellow": "Night to straw",
    "blue": "Blue",
    "fire": "Ember",
    "green": "Green",
}
EVEN_WORDS = {
    "none": "Counts as they are",
    "live_time": "Per second of live time",
    "scatter": "By scatter of the X-ray tube",
    "total": "By all counts of the pixel",
}
_EVEN_TOLD = {
    "none": "Nearer, flatter or longer measured places give more counts of everything.",
    "live_time": "Counts are told per second.",
    "scatter": "Each pixel is brought to the mean of what it scatters of the tube's radiation. "
    "Lighter materials scatter more, too.",
    "total": "Each pixel is brought to the mean of all counts. Where heavy elements give most of "
    "them, the others seem weaker.",
}
_BINS = 48
_PERCENTILES = np.concatenate(
    [np.arange(50, 90, 1.0), np.arange(90, 99, 0.1), np.arange(99, 100.001, 0.01)]
).round(2)


class MapSheet(pn.viewable.Viewer):
    """Follows the session while its sheet is open; built when that is first opened."""

    def __init__(self, session: Session, results: Results, sheet: Sheet) -> None:
        super().__init__()
        self.session, self.results, self._sheet = session, results, sheet
        self._work = results.further_work()
        self._settings = MapSettings(
            palettes=[[name, PALETTE_WORDS[name], ramp(MAP_PALETTES[name])] for name in COLOURS],
            mapper=MAPPER_NAME, sizing_mode="stretch_width", margin=0,
            on_message=self._take_message,
        )  # fmt: skip
        session.param.watch(
            lambda *e: self._show_choices(), ["colours", "top_percentile", "normalise", *CHOICES]
        )
        session.param.watch(
            lambda *e: self._show_range(), ["element", "threshold", "window_threshold"]
        )
        results.param.watch(lambda *e: self._show_range(), ["maps", "starts", "unit", "window"])
        results.param.watch(
            lambda *e: self._show_scale(), ["opened", "pixel_size_mm", "pixel_size_problem"]
        )
        session.param.watch(lambda *e: self._show_photograph(), "photo_opacity")
        results.param.watch(lambda *e: self._show_photograph(), "photograph")
        sheet.button.param.watch(lambda *e: self._show_range(), "value")
        self._show_photograph()
        self._show_choices()
        self._show_scale()
        self._show_range()

    def __panel__(self) -> MapSettings:
        return self._settings

    def _take_message(self, data: dict[str, Any]) -> None:
        session = self.session
        now = session.turns, session.mirrored
        match data:
            case {"do": "rotate_left" | "rotate_right" as way}:
                session.param.update(**turned(*now, by=1 if way == "rotate_right" else -1))
            case {"do": "flip" | "flip_down" as way}:
                session.param.update(**flipped(*now, upside_down=way == "flip_down"))
            case {"do": "uncrop"}:
                session.crop = None
            case {"do": "as_scanned"}:
                session.param.update(crop=None, turns=0, mirrored=False)
            case {"do": "usual_range"}:
                session.top_percentile = None
            case {"do": "stated_size"}:
                self.results.keep_pixel_size(None)
            case {"palette": str(name)} if name in COLOURS:
                session.colours = name
            case {"top": int() | float() as at} if 50 <= at <= 100:
                session.top_percentile = at
            case {"normalise": str(by)} if by in NORMALISE:
                session.normalise = by
            case {"do": "photograph"}:
                self._sheet.close()
                session.stage = "photo"
            case {"photo": int(percent)} if 0 <= percent <= 100:
                session.photo_opacity = percent
            case {"pixel_size": str(text)}:
                self._take_size(text)

    def _take_size(self, text: str) -> None:
        try:
            size = float(text.strip().removesuffix("mm").replace(",", "."))
        except ValueError:
            size = math.nan
        if not text.strip():
            self.results.keep_pixel_size(None)
        elif sound_size(size):
            self.results.keep_pixel_size(size)
        else:
            self._settings.pixel_size_hint = (
                f"“{text.strip()}” is not a distance above 0 and up to {LARGEST_PIXEL_MM:g} mm."
            )
            self._settings.param.trigger("pixel_size_mm")

    def _show_choices(self) -> None:
        session = self.session
        self._settings.param.update(
            palette=session.colours,
            percentile=session.top_percentile,
            normalise=session.normalise,
            is_cropped=session.crop is not None,
            is_turned=bool(session.turns or session.mirrored),
        )
        self._show_evens()

    def _show_evens(self) -> None:
        """What can even out this scan, and why not what cannot."""
        opened, maps = self.results.opened, self.results.maps
        not_so = dict.fromkeys(NORMALISE, "")
        hint = _EVEN_TOLD[self.session.normalise]
        if opened is not None:
            instrument = opened.cube.instrument
            if instrument.live_time_s is None:
                not_so["live_time"] = "The file does not say how long each spectrum was measured"
            if instrument.tube_anode is not None:
                try:
                    scatter_window(
                        opened.cube.calibration, opened.cube.shape[2], instrument.tube_anode,
                        instrument.tube_kv,
                    )  # fmt: skip
                except XRFError as error:
                    not_so["scatter"] = capital(error.message)
        is_window = self.results.window is not None
        if maps is not None and maps.kind == "probability" and not is_window:
            hint = "Probabilities are not evened out: this holds for maps of net counts."
        self._settings.param.update(
            evens=[[by, EVEN_WORDS[by], not_so[by]] for by in NORMALISE], normalise_hint=hint
        )

    def _show_photograph(self) -> None:
        photo = self.results.photograph
        is_laid = photo is not None and photo.laid is not None
        self._settings.photo = self.session.photo_opacity if is_laid else None

    def _show_scale(self) -> None:
        opened, results = self.results.opened, self.results
        if opened is None:
            return
        stated = opened.cube.instrument.pixel_size_mm
        is_entered = results.pixel_size_mm != stated
        if results.pixel_size_problem:
            hint = results.pixel_size_problem
        elif is_entered:
            hint = "Entered here, and kept with this data set."
        else:
            hint = "From the file." if stated else "The file does not say: lengths are in pixels."
        self._settings.param.update(
            pixel_size_mm=results.pixel_size_mm, pixel_size_hint=hint,
            pixel_size_entered=is_entered,
        )  # fmt: skip
        self._show_evens()

    def _show_range(self) -> None:
        """How often which value occurs; while the sheet is open."""
        results, element = self.results, self.session.element
        maps = results.maps
        if not self._sheet.is_open:
            return
        self._show_evens()
        if (window := results.window) is not None:
            start, usual = window_limits(window)
            moved, name, unit = self.session.window_threshold, window.name, window.unit
            values = window.values
        elif maps is not None and element in maps.elements:
            start, usual = results.starts.get(element, 0.5), results.limit(element)
            moved, name, unit = self.session.threshold, element, results.unit
            values = maps[element]
        else:
            self._settings.range = {}
            return
        self._settings.param.update(
            element=name, unit=unit, threshold=start if moved is None else moved
        )

        def work(*, progress: Progress, cancel: CancelToken) -> dict[str, Any]:
            return told_range(values, usual, is_probability=not unit)

        self._work.start(
            work,
            then=lambda told: self._settings.param.update(range=told),
            failed=lambda error: self._settings.param.update(range={}),
        )


def told_range(values: np.ndarray, usual: float, *, is_probability: bool) -> dict[str, Any]:
    """How often which value of a map occurs, and its percentiles; for the browser."""
    low = min(float(values.min()), 0.0)
    high = 1.0 if is_probability else max(float(values.max()), usual, low + 1e-6)
    counts, _ = np.histogram(values, bins=_BINS, range=(low, high))
    return {
        "counts": counts.tolist(),
        "low": low,
        "high": high,
        "usual": usual,
        "quantiles": np.column_stack([_PERCENTILES, percentile(values, _PERCENTILES)]).tolist(),
    }
