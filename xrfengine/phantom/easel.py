"""A painting in the making: films of pigment in strata, and which area each pixel belongs to.

Four strata from the support upwards: canvas and ground, the abandoned first portrait, the
visible portrait, and modern retouching of its losses. Every stratum says how many µm of film of
which pigment lie at each pixel; colours and spectra both follow from that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xrfengine.phantom.brushes import Board, Mix
from xrfengine.phantom.pigments import NAMES, pigment_index

LAYERS = ("canvas", "ground", "underpainting", "paint", "details", "retouching")

AREAS = (
    "sky", "mountains", "hills", "water", "trees", "parapet", "hair", "face and neck", "bodice",
    "sleeve", "veil", "jewels", "lemon", "retouching",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Painting:
    """Films in µm per layer, float32 (layer, y, x, pigment), and the area of each pixel."""

    films_um: np.ndarray
    areas: np.ndarray


class Easel:
    """A painting in the making: films of each layer, and which area a pixel belongs to."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.films = np.zeros((len(LAYERS), *board.shape, len(NAMES)), np.float32)
        self.areas = np.zeros(board.shape, np.int8)
        self.direction = np.zeros(board.shape, np.float32)
        self.sky_tone = np.zeros(board.shape, np.float32)

    def lay(
        self,
        layer: str,
        mask: np.ndarray | float,
        mix: Mix,
        thickness_um: float | np.ndarray,
        area: str | None = None,
        wet: bool = True,
    ) -> None:
        """Put a mixture (volume shares) on a layer; wet paint displaces what lay there."""
        films = self.films[LAYERS.index(layer)]
        mask = np.broadcast_to(np.asarray(mask, np.float32), self.board.shape)
        if wet:
            films *= (1.0 - mask)[..., None]
        total = sum(np.asarray(share, np.float32) for share in mix.values())
        amount = mask * thickness_um / np.maximum(total, 1e-6)
        for name, share in mix.items():
            films[..., pigment_index(name)] += amount * share
        if area is not None:
            self.areas[mask > 0.5] = AREAS.index(area)

    @staticmethod
    def area_index(name: str) -> int:
        """Number of an area in :data:`AREAS`."""
        return AREAS.index(name)

    def brush_along(self, mask: np.ndarray, direction: np.ndarray | float) -> None:
        """Direction (radians) of later brush marks within a mask."""
        self.direction = np.where(mask > 0.5, direction, self.direction).astype(np.float32)
