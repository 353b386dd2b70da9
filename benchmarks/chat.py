"""What do `POST /chat` and the door add to a call through the live handle?

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
CALLS: Final[dict[str, tuple[str, dict[str, object]]]] = {
    "`POST /chat`": (f"{API}/chat", asked()),
    "the door": ("/v1/chat/completions", {"model": "specialist", **asked()}),
}
"""How the service is asked: each call's path and body."""


def measure(counts: Counts) -> list[Row]:
    """Ask over HTTP and in the process, in turn."""
    with TemporaryDirectory(prefix="aurorasoc-bench-") as temporary:
        folder = Path(temporary)
        with (
            one_token_upstream(folder) as origin,
            Service(folder, upstream_variables(origin), popen=subprocess.Popen) as service,
        ):
            return [
                each
                for name, call in CALLS.items()
                for each in _rows(
                    name, asyncio.run(_measure(folder, origin, service, call, counts))
                )
            ]


def _rows(name: str, measured: list[Pairs]) -> list[Row]:
    wall, processor = measured
    return [_row(name, wall), _row(f"{name}, processor time", processor)]


def _row(name: str, pairs: Pairs) -> Row:
    peer = "the call through the handle"
    return row(f"chat: {name}", pairs.ours, pairs.theirs, peer=peer, bar=_BAR)


async def _measure(
    folder: Path,
    origin: str,
    service: Service,
    call: tuple[str, dict[str, object]],
    counts: Counts,
) -> list[Pairs]:
    path, body = call[0], json.dumps(call[1])
    connection = http.client.HTTPConnection(LOOPBACK, service.port, timeout=30)
    headers = {**bearer(token("analyst")), "Content-Type": "application/json"}

    async def over_http() -> None:
        connection.request("POST", path, body, headers)
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
