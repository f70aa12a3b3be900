"""Files that are made to be taken home: beside the page, one at a time."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import param

from dashboard.latest import LatestOnly
from dashboard.results.base import ResultsBase
from dashboard.results.exports import analysis_of, source_of
from dashboard.shown import capital
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress


class ExportResults(ResultsBase):
    """Makes files in a folder of this session, which goes with it."""

    making = param.String("", doc="Kind of the file that is being made; empty: none.")
    made_share = param.Tuple((0.0, ""), doc="Share that is made, and what is being done.")
    made = param.Parameter(None, doc="Path of the file made last, or None")
    made_problem = param.Tuple(("", ""), doc="Kind, and why it could not be made; or empty.")

    def __init__(self, *args: Any, **params: Any) -> None:
        super().__init__(*args, **params)
        self._exporting = LatestOnly(self.deliver, self.engine.jobs)
        self._export_folder: Path | None = None

    @property
    def _all(self) -> tuple[LatestOnly, ...]:
        return (*super()._all, self._exporting)

    def close(self) -> None:
        super().close()
        self.param.update(making="", made_share=(0.0, ""))

    def make(self, kind: str, title: str) -> None:
        """Make a file of what is shown now; ``made`` says where it is."""
        from xrfengine.export.kinds import write

        try:
            analysis = analysis_of(self.session, self)
            source = source_of(self.session, self, analysis)
        except XRFError as error:
            self._cannot_make(kind, error)
            return
        folder = self._folder()

        def work(*, progress: Progress, cancel: CancelToken) -> Path:
            return write(kind, folder, analysis, source, progress=progress, cancel=cancel)

        self.param.update(making=kind, made_share=(0.0, ""), made_problem=("", ""))
        self._exporting.start(
            work,
            then=self._show_made,
            failed=lambda error: self._cannot_make(kind, error),
            stopped=self._not_made,
            progressed=lambda fraction, message: self.param.update(made_share=(fraction, message)),
            label=title,
        )

    def stop_making(self) -> None:
        self._exporting.cancel()
        self._not_made()

    def _show_made(self, path: Path) -> None:
        self.param.update(making="", made=path)

    def _cannot_make(self, kind: str, error: XRFError) -> None:
        told = f"{capital(error.message)}. {error.hint}".rstrip()
        self.param.update(making="", made_problem=(kind, told))

    def _not_made(self) -> None:
        self.making = ""

    def _folder(self) -> Path:
        if self._export_folder is None:
            self._export_folder = Path(tempfile.mkdtemp(prefix="xrf-export-"))
            weakref.finalize(self, shutil.rmtree, self._export_folder, True)
        return self._export_folder
