"""A wire that can be cut: it passes TCP on to a port on loopback, until a test parts the two."""

import asyncio
import ssl

from tests.world.loopback import LOOPBACK, LoopbackServer, reset

_CHUNK = 65536
_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


class Relay(LoopbackServer):
    """Passes connections on to `target`. While it is cut, they break, and new ones are refused.

    While it is frozen, connections stand and new ones are taken, and nothing comes through.
    """

    def __init__(self, target: int) -> None:
        """Prepare; `port` is valid inside the `with` block."""
        super().__init__()
        self.port = 0
        self._target = target
        self._whole = True
        self._ends: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def leading_to(self, url: str) -> str:
        """Return a database's address by way of this wire."""
        return url.replace(f":{self._target}/", f":{self.port}/")

    def cut(self) -> None:
        """Break every connection, on both sides, and let none through."""
        self._call(self._cut())

    def heal(self) -> None:
        """Let connections through again."""
        self._whole = True

    def freeze(self) -> None:
        """Let nothing through, and break nothing."""
        self._call(self._flow(going=False))

    def thaw(self) -> None:
        """Let through what was held back, and what comes."""
        self._call(self._flow(going=True))

    async def _open(self) -> None:
        self.port = await self._listen(self._pass_on)

    async def _cut(self) -> None:
        self._whole = False
        for end in self._ends:
            reset(end)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            reset(writer)
            return
        await self._admit(reader, writer)
        there_reader, there_writer = await asyncio.open_connection(LOOPBACK, self._target)
        ends = {writer, there_writer}
        self._ends |= ends
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        finally:
            self._ends -= ends
            there_writer.close()

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what comes before the first byte is passed on."""

    async def _flow(self, *, going: bool) -> None:
        (self._flowing.set if going else self._flowing.clear)()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(_CHUNK):
            await self._flowing.wait()
            sink.write(chunk)
            await sink.drain()
        sink.close()


class TlsRelay(Relay):
    """Speaks PostgreSQL's TLS to its clients, and plain TCP to the server behind it.

    https://www.postgresql.org/docs/16/protocol-flow.html#PROTOCOL-FLOW-SSL
    """

    def __init__(self, target: int, tls: ssl.SSLContext) -> None:
        """Prepare; `tls` presents the server's certificate."""
        super().__init__(target)
        self._tls = tls

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(len(_SSL_REQUEST))
        if request != _SSL_REQUEST:
            message = "a client that doesn't ask for TLS is not let in"
            raise EOFError(message)
        writer.write(b"S")
        await writer.start_tls(self._tls)
