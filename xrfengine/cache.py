"""Results that are computed once: keyed by content, bounded in bytes, single flight.

Keys are built by :func:`digest` from explicit parts (the digest of a cube, a frozen settings
object, a name). Arrays are never hashed implicitly: sampling caches return stale results.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress

_TREE_FROM_BYTES = 64 << 20
"""Larger arrays are digested block by block, for it takes seconds otherwise."""

_LISTEN_S = 0.05
"""How long a cancel goes unheard while another computes."""


def digest(*parts: Any) -> str:
    """A 16-character hexadecimal digest of strings, numbers, settings and arrays.

    Dataclasses count by class name and fields, arrays by shape, type and every byte. Raises
    TypeError for anything whose content is not explicit.
    """
    h = hashlib.blake2b(digest_size=8)
    for item in parts:
        _feed(h, item)
    return h.hexdigest()


def _feed(h: Any, item: Any) -> None:
    if isinstance(item, np.ndarray):
        h.update(f"array{item.shape}{item.dtype.str}".encode())
        blocks = np.array_split(item, max(1, item.nbytes >> 24)) if item.ndim else [item]
        if item.nbytes < _TREE_FROM_BYTES:
            for block in blocks:
                h.update(np.ascontiguousarray(block).view(np.uint8).data)
            return
        # Every core takes blocks of its own; what they give does not depend on how many there are.
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="digest") as pool:
            for part in pool.map(_block_digest, blocks):
                h.update(part)
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        h.update(type(item).__name__.encode())
        for f in dataclasses.fields(item):
            h.update(f.name.encode())
            _feed(h, getattr(item, f.name))
    elif isinstance(item, (list, tuple)):
        h.update(f"seq{len(item)}".encode())
        for value in item:
            _feed(h, value)
    elif isinstance(item, dict):
        _feed(h, sorted(item.items()))
    elif item is None or isinstance(item, (str, bytes, bool, int, float, np.generic)):
        value = item.item() if isinstance(item, np.generic) else item
        h.update(f"{type(value).__name__}:{value!r};".encode())
    else:
        message = f"cannot digest a {type(item).__name__}: its content is not explicit"
        raise TypeError(message)


def _block_digest(block: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(block).view(np.uint8).data).digest()


def cache_folder() -> Path:
    """The user's cache folder for this software; ``XRF_CACHE`` overrides it."""
    if "XRF_CACHE" in os.environ:
        return Path(os.environ["XRF_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "xrfengine"


@contextlib.contextmanager
def written_whole(path: Path) -> Any:
    """Yield a temporary path beside ``path``; rename it into place when the block succeeds.

    Readers see the old file or the new one, never half of one. The temporary file keeps the
    suffix, so that writers which look at it behave.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class Storable(Protocol):
    """How results of a type are put on disk as plain arrays and read back.

    Mostly the type itself; a class apart may keep another's results in fewer bytes.
    """

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]: ...

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> Storable: ...


@dataclasses.dataclass
class _Flight:
    """A computation under way; others who ask for the same key wait on ``landed``."""

    landed: threading.Event = dataclasses.field(default_factory=threading.Event)


class _Sharing(CancelToken):
    """Who waits for one computation, and how far it is; cancelled once all of them cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[CancelToken] = []
        self.reported: tuple[float, str] = (0.0, "")

    @property
    def is_cancelled(self) -> bool:
        return all(token.is_cancelled for token in tuple(self.waiting))


class ResultCache:
    """Least-recently-used results, bounded in bytes; optionally also on disk.

    Parameters
    ----------
    max_bytes : int
        Bound of what is held in memory. The newest result is always kept, whatever its size.
    folder : Path or None
        Where :class:`Storable` results are kept between runs; None keeps nothing.
    max_disk_bytes : int
        Bound of the folder; the files that were not used for longest go first.
    """

    def __init__(
        self,
        max_bytes: int = 2 << 30,
        folder: Path | None = None,
        max_disk_bytes: int = 8 << 30,
    ) -> None:
        self.max_bytes = max_bytes
        self.folder = folder
        self.max_disk_bytes = max_disk_bytes
        self._lock = threading.Lock()
        self._items: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._flights: dict[str, _Flight] = {}
        self._shared: dict[str, _Sharing] = {}
        self._bytes = 0

    def get(
        self,
        key: str,
        compute: Callable[[], Any],
        *,
        stored: type | None = None,
        cancel: CancelToken = NEVER,
        meanwhile: Callable[[], None] | None = None,
    ) -> Any:
        """Return the result under ``key``, computing it at most once at a time.

        Two callers asking for the same key wait for one computation. If that computation is
        cancelled or fails, the one who ran it gets the exception; those who waited try
        themselves, since their own cancel token may still be unset.

        Parameters
        ----------
        key : str
            From :func:`digest`; must cover everything the result depends on.
        compute : callable
            Called without arguments, outside any lock.
        stored : type or None
            A :class:`Storable` type: look for the result on disk first, and keep it there.
        cancel : CancelToken
            Ends the waiting for somebody else's computation, which itself goes on.
        meanwhile : callable or None
            Called now and then while somebody else computes.

        Raises
        ------
        Cancelled
            Within 50 ms after ``cancel`` was set, if another computes.
        """
        while True:
            with self._lock:
                if key in self._items:
                    self._items.move_to_end(key)
                    return self._items[key][0]
                flight = self._flights.get(key)
                mine = flight is None
                if flight is None:
                    flight = self._flights[key] = _Flight()
            if not mine:
                while not flight.landed.wait(_LISTEN_S):
                    cancel.check()
                    if meanwhile is not None:
                        meanwhile()
                continue
            try:
                result = self._from_disk(key, stored)
                if result is None:
                    result = compute()
                    self._to_disk(key, result, stored)
                self._put(key, result)
                return result
            finally:
                with self._lock:
                    del self._flights[key]
                flight.landed.set()

    def get_shared(
        self,
        key: str,
        compute: Callable[..., Any],
        *,
        stored: type | None = None,
        progress: Progress = no_progress,
        cancel: CancelToken = NEVER,
    ) -> Any:
        """As :meth:`get`, for work of minutes that nobody's leaving must take from another.

        ``compute(progress=…, cancel=…)`` runs in the thread of whoever asks first. It is
        cancelled only once everybody who asks for it has cancelled; all see its progress.
        """
        with self._lock:
            sharing = self._shared.setdefault(key, _Sharing())
            sharing.waiting.append(cancel)

        def report(fraction: float, message: str = "") -> None:
            sharing.reported = (fraction, message)
            progress(fraction, message)

        try:
            return self.get(
                key,
                lambda: compute(progress=report, cancel=sharing),
                stored=stored,
                cancel=cancel,
                meanwhile=lambda: progress(*sharing.reported),
            )
        finally:
            with self._lock:
                sharing.waiting.remove(cancel)
                if not sharing.waiting:
                    self._shared.pop(key, None)

    def peek(self, key: str) -> Any | None:
        """The result if it is in memory, else None; never waits."""
        with self._lock:
            item = self._items.get(key)
            return None if item is None else item[0]

    def find(self, key: str, *, stored: type | None = None) -> Any | None:
        """The result if it is in memory or on disk, else None; never computes, never waits."""
        result = self.peek(key)
        if result is None:
            result = self._from_disk(key, stored)
            if result is not None:
                self._put(key, result)
        return result

    def holds(self, key: str) -> bool:
        """Whether the result is in memory or on disk: :meth:`get` need not compute it."""
        with self._lock:
            if key in self._items:
                return True
        return self.folder is not None and self._path(key).exists()

    def clear(self) -> None:
        with self._lock:
            self._items.clear()
            self._bytes = 0

    @property
    def nbytes(self) -> int:
        return self._bytes

    def _put(self, key: str, result: Any) -> None:
        size = size_of(result)
        with self._lock:
            _, replaced = self._items.pop(key, (None, 0))
            self._items[key] = (result, size)
            self._bytes += size - replaced
            while self._bytes > self.max_bytes and len(self._items) > 1:
                _, (_, freed) = self._items.popitem(last=False)
                self._bytes -= freed

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{key}.npz"

    def _from_disk(self, key: str, stored: type | None) -> Any | None:
        if stored is None or self.folder is None or not self._path(key).exists():
            return None
        try:
            with self._path(key).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files if name != "meta"}
                meta = json.loads(str(file["meta"]))
            self._path(key).touch()  # marks it as used, for pruning
            return stored.from_arrays(arrays, meta)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            # A damaged or outdated file is no reason to fail: the result can be computed.
            self._path(key).unlink(missing_ok=True)
            return None

    def _to_disk(self, key: str, result: Any, stored: type | None) -> None:
        if stored is None or self.folder is None:
            return
        arrays, meta = stored.to_arrays(result)
        # A full or read-only disk costs the reopening its speed, not the user the result.
        with contextlib.suppress(OSError), written_whole(self._path(key)) as temporary:
            np.savez(temporary, meta=np.asarray(json.dumps(meta)), **arrays)
        with contextlib.suppress(OSError):
            self._prune()

    def _prune(self) -> None:
        assert self.folder is not None
        files = sorted(self.folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in files)
        for path in files[:-1]:
            if total <= self.max_disk_bytes:
                break
            total -= path.stat().st_size
            path.unlink(missing_ok=True)


def size_of(result: Any) -> int:
    """Bytes held by the arrays of a result (nested tuples, lists, dicts, dataclasses)."""
    if isinstance(result, np.ndarray):
        return result.nbytes
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return 64 + sum(size_of(getattr(result, f.name)) for f in dataclasses.fields(result))
    if isinstance(result, dict):
        return 64 + sum(size_of(value) for value in result.values())
    if isinstance(result, (list, tuple)):
        return 64 + sum(size_of(value) for value in result)
    return 64


__all__ = [
    "ResultCache",
    "Storable",
    "cache_folder",
    "digest",
    "size_of",
    "written_whole",
]
