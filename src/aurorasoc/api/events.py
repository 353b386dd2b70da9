"""Server-sent events (WHATWG HTML §9.2), and the response that carries them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final, cast

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from aurorasoc.errors import RateLimited

MEDIA_TYPE: Final = "text/event-stream"

STREAM_SECONDS: Final = 600.0
"""How long one lasts that only follows: whoever goes on shows a token again."""

QUIET_SECONDS: Final = 15.0
"""After how long without an event a comment is sent."""

STILL_HERE: Final = ": still here\n\n"
"""A comment: it keeps proxies from closing a stream on which nothing happens."""

_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Seats:
    """How many streams of a kind a process serves at once.

    Args:
        most: That many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    def take(self) -> None:
        """Count one more.

        Raises:
            RateLimited: All are taken.
        """
        if self._taken >= self._most:
            detail = f"{self._most} streams are open in this process. Try again in a while."
            raise RateLimited(detail, retry_after=60)
        self._taken += 1

    def leave(self) -> None:
        """Count one less."""
        self._taken -= 1


class EventStream(StreamingResponse):
    """Closes its events when the caller hangs up, and with them what they wait for.

    Args:
        events: What to send.
        seats: Where one is taken for as long as it lasts: from now on, so that of many callers at
            once no more than may are served.

    Raises:
        RateLimited: There is no seat.
    """

    def __init__(self, events: AsyncGenerator[str], seats: Seats | None = None) -> None:
        self._seats = seats
        if seats is not None:
            seats.take()
        super().__init__(events, media_type=MEDIA_TYPE, headers=_UNBUFFERED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, and give the seat back."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._seats is not None:
                self._seats.leave()

    async def stream_response(self, send: Send) -> None:
        """Send all events, or as many as are taken."""
        async with aclosing(cast("AsyncGenerator[str]", self.body_iterator)):
            await super().stream_response(send)


def event(name: str, data: Mapping[str, Any]) -> str:
    """Write one event; JSON holds no bare line break."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def documented_events(*names: str, example: Mapping[str, Any]) -> dict[str, Any]:
    """Give OpenAPI the schema of each event: before 3.2 it has no other way to say so."""
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
