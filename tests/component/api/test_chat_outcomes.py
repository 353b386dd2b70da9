"""What chat says of an answer: how it ended, who gave it, what was counted; or why none came."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from aurorasoc.agents.factory import AgentFactory
from aurorasoc.api.app import create_app
from aurorasoc.errors import AnswerCut
from aurorasoc.runtime import Runtime
from tests.component.live import World
from tests.examples import JWT_SECRET
from tests.world.service import API, bearer, token
from tests.world.vendor_bodies import chat


@pytest.fixture
async def api(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the API in this process."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(runtime.settings)),
        base_url=f"http://127.0.0.1{API}",
        headers=bearer(token(secret=JWT_SECRET)),
    ) as client:
        yield client


async def _chat(api: httpx.AsyncClient, *, stream: bool) -> tuple[int, dict[str, Any]]:
    """Return the status, and the answer or a stream's last event."""
    body = {"messages": [{"role": "user", "content": "ping"}], "stream": stream}
    answer = await api.post("/chat", json=body)
    last = answer.text.strip().rpartition("data: ")[2] if stream else answer.text
    return answer.status_code, json.loads(last)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("reason", ["stop", "length"])
async def test_an_answer_says_how_it_ended_and_who_gave_it(
    world: World,
    api: httpx.AsyncClient,
    reason: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Usage is null where nothing was counted; the model is the one that answered."""
    world.keyed.faults.set(chat({"content": "Isolate the"}, reason, stream=stream))
    _, answer = await _chat(api, stream=stream)
    assert (answer["finish_reason"], answer["usage"]) == (reason, None)
    assert answer["model"] == "answering-model"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_blocked_answer_is_a_problem_with_its_category(
    world: World,
    api: httpx.AsyncClient,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """In a stream it is the last event."""
    world.keyed.faults.set(chat({"content": "The exploit"}, "content_filter", stream=stream))
    status, problem = await _chat(api, stream=stream)
    assert status == (200 if stream else 422)
    assert (problem["status"], problem["code"]) == (422, "blocked")
    assert problem["category"] == "content_filter"


async def test_an_agent_gives_no_half_answer(world: World, runtime: Runtime) -> None:
    """Who reads it acts on it; what was cut isn't remembered, either."""
    world.keyed.faults.set(chat({"content": "Isolate the"}, "length", stream=False))
    agent = await AgentFactory(runtime).build("threat-hunter")
    with pytest.raises(AnswerCut, match="cut off"):
        await agent.run("What now?")
    assert agent.memory.messages == []
