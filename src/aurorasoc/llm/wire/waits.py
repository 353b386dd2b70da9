"""Calls that wait, for a slot or for their next try, and those under way.

A change ends those that it refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from aurorasoc.core.access.acting import Acting, acting
from aurorasoc.errors import AuroraError
from aurorasoc.llm.wire.under_way import JudgeUnderWay, UnderWay, may_go_on

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
    """Bounds the calls under way, and knows them and those that wait.

    Args:
        max_concurrency: Calls under way at once; None means no limit.
        require_admitted: Raises if whoever asked may not call any more. Must not block.
    """

    def __init__(
        self,
        max_concurrency: int | None = None,
        require_admitted: Callable[[Acting], None] = lambda _who: None,
    ) -> None:
        self._require_admitted = require_admitted
        self._slots = asyncio.Semaphore(max_concurrency) if max_concurrency else None
        self._waits: set[_Wait] = set()
        self._under_way: set[UnderWay] = set()

    @asynccontextmanager
    async def slot(
        self, judge: Judge, judge_under_way: JudgeUnderWay = may_go_on
    ) -> AsyncIterator[UnderWay]:
        """Hold one of the slots, wait for it in turn, and know the call while it holds it.

        Raises:
            AuroraError: The call was refused while it waited.
        """
        if self._slots is None:
            with self.under_way(judge_under_way) as call:
                yield call
            return
        if self._slots.locked():
            await self._wait(self._slots.acquire(), judge)
        else:
            await self._slots.acquire()
        try:
            with self.under_way(judge_under_way) as call:
                yield call
        finally:
            self._slots.release()

    async def pause(self, seconds: float, judge: Judge) -> None:
        """Wait before the next try.

        Raises:
            AuroraError: The call was refused while it waited.
        """
        await self._wait(asyncio.sleep(seconds), judge)

    @contextmanager
    def under_way(self, judge: JudgeUnderWay) -> Iterator[UnderWay]:
        """Know a call while it is under way.

        Raises:
            AuroraError: The machine client that asks was revoked since it was authenticated.
        """
        who = acting()
        self._require_client(who)

        def both(call: UnderWay) -> None:
            self._require_client(who)
            judge(call)

        call = UnderWay(both)
        self._under_way.add(call)
        try:
            yield call
        finally:
            self._under_way.discard(call)

    @asynccontextmanager
    async def asking(self, judge: JudgeUnderWay) -> AsyncIterator[None]:
        """Know a question that is no call, such as for a list of models, while it is under way.

        Raises:
            AuroraError: A change refused it meanwhile.
        """
        with self.under_way(judge) as question, suppress(TimeoutError):
            async with question.until(None):
                yield
            return
        raise question.refusal or TimeoutError

    def end_refused(self) -> None:
        """End each wait and each call that may not go on any more; the others keep their turn."""
        for wait in self._waits:
            wait.end_if_refused()
        for call in self._under_way:
            call.end_if_refused()

    def _require_client(self, who: Acting | None) -> None:
        if who is not None and who.client is not None:
            self._require_admitted(who)

    async def _wait(self, waiting: Awaitable[object], judge: Judge) -> None:
        who = acting()

        def both() -> None:
            self._require_client(who)
            judge()

        wait = _Wait(both)
        self._waits.add(wait)
        try:
            with suppress(TimeoutError):  # so that nothing is chained to the refusal
                async with wait.ending:
                    await waiting
                    return
        finally:
            self._waits.discard(wait)
        raise wait.refusal or TimeoutError
