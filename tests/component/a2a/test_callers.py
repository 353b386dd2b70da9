"""Callers of an agent are kept apart, their streams end with their tokens, their runs end."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from aurorasoc.a2a import door, executor
from aurorasoc.a2a.server import create_app
from aurorasoc.core.access.tokens import create_token
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.runtime import Runtime
from tests.component.a2a_tongues import (
    ONE,
    TONGUES,
    Tongue,
    code_of,
    content_of,
    documents,
    state_of,
)
from tests.component.live import World, until
from tests.world.vendor import Fault

URL: Final = "http://agent.example"
UNKNOWN: Final = "00000000-0000-0000-0000-000000000000"


class Caller:
    """Somebody with a token."""

    def __init__(self, http: httpx.AsyncClient, token: str, tongue: Tongue) -> None:
        """Speak through a client."""
        self._http = http
        self._token = {"Authorization": f"Bearer {token}"}
        self._tongue = tongue

    async def call(self, operation: str, **params: object) -> Any:  # noqa: ANN401 - JSON
        """Make a call, and return the answer, or the last event of its stream."""
        request = self._tongue.request(operation, params)
        request["headers"] = request["headers"] | self._token
        return documents(await self._http.request(**request, timeout=60))[-1]

    async def send(
        self,
        *parts: object,
        operation: str = "send",
        at_once: bool = False,
        **fields: object,
    ) -> Any:  # noqa: ANN401 - JSON
        """Send a message."""
        message = self._tongue.message(*(parts or ("ping",)), **fields)
        configuration = dict(self._tongue.at_once) if at_once else {}
        return await self.call(operation, message=message, configuration=configuration)


@asynccontextmanager
async def callers(
    runtime: Runtime, tongue: Tongue = ONE, lifetime: timedelta = timedelta(hours=1)
) -> AsyncIterator[tuple[Caller, Caller]]:
    """Yield two callers of an agent that listens beyond loopback."""
    host = "0.0.0.0"  # noqa: S104 - nothing listens
    app = create_app("threat-hunter", url=URL, settings=runtime.settings, host=host)
    alice, bob = (
        create_token(name, roles=["analyst"], lifetime=lifetime, settings=runtime.settings.security)
        for name in ("alice", "bob")
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL) as http,
    ):
        yield Caller(http, alice, tongue), Caller(http, bob, tongue)


in_every_tongue = pytest.mark.parametrize("spoken", TONGUES)


@in_every_tongue
@pytest.mark.parametrize("operation", ["get", "cancel", "follow"])
async def test_task_of_another_caller_is_not_found(
    runtime: Runtime, operation: str, spoken: str
) -> None:
    """As one that nobody made, and its maker finds it."""
    async with callers(runtime, TONGUES[spoken]) as (alice, bob):
        task = content_of(await alice.send())
        foreign = await bob.call(operation, id=task["id"])
        unknown = await bob.call(operation, id=UNKNOWN)
        makers = await alice.call("get", id=task["id"])
    assert foreign["error"] == unknown["error"]
    assert code_of(foreign) == -32001
    assert content_of(makers)["id"] == task["id"]


@in_every_tongue
@pytest.mark.parametrize("operation", ["send", "stream"])
async def test_task_under_way_takes_nothing_from_another_caller(
    runtime: Runtime, world: World, operation: str, spoken: str
) -> None:
    """Neither a message, nor a cancellation, nor a reader of its stream."""
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with callers(runtime, TONGUES[spoken]) as (alice, bob):
        task_id = content_of(await alice.send(at_once=True))["id"]
        await until(lambda: bool(world.keyed.requests))
        for refused in (
            await bob.send(taskId=task_id, operation=operation),
            await bob.call("cancel", id=task_id),
            await bob.call("follow", id=task_id),
        ):
            assert code_of(refused) == -32001
        assert len(world.keyed.requests) == 1
        following = asyncio.create_task(alice.call("follow", id=task_id))
        gate.set()
        last = await following
    assert state_of(last) == "completed"


async def test_conversation_of_another_caller_is_not_continued(
    runtime: Runtime, world: World
) -> None:
    """The same context id begins another conversation."""
    async with callers(runtime) as (alice, bob):
        await alice.send("my secret", contextId="shared")
        await bob.send("and then?", contextId="shared")
        await alice.send("go on", contextId="shared")
    first, second, third = (str(exchange.body["messages"]) for exchange in world.keyed.requests)
    assert "my secret" in first
    assert "my secret" not in second
    assert "my secret" in third
    assert "and then?" not in third


async def test_list_shows_a_caller_their_own_tasks(runtime: Runtime) -> None:
    """The newest first, without artifacts unless they are asked for, page by page."""
    async with callers(runtime) as (alice, bob):
        first, second = [content_of(await alice.send())["id"] for _ in range(2)]
        await bob.send()
        page = (await alice.call("ListTasks", pageSize=1))["result"]
        rest = await alice.call(
            "ListTasks", pageSize=1, pageToken=page["nextPageToken"], includeArtifacts=True
        )
        wrong = await alice.call("ListTasks", pageSize=0)
    assert [task["id"] for task in page["tasks"]] == [second]
    assert "artifacts" not in page["tasks"][0]
    assert [task["id"] for task in rest["result"]["tasks"]] == [first]
    assert rest["result"]["tasks"][0]["artifacts"]
    assert (rest["result"]["nextPageToken"], rest["result"]["totalSize"]) == ("", 2)
    assert code_of(wrong) == -32602


@in_every_tongue
async def test_stream_ends_with_its_token(runtime: Runtime, world: World, spoken: str) -> None:
    """The last event says why, and the run goes on without its reader."""
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with callers(runtime, TONGUES[spoken], timedelta(seconds=2)) as (alice, _):
        last = await alice.send(operation="stream")
        gate.set()
    assert "expired" in last["error"]["message"]
    assert last.get("id", 7) == 7


@in_every_tongue
async def test_one_caller_cannot_open_all_streams(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch, spoken: str
) -> None:
    """One too many is refused before its task begins; a place is free when a stream has ended."""
    monkeypatch.setattr(door, "_STREAMS", CallerLimit(3, most_each=1))
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with callers(runtime, TONGUES[spoken]) as (alice, bob):
        first = asyncio.create_task(alice.send(operation="stream"))
        await until(lambda: len(world.keyed.requests) == 1)
        refused = await alice.send(operation="stream")
        unknown = await bob.call("follow", id=UNKNOWN)
        gate.set()
        done = [await first, await alice.send(operation="stream")]
        done.append(await bob.send(operation="stream"))
    assert "1 streams" in str(refused)
    assert code_of(unknown) == -32001
    assert [state_of(last) for last in done] == ["completed"] * 3
    assert len(world.keyed.requests) == 3


async def test_one_caller_cannot_take_all_runs(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run of theirs fails in our words, and others' go on."""
    monkeypatch.setattr(executor, "_RUNS", CallerLimit(3, most_each=1, things="agent runs"))
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with callers(runtime) as (alice, bob):
        first = asyncio.create_task(alice.send())
        await until(lambda: len(world.keyed.requests) == 1)
        refused = await alice.send()
        other = asyncio.create_task(bob.send())
        await until(lambda: len(world.keyed.requests) == 2)
        gate.set()
        done = [await first, await other, await alice.send()]
    assert state_of(refused) == "failed"
    assert "1 agent runs" in str(content_of(refused)["status"]["message"])
    assert [state_of(task) for task in done] == ["completed"] * 3


async def test_run_ends_in_time(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long its model calls and their retries may take."""
    monkeypatch.setattr(executor, "RUN_SECONDS", 0.5)
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with callers(runtime) as (alice, _):
        task = await alice.send()
        gate.set()
    assert state_of(task) == "failed"
    assert "within" in str(content_of(task)["status"]["message"])


@in_every_tongue
async def test_half_a_surrogate_pair_is_replaced_at_the_door(
    runtime: Runtime, world: World, spoken: str
) -> None:
    """In texts, metadata and ids."""
    part = TONGUES[spoken].text("a\ud800b", metadata={"x": ["\udfff"]})
    async with callers(runtime, TONGUES[spoken]) as (alice, _):
        answer = await alice.send(part, messageId="\ud800")
        shown = await alice.call("get", id=content_of(answer)["id"])
    assert [state_of(answer), state_of(shown)] == ["completed"] * 2
    assert "ud800" not in str(world.keyed.requests[0].raw)
