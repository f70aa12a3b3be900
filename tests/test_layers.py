"""Holds the architecture: which way imports go, and what an import may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LAYERS = [
    {"errors", "assets"},
    {"cache", "jobs"},
    {"correlate", "cube", "lines", "detector", "names", "pictures"},
    {
        "readers",
        "calibrate",
        "peaks",
        "preprocess",
        "preprocess_thesis",
        "registration",
        "regions",
        "region_outlines",
    },
    {"maps"},
    {"store"},
    {"cluster"},
    {"classifier"},
    {"phantom"},
    {"findings"},
    {"pigments"},
    {"export"},
    {"engine_clusters", "engine_lines", "engine_maps", "engine_spectra", "engine_tiles"},
    {"engine"},
    {"cli", "__main__"},
]
"""From the ground up: a room may import from its own floor and from those below."""

FLOOR = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
PAGE_LIBRARIES = {"panel", "holoviews", "bokeh", "param", "datashader", "panel_material_ui"}


def sources(package):
    return sorted((ROOT / package).rglob("*.py"))


def imports(path, *, only_at_runtime=True):
    """Dotted names a file imports; those under TYPE_CHECKING are for readers, not for running."""
    tree = ast.parse(path.read_text())
    skipped = set()
    if only_at_runtime:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                skipped |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path):
    return path.relative_to(ROOT / "xrfengine").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources("xrfengine"), ids=lambda p: str(p.relative_to(ROOT)))
def test_engine_imports_point_downwards(path):
    here = room(path)
    if here == "__init__":
        return
    assert here in FLOOR, f"{here} is on no floor: add it to LAYERS"
    for name in imports(path):
        parts = name.split(".")
        assert parts[0] not in PAGE_LIBRARIES, f"{path.name} imports {name}"
        assert parts[0] != "dashboard", f"{path.name} imports {name}"
        if parts[0] == "xrfengine" and len(parts) > 1 and parts[1] in FLOOR:
            assert FLOOR[parts[1]] <= FLOOR[here], f"{path.name} ({here}) imports {name}"


@pytest.mark.parametrize("path", sources("dashboard/views"), ids=lambda p: p.name)
def test_views_import_no_other_view(path):
    if path.name == "__init__.py":
        return
    for name in imports(path):
        assert not name.startswith("dashboard.views."), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", sources("dashboard/session"), ids=lambda p: p.name)
def test_session_knows_nothing_of_drawing(path):
    drawing = {"holoviews", "bokeh", "datashader", "panel", "panel_material_ui"}
    names = {name.split(".")[0] for name in imports(path)}
    assert not names & drawing


def test_every_file_has_one_page():
    long = {
        str(path.relative_to(ROOT)): lines
        for package in ("xrfengine", "dashboard", "tests", "benchmarks")
        for path in sources(package)
        if (lines := len(path.read_text().splitlines())) > 450
    }
    assert not long, f"asking to be split: {long}"


def test_importing_the_package_is_cheap():
    # Processor time: the machine may be busy with other tests.
    script = (
        "import sys, time; start = time.process_time(); import xrfengine;"
        "print(time.process_time() - start, *sys.modules)"
    )
    times = []
    for _ in range(3):
        printed = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
        times.append(float(printed[0]))
        heavy = {"torch", "numba", "umap", "hdbscan", "sklearn", "xarray", "panel", "matplotlib"}
        assert not heavy & set(printed[1:])
    assert min(times) < 0.5
