"""What is taken home: maps with what was found in them, what was chosen, and where all is from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from xrfengine.cube import Cube, ElementMaps, Spectrum
from xrfengine.findings import Found, Identified

METHOD_WORDS = {
    "probability": "Probability that the element is visible",
    "fit": "Net counts, fitted",
    "roi": "Net counts in a window around the main line",
    "cluster": "Probability in the summed spectrum of each cluster",
}
METHOD_FILE = {
    "probability": "probability",
    "fit": "net-counts",
    "roi": "window",
    "cluster": "cluster",
}
"""How methods are called in names of files."""


@dataclass(frozen=True)
class Provenance:
    """Where results come from.

    Attributes
    ----------
    dataset : str
        As it is called on the page; mostly the name of the file.
    source : str
        Digest of every count and of the calibration.
    method : str
        ``"probability"``, ``"fit"``, ``"roi"`` or ``"cluster"``.
    model : str
        Digest of the weights; empty where no model was asked.
    pixel_size_mm : float or None
        Distance of neighbouring pixels; None where nobody knows it.
    overruled : tuple of (str, bool)
        Elements that somebody declared present (True) or absent (False), against the classifier.
    settings : mapping
        Whatever else the result depends on, as JSON holds it.
    made : str
        When, in UTC: ``"2026-03-01 12:30 UTC"``.
    """

    dataset: str
    source: str
    method: str
    region_px: int = 1
    model: str = ""
    model_name: str = ""
    pixel_size_mm: float | None = None
    overruled: tuple[tuple[str, bool], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    made: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))

    @property
    def software(self) -> str:
        """Name and version of this software."""
        import xrfengine

        return f"xrfengine {xrfengine.__version__}"

    def to_dict(self) -> dict[str, Any]:
        """Flat, of text and numbers, for the header of a file; what is unknown is left out."""
        facts = {
            "dataset": self.dataset,
            "cube_digest": self.source,
            "method": self.method,
            "region_px": self.region_px,
            "model": self.model_name,
            "model_digest": self.model,
            "pixel_size_mm": self.pixel_size_mm,
            "overruled": overruled_words(self.overruled),
            "software": self.software,
            "made": self.made,
            **{f"setting_{name}": value for name, value in self.settings.items()},
        }
        return {name: value for name, value in facts.items() if value not in (None, "")}


@dataclass(frozen=True, eq=False)
class Area:
    """Some pixels with their spectrum: the selection, or a region that was kept.

    Attributes
    ----------
    mask : ndarray of bool, shape (y, x)
    spectrum : Spectrum
        Summed over the pixels.
    identified : tuple of Identified or None
        None where nobody asked the classifier.
    """

    name: str
    colour: str
    mask: np.ndarray
    spectrum: Spectrum
    identified: tuple[Identified, ...] | None = None

    @property
    def n_pixels(self) -> int:
        return int(np.count_nonzero(self.mask))

    def present(self) -> tuple[Identified, ...]:
        """What the sample holds here, by falling probability."""
        listed = self.identified or ()
        return tuple(item for item in listed if item.present and not item.is_instrument)


@dataclass(frozen=True)
class Placement:
    """How the picture lies: cut out, then turned, then mirrored.

    Attributes
    ----------
    crop : (x0, y0, x1, y1) or None
        Columns and rows of the scan that are shown, ends excluded; None: all.
    turns : int
        Quarter turns clockwise.
    mirrored : bool
        Left and right exchanged.
    """

    crop: tuple[int, int, int, int] | None = None
    turns: int = 0
    mirrored: bool = False

    def shown(self, image: np.ndarray) -> np.ndarray:
        """The picture of an image of the scan, shape (y, x, …)."""
        if self.crop is not None:
            x0, y0, x1, y1 = self.crop
            image = image[y0:y1, x0:x1]
        image = np.rot90(image, -self.turns)
        return image[:, ::-1] if self.mirrored else image

    @property
    def words(self) -> str:
        """What a caption must say of it; empty where the scan is shown as it is."""
        told = []
        if self.crop is not None:
            x0, y0, x1, y1 = self.crop
            told.append(f"columns {x0}–{x1 - 1}, rows {y0}–{y1 - 1} of the scan")
        if self.turns % 4:
            told.append(f"turned by {90 * (self.turns % 4)}° clockwise")
        if self.mirrored:
            told.append("mirrored")
        return ", ".join(told)


@dataclass(frozen=True, eq=False)
class WindowShown:
    """A map of the counts between two energies, shown instead of an element's.

    ``values`` has the shape (y, x); ``threshold`` and ``top`` are where its colours begin and end,
    ``unit`` is that of each pixel.
    """

    name: str
    values: np.ndarray
    threshold: float
    top: float
    unit: str = "net counts"
    region_px: int = 1


@dataclass(frozen=True, eq=False)
class Curve:
    """Values along a line: ``unit`` is empty for probabilities, ``values`` has the shape (n,)."""

    name: str
    values: np.ndarray
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Profile:
    """Maps along a line of the scan.

    Attributes
    ----------
    line : (x0, y0, x1, y1)
        Ends in pixels; centres are at whole numbers.
    width_px : int
        So many lines side by side are averaged.
    distance_px : ndarray, shape (n,)
        From the first end.
    curves : tuple of Curve
        At these distances; NaN outside of the scan.
    """

    line: tuple[float, float, float, float]
    width_px: int
    distance_px: np.ndarray
    curves: tuple[Curve, ...]


@dataclass(frozen=True, eq=False)
class Photo:
    """A visible-light photograph that was laid on the scan.

    Attributes
    ----------
    name : str
    laid : ndarray, uint8, shape (y · k, x · k, 4)
        As it lies on the scan, k whole; the last channel is 0 where the photograph ends.
    opacity : float
        Of the photograph over the map, above 0 and at most 1.
    """

    name: str
    laid: np.ndarray
    opacity: float


@dataclass(frozen=True, eq=False)
class Analysis:
    """One view of one scan.

    Attributes
    ----------
    maps : ElementMaps
    thresholds : dict
        By symbol, in the unit of the maps.
    found : tuple of Found
    element : str
        The one that is shown.
    errors : dict or None
        Standard errors of fitted maps by symbol, each (y, x).
    areas : tuple of Area
        Selection and regions.
    window : WindowShown or None
        What is shown instead of the element's map.
    placement : Placement
        Of pictures; values are written as they were scanned.
    unit : str
        Of the maps' values where they are counts: ``"net counts per pixel"``; they may be evened
        out. Empty: by the kind of the maps.
    colours : tuple of str
        Of pictures, ``#rrggbb`` from low to high; empty: the usual ones.
    top_percentile : float or None
        Where the colours end; None: by the kind of the maps.
    profile : Profile or None
        Values along the line that is drawn on the map.
    photo : Photo or None
        The photograph that lies over the map.
    """

    cube: Cube
    maps: ElementMaps
    thresholds: Mapping[str, float]
    found: tuple[Found, ...]
    element: str
    provenance: Provenance
    errors: Mapping[str, np.ndarray] | None = None
    areas: tuple[Area, ...] = ()
    window: WindowShown | None = None
    placement: Placement = Placement()
    unit: str = ""
    colours: tuple[str, ...] = ()
    top_percentile: float | None = None
    profile: Profile | None = None
    photo: Photo | None = None

    def name(self, what: str, suffix: str) -> str:
        """A file's name: the data set, what it holds, and the suffix with its dot."""
        return file_name(self.provenance.dataset, what) + suffix

    def map_name(self, suffix: str, more: str = "") -> str:
        """The name of a file with the map shown; ``more`` says what else it shows."""
        facts = self.provenance
        if self.window is not None:
            return window_file_name(facts.dataset, self.window.name, more) + suffix
        method = METHOD_FILE.get(facts.method, facts.method)
        return file_name(facts.dataset, self.element, method, more) + suffix

    @property
    def pixel_size_mm(self) -> float | None:
        return self.provenance.pixel_size_mm

    def area_mm2(self, n_pixels: int) -> float | None:
        """Of so many pixels; None where their size is unknown."""
        size = self.pixel_size_mm
        return None if size is None else n_pixels * size * size


def file_name(*parts: str) -> str:
    """Parts joined by ``_``, of what every file system takes; a data suffix is cut off.

    >>> file_name("Portrait of a man.h5", "Hg", "probability")
    'Portrait-of-a-man_Hg_probability'
    """
    clean = []
    for part in parts:
        part = re.sub(r"\.(h5|hdf5|nc|npz|npy|zarr|msa|emsa|txt|dat)$", "", part.strip())
        part = re.sub(r"[^\w.+-]+", "-", part).strip("-.")[:80]
        if part:
            clean.append(part)
    return "_".join(clean) or "xrf"


def window_file_name(dataset: str, window: str, more: str = "") -> str:
    """The name of a file with the map of a window of energies: ``scan_6.20-6.60-keV_counts``."""
    return file_name(dataset, window.replace("–", "-"), "counts", more)


def overruled_words(overruled: tuple[tuple[str, bool], ...]) -> str:
    """``"As: absent, Co: present"``; empty where nothing was overruled."""
    return ", ".join(f"{symbol}: {'present' if is_in else 'absent'}" for symbol, is_in in overruled)
