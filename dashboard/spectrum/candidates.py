"""The sheet that says what a clicked peak can be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from dashboard.components.spectrum import Candidates
from dashboard.results import Results
from dashboard.session import Session


def candidates_panel(session: Session, results: Results, close: Callable[[], None]) -> Candidates:
    """The list of candidates; it follows session and results.

    Parameters
    ----------
    close : callable
        Closes the sheet that it is in.
    """
    panel = Candidates(
        sizing_mode="stretch_width", margin=0,
        on_message=lambda data: _take(session, close, data),
    )  # fmt: skip

    def refresh(*events: Any) -> None:
        peak, state = results.peak, results.peak_state
        told = {
            "kind": state.kind, "message": state.message, "hint": state.hint,
            "fraction": state.fraction,
        }  # fmt: skip
        if session.peak_kev is None:
            told = {"kind": "empty", "message": "Click a peak of the spectrum to see what it is."}
        panel.param.update(
            title="What is this peak?" if peak is None else f"Peak at {peak.energy_kev:.2f} keV",
            sentence="" if peak is None else _verdict(peak),
            items=[] if peak is None else [_item(one) for one in peak.candidates],
            value=session.element,
            source="scan" if results.selected is None else session.read_from,
            has_selection=results.selected is not None,
            state=told,
        )

    results.param.watch(refresh, ["peak", "peak_state", "selected"])
    session.param.watch(refresh, ["element", "peak_kev", "read_from"])
    refresh()
    return panel


def _take(session: Session, close: Callable[[], None], data: dict[str, Any]) -> None:
    if "element" in data:
        session.element = str(data["element"])
    elif data.get("source") in ("selection", "scan"):
        session.read_from = data["source"]
    elif data.get("act") == "close":
        close()


def _verdict(peak: Any) -> str:
    if not peak.is_seen:
        return peak.sentence()
    # No more digits than the error leaves.
    digits = 1 - math.floor(math.log10(max(peak.error, 1.0)))
    counts, error = (round(value, digits) for value in (peak.counts, peak.error))
    return f"{peak.sentence()} It holds {counts:,.0f} ± {error:,.0f} net counts."


def _item(one: Any) -> dict[str, Any]:
    """A candidate as plain values."""
    tags = []
    if one.is_instrument:
        tags.append("instrument")
    elif one.is_reported:
        tags.append("found")
    return {
        "name": _named(one.name),
        "element": one.element,
        "share": one.share,
        "distance": None if math.isnan(one.distance_ev) else round(one.distance_ev),
        "tags": tags,
        "sentence": one.sentence,
        "lines": [
            {
                "name": line.name, "energy": line.energy_kev, "expected": line.expected,
                "observed": line.observed, "error": line.error, "state": line.state,
            }
            for line in one.lines
        ],
    }  # fmt: skip


def _named(name: str) -> str:
    """``the escape peak of Fe Kα`` as a heading."""
    plain = name.removeprefix("the ").removeprefix("a ")
    return plain[:1].upper() + plain[1:]
