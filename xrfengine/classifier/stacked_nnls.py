"""Non-negative least squares for a stack of small problems at once: block principal pivoting."""

from __future__ import annotations

import numpy as np

_TOLERANCE = 1e-9
_PATIENCE = 3
_MOST_STEPS = 60


def stacked_nnls(
    hessian: np.ndarray, right: np.ndarray, passive: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise ½ x'Hx − r'x over x ≥ 0, for each problem of a stack.

    Guesses which variables are positive, solves for these, exchanges all that turn out wrong, and
    only one at a time where that stops helping (Portugal, Júdice & Vicente 1994, Math. Comp. 63,
    625; the single exchange of Murty makes it end). A good first guess saves most of the work.

    Parameters
    ----------
    hessian : ndarray, float64, shape (n, k, k)
        Positive definite, with diagonals near 1.
    right : ndarray, float64, shape (n, k)
    passive : ndarray of bool, shape (n, k), or None
        First guess of what is positive; None: everything.

    Returns
    -------
    x : ndarray, float64, shape (n, k), ≥ 0
    passive : ndarray of bool, shape (n, k)
        What is positive.
    """
    n, k = right.shape
    passive = np.ones((n, k), dtype=bool) if passive is None else passive.copy()
    x = np.zeros((n, k))
    fewest = np.full(n, k + 1)
    patience = np.full(n, _PATIENCE)
    size = np.maximum(np.abs(right).max(axis=1, initial=0.0), 1e-300)
    todo = np.arange(n)
    diagonal = np.arange(k)
    for step in range(_MOST_STEPS * 4):
        free = passive[todo]
        both = hessian[todo]
        part = both * (free[:, :, None] & free[:, None, :])
        part[:, diagonal, diagonal] += ~free
        found = np.linalg.solve(part, np.where(free, right[todo], 0.0)[:, :, None])
        slope = (both @ found)[:, :, 0] - right[todo]
        found = np.where(free, found[:, :, 0], 0.0)
        limit = _TOLERANCE * size[todo, None]
        wrong = np.where(free, found < -limit, slope < -limit)
        x[todo] = found
        n_wrong = wrong.sum(axis=1)
        going = n_wrong > 0
        if not going.any() or step == _MOST_STEPS * 4 - 1:
            break
        better = n_wrong < fewest[todo]
        fewest[todo] = np.where(better, n_wrong, fewest[todo])
        patience[todo] = np.where(better, _PATIENCE, patience[todo] - 1)
        single = patience[todo] < 0
        last = k - 1 - np.argmax(wrong[:, ::-1], axis=1)
        only = np.zeros_like(wrong)
        only[np.arange(todo.size), last] = True
        passive[todo] ^= np.where(single[:, None], only & wrong, wrong)
        todo = todo[going]
    return np.maximum(x, 0.0), passive & (x > 0)
