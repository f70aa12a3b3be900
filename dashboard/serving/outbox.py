"""Changes of a page reach its browser in the order in which they were made.

Bokeh writes the changes of a callback when the callback is over; Panel writes those of its own
components at once, or, while something else is being written, a turn of the loop later. So a
change of a figure may overtake the message that brings the figure: the browser then says
"reference p1234 isn't known" and drops the change. Here every connection has one queue, and one
writer that empties it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import Any

import panel.io.document
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.protocol.message import Message
from bokeh.server.connection import ServerConnection

_log = logging.getLogger(__name__)


class Outbox:
    """Messages to one socket, sent one after the other, the oldest first."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._waiting: deque[tuple[Message, asyncio.Future]] = deque()
        self._writer: asyncio.Task | None = None

    def put(self, message: Message) -> asyncio.Future:
        """Send a message after those already here; done once it is on its way."""
        sent = asyncio.get_running_loop().create_future()
        self._waiting.append((message, sent))
        if self._writer is None:
            self._writer = asyncio.ensure_future(self._write())
        return sent

    async def _write(self) -> None:
        try:
            while self._waiting:
                message, sent = self._waiting.popleft()
                try:
                    await self._socket.send_message(message)
                except Exception:
                    # A page that misses a change shows what is not so: it is to ask for all anew,
                    # as after a lost connection.
                    _log.exception("A change could not be sent to the browser")
                    self._socket.close()
                if not sent.done():
                    sent.set_result(None)
        finally:
            self._writer = None


def _post(connection: ServerConnection, events: list[DocumentPatchedEvent]) -> asyncio.Future:
    """Serialise events as they are now, and queue them."""
    if not hasattr(connection, "outbox"):
        # Kept by the connection, so that it goes with it: the socket knows the connection, too.
        connection.outbox = Outbox(connection._socket)
    return connection.outbox.put(connection.protocol.create("PATCH-DOC", events))


def _of_bokeh(connection: ServerConnection, event: DocumentPatchedEvent) -> asyncio.Future:
    return _post(connection, [event])


def _of_panel(
    document: Document, connections: Iterable[ServerConnection], events: list[DocumentPatchedEvent]
) -> None:
    for connection in connections:
        _post(connection, events)


def install() -> None:
    """Let Bokeh and Panel write through the queues of this module."""
    ServerConnection.send_patch_document = _of_bokeh
    panel.io.document.write_events = _of_panel
    panel.io.document.schedule_write_events = _of_panel
