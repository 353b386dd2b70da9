"""Before a route parses anything: who asks is known, and the body is bounded.

FastAPI reads and parses the body before it runs the first dependency. Inside the route this holds
in a host platform's app, too (docs/decisions/027).
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_dependant, solve_dependencies
from fastapi.exceptions import RequestValidationError

from aurorasoc.api.deps import CALLER, Require, authenticated
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound.bodies import read_body, require_shallow
from aurorasoc.errors import ConfigurationError

if TYPE_CHECKING:
    from fastapi.dependencies.models import Dependant
    from starlette.types import Message


async def _caller(_principal: Annotated[Principal, Depends(authenticated)]) -> None:
    """Stand for a route that only needs to know who asks."""


_AUTHENTICATION: Final = get_dependant(path="", call=_caller)


def names_caller(dependant: Dependant) -> bool:
    """Tell whether a route, or a dependency of it, needs to know who asks."""
    return isinstance(dependant.call, Require) or any(map(names_caller, dependant.dependencies))


async def authenticate(request: Request) -> list[tuple[bytes, bytes]]:
    """Run the app's way to authenticate, and leave the caller where `Require` finds it.

    FastAPI solves a host's dependency. Ours needs nothing but the request.

    Returns:
        The headers that a host's dependency set, such as a renewed cookie.

    Raises:
        Unauthenticated: There is no token, or it doesn't hold.
        RequestValidationError: What a host's dependency needs is missing.
        ConfigurationError: The host's dependency returned no principal.
    """
    if authenticated not in request.app.dependency_overrides:
        request.scope[CALLER] = await authenticated(request)
        return []
    solved = await solve_dependencies(
        request=request,
        dependant=_AUTHENTICATION,
        dependency_overrides_provider=request.app,
        async_exit_stack=AsyncExitStack(),  # unused by FastAPI, which takes the request's own
        embed_body_fields=False,
    )
    if solved.errors:
        raise RequestValidationError(solved.errors)
    caller = solved.values["_principal"]
    if not isinstance(caller, Principal):
        detail = (
            "include_routers(principal=…) must get a function that returns aurorasoc.Principal; "
            f"this one returned {type(caller).__name__}."
        )
        raise ConfigurationError(detail)
    request.scope[CALLER] = caller
    return solved.response.headers.raw


async def with_bounded_body(request: Request, most: int) -> Request:
    """Read the body within its bounds, and return a request that gives it.

    Raises:
        BodyTooLarge: It has more than `most` bytes.
        RequestTimeout: It didn't arrive in time.
        InvalidInput: It ended early, or is nested too deeply.
    """
    body = await read_body(request.receive, request.scope["headers"], most)
    require_shallow(body)
    whole: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def receive() -> Message:
        nonlocal whole
        if whole is None:
            return await request.receive()
        message, whole = whole, None
        return message

    return Request(request.scope, receive)
