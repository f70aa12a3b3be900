"""Changes reach the browser in the order in which they were made, whoever writes them."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import panel as pn
from bokeh.document import Document
from bokeh.protocol import Protocol
from bokeh.server.connection import ServerConnection
from bokeh.server.session import ServerSession
from panel.io.document import unlocked
from panel.io.state import set_curdoc

import dashboard.serving.page  # noqa: F401  (puts the queues in place)


class Socket:
    """A browser's end: it takes messages one at a time, and each takes a moment."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.known: set[str] = set()
        self.unknown: list[str] = []
        self.seen = 0
        self.is_closed = False
        self._fails_at = fails_at
        self.write_lock = SimpleNamespace(_block=SimpleNamespace(_value=1))

    def close(self) -> None:
        self.is_closed = True

    async def send_message(self, message) -> None:
        self.seen += 1
        await asyncio.sleep(0.001)
        if self.seen == self._fails_at:
            raise OSError("the line is down")
        self._read(message.content)

    def _read(self, part) -> None:
        if isinstance(part, list | tuple):
            for item in part:
                self._read(item)
        elif isinstance(part, dict):
            if part.get("type") == "object" and "id" in part:
                self.known.add(part["id"])
            elif set(part) == {"id"} and part["id"] not in self.known:
                self.unknown.append(part["id"])
            for item in part.values():
                self._read(item)


class Visited:
    """A document whose page is open in a browser."""

    def __init__(self, socket: Socket) -> None:
        self.column = pn.Column(pn.pane.HTML("at first"))
        self.document, self.socket = Document(), socket
        with set_curdoc(self.document):
            self.root = self.column.get_root(self.document)
        self.document.add_root(self.root)
        self.session = ServerSession("a session", self.document)
        self.context = SimpleNamespace(
            session=self.session, id="a session", request=SimpleNamespace(arguments={})
        )
        self.document._session_context = lambda: self.context
        pn.state._connected[self.document] = True
        pn.state._thread_id_[self.document] = threading.get_ident()
        ServerConnection(Protocol(), socket, None, self.session)
        # The page as first loaded.
        socket.known = {model.id for model in self.document.models}
        self.document.models.flush_synced()

    async def call(self, change) -> None:
        def run():
            with set_curdoc(self.document):
                change()

        await self.session.with_document_locked(run)
        await asyncio.sleep(0.1)


def text_later(visited: Visited, monkeypatch) -> None:
    """A pane comes as a change of Bokeh's, its new text as one of Panel's."""
    monkeypatch.setattr(type(pn.state), "loaded", property(lambda state: True))
    pane = pn.pane.HTML("new")
    model = pane.get_root(visited.document)
    visited.root.children = [*visited.root.children, model]
    with unlocked():
        model.text = "and changed"


def test_a_change_does_not_overtake_what_it_changes(monkeypatch):
    async def visit():
        visited = Visited(Socket())
        await visited.call(lambda: text_later(visited, monkeypatch))
        return visited.socket

    socket = asyncio.run(visit())
    assert socket.seen == 2
    assert socket.unknown == []
    assert not socket.is_closed


def test_a_page_that_misses_a_change_is_told_to_ask_anew(monkeypatch, caplog):
    async def visit():
        visited = Visited(Socket(fails_at=1))
        await visited.call(lambda: text_later(visited, monkeypatch))
        await visited.call(lambda: setattr(visited.root, "tags", ["a later change"]))
        return visited.socket

    socket = asyncio.run(visit())
    assert socket.seen == 3
    assert "the line is down" in caplog.text
    assert socket.is_closed
