"""A call that is under way: a change that refuses it ends it, and closes what it has open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol
from weakref import WeakSet

from aurorasoc.errors import AuroraError
from aurorasoc.llm.wire.libraries.socket_guard import ConfinedCall

JudgeUnderWay = Callable[["UnderWay"], None]
"""Raises if a call that is under way may not go on. Must not block."""


class KeptOpen(Protocol):
    """Connections that are kept open between calls."""

    async def close_idle(self) -> None:
        """Close those that nobody uses now."""


_kept: Final[WeakSet[KeptOpen]] = WeakSet()
_closing: Final[set[asyncio.Task[Any]]] = set()


def may_go_on(_call: UnderWay) -> None:
    """Let a call go on, whatever changes."""


class UnderWay:
    """One call, over all its tries and pieces.

    Args:
        judge: Says whether it may go on.

    Attributes:
        confined: What confines its library code; our transport notes there what it has open.
        refusal: Why it may not go on; None: it may.
    """

    def __init__(self, judge: JudgeUnderWay) -> None:
        self.confined = ConfinedCall()
        self.refusal: AuroraError | None = None
        self._judge = judge
        self._ending: asyncio.Timeout | None = None

    @property
    def is_working(self) -> bool:
        """Whether a task is in it now; a stream rests while its consumer has a piece."""
        return self._ending is not None

    def until(self, ends: float | None) -> asyncio.Timeout:
        """Return the time-out of one piece of work, which a refusal ends at once, too.

        Call `rests` after it.

        Raises:
            AuroraError: It was refused while it rested.
        """
        if self.refusal is not None:
            raise self.refusal
        self._ending = asyncio.timeout_at(ends)
        return self._ending

    def failed(self) -> None:
        """Note that what it had open is over; its next try opens something else."""
        self.confined.connection = self.confined.answer = None

    def rests(self) -> None:
        """Note that no task is in it any more."""
        self._ending = None

    def end_if_refused(self) -> None:
        """End it if it may not go on: its task is interrupted, or what it has open is closed."""
        if self.refusal is not None:
            return  # it is ending
        try:
            self._judge(self)
        except AuroraError as error:
            self.refusal = error.with_traceback(None)
            self._end()

    def _end(self) -> None:
        if self._ending is not None:  # its task closes what it has open on its way out
            if not self._ending.expired():  # else it is on its way already
                self._ending.reschedule(0)
            return
        if self.confined.answer is not None:
            _in_background(self.confined.answer.aclose())


def know_kept(connections: KeptOpen) -> None:
    """Know connections that are kept open, as long as somebody holds them."""
    _kept.add(connections)


def close_idle() -> None:
    """Close all connections that nobody uses now."""
    for connections in tuple(_kept):
        _in_background(connections.close_idle())


def _in_background(closing: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(closing)
    _closing.add(task)
    task.add_done_callback(_closing.discard)
