"""The response that carries server-sent events, whatever protocol they are of."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Final, cast

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from aurorasoc.core.inbound.expiry import ends_before, send_last
from aurorasoc.core.inbound.quiet import kept_open

EVENTS_TYPE: Final = "text/event-stream"

_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class ExpiringStream(StreamingResponse):
    """A stream that closes its events when the caller disconnects, and ends with the token.

    While there is no event, as when a model thinks, it sends a comment now and then.

    Args:
        events: What to send.
        expires_at: When the caller's token expires; None if never.
        last: The event that is sent then.
        ended: Called when the response has ended.
    """

    def __init__(
        self,
        events: AsyncGenerator[str],
        expires_at: datetime | None,
        last: bytes,
        ended: Callable[[], None],
    ) -> None:
        self._expires_at = expires_at
        self._last = last
        self._ended = ended
        super().__init__(events, media_type=EVENTS_TYPE, headers=_UNBUFFERED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()

    async def stream_response(self, send: Send) -> None:
        """Send events until they end or the token expires."""
        events = cast("AsyncGenerator[str]", self.body_iterator)
        async with aclosing(events), kept_open(send) as sent:
            ended = await ends_before(self._expires_at, super().stream_response(sent))
        if not ended:
            await send_last(send, self._last)
