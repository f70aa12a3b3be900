"""Arithmetic of fit maps, compiled: bins, normal equations of many pixels, non-negative solution.

With H the inverse of the normal matrix and u the free solution, the non-negative least squares
problem is a linear complementarity problem in the multipliers λ: x = u + Hλ ≥ 0, λ ≥ 0, xᵀλ = 0.
It is solved by block principal pivoting with Murty's rule as the way out of cycles (Portugal,
Júdice, Vicente, Math. Comp. 63 (1994) 625; Kim and Park, SIAM J. Sci. Comput. 33 (2011) 3261).
Working in H costs only what rests at zero: a few components, not all.

Everything here is compiled with ``nogil``: blocks of pixels run in threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LANES = 32
"""Pixels whose matrices are inverted side by side, one a lane."""

_RIDGE = 1e-6  # of the unit diagonal: above what single precision leaves of equal components
_TRIES = 3
_FAST = {"reassoc", "contract", "arcp"}


@njit(nogil=True, cache=True, fastmath=_FAST)
def bin_counts(counts, starts, stop, out):
    """Sum channels to bins: counts (pixel, channel) of any number type → out (pixel, bin)."""
    n_bins = starts.size
    for p in range(counts.shape[0]):
        for b in range(n_bins):
            end = starts[b + 1] if b + 1 < n_bins else stop
            total = 0.0
            for c in range(starts[b], end):
                total += counts[p, c]
            out[p, b] = total


@njit(nogil=True, cache=True, fastmath=_FAST)
def _multipliers(h, u, at, n, low, lam):
    """Solve H[at, at] λ = −u[at] by Cholesky; ``low`` is room for the factor."""
    for i in range(n):
        row = at[i]
        for j in range(i + 1):
            s = h[row, at[j]]
            for k in range(j):
                s -= low[i, k] * low[j, k]
            if i == j:
                low[i, i] = 1.0 / np.sqrt(max(s, 1e-12))
            else:
                low[i, j] = s * low[j, j]
        s = -u[row]
        for k in range(i):
            s -= low[i, k] * lam[k]
        lam[i] = s * low[i, i]
    for i in range(n - 1, -1, -1):
        s = lam[i]
        for k in range(i + 1, n):
            s -= low[k, i] * lam[k]
        lam[i] = s * low[i, i]


@njit(nogil=True, cache=True, fastmath=_FAST)
def _settle(h, u, tolerance, x, rests, at, low, lam):
    """Non-negative solution of one pixel into ``x``; True where it settled.

    ``h`` (m, m) symmetric, ``u`` (m,): the free solution; the others are room to work in.
    """
    m = u.size
    wrong = 0
    for i in range(m):
        rests[i] = u[i] < -tolerance
        wrong += rests[i]
        x[i] = max(u[i], 0.0)
    if wrong == 0:
        return True
    fewest, tries = m + 1, _TRIES
    for _ in range(20 * m):
        n = 0
        for i in range(m):
            if rests[i]:
                at[n] = i
                n += 1
        _multipliers(h, u, at, n, low, lam)
        for i in range(m):
            x[i] = u[i]
        for k in range(n):
            row = at[k]
            for i in range(m):
                x[i] += h[row, i] * lam[k]
        for k in range(n):
            x[at[k]] = lam[k]
        wrong, last = 0, 0
        for i in range(m):
            if x[i] < -tolerance:
                wrong += 1
                last = i
        if wrong == 0:
            for i in range(m):
                if rests[i]:
                    x[i] = 0.0
                else:
                    x[i] = max(x[i], 0.0)
            return True
        if wrong < fewest:
            fewest, tries = wrong, _TRIES
        else:
            tries -= 1
        if tries >= 0:
            for i in range(m):
                if x[i] < -tolerance:
                    rests[i] = not rests[i]
        else:
            rests[last] = not rests[last]
    for i in range(m):
        x[i] = 0.0 if rests[i] else max(x[i], 0.0)
    return False


@njit(nogil=True, cache=True, fastmath=_FAST)
def settle_shared(h, free, tolerance, out):
    """Non-negative solutions of many pixels with one normal matrix.

    Parameters
    ----------
    h : ndarray, float64, shape (m, m)
        Inverse of the normal matrix, scaled to a unit diagonal.
    free : ndarray, float32, shape (pixel, m)
        Free solutions in the same scale: standard deviations of lone components.
    tolerance : float
    out : ndarray, float32, shape (pixel, m)
        The solutions.

    Returns
    -------
    int
        Pixels that did not settle.
    """
    m = h.shape[0]
    u, x, lam = np.empty(m), np.empty(m), np.empty(m)
    low = np.empty((m, m))
    rests = np.zeros(m, np.bool_)
    at = np.empty(m, np.int64)
    lost = 0
    for p in range(free.shape[0]):
        for i in range(m):
            u[i] = free[p, i]
        if not _settle(h, u, tolerance, x, rests, at, low, lam):
            lost += 1
        for i in range(m):
            out[p, i] = x[i]
    return lost


@njit(nogil=True, cache=True, fastmath=_FAST)
def _invert_lanes(a, room):
    """Inverses of packed symmetric matrices, in place: ``a`` (m(m+1)/2, LANES), lower by rows.

    Cholesky, inverse of the factor, product; pixels are the innermost axis, one a lane.
    """
    m = int((np.sqrt(8.0 * a.shape[0] + 1.0) - 1.0) / 2.0 + 0.5)
    diagonal = np.empty((m, LANES))
    for i in range(m):
        ri = i * (i + 1) // 2
        for j in range(i + 1):
            rj = j * (j + 1) // 2
            for p in range(LANES):
                room[p] = a[ri + j, p]
            for k in range(j):
                for p in range(LANES):
                    room[p] -= a[ri + k, p] * a[rj + k, p]
            if i == j:
                for p in range(LANES):
                    diagonal[i, p] = 1.0 / np.sqrt(max(room[p], 0.1 * _RIDGE))
            else:
                for p in range(LANES):
                    a[ri + j, p] = room[p] * diagonal[j, p]
    for j in range(m):
        rj = j * (j + 1) // 2
        for p in range(LANES):
            a[rj + j, p] = diagonal[j, p]
        for i in range(j + 1, m):
            ri = i * (i + 1) // 2
            for p in range(LANES):
                room[p] = 0.0
            for k in range(j, i):
                kj = k * (k + 1) // 2 + j
                for p in range(LANES):
                    room[p] -= a[ri + k, p] * a[kj, p]
            for p in range(LANES):
                a[ri + j, p] = room[p] * diagonal[i, p]
    for i in range(m):
        ri = i * (i + 1) // 2
        for j in range(i + 1):
            for p in range(LANES):
                room[p] = 0.0
            for k in range(i, m):
                rk = k * (k + 1) // 2
                for p in range(LANES):
                    room[p] += a[rk + i, p] * a[rk + j, p]
            for p in range(LANES):
                a[ri + j, p] = room[p]


@njit(nogil=True, cache=True, fastmath=_FAST)
def settle_pixels(normal, right, tolerance, out, deviation):
    """Non-negative solutions of pixels that each have their own normal matrix.

    Parameters
    ----------
    normal : ndarray, float32, shape (m(m+1)/2, pixel)
        Lower triangles by rows.
    right : ndarray, float32, shape (pixel, m)
    tolerance : float
        In standard deviations of lone components.
    out, deviation : ndarray, float32, shape (pixel, m)
        Solutions, and the standard deviations they have with everything free.

    Returns
    -------
    int
        Pixels that did not settle.
    """
    n_pairs, n_pixels = normal.shape
    m = right.shape[1]
    a = np.empty((n_pairs, LANES))
    room = np.empty(LANES)
    scale = np.empty((m, LANES))
    h = np.empty((m, m))
    u, x, lam = np.empty(m), np.empty(m), np.empty(m)
    low = np.empty((m, m))
    rests = np.zeros(m, np.bool_)
    at = np.empty(m, np.int64)
    lost = 0
    for first in range(0, n_pixels, LANES):
        n = min(LANES, n_pixels - first)
        for i in range(m):
            ii = i * (i + 1) // 2 + i
            for p in range(LANES):
                # Lanes beyond the last pixel repeat it: nobody reads what comes of them.
                scale[i, p] = 1.0 / np.sqrt(max(normal[ii, first + min(p, n - 1)], 1e-30))
        for i in range(m):
            ri = i * (i + 1) // 2
            for j in range(i):
                for p in range(LANES):
                    a[ri + j, p] = normal[ri + j, first + min(p, n - 1)] * scale[i, p] * scale[j, p]
            for p in range(LANES):
                a[ri + i, p] = 1.0 + _RIDGE
        _invert_lanes(a, room)
        for p in range(n):
            for i in range(m):
                ri = i * (i + 1) // 2
                for j in range(i + 1):
                    h[i, j] = a[ri + j, p]
                    h[j, i] = h[i, j]
            for i in range(m):
                s = 0.0
                for j in range(m):
                    s += h[i, j] * right[first + p, j] * scale[j, p]
                u[i] = s
            if not _settle(h, u, tolerance, x, rests, at, low, lam):
                lost += 1
            for i in range(m):
                out[first + p, i] = x[i] * scale[i, p]
                deviation[first + p, i] = np.sqrt(h[i, i]) * scale[i, p]
    return lost


def inverse_of(normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of one normal matrix scaled to a unit diagonal, and the scale.

    Returns
    -------
    h : ndarray, float64, shape (m, m)
    scale : ndarray, float64, shape (m,)
        Solution of the problem as given = scale · solution of the scaled one.
    """
    scale = 1.0 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    unit = normal * scale[:, None] * scale
    np.fill_diagonal(unit, 1.0 + _RIDGE)
    h = np.linalg.inv(unit)
    return 0.5 * (h + h.T), scale
