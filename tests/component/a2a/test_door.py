"""An agent's door: who may ask, from where, how much, and what a refusal says."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest
from a2a.types import Part, Task
from beeai_framework.backend.message import UserMessage

from aurorasoc.a2a import conversations, tasks
from aurorasoc.a2a.callers import context_of
from aurorasoc.a2a.conversations import RecentConversations
from aurorasoc.a2a.server import create_app
from aurorasoc.a2a.tasks import RecentTasks
from aurorasoc.core.access.tokens import create_token
from aurorasoc.errors import ConfigurationError
from aurorasoc.runtime import Runtime
from tests.component.a2a_tongues import (
    JSON,
    ONE,
    TONGUES,
    Tongue,
    code_of,
    documents,
    state_of,
)
from tests.component.live import World, asked
from tests.examples import settings

URL: Final = "http://agent.example"
CANARY: Final = "CANARY-RED-4c1f"
AGENT: Final = {"0.3": "agent", "1.0": "ROLE_AGENT"}


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


def call(tongue: Tongue = ONE) -> dict[str, Any]:
    """Make httpx's arguments for a call that asks the agent something."""
    return tongue.request("send", {"message": tongue.message("ping")})


def envelope(**changed: object) -> str:
    """Make a JSON-RPC request, not quite right."""
    message = ONE.message("ping")
    document = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    return json.dumps(document | changed)


ENVELOPES: Final[dict[str, tuple[str | bytes, int]]] = {
    "no JSON": (f'{{"text": "{CANARY}', -32700),
    "no UTF-8": (CANARY.encode() + b"\xff", -32700),
    "not a number": (f'{{"{CANARY}": NaN}}', -32700),
    "no object": (json.dumps([CANARY]), -32600),
    "no method": (json.dumps({"jsonrpc": "2.0", "id": 1, "x": CANARY}), -32600),
    "no version": (envelope(jsonrpc=CANARY), -32600),
    "id too long": (envelope(id=CANARY * 20), -32600),
    "id of another kind": (envelope(id=[CANARY]), -32600),
    "unknown method": (envelope(method=CANARY), -32601),
    "no parameters": (envelope(params=CANARY), -32602),
}


@pytest.mark.parametrize("version", ["", "0.3", "1.0"])
@pytest.mark.parametrize("sent", ENVELOPES)
async def test_refusal_of_an_envelope_repeats_nothing(
    sent: str, version: str, runtime: Runtime, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in the answer nor in the log, whichever version is asked for."""
    content, code = ENVELOPES[sent]
    async with served(runtime) as http:
        answer = await http.post("/", content=content, headers=JSON | {"A2A-Version": version})
    if sent == "no parameters" and version != "1.0":
        code = -32009  # it is a method of 1.0
    assert answer.json()["error"]["code"] == code
    assert found_in(answer, capfd) == []


REFUSED: Final[dict[str, tuple[Callable[[Tongue], tuple[str, Any]], int]]] = {
    "no message": (lambda _: ("send", {"message": CANARY}), -32602),
    "message of no kind": (lambda _: ("send", {"message": {"parts": CANARY}}), -32602),
    "no parts": (lambda t: ("send", {"message": t.message(metadata={"x": CANARY})}), -32602),
    "empty part": (lambda t: ("send", {"message": t.message({}, messageId=CANARY)}), -32602),
    "empty part beside a text": (
        lambda t: ("send", {"message": t.message("x", {"file": CANARY}, messageId=CANARY)}),
        -32602,
    ),
    "blank text": (lambda t: ("send", {"message": t.message(" ", messageId=CANARY)}), -32602),
    "text of no kind": (lambda t: ("send", {"message": t.message(t.text([CANARY]))}), -32602),  # type: ignore[arg-type]
    "agent's own message": (
        lambda t: ("send", {"message": t.message(CANARY) | {"role": AGENT[t.version]}}),
        -32602,
    ),
    "too many parts": (lambda t: ("send", {"message": t.message(*[CANARY] * 501)}), -32602),
    "deep metadata": (lambda t: ("send", {"message": t.message("x", metadata=deep(20))}), -32602),
    "much metadata": (
        lambda t: ("send", {"message": t.message("x", metadata={"x": CANARY * 500})}),
        -32602,
    ),
    "much metadata of parts": (
        lambda t: (
            "send",
            {"message": t.message(*[t.text("x", metadata={"x": CANARY * 50})] * 10)},
        ),
        -32602,
    ),
    "long context id": (
        lambda t: ("send", {"message": t.message("x", contextId=CANARY * 100)}),
        -32602,
    ),
    "negative history of a message": (
        lambda t: ("send", {"message": t.message(CANARY), "configuration": history(-1)}),
        -32602,
    ),
    "negative history of a task": (lambda _: ("get", {"id": CANARY} | history(-1)), -32602),
    "vast history": (lambda _: ("get", {"id": CANARY} | history(2**40)), -32602),
    "file": (lambda t: ("send", {"message": t.message(t.file(CANARY))}), -32005),
    "unknown task": (lambda _: ("get", {"id": CANARY}), -32001),
    "unknown task to cancel": (lambda _: ("cancel", {"id": CANARY}), -32001),
    "unknown task to follow": (lambda _: ("follow", {"id": CANARY}), -32001),
    "message to an unknown task": (
        lambda t: ("send", {"message": t.message("x", taskId=CANARY)}),
        -32001,
    ),
    "stream to an unknown task": (
        lambda t: ("stream", {"message": t.message("x", taskId=CANARY)}),
        -32001,
    ),
}


@pytest.mark.parametrize("spoken", TONGUES)
@pytest.mark.parametrize("sent", REFUSED)
async def test_refusal_repeats_nothing(
    sent: str, spoken: str, runtime: Runtime, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in the answer nor in the log, whichever step refuses it; no model is asked."""
    made, code = REFUSED[sent]
    tongue = TONGUES[spoken]
    async with served(runtime) as http:
        answer = await http.request(**tongue.request(*made(tongue)))
    assert [code_of(document) for document in documents(answer)] == [code]
    assert found_in(answer, capfd) == []
    assert asked(world.keyed) == []


async def test_log_of_the_library_loses_its_text(
    runtime: Runtime, capfd: pytest.CaptureFixture[str]
) -> None:
    """The line names its source, its level and the exception's kind."""
    async with served(runtime):
        logger = logging.getLogger("a2a.server.anything")
        logger.error("failed on %s", CANARY, exc_info=ValueError(CANARY))
    written = capfd.readouterr()
    said = written.out + written.err
    assert CANARY not in said
    assert "Traceback" not in said


def history(length: int) -> dict[str, int]:
    """Ask for so many earlier messages."""
    return {"historyLength": length}


def deep(levels: int) -> dict[str, Any]:
    """Make an object of so many levels."""
    return {"x": deep(levels - 1)} if levels > 1 else {"x": CANARY}


def found_in(answer: httpx.Response, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Return where the canary, or a traceback, got."""
    written = capfd.readouterr()
    places = {"answer": answer.text, "output": written.out, "errors": written.err}
    return [name for name, text in places.items() if CANARY in text or "Traceback" in text]


@pytest.mark.parametrize("path", ["/", "/message:send"])
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
    headers: dict[str, str], status: int, code: str, path: str, runtime: Runtime, world: World
) -> None:
    """Neither by a request that needs no permission of the browser, nor by a rebound name."""
    content = call()["content"]
    async with served(runtime) as http:
        answer = await http.post(path, content=content, headers=ONE.headers | headers)
    if path != "/" and status == 415:  # as the binding has it
        assert answer.status_code == 400
        assert code_of(answer.json()) == -32005
    else:
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
        nested = await http.post("/", content=b"[" * 100 + b"]" * 100, headers=JSON)
        by_path = await http.post("/message:send", content=b"a" * 2_000_000, headers=JSON)
    assert [whole.json()["code"], chunked.json()["code"]] == ["body_too_large"] * 2
    assert (nested.status_code, nested.json()["code"]) == (422, "invalid_input")
    assert (by_path.status_code, by_path.json()["error"]["code"]) == (413, 413)


@pytest.mark.parametrize("spoken", TONGUES)
async def test_beyond_loopback_callers_need_a_token(
    spoken: str, runtime: Runtime, world: World
) -> None:
    """The card says so; card and health stay open."""
    tongue, security = TONGUES[spoken], runtime.settings.security
    admin, viewer, root = (
        create_token("alice", roles=[role], lifetime=timedelta(hours=1), settings=security)
        for role in ("analyst", "viewer", "nobody")
    )

    async def ask(http: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
        request = call(tongue)
        return await http.request(**request | {"headers": request["headers"] | headers})

    async with served(runtime, host="0.0.0.0") as http:  # noqa: S104 - nothing listens
        card = (await http.get("/.well-known/agent-card.json")).json()
        assert (await http.get("/health")).status_code == 200
        statuses = [
            (await ask(http, headers)).status_code
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
        answer = await ask(http, {"Authorization": f"Bearer {admin}"})
        assert state_of(answer.json()) == "completed"
    assert card["security"] == [{"bearer": []}]
    assert card["securityRequirements"] == [{"schemes": {"bearer": {}}}]
    assert card["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert card["securitySchemes"]["bearer"]["httpAuthSecurityScheme"]["scheme"] == "bearer"


async def test_on_loopback_callers_need_none(runtime: Runtime) -> None:
    """Unless it is asked for."""
    async with served(runtime) as http:
        card = (await http.get("/.well-known/agent-card.json")).json()
        assert state_of((await http.request(**call())).json()) == "completed"
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
    monkeypatch.setattr(tasks, "KEPT_BYTES", 10_000)
    kept, anybody = RecentTasks(), context_of(None)
    for number in range(10):
        grown = Task(id=str(number), context_id="c")
        await kept.save(grown, anybody)
        grown.artifacts.add(parts=[Part(text="x" * 4_000)])
        await kept.save(grown, anybody)
    assert [await kept.get(str(number), anybody) is not None for number in range(10)] == [
        False
    ] * 8 + [True] * 2
    await kept.delete("8", anybody)
    await kept.delete("9", anybody)
    assert kept._total == 0


async def test_what_is_kept_is_not_what_a_reader_holds() -> None:
    """Neither the run's task nor a reader's changes what others get."""
    kept, anybody = RecentTasks(), context_of(None)
    made = Task(id="1", context_id="c")
    await kept.save(made, anybody)
    made.context_id = "other"
    read = await kept.get("1", anybody)
    assert read is not None
    read.context_id = "other"
    again = await kept.get("1", anybody)
    assert again is not None
    assert again.context_id == "c"


async def test_conversations_are_bounded_in_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """All together, and each by itself: they grow after they were begun."""
    monkeypatch.setattr(conversations, "KEPT_CHARACTERS", 10_000)
    monkeypatch.setattr(conversations, "MAX_CONVERSATION", 6_000)
    recent = RecentConversations()
    for key in "abc":
        await recent.use("alice", key).add(UserMessage("x" * 4_000))
        recent.settle("alice", key)
    assert [recent.remembers("alice", key) for key in "abc"] == [False, True, True]
    await recent.use("alice", "b").add(UserMessage("x" * 4_000))
    recent.settle("alice", "b")
    assert [recent.remembers("alice", key) for key in "abc"] == [False, False, True]
