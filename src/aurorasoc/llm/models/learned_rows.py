"""Shares what this process learns of models with the fleet, off the path of calls.

A lesson that is lost costs one more refused call. While the database is away lessons wait, and
calls go on with what this process knows.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core import foreign_json
from aurorasoc.core.clock import now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import LearnedRow
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.wire.asking.learned import (
    MAX_PLACES,
    Capabilities,
    Knowledge,
    Learned,
    Lesson,
    Place,
    Refusable,
)

READ_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 2.0
JITTER: Final = 0.1
KEPT_US: Final = 30 * 86_400_000_000
"""A month: a server that was brought up to date is asked again by then."""

AHEAD_US: Final = 86_400_000_000
"""A day: a row from later was written by no process, and would be the newest for good."""

_THINKS_UNTAGGED: Final = "thinks_untagged"
"""Stands among the names of what a model refuses."""

_CAPABILITIES: Final = TypeAdapter(Capabilities | None)


class LearnedRows:
    """Writes lessons soon after they are learnt, and reads those of others every minute.

    Args:
        database: Holds the rows.
        learned: What this process knows.
    """

    def __init__(self, database: Database, learned: Learned) -> None:
        self._database, self._learned = database, learned
        self._lessons: deque[Lesson] = deque(maxlen=MAX_PLACES)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Read what is known, and share from now on."""
        self._learned.on_lesson = self._note
        self._task = asyncio.create_task(self._run(), name="aurorasoc-learned")

    async def close(self) -> None:
        """Write what is left if the database answers in time."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.write()

    async def write(self) -> None:
        """Write the lessons that wait.

        Raises:
            DatabaseUnavailable: The database doesn't answer; they still wait.
        """
        lessons = list(self._lessons)
        if not lessons:
            return
        async with self._database.transaction(ordered=False) as session:
            now = await self._database.clock(session)
            await _forget_old(session, now)
            for lesson in lessons:
                await _store(session, lesson, now)
        for lesson in lessons:
            if lesson in self._lessons:
                self._lessons.remove(lesson)

    async def read(self) -> None:
        """Take over what the fleet knows, unless there are lessons to be written first.

        Raises:
            DatabaseUnavailable: The database doesn't answer.
        """
        real = LearnedRow.learned_us <= now_us() + AHEAD_US
        of_ours = LearnedRow.provider.in_(tuple(ServingBackend))
        newest = select(LearnedRow).where(real, of_ours).order_by(LearnedRow.learned_us.desc())
        newest = newest.limit(MAX_PLACES)
        async with self._database.reading(once=True) as session:
            rows = list(await session.scalars(newest))
        if not self._lessons:
            self._learned.replace({_place(row): _knowledge(row) for row in reversed(rows)})

    def _note(self, lesson: Lesson) -> None:
        self._lessons.append(lesson)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.write()
                await self.read()
                pause = READ_SECONDS
            except DatabaseUnavailable:
                pause = RETRY_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause * random.uniform(1 - JITTER, 1)):  # noqa: S311 - jitter
                    await self._wake.wait()


async def _forget_old(session: AsyncSession, now_us: int) -> None:
    """Delete what is older than a month; how a model thinks holds until a test finds otherwise."""
    thinks = LearnedRow.refused.contains(_THINKS_UNTAGGED, autoescape=True)
    old = LearnedRow.learned_us < now_us - KEPT_US
    await session.execute(
        delete(LearnedRow).where((old & ~thinks) | (LearnedRow.learned_us > now_us + AHEAD_US))
    )
    kept = {"refused": _THINKS_UNTAGGED, "capabilities": None, "learned_us": now_us}
    await session.execute(update(LearnedRow).where(old).values(kept))


async def _store(session: AsyncSession, lesson: Lesson, at_us: int) -> None:
    place = lesson.place
    row = await session.get(LearnedRow, (place.provider, place.origin, place.model))
    known = lesson.added_to(Knowledge() if row is None else _knowledge(row))
    if known == Knowledge():
        if row is not None:
            await session.delete(row)
        return
    capabilities = None if known.capabilities is None else json.dumps(asdict(known.capabilities))
    await session.merge(
        LearnedRow(
            **asdict(place),
            refused=",".join(_names(known)),
            capabilities=capabilities,
            learned_us=at_us,
        )
    )
    await session.flush()


def _names(known: Knowledge) -> list[str]:
    return [*sorted(known.refused), *([_THINKS_UNTAGGED] if known.thinks_untagged else ())]


def _place(row: LearnedRow) -> Place:
    return Place(row.provider, row.origin, row.model)


def _knowledge(row: LearnedRow) -> Knowledge:
    """Read a row; a newer version may know more options and capabilities."""
    names = row.refused.split(",")
    known = {option.value for option in Refusable}
    refused = frozenset(Refusable(name) for name in names if name in known)
    untagged = _THINKS_UNTAGGED in names
    with suppress(ValueError):  # NotJson and ValidationError are some: no test wrote it
        stored = foreign_json.parsed_strictly(row.capabilities or "null")
        return Knowledge(refused, _CAPABILITIES.validate_python(stored), untagged)
    return Knowledge(refused, thinks_untagged=untagged)
