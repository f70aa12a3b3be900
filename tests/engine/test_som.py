"""The batch SOM: as good as the online rule, deterministic, and no worse on odd input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine.cluster import som
from xrfengine.cluster.som import (
    POLISH_PASSES,
    SomSettings,
    quantisation_error,
    train_som,
)
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


def continuum(n: int = 1500, d: int = 6, seed: int = 0) -> np.ndarray:
    """Rows along bent ridges, as mixtures of paints are, with noise."""
    random = np.random.default_rng(seed)
    along = random.random((n, 3)) ** 2
    rows = np.sin(along @ random.normal(size=(3, d)) * 2.0)
    return (rows + 0.05 * random.normal(size=(n, d))).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_as_good_as_minisom_from_the_same_start(seed: int) -> None:
    """With the thesis's parameters, after as many passes, polishing counted."""
    minisom = pytest.importorskip("minisom")
    rows, passes = continuum(seed=seed), 10
    start = rows[np.random.default_rng(seed).choice(len(rows), 9, replace=False)]
    peer = minisom.MiniSom(3, 3, rows.shape[1], sigma=0.5, learning_rate=0.1, random_seed=seed)
    peer._weights = start.reshape(3, 3, -1).astype(np.float64)
    peer.train(rows, passes * len(rows), random_order=True)
    settings = SomSettings(n_passes=passes - POLISH_PASSES, max_learn=0)
    _, nodes = train_som(rows, settings, initial=start)
    theirs = quantisation_error(rows, peer.get_weights().reshape(9, -1))
    assert quantisation_error(rows, nodes) <= 1.01 * theirs


@pytest.mark.parametrize("max_learn", [0, 2000])
def test_as_many_threads_as_there_are(max_learn: int) -> None:
    """The same bits from one thread and from two."""
    import torch

    rows = continuum(9000, 32)
    asked = SomSettings(n_passes=1, n_starts=1, max_learn=max_learn)
    before, made = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            made.append(train_som(rows, asked, device="cpu"))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(made[0][0], made[1][0])
    np.testing.assert_array_equal(made[0][1], made[1][1])


def test_learning_keeps_to_one_core_and_leaves_others_theirs(monkeypatch) -> None:
    """Waiting for a second core that is busy costs more than the work itself."""
    import torch
    from threadpoolctl import threadpool_info

    def width() -> list[int]:
        return [f["num_threads"] for f in threadpool_info() if f["user_api"] == "openmp"]

    seen: list[int] = []
    learn = som._learn

    def watched(*args):
        seen.extend(width())
        return learn(*args)

    monkeypatch.setattr(som, "_learn", watched)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        before = width()
        train_som(continuum(200), SomSettings(n_passes=1), device="cpu")
        assert 3 in before
        assert set(seen) == {1}
        assert width() == before
    finally:
        torch.set_num_threads(threads)


def test_device_that_is_not_there() -> None:
    import torch

    rows = continuum(100)
    with pytest.raises(SettingsError, match="abacus"):
        train_som(rows, device="abacus")
    if torch.cuda.is_available():
        here, there = (train_som(rows, device=device)[1] for device in ("cpu", "cuda"))
        np.testing.assert_allclose(there, here, atol=1e-3)
    else:
        with pytest.raises(SettingsError, match="cuda"):
            train_som(rows, device="cuda")


@given(n=st.integers(1, 200), d=st.integers(1, 8), k=st.integers(1, 12), offset=st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_quantisation_error_is_that_of_all_pairs(n, d, k, offset) -> None:
    random = np.random.default_rng(n * 13 + d)
    rows = (random.normal(size=(n, d)) + offset).astype(np.float32)
    nodes = (random.normal(size=(k, d)) + offset).astype(np.float32)
    plain = np.linalg.norm(rows[:, None].astype(np.float64) - nodes[None], axis=2).min(axis=1)
    assert quantisation_error(rows, nodes) == pytest.approx(plain.mean(), rel=1e-9)


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
