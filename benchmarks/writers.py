"""How many changes a second do several processes make on one database?

Each change is what the API does: read, compose, write the configuration, its history and the
audit entry, commit, adopt. Against bare transactions that write as many rows, from as many
processes, under the same lock and with the same promises. On SQLite and on PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.rig.counts import Counts
from benchmarks.rig.pairs import Pairs, Sample, alternate
from benchmarks.rig.rows import Row, row
from benchmarks.rig.stage import databases, migrated_settings
from tests.world.databases import Stored
from tests.world.processes import run_together
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
        await Stored(settings.database_url).executed("CREATE TABLE bare (line TEXT)")
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
    argv = [sys.executable, "-m", "benchmarks.rig.writer", work, str(mutations)]
    outputs = run_together([argv] * number, env, deadline=300)
    spans: list[tuple[float, float]] = [json.loads(text) for text in outputs]
    began, ended = min(span[0] for span in spans), max(span[1] for span in spans)
    return number * mutations / (ended - began)
