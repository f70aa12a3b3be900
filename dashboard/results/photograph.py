"""The photograph of a data set: taken, marked, laid on the scan, kept with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import param

from dashboard.keeping.photographs import (
    SUFFIXES,
    Pair,
    Photograph,
    Photographs,
    decoded,
    from_note,
    per_pixel,
    registered,
)
from dashboard.latest import LatestOnly
from dashboard.results.base import ResultsBase
from dashboard.shown import READY, State, failed_state
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress, part
from xrfengine.registration import LEAST_POINTS, Registration, refine, resample, residuals

TOPIC = "photograph"
STORED = "picture stored with the data set"
_MOST_FILES = 200


class PhotographResults(ResultsBase):
    """The photograph that lies on the map."""

    photograph = param.Parameter(None, doc="Photograph or None")
    photograph_state = param.Parameter(READY)

    def __init__(self, *args: Any, **params: Any) -> None:
        super().__init__(*args, **params)
        self._photographs = Photographs()
        self._photo = LatestOnly(self.deliver, self.engine.jobs)
        # Not in the job tray: nearly always there is nothing to load.
        self._photo_load = LatestOnly(self.deliver)
        self.param.watch(lambda *e: self._load_photograph(), "opened")

    @property
    def _all(self) -> tuple[LatestOnly, ...]:
        return (*super()._all, self._photo, self._photo_load)

    def photograph_files(self) -> tuple[str, ...]:
        """Images that lie among the data, by their path there; reads the folder: any thread."""
        folder, found = self.engine.data_folder, []
        if self.opened is not None and self.engine.data_folder is None:
            return (STORED,) if self.engine.picture(self.opened.id) is not None else ()
        for path in sorted(folder.rglob("*")) if folder is not None else ():
            if path.suffix.lower() in SUFFIXES and path.is_file():
                found.append(path.relative_to(folder).as_posix())
            if len(found) == _MOST_FILES:
                break
        return tuple(found)

    def _load_photograph(self) -> None:
        self._photo.cancel()
        self.param.update(photograph=None, photograph_state=READY)
        if self.opened is None:
            return
        dataset = self.opened.id

        def work(*, progress: Progress, cancel: CancelToken) -> Photograph | None:
            note = self.notes.of(dataset).get(TOPIC)
            picture = None if note is None else self._photographs.load(dataset)
            if picture is None:
                return None
            try:
                return from_note(note, picture, self._photographs.load(dataset, "laid"))
            except ValueError as reason:
                raise XRFError(
                    f"Of the photograph, {reason}", "Choose the photograph again."
                ) from None

        self._photo_load.start(
            work,
            then=lambda photo: self.param.update(photograph=photo),
            failed=self._photograph_failed,
        )

    def take_photograph(self, data: bytes, name: str) -> None:
        """A file that was sent."""
        self._begin_photograph(lambda: decoded(data), name)

    def take_photograph_file(self, name: str) -> None:
        """One of :meth:`photograph_files`."""

        def read() -> np.ndarray:
            # Only what is listed can be opened.
            if name not in self.photograph_files():
                raise XRFError(f"There is no image {name!r} here", "Choose one from the list.")
            if name == STORED:
                return self.engine.picture(self.opened.id)
            return decoded(Path(self.engine.data_folder) / name)

        self._begin_photograph(read, name)

    def _begin_photograph(self, read: Callable[[], np.ndarray], name: str) -> None:
        if self.opened is None:
            return
        dataset = self.opened.id

        def work(*, progress: Progress, cancel: CancelToken) -> Photograph:
            progress(0.1, "Reading the photograph")
            photo = Photograph(name, np.ascontiguousarray(read()))
            self._photographs.keep(dataset, photo.picture)
            self._keep_photograph(dataset, photo)
            return photo

        self._start_photograph("Reading the photograph", work)

    def mark_photograph(self, pairs: tuple[Pair, ...]) -> None:
        """Pairs of places; from four on the photograph is laid on the scan."""
        photo, opened = self.photograph, self.opened
        if photo is None or opened is None:
            return
        shape_yx, dataset = opened.cube.shape[:2], opened.id

        def work(*, progress: Progress, cancel: CancelToken) -> Photograph:
            marked = replace(photo, pairs=pairs, registration=None, laid=None, is_refined=False)
            if len(pairs) >= LEAST_POINTS:
                found = registered(pairs)
                progress(0.3, "Laying the photograph on the scan")
                marked = self._lay_photograph(dataset, marked, found, shape_yx)
            self._keep_photograph(dataset, marked)
            return marked

        # The points show at once; whether they determine anything comes with the work.
        self.photograph = replace(photo, pairs=pairs, registration=None)
        self._start_photograph("Laying the photograph on the scan", work)

    def refine_photograph(self) -> None:
        """Move the photograph to where it and the counts tell most of one another."""
        photo, opened = self.photograph, self.opened
        if photo is None or photo.registration is None or opened is None:
            return
        shape_yx, dataset = opened.cube.shape[:2], opened.id

        def work(*, progress: Progress, cancel: CancelToken) -> Photograph:
            matrix, is_better = refine(
                opened.total_counts, photo.picture, photo.registration.matrix,
                progress=part(progress, 0.0, 0.9), cancel=cancel,
            )  # fmt: skip
            if not is_better:
                raise XRFError(
                    "No better place was found near the points",
                    "The photograph stays where the points put it.",
                )
            points = np.asarray(photo.pairs).reshape(-1, 4)
            found = Registration(matrix, residuals(matrix, points[:, :2], points[:, 2:]))
            moved = self._lay_photograph(dataset, replace(photo, is_refined=True), found, shape_yx)
            self._keep_photograph(dataset, moved)
            return moved

        self._start_photograph("Refining how the photograph lies", work)

    def cancel_photograph(self) -> None:
        self._photo.cancel()
        self.photograph_state = READY

    def forget_photograph(self) -> None:
        """Take the photograph away from the data set."""
        if self.opened is None:
            return
        self._photo.cancel()
        try:
            self.notes.keep(self.opened.id, TOPIC, None)
            self._photographs.forget(self.opened.id)
        except (OSError, KeyError) as error:
            self._photograph_failed(XRFError("It could not be removed", str(error)))
            return
        self.param.update(photograph=None, photograph_state=READY)

    def _lay_photograph(
        self, dataset: str, photo: Photograph, found: Registration, shape_yx: tuple[int, int]
    ) -> Photograph:
        laid = resample(photo.picture, found.matrix, shape_yx, per_pixel(shape_yx))
        self._photographs.keep(dataset, laid, "laid")
        return replace(photo, registration=found, laid=laid)

    def _keep_photograph(self, dataset: str, photo: Photograph) -> None:
        self.notes.keep(dataset, TOPIC, photo.note())

    def _start_photograph(self, label: str, work: Callable[..., Photograph]) -> None:
        def then(photo: Photograph) -> None:
            is_first = photo.laid is not None and not self.session.photo_opacity
            self.param.update(photograph=photo, photograph_state=READY)
            if is_first:
                with self.session.by_itself():
                    self.session.photo_opacity = 50

        self._photo.start(
            work,
            then=then,
            failed=self._photograph_failed,
            stopped=self.cancel_photograph,
            progressed=lambda fraction, message: self.param.update(
                photograph_state=State("loading", label, fraction=fraction, action="Cancel")
            ),
            label=label,
        )

    def _photograph_failed(self, error: XRFError) -> None:
        self.photograph_state = failed_state(error, "Close")
