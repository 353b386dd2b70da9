"""Two vLLM servers at work at once, each for its own role and its own agent."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model, open_runtime
from aurorasoc.agents.factory import AgentFactory
from aurorasoc.llm.changes import connection_edits
from aurorasoc.llm.changes.requests import AssignmentsRequest
from aurorasoc.runtime import Runtime
from tests.component.live import until
from tests.examples import settings
from tests.world.investigation import Script, playing
from tests.world.vendor import Fault, VendorServer

PING: Final[list[Any]] = [UserMessage("ping")]
ROLES: Final = {"specialist": "lab", "orchestrator": "hall"}
AGENTS: Final = {"threat-hunter": "lab", "malware-analyst": "hall"}

Servers = dict[str, VendorServer]


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Play two vLLM servers."""
    with VendorServer(plays=["vllm"]) as lab, VendorServer(plays=["vllm"]) as hall:
        yield {"lab": lab, "hall": hall}


@pytest.fixture
async def runtime(
    tmp_path: Path, database_file: Path, libraries: None, servers: Servers
) -> AsyncIterator[Runtime]:
    """Open a runtime that knows both servers, each assigned to a role and an agent."""
    del database_file, libraries
    variables: dict[str, str] = {}
    for name, server in servers.items():
        prefix = f"LLM_CONNECTION_{name.upper()}_"
        variables |= {
            f"{prefix}PROVIDER": "vllm",
            f"{prefix}BASE_URL": f"{server.url}/v1",
            f"{prefix}MODEL": f"m-{name}",
        }
    roles = {role: {"connection": name} for role, name in ROLES.items()}
    agents = {agent: {"connection": name} for agent, name in AGENTS.items()}
    body = AssignmentsRequest.model_validate({"roles": roles, "agents": agents})
    async with open_runtime(settings(tmp_path, **variables)) as opened:
        await opened.admin.change(connection_edits.assign(body), actor="test")
        yield opened


def asked(servers: Servers) -> dict[str, list[str]]:
    """Return the models that each server was asked for."""
    return {
        name: [exchange.body["model"] for exchange in server.requests if exchange.body]
        for name, server in servers.items()
    }


async def test_two_roles_are_served_at_the_same_time(runtime: Runtime, servers: Servers) -> None:
    """Both calls are under way before either is answered; a restricted label stays there, too."""
    del runtime
    gate = threading.Event()
    for server in servers.values():
        server.faults.set(Fault(gate=gate))
    handles = (get_chat_model("specialist", tlp="RED"), get_chat_model("orchestrator", tlp="RED"))
    both = asyncio.gather(*(handle.run(PING) for handle in handles))
    await until(lambda: asked(servers) == {"lab": ["m-lab"], "hall": ["m-hall"]})
    gate.set()
    answers = [answer.get_text_content() for answer in await both]
    assert answers == ["m-lab says: pong", "m-hall says: pong"]


async def test_two_agents_run_at_the_same_time(runtime: Runtime, servers: Servers) -> None:
    """Each run stays on its own server, from its first call to its last."""
    factory = AgentFactory(runtime)
    with playing(Script(), *servers.values()):
        agents = [await factory.build(name) for name in AGENTS]
        await asyncio.gather(*(agent.run("Look at this.") for agent in agents))
    assert {name: set(models) for name, models in asked(servers).items()} == {
        "lab": {"m-lab"},
        "hall": {"m-hall"},
    }
