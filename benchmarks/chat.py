"""What does `POST /chat` add to a call through the live handle?

HTTP, the token, validation, and the answer, against the same call inside a process; both go to
the same one-token upstream. The client is the standard library's, on one kept connection. By the
wall's clock, and in processor time of the service and of the calling process.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from benchmarks.rig.counts import Counts
from benchmarks.rig.pairs import Pairs, alternate, seconds
from benchmarks.rig.processor import ran
from benchmarks.rig.rows import Bar, Row, row
from benchmarks.rig.stage import upstream_variables, warm_runtime
from benchmarks.rig.upstream import one_token_upstream
from tests.world.loopback import LOOPBACK
from tests.world.service import API, Service, asked, bearer, token

_BAR: Final = Bar(0.001, on="difference")
_BODY: Final = json.dumps(asked())


def measure(counts: Counts) -> list[Row]:
    """Ask over HTTP and in the process, in turn."""
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name:
        folder = Path(name)
        with (
            one_token_upstream(folder) as origin,
            Service(folder, upstream_variables(origin), popen=subprocess.Popen) as service,
        ):
            wall, processor = asyncio.run(_measure(folder, origin, service, counts))
    return [_row("`POST /chat`", wall), _row("`POST /chat`, processor time", processor)]


def _row(name: str, pairs: Pairs) -> Row:
    peer = "the call through the handle"
    return row(f"chat: {name}", pairs.ours, pairs.theirs, peer=peer, bar=_BAR)


async def _measure(folder: Path, origin: str, service: Service, counts: Counts) -> list[Pairs]:
    connection = http.client.HTTPConnection(LOOPBACK, service.port, timeout=30)
    headers = {**bearer(token("analyst")), "Content-Type": "application/json"}

    async def over_http() -> None:
        connection.request("POST", f"{API}/chat", _BODY, headers)
        answer = connection.getresponse()
        assert answer.status == http.client.OK, answer.status
        answer.read()

    async with warm_runtime(folder / "inside", origin):
        handle = get_chat_model()

        async def inside() -> object:
            return await handle.run([UserMessage("ping")])

        wall = await alternate(
            seconds(over_http), seconds(inside), rounds=counts.rounds, calls=counts.calls
        )
        processor = await alternate(
            seconds(_times(over_http, counts.calls), lambda: ran(service.pid) / counts.calls),
            seconds(_times(inside, counts.calls), lambda: time.process_time() / counts.calls),
            rounds=counts.rounds,
        )
    connection.close()
    return [wall, processor]


def _times(work: Callable[[], Awaitable[object]], number: int) -> Callable[[], Awaitable[None]]:
    async def repeat() -> None:
        for _ in range(number):
            await work()

    return repeat
