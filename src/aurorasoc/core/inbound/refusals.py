"""Answers to requests that are refused before their body was read."""

from __future__ import annotations

import asyncio
import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from aurorasoc.core.inbound.bodies import announces_body
from aurorasoc.errors import AuroraError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

PROBLEM_TYPE: Final = "application/problem+json"

Foreign = tuple[int, dict[str, Any]]
"""A status, and the document of a protocol that isn't ours."""

_UNREAD_SECONDS: Final = 1.0
_UNREAD_BYTES: Final = 67_108_864


def document_of(error: AuroraError) -> dict[str, Any]:
    """Return an error's problem document (RFC 9457 §3)."""
    return {
        "type": "about:blank",
        "title": error.title,
        "status": error.status_code,
        "code": error.code,
        "detail": error.detail,
    }


def headers_of(error: AuroraError) -> dict[str, str]:
    """Return the headers that go with an error (RFC 9110 §11.6.1 asks for the one of a 401)."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status_code == 401 else {}  # noqa: PLR2004 - above
    if error.retry_after is not None:  # whole seconds (§10.2.3); too early would be refused again
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return headers


class Refused(Response):
    """A refusal, for handlers that return their answer.

    Args:
        error: What is wrong.
        foreign: Status and document of the protocol spoken here; None for a problem document.
    """

    def __init__(self, error: AuroraError, foreign: Foreign | None = None) -> None:
        super().__init__(status_code=error.status_code)
        self._error = error
        self._foreign = foreign

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and hang up on who goes on sending."""
        await refuse(self._error, scope, receive, send, self._foreign)


async def refuse(
    error: AuroraError,
    scope: Scope,
    receive: Receive,
    send: Send,
    foreign: Foreign | None = None,
) -> None:
    """Answer a request whose body nobody reads.

    The answer goes out at once. What is still being sent is thrown away for a moment, because a
    client that is cut off while it sends sees a reset and not the answer; then the connection is
    closed, so that nobody keeps it open by sending on.
    """
    status, document = foreign or (error.status_code, document_of(error))
    kind = PROBLEM_TYPE if foreign is None else "application/json"
    body = json.dumps(document).encode()
    fields = {"Content-Type": kind, "Content-Length": str(len(body)), **headers_of(error)}
    unread = announces_body(scope["headers"])
    if unread and scope.get("http_version", "1.1").startswith("1"):
        fields["Connection"] = "close"
    raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": unread})
    if unread:
        await _throw_away(scope, receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _throw_away(scope: Scope, receive: Receive) -> None:
    if b"expect" in dict(scope["headers"]):  # to receive would ask the client for its body
        return
    left = _UNREAD_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_UNREAD_SECONDS):
            while left > 0:
                message: Message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
