"""When any live process last sent a key: what each reports in its row of the registry."""

from __future__ import annotations

import json
from collections.abc import Collection

from aurorasoc.core import foreign_json
from aurorasoc.core.database.engine import Database
from aurorasoc.llm.fleet.live import live_rows
from aurorasoc.llm.wire.key_uses import KEY_USES, last_of


def report_of_keys() -> str | None:
    """Return this process's report: JSON, times by the keys' tags; None before the first key."""
    latest = KEY_USES.latest()
    return json.dumps(latest) if latest else None


async def key_last_sent(database: Database, tags: Collection[str]) -> int | None:
    """Return when a key was last sent, in microseconds by the clock of the process that sent it.

    Args:
        database: Holds the registry.
        tags: The key's, by each seed that a process may have.

    Returns:
        None: no live process has sent it since it started.

    Raises:
        DatabaseUnavailable: The registry can't be read.
    """
    async with database.reading() as session:
        rows = await live_rows(database, session)
    times = [KEY_USES.last(tags), *(_reported(row.keys_sent, tags) for row in rows)]
    return max((time for time in times if time is not None), default=None)


def _reported(report: str | None, tags: Collection[str]) -> int | None:
    """Read one report; None where there is none, or one that no process of ours wrote."""
    if report is None:
        return None
    try:
        sent_us = foreign_json.parsed_strictly(report)
    except foreign_json.NotJson:
        return None
    if not isinstance(sent_us, dict):
        return None
    return last_of({tag: at for tag, at in sent_us.items() if type(at) is int}, tags)
