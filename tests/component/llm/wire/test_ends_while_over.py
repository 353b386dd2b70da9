"""A change comes while a call is ending by itself: it meets the others all the same."""

import asyncio

import pytest

from aurorasoc.errors import HostedStopped
from aurorasoc.llm.wire.under_way import UnderWay
from aurorasoc.llm.wire.waits import Waits


def _refuse(_call: UnderWay) -> None:
    detail = "Hosted traffic is stopped."
    raise HostedStopped(detail)


async def test_a_call_whose_time_is_over_does_not_shield_the_others() -> None:
    """It is closing its connection; a stop ends every call that is still under way."""
    waits = Waits()
    closing, closed, other_began = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late() -> None:
        with waits.under_way(_refuse) as call:
            async with call.until(asyncio.get_running_loop().time()):
                try:
                    await asyncio.Event().wait()
                finally:
                    closing.set()
                    await closed.wait()

    async def other() -> None:
        async with waits.asking(_refuse):
            other_began.set()
            await asyncio.Event().wait()

    first = asyncio.create_task(late())
    others = [asyncio.create_task(other()) for _ in range(8)]
    await closing.wait()
    await other_began.wait()
    waits.end_refused()
    closed.set()
    with pytest.raises(TimeoutError):
        await first
    async with asyncio.timeout(60):
        for each in others:
            with pytest.raises(HostedStopped):
                await each
