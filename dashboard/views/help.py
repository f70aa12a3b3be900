"""Help: what the page shows, its keys, and the introduction of a first visit."""

from __future__ import annotations

from html import escape

import panel as pn
import panel_material_ui as pmui

from dashboard.components import Tour
from dashboard.results import Results
from dashboard.session import Session
from dashboard.shortcuts import SHORTCUTS

STEPS = (
    {
        "at": "xrf-element",
        "title": "Elements found in the scan",
        "text": "Each with the share of the area where it is visible. Choose one: map, spectrum "
        "and colours follow. Lines of the X-ray tube are listed apart.",
    },
    {
        "at": "xrf-threshold",
        "title": "How sure is sure enough",
        "text": "Pixels above the threshold are in colour, the others stay a grey picture of the "
        "scan. It starts where false calls are rare.",
    },
    {
        "at": "xrf-map",
        "title": "Where it is",
        "text": "Draw around an area with the lasso: its summed spectrum and its elements appear "
        "at once. The wheel zooms; a double click on a title enlarges its pane.",
    },
    {
        "at": "xrf-spectrum",
        "title": "What it rests on",
        "text": "The spectrum of the whole scan and of what is selected, with the lines of the "
        "chosen element. Click a peak to see what could cause it.",
    },
    {
        "at": "xrf-embedding",
        "title": "What is alike",
        "text": "Every pixel a point, like spectra side by side; clusters at the right. A lasso "
        "here marks the pixels on the map.",
    },
)
_WORDS = (
    (
        "Probability",
        "How sure the network is that the element is visible in a pixel's spectrum; calibrated on "
        "simulated spectra, so that of all calls at 0.8 about four in five are right there.",
    ),
    (
        "Net counts, fitted",
        "Counts of the element's main lines by a fit of the whole spectrum, with their standard "
        "error. Pixels below three standard errors are left grey.",
    ),
    (
        "Counts in a window",
        "Counts around the main line less the background beside it: quick and familiar, but lines "
        "of other elements in the window count, too.",
    ),
    (
        "Average over k×k pixels",
        "Spectra of neighbouring pixels are added up before they are judged: less noise, coarser "
        "map.",
    ),
    (
        "In few pixels",
        "Elements that single pixels here and there show, as false calls do. What shows in pixels "
        "that touch counts as found, however few they are.",
    ),
    (
        "From the instrument",
        "Elements whose lines come from the X-ray tube or the air; of a selection also traces of "
        "steel, brass and the like near the beam. They may be in the sample, too; the scan cannot "
        "tell.",
    ),
    (
        "Clusters",
        "Groups of pixels with like spectra. Their elements are those of their summed spectra.",
    ),
)


class HelpView(pn.viewable.Viewer):
    """What is on the stage when help is asked for."""

    def __init__(self, session: Session, tour: Tour) -> None:
        super().__init__()
        keys = "".join(
            f"<tr><td><kbd>{escape(key.keys)}</kbd></td><td>{escape(key.words)}</td></tr>"
            for key in SHORTCUTS
        )
        words = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _WORDS)
        again = pmui.Button(label="Show the introduction", variant="outlined", size="small")

        def start(event) -> None:
            session.stage = ""
            tour.starts += 1

        again.on_click(start)
        self._layout = pn.Column(
            again,
            pn.pane.HTML(
                f"<div class='xrf-help'><section><h3>Words</h3><dl>{words}</dl></section>"
                f"<section><h3>Keys</h3><table>{keys}</table></section></div>",
                stylesheets=[_HELP],
                sizing_mode="stretch_width",
            ),
            sizing_mode="stretch_both",
            margin=(8, 16),
            scroll="y",
        )

    def __panel__(self) -> pn.Column:
        return self._layout


_HELP = """
.xrf-help { display: grid; grid-template-columns: repeat(auto-fit, minmax(360px, 1fr));
  gap: 16px 48px; max-width: 1200px; font-size: 14px; line-height: 1.45; color: var(--xrf-ink); }
h3 { font-size: 14px; margin: 8px 0; } dt { font-weight: 600; }
dd { margin: 0 0 12px; color: var(--xrf-muted); }
table { border-collapse: collapse; } td { padding: 4px 16px 4px 0; vertical-align: top; }
kbd { font: inherit; font-size: 12px; border: 1px solid var(--xrf-control); border-radius: 4px;
  padding: 1px 6px; white-space: nowrap; }
"""


def first_visit(results: Results) -> Tour:
    """The introduction, which begins once the first map is there."""
    tour = Tour(steps=list(STEPS), margin=0, styles={"position": "absolute"})

    def begin(*events) -> None:
        if results.maps is not None and not tour.ready:
            tour.ready = True

    results.param.watch(begin, "maps")
    return tour
