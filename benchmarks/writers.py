"""How many changes a second do several processes make on one database?

Each change is what the API does: read, compose, write the configuration, its history and the
audit entry, commit, adopt. Against bare transactions that write as many rows, from as many
processes, under the same lock and with the same promises. On SQLite and on PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.counts import Counts
from benchmarks.pairs import Pairs, Sample, alternate
from benchmarks.rows import Row, row
from benchmarks.stage import databases, migrated_settings
from tests.world.databases import Stored
from tests.world.service import service_env

_ROUNDS: Final = 5
_UNIT: Final = "changes/s"


def measure(counts: Counts) -> list[Row]:
    """Let our writers and the bare ones write, in turn."""
    with databases() as kinds:
        return [
            asyncio.run(_measure(kind, leading_to(), number, counts))
            for kind, leading_to in kinds.items()
            for number in counts.writers
        ]


async def _measure(kind: str, variables: dict[str, str], number: int, counts: Counts) -> Row:
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name:
        state_dir = Path(name)
        settings = migrated_settings(state_dir, **variables)
        Stored(settings.database_url).execute("CREATE TABLE bare (line TEXT)")
        env = service_env(state_dir, variables)

        def sample(work: str) -> Sample:
            async def rate() -> float:
                return _write(work, number, counts.mutations, env)

            return rate

        rounds = min(counts.rounds, _ROUNDS)
        pairs: Pairs = await alternate(sample("change"), sample("bare"), rounds=rounds)
    processes = "1 process" if number == 1 else f"{number} processes"
    return row(
        f"writers: changes by {processes}, {kind}",
        pairs.ours,
        pairs.theirs,
        peer="bare transactions",
        unit=_UNIT,
    )


def _write(work: str, number: int, mutations: int, env: dict[str, str]) -> float:
    """Start the writers, let them go together, and give their changes a second."""
    argv = [sys.executable, "-m", "benchmarks.writer", work, str(mutations)]
    with ExitStack() as running:
        writers = [
            running.enter_context(
                subprocess.Popen(
                    argv,
                    env=env,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(number)
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        spans: list[tuple[float, float]] = [
            json.loads(writer.communicate(timeout=300)[0]) for writer in writers
        ]
    began, ended = min(span[0] for span in spans), max(span[1] for span in spans)
    return number * mutations / (ended - began)
