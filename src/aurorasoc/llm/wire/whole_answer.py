"""A streamed answer that breaks off is an error, never an answer that looks complete.

When a stream ends without the vendor's closing word, litellm makes up `finish_reason: stop`:
half an answer, or a web page, would pass for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx

from aurorasoc.llm.wire.open_answers import remember

IDENTITY: Final = {"accept-encoding": "identity"}
"""Sent with every call, so that the bytes can be read as they come."""

_ASKED = re.compile(rb'(?<!\\)"stream":\s*true')
_EVENT: Final = b"data:"
_CLOSING = re.compile(
    rb'\[DONE\]|message_stop|"(finish_reason|finishReason|stop_reason|blockReason)":\s*"'
)
_LONGEST: Final = 64
"""Bytes kept of what came before: a closing word may be cut in two."""


async def require_whole(response: httpx.Response) -> None:
    """Watch a streamed answer until its end; an event hook of httpx's client."""
    if response.is_success and _is_stream(response.request):
        remember(response)
        encoded = "content-encoding" in response.headers  # though it was asked not to be
        response.stream = response.stream if encoded else _Watched(response.stream)


def _is_stream(request: httpx.Request) -> bool:
    return request.url.path.endswith(":streamGenerateContent") or bool(
        _ASKED.search(request.content)
    )


class _Watched(httpx.AsyncByteStream):
    """Hands chunks on, and raises at the end when none of them held a closing word."""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - httpx types it for both of its clients
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        tail, began, closed = b"", False, False
        async for chunk in self._inner:
            tail += chunk
            began = began or _EVENT in tail
            closed = closed or _CLOSING.search(tail) is not None
            tail = tail[-_LONGEST:]
            yield chunk
        if not began:
            msg = "what came is no event stream"
            raise httpx.DecodingError(msg)
        if not closed:
            msg = "the stream ended before its closing word"
            raise httpx.RemoteProtocolError(msg)

    async def aclose(self) -> None:
        """Close what is watched."""
        await self._inner.aclose()
