"""How the scan lies on the picture: cut out, turned, mirrored; from scan to picture and back.

Everything that is drawn or pointed at on a map goes through one :class:`Display`: images and
outlines on their way out, lassos and the pointer on their way in. What is kept (selections,
regions, profiles) is in coordinates of the scan, so it stays right however the picture is turned.
Pixel centres are at whole numbers in both, row 0 on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dashboard.session import Session

CHOICES = ("crop", "turns", "mirrored")
"""The session's choices a display is made of."""
LEAST_CROP_PX = 2
"""A box smaller than this was a click that slipped."""


@dataclass(frozen=True)
class Display:
    """A picture of a scan.

    Attributes
    ----------
    shape_yx : (int, int)
        Of the scan, in pixels.
    crop : (x0, y0, x1, y1) or None
        The columns and rows of the scan that are shown, ends excluded; None: all.
    turns : int
        Quarter turns clockwise, after cutting out.
    mirrored : bool
        Left and right exchanged, after turning.
    """

    shape_yx: tuple[int, int]
    crop: tuple[int, int, int, int] | None = None
    turns: int = 0
    mirrored: bool = False

    @classmethod
    def of(cls, session: Session, shape_yx: tuple[int, int]) -> Display:
        """What a session chose, for a scan of this shape; a crop that misses it shows all."""
        height, width = shape_yx
        crop = session.crop
        if crop is not None:
            x0, x1 = np.clip(crop[::2], 0, width).tolist()
            y0, y1 = np.clip(crop[1::2], 0, height).tolist()
            is_part = x1 > x0 and y1 > y0 and (x0, y0, x1, y1) != (0, 0, width, height)
            crop = (x0, y0, x1, y1) if is_part else None
        return cls((height, width), crop, session.turns, session.mirrored)

    @property
    def is_plain(self) -> bool:
        """Whether the picture is the scan as it is."""
        return self.crop is None and self.turns == 0 and not self.mirrored

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The part of the scan that is shown: (x0, y0, x1, y1), ends excluded."""
        return self.crop or (0, 0, self.shape_yx[1], self.shape_yx[0])

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Of the picture: (height, width) in pixels."""
        x0, y0, x1, y1 = self.box
        height, width = y1 - y0, x1 - x0
        return (width, height) if self.turns % 2 else (height, width)

    def shown(self, image: np.ndarray) -> np.ndarray:
        """The picture of an image of the scan, shape (y, x); the same one where nothing changes."""
        if self.is_plain:
            return image
        x0, y0, x1, y1 = self.box
        return self.turned(image[y0:y1, x0:x1])

    def turned(self, part: np.ndarray) -> np.ndarray:
        """Any part of an image of the scan, turned and mirrored as the picture is."""
        part = np.rot90(part, -self.turns)
        return np.ascontiguousarray(part[:, ::-1] if self.mirrored else part)

    def lies(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Where a box of the scan (x0, y0, x1, y1) lies on the picture, alike."""
        (xa, ya), (xb, yb) = self.to_shown(np.reshape(box, (2, 2)))
        return min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)

    def behind(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """What of the scan a box of the picture shows, alike; the inverse of :meth:`lies`."""
        (xa, ya), (xb, yb) = self.to_scan(np.reshape(box, (2, 2)))
        return min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)

    @cached_property
    def matrix(self) -> tuple[np.ndarray, np.ndarray]:
        """Turn (2, 2) and shift (2,) with picture = turn · scan + shift, for (x, y)."""
        x0, y0, x1, y1 = self.box
        turn, shift = np.eye(2, dtype=int), np.array([-x0, -y0])
        width, height = x1 - x0, y1 - y0
        for _ in range(self.turns):
            quarter = np.array([[0, -1], [1, 0]])
            turn, shift = quarter @ turn, quarter @ shift + [height - 1, 0]
            width, height = height, width
        if self.mirrored:
            mirror = np.array([[-1, 0], [0, 1]])
            turn, shift = mirror @ turn, mirror @ shift + [width - 1, 0]
        return turn, shift

    def to_shown(self, points: np.ndarray) -> np.ndarray:
        """Points of the scan (n, 2) as (x, y) on the picture."""
        turn, shift = self.matrix
        return np.asarray(points, dtype=np.float64).reshape(-1, 2) @ turn.T + shift

    def to_scan(self, points: np.ndarray) -> np.ndarray:
        """Points on the picture (n, 2) as (x, y) of the scan."""
        turn, shift = self.matrix
        return (np.asarray(points, dtype=np.float64).reshape(-1, 2) - shift) @ turn

    def to_scan_row(self) -> list[int]:
        """The way back as six numbers: scan = (a·x + b·y + c, d·x + e·y + f); for the browser."""
        turn, shift = self.matrix
        (a, b), (d, e) = turn.T.tolist()
        c, f = (-turn.T @ shift).tolist()
        return [a, b, c, d, e, f]

    def outlined(self, vertices: np.ndarray) -> tuple[tuple[float, float], ...]:
        """A polygon drawn on the picture, in coordinates of the scan.

        What of it lies beyond the picture is cut off: nobody chooses pixels that are not shown.
        Empty if nothing is left.
        """
        inside = np.asarray(vertices, dtype=np.float64).reshape(-1, 2)
        height, width = self.shape
        if self.crop is not None:
            for axis, end in ((0, width - 0.5), (1, height - 0.5)):
                inside = _cut(_cut(inside, axis, -0.5, 1.0), axis, end, -1.0)
        return tuple((float(x), float(y)) for x, y in self.to_scan(inside))

    def cropped(self, corners: np.ndarray) -> tuple[int, int, int, int] | None:
        """The crop for a box on the picture, by two corners (2, 2); None if it is too small."""
        x, y = self.to_scan(corners).T
        x0, y0, x1, y1 = self.box
        left, right = max(int(np.ceil(x.min())), x0), min(int(np.floor(x.max())) + 1, x1)
        top, bottom = max(int(np.ceil(y.min())), y0), min(int(np.floor(y.max())) + 1, y1)
        least_x, least_y = min(LEAST_CROP_PX, x1 - x0), min(LEAST_CROP_PX, y1 - y0)
        if right - left < least_x or bottom - top < least_y:
            return None
        return left, top, right, bottom


def turned(turns: int, mirrored: bool, by: int) -> dict[str, int | bool]:
    """Choices for the picture as it is, turned clockwise by so many quarters."""
    return {"turns": (turns + (-by if mirrored else by)) % 4, "mirrored": mirrored}


def flipped(turns: int, mirrored: bool, *, upside_down: bool) -> dict[str, int | bool]:
    """Choices for the picture as it is, left and right (or top and bottom) exchanged."""
    return {"turns": (turns + 2 * upside_down) % 4, "mirrored": not mirrored}


def _cut(vertices: np.ndarray, axis: int, limit: float, sign: float) -> np.ndarray:
    """The part of a polygon on one side of a line (Sutherland and Hodgman, CACM 17, 1974)."""
    if not len(vertices):
        return vertices
    following = np.roll(vertices, -1, axis=0)
    result = []
    for start, stop in zip(vertices, following, strict=True):
        a, b = sign * (start[axis] - limit), sign * (stop[axis] - limit)
        if a >= 0:
            result.append(start)
        if (a >= 0) != (b >= 0):
            crossing = start + (stop - start) * (a / (a - b))
            crossing[axis] = limit
            result.append(crossing)
    return np.array(result).reshape(-1, 2)
