"""What all commands share: errors on one line, progress, JSON, tables, files written whole."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from xrfengine.cache import written_whole
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress, no_progress

if TYPE_CHECKING:
    import xarray as xr


class UsageError(XRFError):
    """The command line itself is wrong."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints come as one line, like every other bad input."""

    def error(self, message: str) -> NoReturn:
        command = self.prog.partition(" ")[2]
        raise UsageError(
            f"{command}: {message}" if command else message, f"See {self.prog} --help."
        )


class Terminal:
    """Where a command prints, and how it learns of Ctrl-C."""

    def __init__(self) -> None:
        self.cancel = CancelToken()

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C cancel at the next safe point; a second one breaks off at once.

        Training keeps its state that way, and no temporary file is left behind.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: Any) -> None:
            if self.cancel.is_cancelled:
                raise KeyboardInterrupt
            self.cancel.cancel()

        before = signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """A progress bar on stderr, where that is a terminal."""
        if not sys.stderr.isatty():
            yield no_progress
            return
        from tqdm import tqdm

        layout = "{desc:36.36s} {percentage:3.0f}% |{bar}| {elapsed} < {remaining}"
        with tqdm(total=1.0, leave=False, file=sys.stderr, bar_format=layout) as bar:

            def progress(fraction: float, message: str = "") -> None:
                if message:
                    bar.set_description_str(message, refresh=False)
                bar.update(min(max(fraction, 0.0), 1.0) - bar.n)

            yield progress

    def print(self, text: str) -> None:
        sys.stdout.write(text + "\n")

    def print_json(self, facts: Any) -> None:
        """One JSON document on stdout; numbers that JSON lacks become null."""
        text = json.dumps(_plain(facts), ensure_ascii=False, indent=1, allow_nan=False)
        self.print(text)

    def print_table(self, rows: Sequence[Sequence[str]], indent: str = "") -> None:
        """Columns of text, aligned; every row has the same number of cells."""
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.print((indent + "  ".join(cells)).rstrip())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy arrays and numbers
        return _plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def check_output(out: Path, suffixes: Sequence[str], inputs: Sequence[Path] = ()) -> Path:
    """Refuse an output that cannot be written, before the work is done.

    Raises
    ------
    XRFError
        If it has another extension, is a folder, or is one of the inputs.
    """
    if out.suffix.lower() not in suffixes:
        raise XRFError(
            f"{out}: the output has the extension {out.suffix or '(none)'}",
            f"Name it something{suffixes[0]}.",
        )
    if out.is_dir():
        raise XRFError(f"{out}: the output is a folder", "Name a file in it.")
    for path in inputs:
        if out.resolve() == Path(path).resolve():
            raise XRFError(f"{out}: the output would overwrite the input", "Give it another name.")
    return out


@contextlib.contextmanager
def output(out: Path) -> Iterator[Path]:
    """A temporary path that becomes ``out`` once the block has succeeded.

    Raises
    ------
    XRFError
        If it cannot be written.
    """
    try:
        with written_whole(out) as temporary:
            yield temporary
    except OSError as error:
        raise XRFError(
            f"{out}: cannot be written ({error.strerror or error})",
            "Choose a folder you may write to, with room left.",
        ) from error


def write_netcdf(data: xr.Dataset, out: Path) -> None:
    """Write a data set, compressed, whole or not at all."""
    packed = {"zlib": True, "complevel": 3, "shuffle": True}
    encoding = {
        name: packed for name, item in data.data_vars.items() if item.ndim > 1 and item.size
    }
    with output(out) as temporary:
        data.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
