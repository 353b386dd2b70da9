"""Streams of events: no more than may are served, and a hang-up ends one."""

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from aurorasoc.api.events import EventStream
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound import quiet
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.errors import RateLimited

SCOPE: Final = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}}  # uvicorn's

Message = MutableMapping[str, Any]


ALICE: Final = Principal.of("alice")


async def _nothing_happens() -> AsyncGenerator[str]:
    yield "event: begun\n\n"
    await asyncio.Event().wait()


async def _hung_up() -> Message:
    return {"type": "http.disconnect"}


async def _sent(_message: Message) -> None:
    """Take what is sent."""


async def test_quiet_stream_is_kept_open_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    """One each time that nothing was sent for so long: proxies close what is idle."""
    monkeypatch.setattr(quiet, "QUIET_SECONDS", 0.02)
    sent: list[bytes] = []
    enough = asyncio.Event()

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))
        if len(sent) == 5:
            enough.set()

    async def receive() -> Message:
        await enough.wait()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(60):
        await EventStream(_nothing_happens(), ALICE)(SCOPE, receive, send)
    assert sent[:5] == [b"", b"event: begun\n\n", *[quiet.STILL_HERE] * 3]


async def test_no_comment_follows_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose last message is on its way is over, however slowly it goes."""
    monkeypatch.setattr(quiet, "QUIET_SECONDS", 0.001)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        await asyncio.sleep(0.02)
        sent.append(message)

    async def one() -> AsyncGenerator[str]:
        yield "event: done\n\n"

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {}

    async with asyncio.timeout(60):
        await EventStream(one(), ALICE)(SCOPE, receive, send)
    assert [message.get("more_body") for message in sent].index(False) == len(sent) - 1


def test_streams_that_come_at_once_count_each_other() -> None:
    """Each has its seat before any of them has sent a byte."""
    limit = CallerLimit(2, most_each=2)
    streams = [EventStream(_nothing_happens(), ALICE, limit) for _ in range(2)]
    with pytest.raises(RateLimited, match="2 streams are open"):
        EventStream(_nothing_happens(), ALICE, limit)
    assert len(streams) == 2


async def test_a_hang_up_frees_its_place() -> None:
    """Though nothing happened that could have been sent."""
    limit = CallerLimit(1, most_each=1)
    for _ in range(3):
        async with asyncio.timeout(60):
            await EventStream(_nothing_happens(), ALICE, limit)(SCOPE, _hung_up, _sent)


async def test_a_refused_stream_is_not_counted() -> None:
    """The one that is open is the one that counts."""
    limit = CallerLimit(1, most_each=1)
    stream = EventStream(_nothing_happens(), ALICE, limit)
    for _ in range(3):
        with pytest.raises(RateLimited):
            EventStream(_nothing_happens(), ALICE, limit)
    await stream(SCOPE, _hung_up, _sent)
    EventStream(_nothing_happens(), ALICE, limit)


def test_one_caller_cannot_take_all_streams() -> None:
    """Whoever has as many as one may have leaves the rest to others."""
    limit = CallerLimit(3, most_each=2)
    streams = [EventStream(_nothing_happens(), ALICE, limit) for _ in range(2)]
    with pytest.raises(RateLimited, match="You have 2 streams open"):
        EventStream(_nothing_happens(), ALICE, limit)
    streams.append(EventStream(_nothing_happens(), Principal.of("bob"), limit))
    with pytest.raises(RateLimited, match="3 streams are open"):
        EventStream(_nothing_happens(), Principal.of("carol"), limit)
    assert len(streams) == 3


async def test_stream_ends_when_the_token_expires() -> None:
    """With an event that says so, so that nobody takes what came for all there was."""
    sent: list[Message] = []
    closed = asyncio.Event()

    async def events() -> AsyncGenerator[str]:
        try:
            yield "event: begun\n\n"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def send(message: Message) -> None:
        sent.append(message)

    async def connected() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    soon = Principal.of("alice", expires_at=datetime.now(UTC) + timedelta(seconds=0.3))
    limit = CallerLimit(1, most_each=1)
    async with asyncio.timeout(60):
        await EventStream(events(), soon, limit)(SCOPE, connected, send)
    assert closed.is_set()
    assert sent[1]["body"] == b"event: begun\n\n"
    assert sent[-1]["body"].startswith(b"event: error\ndata: {")
    assert b"unauthenticated" in sent[-1]["body"]
    assert not sent[-1].get("more_body", False)
    EventStream(_nothing_happens(), ALICE, limit)
