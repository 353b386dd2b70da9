"""Chats that stream are counted, for each caller and in all."""

import pytest

from aurorasoc.api.routers import chat
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.errors import RateLimited
from aurorasoc.runtime import Runtime

BODY = chat.ChatBody(messages=[chat.MessageView(role="user", content="ping")], stream=True)


async def test_one_caller_cannot_take_all_streams_of_chats(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has as many as one may have is refused, and others go on."""
    monkeypatch.setattr(chat, "_STREAMS", CallerLimit(3, most_each=1))
    alice, bob = Principal.of("alice"), Principal.of("bob")
    await chat.converse(BODY, alice, runtime)
    with pytest.raises(RateLimited, match="You have 1 streams open"):
        await chat.converse(BODY, alice, runtime)
    await chat.converse(BODY, bob, runtime)
