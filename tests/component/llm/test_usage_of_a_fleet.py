"""Processes that share a database add to the same hours, on either kind of database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import pytest

from aurorasoc.config.usage import Bucket
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.core.access.acting import Acting
from aurorasoc.core.clock import now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.errors import Attempt, InvalidInput
from aurorasoc.llm.usage import report
from aurorasoc.llm.usage.book import HOUR_US, UsageBook
from aurorasoc.llm.usage.report import UsageLine, lines_between
from aurorasoc.llm.usage.writer import DAY_US, UsageWriter
from aurorasoc.llm.wire.answers.outcome import Finish
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.asker import Asker
from aurorasoc.llm.wire.call_record import CallRecord
from tests.world.databases import ON_BOTH, Stored

pytestmark = ON_BOTH

CALLS: Final = 50
ANSWERED: Final = CallRecord(
    at_us=1_800_000_000_000_000,
    seconds=0.5,
    first_piece=None,
    asker=Asker("specialist", Tlp.GREEN, "triage"),
    acting=Acting("soc-1"),
    revision=1,
    connection="openai",
    provider=ServingBackend.OPENAI,
    model="m-1",
    code=None,
    finish=Finish.STOP,
    usage=Usage(7, 3, 10),
    micro_dollars=11,
    attempts=(Attempt("openai", "m-1", None, 0.5),),
    sent={"openai": 1},
    streamed=False,
)


class Process:
    """One process's book and writer, with connections of its own."""

    def __init__(self, stored: Stored) -> None:
        self.database, self.book = Database(stored.url), UsageBook()
        self.writer = UsageWriter(self.database, self.book, days=400)

    async def work(self) -> None:
        """Count calls, and write after each."""
        for _ in range(CALLS):
            self.book.note(ANSWERED)
            await self.writer.write()


@pytest.fixture
async def pair(stored: Stored) -> AsyncIterator[tuple[Process, Process]]:
    """Return two processes on one database."""
    processes = Process(stored), Process(stored)
    yield processes
    for process in processes:
        await process.database.close()


async def lines(database: Database, bucket: Bucket = "hour") -> list[UsageLine]:
    """Return what was used about when the record was made."""
    at = ANSWERED.at_us
    return await lines_between(database, at - HOUR_US, at + 2 * HOUR_US, "connection", bucket)


async def test_processes_that_write_one_hour_at_once_lose_and_double_nothing(
    pair: tuple[Process, Process],
) -> None:
    """Each call, token and micro-dollar of both is in the hour's sums."""
    await asyncio.gather(*(process.work() for process in pair))
    [line] = await lines(pair[0].database)
    assert line.calls == line.requests == 2 * CALLS
    assert (line.prompt_tokens, line.completion_tokens) == (2 * CALLS * 7, 2 * CALLS * 3)
    assert line.cost == pytest.approx(2 * CALLS * 11 / 1_000_000)


async def test_calls_of_two_hours_are_two_buckets_of_an_hour_and_one_of_a_day(
    pair: tuple[Process, Process],
) -> None:
    """Both databases compute the same day."""
    process = pair[0]
    process.book.note(ANSWERED)
    process.book.note(replace(ANSWERED, at_us=ANSWERED.at_us + HOUR_US))
    await process.writer.write()
    assert [line.calls for line in await lines(process.database)] == [1, 1]
    assert [line.calls for line in await lines(process.database, "day")] == [2]


@pytest.mark.parametrize(
    ("counts", "shown"),
    [((None, 0), (None, 0)), ((None, None), (None, None)), ((4, None), (4, None))],
    ids=str,
)
async def test_tokens_that_no_call_counted_apart_are_not_zero(
    pair: tuple[Process, Process],
    counts: tuple[int | None, int | None],
    shown: tuple[int | None, int | None],
) -> None:
    """Those that were counted as none are."""
    process, (cached, thoughts) = pair[0], counts
    usage = Usage(7, 3, 10, cached_tokens=cached, thought_tokens=thoughts)
    process.book.note(replace(ANSWERED, usage=usage))
    await process.writer.write()
    [line] = await lines(process.database)
    assert (line.cached_tokens, line.thought_tokens) == shown


async def test_where_some_calls_counted_apart_the_sum_is_theirs(
    pair: tuple[Process, Process],
) -> None:
    """And where all failed, there is nothing unknown."""
    process = pair[0]
    process.book.note(ANSWERED)
    process.book.note(replace(ANSWERED, usage=Usage(7, 3, 10, cached_tokens=5)))
    process.book.note(replace(ANSWERED, connection="down", code="unreachable", usage=None))
    await process.writer.write()
    failed, answered = await lines(process.database)
    assert (answered.cached_tokens, answered.thought_tokens) == (5, None)
    assert (failed.prompt_tokens, failed.cached_tokens, failed.thought_tokens) == (0, 0, 0)


async def test_an_hour_that_the_clock_goes_back_to_keeps_what_was_written(
    pair: tuple[Process, Process],
) -> None:
    """Hosts' clocks are corrected; a smaller sum must not replace what was written before."""
    process = pair[0]
    writer = UsageWriter(process.database, process.book, 400, lambda: ANSWERED.at_us + HOUR_US)
    for _ in range(2):
        process.book.note(ANSWERED)
        await writer.write()  # and forget: by this clock the hour is over
    [line] = await lines(process.database)
    assert line.calls == 2


async def test_a_process_whose_clock_is_ahead_deletes_what_is_old_by_the_databases(
    pair: tuple[Process, Process],
) -> None:
    """Its own new row is no proof that its clock is right."""
    process, now = pair[0], now_us()
    ahead = UsageWriter(process.database, process.book, 400, lambda: now + 500 * DAY_US)
    for days in (-401, -10, 0, 500):
        process.book.note(replace(ANSWERED, at_us=now + days * DAY_US))
    await ahead.write()
    await ahead.prune()
    start = now - 450 * DAY_US
    rows = await lines_between(process.database, start, now + DAY_US, "connection", "day")
    assert sum(row.calls for row in rows) == 2


async def test_an_answer_with_too_many_rows_is_refused_and_not_cut(
    pair: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sum over rows of which some are missing would be wrong, and nobody would know."""
    process = pair[0]
    process.book.note(ANSWERED)
    process.book.note(replace(ANSWERED, connection="other"))
    await process.writer.write()
    monkeypatch.setattr(report, "MOST_ROWS", 2)
    assert len(await lines(process.database)) == 2
    monkeypatch.setattr(report, "MOST_ROWS", 1)
    with pytest.raises(InvalidInput, match="more than 1 rows"):
        await lines(process.database)


async def test_a_name_longer_than_its_column_holds_up_nobody_elses_count(
    pair: tuple[Process, Process],
) -> None:
    """A program that embeds us names its subjects; PostgreSQL refuses what doesn't fit."""
    process = pair[0]
    process.book.note(replace(ANSWERED, acting=Acting("s" * 300), model="m" * 300))
    process.book.note(ANSWERED)
    await process.writer.write()
    [line] = await lines(process.database)
    assert line.calls == 2


@pytest.mark.parametrize("subject", ["nul\x00", "half\ud800"])
async def test_a_name_that_no_database_takes_holds_up_nobody_elses_count(
    pair: tuple[Process, Process], subject: str
) -> None:
    """Such a one is counted with its odd characters replaced."""
    process = pair[0]
    process.book.note(replace(ANSWERED, acting=Acting(subject)))
    process.book.note(ANSWERED)
    await process.writer.write()
    [line] = await lines(process.database)
    assert line.calls == 2
