"""Connections of uvicorn whose heads end: bounded in time and in bytes.

uvicorn 0.37 ends a connection that is idle after an answer. It waits without end for a first head
and for the rest of one that was begun; its httptools parser takes a head of any size.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS: Final = 10.0
"""From the connection, or from a head's first byte, to the head's end."""

MAX_HEAD: Final = 65_536
"""Bytes of a head; what came with them in one read is not counted."""

_ONE_READ: Final = 262_144
"""Bytes that asyncio reads at once: a request that follows at once may come with its body."""

_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedConnection(asyncio.Protocol):
    """One connection, handled by the protocol that uvicorn would choose.

    While no request is being answered, what arrives is part of a head, or the rest of a body that
    nobody reads: either ends within `HEAD_SECONDS`, or the connection does. Behind a request that
    is whole and still being answered comes the next head; its bytes are counted as well.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._inner: Any = AutoHTTPProtocol(*args, **options)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._request: object = None
        self._head = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a head."""
        self._transport = transport  # type: ignore[assignment] # uvicorn serves streams only
        self._start_timer()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand bytes on; count them while they are part of a head."""
        most = MAX_HEAD
        if self._is_between_requests():
            self._start_timer()
            self._head += len(data)
        elif not self._inner.cycle.more_body:
            self._head += len(data)
            most += _ONE_READ
        self._inner.data_received(data)
        if self._inner.cycle is not self._request:  # a head ended
            self._request, self._head = self._inner.cycle, 0
            self._stop_timer()
        elif self._head > most:
            self._end(_TOO_LARGE if self._is_between_requests() else b"")

    def eof_received(self) -> bool | None:
        """Do as uvicorn does."""
        self._inner.eof_received()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_timer()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Do as uvicorn does."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Do as uvicorn does."""
        self._inner.resume_writing()

    def _is_between_requests(self) -> bool:
        cycle = self._inner.cycle
        return cycle is None or cycle.response_complete

    def _start_timer(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(HEAD_SECONDS, self._late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._is_between_requests():
            self._end(_TOO_SLOW if self._head and self._request is None else b"")

    def _end(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            if answer:
                self._transport.write(answer)
            self._transport.close()
