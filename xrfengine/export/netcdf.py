"""All maps with errors and thresholds as NetCDF, which is HDF5."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xrfengine.cache import written_whole
from xrfengine.export.analysis import METHOD_WORDS, Analysis


def write_netcdf(path: Path, analysis: Analysis) -> None:
    """Write ``maps`` (element, y, x), ``errors`` where known, ``threshold``, and the regions.

    Where a window of energies is shown, its map is the variable ``window`` (y, x).

    Coordinates are in mm where the size of a pixel is known, else pixels. Regions are a variable
    ``regions`` (region, y, x) of 0 and 1, for they may overlap.
    """
    data = analysis.maps.to_xarray()
    facts, maps = analysis.provenance, analysis.maps
    data["maps"].attrs["long_name"] = METHOD_WORDS.get(facts.method, facts.method)
    units = data["maps"].attrs["units"] = analysis.unit or data["maps"].attrs["units"]
    data["threshold"] = (
        "element",
        np.array([analysis.thresholds[element] for element in maps.elements]),
        {"long_name": "the element counts as present from here on", "units": units},
    )
    if analysis.errors is not None:
        data["errors"] = (
            ("element", "y", "x"),
            np.stack([analysis.errors[element] for element in maps.elements]),
            {"long_name": "standard error", "units": units},
        )
    data["total_counts"] = (
        ("y", "x"),
        analysis.cube.total_counts,
        {"long_name": "counts of all channels", "units": "counts"},
    )
    if analysis.window is not None:
        told = f"{analysis.window.unit} between {analysis.window.name}"
        of = "counts/s" if "second" in analysis.window.unit else "counts"
        data["window"] = (("y", "x"), analysis.window.values, {"long_name": told, "units": of})
    size = facts.pixel_size_mm
    for axis, n in zip(("y", "x"), maps.values.shape[1:], strict=True):
        data = data.assign_coords(
            {axis: (axis, np.arange(n) * (size or 1.0), {"units": "mm" if size else "pixel"})}
        )
    if analysis.areas:
        data = data.assign_coords(region=[area.name for area in analysis.areas])
        data["regions"] = (
            ("region", "y", "x"),
            np.stack([area.mask for area in analysis.areas]).astype(np.uint8),
        )
    data.attrs.update(facts.to_dict())
    packed = {"zlib": True, "complevel": 3, "shuffle": True}
    encoding = {name: packed for name, item in data.data_vars.items() if item.ndim > 1}
    with written_whole(path) as beside:
        data.to_netcdf(beside, engine="h5netcdf", encoding=encoding)
