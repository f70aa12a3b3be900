"""Curves of kept regions over the spectrum of the scan, and what makes curves comparable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.models.renderers import GlyphRenderer
from bokeh.plotting import figure as Figure

from dashboard.results.regions import RegionFacts
from dashboard.results.spectrum import shown_counts
from dashboard.spectrum.heights import Heights

_SOFTEST_KEV = 0.3
"""Below lies the zero peak of some files, which would dwarf every area."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Counts in each channel, as they are shown, of one region."""

    id: str
    colour: str
    counts: np.ndarray


def curves_of(facts: Iterable[RegionFacts], statistic: str) -> list[Curve]:
    """The regions whose spectra are at hand."""
    result = []
    for held in facts:
        counts = shown_counts(held.spectrum, held.maximum, statistic)
        if counts is not None:
            result.append(Curve(held.region.id, held.region.colour, counts))
    return result


def area(energy_kev: np.ndarray, counts: np.ndarray) -> float:
    """What a curve encloses: its counts above 0.3 keV."""
    return float(counts[energy_kev >= min(_SOFTEST_KEV, float(energy_kev[-2]))].sum())


def scaled(energy_kev: np.ndarray, counts: np.ndarray, wanted_area: float) -> np.ndarray:
    """A curve that encloses a given area; as it is where it encloses none."""
    own = area(energy_kev, counts)
    return counts * (wanted_area / own) if own > 0 else counts


class RegionCurves:
    """Lines of a spectrum's figure, one for each region; made when first needed."""

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        self._lines: list[GlyphRenderer] = []

    def put(self, energy_kev: np.ndarray, heights: Heights, curves: Iterable[Curve]) -> None:
        """Draw these and no others; only what changed travels."""
        curves = list(curves)
        while len(self._lines) < len(curves):
            self._lines.append(self._line())
        free = {line.tags[0]: line for line in self._lines if line.tags}
        blank = [line for line in self._lines if not line.tags]
        wanted = {curve.id for curve in curves}
        for id in [id for id in free if id not in wanted]:
            line = free.pop(id)
            line.update(visible=False, tags=[])
            blank.append(line)
        for curve in curves:
            line = free.get(curve.id) or blank.pop(0)
            # A new line's place in the figure is no one's; its data are what it shows.
            rate = heights.of(curve.counts)
            held = line.data_source.data
            if not line.tags or not np.array_equal(held["rate"], rate):
                line.data_source.data = {
                    "energy": energy_kev.astype(np.float32),
                    "rate": rate,
                    "counts": curve.counts.astype(np.float32),
                }
            line.glyph.line_color = curve.colour
            line.update(visible=True, tags=[curve.id])

    def _line(self) -> GlyphRenderer:
        source = ColumnDataSource(data={"energy": [], "rate": [], "counts": []})
        return self._figure.line(
            "energy", "rate", source=source, line_width=1.5, name=f"region-{len(self._lines)}"
        )
