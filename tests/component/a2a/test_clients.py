"""Both versions' own clients, in Python and JavaScript, speak to an agent over a real socket."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import uvicorn

from aurorasoc.a2a.server import DRAIN_SECONDS, create_app
from aurorasoc.core.inbound.connections import BoundedConnection
from aurorasoc.runtime import Runtime
from tests.component.a2a_tongues import ONE, content_of, documents, state_of
from tests.component.live import World, until
from tests.world import patient
from tests.world.a2a_clients import IN_JAVASCRIPT, JAVASCRIPT, PYTHON_0_3
from tests.world.loopback import LOOPBACK
from tests.world.processes import free_port
from tests.world.vendor import Fault

ANSWER: Final = "deepseek-v4-flash says: pong"

REFUSALS: Final[dict[str, tuple[Any, Any]]] = {
    "1.0, HTTP+JSON": ("TASK_NOT_FOUND", "INVALID_PARAMS"),
}
"""What clients say of an unknown task and of an empty message, where it isn't JSON-RPC's code."""


@asynccontextmanager
async def listening(runtime: Runtime) -> AsyncIterator[str]:
    """Serve an agent on loopback, and yield its address."""
    async with serving(runtime) as (url, _):
        yield url


@asynccontextmanager
async def serving(runtime: Runtime) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """Serve an agent on loopback, and yield its address and its server."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    app = create_app("threat-hunter", url=url, settings=runtime.settings)
    config = uvicorn.Config(
        app,
        host=LOOPBACK,
        port=port,
        http=BoundedConnection,
        ws="none",
        log_config=None,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        yield url, server
    finally:
        server.should_exit = True
        await running


def talked(name: str, version: str) -> dict[str, Any]:
    """Return what a client sees of a talk that goes well."""
    unknown, empty = REFUSALS.get(name, (-32001, -32602))
    return {
        "version": version,
        "whole": ANSWER,
        "state": "completed",
        "again": ANSWER,
        "pieces": ANSWER,
        "states": ["submitted", "working", "completed"],
        "last": True,
        "unknown": unknown,
        "empty": empty,
    }


async def test_python_client_of_0_3_is_answered(runtime: Runtime) -> None:
    """Whole and in pieces; refusals have the codes of JSON-RPC."""
    async with listening(runtime) as url:
        assert await PYTHON_0_3.play(url, "talk") == talked("0.3", "0.3")


async def test_python_client_of_0_3_can_cancel(runtime: Runtime, world: World) -> None:
    """A task under way, which stays cancelled."""
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with listening(runtime) as url:
        seen = await PYTHON_0_3.play(url, "cancel")
    gate.set()
    assert seen == {"state": "canceled", "again": "canceled"}


@pytest.mark.usefixtures(JAVASCRIPT.fixture)
@pytest.mark.parametrize("name", IN_JAVASCRIPT)
async def test_javascript_client_is_answered(runtime: Runtime, name: str) -> None:
    """Whole and in pieces; refusals have the codes of their binding."""
    version, _, _ = name.partition(",")
    async with listening(runtime) as url:
        assert await IN_JAVASCRIPT[name].play(url, "talk") == talked(name, version)


@pytest.mark.usefixtures(JAVASCRIPT.fixture)
@pytest.mark.parametrize("name", IN_JAVASCRIPT)
async def test_javascript_client_can_cancel(runtime: Runtime, world: World, name: str) -> None:
    """A task under way, which stays cancelled."""
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with listening(runtime) as url:
        seen = await IN_JAVASCRIPT[name].play(url, "cancel")
    gate.set()
    assert seen == {"state": "canceled", "again": "canceled"}


async def test_follower_sees_how_a_task_ends(runtime: Runtime, world: World) -> None:
    """First the task as it stands, then what happens to it, then the stream ends."""
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with listening(runtime) as url, patient.async_client(base_url=url) as http:
        sending = {"message": ONE.message("ping"), "configuration": dict(ONE.at_once)}
        (begun,) = documents(await http.request(**ONE.request("send", sending)))
        task = {"id": content_of(begun)["id"]}
        async with http.stream(**ONE.request("follow", task)) as stream:
            lines = (line async for line in stream.aiter_lines() if line.startswith("data: "))
            first = json.loads((await anext(lines))[6:])
            await http.request(**ONE.request("cancel", task))
            rest = [json.loads(line[6:]) async for line in lines]
        gate.set()
    assert "task" in first["result"]
    assert state_of(rest[-1]) == "canceled"


async def test_stream_under_way_ends_whole_when_the_agent_stops(
    runtime: Runtime, world: World
) -> None:
    """As an answer does that isn't streamed: the stop waits for it."""
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with serving(runtime) as (url, server), patient.async_client(base_url=url) as http:
        request = ONE.request("stream", {"message": ONE.message("ping")})
        async with http.stream(**request) as stream:
            lines = (line async for line in stream.aiter_lines() if line.startswith("data: "))
            await anext(lines)
            server.should_exit = True
            await until(lambda: not server.servers[0].is_serving())
            gate.set()
            rest = [json.loads(line[6:]) async for line in lines]
    assert state_of(rest[-1]) == "completed"
