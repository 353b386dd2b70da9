"""Half a surrogate pair, from either side: never a 500."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI

from aurorasoc.api.app import include_routers
from aurorasoc.core.access.principal import Principal
from aurorasoc.runtime import Runtime
from tests.component.live import World, use
from tests.world.vendor import Fault

LONE: Final = "\N{REPLACEMENT CHARACTER}"
CHAT: Final = {"messages": [{"role": "user", "content": "ping"}]}
JSON: Final = {"Content-Type": "application/json"}


async def _admin() -> Principal:
    return Principal.of("alice", roles=["admin"])


@pytest.fixture
async def http(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the API in this process."""
    app = FastAPI()
    include_routers(app, principal=_admin, settings=runtime.settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://host/api/v1") as client,
    ):
        yield client


def whole(text: str) -> Fault:
    """Answer a chat with a text, as it stands in JSON."""
    document: Any = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "TEXT"},
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    return Fault(status=200, body=json.dumps(document).replace("TEXT", text).encode())


def streamed(text: str) -> Fault:
    """Stream a chat with one delta."""
    piece: Any = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "TEXT"}}],
    }
    last = {**piece, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    events = [json.dumps(piece).replace("TEXT", text), json.dumps(last), "[DONE]"]
    body = "".join(f"data: {event}\n\n" for event in events)
    return Fault(status=200, body=body.encode(), media_type="text/event-stream")


async def test_answer_with_half_a_pair_is_an_answer(http: httpx.AsyncClient, world: World) -> None:
    """With U+FFFD in its place."""
    world.keyed.faults.set(whole(r"a\ud800b"))
    answer = await http.post("/chat", json=CHAT)
    assert answer.status_code == 200, answer.text
    assert answer.json()["message"]["content"] == f"a{LONE}b"


async def test_delta_with_half_a_pair_is_a_delta(http: httpx.AsyncClient, world: World) -> None:
    """No escape that another parser refuses goes out."""
    world.keyed.faults.set(streamed(r"a\ud800b"))
    answer = await http.post("/chat", json=CHAT | {"stream": True})
    assert "ud800" not in answer.text
    assert json.loads(answer.text.split("data: ")[1].splitlines()[0]) == {"content": f"a{LONE}b"}
    assert "event: done" in answer.text


async def test_model_list_with_half_a_pair_is_a_list(
    http: httpx.AsyncClient, world: World, runtime: Runtime
) -> None:
    """As the vendor's other texts."""
    await use("openai", runtime)
    world.keyed.faults.set(Fault(status=200, body=rb'{"data": [{"id": "a\udfff"}]}'))
    answer = await http.get("/system/llm/providers/openai/models")
    assert (answer.status_code, answer.json()["models"]) == (200, [f"a{LONE}"])


async def test_error_with_half_a_pair_is_an_error(http: httpx.AsyncClient, world: World) -> None:
    """Its text goes nowhere in any case."""
    world.keyed.faults.set(Fault(status=400, body=rb'{"error": {"message": "a\ud800b"}}'))
    answer = await http.post("/chat", json=CHAT)
    assert (answer.status_code, answer.json()["code"]) == (502, "bad_response")


@pytest.mark.parametrize("text", [rb"a\ud800b", rb"\udc00\ud800"])
async def test_half_a_pair_is_replaced_at_the_door(
    http: httpx.AsyncClient, world: World, text: bytes
) -> None:
    """The provider gets what every parser reads."""
    body = json.dumps(CHAT).encode().replace(b"ping", text)
    answer = await http.post("/chat", content=body, headers=JSON)
    assert answer.status_code == 200
    (exchange,) = world.keyed.requests
    assert LONE in str(exchange.body["messages"])
    assert b"ud800" not in exchange.raw


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
async def test_raw_half_of_a_pair_is_replaced_at_the_door(
    http: httpx.AsyncClient, world: World, encoding: str
) -> None:
    """Python decodes what no other program does."""
    body = json.dumps(CHAT).replace("ping", "a\ud800b").encode(encoding, "surrogatepass")
    answer = await http.post("/chat", content=body, headers=JSON)
    assert answer.status_code == 200
    assert f"a{LONE}b" in str(world.keyed.requests[0].body["messages"])
