"""The phantom on disk, and the demo file that is built once and kept."""

from __future__ import annotations

import json
import threading
from functools import cache
from pathlib import Path

import numpy as np

from xrfengine.cache import cache_folder, digest, written_whole
from xrfengine.cube import ElementMaps
from xrfengine.errors import ReadError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress, part
from xrfengine.phantom.make import TITLE, Phantom, PhantomSettings, make_phantom

_building = threading.Lock()


def write_phantom(
    phantom: Phantom,
    path: Path,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Path:
    """Write cube, picture and truth as one HDF5 file (``counts``, ``energy_keV``, ``phantom/``).

    The file reads like any cube; :func:`read_picture` and :func:`read_truth` give the rest.
    """
    import h5py

    cube = phantom.cube
    rows, columns, n_channels = cube.shape
    step = max(1, min(rows, (1 << 20) // max(1, 2 * n_channels * min(columns, 32))))
    with written_whole(Path(path)) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["title"] = cube.name
        file.attrs["tube_anode"] = cube.instrument.tube_anode or ""
        file.attrs["tube_kV"] = cube.instrument.tube_kv or 0.0
        file.attrs["pixel_size_mm"] = cube.instrument.pixel_size_mm or 0.0
        file.attrs["detector"] = phantom.settings.detector
        counts = file.create_dataset(
            "counts", cube.shape, cube.counts.dtype, chunks=(step, min(columns, 32), n_channels),
            compression="gzip", compression_opts=1, shuffle=True,
        )  # fmt: skip
        for start in range(0, rows, step):
            cancel.check()
            counts[start : start + step] = cube.counts[start : start + step]
            progress(min(1.0, (start + step) / rows), "Writing")
        file["energy_keV"] = cube.energy_kev
        extras = file.create_group("phantom")
        extras.attrs["settings"] = json.dumps(phantom.settings.to_dict())
        extras["picture"] = phantom.picture
        extras["underpainting"] = phantom.underpainting
        areas = extras.create_dataset("areas", data=phantom.areas, compression="gzip")
        areas.attrs["names"] = json.dumps(phantom.area_names)
        for name in ("truth", "visible", "significance"):
            maps: ElementMaps = getattr(phantom, name)
            data = extras.create_dataset(name, data=maps.values, compression="gzip")
            data.attrs["elements"] = json.dumps(maps.elements)
            data.attrs["source"] = maps.source
    return Path(path)


def _extras(path: Path, name: str) -> tuple[np.ndarray, dict] | None:
    import h5py

    if not h5py.is_hdf5(path):
        return None
    try:
        with h5py.File(path, "r") as file:
            item = file.get(f"phantom/{name}")
            if not isinstance(item, h5py.Dataset):
                return None
            return item[()], dict(item.attrs)
    except OSError as error:
        raise ReadError(
            f"{path}: its {name} cannot be read ({' '.join(str(error).split())})",
            "Delete the file; a demo is built anew.",
        ) from error


def read_picture(path: Path) -> np.ndarray | None:
    """Colour picture of a phantom's file, uint8 (y, x, 3); None if the file has none."""
    found = _extras(Path(path), "picture")
    return None if found is None else found[0]


def read_truth(path: Path, which: str = "truth") -> ElementMaps | None:
    """True maps of a phantom's file; None if the file has none.

    Parameters
    ----------
    which : {"truth", "visible", "significance"}
        Areal density (of its maximum), visible at these counts (0 or 1), or how many standard
        deviations the element stands out.
    """
    found = _extras(Path(path), which)
    if found is None:
        return None
    values, attributes = found
    return ElementMaps(
        tuple(json.loads(attributes["elements"])), values, "truth", source=attributes["source"]
    )


def read_areas(path: Path) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Which part of the picture each pixel belongs to: int8 (y, x) and the names; or None."""
    found = _extras(Path(path), "areas")
    if found is None:
        return None
    return found[0], tuple(json.loads(found[1]["names"]))


@cache
def _code() -> str:
    """Digest of the sources: a kept demo is not shown after its painter or physics has changed."""
    here = Path(__file__).parent
    physics = [here.parent / name for name in ("lines.py", "detector.py")]
    return digest([p.read_text(encoding="utf-8") for p in (*sorted(here.glob("*.py")), *physics)])


def demo_file(
    settings: PhantomSettings | None = None,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Path:
    """Path of the demo's HDF5 file in the user's cache folder; built on first use.

    Callers in several threads wait for one build; several processes may each build it, and the
    last to finish replaces a file of the same content.
    """
    settings = settings or PhantomSettings()
    path = cache_folder() / f"demo-{digest('demo', settings, _code())}.h5"
    while not _building.acquire(timeout=0.1):
        cancel.check()
    try:
        if not path.exists():
            phantom = make_phantom(settings, progress=part(progress, 0.0, 0.85), cancel=cancel)
            write_phantom(phantom, path, progress=part(progress, 0.85, 1.0), cancel=cancel)
    finally:
        _building.release()
    progress(1.0, TITLE)
    return path
