"""A provider that streams without end or never answers, and notes when it last got a byte."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, Final

from tests.world.loopback import LOOPBACK, LoopbackServer
from tests.world.vendor.http1 import chunk, read_exchange, sse

EVENT_SECONDS: Final = 0.02
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@dataclass
class Caller:
    """One connection, as the provider sees it.

    Attributes:
        last_byte: When it sent its last byte, by the monotonic clock.
        closed: When it closed, or None.
        requests: The bodies of its requests.
    """

    last_byte: float
    closed: float | None
    requests: list[Any]


class WatchedVendor(LoopbackServer):
    """Speaks OpenAI's protocol, over plain HTTP. Whole answers never come, streams never end."""

    def __init__(self) -> None:
        """Prepare the server; `url` is valid inside the `with` block."""
        super().__init__()
        self.port = 0
        self.callers: list[Caller] = []

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    @property
    def asked(self) -> int:
        """How many requests came."""
        return sum(len(caller.requests) for caller in self.callers)

    @property
    def open(self) -> list[Caller]:
        """The connections that are open, and have asked something."""
        return [one for one in self.callers if one.closed is None and one.requests]

    def left_within(self, seconds: float) -> list[Caller]:
        """Return the connections that asked something, and were closed in the last seconds."""
        since = time.monotonic() - seconds
        return [one for one in self.callers if one.requests and (one.closed or 0.0) > since]

    @property
    def last_byte(self) -> float:
        """When the last byte came, by the monotonic clock."""
        return max((caller.last_byte for caller in self.callers), default=0.0)

    async def _open(self) -> None:
        self.port = await self._listen(self._converse)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = Caller(0.0, None, [])
        self.callers.append(caller)
        watched = _Watched(reader, caller)
        streaming: asyncio.Task[None] | None = None
        try:
            while (exchange := await read_exchange(watched, tls=False)) is not None:  # type: ignore[arg-type]  # reads as one
                caller.requests.append(exchange.body)
                if exchange.body is not None and exchange.body.get("stream"):
                    streaming = asyncio.create_task(_stream(writer))
        finally:
            caller.closed = time.monotonic()
            if streaming is not None:
                streaming.cancel()


class _Watched:
    """Reads like a `StreamReader`, and notes when bytes came."""

    def __init__(self, reader: asyncio.StreamReader, caller: Caller) -> None:
        self._reader = reader
        self._caller = caller

    async def read(self, most: int = -1) -> bytes:
        return self._noted(await self._reader.read(most))

    async def readline(self) -> bytes:
        return self._noted(await self._reader.readline())

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        return self._noted(await self._reader.readuntil(separator))

    async def readexactly(self, count: int) -> bytes:
        return self._noted(await self._reader.readexactly(count))

    def _noted(self, data: bytes) -> bytes:
        if data:
            self._caller.last_byte = time.monotonic()
        return data


async def _stream(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD)
    while not writer.is_closing():
        writer.write(chunk(sse(json.dumps(_piece("more ")))))
        await writer.drain()
        await asyncio.sleep(EVENT_SECONDS)


def _piece(text: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    return {
        "id": "watched",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "watched",
        "choices": [choice],
    }
