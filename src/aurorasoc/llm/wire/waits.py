"""Calls that wait: for a slot, or for their next try. A change ends those that it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aurorasoc.errors import AuroraError

Judge = Callable[[], None]
"""Raises if the call may not be made by the configuration in force. Must not block."""


@dataclass(eq=False)
class _Wait:
    judge: Judge
    ending: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))
    refusal: AuroraError | None = None

    def end_if_refused(self) -> None:
        if self.refusal is not None:
            return  # it is ending
        try:
            self.judge()
        except AuroraError as error:
            self.refusal = error.with_traceback(None)
            self.ending.reschedule(0)


class Waits:
    """Bounds the calls under way, and knows those that wait.

    Args:
        max_concurrency: Calls under way at once; None means no limit.
    """

    def __init__(self, max_concurrency: int | None = None) -> None:
        self._slots = asyncio.Semaphore(max_concurrency) if max_concurrency else None
        self._waits: set[_Wait] = set()

    @asynccontextmanager
    async def slot(self, judge: Judge) -> AsyncIterator[None]:
        """Hold one of the slots, and wait for it in turn.

        Raises:
            AuroraError: The call was refused while it waited.
        """
        if self._slots is None:
            yield
            return
        if self._slots.locked():
            await self._wait(self._slots.acquire(), judge)
        else:
            await self._slots.acquire()
        try:
            yield
        finally:
            self._slots.release()

    async def pause(self, seconds: float, judge: Judge) -> None:
        """Wait before the next try.

        Raises:
            AuroraError: The call was refused while it waited.
        """
        await self._wait(asyncio.sleep(seconds), judge)

    def end_refused(self) -> None:
        """End each wait whose call may not be made any more; the others keep their turn."""
        for wait in self._waits:
            wait.end_if_refused()

    async def _wait(self, waiting: Awaitable[object], judge: Judge) -> None:
        wait = _Wait(judge)
        self._waits.add(wait)
        try:
            with suppress(TimeoutError):  # so that nothing is chained to the refusal
                async with wait.ending:
                    await waiting
                    return
        finally:
            self._waits.discard(wait)
        raise wait.refusal or TimeoutError
