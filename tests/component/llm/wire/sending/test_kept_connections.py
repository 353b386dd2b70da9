"""Connections stay open between calls, each for one call at a time, and none leaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpcore
import pytest

from aurorasoc.llm.wire.sending.kept_connections import MOST_IDLE, KeptConnections
from aurorasoc.llm.wire.sending.transports import verifying_context
from tests.component.live import until
from tests.world.loopback import LOOPBACK


class _Server:
    """Answers each request, those for `/held` once `gate` opens; counts its connections."""

    def __init__(self) -> None:
        self.accepted = self.asked = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.gate = asyncio.Event()
        self.url = ""

    @property
    def held(self) -> str:
        """Where answers wait."""
        return f"{self.url}held"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nan")
                if b"/held" in head:
                    await self.gate.wait()
                writer.write(b"sw")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()


@asynccontextmanager
async def _serving() -> AsyncIterator[_Server]:
    server = _Server()
    listening = await asyncio.start_server(server.serve, LOOPBACK, 0)
    server.url = f"http://{LOOPBACK}:{listening.sockets[0].getsockname()[1]}/"
    try:
        yield server
    finally:
        listening.close()


@pytest.fixture
async def server() -> AsyncIterator[_Server]:
    """Serve on loopback."""
    async with _serving() as server:
        yield server


@pytest.fixture
async def kept() -> AsyncIterator[KeptConnections]:
    """Keep connections, and close all of them in the end."""
    async with KeptConnections(verifying_context(), httpcore.AnyIOBackend()) as kept:
        yield kept


async def _begin(kept: KeptConnections, url: str) -> httpcore.Response:
    request = httpcore.Request("GET", url, headers=[("Host", LOOPBACK)])
    return await kept.handle_async_request(request)


async def _ask(kept: KeptConnections, url: str) -> None:
    response = await _begin(kept, url)
    assert await response.aread() == b"answ"
    await response.aclose()


async def test_calls_in_turn_share_one_connection(server: _Server, kept: KeptConnections) -> None:
    """A call uses the connection that the one before it gave back."""
    for _ in range(3):
        await _ask(kept, server.url)
    assert (server.asked, server.accepted) == (3, 1)


async def test_a_connection_is_kept_however_many_others_are_in_use(
    server: _Server, kept: KeptConnections
) -> None:
    """Calls in turn share one connection beside more long ones than idle ones are kept."""
    held = asyncio.gather(*(_ask(kept, server.held) for _ in range(MOST_IDLE + 5)))
    await until(lambda: server.asked == MOST_IDLE + 5)
    for _ in range(3):
        await _ask(kept, server.url)
    assert server.accepted == MOST_IDLE + 5 + 1
    server.gate.set()
    await held


async def test_no_more_connections_than_the_limit_are_kept_idle(
    server: _Server, kept: KeptConnections
) -> None:
    """After many calls at once the connections beyond the limit are closed."""
    many = asyncio.gather(*(_ask(kept, server.held) for _ in range(MOST_IDLE + 5)))
    await until(lambda: server.asked == MOST_IDLE + 5)
    server.gate.set()
    await many
    await until(lambda: len(server.open) == MOST_IDLE)


async def test_servers_do_not_share_connections(server: _Server, kept: KeptConnections) -> None:
    """A connection serves the origin to which it was opened."""
    async with _serving() as other:
        for url in (server.url, other.url, server.url, other.url):
            await _ask(kept, url)
        assert (server.accepted, other.accepted) == (1, 1)
        assert (server.asked, other.asked) == (2, 2)


async def test_a_connection_that_the_server_closed_is_not_used_again(
    server: _Server, kept: KeptConnections
) -> None:
    """The next call opens another one, and answers."""
    await _ask(kept, server.url)
    (writer,) = server.open
    writer.close()
    await writer.wait_closed()
    await until(lambda: not server.open)
    await _ask(kept, server.url)
    assert server.accepted == 2


async def test_an_answer_that_is_not_read_to_its_end_costs_its_connection(
    server: _Server, kept: KeptConnections
) -> None:
    """What is left of it must not be read as the next answer."""
    response = await _begin(kept, server.held)
    await response.aclose()
    server.gate.set()
    await until(lambda: not server.open)
    await _ask(kept, server.url)
    assert server.accepted == 2


async def test_a_cancelled_call_closes_its_connection(
    server: _Server, kept: KeptConnections
) -> None:
    """Whoever hangs up leaves no connection behind."""
    call = asyncio.create_task(_ask(kept, server.held))
    await until(lambda: server.asked == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    server.gate.set()
    await until(lambda: not server.open)


async def test_closing_ends_the_calls_under_way(server: _Server, kept: KeptConnections) -> None:
    """Connections in use are closed with the idle ones."""
    await _ask(kept, server.url)
    held = [await _begin(kept, server.held) for _ in range(2)]
    await kept.aclose()
    server.gate.set()
    await until(lambda: not server.open)
    for response in held:
        with pytest.raises(httpcore.NetworkError):
            await response.aread()
        await response.aclose()
