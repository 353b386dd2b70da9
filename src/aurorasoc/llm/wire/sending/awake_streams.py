"""Sockets that send nothing in a process that was frozen until it has caught up."""

from __future__ import annotations

import ssl
from typing import Any

import httpcore

from aurorasoc.llm.wire.awake import require_awake


class AwakeStream(httpcore.AsyncNetworkStream):
    """A connection that sends nothing in a process that isn't up to date."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self.read = stream.read  # type: ignore[method-assign]  # spares each piece a call
        self.aclose = stream.aclose  # type: ignore[method-assign]  # the same

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        """Send, once this process is up to date."""
        await require_awake()
        await self._stream.write(buffer, timeout)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        """Begin TLS, once this process is up to date."""
        await require_awake()
        return AwakeStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        """Return what the connection knows of itself."""
        return self._stream.get_extra_info(info)


class AwakeBackend(httpcore.AnyIOBackend):
    """Opens connections, once this process is up to date."""

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """Connect."""
        await require_awake()
        return AwakeStream(await super().connect_tcp(*args, **kwargs))
