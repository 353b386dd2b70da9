"""Streams of events that are quiet stay open: proxies on the way to a caller close idle ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Message, Send

QUIET_SECONDS: Final = 15.0
"""Seconds without an event until a comment is sent."""

STILL_HERE: Final = b": still here\n\n"
"""A comment (WHATWG HTML §9.2), which readers of events pass over."""


@asynccontextmanager
async def kept_open(send: Send) -> AsyncIterator[Send]:
    """Yield a `send` for one response, in which a comment follows each time of quiet."""
    turns = _Turns(send)
    comments = asyncio.create_task(turns.fill())
    try:
        yield turns.send
    finally:
        comments.cancel()
        await asyncio.wait([comments])
        if not comments.cancelled():
            comments.exception()  # what broke it breaks the sending of events, too


class _Turns:
    """Sends events and comments in turn, from the response's head to its end."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._turn = asyncio.Lock()
        self._open = False
        self._now = asyncio.get_running_loop().time
        self._last = self._now()

    async def send(self, message: Message) -> None:
        async with self._turn:
            self._open = message.get("more_body", message["type"] == "http.response.start")
            await self._send(message)
            self._last = self._now()

    async def fill(self) -> None:
        while True:
            await asyncio.sleep(max(0.0, self._last + QUIET_SECONDS - self._now()))
            async with self._turn:
                if self._open and self._now() >= self._last + QUIET_SECONDS:
                    await self._send(_comment())
                    self._last = self._now()


def _comment() -> Message:
    return {"type": "http.response.body", "body": STILL_HERE, "more_body": True}
