"""The map of an element as a picture for a report: scale bar, colour bar, caption.

Drawn with matplotlib's Agg canvas, without pyplot: nothing outlives a call, and any thread may
draw.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.export.analysis import Analysis, Photo, Placement, overruled_words
from xrfengine.export.shown import ShownMap, shown_map
from xrfengine.export.words import number
from xrfengine.pictures import grey_limits, map_colours, rgb

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, HAIRLINE = "#17211f", "#566360", "#c3cdcb"
_WIDTH_IN = 6.4
_MARGIN_IN = 0.15
_FEWEST_PX = 1400
"""The longer side of the map in the picture: small maps are drawn with several dots a pixel."""
_LONGEST_IN = 7.6
_THINNEST = 12
"""Line scans are drawn with pixels longer across, or they would be a hair's breadth high."""
_OPACITY = 0.85
"""Of colour over grey: the painting shines through, as on the page."""
DRAWING = threading.Lock()
"""matplotlib's fonts are shared, and not made for two threads."""


def painted(
    values: np.ndarray,
    total_counts: np.ndarray,
    threshold: float,
    top: float,
    colours: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """Colour from the threshold on, the total counts in grey below it; uint8 (y, x, 3).

    Parameters
    ----------
    values, total_counts : ndarray, shape (y, x)
    threshold, top : float
        Where the colours begin and end, in the unit of ``values``.
    limits : (float, float) or None
        Total counts that are black and white; None: their 1st and 99th percentile.
    """
    low, high = limits or grey_limits(total_counts)
    share = np.clip((total_counts - low) / (high - low), 0.0, 1.0)
    grey = np.repeat((24.0 + 206.0 * share)[..., None], 3, axis=2)
    ramp = rgb(colours or map_colours())
    place = np.clip((values - threshold) / max(top - threshold, 1e-9), 0.0, 1.0)
    shown = values >= threshold  # not where the map is no number
    index = np.round(np.nan_to_num(place) * (len(ramp) - 1)).astype(int)
    mixed = _OPACITY * ramp[index] + (1.0 - _OPACITY) * grey
    return np.where(shown[..., None], mixed, grey).round().astype(np.uint8)


def scale_bar_length(extent: float) -> float:
    """A round length, 1, 2 or 5 times a power of ten, of about a quarter of ``extent``."""
    wanted = extent / 4.0
    power = 10.0 ** math.floor(math.log10(wanted))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= wanted)


def map_figure(
    analysis: Analysis,
    *,
    dpi: float | None = None,
    with_areas: bool = False,
    with_photo: bool = False,
) -> bytes:
    """The map shown, as PNG with scale bar, colour bar and caption.

    ``dpi`` None: 200 to 600, so that small maps have sharp pixels. The picture is 6.4 inches wide.
    ``with_areas`` outlines selection and regions in their colours; ``with_photo`` lays the
    photograph over the map, as strong as the analysis says.

    Raises
    ------
    SettingsError
        If there is no map of the element, or no photograph where one is asked for.
    """
    if with_photo and analysis.photo is None:
        raise SettingsError(
            "no photograph lies over the map", "Lay one over it and show it, at least a little."
        )
    shown, lies = shown_map(analysis), analysis.placement
    colours = analysis.colours or map_colours()
    image = painted(
        lies.shown(shown.values),
        lies.shown(analysis.cube.total_counts),
        shown.threshold,
        shown.top,
        colours,
        limits=grey_limits(analysis.cube.total_counts),
    )
    finer = 1
    if with_photo:
        image, finer = over_map(image, analysis.photo, lies, shown.values.shape)
    outlines = []
    if with_areas:
        from xrfengine.region_outlines import polygons

        for area in analysis.areas:
            drawn = polygons(lies.shown(area.mask))
            outlines.append((area.colour, [ring for polygon in drawn for ring in polygon]))
    with DRAWING:
        return _draw(analysis, shown, image, finer, outlines, colours, dpi, with_photo)


def over_map(
    image: np.ndarray, photo: Photo, lies: Placement, shape_yx: tuple[int, int]
) -> tuple[np.ndarray, int]:
    """A painted map below its photograph: uint8 (y · k, x · k, 3), and k.

    Parameters
    ----------
    image : ndarray, uint8, shape (y, x, 3)
        As it is shown: cut out and turned.
    shape_yx : (int, int)
        Of the scan.
    """
    k = photo.laid.shape[0] // shape_yx[0]
    crop = None if lies.crop is None else tuple(k * end for end in lies.crop)
    laid = Placement(crop, lies.turns, lies.mirrored).shown(photo.laid)
    below = np.repeat(np.repeat(image, k, axis=0), k, axis=1).astype(np.float32)
    share = laid[..., 3:].astype(np.float32) * (photo.opacity / 255.0)
    mixed = share * laid[..., :3] + (1.0 - share) * below
    return mixed.round().astype(np.uint8), k


def _draw(
    analysis: Analysis,
    shown: ShownMap,
    image: np.ndarray,
    finer: int,
    outlines: list[tuple[str, list[np.ndarray]]],
    colours: Sequence[str],
    dpi: float | None,
    with_photo: bool,
) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = (side // finer for side in image.shape[:2])
    wide = _WIDTH_IN - 2 * _MARGIN_IN
    unit = wide / width
    if height * unit > _LONGEST_IN:
        unit = _LONGEST_IN / height
    across = max(width * unit, min(height * unit / _THINNEST, wide))
    high = max(height * unit, wide / _THINNEST if width > height else 0.0)
    caption = caption_lines(analysis, with_photo=with_photo)
    below = 0.86 + 0.155 * len(caption)
    total = 0.4 + high + below
    dpi = dpi or max(200.0, min(600.0, math.ceil(_FEWEST_PX / max(width, height)) / unit))
    fig = Figure(figsize=(_WIDTH_IN, total), dpi=dpi, facecolor="white")
    FigureCanvasAgg(fig)
    left = _MARGIN_IN

    def axes(x: float, y: float, w: float, h: float) -> Axes:
        return fig.add_axes((x / _WIDTH_IN, y / total, w / _WIDTH_IN, h / total))

    write(fig, left / _WIDTH_IN, 1 - 0.26 / total, shown.title, 11, INK, weight="bold")
    picture = axes(left, below, across, high)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    picture.imshow(image, interpolation="auto", aspect="auto", extent=extent)
    for colour, rings in outlines:
        for ring in rings:
            picture.plot(*ring.T, color=colour, lw=0.9)
    picture.set_axis_off()
    _scale_bar(axes(left, below - 0.34, across, 0.24), analysis.pixel_size_mm, width)
    bar_left = max(_WIDTH_IN - left - 2.9, left + 1.6)
    _colour_bar(axes(bar_left, below - 0.22, 2.7, 0.09), shown.threshold, shown.top, colours)
    unit = f"{shown.unit}; grey below {number(shown.threshold)}: total counts"
    write(fig, bar_left / _WIDTH_IN, (below - 0.53) / total, unit, 7, MUTED)
    for row, line in enumerate(caption):
        write(fig, left / _WIDTH_IN, (below - 0.80 - 0.155 * row) / total, line, 7, MUTED)
    return png_bytes(fig, dpi, analysis)


def write(fig: Figure, x: float, y: float, text: str, size: float, colour: str, **more) -> None:
    """Plain text: a dollar in a file's name begins no formula."""
    fig.text(x, y, text, fontsize=size, color=colour, parse_math=False, **more)


def png_bytes(fig: Figure, dpi: float, analysis: Analysis) -> bytes:
    """The figure as PNG, which says what made it."""
    out = io.BytesIO()
    facts = analysis.provenance
    fig.savefig(
        out,
        format="png",
        dpi=dpi,
        metadata={"Software": facts.software, "Source": f"{facts.dataset} {facts.source}"},
    )
    return out.getvalue()


def _scale_bar(ax: Axes, pixel_size_mm: float | None, width_px: int) -> None:
    """A bar below the picture: where it covers nothing."""
    extent = width_px * pixel_size_mm if pixel_size_mm else float(width_px)
    length = scale_bar_length(extent)
    if not pixel_size_mm:
        length = max(round(length), 1)
        words = f"{length:,} pixel{'s' if length != 1 else ''}"
    elif length >= 100.0:
        words = f"{length / 10:g} cm"
    elif length < 0.1:
        words = f"{length * 1000:g} µm"
    else:
        words = f"{length:g} mm"
    ax.set_xlim(0, extent)
    ax.set_ylim(0, 1)
    ax.set_axis_off()
    ax.plot([0, length], [0.75, 0.75], color=INK, lw=2.5, solid_capstyle="butt", clip_on=False)
    ax.text(0, 0.42, words, fontsize=8, color=INK, va="top", parse_math=False)


def _colour_bar(ax: Axes, low: float, high: float, colours: Sequence[str]) -> None:
    ramp = rgb(colours)[None].astype(np.uint8)
    ax.imshow(ramp, aspect="auto", extent=(low, high, 0, 1), interpolation="auto")
    ax.set_yticks([])
    ticks = np.linspace(low, high, 4)
    ax.set_xticks(ticks, [number(value) for value in ticks])
    ax.tick_params(axis="x", labelsize=7, length=2, width=0.5, colors=INK, pad=2)
    for spine in ax.spines.values():
        spine.set_visible(False)


def caption_lines(analysis: Analysis, width: int = 112, *, with_photo: bool = False) -> list[str]:
    """What must stand below a figure for it to be understood and repeated."""
    import textwrap

    facts, shown = analysis.provenance, shown_map(analysis)
    told = shown.told
    if shown.region_px > 1:
        told += f", averaged over {shown.region_px}×{shown.region_px} pixels"
    height, w = shown.values.shape
    size = f"{w:,}\u00a0×\u00a0{height:,} pixels"
    if facts.pixel_size_mm:
        size += f" of {facts.pixel_size_mm:g} mm"
    share = float((shown.values >= shown.threshold).mean())
    sentences = [
        f"{facts.dataset}. {told}, from {number(shown.threshold)} on: "
        f"{100 * share:.1f} % of the scan of {size}."
    ]
    if analysis.placement.words:
        sentences.append(f"Shown: {analysis.placement.words}.")
    if with_photo:
        photo = analysis.photo
        sentences.append(
            f"Over the map the photograph {photo.name}, at {100 * photo.opacity:.0f} %."
        )
    if shown.element in dict(facts.overruled):
        sentences.append(f"Overruled by hand: {overruled_words(facts.overruled)}.")
    model = f"model {facts.model[:8]}, " if facts.model else ""
    sentences.append(f"{facts.software}, {model}data {facts.source[:8]}, {facts.made}.")
    return [line for sentence in sentences for line in textwrap.wrap(sentence, width)]
