"""The composition: a lady in profile before a landscape, and the man painted out beside her."""

from __future__ import annotations

import numpy as np

from xrfengine.phantom import portrait, setting
from xrfengine.phantom.brushes import Board
from xrfengine.phantom.easel import LAYERS, Easel, Painting

_THINNEST_UM = 1e-3
"""Less is not paint but the far rim of a soft brush."""


def compose(shape_yx: tuple[int, int], seed: int) -> Painting:
    """Paint the whole picture.

    Modelled on Florentine double portraits: she looks at a man in a red cap who has been covered
    with sky and hills.

    Parameters
    ----------
    shape_yx : (int, int)
        Pixels; the composition stretches to any.
    seed : int
        Clouds, brush marks, threads and losses follow from it.
    """
    board = Board(shape_yx, seed)
    easel = Easel(board)
    setting.canvas_and_ground(easel)
    portrait.first_portrait(easel)
    setting.landscape(easel)
    portrait.lady(easel)
    setting.lemon(easel)
    marks = board.bristle(easel.direction, "bristle")
    easel.films[LAYERS.index("paint")] *= np.clip(1.0 + 0.16 * marks, 0.4, 1.8)[..., None]
    setting.retouching(easel)
    for films in easel.films:
        films[films < _THINNEST_UM] = 0.0
    return Painting(easel.films, easel.areas)
