"""The report as one HTML file: pictures inside, nothing asked from outside, fit to print."""

from __future__ import annotations

import base64
from html import escape

from xrfengine.export.report import Heading, Picture, Report, Table, Text

_STYLE = """
:root { color-scheme: light; }
body { font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  color: #17211f; background: #fff; max-width: 760px; margin: 32px auto; padding: 0 24px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 32px 0 8px; break-after: avoid; }
p { margin: 8px 0; } p.sub { color: #566360; margin: 4px 0 16px; }
img { max-width: 100%; height: auto; display: block; }
figure { margin: 8px 0; break-inside: avoid; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: 4px 12px 4px 0; overflow-wrap: anywhere;
  border-bottom: 1px solid #dde3e2; }
th { font-weight: 600; font-size: 12px; color: #566360; }
.num { text-align: right; }
tr { break-inside: avoid; } thead { display: table-header-group; }
@page { size: A4; margin: 18mm; }
@media print { body { margin: 0; padding: 0; max-width: none; font-size: 10pt; } }
"""


def report_html(report: Report) -> bytes:
    """The file, UTF-8."""
    body = "\n".join(_block(block) for block in report.blocks)
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(report.title)}</h1>\n<p class='sub'>{escape(report.subtitle)}</p>\n"
        f"{body}\n</body>\n</html>\n"
    ).encode()


def _block(block: Heading | Text | Table | Picture) -> str:
    if isinstance(block, Heading):
        return f"<h2>{escape(block.text)}</h2>"
    if isinstance(block, Text):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Picture):
        data = base64.b64encode(block.png).decode()
        source = f"data:image/png;base64,{data}"
        return f"<figure><img src='{source}' alt='{escape(block.told, quote=True)}'></figure>"
    return _table(block)


def _table(table: Table) -> str:
    def cells(row: tuple[str, ...], tag: str) -> str:
        marks = (" class='num'" if i in table.numbers else "" for i in range(len(row)))
        return "".join(
            f"<{tag}{mark}>{escape(text)}</{tag}>" for mark, text in zip(marks, row, strict=True)
        )

    widths = "".join(f"<col style='width:{100 * share:.0f}%'>" for share in table.widths)
    head = f"<thead><tr>{cells(table.head, 'th')}</tr></thead>" if table.head else ""
    rows = "\n".join(
        f"<tr>{cells(row, 'td') if table.head else _fact(row)}</tr>" for row in table.rows
    )
    return f"<table><colgroup>{widths}</colgroup>{head}<tbody>\n{rows}\n</tbody></table>"


def _fact(row: tuple[str, ...]) -> str:
    """A row whose first cell names the second."""
    name, *rest = row
    told = "".join(f"<td>{escape(text)}</td>" for text in rest)
    return f"<th scope='row'>{escape(name)}</th>{told}"
