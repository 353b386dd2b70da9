"""A runtime in this process, and all that leaves it: what the label matrix is played on."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from aurorasoc import open_runtime
from aurorasoc.granite.backend_resolution import reset_resolution_cache
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.runtime import Runtime
from tests.component.live import until
from tests.examples import config_request, settings
from tests.world.connect_proxy import ConnectProxy
from tests.world.databases import DATABASES
from tests.world.fixtures import VENDOR_KEYS
from tests.world.investigation import Script, playing
from tests.world.vendor import Fault, VendorServer

_numbers = count(1)
_connections: list[object] = []


def hear_connection(event: str, arguments: tuple[Any, ...]) -> None:
    """Note the port of every connection over the network; a hook can't be taken away again."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        _connections.append(arguments[1][1])


def new_mark() -> str:
    """Return a text that no other case sends."""
    return f"mark-{next(_numbers):04d}-end"


class Stage:
    """A runtime in this process, and all that leaves it."""

    def __init__(
        self,
        runtime: Runtime,
        hosted: VendorServer,
        local: VendorServer,
        egress: ConnectProxy,
        script: Script,
    ) -> None:
        """Begin with nothing captured."""
        self.runtime = runtime
        self.hosted = hosted
        self.local = local
        self.egress = egress
        self.script = script

    async def use(self, choice: str) -> None:
        """Switch as an admin does, to `BACKEND` with its boot default or `BACKEND MODEL`."""
        backend, _, name = choice.partition(" ")
        model = name or None
        requested = config_request(backend, model=model, orchestrator_model=model)
        await self.runtime.admin.switch(requested, actor="test")

    async def switched_in_mid_run(
        self, work: Callable[[str], Awaitable[object]], before: str, after: str
    ) -> str:
        """Begin on one backend, switch while it is being asked, and give the mark that was sent."""
        await self.use(before)
        self.runtime.pool.reset()
        await self.begin()
        mark, gate = new_mark(), threading.Event()
        self.hosted.faults.set(Fault(gate=gate))
        self.local.faults.set(Fault(gate=gate, where="/chat/completions"))  # probes are answered
        running = asyncio.ensure_future(work(mark))
        await until(lambda: running.done() or self._asked(mark))
        await self.use(after)
        for server in (self.hosted, self.local):
            server.faults.clear()
        gate.set()
        await running
        return mark

    async def begin(self) -> None:
        """Begin to capture: whatever is sent from now on needs a connection that the hook hears."""
        await adapter.close()
        self.clear()

    def clear(self) -> None:
        """Forget what was captured."""
        self.hosted.clear()
        self.local.clear()
        self.egress.clear()
        _connections.clear()

    def _asked(self, mark: str) -> bool:
        return self.sent_to(self.hosted, mark) or self.sent_to(self.local, mark)

    def sent_to(self, server: VendorServer, mark: str) -> bool:
        """Whether a server was sent a mark."""
        return any(mark.encode() in exchange.raw for exchange in server.requests)

    def captured_outside(self) -> tuple[list[object], list[object], set[object]]:
        """What was captured of anything that went to where hosted vendors are."""
        ports: set[object] = {self.egress.port, self.hosted.port, self.hosted.tls_port}
        return list(self.hosted.requests), list(self.egress.connects), ports & set(_connections)

    def captured_elsewhere(self) -> set[object]:
        """Ports that are neither a vendor's nor the proxy's, and were connected to all the same."""
        known: set[object] = {self.egress.port, self.local.port}
        return set(_connections) - known - {self.hosted.port, self.hosted.tls_port}


@pytest.fixture(scope="module", autouse=True)
def hook() -> None:
    """Hear every connection."""
    sys.addaudithook(hear_connection)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a migrated database."""
    folder = tmp_path_factory.mktemp("matrix")
    DATABASES.migrated(folder)
    return folder


@pytest.fixture
def script(hosted: VendorServer, local_servers: VendorServer) -> Iterator[Script]:
    """Let every vendor play an investigation, and chat."""
    with playing(Script(), hosted, local_servers) as played:
        yield played


@pytest.fixture
async def stage(
    libraries: None,
    state: Path,
    script: Script,
    hosted: VendorServer,
    local_servers: VendorServer,
    egress: ConnectProxy,
    world_variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Stage]:
    """Open a runtime with every vendor's key, behind the proxy."""
    del libraries
    for name in ("HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, world_variables[name])
    keys = {
        "LLM_OPENAI_COMPATIBLE_API_KEY": VENDOR_KEYS["openai"],
        "LLM_DEEPSEEK_API_KEY": VENDOR_KEYS["deepseek"],
        "LLM_ANTHROPIC_API_KEY": VENDOR_KEYS["anthropic"],
        "LLM_GEMINI_API_KEY": VENDOR_KEYS["gemini"],
    }
    variables = {n: v for n, v in world_variables.items() if n.startswith("LLM_")}
    reset_resolution_cache()
    async with open_runtime(settings(state, **variables, **keys)) as runtime:
        yield Stage(runtime, hosted, local_servers, egress, script)
    hosted.clear()
    local_servers.clear()
