"""Photographs of what was scanned: read from files people send, kept with the data set."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.keeping.saved import state_folder
from dashboard.plots.display import Display
from xrfengine.cache import digest, written_whole
from xrfengine.errors import XRFError
from xrfengine.registration import Registration, register, residuals

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
MOST_BYTES = 100_000_000
MOST_PIXELS = 300_000_000
LONGEST_PX = 4000
"""Kept of a photograph: several times finer than any scan."""
_SENT_PX = 1600
_LAID_PX = 1200
Pair = tuple[float, float, float, float]
"""A place on the scan and on the photograph: (column, row, column, row)."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph and how it lies on the scan.

    Attributes
    ----------
    name : str
    picture : ndarray, uint8, shape (row, column, 3)
    pairs : tuple of Pair
        Control points, in pixels of the scan and of ``picture``.
    registration : Registration or None
        None until there are enough points.
    is_refined : bool
        Whether the registration was moved away from the points by the pictures themselves.
    laid : ndarray, uint8, shape (y · k, x · k, 4) or None
        The photograph as it lies on the scan.
    """

    name: str
    picture: np.ndarray
    pairs: tuple[Pair, ...] = ()
    registration: Registration | None = None
    is_refined: bool = False
    laid: np.ndarray | None = None

    def note(self) -> dict[str, Any]:
        """What the notes of the data set hold of it."""
        matrix = None if self.registration is None else self.registration.matrix.ravel().tolist()
        return {
            "name": self.name,
            "pairs": [list(pair) for pair in self.pairs],
            "matrix": matrix,
            "refined": self.is_refined,
        }


def registered(pairs: tuple[Pair, ...]) -> Registration:
    """The registration of pairs; XRFError if they are too few or lie badly."""
    points = np.asarray(pairs, np.float64).reshape(-1, 4)
    return register(points[:, :2], points[:, 2:])


def from_note(note: Any, picture: np.ndarray, laid: np.ndarray | None) -> Photograph:
    """A photograph as it was kept; ValueError for a damaged note."""
    try:
        pairs = tuple(tuple(float(v) for v in pair) for pair in note["pairs"])
        name, is_refined = str(note["name"]), bool(note["refined"])
        matrix = note["matrix"]
        if any(len(pair) != 4 for pair in pairs):
            raise ValueError
        if matrix is None:
            return Photograph(name, picture, pairs)
        found = np.array(matrix, np.float64).reshape(3, 3)
        points = np.array(pairs, np.float64).reshape(-1, 4)
        away = residuals(found, points[:, :2], points[:, 2:])
    except (TypeError, KeyError, ValueError, np.linalg.LinAlgError):
        raise ValueError("the note of the photograph is damaged") from None
    return Photograph(name, picture, pairs, Registration(found, away), is_refined, laid)


def per_pixel(shape_yx: tuple[int, int]) -> int:
    """How much finer than the scan a photograph is laid on it, 1…8."""
    return int(np.clip(_LAID_PX // max(shape_yx), 1, 8))


def decoded(data: bytes | Path) -> np.ndarray:
    """The picture of an image file, uint8 (row, column, 3), upright, at most 4000 pixels long.

    Raises XRFError if it is no image that can be read, or too large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    size = len(data) if isinstance(data, bytes) else data.stat().st_size
    if size > MOST_BYTES:
        raise XRFError(
            f"The photograph has {size / 1e6:,.0f} MB", f"At most {MOST_BYTES / 1e6:,.0f} are read."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # has its own limit
            with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise XRFError(
                        f"The photograph has {image.width:,} × {image.height:,} pixels",
                        "Save it at half the size and try again.",
                    )
                image.draft("RGB", (LONGEST_PX, LONGEST_PX))
                upright = ImageOps.exif_transpose(image)
                if upright.mode.startswith(("I", "F")):  # 16 bits: stretched to what there is
                    deep = np.asarray(upright, np.float32)
                    low, high = np.percentile(deep, (0.1, 99.9))
                    upright = Image.fromarray(
                        np.clip((deep - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
                    )
                upright = upright.convert("RGB")
                upright.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.LANCZOS)
                picture = np.asarray(upright)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise XRFError(
            "The file is no photograph that can be read", "Choose a PNG, JPEG or TIFF image."
        ) from error
    if min(picture.shape[:2]) < 8:
        raise XRFError("The photograph is smaller than 8 pixels", "Choose a larger one.")
    return picture


def address_of(picture: np.ndarray, longest_px: int = _SENT_PX) -> str:
    """A picture as a data address; three channels as JPEG, four as WebP."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((longest_px, longest_px))
    kind = "JPEG" if picture.shape[2] == 3 else "WEBP"
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def shown_on(laid: np.ndarray, display: Display) -> np.ndarray:
    """A laid photograph as a map is shown: cut out, turned, mirrored."""
    k = laid.shape[0] // display.shape_yx[0]
    x0, y0, x1, y1 = display.box
    part = np.ascontiguousarray(laid[y0 * k : y1 * k, x0 * k : x1 * k])
    return display.turned(part)


class Photographs:
    """Pictures of all data sets; folder None: :func:`dashboard.keeping.saved.state_folder`."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or state_folder() / "photographs"

    def keep(self, dataset: str, picture: np.ndarray, which: str = "photograph") -> None:
        """Keep a picture; XRFError if the folder cannot be written."""
        from PIL import Image

        path = self._path(dataset, which)
        try:
            with written_whole(path) as beside:
                Image.fromarray(picture).save(beside, "PNG", compress_level=2)
        except OSError as error:
            raise XRFError(
                f"Nothing could be written to {path.parent}: {error.strerror}",
                "Ask whoever looks after this server for room and rights there.",
            ) from error

    def load(self, dataset: str, which: str = "photograph") -> np.ndarray | None:
        """The picture as it was kept; None if there is none, or it is damaged."""
        from PIL import Image

        try:
            with Image.open(self._path(dataset, which)) as image:
                return np.asarray(image)
        except OSError:
            return None

    def forget(self, dataset: str) -> None:
        """Remove the pictures of a data set; nothing if there are none."""
        for which in ("photograph", "laid"):
            self._path(dataset, which).unlink(missing_ok=True)

    def _path(self, dataset: str, which: str) -> Path:
        return self._folder / f"{digest(dataset)[:16]}-{which}.png"
