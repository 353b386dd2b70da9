"""Every way in which the installed libraries reach the network, each aimed at a `Target`."""

import _thread
import asyncio
import http.client
import multiprocessing.pool
import socket
import threading
import urllib.request
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Final

import aiohttp
import anyio
import anyio.to_thread
import httpx
import openai
import requests
import urllib3

SECONDS: Final = 5
LONG_LIVED: Final = ThreadPoolExecutor(1)
"""A pool whose worker runs before any call, as a library's own may."""
LONG_LIVED.submit(int).result()


@dataclass(frozen=True)
class Target:
    """A capture on loopback: TCP, and sockets for a datagram and for a path."""

    port: int
    datagrams: int
    path: str

    @property
    def address(self) -> tuple[str, int]:
        """Where the capture listens."""
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        """The capture by a name that has to be looked up."""
        return f"http://localhost:{self.port}/"


def httpx_sync(target: Target) -> None:
    """Use a client that waits."""
    httpx.get(target.url, trust_env=False, timeout=SECONDS)


async def httpx_async(target: Target) -> None:
    """Use a client that doesn't."""
    async with httpx.AsyncClient(trust_env=False, timeout=SECONDS) as client:
        await client.get(target.url)


async def aiohttp_session(target: Target) -> None:
    """Use the library beside httpx that litellm prefers."""
    async with aiohttp.ClientSession() as session, session.get(target.url):
        pass


async def openai_async(target: Target) -> None:
    """Use the vendor's own client."""
    async with openai.AsyncOpenAI(api_key="k", base_url=target.url, max_retries=0) as client:
        await client.models.list()


def openai_sync(target: Target) -> None:
    """Use the vendor's client that waits."""
    with openai.OpenAI(api_key="k", base_url=target.url, max_retries=0) as client:
        client.models.list()


def requests_get(target: Target) -> None:
    """Use what is under hvac."""
    requests.get(target.url, timeout=SECONDS)


def urllib3_request(target: Target) -> None:
    """Use what is under requests."""
    urllib3.request("GET", target.url, retries=False, timeout=SECONDS)


def urllib_open(target: Target) -> None:
    """Use the standard library's client."""
    urllib.request.urlopen(target.url, timeout=SECONDS)  # noqa: S310 - loopback


def http_client(target: Target) -> None:
    """Use what is under urllib."""
    with closing(http.client.HTTPConnection(*target.address, timeout=SECONDS)) as connection:
        connection.request("GET", "/")


def socket_connect(target: Target) -> None:
    """Connect a bare socket."""
    with socket.socket() as plain:
        plain.connect(target.address)


def socket_connect_ex(target: Target) -> None:
    """Connect, with an error number in place of an exception."""
    with socket.socket() as plain:
        plain.connect_ex(target.address)


def socket_create_connection(target: Target) -> None:
    """Resolve and connect."""
    socket.create_connection(("localhost", target.port), timeout=SECONDS).close()


def thread(target: Target) -> None:
    """Connect in a plain thread, which carries no context."""
    _join(threading.Thread(target=_quietly, args=(target,)))


def thread_of_a_thread(target: Target) -> None:
    """Connect in a thread that a thread starts."""
    _join(threading.Thread(target=thread, args=(target,)))


def timer(target: Target) -> None:
    """Connect after a while."""
    _join(threading.Timer(0.01, _quietly, (target,)))


def bare_thread(target: Target) -> None:
    """Connect in a thread that `threading` doesn't know."""
    ended = _thread.allocate_lock()
    ended.acquire()

    def connect() -> None:
        _quietly(target)
        ended.release()

    _thread.start_new_thread(connect, ())
    ended.acquire(timeout=SECONDS)


def new_pool(target: Target) -> None:
    """Connect in a pool of one's own."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(socket_connect, target).result()


def old_pool(target: Target) -> None:
    """Connect in a pool that ran before."""
    LONG_LIVED.submit(socket_connect, target).result()


def thread_pool_of_multiprocessing(target: Target) -> None:
    """Connect in the other pool of the standard library."""
    with multiprocessing.pool.ThreadPool(1) as pool:
        pool.apply(socket_connect, (target,))


def loop_in_a_thread(target: Target) -> None:
    """Connect in a loop of one's own, in a thread."""
    _join(threading.Thread(target=_quietly_on_a_loop, args=(target,)))


async def open_connection(target: Target) -> None:
    """Connect by the loop."""
    _, writer = await asyncio.open_connection("localhost", target.port)
    writer.close()


async def sock_connect(target: Target) -> None:
    """Connect a bare socket by the loop."""
    with socket.socket() as plain:
        plain.setblocking(False)  # noqa: FBT003 - the standard library's signature
        await asyncio.get_running_loop().sock_connect(plain, target.address)


async def anyio_tcp(target: Target) -> None:
    """Connect by what is under httpx."""
    await (await anyio.connect_tcp("localhost", target.port)).aclose()


async def task(target: Target) -> None:
    """Connect in a task."""
    await asyncio.create_task(open_connection(target))


async def executor(target: Target) -> None:
    """Connect in the loop's executor, which carries no context."""
    await asyncio.get_running_loop().run_in_executor(None, socket_connect, target)


async def to_thread(target: Target) -> None:
    """Connect in a thread that carries the context."""
    await asyncio.to_thread(socket_connect, target)


async def anyio_thread(target: Target) -> None:
    """Connect in a worker of anyio's."""
    await anyio.to_thread.run_sync(socket_connect, target)


def send_to(target: Target) -> None:
    """Send a datagram."""
    with socket.socket(type=socket.SOCK_DGRAM) as plain:
        plain.sendto(b"x", ("127.0.0.1", target.datagrams))


def send_message(target: Target) -> None:
    """Send a datagram by the other call."""
    with socket.socket(type=socket.SOCK_DGRAM) as plain:
        plain.sendmsg([b"x"], [], 0, ("127.0.0.1", target.datagrams))


async def datagram_endpoint(target: Target) -> None:
    """Send a datagram by the loop."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", target.datagrams)
    )
    transport.sendto(b"x")
    transport.close()
    await asyncio.sleep(0)


async def unix_connection(target: Target) -> None:
    """Connect to a path."""
    _, writer = await asyncio.open_unix_connection(target.path)
    writer.close()


async def loop_getaddrinfo(_: Target) -> None:
    """Look a name up by the loop."""
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)


async def loop_getnameinfo(_: Target) -> None:
    """Look an address up by the loop."""
    await asyncio.get_running_loop().getnameinfo(("127.0.0.1", 80))


def getaddrinfo(_: Target) -> None:
    """Look a name up."""
    socket.getaddrinfo("localhost", 80)


def gethostbyname(_: Target) -> None:
    """Look a name up as one did before."""
    socket.gethostbyname("localhost")


def gethostbyname_ex(_: Target) -> None:
    """Look a name and its aliases up."""
    socket.gethostbyname_ex("localhost")


def gethostbyaddr(_: Target) -> None:
    """Look an address up."""
    socket.gethostbyaddr("127.0.0.1")


def getnameinfo(_: Target) -> None:
    """Look an address and a port up."""
    socket.getnameinfo(("127.0.0.1", 80), 0)


def _quietly(target: Target) -> None:
    """Connect, and swallow the failure, as libraries do in their threads."""
    with suppress(Exception):
        socket_connect(target)


def _quietly_on_a_loop(target: Target) -> None:
    with suppress(Exception):
        asyncio.run(open_connection(target))


def _join(started: threading.Thread) -> None:
    started.start()
    started.join(SECONDS)


Way = Callable[[Target], Awaitable[None]]


def _awaited(way: Callable[[Target], None]) -> Way:
    async def awaited(target: Target) -> None:
        way(target)

    return awaited


_CONNECTING: Final = (
    httpx_sync,
    openai_sync,
    requests_get,
    urllib3_request,
    urllib_open,
    http_client,
    socket_connect,
    socket_connect_ex,
    socket_create_connection,
    thread,
    thread_of_a_thread,
    timer,
    bare_thread,
    new_pool,
    old_pool,
    thread_pool_of_multiprocessing,
    loop_in_a_thread,
)
_CONNECTING_BY_LOOP: Final = (
    httpx_async,
    aiohttp_session,
    openai_async,
    open_connection,
    sock_connect,
    anyio_tcp,
    task,
    executor,
    to_thread,
    anyio_thread,
)
_LOOKING_UP: Final = (getaddrinfo, gethostbyname, gethostbyname_ex, gethostbyaddr, getnameinfo)
CONNECTIONS: Final[dict[str, Way]] = {w.__name__: _awaited(w) for w in _CONNECTING} | {
    w.__name__: w for w in _CONNECTING_BY_LOOP
}
DATAGRAMS: Final[dict[str, Way]] = {w.__name__: _awaited(w) for w in (send_to, send_message)} | {
    datagram_endpoint.__name__: datagram_endpoint
}
PATHS: Final[dict[str, Way]] = {unix_connection.__name__: unix_connection}
LOOKUPS: Final[dict[str, Way]] = {w.__name__: _awaited(w) for w in _LOOKING_UP} | {
    w.__name__: w for w in (loop_getaddrinfo, loop_getnameinfo)
}
ALL: Final = CONNECTIONS | DATAGRAMS | PATHS | LOOKUPS
