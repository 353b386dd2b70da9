"""Server-sent events (WHATWG HTML §9.2), and the response that carries them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final, cast

from fastapi.responses import StreamingResponse
from pydantic_core import to_jsonable_python
from starlette.types import Receive, Scope, Send

from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound.expiry import EXPIRED, ends_before, send_last
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.inbound.quiet import kept_open

MEDIA_TYPE: Final = "text/event-stream"

STREAM_SECONDS: Final = 600.0
"""How long a stream lasts; a caller who continues must send a token again."""

_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """A stream that closes its events when the caller disconnects.

    While there is no event, as when a model thinks, it sends a comment now and then. It ends with
    an `error` event when the caller's token expires.

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
        limit: CallerLimit | None = None,
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
        async with aclosing(events), kept_open(send) as sent:
            ended = await ends_before(self._caller.expires_at, super().stream_response(sent))
        if not ended:
            await send_last(send, _EXPIRED)


def event(name: str, data: object) -> str:
    """Return one event: a frozen value or JSON, which holds no bare line break."""
    return f"event: {name}\ndata: {json.dumps(data, default=to_jsonable_python)}\n\n"


_EXPIRED: Final = event("error", EXPIRED).encode()


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
