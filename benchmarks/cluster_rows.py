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
import os
import time
from collections.abc import Callable
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


@dataclass(frozen=True)
class Cost:
    """Seconds of work: by the clock, and of all processors that took part.

    On a machine with other work the second is the better guide.
    """

    wall_s: float
    cpu_s: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def __radd__(self, other: int) -> Cost:
        assert other == 0  # the start of sum()
        return self

    def to_dict(self) -> dict[str, float]:
        return {"wall_s": self.wall_s, "cpu_s": self.cpu_s}


def slope(sizes: list[int], costs: list[Cost]) -> dict[str, float]:
    """Of the logarithm of the cost against that of the size; 1: in proportion."""
    x = np.log(sizes)
    return {
        "wall": float(np.polyfit(x, np.log([cost.wall_s for cost in costs]), 1)[0]),
        "cpu": float(np.polyfit(x, np.log([cost.cpu_s for cost in costs]), 1)[0]),
    }


def cpu_s(process: int | str = "self") -> float:
    """Processor seconds of a process so far; of this one wherever the system does not tell."""
    status = Path(f"/proc/{process}/stat")
    if process == "self" or not status.exists():
        return time.process_time()
    # Fields are counted behind the name, which may hold spaces.
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(work: Callable[[], Any], worker: Callable[[], int | None] = lambda: None) -> Any:
    """``(cost, result)``; the process that ``worker`` names counts with this one."""

    def spent() -> float:
        pid = worker()
        return cpu_s() + (cpu_s(pid) if pid is not None else 0.0)

    started, before = time.perf_counter(), spent()
    result = work()
    return Cost(time.perf_counter() - started, spent() - before), result


def resident_bytes(process: int | str = "self", *, peak: bool = False) -> int | None:
    """Resident memory of a process, now or at its highest; None where the system is silent."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return None
    name = "VmHWM" if peak else "VmRSS"
    line = next(s for s in status.read_text().splitlines() if s.startswith(name))
    return 1024 * int(line.split()[1])


def growth_bytes(work: Callable[[], Any]) -> tuple[int | None, Any]:
    """How far the resident memory of this process rose above where it stood, and the result."""
    before = resident_bytes()
    if before is not None:
        Path("/proc/self/clear_refs").write_text("5")  # the highest starts from here
    result = work()
    after = resident_bytes(peak=True)
    return (None if before is None or after is None else max(0, after - before)), result


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
    spectra_features(Cube(cube.counts[:2], cube.calibration))  # loads what it needs
    cube.sum_spectrum  # noqa: B018 - kept with a cube, which has it before it is clustered
    growth, (cost, features) = growth_bytes(lambda: measured(lambda: spectra_features(cube)))
    truth, names = materials(compose(settings.shape_yx, settings.seed).films_um)
    facts = {
        "shape": list(cube.shape),
        "cube_gb": cube.counts.nbytes / 1e9,
        "features": features.shape[1],
        "features_cost": cost.to_dict(),
        "features_bytes_above": growth,
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
    leaving pixels out does not pay; ``…_assigned`` leave them out all the same.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    counted = np.bincount(truth[truth >= 0])
    use = (truth >= 0) & (counted[truth] >= least)
    assigned = use & (labels >= 0)
    return {
        "rand": float(adjusted_rand_score(truth[use], labels[use])),
        "information": float(adjusted_mutual_info_score(truth[use], labels[use])),
        "rand_assigned": float(adjusted_rand_score(truth[assigned], labels[assigned])),
        "information_assigned": float(
            adjusted_mutual_info_score(truth[assigned], labels[assigned])
        ),
        "clusters": int(labels.max()) + 1,
        "unassigned": float((labels < 0).mean()),
        "combinations": int((counted >= least).sum()),
        "pixels_compared": int(use.sum()),
    }
