"""Streams of events: no more than may are served, and a hang-up ends one."""

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any, Final

import pytest

from aurorasoc.api.events import EventStream, StreamLimit
from aurorasoc.errors import RateLimited

SCOPE: Final = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}}  # uvicorn's

Message = MutableMapping[str, Any]


async def _nothing_happens() -> AsyncGenerator[str]:
    yield "event: begun\n\n"
    await asyncio.Event().wait()


async def _hung_up() -> Message:
    return {"type": "http.disconnect"}


async def _sent(_message: Message) -> None:
    """Take what is sent."""


def test_streams_that_come_at_once_count_each_other() -> None:
    """Each is counted before any of them has sent a byte."""
    limit = StreamLimit(2)
    streams = [EventStream(_nothing_happens(), limit) for _ in range(2)]
    with pytest.raises(RateLimited, match="2 streams are open"):
        EventStream(_nothing_happens(), limit)
    assert len(streams) == 2


async def test_a_hang_up_frees_its_place() -> None:
    """Though nothing happened that could have been sent."""
    limit = StreamLimit(1)
    for _ in range(3):
        async with asyncio.timeout(60):
            await EventStream(_nothing_happens(), limit)(SCOPE, _hung_up, _sent)


async def test_a_refused_stream_is_not_counted() -> None:
    """The one that is open is the one that counts."""
    limit = StreamLimit(1)
    stream = EventStream(_nothing_happens(), limit)
    for _ in range(3):
        with pytest.raises(RateLimited):
            EventStream(_nothing_happens(), limit)
    await stream(SCOPE, _hung_up, _sent)
    EventStream(_nothing_happens(), limit)
