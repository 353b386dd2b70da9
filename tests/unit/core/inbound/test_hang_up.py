"""A wait ends when the caller hangs up or the token expires."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aurorasoc.core.inbound.hang_up import HungUp, until_hang_up
from aurorasoc.errors import Unauthenticated
from tests.examples import patient_request


class _Waiting:
    """Something that is waited for, and takes note of its end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_a_hang_up_cancels_what_is_waited_for() -> None:
    """Other messages, such as the end of the body once more, don't."""
    waiting = _Waiting()
    messages = iter([{"type": "http.request"}, {"type": "http.disconnect"}])

    async def receive() -> dict[str, Any]:
        await waiting.begun.wait()
        return next(messages)

    with pytest.raises(HungUp):
        await until_hang_up(receive, waiting())
    assert waiting.cancelled


async def test_an_expired_token_cancels_what_is_waited_for() -> None:
    """It is no time-out of what is waited for."""
    waiting = _Waiting()
    soon = datetime.now(UTC) + timedelta(seconds=0.02)
    with pytest.raises(Unauthenticated, match="expired before the answer"):
        await until_hang_up(patient_request().receive, waiting(), soon)
    assert waiting.cancelled


async def test_an_answer_ends_the_listening() -> None:
    """Nothing of the wait outlives it: the next message is the response's to receive."""
    receives = [0]

    async def receive() -> dict[str, Any]:
        receives[0] += 1
        try:
            await asyncio.Event().wait()
        finally:
            receives[0] -= 1
        return {}

    async def answer() -> str:
        await asyncio.sleep(0)
        assert receives == [1]
        return "pong"

    assert await until_hang_up(receive, answer()) == "pong"
    await asyncio.sleep(0)
    assert receives == [0]


async def test_failures_of_what_is_waited_for_pass() -> None:
    """Also a time-out of its own."""

    async def late() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await until_hang_up(patient_request().receive, late())


async def test_a_cancellation_from_outside_stays_one() -> None:
    """As when the server stops."""
    waiting = _Waiting()
    outer = asyncio.create_task(until_hang_up(patient_request().receive, waiting()))
    await waiting.begun.wait()
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    assert waiting.cancelled
