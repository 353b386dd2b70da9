"""Connections that stay open between calls: httpcore's own, without its pool.

At the beginning and the end of each request, httpcore's pool asks every connection it has whether
it is still open: with 32 calls at once, a third of what sending one costs. It also takes those in
use for idle ones, and with more than twenty open it closes each after its request.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final, Self

import httpcore

from aurorasoc.llm.wire.libraries.socket_guard import confined_call

MOST_IDLE: Final = 20
IDLE_SECONDS: Final = 5.0


class KeptConnections:
    """Stands where httpx's transport has an `httpcore.AsyncConnectionPool`.

    It opens as many connections as there are requests at once: LLM_MAX_CONCURRENCY is the bound.

    Args:
        context: How TLS is verified.
        backend: Opens the sockets.
    """

    def __init__(self, context: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend) -> None:
        self._context = context
        self._backend = backend
        self._busy: set[httpcore.AsyncHTTPConnection] = set()
        self._idle: list[httpcore.AsyncHTTPConnection] = []  # the last one was used last

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request; its connection is kept for the next one once the answer was read.

        Raises:
            httpcore.NetworkError, httpcore.ProtocolError: The connection failed.
        """
        connection = await self._idle_or_new(request.url.origin)
        self._busy.add(connection)
        call = confined_call()
        if call is not None:
            call.connection = connection
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await self.release(connection)
            raise
        response.stream = _Body(response.stream, self, connection)
        return response

    async def release(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Keep a connection whose answer was read to its end; close any other."""
        self._busy.discard(connection)
        if connection.is_closed():
            return
        if not connection.is_idle():
            await connection.aclose()
            return
        self._idle.append(connection)
        while len(self._idle) > MOST_IDLE or (len(self._idle) > 1 and self._idle[0].has_expired()):
            await self._idle.pop(0).aclose()

    async def close_idle(self) -> None:
        """Close the connections that nobody uses now."""
        while self._idle:
            await self._idle.pop().aclose()

    async def __aenter__(self) -> Self:
        """Do nothing: httpx enters a pool."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close every connection."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection, those in use as well."""
        connections = [*self._busy, *self._idle]
        self._busy.clear()
        self._idle.clear()
        for connection in connections:
            await connection.aclose()

    async def _idle_or_new(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        while (connection := self._last_used(origin)) is not None:
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin,
            ssl_context=self._context,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=self._backend,
        )

    def _last_used(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection | None:
        for index in reversed(range(len(self._idle))):
            if self._idle[index].can_handle_request(origin):
                return self._idle.pop(index)
        return None


def peer_of(connection: Any) -> str | None:  # noqa: ANN401 - as a call has it: httpcore's, or None
    """Return the address that a connection leads to; None until it is made.

    Args:
        connection: An `httpcore.AsyncHTTPConnection` without a proxy in between, or None.
    """
    protocol = getattr(connection, "_connection", None)
    stream = getattr(protocol, "_network_stream", None)
    with suppress(OSError):  # it is closed
        peer = None if stream is None else stream.get_extra_info("server_addr")
        return None if peer is None else str(peer[0])
    return None


class _Body:
    """The body of an answer; closed or read to its end, it gives its connection back."""

    def __init__(
        self,
        stream: Any,  # noqa: ANN401 - httpcore has no type for a stream that can be closed
        owner: KeptConnections,
        connection: httpcore.AsyncHTTPConnection,
    ) -> None:
        self._stream = stream
        self._owner = owner
        self._connection: httpcore.AsyncHTTPConnection | None = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                yield part
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close it; a second time does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await self._stream.aclose()
            finally:
                await self._owner.release(connection)
