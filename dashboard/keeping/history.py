"""Undo and redo: every change of a session's choices, step by step.

A step holds the whole state, which is small: values are never changed in place, so two states
share whatever did not change. What happens within a moment is one step: one click may move several
choices, and a page that opens sets many.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import param

from dashboard.session import Session

ONE_STEP_S = 0.4
MOST_STEPS = 200
_NOT_UNDONE = frozenset({"name", "theme", "operation"})
"""The theme is the page's, which keeps it itself; what drawing does is a tool, not a state."""


class History(param.Parameterized):
    """The states a session was in."""

    can_undo = param.Boolean(False)
    can_redo = param.Boolean(False)

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._session, self._clock = session, clock
        self._names = [name for name in session.param if name not in _NOT_UNDONE]
        self._past: list[dict[str, Any]] = []
        self._future: list[dict[str, Any]] = []
        self._now = self._state()
        self._last = -ONE_STEP_S
        self._is_moving = False
        session.param.watch(self._record, self._names)

    def begin(self) -> None:
        """Nothing before this moment can be undone: the page has opened."""
        self._past.clear()
        self._future.clear()
        self._now = self._state()
        self._tell()

    def undo(self) -> None:
        """Back by one step; nothing where there is none."""
        if self._past:
            self._future.append(self._now)
            self._move(self._past.pop())

    def redo(self) -> None:
        """Forward again by one step that was undone."""
        if self._future:
            self._past.append(self._now)
            self._move(self._future.pop())

    def _state(self) -> dict[str, Any]:
        return {name: getattr(self._session, name) for name in self._names}

    def _move(self, state: dict[str, Any]) -> None:
        self._is_moving = True
        try:
            self._session.param.update(**state)
            # Choices that follow others, such as the threshold of an element, may have followed.
            self._session.param.update(**state)
        finally:
            self._is_moving = False
        self._now, self._last = self._state(), -ONE_STEP_S
        self._tell()

    def _record(self, *events: param.parameterized.Event) -> None:
        if self._is_moving:
            return
        state, now = self._state(), self._clock()
        if state == self._now:
            return
        if self._session.is_by_itself:
            self._now = state
            return
        if now - self._last >= ONE_STEP_S or not self._past:
            self._past.append(self._now)
            del self._past[:-MOST_STEPS]
        self._future.clear()
        self._now, self._last = state, now
        self._tell()

    def _tell(self) -> None:
        self.param.update(can_undo=bool(self._past), can_redo=bool(self._future))
