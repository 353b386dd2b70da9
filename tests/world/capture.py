"""A capture of raw TCP, to prove that not one byte reached a stale host."""

import asyncio
import threading
from typing import Final

from tests.world.loopback import LOOPBACK, LoopbackServer

_FIRST_BYTES: Final = 4096


class CaptureServer(LoopbackServer):
    """Accept connections on loopback, record them, and never answer.

    `silent` keeps a connection open without a word (for time-outs); otherwise it is closed
    as soon as the first bytes are in, or after `patience` seconds without any.
    """

    def __init__(self, *, silent: bool = False, patience: float = 5.0) -> None:
        """Prepare the capture; `port` is known inside the `with` block."""
        super().__init__()
        self._silent = silent
        self._patience = patience
        self._lock = threading.Lock()
        self._connections = 0
        self._first_bytes: list[bytes] = []
        self.port = 0

    @property
    def url(self) -> str:
        """The plain HTTP address of this server."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        with self._lock:
            return self._connections

    @property
    def first_bytes(self) -> list[bytes]:
        """The first bytes of each connection that sent any (at most 4 KiB each)."""
        with self._lock:
            return list(self._first_bytes)

    async def _open(self) -> None:
        self.port = await self._listen(self._record)

    async def _record(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        with self._lock:
            self._connections += 1
        wait = None if self._silent else self._patience
        try:
            first = await asyncio.wait_for(reader.read(_FIRST_BYTES), wait)
        except TimeoutError:
            return
        if first:
            with self._lock:
                self._first_bytes.append(first)
        while self._silent and await reader.read(_FIRST_BYTES):
            pass
