"""The address of a view: its choices, and by number whatever is too large for an address.

A lasso or twenty regions do not fit into a link. They are kept on the server shortly after they
change, and the address names them; so a link, a reload and a connection that was lost lead back
to the very view.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from dashboard.keeping.saved import SavedViews
from dashboard.latest import Deliver
from dashboard.session import Session
from xrfengine.errors import XRFError

log = logging.getLogger(__name__)
KEEP_AFTER_S = 1.0
"""Of quiet: not every corner of a polygon needs to be on the disk."""


def restored(session: Session, query: Mapping[str, str], views: SavedViews) -> list[str]:
    """Bring a session to what an address asks for.

    Returns
    -------
    list of str
        What could not be restored, one sentence each; empty for a sound link.
    """
    id_ = query.get("view", "")
    if not id_:
        return session.restore(query)
    try:
        state = views.state(query.get("dataset", ""), id_)
    except XRFError as error:
        return [str(error), *session.restore(query)]
    if set(query) > {"dataset", "view"}:
        # The address is newer than what was kept a moment before it changed.
        state = {**state, "address": dict(query)}
    return session.restore_state(state)


class Links:
    """Keeps a session's address.

    Parameters
    ----------
    session : Session
    views : SavedViews
    deliver : callable
        Runs a callback on the session's loop; see :func:`dashboard.latest.session_deliver`.
    show : callable
        Takes the part of the address behind the path whenever it changes.
    """

    def __init__(
        self, session: Session, views: SavedViews, deliver: Deliver, show: Callable[[str], None]
    ) -> None:
        self._session, self._views, self._deliver, self._show = session, views, deliver, show
        self._later: asyncio.TimerHandle | None = None
        self._kept: tuple[object, str] | None = None
        names = [name for name in session.param if name != "name"]
        session.param.watch(lambda *events: self.write(), names)

    def write(self) -> None:
        """Show the address of the present view, and keep in a moment what it cannot hold."""
        self._show(self.address())
        if self._later is not None:
            self._later.cancel()
            self._later = None
        large = self._session.state()["large"]
        if large and (self._kept is None or self._kept[0] != large):
            self._later = asyncio.get_running_loop().call_later(KEEP_AFTER_S, self._keep_in_thread)

    def address(self) -> str:
        """``?dataset=…``; names what is kept if that is what the session shows."""
        query = self._session.query()
        if self._kept is not None and self._kept[0] == self._session.state()["large"]:
            query["view"] = self._kept[1]
        return "?" + urlencode(query, safe=":,/ ").replace(" ", "+")

    def keep(self) -> str:
        """Keep the present view at once; its address. Raises XRFError if it cannot be kept."""
        state = self._session.state()
        if state["large"]:
            self._kept = (state["large"], self._views.keep(self._session.dataset, state))
        return self.address()

    def close(self) -> None:
        """The session is over."""
        if self._later is not None:
            self._later.cancel()

    def _keep_in_thread(self) -> None:
        self._later = None
        dataset, state = self._session.dataset, self._session.state()
        if not state["large"]:
            return

        def keep() -> None:
            try:
                id_ = self._views.keep(dataset, state)
            except XRFError as error:
                # The view itself is whole; only its address will not lead back to regions.
                log.warning("%s. %s", error.message, error.hint)
                return
            self._deliver(lambda: self._took(state["large"], id_))

        asyncio.get_running_loop().run_in_executor(None, keep)

    def _took(self, large: object, id_: str) -> None:
        self._kept = (large, id_)
        self._show(self.address())
