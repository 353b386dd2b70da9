"""The app of one agent, spoken to by the A2A SDK's client without a socket in between."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.helpers import create_text_message_object
from a2a.types import Task, TaskState, TaskStatus

from aurorasoc.a2a.memory import KEPT, RecentTasks
from aurorasoc.a2a.server import create_app, serve
from aurorasoc.errors import ConfigurationError, NotFound
from aurorasoc.llm.changes import edits
from aurorasoc.runtime import Runtime
from tests.component.live import World, asked, until, use
from tests.examples import config_request, policy_request
from tests.world.loopback import LOOPBACK

URL = "http://agent.example"


@asynccontextmanager
async def served(
    runtime: Runtime, name: str, tlp: str | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield an HTTP client of an agent's app, as it is inside its lifespan."""
    app = create_app(name, url=URL, tlp=tlp, settings=runtime.settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=URL) as http,
    ):
        yield http


async def ask(http: httpx.AsyncClient) -> Task:
    """Ask the agent something and give the last state of the task."""
    card = await A2ACardResolver(http, URL).get_agent_card()
    client = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
    events = [e async for e in client.send_message(create_text_message_object(content="ping"))]
    assert isinstance(events[-1], tuple)
    return events[-1][0]


async def require_labels(runtime: Runtime) -> None:
    """Leave unlabelled agents without a model to ask."""
    await runtime.admin.change(edits.set_policy(policy_request(require_tlp=True)), actor="test")


async def test_health_names_the_model_that_answers(runtime: Runtime) -> None:
    """The orchestrator's is the provider's orchestrator model."""
    async with served(runtime, "orchestrator") as http:
        answer = await http.get("/health")
    assert answer.json() == {
        "agent": "orchestrator",
        "connection": "deepseek",
        "model": "deepseek:deepseek-v4-pro",
        "revision": 0,
        "problem": None,
    }


async def test_health_says_why_no_model_answers(runtime: Runtime) -> None:
    """The process lives and takes messages; what is wrong stands in the body."""
    async with served(runtime, "threat-hunter") as http:
        await require_labels(runtime)
        answer = await http.get("/health")
    assert answer.status_code == 200
    assert answer.json()["problem"]["code"] == "tlp_refused"


async def test_health_says_what_only_this_process_cannot_reach(runtime: Runtime) -> None:
    """Its environment allows less than that of the process in which an admin switched."""
    elsewhere = config_request(
        "openai", base_url="http://127.0.0.1:9/v1", api_key="sk-test-0123456789abcdef"
    )
    async with served(runtime, "threat-hunter") as http:
        runtime.pool.sites._allowed_hosts = ()  # as if its AURORA_ALLOWED_HOSTS were empty
        await runtime.admin.switch(elsewhere, actor="test")
        await until(lambda: bool(runtime.hindrances.now))
        problem = (await http.get("/health")).json()["problem"]
    assert problem["code"] == "address_not_allowed"
    assert "AURORA_ALLOWED_HOSTS" in problem["detail"]


async def test_a_failure_to_build_fails_the_task_in_our_words(
    runtime: Runtime, world: World
) -> None:
    """And only that task: the process answers again as soon as there is a backend."""
    async with served(runtime, "threat-hunter") as http:
        await require_labels(runtime)
        task = await ask(http)
    assert task.status.state == TaskState.failed
    assert task.status.message is not None
    assert "LLM_REQUIRE_TLP" in task.status.message.model_dump_json()
    assert asked(world.keyed) == []


async def test_an_agent_of_restricted_data_asks_a_local_model_alone(
    runtime: Runtime, world: World
) -> None:
    """Its label sends it to the local backend, whatever is active."""
    async with served(runtime, "threat-hunter", tlp="RED") as http:
        task = await ask(http)
    assert task.status.state == TaskState.completed
    assert asked(world.keyed)[-1] == "granite-soc-specialist"
    assert "deepseek-v4-flash" not in asked(world.keyed)


async def test_the_message_after_a_switch_goes_to_the_new_provider(
    runtime: Runtime, world: World
) -> None:
    """Each message builds on the newest revision."""
    async with served(runtime, "threat-hunter") as http:
        await ask(http)
        await use("openai", runtime)
        await ask(http)
    assert asked(world.keyed) == ["deepseek-v4-flash", "gpt-4o"]


def test_an_unknown_agent_has_no_app() -> None:
    """It is refused before anything is opened."""
    with pytest.raises(NotFound):
        create_app("janitor", url=URL)


async def test_a_taken_port_is_refused() -> None:
    """The message says which, and what to choose instead."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"{port}.*--port"):
            await serve("threat-hunter", LOOPBACK, port, url=None, tlp=None)


async def test_the_oldest_task_is_forgotten_first() -> None:
    """A process that runs for months doesn't keep every alert it was ever shown."""
    tasks = RecentTasks()
    for number in range(KEPT + 1):
        status = TaskStatus(state=TaskState.completed)
        await tasks.save(Task(id=str(number), context_id="c", status=status))
    assert await tasks.get("0") is None
    assert await tasks.get("1") is not None
    assert await tasks.get(str(KEPT)) is not None
