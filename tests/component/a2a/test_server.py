"""The app of one agent, spoken to by the A2A SDK's client without a socket in between."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.helpers import new_text_message
from a2a.types import AgentCard, Role, SendMessageRequest, Task, TaskState

from aurorasoc.a2a.callers import context_of
from aurorasoc.a2a.server import create_app, serve
from aurorasoc.a2a.tasks import KEPT, RecentTasks
from aurorasoc.errors import ConfigurationError, NotFound
from aurorasoc.llm.changes import edits
from aurorasoc.runtime import Runtime
from tests.component.live import World, asked, until, use
from tests.examples import config_request, policy_request
from tests.world.loopback import LOOPBACK

URL = "http://agent.example"

INTERFACES = {
    "1.0 by JSON-RPC": ("JSONRPC", "1.0"),
    "1.0 by HTTP+JSON": ("HTTP+JSON", "1.0"),
    "0.3 by JSON-RPC": ("JSONRPC", "0.3"),
}


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
    return await sent(client_of(http, await card_of(http)))


async def card_of(http: httpx.AsyncClient) -> AgentCard:
    """Return the agent's card, as the SDK finds it."""
    return await A2ACardResolver(http, URL).get_agent_card()


def client_of(http: httpx.AsyncClient, card: AgentCard) -> Client:
    """Make the SDK's client of a card, which may speak all bindings."""
    bindings = ["JSONRPC", "HTTP+JSON"]
    config = ClientConfig(httpx_client=http, streaming=False, supported_protocol_bindings=bindings)
    return ClientFactory(config).create(card)


async def sent(client: Client) -> Task:
    """Send a message, and return its task."""
    message = new_text_message("ping", role=Role.ROLE_USER)
    (event,) = [event async for event in client.send_message(SendMessageRequest(message=message))]
    return event.task


async def require_labels(runtime: Runtime) -> None:
    """Leave unlabelled agents without a model to ask."""
    await runtime.admin.change(edits.set_policy(policy_request(require_tlp=True)), actor="test")


@pytest.mark.parametrize("interface", INTERFACES)
async def test_client_library_is_answered_on_each_interface(
    interface: str, runtime: Runtime
) -> None:
    """The card names it, and the SDK of 1.x speaks it: one artifact of one part."""
    async with served(runtime, "threat-hunter") as http:
        card = await card_of(http)
        (chosen,) = [
            offered
            for offered in card.supported_interfaces
            if (offered.protocol_binding, offered.protocol_version) == INTERFACES[interface]
        ]
        del card.supported_interfaces[:]
        card.supported_interfaces.append(chosen)
        task = await sent(client_of(http, card))
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert [part.text for part in task.artifacts[0].parts] == ["deepseek-v4-flash says: pong"]
    assert (len(task.artifacts), task.status.HasField("message")) == (1, False)


async def test_card_is_kept_by_its_tag(runtime: Runtime) -> None:
    """A client that has it gets no second copy."""
    async with served(runtime, "threat-hunter") as http:
        card = await http.get("/.well-known/agent-card.json")
        again = await http.get(
            "/.well-known/agent-card.json", headers={"If-None-Match": card.headers["ETag"]}
        )
    assert "max-age" in card.headers["Cache-Control"]
    assert (again.status_code, again.content) == (304, b"")


async def test_card_has_the_fields_of_0_3_unless_1_0_is_asked_for(runtime: Runtime) -> None:
    """An old client finds address, version and transport where it looks for them."""
    old = {"url": URL, "preferredTransport": "JSONRPC", "protocolVersion": "0.3"}
    async with served(runtime, "threat-hunter") as http:
        both = await http.get("/.well-known/agent-card.json")
        one = await http.get("/.well-known/agent-card.json", headers={"A2A-Version": "1.0"})
    assert both.json() == one.json() | old
    assert not old.keys() & one.json().keys()
    assert (both.headers["Vary"], one.headers["Vary"]) == ("A2A-Version",) * 2
    assert both.headers["ETag"] != one.headers["ETag"]


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
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert "LLM_REQUIRE_TLP" in task.status.message.parts[0].text
    assert asked(world.keyed) == []


async def test_an_agent_of_restricted_data_asks_a_local_model_alone(
    runtime: Runtime, world: World
) -> None:
    """Its label sends it to the local backend, whatever is active."""
    async with served(runtime, "threat-hunter", tlp="RED") as http:
        task = await ask(http)
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
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
    tasks, anybody = RecentTasks(), context_of(None)
    for number in range(KEPT + 1):
        await tasks.save(Task(id=str(number), context_id="c"), anybody)
    assert await tasks.get("0", anybody) is None
    assert await tasks.get("1", anybody) is not None
    assert await tasks.get(str(KEPT), anybody) is not None
