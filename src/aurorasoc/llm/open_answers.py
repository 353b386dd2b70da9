"""Answers that a call leaves open: the libraries drop a stream that they don't finish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

_closing: set[asyncio.Future[None]] = set()
_answers: ContextVar[list[httpx.Response] | None] = ContextVar("answers", default=None)


@asynccontextmanager
async def closing_answers() -> AsyncIterator[None]:
    """Close, at the end, what was remembered meanwhile: a caller who hangs up ends the call."""
    mine: list[httpx.Response] = []
    _answers.set(mine)
    try:
        yield
    finally:
        if mine:
            # Whoever is being cancelled may be cancelled again before this is done.
            closing = asyncio.ensure_future(_close(mine))
            _closing.add(closing)
            closing.add_done_callback(_closing.discard)
            await asyncio.shield(closing)


async def _close(answers: list[httpx.Response]) -> None:
    for answer in answers:
        await answer.aclose()


def remember(answer: httpx.Response) -> None:
    """Note a streamed answer of the call that is under way."""
    mine = _answers.get()
    if mine is not None:
        mine.append(answer)
