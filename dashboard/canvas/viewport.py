"""What of a large scan goes to the browser: the part on screen, at the screen's resolution.

A map of 4,000 × 4,000 pixels is 64 MB; the pane has a few hundred thousand points. Blocks of
pixels are joined here, so that nothing falls through the sieve: the largest value of a block for
maps and selections, the mean for the grey image below them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dashboard.plots.display import Display
from dashboard.plots.pictures import outline

Join = Literal["max", "mean", "pick"]

WHOLE_UP_TO_PX = 1500 * 1500
"""Pictures up to this size go to the browser whole: zoom and pan then never ask the server."""
MARGIN = 0.1
"""Share of the view sent beyond each of its sides, so that a short pan shows no blank edge."""
FIRST_VIEW_PX = 720
"""Size of the pane until the browser has told it."""


@dataclass(frozen=True)
class Window:
    """Part of a scan: columns and rows (ends excluded), of which step × step are joined."""

    x0: int
    y0: int
    x1: int
    y1: int
    step: int


@dataclass(frozen=True, eq=False)
class Piece:
    """An image ready to be painted, and where it lies on the picture.

    Attributes
    ----------
    image : ndarray, shape (y, x)
    left, top, width, height : float
        Edges and size in pixels of the picture.
    step : int
        Pixels of the scan joined to one of the image, along each side.
    """

    image: np.ndarray
    left: float
    top: float
    width: float
    height: float
    step: int = 1

    def runs(self) -> np.ndarray:
        """The border of a mask, on the picture; see :func:`dashboard.plots.pictures.outline`."""
        offset = np.array([self.left, self.top] * 2, np.float32)
        return (outline(self.image) + np.float32(0.5)) * np.float32(self.step) + offset


def is_large(display: Display) -> bool:
    """Whether only parts of the picture go to the browser."""
    height, width = display.shape
    return height * width > WHOLE_UP_TO_PX


def window(display: Display, view: tuple[float, ...] | None) -> Window:
    """What to send for a view.

    Parameters
    ----------
    view : (x0, x1, y0, y1, width_px, height_px) or None
        Limits on the picture and the size of the pane; None: all of it, as the pane may be.
    """
    height, width = display.shape
    if view is None:
        view = (-0.5, width - 0.5, -0.5, height - 0.5, FIRST_VIEW_PX, FIRST_VIEW_PX)
    xa, xb, ya, yb, screen_x, screen_y = view
    across, down = abs(xb - xa), abs(yb - ya)
    step = max(1, int(np.ceil(max(across / max(screen_x, 1), down / max(screen_y, 1)) - 0.25)))
    box = (
        min(xa, xb) - MARGIN * across,
        min(ya, yb) - MARGIN * down,
        max(xa, xb) + MARGIN * across,
        max(ya, yb) + MARGIN * down,
    )
    left, top, right, bottom = display.behind(box)
    x0, y0, x1, y1 = display.box
    # Blocks begin at the same pixels wherever the view is: a pan must not make the map shimmer.
    first_x = x0 + max(0, int(left - x0) // step) * step
    first_y = y0 + max(0, int(top - y0) // step) * step
    last_x = min(x1, x0 + max(0, -int(-(right + 1 - x0) // step)) * step)
    last_y = min(y1, y0 + max(0, -int(-(bottom + 1 - y0) // step)) * step)
    if last_x <= first_x or last_y <= first_y:  # the picture was moved out of sight
        first_x, first_y, last_x, last_y = x0, y0, min(x0 + step, x1), min(y0 + step, y1)
    return Window(first_x, first_y, last_x, last_y, step)


def cut_out(image: np.ndarray, display: Display, part: Window, join: Join) -> Piece:
    """The piece of an image of the scan, shape (y, x), that a window holds."""
    small = joined(image[part.y0 : part.y1, part.x0 : part.x1], part.step, join)
    rows, columns = small.shape
    edges = (
        part.x0 - 0.5,
        part.y0 - 0.5,
        part.x0 - 0.5 + columns * part.step,
        part.y0 - 0.5 + rows * part.step,
    )
    left, top, right, bottom = display.lies(edges)
    return Piece(display.turned(small), left, top, right - left, bottom - top, part.step)


def whole(image: np.ndarray, display: Display) -> Piece:
    """All of the picture, pixel by pixel."""
    height, width = display.shape
    return Piece(display.shown(image), -0.5, -0.5, width, height)


def pieces(
    images: Mapping[str, tuple[np.ndarray, Join]], display: Display, part: Window
) -> dict[str, Piece]:
    """The pieces of several images."""
    return {name: cut_out(image, display, part, join) for name, (image, join) in images.items()}


def joined(image: np.ndarray, step: int, join: Join) -> np.ndarray:
    """Blocks of step × step pixels as one: their largest, their mean, or the one in the middle.

    The blocks at the right and lower ends may hold fewer pixels.
    """
    if step == 1:
        return np.ascontiguousarray(image)
    if join == "pick":
        middle_y = np.minimum(np.arange(0, image.shape[0], step) + step // 2, image.shape[0] - 1)
        middle_x = np.minimum(np.arange(0, image.shape[1], step) + step // 2, image.shape[1] - 1)
        return image[np.ix_(middle_y, middle_x)]
    if join == "mean":
        total = _folded(_folded(image, step, np.add, 0), step, np.add, 1)
        return total / np.outer(*(_sizes(n, step) for n in image.shape)).astype(total.dtype)
    return _folded(_folded(image, step, np.maximum, 0), step, np.maximum, 1)


def _folded(image: np.ndarray, step: int, join: np.ufunc, axis: int) -> np.ndarray:
    """Neighbours along an axis joined; whole rows at a time, many times faster than reduceat."""
    rows = image if axis == 0 else image.T
    result = rows[::step].copy()
    for i in range(1, step):
        part = rows[i::step]
        join(result[: len(part)], part, out=result[: len(part)])
    return result if axis == 0 else result.T


def _sizes(n: int, step: int) -> np.ndarray:
    """How many pixels each block of an axis holds."""
    return np.minimum(step, n - np.arange(0, n, step))
