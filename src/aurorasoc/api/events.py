"""Server-sent events (WHATWG HTML §9.2), and the response that carries them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final, cast

from fastapi.responses import StreamingResponse
from starlette.types import Send

MEDIA_TYPE: Final = "text/event-stream"
STILL_HERE: Final = ": still here\n\n"
"""A comment: it keeps proxies from closing a stream on which nothing happens."""

_UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """Closes its events when the caller hangs up, and with them what they wait for."""

    def __init__(self, events: AsyncGenerator[str]) -> None:
        super().__init__(events, media_type=MEDIA_TYPE, headers=_UNBUFFERED)

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
