"""Requests to an agent over A2A: authenticated and bounded before anything of them is parsed.

The SDK's own routes read and parse a body before they know who sent it, repeat input in their
errors, and log tracebacks (a2a-sdk 1.3.0). So both bindings stand behind this door, and of the SDK
only its handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from email.message import Message as Header
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import Response

from aurorasoc.a2a.failures import log
from aurorasoc.core import foreign_json
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound.bodies import announces_body, read_body, require_shallow
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.inbound.streams import ExpiringStream
from aurorasoc.errors import AuroraError, UnsupportedMediaType

Admit = Callable[[Request], Awaitable[Principal | None]]
"""Returns who calls; None where callers need no token."""

VERSION_HEADER: Final = "A2A-Version"

_JSON: Final = frozenset(("application/json", "application/a2a+json"))
_STREAMS: Final = CallerLimit(500, most_each=100)
_UNNAMED: Final = "0.3"
"""The version of a request that names none (specification §3.6.2)."""


class Binding(Protocol):
    """One way in which the protocol travels over HTTP."""

    async def answer(self, request: Request, body: bytes, caller: Principal | None) -> Response:
        """Answer an admitted request.

        Raises:
            RateLimited: Too many streams are open.
        """

    def refused(self, error: AuroraError) -> Response:
        """Answer a request that isn't admitted, or whose body nobody reads."""


def guarded(admit: Admit, binding: Binding) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that passes on only what may come in.

    Args:
        admit: Checks a request before its body is read; raises to refuse it.
        binding: Answers it.
    """

    async def endpoint(request: Request) -> Response:
        try:
            caller = await admit(request)
            _require_json(request)
            body = await read_body(request.receive, request.scope["headers"])
            require_shallow(body)
            return await binding.answer(request, body, caller)
        except AuroraError as error:
            log.warning("request refused", code=error.code, reason=getattr(error, "reason", None))
            return binding.refused(error)

    return endpoint


def version_of(request: Request) -> str:
    """Return the version that a request asks for: its two numbers, or what stands there instead.

    It is named in a header, or in the query by clients that can't set one (§3.6.1).
    """
    name = VERSION_HEADER
    asked = request.headers.get(name) or request.query_params.get(name) or _UNNAMED
    return ".".join(asked.strip().split(".")[:2])


async def streamed(
    events: AsyncGenerator[Any],
    shown: Callable[[Any], str],
    failed: Callable[[Exception], str],
    *,
    caller: Principal | None,
    expired: str,
) -> Response:
    """Return a stream of events, of which the first has come.

    Args:
        events: What happens, as JSON.
        shown: Returns an event as it is sent.
        failed: Returns the event that reports an error.
        caller: Who reads them.
        expired: The last event where the caller's token expires.

    Raises:
        RateLimited: Too many streams are open.
        Exception: Whatever refuses the request, before the first event.
    """
    subject = None if caller is None else caller.subject
    _STREAMS.take(subject)
    try:
        first = await anext(events)
    except BaseException:
        _STREAMS.leave(subject)
        raise

    async def sent() -> AsyncGenerator[str]:
        try:
            async with aclosing(events):
                yield shown(first)
                async for event in events:
                    yield shown(event)
            _require_uncancelled()
        except Exception as error:  # noqa: BLE001 - the binding answers it
            yield failed(error)

    expires_at = None if caller is None else caller.expires_at
    return ExpiringStream(sent(), expires_at, expired.encode(), lambda: _STREAMS.leave(subject))


def _require_uncancelled() -> None:
    """Go on being cancelled: the SDK's streams end then as if they had ended by themselves."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a body.

    Raises:
        ValueError: It isn't JSON in UTF-8.
    """
    return foreign_json.parsed_strictly(body.decode())


def _require_json(request: Request) -> None:
    """Refuse what a web page can send from another origin without asking: a form, or plain text.

    Raises:
        UnsupportedMediaType: There is a body, and it isn't declared as JSON.
    """
    if not announces_body(request.scope["headers"]):
        return
    declared = Header()
    declared["content-type"] = request.headers.get("content-type", "")
    if declared.get_content_type() not in _JSON:
        detail = "Send JSON, with Content-Type: application/json."
        raise UnsupportedMediaType(detail)
