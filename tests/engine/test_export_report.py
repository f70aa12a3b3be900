"""Reports: everything that matters is in them, whole, in HTML and in PDF."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

from xrfengine.errors import Cancelled
from xrfengine.export.report import Picture, Table, report
from xrfengine.export.report_html import report_html
from xrfengine.export.report_pdf import report_pdf
from xrfengine.findings import Identified
from xrfengine.jobs import CancelToken

_SPEC = importlib.util.spec_from_file_location(
    "export_views", Path(__file__).with_name("test_export.py")
)
_VIEWS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_VIEWS)


@pytest.fixture(scope="module")
def view():
    """With a region, an overruled element, and signs that HTML and PDF must escape."""
    view = _VIEWS.analysis_of(
        dataset="Bildnis <b>&amp; „Rahmen“.h5",
        overruled=(("As", False), ("Co", True)),
        settings={"moved_thresholds": ["Hg"]},
    )
    area = dataclasses.replace(view.areas[0], name="robe <i>& $x_1$")
    return dataclasses.replace(view, areas=(area,))


@pytest.fixture(scope="module")
def content(view):
    return report(view)


MUST_SAY = (
    "Bildnis <b>&amp; „Rahmen“", "Hg", "Mercury", "50 %", "0.5 mm", "robe <i>& $x_1$", "15",
    "Declared absent: As (arsenic)", "Declared present: Co (cobalt)", "Candidates, no findings",
    "Vermilion, cinnabar (HgS; since Antiquity)", "fa4e" * 4, "xrfengine 0.1.0", "Moved thresholds",
)  # fmt: skip


class Reader(HTMLParser):
    """Text, and every address that a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.fetched, self.images = [], [], []

    def handle_data(self, data):
        self.text.append(data)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href"):
                (self.images if value.startswith("data:image/png") else self.fetched).append(value)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_html_says_everything_and_asks_nothing_from_outside(view, content):
    source = report_html(content).decode()
    reader = Reader()
    reader.feed(source)
    text = squeezed(" ".join(reader.text))
    for words in MUST_SAY:
        assert squeezed(words) in text, words
    assert squeezed(view.cube.digest) in text
    assert reader.fetched == []
    assert "url(" not in source
    assert "http" not in source
    assert len(reader.images) == 3


def test_pdf_says_everything_with_its_fonts_inside(view, content):
    pdf = PdfReader(io.BytesIO(report_pdf(content)))
    text = squeezed("".join(page.extract_text() for page in pdf.pages))
    for words in MUST_SAY:
        assert squeezed(words) in text, words
    assert squeezed(view.cube.digest) in text
    assert sum(len(page.images) for page in pdf.pages) == 3
    for page in pdf.pages:
        width, height = (float(v) for v in page.mediabox[2:])
        assert (round(width), round(height)) == (595, 842)
        for font in page["/Resources"]["/Font"].values():
            name = font.get_object()["/BaseFont"]
            assert "DejaVuSans" in name or name == "/Helvetica", name


def test_a_long_report_runs_over_pages(view):
    many = tuple(dataclasses.replace(view.areas[0], name=f"detail number {n}") for n in range(60))
    pdf = PdfReader(io.BytesIO(report_pdf(report(dataclasses.replace(view, areas=many)))))
    assert len(pdf.pages) > 4
    text = squeezed("".join(page.extract_text() for page in pdf.pages))
    assert squeezed("detail number 59") in text


def test_pictures_are_pictures_and_tables_fit(content):
    for block in content.blocks:
        if isinstance(block, Picture):
            rgb = np.asarray(Image.open(io.BytesIO(block.png)).convert("RGB")).astype(int)
            assert np.ptp(rgb) > 100
        if isinstance(block, Table):
            assert sum(block.widths) == pytest.approx(1.0)
            assert {len(row) for row in block.rows} == {len(block.widths)}


def test_nothing_found_nothing_selected_is_said():
    view = _VIEWS.analysis_of(pixel_size_mm=None)
    high = {"Hg": 2.0, "Pb": 2.0}
    bare = dataclasses.replace(view, thresholds=high, found=(), areas=())
    text = " ".join(getattr(block, "text", "") for block in report(bare).blocks)
    assert "Nothing: all elements are as they were found" in text
    assert "Regions" not in text
    report_pdf(report(bare))


def test_regions_without_verdicts_have_no_candidates(view):
    area = dataclasses.replace(view.areas[0], identified=None)
    blocks = report(dataclasses.replace(view, areas=(area,))).blocks
    assert not any("Pigment" in getattr(block, "text", "") for block in blocks)


def test_elements_of_the_tube_are_left_out_and_named(view):
    verdicts = (Identified("Cu", 0.9, 0.5, True, True),)
    found = tuple(
        dataclasses.replace(item, is_instrument=item.element == "Pb") for item in view.found
    )
    area = dataclasses.replace(view.areas[0], identified=verdicts)
    blocks = report(dataclasses.replace(view, found=found, areas=(area,))).blocks
    text = " ".join(getattr(block, "text", "") for block in blocks)
    assert "Left out: Pb" in text
    assert "No pigment of the table fits" not in text  # cobalt was declared present


def test_a_report_can_be_cancelled(view):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        report(view, cancel=token)
