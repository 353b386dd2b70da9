"""Server-sent events (WHATWG HTML §9.2), and the response that carries them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from pydantic_core import to_jsonable_python

from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound.expiry import EXPIRED
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.inbound.streams import EVENTS_TYPE, ExpiringStream

STREAM_SECONDS: Final = 600.0
"""How long a stream lasts; a caller who continues must send a token again."""


class EventStream(ExpiringStream):
    """A stream of REST's, which ends with an `error` event when the caller's token expires.

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
        def ended() -> None:
            if limit is not None:
                limit.leave(caller.subject)

        if limit is not None:
            limit.take(caller.subject)
        super().__init__(events, caller.expires_at, _EXPIRED, ended)


def event(name: str, data: object) -> str:
    """Return one event: a frozen value or JSON, which holds no bare line break."""
    return f"event: {name}\ndata: {json.dumps(data, default=to_jsonable_python)}\n\n"


_EXPIRED: Final = event("error", EXPIRED).encode()


def documented_events(*names: str, example: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAPI's description of the events: before 3.2 it has no better form for them."""
    return {
        EVENTS_TYPE: {
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
