"""What do budgets cost a call: one that no limit applies to, and one under a hard limit?

The first against nothing at all: only the difference counts. The second reserves and settles, on
SQLite and on PostgreSQL, against a bare transaction that changes one row.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import timeit
from typing import Final

from sqlalchemy import text

from aurorasoc.core.database.engine import Database
from aurorasoc.llm.budgets.entries import Account, Ceiling, ReservationRequest, Settlement
from aurorasoc.llm.budgets.guard import BudgetGuard
from aurorasoc.llm.budgets.teller import Teller
from aurorasoc.llm.wire.call_record import Purpose
from aurorasoc.llm.wire.charges import Ask, Size
from aurorasoc.runtime import open_runtime
from benchmarks.breaker import REFERENCE
from benchmarks.rig.counts import Counts
from benchmarks.rig.pairs import Sample, alternate, seconds
from benchmarks.rig.rows import Bar, Row, row
from benchmarks.rig.stage import databases, migrated_settings
from tests.world.databases import Stored

_BAR: Final = Bar(1e-6, on="difference")
_TIMES: Final = 500
_ACCOUNT: Final = Account("connection:vllm", "2026-11-28")
_CEILING: Final = Ceiling(_ACCOUNT, 10**12, None)


def measure(counts: Counts) -> list[Row]:
    """Ask without a limit, then under a hard one on each kind of database."""
    with databases() as kinds:
        return [
            asyncio.run(_unlimited(counts)),
            *(asyncio.run(_hard(kind, lead(), counts)) for kind, lead in kinds.items()),
        ]


async def _unlimited(counts: Counts) -> Row:
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name:
        async with open_runtime(migrated_settings(Path(name))) as runtime:
            guard, purpose = BudgetGuard(lambda: runtime.adoption.snapshot, runtime.database), _NONE

            def ours() -> None:
                guard.charge(REFERENCE, purpose, Ask(_size))

            number = counts.fresh * _TIMES
            pairs = await alternate(
                _sample(ours, number), _sample(_nothing, number), rounds=counts.rounds
            )
    peer = "no call at all"
    return row("budgets: no limit applies", pairs.ours, pairs.theirs, peer=peer, bar=_BAR)


async def _hard(kind: str, variables: dict[str, str], counts: Counts) -> Row:
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name:
        settings = migrated_settings(Path(name), **variables)
        await Stored(settings.database_url).executed("CREATE TABLE bare (number BIGINT)")
        await Stored(settings.database_url).executed("INSERT INTO bare VALUES (0)")
        database = Database(settings.database_url)
        teller, numbers = Teller(database, lambda _: None), iter(range(10**9))

        async def ours() -> None:
            request = ReservationRequest(str(next(numbers)), 100, 100, 100, None, (_CEILING,))
            await teller.reserve(request)
            teller.settle(Settlement(request.id, request.accounts, 50, 0))

        async def bare() -> None:
            async with database.transaction(ordered=False) as session:
                await session.execute(text("UPDATE bare SET number = number + 1"))

        pairs = await alternate(seconds(ours), seconds(bare), rounds=counts.rounds, calls=20)
        await teller.close()
        await database.close()
    title = f"budgets: a call under a hard limit, {kind}"
    return row(title, pairs.ours, pairs.theirs, peer="a bare transaction")


_NONE: Final = Purpose()


def _size(_refused: object) -> Size:
    return Size(1, 1, fixed=True)


def _nothing() -> None:
    """Do nothing."""


def _sample(work: Callable[[], object], number: int) -> Sample:
    async def take() -> float:
        return timeit(work, timer=time.process_time, number=number) / number

    return take
