"""Pigment candidates for the selection or, without one, for the whole scan; folded at first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import panel as pn

from dashboard.components.taking_home import Pigments
from dashboard.latest import LatestOnly
from dashboard.results import Results
from dashboard.session import Session
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress

MOST_GROUPS = 14
_STYLES = {"padding": "4px 16px 12px", "border-top": "1px solid var(--xrf-hairline)"}
_WHOLE = (
    "Of the whole scan: elements of different places come together. Select a detail for a closer "
    "answer."
)


class PigmentsView(pn.viewable.Viewer):
    """The card below the selection. Nothing is looked up while it is folded."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._looking = LatestOnly(results.deliver)
        self.card = Pigments(
            margin=0, sizing_mode="stretch_width", styles=_STYLES, css_classes=["xrf-pigment-card"],
            on_message=self._take_message,
        )  # fmt: skip
        results.param.watch(lambda *e: self._look(), ["selected", "opened", "errors"])
        session.param.watch(lambda *e: self._look(), "overrides")
        session.param.watch(lambda *e: self._list(), "element")
        self._candidates: tuple = ()

    def __panel__(self) -> Pigments:
        return self.card

    def _take_message(self, data: dict[str, Any]) -> None:
        self.card.is_open = bool(data.get("open"))
        self._look()

    def _look(self) -> None:
        if not self.card.is_open:
            return
        results, opened, selected = self.results, self.results.opened, self.results.selected
        if opened is None:
            self._looking.cancel()
            self._candidates = ()
            self.card.param.update(
                about="No scan is open.", groups=[], hint="", busy=False, problem=""
            )
            return
        said = tuple((s, word == "present") for s, word in self.session.overrides.verdicts)
        mask = None if selected is None else selected.mask
        maps, errors, engine = results.maps, results.errors, results.engine
        identified = None if selected is None else selected.identified

        def work(*, progress: Progress, cancel: CancelToken) -> tuple:
            from xrfengine.pigments import candidates, from_instrument

            verdicts = identified
            if verdicts is None:
                spectrum = opened.whole if selected is None else selected.spectrum
                verdicts = engine.identify(spectrum, scan=opened.cube, cancel=cancel)
            counts = net_counts(maps, errors, mask)
            return candidates(verdicts, counts, overruled=said), from_instrument(verdicts)

        self.card.param.update(
            about=_WHOLE if selected is None else f"Of {selected.title}.", busy=True, problem=""
        )
        self._looking.start(work, then=self._show, failed=self._cannot)

    def _show(self, found: tuple) -> None:
        from xrfengine.pigments import unseen

        self._candidates, instrument = found
        hint = ""
        if instrument:
            hint = (
                f"{', '.join(instrument)}: shown by the instrument as well. Pigments "
                "that need it cannot be judged here."
            )
        self._list()
        self.card.param.update(
            hint=hint,
            busy=False,
            unseen=[{"name": each.name, "why": each.why} for each in unseen()],
        )

    def _list(self) -> None:
        self.card.groups = groups(self._candidates, self.session.element)

    def _cannot(self, error: XRFError) -> None:
        self._candidates = ()
        self.card.param.update(groups=[], busy=False, problem=str(error))


def net_counts(
    maps: Any, errors: dict[str, np.ndarray] | None, mask: np.ndarray | None
) -> dict[str, tuple[float, float]]:
    """Mean net counts of the pixels with their standard error, where the maps are fits."""
    if maps is None or errors is None or maps.kind != "fit":
        return {}
    where = np.ones(maps.values.shape[1:], bool) if mask is None else mask
    n = max(int(np.count_nonzero(where)), 1)
    # The pixels of a region share one fit: their errors are one, not many.
    independent = max(n / maps.region_px**2, 1.0)
    return {
        element: (
            float(maps[element][where].mean(dtype=np.float64)),
            float(np.sqrt(np.mean(errors[element][where].astype(np.float64) ** 2) / independent)),
        )
        for element in maps.elements
        if element in errors
    }


def groups(candidates: Sequence[Any], element: str = "") -> list[dict[str, Any]]:
    """Candidates that need the same elements, together; those of ``element`` before the others."""
    from xrfengine.pigments import grouped

    candidates = sorted(candidates, key=lambda each: element not in each.pigment.needs)
    listed = []
    for members in grouped(candidates)[:MOST_GROUPS]:
        first = members[0]
        names = [each.pigment.name.partition(",")[0].partition(" (")[0] for each in members]
        told = first.sentence.partition("): ")[2]
        if len(members) > 1:
            told = "The same elements: colour and date tell them apart, XRF does not"
        listed.append(
            {
                "id": first.pigment.id,
                "elements": " ".join(first.pigment.needs),
                "title": _or(names),
                "told": told,
                "pigments": [_entry(each) for each in members],
            }
        )
    return listed


def _entry(each: Any) -> dict[str, Any]:
    pigment = each.pigment
    return {
        "name": pigment.name,
        "formula": pigment.formula,
        "colour": pigment.colour,
        "dates": pigment.dates,
        "speaks_for": list(each.speaks_for),
        "speaks_against": list(each.speaks_against),
        "unseen": list(each.unseen),
        "note": pigment.note,
        "sources": list(pigment.sources),
    }


def _or(names: Sequence[str]) -> str:
    *first, last = [names[0], *(name[0].lower() + name[1:] for name in names[1:])]
    return f"{', '.join(first)} or {last}" if first else last
