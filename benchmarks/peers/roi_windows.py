"""Windows around main lines with a detection limit, as conservators use them.

An element is present if its net counts exceed three standard deviations of the background in its
window (IUPAC's detection limit; Currie, Anal. Chem. 40 (1968) 586). Overlaps are not told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from xrfengine.classifier.evaluate import Verdict
from xrfengine.classifier.fit import guess_setup
from xrfengine.cube import Calibration, Spectrum
from xrfengine.detector import Detector
from xrfengine.lines import ELEMENTS, Line, labelled_lines
from xrfengine.maps.roi import Window, roi_window

CUT = 3.0


def roi_windows(spectrum: Spectrum) -> Mapping[str, Verdict]:
    """Verdicts on one spectrum; the score is net counts over √background."""
    setup = guess_setup(spectrum)
    calibration = replace(spectrum.calibration, fwhm_mn_kev=setup.detector.fwhm_mn_kev)
    instrument = replace(spectrum.instrument, tube_kv=setup.end_kev)
    verdicts = {}
    for element in ELEMENTS:
        window = roi_window(element, calibration, spectrum.counts.size, instrument)
        if window is None:
            continue
        net, background = net_and_background(spectrum.counts, window)
        score = net / np.sqrt(max(background, 1.0))
        verdicts[element] = Verdict(float(score), bool(score >= CUT))
    return verdicts


def net_and_background(counts: np.ndarray, window: Window) -> tuple[float, float]:
    """Counts of a window above and below the straight line between its flanks."""
    gross = float(counts[window.start : window.stop].sum(dtype=np.float64))
    cumulative = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    net = sum(weight * cumulative[channel] for channel, weight in window.weights().items())
    return float(net), max(gross - float(net), 0.0)


def line_windows(
    element: str, calibration: Calibration, n_channels: int, detector: Detector
) -> list[tuple[Line, Window]]:
    """A window for each named line of an element (Kα Kβ Lα Lβ Lγ Mα) inside the spectrum."""
    low, high = calibration.edges_kev(n_channels)[[0, -1]]
    found = []
    for line in labelled_lines(element, max(float(low), 0.3), float(high)):
        width = float(detector.fwhm_kev(line.energy_kev))
        ends = calibration.channel(np.array([line.energy_kev - width, line.energy_kev + width]))
        start, stop = (int(np.rint(end + 0.5)) for end in ends)
        stop = max(stop, start + 1)
        if start < 0 or stop > n_channels:
            continue
        beside = max(1, (stop - start) // 2)
        left, right = (max(0, start - beside), start), (stop, min(n_channels, stop + beside))
        found.append((line, Window(line, start, stop, left, right)))
    return found
