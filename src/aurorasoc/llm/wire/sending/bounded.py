"""Reads what a provider answers, as it was sent and up to a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


async def read_at_most(response: httpx.Response, most: int) -> bytes | None:
    """Return a body of at most so many bytes; None if it is longer.

    Nothing is unpacked: a kilobyte can hold a gigabyte.
    """
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)
