"""A backend that answers whatever bytes a test says, for as long as its caller listens."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from tests.world.loopback import LOOPBACK, LoopbackServer
from tests.world.vendor.http1 import Exchange, read_exchange

MOST: Final = 200_000_000
"""Bytes after which the server gives up: nobody bounds its answer."""


class ScriptedUpstream(LoopbackServer):
    """Writes the chunks of a script behind each request, and counts what was taken.

    Args:
        script: Makes the chunks of an answer, head and all.
    """

    def __init__(self, script: Callable[[], Iterable[bytes]]) -> None:
        """Prepare the server; `url` is valid inside the `with` block."""
        super().__init__()
        self.script = script
        self.port = 0
        self.requests: list[Exchange] = []
        self.sent = 0

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://{LOOPBACK}:{self.port}"

    async def _open(self) -> None:
        self.port = await self._listen(self._answer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (exchange := await read_exchange(reader, tls=False)) is not None:
            self.requests.append(exchange)
            for part in self.script():
                writer.write(part)
                await writer.drain()
                self.sent += len(part)
                if self.sent > MOST or writer.is_closing():
                    return
