"""Callers of an agent are kept apart, their streams end with their tokens, their runs end."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from aurorasoc.a2a import executor
from aurorasoc.a2a.server import create_app
from aurorasoc.core.access.tokens import create_token
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.runtime import Runtime
from tests.component.live import World, until
from tests.world.vendor import Fault

URL: Final = "http://agent.example"
UNKNOWN: Final = "00000000-0000-0000-0000-000000000000"


class Caller:
    """Somebody with a token."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        """Speak through a client."""
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """Make a call, and return the answer, or the last event of its stream."""
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        content = json.dumps(body)  # in ASCII, so that it can hold half a surrogate pair
        answer = await self._http.post("/", content=content, headers=self._headers, timeout=60)
        assert answer.status_code == 200, answer.text
        lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
        last: dict[str, Any] = json.loads(lines[-1][6:] if lines else answer.text)
        return last

    async def send(
        self,
        text: str = "ping",
        method: str = "message/send",
        configuration: dict[str, Any] | None = None,
        **ids: str,
    ) -> Any:  # noqa: ANN401 - JSON
        """Send a message."""
        parts = [{"kind": "text", "text": text}]
        message = {"messageId": "m", "role": "user", "kind": "message", "parts": parts, **ids}
        answer = await self.call(method, message=message, configuration=configuration or {})
        return answer.get("result", answer)


@asynccontextmanager
async def callers(
    runtime: Runtime, lifetime: timedelta = timedelta(hours=1)
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
        yield Caller(http, alice), Caller(http, bob)


def error_of(answer: Any) -> Any:  # noqa: ANN401 - JSON
    """Return an answer's error, without its request's id."""
    return answer["error"]


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel", "tasks/resubscribe"])
async def test_task_of_another_caller_is_not_found(runtime: Runtime, method: str) -> None:
    """As one that nobody made, and its maker finds it."""
    async with callers(runtime) as (alice, bob):
        task = await alice.send()
        foreign, unknown = await bob.call(method, id=task["id"]), await bob.call(method, id=UNKNOWN)
        makers = await alice.call("tasks/get", id=task["id"])
    assert error_of(foreign) == error_of(unknown)
    assert error_of(foreign)["code"] == -32001
    assert makers["result"]["id"] == task["id"]


@pytest.mark.parametrize("method", ["message/send", "message/stream"])
async def test_task_under_way_takes_nothing_from_another_caller(
    runtime: Runtime, world: World, method: str
) -> None:
    """Neither a message, nor a cancellation, nor a reader of its stream."""
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with callers(runtime) as (alice, bob):
        task_id = (await alice.send(configuration={"blocking": False}))["id"]
        await until(lambda: bool(world.keyed.requests))
        for refused in (
            await bob.send(taskId=task_id, method=method),
            await bob.call("tasks/cancel", id=task_id),
            await bob.call("tasks/resubscribe", id=task_id),
        ):
            assert error_of(refused)["code"] == -32001
        assert len(world.keyed.requests) == 1
        following = asyncio.create_task(alice.call("tasks/resubscribe", id=task_id))
        gate.set()
        last = await following
    assert last["result"]["status"]["state"] == "completed"


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


async def test_stream_ends_with_its_token(runtime: Runtime, world: World) -> None:
    """The last event says why, and the run goes on without its reader."""
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with callers(runtime, timedelta(seconds=3)) as (alice, _):
        last = await alice.send(method="message/stream")
        gate.set()
    assert "expired" in error_of(last)["message"]
    assert last["id"] == 7


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
    assert refused["status"]["state"] == "failed"
    assert "1 agent runs" in str(refused["status"]["message"])
    assert [task["status"]["state"] for task in done] == ["completed"] * 3


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
    assert task["status"]["state"] == "failed"
    assert "within" in str(task["status"]["message"])


async def test_half_a_surrogate_pair_is_replaced_at_the_door(
    runtime: Runtime, world: World
) -> None:
    """In texts, metadata and ids."""
    async with callers(runtime) as (alice, _):
        parts = [{"kind": "text", "text": "a\ud800b", "metadata": {"x": ["\udfff"]}}]
        message = {"messageId": "\ud800", "role": "user", "kind": "message", "parts": parts}
        answer = await alice.call("message/send", message=message)
        assert answer["result"]["status"]["state"] == "completed"
        shown = await alice.call("tasks/get", id=answer["result"]["id"])
    assert "result" in shown
    assert "ud800" not in str(world.keyed.requests[0].raw)
