"""The code of all components in one file, which the browser fetches once and keeps.

Sent with every component, as Panel does with code in a string, it would be half of a page, and be
compiled forty times over.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import pkgutil
import shutil
import tempfile
from functools import cache
from pathlib import Path

from bokeh.embed.bundle import extension_dirs

import dashboard.components as components

_HERE = Path(__file__).resolve().parent
_END = "export default {render}"
EXTENSION = "elementscope"
"""Name of the folder of the bundle among those the server hands out."""
KEPT = "?v=1"
"""Tornado says of what is asked for with a ``v`` that it never changes."""


def _classes() -> list[type]:
    for module in pkgutil.iter_modules(components.__path__):
        importlib.import_module(f"{components.__name__}.{module.name}")
    return sorted(components.Component.__subclasses__(), key=lambda each: each.__name__)


def _lean(code: str) -> str:
    """Without indentation, empty lines and lines of comment: a tenth of what is sent."""
    lines = (line.strip() for line in code.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _wrapped(script: str) -> str:
    """The code of a component as an expression: names of one do not meet those of another."""
    code = (_HERE / f"{script}.js").read_text(encoding="utf-8").rstrip()
    if not code.endswith(_END):
        raise ValueError(f"{script}.js must end with '{_END}'")
    return f"(() => {{\n{code.removesuffix(_END)}\nreturn {{render}}\n}})()"


def source() -> str:
    """JavaScript whose default export holds every component by the name of its class."""
    shared = [(_HERE / name).read_text(encoding="utf-8") for name in ("lib.js", "icons.js")]
    parts = [f"{each.__name__}: {_wrapped(each._script)}" for each in _classes()]
    return _lean("\n".join(shared) + "\nexport default {\n" + ",\n".join(parts) + "\n}\n")


@cache
def path() -> Path:
    """The file, written once a process and handed out by the server."""
    code = source()
    folder = Path(tempfile.mkdtemp(prefix="elementscope-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # By its digest: a browser that kept another version does not take it for this one.
    name = f"components-{hashlib.sha256(code.encode()).hexdigest()[:16]}.js"
    (folder / name).write_text(code, encoding="utf-8")
    extension_dirs[EXTENSION] = folder
    return folder / name


def url(rel_path: str | None) -> str:
    """Where a page finds it; ``v`` lets a browser keep it for good."""
    return f"{rel_path or '.'}/static/extensions/{EXTENSION}/{path().name}{KEPT}"
