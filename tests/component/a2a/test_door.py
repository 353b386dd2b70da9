"""An agent's door: who may ask, from where, how much, and what a refusal says."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest
from a2a.types import Task, TaskState, TaskStatus
from beeai_framework.backend.message import UserMessage
from beeai_framework.memory import UnconstrainedMemory

from aurorasoc.a2a import memory as kept
from aurorasoc.a2a.memory import RecentConversations, RecentTasks
from aurorasoc.a2a.server import create_app
from aurorasoc.core.access.tokens import create_token
from aurorasoc.errors import ConfigurationError
from aurorasoc.runtime import Runtime
from tests.component.live import World, asked
from tests.examples import settings

URL: Final = "http://agent.example"
CANARY: Final = "CANARY-RED-4c1f"
JSON: Final = {"Content-Type": "application/json"}


@asynccontextmanager
async def served(runtime: Runtime, host: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of an agent's app that listens there."""
    app = create_app("threat-hunter", url=URL, settings=runtime.settings, host=host)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=URL) as http,
    ):
        yield http


def call(method: str = "message/send", **changed: object) -> dict[str, Any]:
    """Make a call that asks the agent something."""
    message = {
        "messageId": "m1",
        "role": "user",
        "kind": "message",
        "parts": [{"kind": "text", "text": "ping"}],
    }
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": message}} | changed


REFUSED: Final[dict[str, tuple[Any, int]]] = {
    "no JSON": (f'{{"text": "{CANARY}', -32700),
    "no UTF-8": (CANARY.encode() + b"\xff", -32700),
    "no object": ([CANARY], -32600),
    "no method": ({"jsonrpc": "2.0", "id": 1, "x": CANARY}, -32600),
    "no version": (call(jsonrpc=CANARY), -32600),
    "id too long": (call(id=CANARY * 20), -32600),
    "id of another kind": (call(id=[CANARY]), -32600),
    "unknown method": (call(CANARY), -32601),
    "no message": (call(params={"message": CANARY}), -32602),
    "wrong part": (call(params={"message": {"parts": [{"kind": "text", "t": CANARY}]}}), -32602),
    "unknown task": (call("tasks/get", params={"id": CANARY}), -32001),
    "unknown task to cancel": (call("tasks/cancel", params={"id": CANARY}), -32001),
    "unknown task to follow": (call("tasks/resubscribe", params={"id": CANARY}), -32001),
    "message to an unknown task": (
        call(params={"message": {**call()["params"]["message"], "taskId": CANARY}}),
        -32001,
    ),
}


@pytest.mark.parametrize("sent", REFUSED)
async def test_refusal_repeats_nothing(
    sent: str,
    runtime: Runtime,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Neither in the answer nor in the log, whichever step refuses it."""
    body, code = REFUSED[sent]
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    async with served(runtime) as http:
        logging.getLogger("a2a").addHandler(caplog.handler)
        try:
            answer = await http.post("/", content=content, headers=JSON)
        finally:
            logging.getLogger("a2a").removeHandler(caplog.handler)
    said = answer.text.removeprefix("data: ").strip()
    assert json.loads(said)["error"]["code"] == code
    assert "data" not in json.loads(said)["error"]
    written = capfd.readouterr()
    assert CANARY not in answer.text + written.out + written.err
    assert "Traceback" not in written.out + written.err


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ({"Content-Type": ""}, 415, "unsupported_media_type"),
        ({"Content-Type": "text/plain; application/json"}, 415, "unsupported_media_type"),
        (JSON | {"Host": "evil.test"}, 421, "unknown_host"),
        (JSON | {"Origin": "http://evil.test"}, 403, "foreign_origin"),
        (JSON | {"Origin": "null"}, 403, "foreign_origin"),
    ],
)
async def test_web_page_reaches_no_agent(
    headers: dict[str, str], status: int, code: str, runtime: Runtime, world: World
) -> None:
    """Neither by a request that needs no permission of the browser, nor by a rebound name."""
    async with served(runtime) as http:
        answer = await http.post("/", content=json.dumps(call()), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert asked(world.keyed) == []


async def test_body_too_large_is_refused_chunked_or_not(runtime: Runtime) -> None:
    """The length is counted, not believed."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"a" * 65_536

    async with served(runtime) as http:
        whole = await http.post("/", content=b"a" * 2_000_000, headers=JSON)
        chunked = await http.post("/", content=chunks(), headers=JSON)
        deep = await http.post("/", content=b"[" * 100 + b"]" * 100, headers=JSON)
    assert [whole.json()["code"], chunked.json()["code"]] == ["body_too_large"] * 2
    assert (deep.status_code, deep.json()["code"]) == (422, "invalid_input")


async def test_beyond_loopback_callers_need_a_token(runtime: Runtime, world: World) -> None:
    """The card says so; card and health stay open."""
    security = runtime.settings.security
    admin, viewer, root = (
        create_token("alice", roles=[role], lifetime=timedelta(hours=1), settings=security)
        for role in ("analyst", "viewer", "nobody")
    )
    async with served(runtime, host="0.0.0.0") as http:  # noqa: S104 - nothing listens
        card = (await http.get("/.well-known/agent-card.json")).json()
        assert (await http.get("/health")).status_code == 200
        statuses = [
            (await http.post("/", json=call(), headers=headers)).status_code
            for headers in (
                {},
                {"Authorization": f"Basic {admin}"},
                {"Authorization": "Bearer nonsense"},
                {"Authorization": f"Bearer {viewer}"},
                {"Authorization": f"Bearer {root}"},
            )
        ]
        assert statuses == [401, 401, 401, 403, 403]
        assert asked(world.keyed) == []
        answer = await http.post("/", json=call(), headers={"Authorization": f"Bearer {admin}"})
        assert answer.json()["result"]["status"]["state"] == "completed"
    assert card["security"] == [{"bearer": []}]
    assert card["securitySchemes"]["bearer"]["scheme"] == "bearer"


async def test_on_loopback_callers_need_none(runtime: Runtime) -> None:
    """Unless it is asked for."""
    async with served(runtime) as http:
        card = (await http.get("/.well-known/agent-card.json")).json()
        assert (await http.post("/", json=call())).json()["result"]["kind"] == "task"
    assert "securitySchemes" not in card


def test_token_without_a_secret_stops_the_start(tmp_path: Any) -> None:  # noqa: ANN401 - a path
    """Nobody could be let in."""
    bare = settings(tmp_path, JWT_SECRET_KEY="", AURORA_A2A_AUTH="token")
    with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"):
        create_app("threat-hunter", url=URL, settings=bare)


async def test_trailing_slash_leads_nowhere(runtime: Runtime) -> None:
    """A redirect would be built on the Host that was sent."""
    async with served(runtime) as http:
        answer = await http.get("/health/")
    assert answer.status_code == 404


async def test_tasks_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten first; one that grows counts as it is."""
    monkeypatch.setattr(kept, "KEPT_BYTES", 10_000)
    tasks = RecentTasks()
    for number in range(10):
        status = TaskStatus(state=TaskState.working)
        metadata = {"text": "x" * 4_000}
        await tasks.save(Task(id=str(number), context_id="c", status=status, metadata=metadata))
    assert [await tasks.get(str(number)) is not None for number in range(10)] == [False] * 8 + [
        True
    ] * 2
    await tasks.delete("8")
    await tasks.delete("9")
    assert tasks._total == 0


async def test_conversations_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """All together, and each by itself: they grow after they were stored."""
    monkeypatch.setattr(kept, "KEPT_BYTES", 10_000)
    monkeypatch.setattr(kept, "MAX_CONVERSATION", 6_000)
    conversations = RecentConversations().of("alice")
    for key in "abc":
        memory = UnconstrainedMemory()
        await conversations.set(key, memory)
        await memory.add(UserMessage("x" * 4_000))
        conversations.settle(key)
    assert [await conversations.contains(key) for key in "abc"] == [False, True, True]
    await (await conversations.get("b")).add(UserMessage("x" * 4_000))
    conversations.settle("b")
    assert [await conversations.contains(key) for key in "abc"] == [False, False, True]
