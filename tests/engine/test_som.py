"""The batch SOM: as good as the online rule, deterministic, and no worse on odd input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine.cluster.som import SomSettings, quantisation_error, train_som
from xrfengine.errors import Cancelled, SettingsError
from xrfengine.jobs import CancelToken


def blobs(n: int = 1500, k: int = 9, d: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(k, d)) * 3
    which = random.integers(0, k, n)
    rows = (centres[which] + random.normal(size=(n, d)) * 0.5).astype(np.float32)
    rows.flags.writeable = False
    return rows, which


def online_som(rows: np.ndarray, start: np.ndarray, grid: tuple[int, int], passes: int, seed: int):
    """The usual rule, one row at a time: learning rate and radius fall hyperbolically."""
    random = np.random.default_rng(seed)
    nodes = start.astype(np.float64).copy()
    place = np.indices(grid).reshape(2, -1).T
    steps = passes * len(rows)
    order = np.concatenate([random.permutation(len(rows)) for _ in range(passes)])
    for t, i in enumerate(order):
        fall = 1.0 + t / (steps / 2.0)
        rate, sigma = 0.5 / fall, 1.0 / fall
        best = ((nodes - rows[i]) ** 2).sum(axis=1).argmin()
        near = np.exp(-((place - place[best]) ** 2).sum(axis=1) / (2 * sigma**2))
        nodes += (rate * near)[:, None] * (rows[i] - nodes)
    return nodes


@pytest.mark.parametrize(("seed", "clusters"), [(0, 9), (1, 9), (2, 9), (0, 20), (1, 20)])
def test_no_worse_than_the_online_rule(seed: int, clusters: int) -> None:
    rows, _ = blobs(k=clusters, seed=seed)
    start = rows[np.random.default_rng(seed).choice(len(rows), 9, replace=False)]
    _, nodes = train_som(rows, SomSettings(n_passes=10))
    online = online_som(rows, start, (3, 3), 10, seed)
    assert quantisation_error(rows, nodes) <= quantisation_error(rows, online)


def test_from_a_given_start() -> None:
    """One start only: the map stays in the order it was given."""
    rows, _ = blobs()
    start = train_som(rows)[1]
    turned = start[::-1].copy()
    _, nodes = train_som(rows, SomSettings(sigma_start=0.33), initial=turned)
    np.testing.assert_allclose(nodes, turned, atol=0.05)
    with pytest.raises(SettingsError, match="nodes of shape"):
        train_som(rows, initial=turned[:4])


def test_learns_from_a_share_of_many_rows() -> None:
    rows, which = blobs(20_000, k=4)
    labels, _ = train_som(rows, SomSettings(rows=2, columns=2, max_learn=500))
    assert len(set(zip(labels.tolist(), which.tolist(), strict=True))) == 4


def test_learning_lowers_the_error() -> None:
    rows, _ = blobs()
    still = quantisation_error(rows, rows[:9])
    assert quantisation_error(rows, train_som(rows)[1]) < 0.7 * still


def test_neighbours_on_the_grid_are_alike() -> None:
    """On a flat sheet of data the map unfolds: grid steps are the shortest steps."""
    rows = np.random.default_rng(0).random((4000, 2)).astype(np.float32)
    _, nodes = train_som(rows, SomSettings(rows=4, columns=4, sigma_stop=0.3))
    sheet = nodes.reshape(4, 4, 2)
    steps = np.concatenate(
        [
            np.linalg.norm(np.diff(sheet, axis=0), axis=2).ravel(),
            np.linalg.norm(np.diff(sheet, axis=1), axis=2).ravel(),
        ]
    )
    far = np.linalg.norm(sheet[0, 0] - sheet[3, 3])
    assert steps.max() < 0.5 < far


@given(
    n=st.integers(1, 60),
    d=st.integers(1, 5),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    same=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_every_row_gets_its_nearest_node(n, d, grid, same) -> None:
    random = np.random.default_rng(n)
    rows = np.ones((n, d), np.float32) if same else random.normal(size=(n, d)).astype(np.float32)
    labels, nodes = train_som(rows, SomSettings(*grid, n_passes=4, n_starts=2))
    assert labels.dtype == np.int32
    assert labels.shape == (n,)
    assert nodes.shape == (grid[0] * grid[1], d)
    assert np.isfinite(nodes).all()
    gaps = np.linalg.norm(rows[:, None] - nodes[None], axis=2)
    np.testing.assert_allclose(gaps[np.arange(n), labels], gaps.min(axis=1), atol=1e-4)


def test_same_input_same_map() -> None:
    rows, _ = blobs()
    first, second = train_som(rows), train_som(rows)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_large_offset_costs_no_digits() -> None:
    rows, _ = blobs()
    # Powers of two: adding them rounds the rows themselves, which must be the same in both.
    rounded = (rows + np.float32(1024)) - np.float32(1024)
    np.testing.assert_array_equal(train_som(rounded + np.float32(1024))[0], train_som(rounded)[0])


def test_quantisation_error_by_hand() -> None:
    rows = np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]])
    assert quantisation_error(rows, np.zeros((1, 2))) == pytest.approx((0 + 5 + 1) / 3)


def test_cancel_between_passes() -> None:
    rows, _ = blobs()
    token, seen = CancelToken(), []

    def progress(fraction: float, message: str = "") -> None:
        seen.append(fraction)
        if fraction > 0.4:
            token.cancel()

    with pytest.raises(Cancelled):
        train_som(rows, progress=progress, cancel=token)
    assert 0.4 < seen[-1] < 0.6


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 0},
        {"columns": 0},
        {"n_passes": 0},
        {"sigma_stop": 0.0},
        {"rows": 100, "columns": 99},
    ],
)
def test_settings_out_of_range(wrong: dict) -> None:
    with pytest.raises(SettingsError):
        SomSettings(**wrong)


@pytest.mark.parametrize("shape", [(0, 3), (5, 0), (5,)])
def test_features_that_are_no_matrix(shape: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match="shape"):
        train_som(np.zeros(shape, np.float32))


def test_settings_to_dict_and_back() -> None:
    s = SomSettings(rows=4, columns=2, n_passes=7)
    assert SomSettings.from_dict(s.to_dict()) == s
