"""Answers that a call leaves open: the libraries drop a stream that they don't finish."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_answers: ContextVar[list[httpx.Response] | None] = ContextVar("answers", default=None)
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


def remember(answer: httpx.Response) -> None:
    """Note a streamed answer of the call that is under way."""
    mine = _answers.get()
    if mine is not None:
        mine.append(answer)


async def _closing(call: Callable[[], Awaitable[T]]) -> T:
    mine: list[httpx.Response] = []
    _answers.set(mine)
    try:
        return await call()
    finally:
        for answer in mine:
            await answer.aclose()


def _over(task: asyncio.Task[Any]) -> None:
    """Let go of a call. How one that nobody waits for failed, asyncio would log with its text."""
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()
