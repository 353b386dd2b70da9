"""Two vLLM servers, each behind a connection of its own, and who is assigned to which."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aurorasoc.llm.changes import connection_edits
from aurorasoc.llm.changes.requests import AssignmentsRequest, ConnectionRequest
from aurorasoc.runtime import Runtime
from tests.world.vendor import VendorServer


@dataclass(frozen=True)
class TwoServers:
    """The servers behind the connections `lab-a` and `lab-b`, whose models are `m-a` and `m-b`."""

    a: VendorServer
    b: VendorServer

    async def connect(self, runtime: Runtime) -> None:
        """Make both connections known; neither becomes active."""
        for name, server in (("a", self.a), ("b", self.b)):
            fields = {"provider": "vllm", "base_url": f"{server.url}/v1", "model": f"m-{name}"}
            body = ConnectionRequest.model_validate(fields)
            await runtime.admin.put_connection(f"lab-{name}", body, actor="test")


@contextmanager
def two_servers() -> Iterator[TwoServers]:
    """Start both."""
    with VendorServer(plays=["vllm"]) as a, VendorServer(plays=["vllm"]) as b:
        yield TwoServers(a, b)


async def assign(runtime: Runtime, *, role: str | None = None, **agents: str | None) -> None:
    """Assign agents to connections, and specialists to `role`; `_` stands for `-` in names."""
    named = {agent.replace("_", "-"): name for agent, name in agents.items()}
    fields = {
        "roles": {"specialist": role and {"connection": role}},
        "agents": {agent: name and {"connection": name} for agent, name in named.items()},
    }
    change = connection_edits.assign(AssignmentsRequest.model_validate(fields))
    await runtime.admin.change(change, actor="test")
