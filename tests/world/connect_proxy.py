"""An egress proxy that leads every host to one loopback TLS server, and writes all of it down.

Named by `HTTPS_PROXY`, with the test authority in `SSL_CERT_FILE`, it lets a child process call
vendors under their real host names. It connects to 127.0.0.1 and nowhere else. Its record is a
capture of all outbound TLS of that process, since nothing else can leave by way of the proxy.
"""

import asyncio
import contextlib
import threading
from typing import Final

from tests.world.loopback import LOOPBACK, LoopbackServer, reset

_CHUNK: Final = 65536
_HEADER_DEADLINE: Final = 60.0
_REFUSAL: Final = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy(LoopbackServer):
    """A CONNECT proxy on loopback. `target` is a loopback port, or None to refuse every host."""

    def __init__(self, target: int | None) -> None:
        """Prepare the proxy; `url` is valid inside the `with` block. `target` may be reassigned."""
        super().__init__()
        self.target = target
        self.port = 0
        self._lock = threading.Lock()
        self._connects: list[tuple[str, int]] = []
        self._refused: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """What `HTTPS_PROXY` is set to."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def connects(self) -> list[tuple[str, int]]:
        """The (host, port) of each CONNECT, in order of arrival."""
        with self._lock:
            return list(self._connects)

    @property
    def refused(self) -> list[tuple[str, str]]:
        """The (method, target) of each request that was no CONNECT; all got a 502."""
        with self._lock:
            return list(self._refused)

    def clear(self) -> None:
        """Forget what was recorded."""
        with self._lock:
            self._connects.clear()
            self._refused.clear()

    async def _open(self) -> None:
        self.port = await self._listen(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEADER_DEADLINE)
        method, authority, *_ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if not self._record(method, authority) or self.target is None:
            writer.write(_REFUSAL)
            await writer.drain()
            return
        writer.write(_ESTABLISHED)
        there_reader, there_writer = await asyncio.open_connection(LOOPBACK, self.target)
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        finally:
            there_writer.close()

    def _record(self, method: str, authority: str) -> bool:
        host, _, port = authority.rpartition(":")
        tunnel = method == "CONNECT" and port.isdigit()
        with self._lock:
            if tunnel:
                self._connects.append((host.strip("[]"), int(port)))
            else:
                self._refused.append((method, authority))
        return tunnel


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy until the source ends; a broken source breaks the sink, so that a reset stays one."""
    try:
        while chunk := await source.read(_CHUNK):
            sink.write(chunk)
            await sink.drain()
    except OSError:
        reset(sink)
        return
    with contextlib.suppress(OSError):
        sink.write_eof()
