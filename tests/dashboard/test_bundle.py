"""The code of the components in one file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboard import components
from dashboard.components import bundle

FOLDER = Path(components.__file__).parent


def test_every_component_is_in_it_by_the_name_of_its_class():
    keys = re.findall(r"^(\w+): \(\(\) => \{$", bundle.source(), re.MULTILINE)
    assert keys == sorted(each.__name__ for each in bundle._classes())
    scripts = {each._script for each in bundle._classes()}
    assert scripts | {"lib", "icons"} == {path.stem for path in FOLDER.glob("*.js")}


def test_a_file_that_exports_something_else_is_named(tmp_path, monkeypatch):
    (tmp_path / "odd.js").write_text("export default 3\n")
    monkeypatch.setattr(bundle, "_HERE", tmp_path)
    with pytest.raises(ValueError, match=r"odd\.js"):
        bundle._wrapped("odd")


def test_the_name_of_the_file_follows_its_contents():
    assert bundle.path().read_text(encoding="utf-8") == bundle.source()
    assert bundle.url(None).startswith("./static/extensions/elementscope/components-")
    assert bundle.url("..").startswith("../static/")
    assert bundle.path() == components.Toggle._bundle_path
