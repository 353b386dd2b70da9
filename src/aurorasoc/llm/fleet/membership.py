"""This process's row in the registry: who it is, what it runs, and its heartbeat.

A separate task writes it after each adoption and at each heartbeat, so a report never delays an
adoption. The process deletes it when it closes; the row of a killed process expires.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import InstanceRow
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import BackendUnavailable, DatabaseUnavailable
from aurorasoc.granite.backend_resolution import active_connection
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.fleet.differences import report_of_settings
from aurorasoc.llm.fleet.key_reports import report_of_keys
from aurorasoc.llm.fleet.live import heartbeat_seconds, is_forgotten, reports_of_health
from aurorasoc.llm.wire.hosted_bytes import HOSTED_BYTES

Kind = Literal["api", "agent", "library"]

RETRY_SECONDS: Final = 1.0
LEAVE_SECONDS: Final = 2.0
JITTER: Final = 0.1
STOPPED_SECONDS: Final = 1.0
"""How long after a stop the last hosted byte is reported again."""
LONGEST_NAME: Final = 255

log = get_logger("aurorasoc.fleet")


@dataclass(frozen=True, slots=True)
class Instance:
    """Identifies a process.

    Attributes:
        instance: Its id, new with each start.
        kind: Whether it serves the API, serves an agent, or just has a runtime open.
        name: The agent's name, the app's title, or the program's file.
        host: The machine's name.
    """

    instance: str
    kind: Kind
    name: str
    host: str


def this_process(kind: Kind, name: str | None) -> Instance:
    """Return this process's identity; its name defaults to the program's."""
    named = (name or _program(Path(sys.argv[0])))[:LONGEST_NAME]
    return Instance(f"{kind}-{secrets.token_hex(6)}", kind, named, socket.gethostname())


def _program(file: Path) -> str:
    """Return a program's name; `python -m package` runs the package's `__main__.py`."""
    return (file.parent.name if file.name == "__main__.py" else file.name) or "python"


class Reports(Protocol):
    """What processes tell each other besides, as texts that only they read."""

    def report(self) -> str | None:
        """Return this process's report; None if it has nothing to say."""

    def hear(self, reports: Iterable[str], processes: int) -> None:
        """Take what the others report, and how many live processes there are."""


class Membership:
    """Keeps the row, from `start()` to `close()`.

    Args:
        instance: Who this process is.
        database: Holds the registry.
        adoption: What this process runs.
        keyring: The seeds it has.
        feed: Returns the feed in use now.
        health: Says how this process's calls ended, and hears of the others'.
        hindrances: Returns what keeps this process from calling, as JSON; None: nothing.
    """

    def __init__(  # noqa: PLR0913 - each tells a part of the row
        self,
        instance: Instance,
        database: Database,
        adoption: Adoption,
        keyring: Keyring,
        feed: Callable[[], str],
        *,
        health: Reports,
        hindrances: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.instance = instance
        self._database = database
        self._adoption = adoption
        self._keyring = keyring
        self._feed = feed
        self._health = health
        self._hindrances = hindrances
        self._settings: tuple[Snapshot, str] | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Join now, and report after each adoption from then on."""
        self._adoption.on_adopted(self._adopted)
        self._task = asyncio.create_task(self._run(), name="aurorasoc-membership")

    def _adopted(self) -> None:
        self.report()
        if self._adoption.snapshot.stop is not None:  # what was under way has ended by then
            asyncio.get_running_loop().call_later(STOPPED_SECONDS, self.report)

    def report(self) -> None:
        """Have the row written soon; several reports in a row count as one."""
        self._wake.set()

    async def close(self) -> None:
        """Delete the row if the database answers in time; else it expires."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=LEAVE_SECONDS)
        leaving = asyncio.create_task(self._leave())
        left, _ = await asyncio.wait({leaving}, timeout=LEAVE_SECONDS)
        if not left:  # cancelling a finished task would hide its error
            leaving.cancel()

    async def _run(self) -> None:
        pause, joined = 0.0, False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()
            pause = heartbeat_seconds(self._database) * random.uniform(1 - JITTER, 1)  # noqa: S311 - jitter
            try:
                joined = await self._write(clean=not joined)
            except DatabaseUnavailable:
                pause = RETRY_SECONDS

    async def _write(self, *, clean: bool) -> bool:
        """Write the row, once what is stored was read; `clean` deletes rows of dead processes."""
        if not self._adoption.ready and self._adoption.refusal is None:
            return False
        async with self._database.transaction(ordered=False) as session:
            now = await self._database.clock(session)
            if clean:
                await session.execute(delete(InstanceRow).where(is_forgotten(now)))
            await session.merge(self._row(now))
            me = self.instance.instance
            others = await reports_of_health(self._database, session, now, but=me)
        self._health.hear(others.texts, others.processes + 1)
        return True

    def _row(self, now_us: int) -> InstanceRow:
        return InstanceRow(
            **asdict(self.instance),
            **self._runs(),
            adopted_us=self._adoption.adopted_us,
            feed=self._feed(),
            key_ids=",".join(self._keyring.key_ids),
            keys_sent=report_of_keys(),
            health=self._health.report(),
            hindrances=self._hindrances(),
            hosted_us=HOSTED_BYTES.last_us,
            seen_us=now_us,
        )

    def _runs(self) -> dict[str, Any]:
        """Return what this process runs; nothing before it could adopt."""
        if not self._adoption.ready:
            return {"revision": 0, "fingerprint": ""}
        snapshot = self._adoption.snapshot
        backend, model = _active(snapshot)
        return {
            "revision": snapshot.revision,
            "fingerprint": snapshot.fingerprint,
            "backend": backend,
            "model": model,
            "settings": self._settings_of(snapshot),
            "hosted_stopped": snapshot.stop is not None,
        }

    def _settings_of(self, snapshot: Snapshot) -> str:
        """Return the report of the settings, made once for each snapshot."""
        if self._settings is None or self._settings[0] is not snapshot:
            seed = next(iter(self._keyring.key_ids), "")
            self._settings = snapshot, report_of_settings(snapshot, seed)
        return self._settings[1]

    async def _leave(self) -> None:
        with suppress(DatabaseUnavailable):
            async with self._database.transaction(ordered=False) as session:
                await _delete(session, self.instance.instance)


def _active(snapshot: Snapshot) -> tuple[str | None, str | None]:
    """Return the active backend and its model; neither while `auto` has found none."""
    try:
        backend = active_connection(snapshot)
    except BackendUnavailable:
        return None, None
    return backend, snapshot.connections[backend].model.value


async def _delete(session: AsyncSession, instance: str) -> None:
    await session.execute(delete(InstanceRow).where(InstanceRow.instance == instance))
