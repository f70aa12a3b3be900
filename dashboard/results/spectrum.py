"""What the spectrum pane shows beyond the curves: maxima, fit, peaks, windows; the calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import param

from dashboard.latest import LatestOnly
from dashboard.results.base import ResultsBase
from dashboard.results.evened import evened_window
from dashboard.results.overrides import added
from dashboard.session.overrides import Overrides
from dashboard.shown import READY, State, failed_state
from xrfengine.cube import Calibration, Cube, Spectrum
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress, no_progress
from xrfengine.peaks import PeakName, named_peaks

if TYPE_CHECKING:
    from xrfengine.classifier.reading import Reading
    from xrfengine.maps.window import WindowMap

TOPIC = "calibration"


@dataclass(frozen=True)
class OwnCalibration:
    """A calibration that a user gave a data set, with the peaks it rests on.

    ``pairs`` are (channel, energy in keV, name of the line).
    """

    calibration: Calibration
    pairs: tuple[tuple[float, float, str], ...] = ()

    def to_note(self) -> dict[str, Any]:
        c = self.calibration
        return {
            "offset_kev": c.offset_kev, "gain_kev": c.gain_kev, "quadratic_kev": c.quadratic_kev,
            "pairs": [list(pair) for pair in self.pairs],
        }  # fmt: skip

    @classmethod
    def from_note(cls, note: Any, fwhm_mn_kev: float | None = None) -> OwnCalibration | None:
        """The inverse; None for anything else, so that a damaged note leaves the file's own."""
        try:
            calibration = Calibration(
                float(note["offset_kev"]), float(note["gain_kev"]),
                float(note.get("quadratic_kev", 0.0)), fwhm_mn_kev,
            )  # fmt: skip
            pairs = tuple((float(c), float(e), str(name)) for c, e, name in note.get("pairs", ()))
        except (XRFError, TypeError, KeyError, ValueError, AttributeError):
            return None
        return cls(calibration, pairs)


def shown_counts(
    spectrum: Spectrum | None, maximum: Spectrum | None, statistic: str
) -> np.ndarray | None:
    """Counts in each channel as the statistic asks for them; None while they are not at hand."""
    if spectrum is None:
        return None
    if statistic == "max":
        return None if maximum is None else np.asarray(maximum.counts, dtype=np.float64)
    if statistic == "sum":
        return np.asarray(spectrum.counts, dtype=np.float64)
    return spectrum.mean_counts


class SpectrumResults(ResultsBase):
    """Follows the choices of the spectrum pane."""

    _reopen: Callable[[], None]
    """Opens the data set anew; given by the class that joins all kinds of results."""
    added: Callable[[], tuple[str, ...]]
    _read_overrides: Callable[[str], Overrides]

    maxima = param.Dict({}, doc="Highest counts of any pixel: Spectrum by 'scan', 'selection'.")
    peak_names = param.Parameter((), doc="tuple of PeakName of the spectrum that is named.")
    reading = param.Parameter(None, doc="Reading of the spectrum asked about, or None.")
    reading_state = param.Parameter(READY)
    peak = param.Parameter(None, doc="Peak asked about, with what it can be, or None.")
    peak_state = param.Parameter(READY)
    window = param.Parameter(None, doc="WindowMap of the session's energy window, or None.")
    window_state = param.Parameter(READY)

    def __init__(self, *args: Any, **params: Any) -> None:
        super().__init__(*args, **params)
        self._maximum = LatestOnly(self.deliver)
        self._naming = LatestOnly(self.deliver)
        self._reading = LatestOnly(self.deliver)
        self._peak = LatestOnly(self.deliver)
        self._window = LatestOnly(self.deliver)
        self._tried: tuple[float, float] | None = None
        self._read_with: tuple[str, ...] = ()
        watch = self.session.param.watch
        watch(lambda *events: self._follow_maxima(), "statistic")
        watch(lambda *events: self._follow_reading(), ["show_fit", "read_from", "overrides"])
        watch(lambda *events: self._follow_peak(), "peak_kev")
        watch(self._follow_window, ["energy_window_kev", "window_net", "region_px", "normalise"])
        watch(lambda *events: self._follow_names(), "peak_names")
        self.param.watch(lambda *events: self._follow_spectra(), ["opened", "selected"])
        self.param.watch(lambda *events: self._follow_names(), "found")

    @property
    def _all(self) -> tuple[LatestOnly, ...]:
        own = (self._maximum, self._naming, self._reading, self._peak, self._window)
        return (*super()._all, *own)

    # ---- the spectra

    @property
    def read_spectrum(self) -> Spectrum | None:
        """The spectrum that is fitted and explained."""
        if self.opened is None:
            return None
        if self.session.read_from == "selection" and self.selected is not None:
            return self.selected.spectrum
        return self.opened.whole

    def _follow_spectra(self) -> None:
        if self.opened is None:
            for work in (self._maximum, self._naming, self._reading, self._peak, self._window):
                work.cancel()
            self.param.update(
                maxima={}, peak_names=(), reading=None, peak=None, window=None,
                reading_state=READY, peak_state=READY, window_state=READY,
            )  # fmt: skip
            return
        self._follow_maxima()
        self._follow_names()
        self._follow_reading()
        if self.window is None and self.session.energy_window_kev is not None:
            self._follow_window()

    def _follow_maxima(self) -> None:
        if self.opened is None or self.session.statistic != "max":
            return
        cube, known = self.opened.cube, dict(self.maxima)
        mask = None if self.selected is None else self.selected.mask

        def work(*, progress: Progress, cancel: CancelToken) -> dict[str, Spectrum]:
            found = {"scan": known.get("scan")}
            if found["scan"] is None:
                found["scan"] = self.engine.maximum_spectrum(cube, cancel=cancel)
            if mask is not None:
                found["selection"] = self.engine.maximum_spectrum(cube, mask, cancel=cancel)
            return found

        self._maximum.start(
            work,
            then=lambda found: self.param.update(maxima=found),
            failed=lambda error: self.param.update(reading_state=failed_state(error)),
        )

    def _follow_names(self) -> None:
        if self.opened is None or not self.session.peak_names:
            self._naming.cancel()
            self.peak_names = ()
            return
        spectrum = self.opened.whole
        symbols = tuple(item.element for item in self.found)
        if self.selected is not None:
            spectrum = self.selected.spectrum
            if self.selected.identified is not None:
                symbols = tuple(i.symbol for i in self.selected.identified if i.present)

        def work(*, progress: Progress, cancel: CancelToken) -> tuple[PeakName, ...]:
            return named_peaks(spectrum, symbols)

        self._naming.start(
            work,
            then=lambda names: self.param.update(peak_names=names),
            failed=lambda error: self.param.update(peak_names=()),
        )

    # ---- fit and peaks

    def _follow_reading(self) -> None:
        asked = self.session.show_fit or self.session.peak_kev is not None
        spectrum = self.read_spectrum
        if spectrum is None or not asked:
            self._reading.cancel()
            self.reading_state = READY
            return
        is_read = self.reading is not None and self.reading.spectrum is spectrum
        if is_read and self._read_with == self.added():
            return
        cube, also = self.opened.cube, self.added()
        self._read_with = also
        self.param.update(reading=None, peak=None)

        def work(*, progress: Progress, cancel: CancelToken) -> Reading:
            reading = self.engine.reading(
                spectrum, cube, also=also, progress=progress, cancel=cancel
            )
            progress(0.9, "Fitting the spectrum")
            _ = reading.curve
            return reading

        def then(reading: Reading) -> None:
            # The engine may have kept the reading of an equal spectrum of another visit.
            self.param.update(reading=_of(reading, spectrum), reading_state=READY)
            self._follow_peak()

        self._reading.start(
            work,
            then=then,
            failed=lambda error: self.param.update(
                reading_state=failed_state(error), peak_state=failed_state(error)
            ),
            progressed=self._reading_progress,
        )

    def _reading_progress(self, fraction: float, message: str) -> None:
        state = State("loading", message or "Fitting the spectrum", fraction=fraction)
        self.param.update(reading_state=state, peak_state=state)

    def _follow_peak(self) -> None:
        kev = self.session.peak_kev
        if kev is None or self.opened is None:
            self._peak.cancel()
            self.param.update(peak=None, peak_state=READY)
            return
        if self.reading is None or self.reading.spectrum is not self.read_spectrum:
            self._follow_reading()
            return
        reading, cube = self.reading, self.opened.cube

        def work(*, progress: Progress, cancel: CancelToken) -> Any:
            return self.engine.peak(reading, kev, cube)

        self._peak.start(
            work,
            then=lambda peak: self.param.update(peak=peak, peak_state=READY),
            failed=lambda error: self.param.update(peak=None, peak_state=failed_state(error)),
            progressed=lambda fraction, message: self.param.update(
                peak_state=State("loading", "Comparing lines", fraction=fraction)
            ),
        )

    # ---- windows of energies

    def _follow_window(self, *events: param.parameterized.Event) -> None:
        window = self._tried = self.session.energy_window_kev
        if window is None or self.opened is None:
            self._window.cancel()
            self.param.update(window=None, window_state=READY)
            return
        self._map_window(window)

    def try_window(self, low_kev: float, high_kev: float) -> None:
        """Map a window whose edge is being dragged; the session's stays what it is.

        A map that is on its way arrives first, or none would ever while the mouse moves.
        """
        if self.opened is not None and self.session.energy_window_kev is not None:
            self._tried = (low_kev, high_kev)
            if not self._window.is_running:
                self._map_window(self._tried)

    def _map_window(self, window: tuple[float, float]) -> None:
        cube, session, normalise = self.opened.cube, self.session, self.session.normalise
        count = partial(
            self.engine.window_map, cube, *window, net=session.window_net,
            region_px=session.region_px,
        )  # fmt: skip

        def work(*, progress: Progress, cancel: CancelToken) -> WindowMap:
            found = count(progress=progress, cancel=cancel)
            return evened_window(self.engine, cube, found, normalise, cancel)

        self._window.start(
            work,
            then=lambda found: self._show_window(found, window),
            failed=self._cannot_map_window,
            progressed=lambda fraction, message: self.param.update(
                window_state=State("loading", message or "Counts in the window", fraction=fraction)
            ),
        )

    def _show_window(self, found: WindowMap, window: tuple[float, float]) -> None:
        self.param.update(window=found, window_state=READY)
        if self._tried not in (None, window):
            self._map_window(self._tried)

    def _cannot_map_window(self, error: XRFError) -> None:
        self.param.update(window=None, window_state=failed_state(error))

    def _forget_energies(self) -> None:
        """Another scan is opened."""
        self.session.param.update(
            peak_kev=None, energy_window_kev=None, window_threshold=None, calibration_pairs=(),
            drop_channels=None,
        )  # fmt: skip

    # ---- the calibration of the data set

    def _calibrated(
        self, dataset: str, cube: Cube, progress: Progress, cancel: CancelToken
    ) -> tuple[Cube, OwnCalibration | None]:
        """The cube under the calibration that was kept with the data set; any thread."""
        note = self.notes.of(dataset).get(TOPIC)
        own = OwnCalibration.from_note(note, cube.calibration.fwhm_mn_kev) if note else None
        if own is None:
            return cube, None
        progress(0.2, "Applying the calibration")
        return self.engine.recalibrated(cube, own.calibration), own

    def scan(
        self, dataset: str, *, progress: Progress, cancel: CancelToken
    ) -> tuple[Cube, tuple[str, ...]]:
        """Any scan as it would be opened, and the elements that are said to be in it; any thread.

        Raises XRFError if it cannot be read.
        """
        cube = self.engine.cube(dataset, progress=progress, cancel=cancel)
        cube, _ = self._calibrated(dataset, cube, no_progress, cancel)
        return cube, added(self._read_overrides(dataset))

    def keep_calibration(self, own: OwnCalibration | None) -> None:
        """Keep a calibration with the open data set, None its file's own, and open it anew.

        Raises XRFError if it cannot be written.
        """
        if self.opened is None:
            return
        self.notes.keep(self.opened.id, TOPIC, None if own is None else own.to_note())
        self._reopen()


def _of(reading: Reading, spectrum: Spectrum) -> Reading:
    return reading if reading.spectrum is spectrum else replace(reading, spectrum=spectrum)
