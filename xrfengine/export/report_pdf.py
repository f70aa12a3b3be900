"""The report as PDF, A4, with its fonts inside.

By ReportLab (BSD): it breaks tables and text over pages, which matplotlib's PdfPages cannot, and
its licence is permissive, which that of fpdf2 (LGPL) is not. The letters are DejaVu Sans, which
comes with matplotlib and has Greek, mathematical and subscript signs.
"""

from __future__ import annotations

import functools
import io
from html import escape
from pathlib import Path
from typing import Any

from xrfengine.export.report import Heading, Picture, Report, Table, Text

_FONT, _BOLD = "XRF-Sans", "XRF-Sans-Bold"
_INK, _MUTED, _HAIRLINE = "#17211f", "#566360", "#c3cdcb"
_MARGIN_MM = 18.0


def report_pdf(report: Report) -> bytes:
    """The file."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

    _register_fonts()
    styles = _styles()
    out = io.BytesIO()
    margin = _MARGIN_MM * mm
    page = SimpleDocTemplate(
        out, pagesize=A4, title=report.title, author="", subject=report.subtitle,
        creator=report.subtitle.rpartition(", ")[2],
        leftMargin=margin, rightMargin=margin, topMargin=margin, bottomMargin=margin,
    )  # fmt: skip
    # A frame keeps 6 points of its own at each side.
    width, height = page.width - 12, page.height - 12
    story: list[Any] = [
        Paragraph(escape(report.title), styles["title"]),
        Paragraph(escape(report.subtitle), styles["muted"]),
        Spacer(1, 8),
    ]
    for block in report.blocks:
        story += _flowables(block, styles, width, height)
    footer = functools.partial(_footer, title=report.title)
    page.build(story, onFirstPage=footer, onLaterPages=footer)
    return out.getvalue()


@functools.cache
def _register_fonts() -> None:
    import matplotlib
    from reportlab.lib.fonts import addMapping
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    pdfmetrics.registerFont(TTFont(_FONT, str(folder / "DejaVuSans.ttf")))
    pdfmetrics.registerFont(TTFont(_BOLD, str(folder / "DejaVuSans-Bold.ttf")))
    for bold, italic in ((0, 0), (0, 1), (1, 0), (1, 1)):
        addMapping(_FONT, bold, italic, _BOLD if bold else _FONT)


def _styles() -> dict[str, Any]:
    from reportlab.lib.styles import ParagraphStyle

    body = ParagraphStyle(
        "body", fontName=_FONT, fontSize=8.5, leading=12, textColor=_INK, spaceBefore=3,
        spaceAfter=3, splitLongWords=True,
    )  # fmt: skip

    def style(name: str, **changes: Any) -> ParagraphStyle:
        return ParagraphStyle(name, parent=body, **changes)

    return {
        "body": body,
        "title": style("title", fontName=_BOLD, fontSize=16, leading=20, spaceAfter=2),
        "heading": style(
            "heading", fontName=_BOLD, fontSize=11, leading=14, spaceBefore=14, spaceAfter=4,
            keepWithNext=True,
        ),
        "muted": style("muted", textColor=_MUTED),
        "cell": style("cell", fontSize=7.5, leading=10, spaceBefore=0, spaceAfter=0),
        "number": style(
            "number", fontSize=7.5, leading=10, spaceBefore=0, spaceAfter=0, alignment=2
        ),
        "head": style(
            "head", fontSize=7, leading=9, spaceBefore=0, spaceAfter=0, textColor=_MUTED
        ),
        "headnumber": style(
            "headnumber", fontSize=7, leading=9, spaceBefore=0, spaceAfter=0, textColor=_MUTED,
            alignment=2,
        ),
    }  # fmt: skip


def _flowables(block: Any, styles: dict[str, Any], width: float, height: float) -> list[Any]:
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Image, Paragraph, Spacer

    if isinstance(block, Heading):
        return [Paragraph(escape(block.text), styles["heading"])]
    if isinstance(block, Text):
        return [Paragraph(escape(block.text), styles["body"])]
    if isinstance(block, Picture):
        across, down = ImageReader(io.BytesIO(block.png)).getSize()
        # High enough to be read, and low enough for its heading and a table to share the page.
        scale = min(width / across, 0.7 * height / down)
        picture = Image(
            io.BytesIO(block.png), width=across * scale, height=down * scale, hAlign="LEFT"
        )
        return [picture, Spacer(1, 6)]
    return [_table(block, styles, width), Spacer(1, 4)]


def _table(table: Table, styles: dict[str, Any], width: float) -> Any:
    from reportlab.platypus import Paragraph, TableStyle
    from reportlab.platypus import Table as Grid

    def row(cells: tuple[str, ...], text: str, number: str) -> list[Any]:
        return [
            Paragraph(escape(cell), styles[number if i in table.numbers else text])
            for i, cell in enumerate(cells)
        ]

    rows = [row(table.head, "head", "headnumber")] if table.head else []
    for cells in table.rows:
        if table.head:
            rows.append(row(cells, "cell", "number"))
        else:
            name, *rest = cells
            told = [Paragraph(escape(cell), styles["cell"]) for cell in rest]
            rows.append([Paragraph(escape(name), styles["head"]), *told])
    grid = Grid(
        rows, colWidths=[share * width for share in table.widths],
        repeatRows=1 if table.head else 0, hAlign="LEFT",
    )  # fmt: skip
    grid.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 8),
                ("TOPPADDING", (0, 0), (-1, -1), 2.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, _HAIRLINE),
            ]
        )
    )
    return grid


def _footer(canvas: Any, page: Any, *, title: str) -> None:
    canvas.saveState()
    canvas.setFont(_FONT, 7)
    canvas.setFillColor(_MUTED)
    baseline = 0.55 * page.bottomMargin
    canvas.drawString(page.leftMargin + 6, baseline, title[:100])
    right = page.pagesize[0] - page.rightMargin - 6
    canvas.drawRightString(right, baseline, f"page {page.page}")
    canvas.restoreState()
