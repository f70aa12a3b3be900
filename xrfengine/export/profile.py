"""Values along a line on the map: as a table, and as a picture for a report."""

from __future__ import annotations

import csv
import io

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.export.analysis import Analysis, Curve, Profile
from xrfengine.export.figure import DRAWING, HAIRLINE, INK, MUTED, png_bytes, write
from xrfengine.export.shown import shown_map

_COLOURS = ("#0b6e6e", "#D55E00", "#0072B2", "#CC79A7")
_WIDTH_IN, _HEIGHT_IN = 6.4, 3.1
_HEADROOM = 1.08


def profile_csv(analysis: Analysis) -> bytes:
    """One line a place: its distance from the first end, and the value of every curve.

    The distance is in mm where the pixel's size is known, and always in pixels; then column and
    row of the scan. Lines that begin with ``#`` say where it is from. Places outside of the scan
    are empty. Numbers have a decimal point; UTF-8.

    Raises
    ------
    SettingsError
        If there is no profile.
    """
    profile, size = _profile(analysis), analysis.pixel_size_mm
    out = io.StringIO(newline="")
    for name, value in analysis.provenance.to_dict().items():
        out.write(f"# {name}: {' '.join(str(value).split())}\r\n")
    out.write(f"# profile: {_where(profile)}\r\n")
    table = csv.writer(out)
    heads = [f"{curve.name} ({curve.unit or 'probability'})" for curve in profile.curves]
    table.writerow([*(["distance_mm"] if size else []), "distance_px", "x_px", "y_px", *heads])
    x0, y0, x1, y1 = profile.line
    share = profile.distance_px / max(float(profile.distance_px[-1]), 1e-9)
    columns, rows = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
    for n, distance in enumerate(profile.distance_px):
        places = [distance, columns[n], rows[n]]
        row = [f"{distance * size:.6g}"] if size else []
        row += [f"{place:.6g}" for place in places]
        values = (float(curve.values[n]) for curve in profile.curves)
        row += [f"{value:.7g}" if np.isfinite(value) else "" for value in values]
        table.writerow(row)
    return out.getvalue().encode("utf-8")


def profile_figure(analysis: Analysis, *, dpi: float = 300.0) -> bytes:
    """The curves over the distance as PNG, 6.4 inches wide, with a caption.

    Curves of another unit than the first one's have their axis at the right.

    Raises
    ------
    SettingsError
        If there is no profile.
    """
    profile = _profile(analysis)
    with DRAWING:
        return _draw(analysis, profile, dpi)


def _profile(analysis: Analysis) -> Profile:
    if analysis.profile is None or not analysis.profile.curves:
        raise SettingsError("there is no profile to write", "Draw a line on the map first.")
    return analysis.profile


def _draw(analysis: Analysis, profile: Profile, dpi: float) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    caption = _caption(analysis, profile)
    below = 0.62 + 0.155 * len(caption)
    total = _HEIGHT_IN + below - 0.6
    fig = Figure(figsize=(_WIDTH_IN, total), dpi=dpi, facecolor="white")
    FigureCanvasAgg(fig)
    unit = profile.curves[0].unit
    own = [curve for curve in profile.curves if curve.unit == unit]
    other = [curve for curve in profile.curves if curve.unit != unit]
    left, right, top = 0.72, 0.78 if other else 0.2, 0.5
    place = (
        left / _WIDTH_IN, below / total,
        (_WIDTH_IN - left - right) / _WIDTH_IN, (total - below - top) / total,
    )  # fmt: skip
    size, of = (analysis.pixel_size_mm, "mm") if analysis.pixel_size_mm else (1.0, "pixels")
    distance = profile.distance_px * size
    axes = fig.add_axes(place)
    lines = _plot(axes, distance, own, _COLOURS, "-")
    axes.set_xlim(0.0, float(distance[-1]))
    axes.set_xlabel(f"Distance ({of})", fontsize=8, color=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if other:
        beside = axes.twinx()
        lines += _plot(beside, distance, other, (MUTED,), "--")
        for side in ("top", "left", "bottom"):
            beside.spines[side].set_visible(False)
    legend = axes.legend(
        lines, [line.get_label() for line in lines], loc="lower right", ncols=len(lines),
        bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8, labelcolor=INK, borderaxespad=0.2,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
    write(fig, 0.15 / _WIDTH_IN, 1 - 0.26 / total, "Profile", 11, INK, weight="bold")
    for row, line in enumerate(caption):
        y = (below - 0.62 - 0.155 * row) / total
        write(fig, 0.15 / _WIDTH_IN, y, line, 7, MUTED)
    return png_bytes(fig, dpi, analysis)


def _plot(axes, distance: np.ndarray, curves: list[Curve], colours: tuple[str, ...], dash: str):
    """Lines of one axis, which begins at 0 or at the lowest value."""
    drawn, values = [], np.concatenate([curve.values for curve in curves])
    for n, curve in enumerate(curves):
        colour = colours[n % len(colours)]
        drawn += axes.plot(distance, curve.values, dash, color=colour, lw=1.2, label=curve.name)
    known = values[np.isfinite(values)]
    low, high = min(0.0, *known, 0.0), max(0.0, *known, 0.0)
    axes.set_ylim(low, high * _HEADROOM if high > low else 1.0)
    label = curves[0].unit or "probability"
    axes.set_ylabel(label[:1].upper() + label[1:], fontsize=8, color=INK)
    axes.tick_params(labelsize=7, length=2.5, width=0.5, colors=INK)
    for spine in axes.spines.values():
        spine.set_color(HAIRLINE)
    return drawn


def _where(profile: Profile) -> str:
    x0, y0, x1, y1 = (f"{end:.1f}".removesuffix(".0") for end in profile.line)
    told = f"from column {x0}, row {y0} to column {x1}, row {y1}"
    if profile.width_px > 1:
        told += f", {profile.width_px} pixels averaged across"
    return told


def _caption(analysis: Analysis, profile: Profile, width: int = 112) -> list[str]:
    import textwrap

    facts = analysis.provenance
    shown = shown_map(analysis)
    told = shown.told
    if shown.region_px > 1:
        told += f", averaged over {shown.region_px}×{shown.region_px} pixels"
    model = f"model {facts.model[:8]}, " if facts.model else ""
    sentences = (
        f"{facts.dataset}. {told}, {_where(profile)}.",
        f"{facts.software}, {model}data {facts.source[:8]}, {facts.made}.",
    )
    return [line for sentence in sentences for line in textwrap.wrap(sentence, width)]
