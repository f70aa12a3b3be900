"""The keys of the page, in one place: the page listens by this table and the help shows it."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.keeping.history import History
from dashboard.session import REGIONS_PX, Session


@dataclass(frozen=True)
class Shortcut:
    """One key.

    ``keys`` is written as people read it ("Ctrl+Z"); ``act`` is what the browser sends for it, and
    empty for keys that a pane handles itself.
    """

    keys: str
    words: str
    act: str = ""


SHORTCUTS = (
    Shortcut("Esc", "Close what is open; then clear the selection", "Escape"),
    Shortcut("Enter", "Keep the selection as a region"),
    Shortcut("Shift", "While drawing: add to the selection"),
    Shortcut("Alt", "While drawing: take away from the selection"),
    Shortcut("Ctrl+Z", "Undo", "undo"),
    Shortcut("Ctrl+Shift+Z", "Redo", "redo"),
    Shortcut("/", "Search an element", "search"),
    Shortcut("T", "Periodic table", "stage:table"),
    Shortcut("G", "All maps as a grid", "stage:maps"),
    Shortcut("C", "Compare maps", "stage:compare"),
    Shortcut("]", "Next found element", "next"),
    Shortcut("[", "Previous found element", "previous"),
    *(
        Shortcut(str(n), f"Average over {k}×{k} pixels" if k > 1 else "Every pixel", f"region:{k}")
        for n, k in enumerate(REGIONS_PX, 1)
    ),
    Shortcut("L", "Logarithmic or linear spectrum", "scale"),
    Shortcut("↑ ↓", "Move the edge of an energy window, once it has the focus"),
    Shortcut("?", "This help", "stage:help"),
)


def perform(act: str, session: Session, history: History, found: tuple[str, ...]) -> None:
    """Do what a key stands for; ``found`` are the symbols found, in their order."""
    kind, _, what = act.partition(":")
    match kind:
        case "Escape":
            session.selection = None
        case "undo":
            history.undo()
        case "redo":
            history.redo()
        case "stage":
            session.stage = "" if session.stage == what else what
        case "region" if what.isdigit() and int(what) in REGIONS_PX:
            session.region_px = int(what)
        case "scale":
            session.scale = "linear" if session.scale == "log" else "log"
        case "next" | "previous" if found:
            step = 1 if kind == "next" else -1
            at = found.index(session.element) if session.element in found else -1 * (step > 0)
            session.element = found[(at + step) % len(found)]
