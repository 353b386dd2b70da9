"""A runtime in this process, and all that leaves it: what the label matrix is played on."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.runtime import Runtime
from tests.component.live import until
from tests.examples import config_request
from tests.world.connect_proxy import ConnectProxy
from tests.world.investigation import Script
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
        await adapter.close()  # so that whatever is sent needs a connection that the hook hears
        self.clear()
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
