"""What people keep on the server: saved views, and notes that belong to a data set.

A view is the session's state (:meth:`dashboard.session.Session.state`), a few kilobytes of JSON;
notes are what holds whoever looks: elements overruled, the pixel's size, a calibration. Both lie in
a folder of their own, not among cached results: nothing here can be computed again. Files are
written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrfengine.cache import digest, written_whole
from xrfengine.errors import XRFError

LONGEST_NAME = 80
MOST_BYTES = 2_000_000
"""Of one view: regions of a large scan take some hundred kilobytes."""
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class SavedView:
    """One entry of the list."""

    id: str
    name: str
    saved_at: float


def state_folder() -> Path:
    """Where what people keep is kept; ``XRF_STATE`` overrides it."""
    if "XRF_STATE" in os.environ:
        return Path(os.environ["XRF_STATE"]).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "xrfengine"


class SavedViews:
    """Views of all data sets, in a folder.

    Parameters
    ----------
    folder : Path or None
        None: in :func:`state_folder`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or state_folder() / "views"

    def keep(self, dataset: str, state: dict[str, Any], name: str = "") -> str:
        """Keep a state; its id. Without a name it is kept for a link and not listed.

        Raises XRFError if the name is too long or the folder cannot be written.
        """
        name = name.strip()
        if len(name) > LONGEST_NAME:
            raise XRFError(f"The name has {len(name)} characters", f"Give at most {LONGEST_NAME}.")
        text = json.dumps(state, sort_keys=True, ensure_ascii=False)
        if len(text.encode()) > MOST_BYTES:
            raise XRFError("The view is too large to be saved", "Remove some of its regions.")
        id_ = hashlib.sha256(f"{dataset}\0{name}\0{text}".encode()).hexdigest()[:12]
        held = {"dataset": dataset, "name": name, "saved_at": time.time(), "state": state}
        _write(self._path(dataset, id_), held)
        return id_

    def listed(self, dataset: str) -> tuple[SavedView, ...]:
        """The named views of a data set, newest first; damaged files are left out."""
        views = []
        for path in self._path(dataset, "0" * 12).parent.glob("*.json"):
            held = _read(path)
            if held is not None and held["name"]:
                views.append(SavedView(path.stem, held["name"], held["saved_at"]))
        return tuple(sorted(views, key=lambda view: -view.saved_at))

    def state(self, dataset: str, id_: str) -> dict[str, Any]:
        """The state kept under an id.

        Raises XRFError if there is none, or it is damaged.
        """
        held = _read(self._path(dataset, id_)) if _ID.fullmatch(id_) else None
        if held is None:
            raise XRFError(
                f"The saved view “{id_}” is not here",
                "It was deleted, or saved on another server. The scan opens as it is.",
            )
        return held["state"]

    def delete(self, dataset: str, id_: str) -> None:
        """Forget a view; nothing if there is none."""
        if _ID.fullmatch(id_):
            self._path(dataset, id_).unlink(missing_ok=True)

    def _path(self, dataset: str, id_: str) -> Path:
        return self._folder / digest(dataset)[:16] / f"{id_}.json"


class Notes:
    """What is known of a data set beyond its file, by topic; one file a data set.

    Topics are named by who keeps them: ``"overrides"``, ``"pixel_size_mm"``.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or state_folder() / "notes"
        self._lock = threading.Lock()

    def of(self, dataset: str) -> dict[str, Any]:
        """All notes of a data set, by topic; empty if there are none or the file is damaged."""
        return _json(self._path(dataset)) or {}

    def keep(self, dataset: str, topic: str, value: Any) -> None:
        """Keep what JSON can hold under a topic; None forgets it.

        Raises XRFError if the folder cannot be written.
        """
        with self._lock:
            notes = {**self.of(dataset), topic: value}
            if value is None:
                del notes[topic]
            _write(self._path(dataset), notes)

    def _path(self, dataset: str) -> Path:
        return self._folder / f"{digest(dataset)[:16]}.json"


def _write(path: Path, held: dict[str, Any]) -> None:
    try:
        with written_whole(path) as beside:
            beside.write_text(json.dumps(held, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise XRFError(
            f"Nothing could be written to {path.parent}: {error.strerror}",
            "Ask whoever looks after this server for room and rights there.",
        ) from error


def _json(path: Path) -> dict[str, Any] | None:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return held if isinstance(held, dict) else None


def _read(path: Path) -> dict[str, Any] | None:
    """What a file holds; None if it is no saved view."""
    held = _json(path)
    sound = (
        held is not None
        and isinstance(held.get("name"), str)
        and isinstance(held.get("saved_at"), int | float)
        and isinstance(held.get("state"), dict)
    )
    return held if sound else None
