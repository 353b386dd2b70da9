"""Audits the stops of single hosts, which are made without the database, once it is there.

Every process of a host sees its stop; the first that reaches the database writes the entry.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import select

from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent, AuditSink
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import AuditRow
from aurorasoc.core.logs import get_logger
from aurorasoc.core.tasks import end
from aurorasoc.errors import AuroraError
from aurorasoc.llm.adoption.stop_file import release_in

RETRY_SECONDS: Final = 5.0
MOST: Final = 100
"""Stops and releases that wait for the database."""

BY_HAND: Final = "hosted.stop was removed by hand"

_End = asyncio.Task[AuditEvent | None]

log = get_logger("aurorasoc.stop")


class HostStops:
    """Audits this host's stop and its end, in a task of its own, until `close()`.

    Args:
        folder: The state folder.
        database: Holds the audit log.
        audit: Writes it.
        stop: Returns this host's stop that is in force.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        audit: AuditSink,
        stop: Callable[[], HostedTraffic | None],
    ) -> None:
        self._folder = folder
        self._database = database
        self._audit = audit
        self._stop = stop
        self._last: HostedTraffic | None = None
        self._waiting: deque[AuditEvent | _End] = deque(maxlen=MOST)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Audit what isn't audited yet, and what is said from now on."""
        self._note_end(None)
        self.said()
        self._task = asyncio.create_task(self._run(), name="aurorasoc-host-stops")

    def said(self) -> None:
        """Audit what this host says now: it is stopped, or allowed again.

        A stop because nobody can look is nobody's, and says nothing of the one before it.
        """
        ended, stop = self._last, self._stop()
        if stop == ended or (stop is not None and stop.since is None):
            return
        self._last = stop
        if ended is not None:
            self._note_end(ended)
        if stop is not None:
            self._waiting.append(_event_of(stop))
        self._wake.set()

    async def close(self) -> None:
        """End the task."""
        await end(self._task)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                try:
                    await self._record(self._waiting[0])
                except AuroraError as error:
                    log.info("a host's stop is not audited yet", code=error.code)
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    self._waiting.popleft()

    def _note_end(self, ended: HostedTraffic | None) -> None:
        """Note the end of a stop. Who released it is read at once: the next release hides that."""
        self._waiting.append(asyncio.create_task(self._end_of(ended)))
        self._wake.set()

    async def _end_of(self, ended: HostedTraffic | None) -> AuditEvent | None:
        """Return the entry for the end of a stop, or for the last release; None: there is none."""
        host = socket.gethostname()
        release = await asyncio.to_thread(release_in, self._folder)
        if ended is not None and (release is None or release.stopped_since != ended.since):
            target = _target(host, ended.since)
            return AuditEvent(
                host, Action.HOSTED_ALLOWED, target, {"reason": BY_HAND, "here": host}
            )
        if release is None:
            return None
        details = {"reason": release.reason, "here": host}
        target = _target(host, release.stopped_since)
        return AuditEvent(release.by, Action.HOSTED_ALLOWED, target, details)

    async def _record(self, said: AuditEvent | _End) -> None:
        """Write what was said, unless another process did."""
        event = said if isinstance(said, AuditEvent) else await said
        if event is not None:
            await self._write_once(event)

    async def _write_once(self, event: AuditEvent) -> None:
        written = select(AuditRow.seq).where(
            AuditRow.action == event.action.value, AuditRow.target == event.target
        )
        async with self._database.transaction() as session:
            if await session.scalar(written.limit(1)) is None:
                await self._audit.append(session, event)


def _event_of(stop: HostedTraffic) -> AuditEvent:
    host = socket.gethostname()
    details = {"reason": stop.reason, "here": host}
    return AuditEvent(stop.by or host, Action.HOSTED_STOPPED, _target(host, stop.since), details)


def _target(host: str, since: str | None) -> str:
    """Name one stop of one host."""
    return f"{host} {since}"[-255:]
