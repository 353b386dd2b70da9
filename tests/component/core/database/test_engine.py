"""The database: one writer at a time, all or nothing, and an absence that says nothing."""

import asyncio
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from aurorasoc.core.database.engine import SCHEMA_HEAD, Database, after_commit
from aurorasoc.core.database.tables import RuntimeConfigRow
from aurorasoc.errors import DatabaseUnavailable
from tests.examples import API_KEY
from tests.world.databases import ON_BOTH, Stored

CANARY: Final = "CANARY-9d41f7"

pytestmark = ON_BOTH

COUNTING_PROCESS: Final = """
import asyncio, sys
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import RuntimeConfigRow

async def count() -> None:
    database = Database(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(sys.argv[2])):
        async with database.transaction() as session:
            row = await session.get(RuntimeConfigRow, 1)
            await asyncio.sleep(0)
            row.revision += 1
    await database.close()

asyncio.run(count())
"""


@pytest.fixture(autouse=True)
async def _no_worker_is_left() -> AsyncIterator[None]:
    """Wait for the threads of connections that failed; one that stays behind is a leak."""
    yield
    workers = [t for t in threading.enumerate() if "_connection_worker" in t.name]
    for worker in workers:
        await asyncio.to_thread(worker.join, 20)
    assert not any(worker.is_alive() for worker in workers)


class Unwilling(Exception):
    """Raised to leave a transaction."""


async def _start_counting(database: Database) -> None:
    async with database.transaction() as session:
        session.add(RuntimeConfigRow(id=1, revision=0))


async def _count(database: Database) -> None:
    """Read, let others run, and write what was read plus one."""
    async with database.transaction() as session:
        row = await session.get(RuntimeConfigRow, 1)
        assert row is not None
        await asyncio.sleep(0)
        row.revision += 1


async def _counted(database: Database) -> int | None:
    async with database.reading() as session:
        return await session.scalar(select(RuntimeConfigRow.revision))


async def test_transaction_commits_when_it_ends(database: Database) -> None:
    """Services never commit; the boundary does."""
    await _start_counting(database)
    await _count(database)
    assert await _counted(database) == 1


async def test_concurrent_tasks_lose_no_update(database: Database) -> None:
    """Each reads what the one before it committed."""
    await _start_counting(database)
    await asyncio.gather(*(_count(database) for _ in range(50)))
    assert await _counted(database) == 50


async def test_two_engines_lose_no_update(database: Database, stored: Stored) -> None:
    """The lock is the database's, not the process's."""
    other = Database(stored.url)
    await _start_counting(database)
    await asyncio.gather(*(_count(each) for each in (database, other) for _ in range(25)))
    await other.close()
    assert await _counted(database) == 50


async def test_two_processes_lose_no_update(database: Database, stored: Stored) -> None:
    """Two processes and this one, all at once."""
    await _start_counting(database)
    arguments = [sys.executable, "-c", COUNTING_PROCESS, stored.url, "40"]
    processes = [
        await asyncio.create_subprocess_exec(
            *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    outcomes = [asyncio.create_task(process.communicate(b"go\n")) for process in processes]
    for _ in range(40):
        await _count(database)
    await asyncio.gather(*outcomes)
    assert [process.returncode for process in processes] == [0, 0]
    assert await _counted(database) == 120


async def test_failure_inside_a_transaction_rolls_all_of_it_back(database: Database) -> None:
    """What was flushed before the failure, too."""
    await _start_counting(database)

    async def fail() -> None:
        async with database.transaction() as session:
            row = await session.get(RuntimeConfigRow, 1)
            assert row is not None
            row.revision = 7
            await session.flush()
            raise Unwilling

    with pytest.raises(Unwilling):
        await fail()
    assert await _counted(database) == 0


async def test_next_writer_goes_on_after_a_failure(database: Database) -> None:
    """The lock is given back, and the connection is clean."""
    await _start_counting(database)
    for _ in range(8):
        with pytest.raises(DatabaseUnavailable):
            await _violate(database)
    await _count(database)
    assert await _counted(database) == 1


async def _violate(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(
            text("INSERT INTO llm_runtime_config (id, revision) VALUES (1, :canary)"),
            {"canary": CANARY},
        )


async def test_cancelled_transaction_commits_nothing(database: Database) -> None:
    """A client that goes away leaves no half of a change."""
    await _start_counting(database)
    flushed = asyncio.Event()

    async def stall() -> None:
        async with database.transaction() as session:
            row = await session.get(RuntimeConfigRow, 1)
            assert row is not None
            row.revision = 7
            await session.flush()
            flushed.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stall())
    await flushed.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _count(database)
    assert await _counted(database) == 1


async def test_reader_sees_one_state(database: Database) -> None:
    """What is committed meanwhile isn't seen half."""
    await _start_counting(database)
    async with database.reading() as session:
        first = await session.scalar(select(RuntimeConfigRow.revision))
        await _count(database)
        again = await session.scalar(select(RuntimeConfigRow.revision))
    assert (first, again) == (0, 0)
    assert await _counted(database) == 1


async def test_reader_does_not_wait_for_a_writer(database: Database) -> None:
    """A change under way stops nobody from reading what was."""
    await _start_counting(database)
    async with database.transaction() as session:
        row = await session.get(RuntimeConfigRow, 1)
        assert row is not None
        row.revision = 7
        await session.flush()
        assert await _counted(database) == 0


async def test_callback_runs_once_after_the_commit(database: Database) -> None:
    """When it runs, others can see what was committed."""
    await _start_counting(database)
    ran: list[str] = []
    async with database.transaction() as session:
        after_commit(session, lambda: ran.append("first"))
        after_commit(session, lambda: ran.append("second"))
        assert ran == []
    assert ran == ["first", "second"]


async def test_callback_never_runs_without_a_commit(database: Database) -> None:
    """Neither after a failure nor with the next transaction."""
    ran: list[str] = []

    async def fail() -> None:
        async with database.transaction() as session:
            after_commit(session, lambda: ran.append("no"))
            raise Unwilling

    with pytest.raises(Unwilling):
        await fail()
    await _start_counting(database)
    assert ran == []


UNAVAILABLE: Final = [
    f"postgresql://admin:{CANARY}@127.0.0.1:1/aurora",
    f"sqlite:////dev/null/{CANARY}/aurora.db",
]


@pytest.mark.parametrize("url", UNAVAILABLE)
@pytest.mark.parametrize("use", ["reading", "transaction", "schema_revision"])
async def test_unavailable_database_says_so_without_its_address(url: str, use: str) -> None:
    """Neither message, causes nor traceback hold the URL or its password."""
    database = Database(url)

    async def try_it() -> None:
        if use == "schema_revision":
            await database.schema_revision()
            return
        async with getattr(database, use)() as session:
            await session.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable) as refusal:
        await try_it()
    assert CANARY not in "".join(traceback.format_exception(refusal.value))
    await database.close()


async def test_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """And is left as it is."""
    file = tmp_path / "aurora.db"
    file.write_text(CANARY * 100)
    database = Database(f"sqlite:///{file}")
    with pytest.raises(DatabaseUnavailable):
        await _start_counting(database)
    await database.close()
    assert file.read_text() == CANARY * 100


async def test_failing_statement_shows_no_parameter(database: Database) -> None:
    """Keys and texts are bound; SQLAlchemy would print them in its errors."""
    with pytest.raises(DatabaseUnavailable) as refusal:
        await _violate_shown(database)
    assert CANARY not in "".join(traceback.format_exception(refusal.value))


async def _violate_shown(database: Database) -> None:
    async with database.transaction() as session:
        with pytest.raises(SQLAlchemyError) as shown:
            await session.execute(text("INSERT INTO nowhere VALUES (:key)"), {"key": API_KEY})
        assert API_KEY not in str(shown.value)
        assert API_KEY not in repr(shown.value)
        await session.execute(text("INSERT INTO nowhere VALUES (:key)"), {"key": CANARY})


async def test_migrated_database_knows_its_revision(database: Database) -> None:
    """What `serve` compares before it starts."""
    assert await database.schema_revision() == SCHEMA_HEAD


async def test_fresh_database_has_no_revision(tmp_path: Path) -> None:
    """Not even a folder; still it is an answer, and names `aurorasoc migrate`."""
    database = Database(f"sqlite:///{tmp_path}/new/aurora.db")
    assert await database.schema_revision() is None
    await database.close()


async def test_files_that_sqlite_creates_are_its_owners_alone(tmp_path: Path) -> None:
    """The database, its write-ahead log and its index, before any migration too."""
    database = Database(f"sqlite:///{tmp_path}/new/aurora.db")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (x)"))
        await session.flush()
        modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in (tmp_path / "new").iterdir()}
    await database.close()
    assert modes == {"aurora.db": 0o600, "aurora.db-wal": 0o600, "aurora.db-shm": 0o600}
