"""Rows for the benchmarks of clustering: features of a phantom painting, and what lies where.

The truth is the paint: which pigment dominates what lies above the first portrait, and which, if
any, dominates that portrait below. A pixel counts only where both are clear: one pigment makes
three fifths of the films of a stratum, and the first portrait is there (8 µm or more) or is not
(less than 1 µm). Elsewhere paints pass into each other (skies, folds, rims of brushes) and no
border between two clusters is the right one.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.cluster import spectra_features
from xrfengine.cube import Cube
from xrfengine.phantom import PhantomSettings, make_phantom, write_phantom
from xrfengine.phantom.easel import LAYERS
from xrfengine.phantom.painting import compose
from xrfengine.phantom.pigments import NAMES
from xrfengine.readers import read

CLEAR_SHARE = 0.6
NONE_UM, THERE_UM = 1.0, 8.0
UPPER = ("paint", "details", "retouching")


@dataclass(frozen=True, eq=False)
class Rows:
    """Features of all pixels and their truth.

    Attributes
    ----------
    features : ndarray, float32, shape (n, d)
    truth : ndarray, int64, shape (n,)
        Number of the combination of pigments; −1 where it is not clear.
    names : tuple of str
        Of the combinations.
    cube_bytes : int
    facts : dict
        Shape, and the seconds features took.
    """

    features: np.ndarray
    truth: np.ndarray
    names: tuple[str, ...]
    cube_bytes: int
    facts: dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shape", type=int, nargs=2, default=(60, 50), metavar=("Y", "X"))
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument(
        "--cube", type=Path, help="HDF5 file of the phantom: read if it exists, else written"
    )
    parser.add_argument("--json", type=Path)


def painting_rows(options: argparse.Namespace) -> Rows:
    """Build or read the phantom asked for; features with the settings the dashboard has."""
    settings = PhantomSettings(tuple(options.shape), options.channels)
    if options.cube is not None and options.cube.exists():
        settings = _settings_of(options.cube)
        if (settings.shape_yx, settings.n_channels) != (tuple(options.shape), options.channels):
            raise SystemExit(
                f"{options.cube} is a phantom of {settings.shape_yx} pixels and "
                f"{settings.n_channels} channels: say so with --shape and --channels, or name a "
                f"file that does not exist yet"
            )
        cube = read(options.cube)
    else:
        phantom = make_phantom(settings)
        if options.cube is not None:
            write_phantom(phantom, options.cube)
        cube = phantom.cube
    return _rows(cube, settings)


def _rows(cube: Cube, settings: PhantomSettings) -> Rows:
    started = time.perf_counter()
    features = spectra_features(cube)
    seconds = time.perf_counter() - started
    truth, names = materials(compose(settings.shape_yx, settings.seed).films_um)
    facts = {
        "shape": list(cube.shape),
        "cube_gb": cube.counts.nbytes / 1e9,
        "features": features.shape[1],
        "features_s": seconds,
        "clear_share": float((truth >= 0).mean()),
    }
    return Rows(features, truth, names, cube.counts.nbytes, facts)


def _settings_of(path: Path) -> PhantomSettings:
    import h5py

    with h5py.File(path, "r") as file:
        return PhantomSettings.from_dict(json.loads(file["phantom"].attrs["settings"]))


def materials(films_um: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The combination of pigments of each pixel, and the names of the combinations.

    Parameters
    ----------
    films_um : ndarray, shape (layer, y, x, pigment)
        µm of film of each pigment, layers as in :data:`xrfengine.phantom.easel.LAYERS`.

    Returns
    -------
    ndarray, int64, shape (y·x,)
        Combinations numbered by falling size, −1 where none is clear.
    tuple of str
    """
    n_pigments = films_um.shape[-1]
    upper = films_um[[LAYERS.index(name) for name in UPPER]].sum(axis=0)
    lower = films_um[LAYERS.index("underpainting")]
    above = _dominant(upper.reshape(-1, n_pigments))
    below = _dominant(lower.reshape(-1, n_pigments))
    clear = (above >= -1) & (below >= -1)
    code = np.where(clear, (above + 1) * (n_pigments + 1) + below + 1, -1)
    found, inverse, sizes = np.unique(code, return_inverse=True, return_counts=True)
    order = [i for i in np.argsort(-sizes, kind="stable") if found[i] >= 0]
    number = np.full(found.size, -1)
    number[order] = np.arange(len(order))
    words = ("bare", *NAMES)
    names = []
    for i in order:
        top, bottom = divmod(int(found[i]), n_pigments + 1)
        names.append(words[top] + (f" over {words[bottom]}" if bottom else ""))
    return number[inverse.ravel()], tuple(names)


def _dominant(films: np.ndarray) -> np.ndarray:
    """Pigment that dominates each row (n, pigment); −1: no paint; −2: not clear."""
    total = films.sum(axis=1)
    first = films.argmax(axis=1)
    clear = films[np.arange(len(films)), first] >= CLEAR_SHARE * total
    return np.where(total < NONE_UM, -1, np.where(clear & (total >= THERE_UM), first, -2))


def agreement(labels: np.ndarray, truth: np.ndarray, least: int) -> dict[str, float]:
    """Adjusted Rand index and adjusted mutual information with the truth.

    Over pixels whose combination is clear and has at least ``least`` pixels: no clustering of
    that smallest size can find others. Pixels in no cluster are one group of their own, so that
    leaving pixels out does not pay.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    counted = np.bincount(truth[truth >= 0])
    use = (truth >= 0) & (counted[truth] >= least)
    return {
        "rand": float(adjusted_rand_score(truth[use], labels[use])),
        "information": float(adjusted_mutual_info_score(truth[use], labels[use])),
        "combinations": int((counted >= least).sum()),
        "pixels_compared": int(use.sum()),
    }
