"""Audits the stops of single hosts, which are made without the database, once it is there.

Every process of a host sees its stop; the first that reaches the database writes the entry.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import select

from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent, AuditSink
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import AuditRow
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError
from aurorasoc.llm.adoption.stop_file import release_in

RETRY_SECONDS: Final = 5.0
MOST: Final = 100
"""Stops and releases that wait for the database."""

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
        self._waiting: deque[HostedTraffic | None] = deque([None, stop()], maxlen=MOST)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Audit what isn't audited yet, and what is said from now on."""
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="aurorasoc-host-stops")

    def said(self) -> None:
        """Audit what this host says now: it is stopped, or allowed again."""
        self._waiting.append(self._stop())
        self._wake.set()

    async def close(self) -> None:
        """End the task."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

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

    async def _record(self, stop: HostedTraffic | None) -> None:
        """Write what was said, unless another process did; nothing if there was no stop yet."""
        host = socket.gethostname()
        if stop is not None:
            details = {"reason": stop.reason, "here": host}
            target = _target(host, stop.since)
            event = AuditEvent(stop.by or host, Action.HOSTED_STOPPED, target, details)
        else:
            release = await asyncio.to_thread(release_in, self._folder)
            if release is None:
                return
            details = {"reason": release.reason, "here": host}
            target = _target(host, release.stopped_since)
            event = AuditEvent(release.by, Action.HOSTED_ALLOWED, target, details)
        await self._write_once(event)

    async def _write_once(self, event: AuditEvent) -> None:
        written = select(AuditRow.seq).where(
            AuditRow.action == event.action.value, AuditRow.target == event.target
        )
        async with self._database.transaction() as session:
            if await session.scalar(written.limit(1)) is None:
                await self._audit.append(session, event)


def _target(host: str, since: str | None) -> str:
    """Name one stop of one host."""
    return f"{host} {since}"[-255:]
