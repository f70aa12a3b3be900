"""The engine's tiles: made beside when a scan is opened; regions and coarse maps use them."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING
from weakref import WeakSet

from xrfengine.cache import ResultCache, digest
from xrfengine.cube import Cube
from xrfengine.errors import Cancelled
from xrfengine.jobs import CancelToken

if TYPE_CHECKING:
    from xrfengine.store import Tiles

TILED_FROM_BYTES = 32 << 20
"""Of smaller cubes any region is summed in a few milliseconds anyhow."""


class TileResults:
    """Tiles of the scans that :class:`~xrfengine.engine.Engine` has open."""

    _tiles: ResultCache
    _tiling: WeakSet[Cube]
    _tiling_lock: threading.Lock
    _closing: CancelToken
    _executor: Executor

    def _tiles_of(self, cube: Cube) -> Tiles | None:
        """The cube's tiles if they are at hand; else they are begun, once. Never waits."""
        if cube.counts.nbytes < TILED_FROM_BYTES:
            return None
        tiles = self._tiles.peek(digest("tiles", cube.digest))
        if tiles is None:
            self._begin_tiles(cube)
        return tiles

    def _tiles_for(self, cube: Cube, region_px: int, cancel: CancelToken) -> Tiles | None:
        """The tiles if they hold regions of this size, made or waited for: faster than summing."""
        from xrfengine.store import SIDES_PX

        if cube.counts.nbytes < TILED_FROM_BYTES or region_px % SIDES_PX[0]:
            return None
        try:
            return self._made(cube, cancel)
        except MemoryError as error:
            _tell(error)
            return None

    def _begin_tiles(self, cube: Cube) -> None:
        """Make the tiles beside, unless that is under way."""
        if cube.counts.nbytes < TILED_FROM_BYTES:
            return
        with self._tiling_lock:
            if cube in self._tiling:
                return
            self._tiling.add(cube)

        def make() -> None:
            try:
                self._made(cube, self._closing)
            except Cancelled:
                return  # the engine closes: nobody waits for them
            finally:
                with self._tiling_lock:
                    self._tiling.discard(cube)

        self._executor.submit(make).add_done_callback(_log_failure)

    def _made(self, cube: Cube, cancel: CancelToken) -> Tiles:
        from xrfengine.store import make_tiles

        key = digest("tiles", cube.digest)
        return self._tiles.get(key, lambda: make_tiles(cube, cancel=cancel), cancel=cancel)


def _log_failure(done: Future[None]) -> None:
    """Nobody waits for work done ahead, and regions are read without it; the operator is told."""
    error = None if done.cancelled() else done.exception()
    if error is not None:
        _tell(error)


def _tell(error: BaseException) -> None:
    logging.getLogger(__name__).error("the tiles of a scan were not made", exc_info=error)
