"""Each call is counted once: rows, records and the vendors' own logs agree."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from beeai_framework.backend.message import UserMessage
from sqlalchemy import text

from aurorasoc import get_chat_model
from aurorasoc.config.usage import By
from aurorasoc.core.access.acting import Acting, acting_for
from aurorasoc.core.clock import now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.errors import BudgetExceeded, DatabaseUnavailable, InvalidInput, ModelCallError
from aurorasoc.llm.changes.budget_edits import BudgetsRequest, set_budgets
from aurorasoc.llm.usage import book as usage_book
from aurorasoc.llm.usage import writer as usage_writer
from aurorasoc.llm.usage.book import HOUR_US, MOST_WAYS, OTHERS, UsageBook
from aurorasoc.llm.usage.report import UsageLine, lines_between
from aurorasoc.llm.usage.writer import DAY_US, UsageWriter
from aurorasoc.llm.wire.call_record import CallRecord
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, runtime, servers
from tests.world.vendor import Fault

__all__ = ["line", "runtime", "servers"]

WHO = Acting("soc-lead")


async def ask(*, stream: bool = False) -> None:
    await get_chat_model(tlp="GREEN", agent="triage").run([UserMessage("Benign?")], stream=stream)


async def leave(runtime: Runtime) -> None:
    """Leave a stream after its first piece, and wait until that is recorded."""
    ended = asyncio.Event()
    runtime.pool.records.follow(lambda _: ended.set())
    run = get_chat_model().run([UserMessage("Benign?")], stream=True)
    async with aclosing(aiter(run)) as events:
        async for _, event in events:
            if event.name == "new_token":
                break
    await asyncio.wait_for(ended.wait(), 20)


async def lines(database: Database, by: By = "connection") -> dict[str | None, UsageLine]:
    """Return the sums of the last hours by key."""
    now = now_us()
    rows = await lines_between(database, now - 5 * HOUR_US, now + HOUR_US, by, "day")
    return {row.key: row for row in rows}


@pytest.fixture
async def book(runtime: Runtime) -> AsyncIterator[UsageBook]:
    """Count the calls of this test, in place of the runtime's own book: nobody else writes."""
    counting = UsageBook()
    runtime.pool.records.listeners.clear()
    runtime.pool.records.follow(counting.note)
    yield counting
    runtime.pool.records.forget(counting.note)


@pytest.fixture
def writer(runtime: Runtime, book: UsageBook) -> UsageWriter:
    """Return another process's writer on the same database."""
    return UsageWriter(runtime.database, book, days=400)


async def test_rows_and_vendors_logs_agree_with_failures_fallbacks_and_abandoned_streams(
    runtime: Runtime, book: UsageBook, line: InLine
) -> None:
    """Sums of one process: calls for who answered, attempts and requests for who was asked."""
    records: list[CallRecord] = []
    runtime.pool.records.follow(records.append)
    await ask()
    await ask(stream=True)
    line.first.faults.set(Fault(status=500))
    await ask()
    line.second.faults.set(Fault(status=500))
    line.third.faults.set(Fault(status=500))
    with pytest.raises(ModelCallError):
        await ask()
    line.first.faults.set(Fault(event_delay=0.2))
    await leave(runtime)
    entries = book.entries.items()
    sums = {name: [e.sums for w, e in entries if w.connection == name] for name in line.all}
    assert {n: sum(s.sent for s in some) for n, some in sums.items()} == line.asked
    assert sum(s.calls for some in sums.values() for s in some) == len(records) == 5
    first = sums["first"]
    assert sum(s.calls for s in first) == 4
    assert sum(s.failed for s in first) == sum(s.abandoned for s in first) == 1
    assert sum(s.failed_attempts for s in first) == 2  # the caller who left is none
    counted = [r.usage.prompt_tokens for r in records if r.usage is not None]
    assert sum(s.prompt_tokens for some in sums.values() for s in some) == sum(counted)


async def test_a_fallbacks_stream_that_its_caller_leaves_is_the_fallbacks_call(
    runtime: Runtime, book: UsageBook, line: InLine
) -> None:
    """Whoever was asked first failed an attempt, and has no call."""
    line.first.faults.set(Fault(status=500))
    line.second.faults.set(Fault(event_delay=0.2))
    await leave(runtime)
    sums = {way.connection: entry.sums for way, entry in book.entries.items()}
    assert (sums["first"].calls, sums["first"].failed_attempts) == (0, 1)
    assert (sums["second"].calls, sums["second"].abandoned, sums["second"].failed_attempts) == (
        1,
        1,
        0,
    )


async def test_a_call_that_a_budget_refuses_is_no_failure_of_its_connection(
    runtime: Runtime, book: UsageBook, line: InLine
) -> None:
    """It failed, but the connection was never asked."""
    limit = {"scope": "connection:first", "per": "day", "tokens": 1, "hard": True}
    change = set_budgets(BudgetsRequest.model_validate({"limits": [limit]}))
    await runtime.admin.change(change, actor="alice")
    with pytest.raises(BudgetExceeded):
        await ask()
    [sums] = [entry.sums for entry in book.entries.values()]
    assert (sums.calls, sums.failed, sums.failed_attempts, sums.sent) == (1, 1, 0, 0)
    assert line.asked == {}


async def test_what_is_written_is_what_was_counted(
    runtime: Runtime, book: UsageBook, writer: UsageWriter
) -> None:
    """By the names that the call has."""
    del book
    with acting_for(WHO):
        await ask()
    await writer.write()
    [one] = (await lines(runtime.database, "caller")).values()
    assert (one.key, one.calls, one.failed, one.requests) == ("soc-lead", 1, 0, 1)
    assert one.prompt_tokens
    assert one.cost is None  # a gateway's model has no price
    assert one.unpriced == 1


async def test_written_again_nothing_counts_twice(
    runtime: Runtime, book: UsageBook, writer: UsageWriter
) -> None:
    """So it is when the answer to a commit was lost."""
    await ask()
    await writer.write()
    book.unwritten = set(book.entries)
    await writer.write()
    assert (await lines(runtime.database))["first"].calls == 1


async def test_while_the_database_is_away_sums_wait(
    runtime: Runtime, book: UsageBook, tmp_path: Path
) -> None:
    """They are written once it is back."""
    await ask()
    (tmp_path / "nothing").write_text("no folder")
    nowhere = Database(f"sqlite:///{tmp_path}/nothing/here.db")
    with pytest.raises(DatabaseUnavailable):
        await UsageWriter(nowhere, book, days=400).write()
    await nowhere.close()
    await UsageWriter(runtime.database, book, days=400).write()
    assert (await lines(runtime.database))["first"].calls == 1


async def record_of_one_call(runtime: Runtime) -> CallRecord:
    """Make a call, and return its record."""
    records: list[CallRecord] = []
    runtime.pool.records.follow(records.append)
    await ask()
    runtime.pool.records.forget(records.append)
    return records[0]


async def stored_rows(runtime: Runtime) -> int:
    """Return how many rows are stored."""
    async with runtime.database.reading() as session:
        return int(await session.scalar(text("SELECT count(*) FROM llm_usage")) or 0)


async def test_hours_older_than_they_are_kept_are_deleted(
    runtime: Runtime, book: UsageBook, writer: UsageWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are; others stay."""
    monkeypatch.setattr(usage_writer, "_PRUNED_AT_ONCE", 2)
    record = await record_of_one_call(runtime)
    for hour in range(5):
        book.note(replace(record, at_us=record.at_us - 401 * DAY_US - hour * HOUR_US))
    await writer.write()
    assert await stored_rows(runtime) == 6
    await writer.prune()
    assert await stored_rows(runtime) == 1


async def test_a_clock_that_is_ahead_deletes_nothing(
    runtime: Runtime, book: UsageBook, writer: UsageWriter
) -> None:
    """The process's own: the database's is the earlier one."""
    del book
    await ask()
    await writer.write()
    later = now_us() + 500 * DAY_US
    await UsageWriter(runtime.database, UsageBook(), 400, clock=lambda: later).prune()
    assert await stored_rows(runtime) == 1


async def test_nothing_is_deleted_while_nothing_new_was_counted(
    runtime: Runtime, book: UsageBook, writer: UsageWriter
) -> None:
    """All clocks may be wrong; a new row shows that they aren't."""
    record = await record_of_one_call(runtime)
    book.taken()
    book.entries.clear()
    book.note(replace(record, at_us=record.at_us - 401 * DAY_US))
    await writer.write()
    await writer.prune()
    assert await stored_rows(runtime) == 1
    await ask()
    await writer.write()
    await writer.prune()
    assert await stored_rows(runtime) == 1
    assert (await lines(runtime.database))["first"].calls == 1


async def test_sums_that_wait_are_bounded(
    runtime: Runtime,
    book: UsageBook,
    writer: UsageWriter,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever names calls bring; the log says what wasn't counted."""
    monkeypatch.setattr(usage_book, "MOST_ENTRIES", 50)
    record = await record_of_one_call(runtime)
    book.taken()
    book.entries.clear()
    for number in range(60):
        book.note(replace(record, model=f"m-{number}", sent={}))
    assert (len(book.entries), book.lost) == (50, 10)
    await writer.write()
    assert book.lost == 0
    assert "usage was lost" in caplog.text


async def test_the_writer_outlives_what_nobody_expected_of_a_database(
    runtime: Runtime, book: UsageBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes once that is over."""
    await ask()
    refusals = iter([OverflowError, RuntimeError, DatabaseUnavailable])
    written, refused = asyncio.Event(), Database.transaction

    def transaction(database: Database, **options: bool) -> Any:  # noqa: ANN401 - a context manager
        if (error := next(refusals, None)) is not None:
            raise error
        written.set()
        return refused(database, **options)

    monkeypatch.setattr(usage_writer, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(Database, "transaction", transaction)
    writer = UsageWriter(runtime.database, book, 400)
    writer.start()
    await asyncio.wait_for(written.wait(), 60)
    await writer.close()
    assert (await lines(runtime.database))["first"].calls == 1


async def test_callers_without_number_are_counted_as_one(runtime: Runtime, book: UsageBook) -> None:
    """A token may name any subject: memory and rows stay bounded, and no call is lost."""
    records: list[CallRecord] = []
    runtime.pool.records.follow(records.append)
    await ask()
    fields = {n: getattr(records[0], n) for n in records[0].__slots__}
    for number in range(MOST_WAYS + 10):
        book.note(CallRecord(**{**fields, "acting": Acting(f"soc-{number}")}))
    assert len(book.entries) <= MOST_WAYS + 1
    others = [entry.sums for way, entry in book.entries.items() if way.subject == OTHERS]
    assert sum(entry.sums.calls for entry in book.entries.values()) == MOST_WAYS + 11
    assert [sums.calls for sums in others] == [11]


async def test_a_time_too_far_from_another_is_refused(runtime: Runtime) -> None:
    """An answer stays bounded."""
    with pytest.raises(InvalidInput, match="1000 hours"):
        await lines_between(runtime.database, 0, now_us(), "model", "hour")
    with pytest.raises(InvalidInput, match="earlier"):
        await lines_between(runtime.database, now_us(), 5, "model", "hour")
