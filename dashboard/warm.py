"""Compile what compiles at first use, so that nobody waits for it at the page."""

from __future__ import annotations

import numpy as np

from dashboard.pictures import embedding_image, points_image


def draw_once() -> None:
    """Run datashader's compiled paths once each."""
    points = np.random.default_rng(0).normal(size=(600, 2)).astype(np.float32)
    limits, size = (-3.0, 3.0, -3.0, 3.0), (32, 32)
    labels = (np.arange(600) % 3 - 1).astype(np.int32)
    embedding_image(points, limits, size, colour_by="cluster", values=labels)
    embedding_image(points, limits, size, colour_by="density")
    values = np.linspace(0, 1, 600, dtype=np.float32)
    embedding_image(points, limits, size, colour_by="element", values=values)
    points_image(points, limits, size)
