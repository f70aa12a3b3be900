"""Correlations of maps, over all pixels or some."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xrfengine.correlate import correlations
from xrfengine.errors import SettingsError


def maps(seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    first = random.normal(size=(30, 40))
    return np.stack([first, np.exp(first), random.integers(0, 4, (30, 40)), np.full((30, 40), 7.1)])


NAMES = ("Pb", "Sn", "Fe", "Hg")


@pytest.mark.parametrize("part", [False, True])
def test_both_coefficients_are_those_of_scipy(part) -> None:
    values = maps()
    mask = np.random.default_rng(1).random((30, 40)) < 0.2 if part else None
    told = correlations(values, NAMES, mask)
    rows = values.reshape(4, -1) if mask is None else values[:, mask]
    assert told.n_pixels == rows.shape[1]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert told.pearson[i, j] == pytest.approx(stats.pearsonr(rows[i], rows[j])[0])
        assert told.spearman[i, j] == pytest.approx(stats.spearmanr(rows[i], rows[j])[0])
    assert told.spearman[0, 1] == pytest.approx(1.0)
    assert told.pearson[0, 1] < 0.95


def test_a_map_that_is_the_same_everywhere_correlates_with_nothing() -> None:
    told = correlations(maps().astype(np.float32), NAMES)
    assert np.isnan(told.pearson[3]).all()
    assert np.isnan(told.spearman[:, 3]).all()
    assert not np.isnan(told.pearson[:3, :3]).any()


def test_too_few_pixels_and_wrong_shapes_are_told() -> None:
    few = np.zeros((30, 40), bool)
    few[0, 0] = True
    with pytest.raises(SettingsError, match="1 pixel cannot"):
        correlations(maps(), NAMES, few)
    with pytest.raises(SettingsError, match="do not fit"):
        correlations(maps(), NAMES[:2])
    with pytest.raises(SettingsError, match="does not fit"):
        correlations(maps(), NAMES, few.T)
