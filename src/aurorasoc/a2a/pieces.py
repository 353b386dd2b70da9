"""An answer on its way: pieces of text, gathered for a moment, as updates of one artifact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from a2a.server.tasks import TaskUpdater
from a2a.types import Part

GATHERED_SECONDS: Final = 0.1
"""How long pieces are gathered at first: a model sends each token by itself."""

SLOWER_AFTER: Final = 20
"""Updates after which pieces are gathered for twice as long, then three times, and so on: the SDK
keeps a copy of the whole task with each update that a reader hasn't fetched."""

ANSWER: Final = "answer"
"""The artifact's id and name: a task has one."""


class AnswerArtifact:
    """The artifact of one task.

    Args:
        updates: Publishes the task's events.
    """

    def __init__(self, updates: TaskUpdater) -> None:
        self._updates = updates
        self._text = ""
        self._sent = 0
        self._more = asyncio.Event()
        self._whole = asyncio.Event()

    @asynccontextmanager
    async def sent_on_the_way(self) -> AsyncIterator[None]:
        """Send what is added while this lasts."""
        sending = asyncio.create_task(self._send_on())
        try:
            yield
            self._whole.set()
            self._more.set()
            await sending  # not cancelled: it may be sending what nobody else has
        finally:
            sending.cancel()

    def add(self, piece: str) -> None:
        """Add a piece of the answer."""
        self._text += piece
        self._more.set()

    async def finish(self) -> None:
        """Send what is left, and mark it as the last."""
        await self._send(last=True)

    async def _send_on(self) -> None:
        while not self._whole.is_set():
            await self._more.wait()
            self._more.clear()
            if self._text and not self._whole.is_set():
                await self._send(last=False)
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHERED_SECONDS * (1 + self._sent // SLOWER_AFTER)):
                    await self._whole.wait()

    async def _send(self, *, last: bool) -> None:
        text, self._text = self._text, ""
        append, self._sent = self._sent > 0, self._sent + 1
        await self._updates.add_artifact(
            [Part(text=text)], ANSWER, ANSWER, append=append, last_chunk=last
        )
