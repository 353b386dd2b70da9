"""Does writing an audit entry cost the same in a long log as in a short one?

Each append is a transaction of its own, as it is in the service, and survives a power cut; the
logs are appended to in turn. On SQLite and on PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aurorasoc.config.settings import Settings
from aurorasoc.core.audit.log import AuditLog
from aurorasoc.core.database.engine import Database
from aurorasoc.core.keyring import Keyring
from benchmarks.rig.chain import event, fill
from benchmarks.rig.counts import Counts
from benchmarks.rig.pairs import alternate, seconds
from benchmarks.rig.rows import Bar, Row, row
from benchmarks.rig.stage import databases, migrated_settings

_FLAT: Final = Bar(1.2)


def measure(counts: Counts) -> list[Row]:
    """Append to each log and to the shortest, in turn."""
    rows: list[Row] = []
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name, databases() as kinds:
        for kind, leading_to in kinds.items():
            logs = {
                length: _filled(Path(name) / f"{kind}-{length}", leading_to(), length)
                for length in counts.logs
            }
            rows += asyncio.run(_measure(kind, logs, counts))
    return rows


def _filled(state_dir: Path, variables: dict[str, str], length: int) -> Settings:
    settings = migrated_settings(state_dir, **variables)
    fill(settings, length)
    return settings


async def _measure(kind: str, logs: dict[int, Settings], counts: Counts) -> list[Row]:
    async with AsyncExitStack() as opened:
        appends = {}
        for length, settings in logs.items():
            database = Database(settings.database_url)
            opened.push_async_callback(database.close)
            appends[length] = _append(database, AuditLog(Keyring(settings.security.seeds)))
        shortest, *longer = appends
        rows = []
        for length in longer:
            pairs = await alternate(
                seconds(appends[length]),
                seconds(appends[shortest]),
                rounds=counts.rounds,
                calls=counts.appends,
            )
            name = f"append: behind {length:,} audit entries, {kind}"
            peer = f"behind {shortest:,}"
            rows.append(row(name, pairs.ours, pairs.theirs, peer=peer, bar=_FLAT))
        return rows


def _append(database: Database, log: AuditLog) -> Callable[[], Awaitable[None]]:
    async def append() -> None:
        async with database.transaction() as session:
            await log.append(session, event(1))

    return append
