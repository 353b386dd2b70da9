"""One event loop in one thread, for the asyncio servers of the test world.

The servers listen on 127.0.0.1 alone, on a port the system chooses, while the test itself
stays free to be synchronous or to run a loop of its own.
"""

import asyncio
import atexit
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Self, TypeVar
from weakref import WeakSet

LOOPBACK: Final = "127.0.0.1"
_DEADLINE: Final = 60.0
_LINE_LIMIT: Final = 2**20
_TURNS_TO_CONVERSE: Final = 5
"""Turns of the loop, at most, from an accepted connection to its conversation."""

T = TypeVar("T")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class LoopbackServer:
    """Base of the servers: a context manager that owns the loop, its thread and all sockets."""

    def __init__(self) -> None:
        """Prepare the thread; nothing listens before the `with` block is entered."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers: list[asyncio.Server] = []
        self._conversations: set[asyncio.Task[None]] = set()
        self._writers: WeakSet[asyncio.StreamWriter] = WeakSet()

    def __enter__(self) -> Self:
        """Start the loop and open the sockets; undo all of it when one can't be opened."""
        self._thread.start()
        try:
            self._call(self._open())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close every socket, end every conversation, and join the thread."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_DEADLINE)
        self._loop.close()

    async def _open(self) -> None:
        """Open the sockets, by `_listen`."""
        raise NotImplementedError

    async def _listen(
        self,
        handler: Handler,
        tls: ssl.SSLContext | None = None,
        *,
        port: int = 0,
    ) -> int:
        """Serve `handler` on a loopback port and return that port."""

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.add(writer)
            task = asyncio.current_task()
            if task is not None:
                self._conversations.add(task)
                task.add_done_callback(self._conversations.discard)
            try:
                with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                    await handler(reader, writer)
            finally:
                writer.close()

        server = await asyncio.start_server(
            converse, LOOPBACK, port, ssl=tls, limit=_LINE_LIMIT, backlog=1024
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        for server in self._servers:
            for listening in server.sockets:
                self._loop.remove_reader(listening.fileno())
        for _ in range(_TURNS_TO_CONVERSE):  # asyncio forgets what a closed server just accepted
            await asyncio.sleep(0)
        for server in self._servers:
            server.close()
        for task in list(self._conversations):
            task.cancel()
        if self._conversations:
            await asyncio.wait(list(self._conversations), timeout=_DEADLINE)
        for writer in list(self._writers):
            writer.transport.abort()  # what its peer doesn't read would keep it open
        await asyncio.sleep(0)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_DEADLINE)


_KEPT: Final = contextlib.ExitStack()
atexit.register(_KEPT.close)


def refused_port() -> int:
    """Return a port that refuses connections: bound for as long as we run, and not listened on."""
    kept = _KEPT.enter_context(socket.socket())
    kept.bind((LOOPBACK, 0))
    return int(kept.getsockname()[1])


def reset(writer: asyncio.StreamWriter) -> None:
    """Drop the connection with a TCP reset instead of a farewell."""
    peer = writer.get_extra_info("socket")
    if peer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
