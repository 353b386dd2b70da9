"""Streams end with the token that they were opened with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aurorasoc.core.inbound.refusals import document_of
from aurorasoc.errors import Unauthenticated

if TYPE_CHECKING:
    from starlette.types import Send

EXPIRED: Final = document_of(
    Unauthenticated("The token has expired during the stream. Sign in again.")
)
"""What the last event of such a stream says."""

_LAST_SECONDS: Final = 5.0
"""How long a caller has to read the last event."""


async def ends_before(moment: datetime | None, sending: Awaitable[None]) -> bool:
    """Send a stream until the token expires; return whether it ended by itself.

    Args:
        moment: When the token expires; None if never.
        sending: Sends the stream, and is cancelled then.
    """
    expired = asyncio.timeout(seconds_until(moment))
    try:
        async with expired:
            await sending
    except TimeoutError:
        if not expired.expired():
            raise
        return False
    return True


async def send_last(send: Send, event: bytes) -> None:
    """Send a stream's last event; a caller who reads nothing is disconnected."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_SECONDS):
            await send({"type": "http.response.body", "body": event})


def seconds_until(moment: datetime | None) -> float | None:
    """Return how long it is until a moment; 0 if it has passed, None if there is none."""
    return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())
