"""How long from a commit until all others run the new configuration?

Against a bare process that is notified and reads one row, the least that has to be done to adopt
anything, or a bare poll of SQLite's data version, with as many listeners, in the same run. A
fleet's processes have processors of their own, and this machine has few: so one process adopts
while the others only listen; then many adopt in one process, which shows what an adoption costs;
then real processes do, which also write themselves down.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import psycopg
from sqlalchemy import event

from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.database.engine import FEED_CHANNEL
from aurorasoc.llm.changes.requests import ConfigRequest
from aurorasoc.runtime import open_runtime
from benchmarks.rig.counts import Counts
from benchmarks.rig.listener import BARE, CHANNEL, READER
from benchmarks.rig.rows import Bar, Row, row
from benchmarks.rig.stage import migrated_settings
from tests.world.databases import Stored
from tests.world.postgresql import PostgreSQL
from tests.world.service import service_env

_ADOPTION: Final = Bar(1.5)
_SQLITE: Final = Bar(0.150, on="ours")
_ROUNDS: Final = 5
_CONNECTIONS: Final = 2_000
_TOGETHER: Final = 100
"""More than these in one process would take seconds for each change, and tell nothing new."""
_PAUSE_SECONDS: Final = 0.1
_PEERS: Final = {BARE: "a bare data version", READER: "notified, and one row read"}

Change = Callable[[], Awaitable[float]]
"""Makes a change, and gives when its commit began."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question.

    Attributes:
        name: What was measured.
        ours: The kind of listener that our side has.
        processes: How many processes each side has.
        each: How many listeners each of them has.
        crowd: How many more listen, in a process beside, and aren't asked when they heard.
        theirs: The kind of listener that the peer has.
    """

    name: str
    ours: str
    processes: int = 1
    each: int = 1
    crowd: int = 0
    bar: Bar | None = None
    theirs: str = READER


def measure(counts: Counts) -> list[Row]:
    """Change and listen, each case in turn."""
    rows: list[Row] = []
    with PostgreSQL(fsync="on", max_connections=str(_CONNECTIONS)) as server:
        for case in _cases(counts):
            rows += _measured(case, {"AURORA_DATABASE_URL": server.create()}, counts)
    name = f"adopted by {counts.neighbours} processes, SQLite"
    case = Case(name, "process", counts.neighbours, bar=_SQLITE, theirs=BARE)
    return rows + _measured(case, {}, counts)


def _cases(counts: Counts) -> list[Case]:
    return [
        *(
            Case(
                f"adopted by one process, {number} listening",
                "adopter",
                crowd=number - 1,
                bar=_ADOPTION,
            )
            for number in counts.listeners
        ),
        *(
            Case(f"adopted by {number} in one process", "adopter", each=number)
            for number in counts.listeners
            if 1 < number <= _TOGETHER
        ),
        Case(f"adopted by {counts.fleet} processes", "process", counts.fleet),
    ]


def _measured(case: Case, variables: dict[str, str], counts: Counts) -> list[Row]:
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name:
        settings = migrated_settings(Path(name), **variables)
        env = service_env(Path(name), variables)
        rounds = asyncio.run(_measure(case, settings, env, counts))
    return [
        row(
            f"fleet: {case.name}, {cut}",
            [ours[cut] for ours, _ in rounds],
            [theirs[cut] for _, theirs in rounds],
            peer=_PEERS[case.theirs],
            bar=case.bar if cut == "p99" else None,
        )
        for cut in ("p50", "p99")
    ]


Cuts = dict[str, float]


async def _measure(
    case: Case, settings: Settings, env: dict[str, str], counts: Counts
) -> list[tuple[Cuts, Cuts]]:
    url = settings.database_url
    async with (
        _changing(settings) as switch,
        _notifying(settings) as notify,
        _listeners(case.ours, case, url, FEED_CHANNEL, env) as ours,
        _listeners(case.theirs, case, url, CHANNEL, env) as theirs,
    ):
        rounds = [
            (await _round(switch, ours, counts), await _round(notify, theirs, counts))
            for _ in range(min(counts.rounds, _ROUNDS) + 1)
        ]
    return rounds[1:]


async def _round(change: Change, listeners: Listeners, counts: Counts) -> Cuts:
    times: list[float] = []
    for _ in range(counts.switches):
        times += await listeners.latencies(await change())
        await asyncio.sleep(_PAUSE_SECONDS)
    times.sort()
    return {"p50": median(times), "p99": times[min(len(times) - 1, round(0.99 * len(times)))]}


@asynccontextmanager
async def _changing(settings: Settings) -> AsyncIterator[Change]:
    """Switch as the API does; each to another model, so that none is a repetition."""
    commits: list[float] = []
    async with open_runtime(settings) as runtime:
        engine = runtime.database._engine.sync_engine  # noqa: SLF001 - the moment of a commit is nobody's business else
        event.listen(engine, "commit", lambda _connection: commits.append(time.monotonic()))

        async def change() -> float:
            commits.clear()
            requested = ConfigRequest(provider=ServingBackend.VLLM, model=secrets.token_hex(8))
            await runtime.admin.switch(requested, actor="benchmark")
            return commits[0]

        yield change


@asynccontextmanager
async def _notifying(settings: Settings) -> AsyncIterator[Change]:
    """Commit a notification, or a row of SQLite's, and nothing else."""
    stored = Stored(settings.database_url)
    await stored.executed("CREATE TABLE bare (line TEXT)")
    if stored.kind == "sqlite":

        async def write() -> float:
            began = time.monotonic()
            await asyncio.to_thread(stored.execute, "INSERT INTO bare VALUES ('x')")
            return began

        yield write
        return
    async with await psycopg.AsyncConnection.connect(stored.url) as connection:

        async def notify() -> float:
            await connection.execute(f"SELECT pg_notify('{CHANNEL}', '1')")
            began = time.monotonic()
            await connection.commit()
            return began

        yield notify


@dataclass(frozen=True, slots=True)
class Listeners:
    """Processes of `benchmarks.rig.listener` that are asked when they heard."""

    processes: list[asyncio.subprocess.Process]

    async def latencies(self, since: float) -> list[float]:
        """Wait until all have heard of what began then; give how long each took."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{since!r}\n".encode())
        heard = [json.loads(await _line(process)) for process in self.processes]
        return [at - since for times in heard for at in times]


@asynccontextmanager
async def _listeners(
    kind: str, case: Case, url: str, channel: str, env: dict[str, str]
) -> AsyncIterator[Listeners]:
    groups = [(kind, case.each)] * case.processes + [(BARE, case.crowd)] * bool(case.crowd)
    async with AsyncExitStack() as running:
        processes = []
        for what, number in groups:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.rig.listener", what, str(number), url, channel),
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                limit=2**20,
            )
            running.push_async_callback(_end, process)
            processes.append(process)
        for process in processes:
            assert await _line(process) == b"ready\n"
        yield Listeners(processes[: case.processes])


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readline()


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()
