"""The page's HTML is sent at once; what is on it is built while the browser loads the scripts.

Bokeh builds the whole page of a visitor before it answers, nearly a second in which the browser
has nothing to do, and then waits while the browser loads and runs two megabytes of scripts. But
the answer is the same for every visitor but for the token of their session: everything of theirs
comes later, over the websocket. So the answer to the first visitor is kept for the next ones.

And the websocket opens when the results that are at hand are on the page: a browser that has begun
to draw looks at nothing else for a second.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from bokeh.document import Document
from bokeh.protocol.exceptions import ProtocolError
from bokeh.server.urls import per_app_patterns
from bokeh.util.token import generate_jwt_token, generate_session_id, get_session_id
from panel.config import config
from panel.io.server import DocHandler, WSHandler
from tornado.ioloop import IOLoop

_TOKEN = re.compile(r'(?<="token":")[^"]+')
_OWN = ("bokeh-token", "bokeh-session-id", "view")
"""What a visitor sends who asks for a session that there is already, or for a view that is kept:
its theme, by which the page differs, does not stand in the address."""


class PageHandler(DocHandler):
    """Answers with the kept page where there is one, else as Panel does, and keeps that."""

    kept: dict[tuple[str, bool], str] = {}  # noqa: RUF012 (shared by all visitors on purpose)

    async def get(self, *args: Any, **kwargs: Any) -> None:
        page = self.kept.get(self._key()) if self._anyone() else None
        if page is None:
            await super().get(*args, **kwargs)
            return
        server = self.application
        payload = self._generate_token_payload()
        session_id = generate_session_id(secret_key=server.secret_key, signed=server.sign_sessions)
        token = generate_jwt_token(
            session_id,
            secret_key=server.secret_key,
            signed=server.sign_sessions,
            expiration=server.session_token_expiration,
            extra_payload=payload,
        )
        # As Panel does: a page from the browser's own store would carry a token that has expired.
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/html")
        await self.finish(_TOKEN.sub(lambda match: token, page))
        build = self.application_context.create_session_if_needed
        IOLoop.current().add_callback(partial(build, session_id, self.request, token))

    def write(self, chunk: Any) -> None:
        """Send, and keep what is the whole page of a visitor."""
        is_page = isinstance(chunk, str) and len(_TOKEN.findall(chunk)) == 1
        if is_page and self.get_status() == 200 and self._anyone():
            self.kept[self._key()] = chunk
        super().write(chunk)

    def _key(self) -> tuple[str, bool]:
        # Not the word itself: any words would fill the memory with pages.
        return self.request.path, self.get_argument("theme", "") == "dark"

    def _anyone(self) -> bool:
        """Whether the answer does not depend on who asks."""
        auth = self.application.auth_provider
        named = any(self.get_argument(name, None) for name in _OWN)
        return not (
            named
            or "Bokeh-Session-Id" in self.request.headers
            or config.authorize_callback
            or auth.get_user
            or auth.get_user_async
        )


class PageSocket(WSHandler):
    """Opens when the page has what is at hand."""

    async def _async_open(self, token: str) -> None:
        with contextlib.suppress(ProtocolError):  # no such session: Bokeh makes one, or objects
            session = self.application_context.get_session(get_session_id(token))
            if (filled := _filled.get(session.document)) is not None:
                await filled()
        await super()._async_open(token)


_filled: WeakKeyDictionary[Document, Callable[[], Awaitable[None]]] = WeakKeyDictionary()


def open_after(document: Document, filled: Callable[[], Awaitable[None]]) -> None:
    """Keep the websocket of a new page waiting for ``filled()``."""
    _filled[document] = filled


def install() -> None:
    """Let this module answer whoever asks for the page."""
    ours = {"/?": PageHandler, "/ws": PageSocket}
    per_app_patterns[:] = [
        (pattern, ours.get(pattern, handler), *rest) for pattern, handler, *rest in per_app_patterns
    ]
