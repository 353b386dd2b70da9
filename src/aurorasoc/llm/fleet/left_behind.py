"""What a command leaves for the fleet when it ends: how its calls and tests ended.

A command is no live process, and is over before anybody hears of it. So its report stays in the
registry for a day, in a row that no list of processes shows.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Protocol

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import InstanceRow
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.fleet.live import COMMAND


class CallReport(Protocol):
    """How this process's calls ended."""

    def subjects(self) -> tuple[str, ...]:
        """Name what was called, by digests."""

    def report(self, *, openings: bool = True) -> str | None:
        """Return how the calls ended, with what isn't asked for a while; None for nothing."""


async def leave_report(database: Database, calls: CallReport) -> None:
    """Leave this command's report; it replaces that of an earlier one of the same subjects."""
    report = calls.report(openings=False)  # its breakers end with it
    if report is None:
        return
    about = hashlib.sha256(",".join(sorted(calls.subjects())).encode()).hexdigest()[:16]
    with suppress(DatabaseUnavailable):
        async with database.transaction(ordered=False) as session:
            row = InstanceRow(
                instance=f"{COMMAND}-{about}",
                kind=COMMAND,
                name="aurorasoc",
                host="",
                revision=0,
                fingerprint="",
                adopted_us=0,
                feed="",
                key_ids="",
                health=report,
                seen_us=await database.clock(session),
            )
            await session.merge(row)
