"""In a model call nothing reaches the network but our transport; outside everything does."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import uvloop

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.backend_resolution import model_reference
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.calls import CallSite, Refused
from aurorasoc.llm.wire.failures.translate import translate
from aurorasoc.llm.wire.libraries.socket_guard import (
    ConfinedCall,
    UnjudgedConnection,
    confined,
    install,
    transport_opens,
)
from aurorasoc.llm.wire.sending.transports import judged_transport, trusted_transport
from tests.component.llm.wire import ways_out
from tests.component.llm.wire.ways_out import Target
from tests.examples import settings, snapshot
from tests.world.capture import CaptureServer

LOOPS: Final = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
PASSED: Final[list[str]] = []
"""Look-ups and connections that the guard let pass: this hook comes behind its own."""


@pytest.fixture(scope="module", autouse=True)
def _listening() -> None:
    install()

    def listen(event: str, _: tuple[Any, ...]) -> None:
        if event.startswith("socket.") and event not in {"socket.__new__", "socket.bind"}:
            PASSED.append(event)

    sys.addaudithook(listen)


@pytest.fixture
def datagrams() -> Iterator[socket.socket]:
    """Receive what is sent without a connection."""
    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.2)
        yield receiver


@pytest.fixture
def path(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen at a path."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        server.settimeout(0.2)
        yield server


@pytest.fixture
def target(capture: CaptureServer, datagrams: socket.socket, path: socket.socket) -> Target:
    """Aim at all of these."""
    PASSED.clear()
    return Target(capture.port, datagrams.getsockname()[1], path.getsockname())


Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run something on a loop, with the default that `asyncio.run` takes in threads."""
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield runner.run


def _arrived(receive: Callable[[], object]) -> bool:
    try:
        receive()
    except TimeoutError:
        return False
    return True


def _until_connected(capture: CaptureServer) -> None:
    """Wait for the capture's thread to see what came."""
    end = time.monotonic() + 5
    while not capture.connections and time.monotonic() < end:
        time.sleep(0.01)
    assert capture.connections >= 1


async def _in_call(way: ways_out.Way, target: Target) -> None:
    with confined():
        await way(target)


@pytest.mark.parametrize("way", ways_out.ALL.values(), ids=ways_out.ALL)
def test_no_way_out_of_a_call(
    run: Run,
    way: ways_out.Way,
    target: Target,
    capture: CaptureServer,
    datagrams: socket.socket,
    path: socket.socket,
) -> None:
    """It is stopped before a name is looked up, and nothing arrives, though it be swallowed."""
    with pytest.raises(UnjudgedConnection, match="stopped before anything left"):
        run(_in_call(way, target))
    assert PASSED == []
    assert capture.connections == 0
    if way in ways_out.DATAGRAMS.values():
        assert not _arrived(lambda: datagrams.recv(1))
    if way in ways_out.PATHS.values():
        assert not _arrived(path.accept)


async def _outside(way: ways_out.Way, target: Target) -> None:
    with suppress(httpx.HTTPError, Exception):  # the capture hangs up without an answer
        await way(target)


@pytest.mark.parametrize("way", ways_out.CONNECTIONS.values(), ids=ways_out.CONNECTIONS)
def test_the_same_ways_connect_outside(
    run: Run, way: ways_out.Way, target: Target, capture: CaptureServer
) -> None:
    """Database, Vault, feed and whatever else a process does are not affected."""
    run(_outside(way, target))
    _until_connected(capture)


@pytest.mark.parametrize("way", ways_out.DATAGRAMS.values(), ids=ways_out.DATAGRAMS)
def test_the_same_ways_send_outside(
    run: Run, way: ways_out.Way, target: Target, datagrams: socket.socket
) -> None:
    """A datagram arrives."""
    run(_outside(way, target))
    assert _arrived(lambda: datagrams.recv(1))


def test_a_path_is_reached_outside(run: Run, target: Target, path: socket.socket) -> None:
    """A socket of the file system is one like others."""
    run(_outside(ways_out.unix_connection, target))
    path.accept()[0].close()


@pytest.mark.parametrize("way", ways_out.LOOKUPS.values(), ids=ways_out.LOOKUPS)
def test_the_same_names_are_found_outside(run: Run, way: ways_out.Way, target: Target) -> None:
    """No error."""

    async def look_up() -> None:
        await way(target)

    run(look_up())


@pytest.mark.parametrize(
    "transport",
    [lambda: judged_transport(AddressPolicy(inside_allowed=True)), trusted_transport],
    ids=["judged", "trusted"],
)
def test_our_transport_connects_in_a_call(
    run: Run,
    transport: Callable[[], httpx.AsyncBaseTransport],
    target: Target,
    capture: CaptureServer,
) -> None:
    """It resolves and connects, in either loop."""

    async def send() -> None:
        async with httpx.AsyncClient(transport=transport(), timeout=60) as client:
            with confined(), pytest.raises(httpx.RemoteProtocolError):
                await client.get(target.url)

    run(send())
    assert capture.connections == 1


def test_the_transports_right_ends_with_it(target: Target, capture: CaptureServer) -> None:
    """What comes after it in the same call is a library's again."""

    def use() -> None:
        with confined():
            with transport_opens():
                ways_out.socket_connect(target)
            ways_out.thread(target)

    with pytest.raises(UnjudgedConnection):
        use()
    _until_connected(capture)
    assert capture.connections == 1


def test_two_calls_at_once_fail_each_for_itself(run: Run, target: Target) -> None:
    """What one library tries is no failure of another call."""

    async def both() -> None:
        async def well() -> str:
            with confined():
                await asyncio.sleep(0.05)
                return "well"

        wrong = _in_call(ways_out.CONNECTIONS["open_connection"], target)
        answers = await asyncio.gather(well(), wrong, return_exceptions=True)
        assert answers[0] == "well"
        assert isinstance(answers[1], UnjudgedConnection)

    run(both())


def test_a_thread_that_outlives_its_call_is_still_the_calls(
    target: Target, capture: CaptureServer
) -> None:
    """To wait until the call is over is no way out."""
    over, tried = threading.Event(), list[BaseException]()

    def later() -> None:
        over.wait(60)
        try:
            ways_out.socket_connect(target)
        except UnjudgedConnection as error:
            tried.append(error)

    with confined():
        patient = threading.Thread(target=later)
        patient.start()
    over.set()
    patient.join(60)
    assert len(tried) == 1
    assert capture.connections == 0


async def test_a_task_that_outlives_its_call_is_still_the_calls(
    target: Target, capture: CaptureServer
) -> None:
    """Nor is it in the same loop."""
    over = asyncio.Event()

    async def later() -> None:
        await over.wait()
        ways_out.socket_connect(target)

    with confined():
        patient = asyncio.create_task(later())
    over.set()
    with pytest.raises(UnjudgedConnection):
        await patient
    assert capture.connections == 0


def test_a_refusal_between_two_pieces_fails_the_call(target: Target) -> None:
    """A thread's, for instance: all pieces are one call."""
    turn, call = threading.Event(), ConfinedCall()

    def later() -> None:
        turn.wait(60)
        with suppress(UnjudgedConnection):
            ways_out.socket_connect(target)

    with confined(call):
        thread = threading.Thread(target=later)
        thread.start()
    turn.set()
    thread.join(60)
    with pytest.raises(UnjudgedConnection), confined(call):
        pass


def test_a_worker_that_was_started_in_a_call_serves_others_afterwards(
    run: Run, target: Target, capture: CaptureServer
) -> None:
    """The loop's executor is everybody's: its threads belong to nobody."""

    async def use() -> None:
        for worker in (ways_out.executor, ways_out.anyio_thread):
            with pytest.raises(UnjudgedConnection):
                await _in_call(worker, target)
            await worker(target)

    run(use())
    _until_connected(capture)


def test_a_call_that_a_stopped_loop_left_can_be_closed() -> None:
    """In a context that was never the call's: its own is gone with the loop."""

    async def call() -> None:
        with confined():
            await asyncio.sleep(0)

    left = call()
    copy_context().run(left.send, None)
    left.close()


async def test_refusal_of_a_call_is_an_error_of_its_own(
    tmp_path: Path, target: Target, capture: CaptureServer
) -> None:
    """It is not tried again, not the provider's failure, and holds nothing of the library."""
    boot = settings(tmp_path, LLM_MAX_RETRIES="3")
    reference = model_reference(snapshot(boot), ServingBackend.VLLM, "specialist")
    ledger, tried = TrafficLedger(), list[int]()

    async def attempt(_refused: Refused) -> None:
        tried.append(1)
        ways_out.requests_get(target)

    with pytest.raises(UnjudgedConnection) as raised:
        await CallSite(reference, translate, ledger).call(attempt)
    assert (raised.value.code, raised.value.status_code) == ("address_refused", 503)
    assert len(tried) == 1
    assert not ledger.counts
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert "requests" not in "".join(str(entry.path) for entry in raised.traceback)
    assert capture.connections == 0
