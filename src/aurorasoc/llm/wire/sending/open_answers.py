"""What a call leaves open: the libraries drop a stream that they don't finish.

A dropped generator ends when its memory is freed, which may be never; until then the answer is
open and the call's slot is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from aurorasoc.llm.wire.libraries.socket_guard import Closable, confined_call

T = TypeVar("T")


_open: ContextVar[list[Closable] | None] = ContextVar("open_in_call", default=None)
_under_way: set[asyncio.Task[Any]] = set()


async def to_its_end(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call in a task of its own, and close what it leaves open: so a hang-up ends it.

    However often the caller is cancelled, the call is cancelled once. A scope of anyio's, and
    so Starlette when its caller hangs up, cancels again at each turn of the loop; interrupted
    while it closes a connection, httpcore takes it for closed and leaves it open.
    """
    task = asyncio.ensure_future(_closing(call))
    _under_way.add(task)
    task.add_done_callback(_over)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])  # whoever is cancelled again goes, and the closing goes on
        raise
    return task.result()


def remember(opened: Closable) -> None:
    """Note what the call that is under way has to close."""
    mine = _open.get()
    if mine is not None:
        mine.append(opened)


def remember_answer(answer: Closable) -> None:
    """Note a stream's answer: its call closes it, and so does a change that refuses the call."""
    remember(answer)
    call = confined_call()
    if call is not None:
        call.answer = answer


async def _closing(call: Callable[[], Awaitable[T]]) -> T:
    mine: list[Closable] = []
    _open.set(mine)
    try:
        return await call()
    finally:
        for opened in mine:
            await opened.aclose()


def _over(task: asyncio.Task[Any]) -> None:
    """Let go of a call. How one that nobody waits for failed, asyncio would log with its text."""
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()
