"""What of a map travels to the browser."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dashboard.canvas.viewport import Piece


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 1)),
    st.integers(1, 3),
)
def test_a_trimmed_mask_covers_the_same_pixels(mask, step):
    height, width = mask.shape
    whole = Piece(mask, -0.5, 3.5, float(width * step), float(height * step), step)
    before = mask.copy()
    part = whole.trimmed()
    np.testing.assert_array_equal(mask, before)
    if not mask.any():
        assert part.image.tolist() == [[0]]
        return
    top, left = round((part.top - whole.top) / step), round((part.left - whole.left) / step)
    assert (part.height, part.width) == (part.image.shape[0] * step, part.image.shape[1] * step)
    placed = np.zeros_like(mask)
    placed[top : top + part.image.shape[0], left : left + part.image.shape[1]] = part.image
    np.testing.assert_array_equal(placed, mask)
    for edge in (part.image[0], part.image[-1], part.image[:, 0], part.image[:, -1]):
        assert edge.any()
