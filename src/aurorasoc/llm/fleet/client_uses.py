"""When each machine client was last used: noted in memory, written in batches beside the calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Update, or_, select, update

from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import ClientRow
from aurorasoc.core.logs import get_logger
from aurorasoc.core.tasks import end
from aurorasoc.errors import DatabaseUnavailable

WRITE_SECONDS: Final = 5.0
"""How often uses are written; a killed process loses those since."""

_LAST_SECONDS: Final = 2.0

log = get_logger("aurorasoc.clients")

Used = tuple[str, str]
"""A client's name, and when it was made: one that is made again was never used."""


class ClientUses:
    """Remembers uses, from `start()` to `close()`.

    Args:
        database: Where the latest is kept for all processes.
        clock: Returns the present moment.
    """

    def __init__(self, database: Database, clock: Clock = now_us) -> None:
        self._database = database
        self._clock = clock
        self._unwritten: dict[Used, int] = {}
        self._latest: dict[Used, int] = {}
        self._noted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def note(self, name: str, created_at: str) -> None:
        """Note that a client is used now."""
        used = (name, created_at)
        self._unwritten[used] = self._latest[used] = self._clock()
        self._noted.set()

    def keep(self, clients: Mapping[str, str]) -> None:
        """Forget clients that don't exist any more.

        Args:
            clients: When each one that exists was made, by name.
        """
        for noted in (self._latest, self._unwritten):
            for used in noted.keys() - clients.items():
                del noted[used]

    async def last(self) -> dict[Used, int]:
        """Return when each client was last used by any process, in microseconds.

        While the database is away, it is what this process knows.
        """
        latest = dict(self._latest)
        try:
            async with self._database.reading() as session:
                query = select(ClientRow.name, ClientRow.created_at, ClientRow.last_used_us)
                rows = (await session.execute(query)).all()
        except DatabaseUnavailable:
            return latest
        for name, created_at, at_us in rows:
            if at_us is not None:
                latest[name, created_at] = max(at_us, latest.get((name, created_at), 0))
        return latest

    def start(self) -> None:
        """Write from now on."""
        self._task = asyncio.create_task(self._run(), name="aurorasoc-client-uses")

    async def close(self) -> None:
        """Write what is left, if the database answers in time."""
        if self._task is None:
            return
        await end(self._task)
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self.write()
        except (DatabaseUnavailable, TimeoutError):
            log.warning("the last uses of clients could not be written")

    async def write(self) -> None:
        """Write what was noted since; nothing if nobody called.

        Raises:
            DatabaseUnavailable: It can't be written; it is kept for the next time.
        """
        unwritten, self._unwritten = self._unwritten, {}
        if not unwritten:
            return
        try:
            async with self._database.transaction(ordered=False) as session:
                for (name, created_at), at_us in sorted(unwritten.items()):
                    await session.execute(_later(name, created_at, at_us))
        except BaseException:
            self._unwritten = {**unwritten, **self._unwritten}
            raise

    async def _run(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            try:
                await self.write()
            except DatabaseUnavailable:
                self._noted.set()
            await asyncio.sleep(WRITE_SECONDS)


def _later(name: str, created_at: str, at_us: int) -> Update:
    """Return the statement that stores a use, unless a later one is stored."""
    last = ClientRow.last_used_us
    return (
        update(ClientRow)
        .where(ClientRow.name == name, ClientRow.created_at == created_at)
        .where(or_(last.is_(None), last < at_us))
        .values(last_used_us=at_us)
    )
