"""Writes what this process counted, off the path of calls.

A row is one process's sum, and is written as a whole: a batch whose answer was lost is written
again, and counts nothing twice. What was counted in the last two seconds before a kill may be lost.
While the database is away, or refuses, sums wait in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import UsageRow
from aurorasoc.core.database.upsert import insert_or
from aurorasoc.core.logs import get_logger
from aurorasoc.core.tasks import end
from aurorasoc.llm.usage.book import HOUR_US, Entry, Sums, UsageBook, Way

WRITE_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 2.0
PRUNE_SECONDS: Final = 6 * 3600.0
DAY_US: Final = 24 * HOUR_US
_ROWS: Final = 400
"""Rows of one statement: SQLite takes 32,766 parameters."""

_PRUNED_AT_ONCE: Final = 1_000
"""Rows of one transaction that prunes: SQLite has one writer, and others wait for it."""

MOST_AHEAD_US: Final = 30 * DAY_US
"""How far the newest row may lie back: beyond it, the clock may be wrong, and nothing is pruned."""

_MOST: Final = 2**53
"""The most that a sum is written as: a column refuses larger ones, and with them all others."""


log = get_logger("aurorasoc.usage")


class UsageWriter:
    """Writes a book each second in which there is something to write, and prunes old hours.

    Args:
        database: Holds the rows.
        book: What this process counts.
        days: How long rows are kept (`AURORA_USAGE_DAYS`).
    """

    def __init__(
        self, database: Database, book: UsageBook, days: int, clock: Clock = now_us
    ) -> None:
        self._database, self._book, self._days, self._clock = database, book, days, clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Write from now on."""
        self._task = asyncio.create_task(self._run(), name="aurorasoc-usage")

    async def close(self) -> None:
        """Write what is left if the database answers in time."""
        if self._task is not None:
            await end(self._task)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.write()
        except Exception as error:  # noqa: BLE001 - whoever closes a runtime closes all of it
            self._failed(error)

    async def write(self) -> None:
        """Write what changed.

        Raises:
            DatabaseUnavailable: The database doesn't answer; what changed still waits.
        """
        waiting, taken = self._book.backlog, self._book.taken()
        if not taken:
            return
        rows = [_row(way, entry) for way, entry in taken.items()]
        try:
            async with self._database.transaction(ordered=False) as session:
                for start in range(0, len(rows), _ROWS):
                    await _upsert(session, rows[start : start + _ROWS])
        except BaseException:
            self._book.unwritten |= taken.keys()
            self._book.backlog += waiting
            raise
        self._book.forget_before(self._clock() - self._clock() % HOUR_US)
        if self._book.lost:
            log.warning("usage was lost: too much waited to be written", calls=self._book.lost)
            self._book.lost = 0

    async def prune(self) -> None:
        """Delete hours that are older than they are kept, some rows at a time.

        No single clock may empty the table: the earlier of this process's and the database's
        counts, and nothing is deleted where that is far ahead of the newest row.

        Raises:
            DatabaseUnavailable: The database doesn't answer.
        """
        async with self._database.reading() as session:
            now = min(self._clock(), await self._database.clock(session))
            newest = await session.scalar(
                select(func.max(UsageRow.hour_us)).where(UsageRow.hour_us <= now)
            )
        if newest is not None and now - newest <= MOST_AHEAD_US:
            while await self._prune_some(now - self._days * DAY_US) == _PRUNED_AT_ONCE:
                pass

    async def _prune_some(self, before_us: int) -> int:
        """Delete rows of hours before one; return how many."""
        key = (UsageRow.hour_us, UsageRow.key)
        old = select(*key).where(UsageRow.hour_us < before_us).limit(_PRUNED_AT_ONCE)
        async with self._database.transaction(ordered=False) as session:
            gone = await session.execute(
                delete(UsageRow)
                .where(tuple_(*key).in_(old))
                .returning(UsageRow.key)
                .execution_options(synchronize_session=False)
            )
            return len(gone.all())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        prunes_at = loop.time() + WRITE_SECONDS
        while True:
            pause = WRITE_SECONDS
            try:
                await self.write()
                if loop.time() >= prunes_at:
                    await self.prune()
                    prunes_at = loop.time() + PRUNE_SECONDS
            except Exception as error:  # noqa: BLE001 - counting goes on, whatever a database answers
                self._failed(error)
                pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    def _failed(self, error: Exception) -> None:
        """Log the kind alone: a driver's text may hold an address."""
        log.warning("usage can't be written", error=type(error).__name__, calls=self._book.backlog)


async def _upsert(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    """Insert rows, or replace what this process wrote of them before."""
    insert = insert_or(session, UsageRow).values(rows)
    sums: Mapping[str, Any] = {name: insert.excluded[name] for name in asdict(Sums())}
    await session.execute(
        insert.on_conflict_do_update(index_elements=["hour_us", "key"], set_=sums)
    )


def _row(way: Way, entry: Entry) -> dict[str, Any]:
    sums = {name: min(count, _MOST) for name, count in asdict(entry.sums).items()}
    return {**asdict(way), **sums, "key": entry.key}
