"""The analysis as a Python script that repeats it with this package."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from xrfengine.export.analysis import Analysis, Area, file_name
from xrfengine.regions import runs_of

LONGEST_RUNS = 400
"""Regions of more runs of pixels are written as packed bits: nobody reads that many numbers."""


@dataclass(frozen=True)
class Source:
    """How the script finds the scan.

    Attributes
    ----------
    file : str
        Name of the file, without folders; empty for the demo painting.
    clusters : str
        Python expression of the :class:`~xrfengine.cluster.ClusterSettings`, needed for maps by
        cluster.
    vertices : dict
        Polygons on the map, (x, y) pairs, by the name of the area they were drawn for; areas
        without one are written pixel by pixel.
    """

    file: str = ""
    clusters: str = ""
    vertices: dict[str, Sequence[tuple[float, float]]] = field(default_factory=dict)


_HEAD = '''"""{title}

Repeats, with {software}, what was seen on {made}. Writes
{out}: maps, thresholds, and the spectra of the regions.

    python {script}{usage}
"""

{imports}
{numpy}import xrfengine{more_imports}

EXPECTED_DATA = "{source}"
{model}'''

_OPEN_FILE = """
path = Path(sys.argv[1] if len(sys.argv) > 1 else {file!r})
engine = xrfengine.Engine(data_folder=path.resolve().parent)
cube = engine.cube(path.name)
"""
_OPEN_DEMO = """
engine = xrfengine.Engine()
cube = engine.cube("demo")
"""
_CHECK = """if cube.digest != EXPECTED_DATA:
    sys.exit(f"This is another scan, or it was changed: {cube.digest}, not {EXPECTED_DATA}")
"""
_CHECK_MODEL = """if engine.classifier.digest != EXPECTED_MODEL:
    print("Another model than then: probabilities will differ", file=sys.stderr)
"""
_MAPS = """
# Maps of all elements
maps = engine.maps(cube, {method!r}, {region_px}{also})
"""
_EVENED = """maps = engine.normalised(maps, cube, engine.monitor(cube, {by!r}, {region_px}))
"""
_CLUSTER_MAPS = """
# Maps of all elements, by cluster
maps = engine.cluster_maps(engine.clusters(cube, {clusters}), cube)
"""
_FOUND = """
# Elements and where they are found; thresholds that were moved by hand override the usual ones
thresholds = {thresholds}
overruled = {overruled}  # True: declared present, False: declared absent
print("element  share of the area  mean above the threshold")
for item in engine.found(maps, thresholds):
    if overruled.get(item.element, True):
        print(f"{{item.element:7}}  {{item.share:17.2%}}  {{item.strength:.4g}}")
"""
_REGIONS = """
# Regions and their spectra
masks = {{{masks}}}
spectra = {{name: engine.region_spectrum(cube, mask, name) for name, mask in masks.items()}}
for name, spectrum in spectra.items():
    present = [i for i in engine.identify(spectrum, scan=cube) if i.present and not i.is_instrument]
    told = ", ".join(f"{{i.symbol}} {{i.probability:.2f}}" for i in present)
    print(f"{{name}}: {{spectrum.n_pixels}} pixels; {{told or 'no element'}}")
"""
_WRITE = """
data = maps.to_xarray()
data["threshold"] = ("element", [thresholds[element] for element in maps.elements])
"""
_WRITE_SPECTRA = """for number, spectrum in enumerate(spectra.values(), 1):
    data[f"spectrum_{number}"] = ("energy", spectrum.counts, {"name": spectrum.name})
data = data.assign_coords(energy=cube.energy_kev)
"""
_SAVE = """out = Path({out!r})
data.to_netcdf(out, engine="h5netcdf")
print(f"written: {{out}}")
"""


def script(analysis: Analysis, source: Source) -> str:
    """The script's text; UTF-8, Python 3.11.

    Run with the path of the scan (none for the demo), it prints the elements found and what each
    region holds, and writes ``NAME_repeated.nc`` to the current folder. It stops if the scan is
    another one, and says so if the model is.
    """
    facts = analysis.provenance
    name = file_name(facts.dataset, analysis.element)
    usage = f" path/to/{source.file}" if source.file else ""
    regions = [(area, source.vertices.get(area.name)) for area in analysis.areas]
    packed = any(_is_packed(area, vertices) for area, vertices in regions)
    more = ""
    if source.clusters and facts.method == "cluster":
        more += (
            "\nfrom xrfengine.cluster import ClusterSettings, EmbeddingSettings"
            "\nfrom xrfengine.cluster import FeatureSettings, SomSettings"
        )
    if any(vertices for _, vertices in regions):
        more += "\nfrom xrfengine.regions import polygon_mask"
    if any(not vertices and not _is_packed(area, vertices) for area, vertices in regions):
        more += "\nfrom xrfengine.regions import mask_of_runs"
    text = _HEAD.format(
        title=f"{_plain(facts.dataset)}: {analysis.element}, {facts.method}",
        software=facts.software, made=facts.made, out=f"{name}_repeated.nc", usage=usage,
        script=f"{name}.py", source=facts.source,
        model=f'EXPECTED_MODEL = "{facts.model}"\n' if facts.model else "",
        imports=("import base64\nimport sys\nimport zlib\n" if packed else "import sys\n")
        + "from pathlib import Path\n",
        numpy="import numpy as np\n\n" if regions else "",
        more_imports=more,
    )  # fmt: skip
    also = facts.settings.get("fitted_also", ())
    also = f", also={list(also)!r}" if also else ""
    text += _OPEN_FILE.format(file=source.file) if source.file else _OPEN_DEMO
    text += _CHECK
    if facts.model:
        text += _CHECK_MODEL
    if facts.method == "cluster":
        text += _CLUSTER_MAPS.format(clusters=source.clusters)
    else:
        text += _MAPS.format(method=facts.method, region_px=facts.region_px, also=also)
    evened = facts.settings.get("normalise")
    if evened:
        text += _EVENED.format(by=evened, region_px=facts.region_px)
    chosen = analysis.maps.elements if evened else facts.settings.get("moved_thresholds", ())
    values = {symbol: float(f"{analysis.thresholds[symbol]:.9g}") for symbol in chosen}
    thresholds = str(values)
    if not evened:
        thresholds = f"engine.default_thresholds(maps{also})"
        if values:
            thresholds = f"{{**{thresholds}, **{values}}}"
    text += _FOUND.format(thresholds=thresholds, overruled=dict(facts.overruled))
    if regions:
        masks = ",".join(f"\n    {area.name!r}: {_mask(area, v)}" for area, v in regions)
        text += _REGIONS.format(masks=f"{masks},\n")
    text += _WRITE
    if regions:
        text += _WRITE_SPECTRA
    return text + _SAVE.format(out=f"{name}_repeated.nc")


def _plain(text: str) -> str:
    """A name that cannot end the docstring it stands in."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def _is_packed(area: Area, vertices: Sequence | None) -> bool:
    return not vertices and len(runs_of(area.mask)) > LONGEST_RUNS


def _mask(area: Area, vertices: Sequence[tuple[float, float]] | None) -> str:
    """Python expression of the area's pixels."""
    if vertices:
        corners = ", ".join(f"({x!r}, {y!r})" for x, y in vertices)
        return f"polygon_mask(np.array([{corners}]), cube.shape[:2])"
    runs = runs_of(area.mask)
    if not _is_packed(area, vertices):
        return f"mask_of_runs({runs}, cube.shape[:2])"
    packed = base64.b85encode(zlib.compress(np.packbits(area.mask).tobytes(), 9)).decode()
    bits = f"np.frombuffer(zlib.decompress(base64.b85decode({packed!r})), np.uint8)"
    return f"np.unpackbits({bits})[: cube.n_pixels].reshape(cube.shape[:2]).astype(bool)"
