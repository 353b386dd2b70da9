"""Which processes are live: their heartbeats, and their rows by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import InstanceRow

HEARTBEAT_SECONDS: Final = 10.0
SQLITE_HEARTBEAT_SECONDS: Final = 20.0
"""Longer: each commit to the file makes every process read it."""

COMMAND: Final = "command"
"""The kind of a row that isn't a process: what a command left behind (`left_behind.py`)."""

REMEMBERED_US: Final = 3_600_000_000
COMMAND_REMEMBERED_US: Final = 24 * 3_600_000_000

MISSED_HEARTBEATS: Final = 3
MOST: Final = 2_000
"""Processes that are read; the database's running role can add any number of rows."""

MOST_REPORTS: Final = 200
"""Reports that are read at each heartbeat."""


def heartbeat_seconds(database: Database) -> float:
    """Return the seconds between a process's heartbeats."""
    return SQLITE_HEARTBEAT_SECONDS if database.is_sqlite else HEARTBEAT_SECONDS


def lifetime_us(database: Database) -> int:
    """Return how long a process counts as live after its last report."""
    return round(MISSED_HEARTBEATS * heartbeat_seconds(database) * 1e6)


def is_live(database: Database, now_us: int) -> ColumnElement[bool]:
    """Return the condition that a row's process is live; a time to come is none of a live one."""
    lifetime = lifetime_us(database)
    return InstanceRow.seen_us.between(now_us - lifetime, now_us + lifetime)


def is_forgotten(now_us: int) -> ColumnElement[bool]:
    """Return the condition that a row may go: of a process long dead, or what a command left."""
    seen, command = InstanceRow.seen_us, InstanceRow.kind == COMMAND
    return or_(
        ~seen.between(now_us - COMMAND_REMEMBERED_US, now_us + REMEMBERED_US),
        and_(~command, ~seen.between(now_us - REMEMBERED_US, now_us + REMEMBERED_US)),
    )


async def live_rows(database: Database, session: AsyncSession) -> list[InstanceRow]:
    """Read the rows of live processes, at most `MOST` of them, those furthest behind first."""
    query = (
        select(InstanceRow)
        .where(is_live(database, await database.clock(session)), InstanceRow.kind != COMMAND)
        .order_by(InstanceRow.revision)
        .limit(MOST)
    )
    rows = await session.scalars(query)
    return sorted(rows, key=lambda row: (row.kind, row.name, row.instance))


@dataclass(frozen=True, slots=True)
class HealthReports:
    """What processes and commands say of their calls, and how many live processes there are."""

    texts: tuple[str, ...] = ()
    processes: int = 0


async def reports_of_health(
    database: Database, session: AsyncSession, now_us: int, *, but: str = ""
) -> HealthReports:
    """Read what live processes and commands say of their calls, those that ended last first.

    Args:
        database: Holds the registry.
        session: Reads it.
        now_us: The time by the database's clock.
        but: An instance that is left out: the one that asks.
    """
    query = (
        select(InstanceRow.health)
        .where(or_(is_live(database, now_us), InstanceRow.kind == COMMAND), ~is_forgotten(now_us))
        .where(InstanceRow.instance != but, InstanceRow.health.is_not(None))
        .order_by(InstanceRow.seen_us.desc())
        .limit(MOST_REPORTS)
    )
    texts = tuple(report for report in await session.scalars(query) if report is not None)
    live = (
        select(func.count())
        .select_from(InstanceRow)
        .where(is_live(database, now_us), InstanceRow.kind != COMMAND, InstanceRow.instance != but)
    )
    return HealthReports(texts, await session.scalar(live) or 0)


async def reports_of_settings(session: AsyncSession, instances: Sequence[str]) -> dict[str, str]:
    """Read which settings some processes report, by instance; at most `MOST_REPORTS` of them."""
    if not instances:
        return {}
    query = select(InstanceRow.instance, InstanceRow.settings).where(
        InstanceRow.instance.in_(instances[:MOST_REPORTS]), InstanceRow.settings.is_not(None)
    )
    return {row.instance: row.settings for row in await session.execute(query)}
