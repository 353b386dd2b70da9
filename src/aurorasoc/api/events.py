"""Server-sent events (WHATWG HTML §9.2), and the response that carries them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any, Final, cast

from fastapi.responses import StreamingResponse
from pydantic_core import to_jsonable_python
from starlette.types import Receive, Scope, Send

from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound.refusals import document_of
from aurorasoc.errors import RateLimited, Unauthenticated

MEDIA_TYPE: Final = "text/event-stream"

STREAM_SECONDS: Final = 600.0
"""How long a stream lasts; a caller who continues must send a token again."""

QUIET_SECONDS: Final = 15.0
"""Seconds without an event until a comment is sent."""

_LAST_SECONDS: Final = 5.0
"""How long a caller has to read the last event."""

STILL_HERE: Final = ": still here\n\n"
"""A comment that keeps proxies from closing an idle stream."""

_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class StreamLimit:
    """Limits the streams of a kind that this process serves at once.

    Args:
        most: To all callers together.
        most_each: To one principal.
    """

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._open: Counter[str] = Counter()

    def take(self, subject: str) -> None:
        """Count one more.

        Raises:
            RateLimited: Either limit is reached.
        """
        if self._open.total() >= self._most:
            detail = f"{self._most} streams are open in this process. Try again in a while."
            raise RateLimited(detail, retry_after=60)
        if self._open[subject] >= self._most_each:
            detail = f"You have {self._most_each} streams open in this process. Close one first."
            raise RateLimited(detail, retry_after=60)
        self._open[subject] += 1

    def leave(self, subject: str) -> None:
        """Count one less."""
        self._open[subject] -= 1
        if self._open[subject] <= 0:
            del self._open[subject]


class EventStream(StreamingResponse):
    """A stream that closes its events when the caller disconnects.

    It ends with an `error` event when the caller's token expires.

    Args:
        events: What to send.
        caller: Who reads them.
        limit: Held until the response ends, so that concurrent callers can't exceed it.

    Raises:
        RateLimited: The limit is reached.
    """

    def __init__(
        self,
        events: AsyncGenerator[str],
        caller: Principal,
        limit: StreamLimit | None = None,
    ) -> None:
        self._caller = caller
        self._limit = limit
        if limit is not None:
            limit.take(caller.subject)
        super().__init__(events, media_type=MEDIA_TYPE, headers=_UNBUFFERED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, then release its place in the limit."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._limit is not None:
                self._limit.leave(self._caller.subject)

    async def stream_response(self, send: Send) -> None:
        """Send events until they end or the token expires."""
        events = cast("AsyncGenerator[str]", self.body_iterator)
        expired = asyncio.timeout(_seconds_until(self._caller.expires_at))
        try:
            async with expired, aclosing(events):
                await super().stream_response(send)
        except TimeoutError:
            if not expired.expired():
                raise
            with suppress(TimeoutError):  # a caller who reads nothing is disconnected
                async with asyncio.timeout(_LAST_SECONDS):
                    await send({"type": "http.response.body", "body": _EXPIRED})


def _seconds_until(moment: datetime | None) -> float | None:
    return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())


def event(name: str, data: object) -> str:
    """Return one event: a frozen value or JSON, which holds no bare line break."""
    return f"event: {name}\ndata: {json.dumps(data, default=to_jsonable_python)}\n\n"


_EXPIRED: Final = event(
    "error",
    document_of(Unauthenticated("The token has expired during the stream. Sign in again.")),
).encode()


def documented_events(*names: str, example: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAPI's description of the events: before 3.2 it has no better form for them."""
    return {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["event", "data"],
                "properties": {
                    "event": {"enum": list(names)},
                    "data": {"type": "string", "contentMediaType": "application/json"},
                },
            },
            "example": {"event": names[0], "data": json.dumps(example)},
        }
    }
