"""Server-sent events (WHATWG HTML §9.2), and the response that carries them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final, cast

from fastapi.responses import StreamingResponse
from pydantic_core import to_jsonable_python
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


class StreamLimit:
    """Limits how many streams of a kind a process serves at once.

    Args:
        most: That many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0

    def take(self) -> None:
        """Count one more.

        Raises:
            RateLimited: All are open.
        """
        if self._open >= self._most:
            detail = f"{self._most} streams are open in this process. Try again in a while."
            raise RateLimited(detail, retry_after=60)
        self._open += 1

    def release(self) -> None:
        """Count one less."""
        self._open -= 1


class EventStream(StreamingResponse):
    """Closes its events when the caller hangs up, and with them what they wait for.

    Args:
        events: What to send.
        limit: Counts this stream from now until the response ends, so concurrent callers cannot
            exceed it.

    Raises:
        RateLimited: The limit is reached.
    """

    def __init__(self, events: AsyncGenerator[str], limit: StreamLimit | None = None) -> None:
        self._limit = limit
        if limit is not None:
            limit.take()
        super().__init__(events, media_type=MEDIA_TYPE, headers=_UNBUFFERED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, then stop counting this stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._limit is not None:
                self._limit.release()

    async def stream_response(self, send: Send) -> None:
        """Send all events, or as many as are taken."""
        async with aclosing(cast("AsyncGenerator[str]", self.body_iterator)):
            await super().stream_response(send)


def event(name: str, data: object) -> str:
    """Write one event: a frozen value or JSON, in which no bare line break can be."""
    return f"event: {name}\ndata: {json.dumps(data, default=to_jsonable_python)}\n\n"


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
