"""Lay a photograph over a scan: from control points, refined by what both pictures share.

A flat painting photographed at any angle differs from its scan by a projective transformation,
which four points determine. The refinement moves the four corners of the scan on the photograph
until the counts and the grey of the photograph tell most about one another (mutual information:
Viola and Wells, Int. J. Comput. Vis. 24 (1997) 137), whatever their brightness means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress

LEAST_POINTS = 4
_BINS = 24
_REFINED_PX = 128
"""Longest side of the pictures that the refinement compares."""
_REACH = 0.04
"""How far a corner may move, as a share of the scan's longer side."""
_ROUNDS = 6


@dataclass(frozen=True, eq=False)
class Registration:
    """Where every pixel of a scan lies on a photograph.

    Attributes
    ----------
    matrix : ndarray, float64, shape (3, 3)
        From (column, row, 1) of the scan to the photograph, up to a factor.
    residuals_px : ndarray, float64, shape (point,)
        How far each control point on the photograph lies from its place, in pixels of the scan.
    """

    matrix: np.ndarray
    residuals_px: np.ndarray

    @property
    def rms_px(self) -> float:
        """Root mean square of the residuals; 0 for four points, which fit exactly."""
        r = self.residuals_px
        return float(np.sqrt(np.mean(r**2))) if r.size else 0.0


def projected(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (n, 2) through a projective matrix (3, 3)."""
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    lifted = np.column_stack([points, np.ones(len(points))]) @ np.asarray(matrix).T
    return lifted[:, :2] / lifted[:, 2:]


def residuals(matrix: np.ndarray, scan_points: np.ndarray, photo_points: np.ndarray) -> np.ndarray:
    """Distances in pixels of the scan between control points and where they should be, (n,)."""
    there = projected(np.linalg.inv(matrix), photo_points)
    return np.linalg.norm(there - np.asarray(scan_points, np.float64).reshape(-1, 2), axis=1)


def register(scan_points: np.ndarray, photo_points: np.ndarray) -> Registration:
    """The projective transformation that fits control points best.

    Parameters
    ----------
    scan_points, photo_points : ndarray, shape (n, 2), n ≥ 4
        (column, row) of the same places on the scan and on the photograph.

    Raises
    ------
    SettingsError
        If there are fewer than four pairs, or three of four lie on one line.
    """
    from skimage.transform import ProjectiveTransform

    scan = np.asarray(scan_points, dtype=np.float64).reshape(-1, 2)
    photo = np.asarray(photo_points, dtype=np.float64).reshape(-1, 2)
    if len(scan) != len(photo) or len(scan) < LEAST_POINTS:
        raise SettingsError(
            f"{min(len(scan), len(photo))} pairs of points",
            f"Mark at least {LEAST_POINTS} places on the map and on the photograph.",
        )
    found = ProjectiveTransform.from_estimate(scan, photo)
    matrix = found.params if found else None
    if matrix is None or not _is_sound(matrix, scan) or not _is_sound(np.linalg.inv(matrix), photo):
        raise SettingsError(
            "The points do not determine how the photograph lies",
            "Choose places that are spread over the picture, not three of them on one line.",
        )
    return Registration(matrix / matrix[2, 2], residuals(matrix, scan, photo))


def _is_sound(matrix: np.ndarray, points: np.ndarray) -> bool:
    """Whether a transformation is invertible and keeps all points on one side of its horizon."""
    if not np.isfinite(matrix).all() or np.linalg.cond(matrix) > 1e12:
        return False
    depth = points @ matrix[2, :2] + matrix[2, 2]
    return bool((depth > 0).all() or (depth < 0).all())


def resample(
    photo: np.ndarray, matrix: np.ndarray, shape_yx: tuple[int, int], per_pixel: int = 1
) -> np.ndarray:
    """The photograph as it lies on the scan.

    Parameters
    ----------
    photo : ndarray, uint8, shape (row, column, 3)
    matrix : ndarray, shape (3, 3)
        Of :class:`Registration`.
    shape_yx : (int, int)
        Of the scan.
    per_pixel : int
        Pixels of the result along the side of one of the scan.

    Returns
    -------
    ndarray, uint8, shape (y · per_pixel, x · per_pixel, 4)
        Red, green, blue, and opacity: 0 where the photograph does not reach.
    """
    from skimage.transform import ProjectiveTransform, pyramid_reduce, warp

    height, width = (n * per_pixel for n in shape_yx)
    # A fine pixel's centre in pixels of the scan: (i + ½) / k − ½.
    fine = np.array([[1 / per_pixel, 0, 0.5 / per_pixel - 0.5],
                     [0, 1 / per_pixel, 0.5 / per_pixel - 0.5], [0, 0, 1]])  # fmt: skip
    onto = np.asarray(matrix, np.float64) @ fine
    corners = projected(onto, [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]])
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    shrink = float(np.max(sides / [width, height, width, height]))
    picture = np.asarray(photo, np.float32) / 255.0
    if shrink >= 2.0:  # else fine detail of the photograph would turn into noise
        factor = 2.0 ** np.floor(np.log2(shrink))
        picture = pyramid_reduce(picture, downscale=factor, channel_axis=-1)
        rows, columns = (a / b for a, b in zip(picture.shape, photo.shape[:2], strict=False))
        onto = np.array([[columns, 0, 0.5 * columns - 0.5], [0, rows, 0.5 * rows - 0.5],
                         [0, 0, 1]]) @ onto  # fmt: skip
    solid = np.dstack([picture, np.ones(picture.shape[:2], np.float32)]).astype(np.float32)
    seen = warp(solid, ProjectiveTransform(onto), output_shape=(height, width), order=1, cval=0.0)
    inside = seen[..., 3:] > 0.5
    return np.where(inside, np.clip(seen, 0, 1) * 255 + 0.5, 0).astype(np.uint8)


def mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """What one picture tells of the other, in nats, by the histogram of both.

    Parameters
    ----------
    a, b : ndarray of int, shape (n,), 0…23
        Pictures in levels, pixel by pixel.
    """
    both = np.bincount(a * _BINS + b, minlength=_BINS**2).reshape(_BINS, _BINS)
    p = both / max(both.sum(), 1)
    apart = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    some = p > 0
    return float((p[some] * np.log(p[some] / apart[some])).sum())


def refine(
    image: np.ndarray,
    photo: np.ndarray,
    matrix: np.ndarray,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> tuple[np.ndarray, bool]:
    """Move a registration to where scan and photograph tell most of one another.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        Of the scan, such as its total counts.
    photo : ndarray, uint8, shape (row, column, 3)
    matrix : ndarray, shape (3, 3)
        Where to begin: right to about a twenty-fifth of the scan's longer side.

    Returns
    -------
    matrix : ndarray, shape (3, 3)
        The better one, or the one given.
    is_better : bool

    Raises
    ------
    Cancelled
    """
    from scipy.ndimage import map_coordinates

    height, width = image.shape
    shape_yx = _reduced((height, width))
    scale = np.array([width / shape_yx[1], height / shape_yx[0]])
    small = resample_grey(image, shape_yx)
    grey, onto_small = _photo_near(photo, matrix, (height, width), shape_yx)
    levels = _levels(small).ravel()
    rows, columns = np.mgrid[: shape_yx[0], : shape_yx[1]]
    centres = np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64)
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)
    start = projected(onto_small, projected(matrix, corners))
    grey_levels = _levels(grey).astype(np.float32)

    def score(moved: np.ndarray) -> float:
        cancel.check()
        try:
            there = register(corners, start + moved.reshape(4, 2)).matrix
        except SettingsError:
            return 0.0
        x, y = projected(there, (centres + 0.5) * scale - 0.5).T
        found = map_coordinates(grey_levels, [y, x], order=1, mode="constant", cval=-1.0)
        inside = found >= 0
        if inside.mean() < 0.3:
            return 0.0
        told = mutual_information(levels[inside], np.rint(found[inside]).astype(np.int64))
        return -told * float(inside.mean())

    moved, better = _climb(score, _REACH * max(grey.shape), progress)
    if not better:
        return matrix, False
    final = register(corners, projected(np.linalg.inv(onto_small), start + moved.reshape(4, 2)))
    return final.matrix, True


def _climb(
    score: Callable[[np.ndarray], float], reach: float, progress: Progress
) -> tuple[np.ndarray, bool]:
    """The corner moves (8,) of the lowest score: together first, then each, in ever finer steps."""
    together = [
        np.tile(step, 4) for step in ([1.0, 0.0], [0.0, 1.0])
    ] + [
        np.array([-1.0, -1, 1, -1, 1, 1, -1, 1]) / 2,  # larger
        np.array([1.0, -1, 1, 1, -1, 1, -1, -1]) / 2,  # turned
    ]  # fmt: skip
    every = [*together, *np.eye(8)]
    best, moved = score(np.zeros(8)), np.zeros(8)
    first = best
    step = reach / 2
    for round_ in range(_ROUNDS):
        for _ in range(4):
            before = best
            for direction in together if round_ == 0 else every:
                for sign in (1.0, -1.0):
                    tried = moved + sign * step * direction
                    if np.abs(tried).max() > 2 * reach:
                        continue
                    told = score(tried)
                    if told < best:
                        best, moved = told, tried
                        break
            if best == before:
                break
        step /= 2.2
        progress((round_ + 1) / _ROUNDS, "Moving the photograph")
    return moved, best < first - 1e-9


def resample_grey(image: np.ndarray, shape_yx: tuple[int, int]) -> np.ndarray:
    """A smaller picture of an image (y, x), each pixel the mean of what it covers; float32."""
    from skimage.transform import resize

    grey = np.nan_to_num(np.asarray(image, np.float32))
    if grey.shape == tuple(shape_yx):
        return grey
    return resize(grey, shape_yx, anti_aliasing=True, preserve_range=True).astype(np.float32)


def _reduced(shape_yx: tuple[int, int]) -> tuple[int, int]:
    factor = min(1.0, _REFINED_PX / max(shape_yx))
    return max(int(shape_yx[0] * factor), 2), max(int(shape_yx[1] * factor), 2)


def _photo_near(
    photo: np.ndarray, matrix: np.ndarray, shape_yx: tuple[int, int], small_yx: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The photograph in grey, about as fine as the small scan; and how to get there (3, 3)."""
    height, width = shape_yx
    corners = projected(matrix, [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]])
    spans = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    factor = min(1.0, 1.25 * max(small_yx) / max(float(spans.max()), 1.0))
    grey = photo.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    size = tuple(max(round(n * factor), 8) for n in grey.shape)
    rows, columns = (a / b for a, b in zip(size, grey.shape, strict=True))
    onto = np.array([[columns, 0, 0.5 * columns - 0.5], [0, rows, 0.5 * rows - 0.5], [0, 0, 1]])
    return resample_grey(grey, size), onto


def _levels(values: np.ndarray) -> np.ndarray:
    """Even parts of the pixels by brightness, int 0…23."""
    edges = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1])
    return np.searchsorted(edges, values, side="right").astype(np.int64)
