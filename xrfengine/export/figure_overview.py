"""Pictures of a report besides the map: small maps of all found elements, and the spectra."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.export.analysis import Analysis
from xrfengine.export.figure import (
    DRAWING,
    HAIRLINE,
    INK,
    MUTED,
    painted,
    png_bytes,
    write,
)
from xrfengine.export.shown import colour_range
from xrfengine.pictures import spectrum_floor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH_IN = 6.4
_DPI = 200.0
_COLUMNS = 5
_MOST_SMALL_PX = 360
"""Longer side of a small map: more dots than that are not seen at this size."""
_WHOLE = "#8d9494"


def small_maps_figure(analysis: Analysis, symbols: tuple[str, ...]) -> bytes:
    """The maps of several elements side by side, each from its threshold on; PNG."""
    height, width = analysis.maps.values.shape[1:]
    columns = min(_COLUMNS, len(symbols))
    rows = math.ceil(len(symbols) / columns)
    gap, words = 0.08, 0.2
    wide = (_WIDTH_IN - gap * (_COLUMNS - 1)) / _COLUMNS
    high = float(np.clip(wide * height / width, 0.2, 2.2))
    total = rows * (high + words + gap)
    step = max(1, math.ceil(max(height, width) / _MOST_SMALL_PX))
    grey = analysis.cube.total_counts[::step, ::step]
    with DRAWING:
        fig = _figure(_WIDTH_IN, total)
        for n, symbol in enumerate(symbols):
            row, column = divmod(n, columns)
            left, top = column * (wide + gap), row * (high + words + gap)
            values = _thinned(analysis.maps[symbol], step)
            low, end = colour_range(analysis, symbol)
            ax = fig.add_axes(
                (left / _WIDTH_IN, 1 - (top + high) / total, wide / _WIDTH_IN, high / total)
            )
            aspect = "equal" if width < 8 * height else "auto"
            ax.imshow(
                painted(values, grey, low, end, analysis.colours),
                aspect=aspect,
                interpolation="auto",
            )
            ax.set_anchor("NW")
            ax.set_axis_off()
            below = 1 - (top + high + 0.14) / total
            write(fig, left / _WIDTH_IN, below, symbol, 8, INK, weight="bold")
        return png_bytes(fig, _DPI, analysis)


def spectra_figure(analysis: Analysis) -> bytes:
    """Counts a pixel over energy, logarithmic: the whole scan and every area; PNG."""
    whole = analysis.cube.sum_spectrum
    energy = whole.energy_kev
    curves = [("whole scan", _WHOLE, whole.mean_counts)]
    curves += [(a.name, a.colour, a.spectrum.mean_counts) for a in analysis.areas]
    with DRAWING:
        fig = _figure(_WIDTH_IN, 2.9)
        ax = fig.add_axes((0.1, 0.17, 0.88, 0.78))
        floor = spectrum_floor(whole.mean_counts)
        for name, colour, counts in curves:
            shown = np.maximum(counts, floor)
            (line,) = ax.plot(energy, shown, lw=0.7, color=colour)
            line.set_label(name.replace("$", r"\$"))
        ax.set_yscale("log")
        ax.set_xlim(0, _last_kev(energy, whole.mean_counts))
        ax.set_ylim(bottom=floor)
        ax.set_xlabel("Energy (keV)", fontsize=7, color=INK)
        ax.set_ylabel("Counts per pixel", fontsize=7, color=INK)
        ax.tick_params(labelsize=7, colors=INK, width=0.5, length=2)
        ax.tick_params(which="minor", width=0.3, length=1)
        ax.grid(axis="x", color=HAIRLINE, lw=0.4)
        for name, spine in ax.spines.items():
            spine.set_visible(name in ("left", "bottom"))
            spine.set_color(MUTED)
        ax.legend(fontsize=7, frameon=False, loc="upper right", ncols=1 + (len(curves) > 6))
        return png_bytes(fig, _DPI, analysis)


def _figure(width_in: float, height_in: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width_in, height_in), facecolor="white")
    FigureCanvasAgg(fig)
    return fig


def _thinned(values: np.ndarray, step: int) -> np.ndarray:
    """The largest of every step × step pixels: thinning alone would lose single ones."""
    if step == 1:
        return values
    height, width = values.shape
    padded = np.pad(values, ((0, -height % step), (0, -width % step)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    return blocks.max(axis=(1, 3))


def _last_kev(energy: np.ndarray, counts: np.ndarray) -> float:
    """Where all but a two-thousandth of the counts lie below."""
    running = np.cumsum(counts)
    if running[-1] <= 0:
        return float(energy[-1])
    last = int(np.searchsorted(running, 0.9995 * running[-1]))
    return float(min(max(energy[min(last, energy.size - 1)] * 1.06, energy[0] + 1), energy[-1]))
