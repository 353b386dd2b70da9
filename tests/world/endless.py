"""A backend that never ends its answer, and notes when it is hung up on."""

import asyncio
from collections.abc import Iterator
from itertools import count
from threading import Event

import pytest

from tests.world.loopback import LOOPBACK, LoopbackServer
from tests.world.vendor.http1 import Answer, chunk, read_exchange, sse


class EndlessUpstream(LoopbackServer):
    """A chat completion that goes on until its caller hangs up, and notes when that happens."""

    def __init__(self) -> None:
        """Prepare the server; `url` is valid inside the `with` block."""
        super().__init__()
        self.port = 0
        self.hung_up = Event()

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    async def _open(self) -> None:
        self.port = await self._listen(self._go_on)

    async def _go_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_exchange(reader, tls=False)
        writer.write(Answer.stream([]).head())
        ended = asyncio.create_task(reader.read(1))
        event = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "endless"}
        for number in count():
            delta = {"content": f"{number} "}
            choice = {"index": 0, "delta": delta, "finish_reason": None}
            writer.write(chunk(sse(event | {"choices": [choice]})))
            if (await asyncio.wait({ended}, timeout=0.02))[0]:
                break
        ended.exception()  # a reset is a hang-up, too
        self.hung_up.set()


@pytest.fixture
def endless() -> Iterator[EndlessUpstream]:
    """Play a backend that never ends its answer."""
    with EndlessUpstream() as server:
        yield server
