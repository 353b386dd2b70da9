"""Chats that stream are counted, for each caller and in all, and kept open while a model thinks."""

import asyncio
import threading
from collections.abc import MutableMapping
from typing import Any

import pytest

from aurorasoc.api.routers import chat
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound import quiet
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.inbound.quiet import STILL_HERE
from aurorasoc.errors import RateLimited
from aurorasoc.runtime import Runtime
from tests.component.live import World
from tests.examples import patient_request
from tests.world.vendor import Fault

BODY = chat.ChatBody(messages=[chat.MessageView(role="user", content="ping")], stream=True)


async def test_one_caller_cannot_take_all_streams_of_chats(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has as many as one may have is refused, and others go on."""
    monkeypatch.setattr(chat, "_STREAMS", CallerLimit(3, most_each=1))
    alice, bob = Principal.of("alice"), Principal.of("bob")
    await chat.converse(BODY, alice, runtime, patient_request())
    with pytest.raises(RateLimited, match="You have 1 streams open"):
        await chat.converse(BODY, alice, runtime, patient_request())
    await chat.converse(BODY, bob, runtime, patient_request())


async def test_silent_model_keeps_the_stream_open(
    world: World, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment comes while it thinks, so that no proxy on the way to the caller hangs up."""
    monkeypatch.setattr(quiet, "QUIET_SECONDS", 0.02)
    gate, sent = threading.Event(), bytearray()
    world.keyed.faults.set(Fault(gate=gate))

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.extend(message.get("body", b""))
        if STILL_HERE in sent:
            gate.set()

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    stream = await chat.converse(BODY, Principal.of("alice"), runtime, patient_request())
    async with asyncio.timeout(60):
        await stream({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    assert sent.index(STILL_HERE) < sent.index(b"event: delta") < sent.index(b"event: done")
