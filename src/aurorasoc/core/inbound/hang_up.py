"""What a caller waits for ends when the caller hangs up: nobody is left to read the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from starlette.responses import Response

from aurorasoc.core.inbound.expiry import seconds_until
from aurorasoc.errors import Unauthenticated

if TYPE_CHECKING:
    from starlette.types import Receive

Answer = TypeVar("Answer")

STATUS: Final = 499
"""What nginx logs for a caller who hung up; HTTP has no status for it, and nobody receives it."""


class HungUp(Exception):
    """The caller hung up."""


async def until_hang_up(
    receive: Receive, waiting: Awaitable[Answer], expires_at: datetime | None = None
) -> Answer:
    """Wait for something until it is there, the caller hangs up, or the token expires.

    It runs in the caller's own task, and is cancelled then.

    Args:
        receive: The request's; its body has been read to the end.
        waiting: What the caller waits for.
        expires_at: When the token expires; None if never.

    Raises:
        HungUp: The caller hung up.
        Unauthenticated: The token expired.
    """
    ended = asyncio.timeout(seconds_until(expires_at))
    hears = asyncio.create_task(_end_on_hang_up(receive, ended))
    try:
        async with ended:
            return await waiting
    except TimeoutError:
        if not ended.expired():
            raise
        gone = hears.done()
    finally:
        hears.cancel()
    if gone:
        raise HungUp
    detail = "The token expired before the answer was there. Sign in again."
    raise Unauthenticated(detail, reason="the token expired during the call")


def unheard() -> Response:
    """Return the response to a caller who hung up: the server sends nothing of it."""
    return Response(status_code=STATUS)


async def _end_on_hang_up(receive: Receive, ended: asyncio.Timeout) -> None:
    """End a wait once the caller disconnects (ASGI, `http.disconnect`)."""
    while (await receive())["type"] != "http.disconnect":
        pass
    ended.reschedule(asyncio.get_running_loop().time())
