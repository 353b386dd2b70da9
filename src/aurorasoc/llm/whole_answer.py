"""A streamed answer that breaks off is an error, never an answer that looks complete.

When a stream ends without the vendor's closing word, litellm makes up `finish_reason: stop`:
half an answer, or a web page, would pass for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

import httpx

_ASKED = re.compile(rb'(?<!\\)"stream":\s*true')
_CLOSING = re.compile(
    rb'\[DONE\]|message_stop|"(finish_reason|finishReason|stop_reason|blockReason)":\s*"'
)
_LONGEST: Final = 64
"""Bytes kept of what came before: a closing word may be cut in two."""


class CutShort(httpx.TransportError):
    """The stream ended before the vendor said that it was over."""


async def require_whole(response: httpx.Response) -> None:
    """Watch a streamed answer until its end; an event hook of httpx's client."""
    if not response.is_success or not _is_stream(response.request):
        return
    if "content-encoding" not in response.headers:  # `IDENTITY` asks for none
        response.stream = _Watched(response.stream)


IDENTITY: Final = {"accept-encoding": "identity"}
"""Sent with every call, so that the bytes can be read as they come."""


def _is_stream(request: httpx.Request) -> bool:
    return request.url.path.endswith(":streamGenerateContent") or bool(
        _ASKED.search(request.content)
    )


class _Watched(httpx.AsyncByteStream):
    """Hands chunks on, and raises at the end when none of them held a closing word."""

    def __init__(self, inner: httpx.SyncByteStream | httpx.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        tail, closed = b"", False
        async for chunk in self._inner:  # type: ignore[union-attr]  # ours is an async client
            tail += chunk
            closed = closed or _CLOSING.search(tail) is not None
            tail = tail[-_LONGEST:]
            yield chunk
        if not closed:
            msg = "the stream ended before its closing word"
            raise CutShort(msg)

    async def aclose(self) -> None:
        """Close what is watched."""
        await self._inner.aclose()  # type: ignore[union-attr]  # ours is an async client
