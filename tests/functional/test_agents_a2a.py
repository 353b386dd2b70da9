"""A served agent, spoken to by the A2A SDK's own client, as other people's agents speak to it."""

import asyncio
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.helpers import new_data_part, new_message, new_text_part, new_url_part
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    GetTaskRequest,
    Part,
    Role,
    SendMessageRequest,
    StreamResponse,
    Task,
    TaskState,
)
from a2a.utils.errors import ContentTypeNotSupportedError
from google.protobuf.json_format import MessageToJson

from aurorasoc.agents.registry import AGENTS, definition_of
from tests.component.live import until
from tests.world import patient, processes
from tests.world.canaries import canaries, found
from tests.world.databases import DATABASES, Stored, bring_to_head
from tests.world.forked import Forked
from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, free_port
from tests.world.service import AURORASOC, run_command, service_env
from tests.world.vendor import Fault, VendorServer

KEYS: Final = dict(zip(("openai", "deepseek"), canaries(2), strict=True))


class Agent(ChildProcess):
    """`aurorasoc agent serve NAME` on a migrated database, in a state folder of its own."""

    def __init__(
        self,
        name: str,
        folder: Path,
        variables: dict[str, str],
        *,
        popen: type[subprocess.Popen[Any]] = Forked,
    ) -> None:
        """Describe the process, whose state and log go to `folder`."""
        self.name = name
        self.folder = folder
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.env = service_env(folder / "state", {"LLM_MAX_RETRIES": "0", **variables})
        bring_to_head(Stored(DATABASES.url(folder / "state")))
        super().__init__(
            [*AURORASOC, "agent", "serve", name, "--port", str(self.port)],
            env=self.env,
            ready=f"{self.url}/health",
            log=folder / "agent.log",
            cwd=folder,
            popen=popen,
        )

    def use(self, provider: str) -> None:
        """Switch as an admin does at the shell, in another process; wait until it is in force."""
        self._command("providers", "use", provider)
        processes.until(lambda: self.health()["connection"] == provider)

    def assign(self, assignment: str, connection: str) -> None:
        """Assign as an admin does at the shell; wait until the agent's connection is the one."""
        self._command("assignments", "set", "--agent", assignment)
        processes.until(lambda: self.health()["connection"] == connection)

    def _command(self, *arguments: str) -> None:
        done = run_command(*arguments, env=self.env, cwd=self.folder)
        assert done.returncode == 0, done.stderr

    async def ask(self, *parts: str | Part, context: str | None = None) -> Task:
        """Send one message and give the task it became."""
        async with self.client() as client:
            (event,) = await sent(client, *parts, context=context)
            return event.task

    @asynccontextmanager
    async def client(
        self, *, polling: bool = False, streaming: bool = False
    ) -> AsyncIterator[Client]:
        """Yield the SDK's client, made from the card that the agent shows."""
        async with patient.async_client() as http:
            config = ClientConfig(httpx_client=http, streaming=streaming, polling=polling)
            yield ClientFactory(config).create(await self.card(http))

    async def card(self, http: httpx.AsyncClient) -> AgentCard:
        """Return the agent's card, as the SDK finds it."""
        return await A2ACardResolver(http, self.url).get_agent_card()

    def health(self) -> dict[str, object]:
        """Return `GET /health`."""
        answer = patient.get(f"{self.url}/health")
        assert answer.status_code == 200
        return dict(answer.json())


async def sent(
    client: Client, *parts: str | Part, context: str | None = None
) -> list[StreamResponse]:
    """Send a message, and return what comes of it."""
    made = [new_text_part(part) if isinstance(part, str) else part for part in parts]
    message = new_message(made, context_id=context, role=Role.ROLE_USER)
    return [event async for event in client.send_message(SendMessageRequest(message=message))]


def said(task: Task) -> str:
    """Return the text that ended a task: its answer, or why there is none."""
    parts = task.artifacts[0].parts if task.artifacts else task.status.message.parts
    (part,) = parts
    return str(part.text)


@pytest.fixture(scope="module")
def openai() -> Iterator[VendorServer]:
    """Play OpenAI alone, with its key."""
    with VendorServer({"openai": KEYS["openai"]}, plays=["openai"]) as server:
        yield server


@pytest.fixture(scope="module")
def deepseek() -> Iterator[VendorServer]:
    """Play DeepSeek alone, with its key."""
    with VendorServer({"deepseek": KEYS["deepseek"]}, plays=["deepseek"]) as server:
        yield server


@pytest.fixture(scope="module")
def variables(openai: VendorServer, deepseek: VendorServer) -> dict[str, str]:
    """Lead an agent to both; OpenAI is active at boot."""
    return {
        "LLM_BACKEND": "openai",
        "LLM_OPENAI_COMPATIBLE_BASE_URL": openai.url,
        "LLM_OPENAI_COMPATIBLE_API_KEY": KEYS["openai"],
        "LLM_DEEPSEEK_BASE_URL": deepseek.url,
        "LLM_DEEPSEEK_API_KEY": KEYS["deepseek"],
    }


@pytest.fixture(scope="module")
def hunter(variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """Serve the threat hunter for all tests of this module."""
    with Agent("threat-hunter", tmp_path_factory.mktemp("hunter"), variables) as agent:
        yield agent


@pytest.fixture
def agent(hunter: Agent, openai: VendorServer, deepseek: VendorServer) -> Agent:
    """Return the agent, with vendors that remember nothing and work."""
    openai.clear()
    deepseek.clear()
    return hunter


async def test_the_card_tells_who_it_is_and_what_it_can_do(agent: Agent) -> None:
    """A client library reads the card, and finds the registry's row in it."""
    async with patient.async_client() as http:
        card = await agent.card(http)
    definition = definition_of("threat-hunter")
    assert (card.name, card.description) == (definition.name, definition.description)
    assert {offered.url.rstrip("/") for offered in card.supported_interfaces} == {agent.url}
    assert [skill.id for skill in card.skills] == [skill.id for skill in definition.skills]


async def test_a_client_library_gets_an_answer(agent: Agent, openai: VendorServer) -> None:
    """The task completes with the model's words; the model was told who it is."""
    task = await agent.ask("What else should we look for?")
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert said(task) == "gpt-4o says: pong"
    (exchange,) = openai.requests
    assert definition_of("threat-hunter").task in str(exchange.body["messages"][0]["content"])


async def test_a_streaming_client_sees_the_task_from_its_beginning_to_its_end(agent: Agent) -> None:
    """Submitted, then working, then the answer's pieces, then completed."""
    async with agent.client(streaming=True) as client:
        events = await sent(client, "ping")
    begun, pieces = events[0].task, [e for e in events if e.HasField("artifact_update")]
    states = [e.status_update.status.state for e in events if e.HasField("status_update")]
    assert begun.status.state == TaskState.TASK_STATE_SUBMITTED
    assert states == [TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED]
    texts = [part.text for e in pieces for part in e.artifact_update.artifact.parts]
    assert "".join(texts) == "gpt-4o says: pong"


async def test_json_data_reaches_the_model(agent: Agent, openai: VendorServer) -> None:
    """An alert may come as a data part."""
    await agent.ask("Judge this.", new_data_part({"alert": {"signature_id": 1000017}}))
    assert "1000017" in str(openai.requests[-1].body["messages"])


async def test_a_file_is_refused(agent: Agent, openai: VendorServer) -> None:
    """The error says what to send instead, and nothing is fetched or sent."""
    with pytest.raises(ContentTypeNotSupportedError, match="file's text"):
        await agent.ask(new_url_part(f"{openai.url}/health"))
    assert openai.requests == []


async def test_a_conversation_goes_on_under_its_context(agent: Agent, openai: VendorServer) -> None:
    """The second message of a context is sent with the first and its answer."""
    first = await agent.ask("The first question")
    await agent.ask("The second question", context=first.context_id)
    roles = [m["role"] for m in openai.requests[-1].body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


async def test_a_switch_reaches_the_same_process_without_restart(
    agent: Agent, openai: VendorServer, deepseek: VendorServer
) -> None:
    """The message after the switch is answered by the new provider, by the same process."""
    pid = agent.pid
    await agent.ask("ping")
    await asyncio.to_thread(agent.use, "deepseek")
    task = await agent.ask("ping")
    assert said(task) == "deepseek-v4-flash says: pong"
    assert agent.health()["model"] == "deepseek:deepseek-v4-flash"
    assert (len(openai.requests), len(deepseek.requests)) == (1, 1)
    assert (agent.pid, agent.returncode) == (pid, None)
    await asyncio.to_thread(agent.use, "openai")
    assert said(await agent.ask("ping")) == "gpt-4o says: pong"


async def test_assignment_reaches_the_same_process_without_restart(
    agent: Agent, openai: VendorServer, deepseek: VendorServer
) -> None:
    """Another provider answers this agent, while the active one stays as it is."""
    pid = agent.pid
    await asyncio.to_thread(agent.assign, "threat-hunter=deepseek", "deepseek")
    assert said(await agent.ask("ping")) == "deepseek-v4-flash says: pong"
    assert openai.requests == []
    await asyncio.to_thread(agent.assign, "threat-hunter=", "openai")
    assert said(await agent.ask("ping")) == "gpt-4o says: pong"
    assert len(deepseek.requests) == 1
    assert (agent.pid, agent.returncode) == (pid, None)


async def test_a_message_finishes_where_it_began(
    agent: Agent, openai: VendorServer, deepseek: VendorServer
) -> None:
    """A switch while it is being answered doesn't move it, and moves the next one."""
    gate = threading.Event()
    openai.faults.set(Fault(gate=gate))
    try:
        waiting = asyncio.create_task(agent.ask("ping"))
        await until(lambda: len(openai.requests) == 1)
        await asyncio.to_thread(agent.use, "deepseek")
        assert said(await agent.ask("ping")) == "deepseek-v4-flash says: pong"
        gate.set()
        assert said(await waiting) == "gpt-4o says: pong"
    finally:
        gate.set()
        await asyncio.to_thread(agent.use, "openai")
    assert len(deepseek.requests) == 1


async def test_cancelling_one_task_leaves_the_others_alone(
    agent: Agent, openai: VendorServer
) -> None:
    """The cancelled task is cancelled; the next message is answered."""
    gate = threading.Event()
    openai.faults.set(Fault(gate=gate))
    try:
        async with agent.client(polling=True) as client:
            (event,) = await sent(client, "ping")
            await until(lambda: len(openai.requests) == 1)
            cancelled = await client.cancel_task(CancelTaskRequest(id=event.task.id))
            assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
            again = await client.get_task(GetTaskRequest(id=event.task.id))
            assert again.status.state == TaskState.TASK_STATE_CANCELED
    finally:
        gate.set()
    openai.clear()
    assert said(await agent.ask("ping")) == "gpt-4o says: pong"


async def test_an_echoed_key_is_in_no_log_and_no_answer(agent: Agent, openai: VendorServer) -> None:
    """The task fails in our words, though the upstream's body and headers held the key."""
    openai.faults.set(Fault(status=401, echo_key=True, body=KEYS["openai"].encode()))
    plain = await agent.ask("ping")
    openai.keys["openai"] = "another-key-0123456789"
    openai.faults.set(Fault(echo_key=True))
    try:
        echoed = await agent.ask("ping")
    finally:
        openai.keys["openai"] = KEYS["openai"]
    assert {plain.status.state, echoed.status.state} == {TaskState.TASK_STATE_FAILED}
    assert "openai" in said(echoed)
    places = {
        "log": agent.output.encode(),
        "answers": (MessageToJson(plain) + MessageToJson(echoed)).encode(),
    }
    assert found(KEYS.values(), places) == []


async def test_every_log_line_is_json(agent: Agent, openai: VendorServer) -> None:
    """Nothing is printed past the log: neither by BeeAI's loggers nor by the SDK's."""
    openai.faults.set(Fault(status=500))
    await agent.ask("ping")
    with pytest.raises(ContentTypeNotSupportedError):
        await agent.ask(new_url_part("http://files.example/"))
    whole, _, _ = agent.output.rpartition("\n")
    assert [line for line in whole.splitlines() if not line.startswith("{")] == []
    assert {"not answered", "request refused"} <= {line["event"] for line in agent.logged}


def test_a_head_that_does_not_end_is_hung_up_on(agent: Agent) -> None:
    """And a body without end is refused at its first byte too many, whatever is sent behind it."""
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.create_connection((LOOPBACK, agent.port), timeout=60) as flooding:
        flooding.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
        for _ in range(20):
            flooding.sendall(chunk)
        assert flooding.recv(65_536).split()[1] == b"413"
    with socket.create_connection((LOOPBACK, agent.port), timeout=60) as half:
        half.sendall(head)
        assert half.recv(65_536).split()[1] == b"408"
        assert half.recv(65_536) == b""


def test_sigterm_lets_the_answer_under_way_finish_and_ends_with_0(
    variables: dict[str, str], openai: VendorServer, tmp_path: Path
) -> None:
    """A stop is no failure, and loses nobody's answer."""
    openai.clear()
    gate = threading.Event()
    openai.faults.set(Fault(gate=gate))

    async def stop(agent: Agent) -> Task:
        waiting = asyncio.create_task(agent.ask("ping"))
        await until(lambda: len(openai.requests) == 1)
        agent.process.send_signal(signal.SIGTERM)
        await until(lambda: not listens(agent.port))
        gate.set()
        return await waiting

    with Agent("orchestrator", tmp_path, variables) as agent:
        try:
            task = asyncio.run(stop(agent))
        finally:
            gate.set()
        assert said(task) == "gpt-4o says: pong"
        assert agent.wait() == 0
        assert "Traceback" not in agent.output


def listens(port: int) -> bool:
    """Tell whether a new connection is taken."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


async def test_the_small_local_model_answers(local_model_url: str, tmp_path: Path) -> None:
    """A model that makes no tool calls is enough for an agent."""
    variables = {
        "LLM_BACKEND": "vllm",
        "LLM_VLLM_BASE_URL": f"{local_model_url}/v1",
        "LLM_VLLM_MODEL": "smollm2-135m-instruct",
    }
    with Agent("network-security", tmp_path, variables) as agent:
        task = await agent.ask("Say hi.")
    assert task.status.state == TaskState.TASK_STATE_COMPLETED, said(task)
    assert said(task)


def refused(folder: Path, *arguments: str, **variables: str) -> str:
    """Start an agent that must not start; give the one line it says."""
    env = service_env(folder / "state", variables)
    bring_to_head(Stored(DATABASES.url(folder / "state")))
    done = run_command("agent", "serve", *arguments, env=env, cwd=folder)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_an_unknown_agent_is_not_served(tmp_path: Path) -> None:
    """The message names those that can be."""
    line = refused(tmp_path, "janitor")
    assert all(name in line for name in AGENTS)


def test_an_agent_without_a_backend_is_not_served(tmp_path: Path) -> None:
    """The message has both addresses that were tried."""
    vllm, ollama = (f"http://{LOOPBACK}:{free_port()}" for _ in range(2))
    overrides = {"LLM_BACKEND": "auto", "LLM_VLLM_BASE_URL": vllm, "LLM_OLLAMA_BASE_URL": ollama}
    line = refused(tmp_path, "threat-hunter", "--port", str(free_port()), **overrides)
    assert f"{vllm}/health" in line
    assert f"{ollama}/api/tags" in line
