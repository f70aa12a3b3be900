"""Pure functions from results to what is painted: arrays in, arrays, colours and PNGs out."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any, Literal

import colorcet
import numpy as np

from xrfengine.pictures import map_colours, rgb

GREYS = tuple(f"#{v:02x}{v:02x}{v:02x}" for v in range(24, 232, 2))
"""Neither black nor white at the ends: both themes keep a border around the scan."""
MAP_PALETTES: dict[str, tuple[str, ...]] = {
    "bmy": map_colours(),
    "blue-yellow": tuple(colorcet.b_linear_protanopic_deuteranopic_kbjyw_5_95_c25[64:]),
    "blue": tuple(colorcet.b_linear_kbc_5_95_c73[72:]),
    "fire": tuple(colorcet.b_linear_kryw_0_100_c71[64:248]),
    "green": tuple(colorcet.b_linear_kgy_5_95_c69[72:]),
}
"""Perceptual, single direction, lighter all the way: told apart with any kind of colour vision.
Their dark ends are cut off, or they would drown in the grey image."""
MAP_COLOURS = MAP_PALETTES["bmy"]
UNASSIGNED = "#8d9494"
HIGHLIGHT = "#ff9d00"
MASK_COLOURS = ("rgba(8,12,12,0.6)", "rgba(0,0,0,0)")
"""Outside of the selection, and inside."""
KINDS_COMPILED = 32
"""Clusters, unassigned pixels among them, for which datashader has compiled code at least."""

_CATEGORICAL = tuple(colorcet.b_glasbey_category10)


def cluster_colour(label: int) -> str:
    """Colour of a cluster, by its number and never by its place in a list; -1 is unassigned."""
    return UNASSIGNED if label < 0 else _CATEGORICAL[label % len(_CATEGORICAL)]


def value_limit(values: np.ndarray, kind: str) -> float:
    """Where the colours of a map end: 1 for probabilities, else the 99.8th percentile."""
    if kind == "probability":
        return 1.0
    return max(percentile(values, 99.8), 1.0)


_SAMPLED_FROM = 1_000_000


def percentile(values: np.ndarray, at: float | np.ndarray) -> Any:
    """Percentiles of a map's values, float or ndarray as ``at``; of a large map's, by a sample."""
    # An odd step: an even one would always meet the same columns of many a scan.
    step = values.size // _SAMPLED_FROM | 1
    sampled = values.ravel()[::step]
    found = np.percentile(sampled, at)
    return found if np.ndim(at) else float(found)


def ramp(colours: tuple[str, ...]) -> str:
    """Colours as a CSS gradient, from left to right."""
    return f"linear-gradient(90deg, {', '.join(colours[:: max(1, len(colours) // 12)])})"


def window_limits(window: Any) -> tuple[float, float]:
    """Where the colours of a map of an energy window begin and end, in counts.

    They begin at three standard errors, by their median: below it is noise.
    """
    start = 3.0 * float(np.median(window.errors)) if window.net else 0.0
    return start, max(value_limit(window.values, "roi"), 1.5 * start)


def outline(mask: np.ndarray) -> np.ndarray:
    """The border of a mask along pixel edges, as straight runs; float32 (n, 4): x0, y0, x1, y1.

    Empty when it would take more than :data:`MOST_RUNS` of them: such a border is a grey haze
    on the screen and a megabyte on the line.
    """
    padded = np.pad(mask, 1)
    across = _runs(padded[1:, 1:-1] != padded[:-1, 1:-1])
    down = _runs((padded[1:-1, 1:] != padded[1:-1, :-1]).T)
    if len(across) + len(down) > MOST_RUNS:
        return np.zeros((0, 4), np.float32)
    row, start, stop = across.T
    column, top, bottom = down.T
    lying = np.stack([start, row, stop, row], axis=1)
    standing = np.stack([column, top, column, bottom], axis=1)
    return np.concatenate([lying, standing]).astype(np.float32) - 0.5


MOST_RUNS = 6_000


def _runs(edges: np.ndarray) -> np.ndarray:
    """Runs of True along the rows; int (n, 3): row, first column, column after the last."""
    turns = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(turns == 1)
    _, stops = np.nonzero(turns == -1)
    return np.stack([rows, starts, stops], axis=1)


def inside(points: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Which of the points (n, 2) lie inside a polygon (v, 2), by the even-odd rule; bool (n,)."""
    result = np.zeros(len(points), dtype=bool)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    near = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
    x, y = points[near, 0], points[near, 1]
    odd = np.zeros(near.size, dtype=bool)
    x1, y1 = vertices[-1]
    for x2, y2 in vertices:
        if y1 != y2:
            crosses = (y1 > y) != (y2 > y)
            odd ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
        x1, y1 = x2, y2
    result[near] = odd
    return result


def embedding_limits(points: np.ndarray) -> tuple[float, float, float, float]:
    """x and y range that shows every point with some air: (x0, x1, y0, y1)."""
    low, high = points.min(axis=0), points.max(axis=0)
    air = np.maximum((high - low) * 0.04, 0.5)
    (x0, y0), (x1, y1) = low - air, high + air
    return float(x0), float(x1), float(y0), float(y1)


def _table(points: np.ndarray, values: np.ndarray | None = None, n: int = 0):
    import pandas as pd  # datashader's own table

    columns = {"x": points[:, 0], "y": points[:, 1]}
    if values is not None:
        columns["v"] = pd.Categorical.from_codes(values, range(n)) if n else values
    return pd.DataFrame(columns)


def _compiled_kinds(n: int) -> int:
    """Categories to let datashader count for n of them.

    It compiles anew for every number of them, which takes half a second: few numbers serve all.
    """
    return max(KINDS_COMPILED, 1 << (n - 1).bit_length())


def embedding_image(
    points: np.ndarray,
    limits: tuple[float, float, float, float],
    size_px: tuple[int, int],
    *,
    colour_by: Literal["cluster", "element", "density"],
    values: np.ndarray | None = None,
    ink: str = "#20555a",
    colours: Sequence[str] | None = None,
) -> np.ndarray:
    """All points, aggregated by datashader and shaded; uint32 RGBA (y, x), row 0 at the bottom.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
    limits : (x0, x1, y0, y1)
    size_px : (width, height)
    colour_by
        ``"cluster"``: ``values`` are labels from -1, ``colours`` theirs if not by number;
        ``"element"``: ``values`` are a map's pixels, scaled to 0…1; ``"density"``: no values,
        shades of ``ink``.
    """
    import datashader as ds
    import datashader.transfer_functions as tf

    x0, x1, y0, y1 = limits
    width, height = (int(np.clip(v, 16, 2000)) for v in size_px)
    canvas = ds.Canvas(width, height, x_range=(x0, x1), y_range=(y0, y1))
    if colour_by == "cluster" and values is not None:
        n = int(values.max()) + 2
        shown = [UNASSIGNED, *(colours or map(cluster_colour, range(n - 1)))][:n]
        kinds = _compiled_kinds(n)
        key = dict(enumerate(shown + [UNASSIGNED] * (kinds - n)))
        total = canvas.points(_table(points, values + 1, kinds), "x", "y", ds.by("v", ds.count()))
        shaded = tf.shade(total, color_key=key, how="eq_hist", min_alpha=140)
    elif colour_by == "element" and values is not None:
        mean = canvas.points(_table(points, values), "x", "y", ds.mean("v"))
        shaded = tf.shade(mean, cmap=list(MAP_COLOURS), how="linear", span=(0.0, 1.0))
    else:
        count = canvas.points(_table(points), "x", "y", ds.count())
        shaded = tf.shade(count, cmap=[ink], how="eq_hist", min_alpha=90)
    image = np.ascontiguousarray(shaded.data)
    return spread(np.where(image >> 24 == 0, np.uint32(0), image), len(points))


def points_image(
    points: np.ndarray,
    limits: tuple[float, float, float, float],
    size_px: tuple[int, int],
) -> np.ndarray:
    """Where the chosen points are: 1, elsewhere 0; uint8 (y, x), a byte a pixel on its way."""
    import datashader as ds

    x0, x1, y0, y1 = limits
    width, height = (int(np.clip(v, 16, 2000)) for v in size_px)
    if len(points) == 0:
        return np.zeros((height, width), np.uint8)
    canvas = ds.Canvas(width, height, x_range=(x0, x1), y_range=(y0, y1))
    there = canvas.points(_table(points), "x", "y", ds.any())
    return spread(np.asarray(there.data, dtype=np.uint8), len(points))


def trimmed(
    image: np.ndarray, limits: tuple[float, float, float, float]
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """The part of a picture (y, x) that is not 0, with its (x0, x1, y0, y1); at least a pixel."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    top, bottom = (rows[0], rows[-1] + 1) if rows.size else (0, 1)
    left, right = (columns[0], columns[-1] + 1) if columns.size else (0, 1)
    (height, width), (x0, x1, y0, y1) = image.shape, limits
    x = x0 + (x1 - x0) * np.array([left, right]) / width
    y = y0 + (y1 - y0) * np.array([top, bottom]) / height
    part = np.ascontiguousarray(image[top:bottom, left:right])
    return part, (float(x[0]), float(x[1]), float(y[0]), float(y[1]))


def spread(image: np.ndarray, n_points: int) -> np.ndarray:
    """Grow single pixels (y, x) that are not 0 to visible dots; the fewer the points, the larger.

    Ours instead of datashader's, which compiles a kernel for every size at its first use: seconds
    in which a selection would not light up.
    """
    px = 3 if n_points < 500 else 2 if n_points < 5_000 else 1 if n_points < 60_000 else 0
    grown = image.copy()
    offsets = range(-px, px + 1)
    for dy, dx in ((dy, dx) for dy in offsets for dx in offsets if dy * dy + dx * dx <= px * px):
        to_y, from_y = _shifted(dy)
        to_x, from_x = _shifted(dx)
        target, source = grown[to_y, to_x], image[from_y, from_x]
        np.copyto(target, source, where=target == 0)
    return grown


def _shifted(step: int) -> tuple[slice, slice]:
    if step > 0:
        return slice(step, None), slice(None, -step)
    return (slice(None, step), slice(-step, None)) if step < 0 else (slice(None), slice(None))


def thumbnail(
    values: np.ndarray,
    grey: np.ndarray,
    threshold: float,
    high: float,
    longest_px: int = 200,
    shades: tuple[int, int] = (16, 48),
    colours: tuple[str, ...] = MAP_COLOURS,
) -> str:
    """A small map as a data URI: above the threshold in colour, the rest grey.

    Parameters
    ----------
    values, grey : ndarray, shape (y, x)
        The map, and the total counts scaled to 0…1.
    longest_px : int
        Bound of the picture's longer side.
    shades : (int, int)
        How many greys and how many colours, at most 256 in all: few make small files.
    """
    from PIL import Image

    n_greys, n_colours = shades
    step = max(1, int(np.ceil(max(values.shape) / longest_px)))
    # The largest of each block: a hot pixel must not fall through the sieve.
    small = _blocks(values, step, np.maximum)
    base = grey[::step, ::step][: small.shape[0], : small.shape[1]]
    painted = np.rint(base * (n_greys - 1)).astype(np.uint8)
    share = np.clip((small - threshold) / max(high - threshold, 1e-9), 0.0, 1.0)
    above = small >= threshold
    painted[above] = n_greys + np.rint(share[above] * (n_colours - 1)).astype(np.uint8)
    image = Image.fromarray(painted, "P")
    image.putpalette(_palette(n_greys, n_colours, colours))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _palette(n_greys: int, n_colours: int, colours: tuple[str, ...]) -> bytes:
    greys = np.repeat(np.linspace(40, 190, n_greys)[:, None], 3, axis=1)
    places = np.rint(np.linspace(0, len(colours) - 1, n_colours)).astype(int)
    return np.vstack([greys, rgb(colours)[places]]).astype(np.uint8).tobytes()


def labels_picture(
    labels: np.ndarray, colours: Sequence[str], chosen: int | None = None, longest_px: int = 700
) -> str:
    """A map of clusters as a data URI; with one chosen, the others are pale.

    Parameters
    ----------
    labels : ndarray of int, shape (y, x)
        From -1, which is painted in the colour of what is unassigned.
    """
    from PIL import Image

    step = max(1, int(np.ceil(max(labels.shape) / longest_px)))
    palette = rgb((UNASSIGNED, *colours))
    if chosen is not None:
        pale = 0.25 * palette + 0.75 * 128
        pale[chosen + 1] = palette[chosen + 1]
        palette = pale
    picture = Image.fromarray(palette.astype(np.uint8)[labels[::step, ::step] + 1])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _blocks(values: np.ndarray, step: int, join: np.ufunc) -> np.ndarray:
    rows = join.reduceat(values, np.arange(0, values.shape[0], step), axis=0)
    return join.reduceat(rows, np.arange(0, values.shape[1], step), axis=1)


def spectrum_heights(counts: np.ndarray, scale: str, floor: float) -> np.ndarray:
    """Counts as the vertical axis shows them: as they are, their root, or their logarithm.

    Transformed here, so that changing the scale moves one column of data and no axis is rebuilt.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if scale == "log":
        return np.log10(np.maximum(counts, floor))
    if scale == "sqrt":
        return np.sqrt(np.maximum(counts, 0.0))
    return counts


def energy_limits(energy_kev: np.ndarray, mean_counts: np.ndarray) -> tuple[float, float]:
    """The part of the energy axis worth showing first."""
    sound = np.flatnonzero(energy_kev >= 0.3)
    if sound.size < 2:
        return float(energy_kev[0]), float(energy_kev[-1])
    running = np.cumsum(mean_counts[sound])
    last = sound[int(np.searchsorted(running, 0.9995 * running[-1]))] if running[-1] > 0 else -1
    high = min(float(energy_kev[last]) * 1.06, float(energy_kev[-1]))
    high = max(high, float(energy_kev[sound[0]]) + 1.0)
    return -0.02 * high, high  # room for the names of the softest lines


def stagger(positions: np.ndarray, width: float, n_levels: int = 4) -> np.ndarray:
    """Levels (0 at the top) that keep labels of a given width from covering each other."""
    ends = [-np.inf] * n_levels
    levels = np.zeros(len(positions), dtype=int)
    for i in np.argsort(positions):
        free = [level for level in range(n_levels) if ends[level] + width <= positions[i]]
        levels[i] = free[0] if free else int(np.argmin(ends))
        ends[levels[i]] = positions[i]
    return levels
