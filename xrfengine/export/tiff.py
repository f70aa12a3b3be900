"""Maps as 32-bit floating-point OME-TIFF: one channel an element, values as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xrfengine.cache import written_whole
from xrfengine.cube import MAP_UNITS
from xrfengine.export.analysis import METHOD_WORDS, Analysis
from xrfengine.export.shown import shown_map


def write_tiff(path: Path, analysis: Analysis, elements: Sequence[str] = ()) -> None:
    """Write maps with the pixel's size, the elements and where they are from in their metadata.

    Parameters
    ----------
    path : Path
        Best called ``….ome.tif``.
    elements : sequence of str
        Symbols, a channel each; empty: the map that is shown.

    Raises
    ------
    SettingsError
        If there is no map of an element.
    """
    import tifffile

    maps, facts = analysis.maps, analysis.provenance
    chosen = tuple(elements)
    unit = analysis.unit or MAP_UNITS[maps.kind]
    if not chosen:
        shown = shown_map(analysis)
        chosen = (shown.element or shown.title,)
        values, thresholds = shown.values[None], [f"{chosen[0]} {shown.threshold:.6g}"]
        unit = unit if shown.element else "counts"
    else:
        values = np.stack([maps[element] for element in chosen])
        thresholds = [f"{element} {analysis.thresholds[element]:.6g}" for element in chosen]
    metadata = {
        "axes": "CYX",
        "Name": f"{facts.dataset} {' '.join(chosen)}",
        "Description": f"{METHOD_WORDS.get(facts.method, facts.method)}; {facts.software}",
        "Channel": {"Name": list(chosen)},
        "MapAnnotation": {
            "Namespace": "xrfengine",
            **{name: str(value) for name, value in facts.to_dict().items()},
            "unit": unit,
            "threshold": "; ".join(thresholds),
        },
    }
    resolution = {}
    if facts.pixel_size_mm:
        for axis in "XY":
            metadata[f"PhysicalSize{axis}"] = facts.pixel_size_mm
            metadata[f"PhysicalSize{axis}Unit"] = "mm"
        per_cm = 10.0 / facts.pixel_size_mm
        resolution = {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
    with written_whole(path) as beside:
        tifffile.imwrite(
            beside,
            values.astype(np.float32, copy=False),
            ome=True,
            photometric="minisblack",
            compression="zlib",
            software=facts.software,
            metadata=metadata,
            **resolution,
        )
