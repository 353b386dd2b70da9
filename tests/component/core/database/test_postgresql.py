"""What only PostgreSQL has: a server that restarts, locks that wait, settings of a connection."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from aurorasoc.core.database.engine import Database, engine_options
from aurorasoc.core.database.tables import RuntimeConfigRow
from aurorasoc.errors import DatabaseUnavailable
from tests.world.databases import DATABASES, POSTGRESQL, Stored, shared_postgresql
from tests.world.postgresql import PostgreSQL


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    """Yield a migrated PostgreSQL database."""
    with DATABASES.of_kind(POSTGRESQL):
        yield DATABASES.migrated(tmp_path)


async def _write(database: Database) -> None:
    async with database.transaction() as session:
        session.add(RuntimeConfigRow(id=1, revision=0))


async def test_server_that_was_restarted_costs_no_request() -> None:
    """Connections that broke meanwhile are noticed before they are used."""
    with PostgreSQL() as server:
        database = Database(server.url())
        assert await database.schema_revision() is None
        server.terminate()
        server.start()
        async with database.reading() as session:
            assert await session.scalar(text("SELECT 1")) == 1
        await database.close()


async def test_writer_that_hangs_elsewhere_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, stored: Stored
) -> None:
    """It is given up as with SQLite, and nothing was written."""
    monkeypatch.setattr("aurorasoc.core.database.engine._LOCK_TIMEOUT", "50ms")
    database = Database(stored.url)
    with stored.held_up(), pytest.raises(DatabaseUnavailable):
        await _write(database)
    await _write(database)
    await database.close()


async def test_server_is_asked_in_utf8_and_prepares_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the environment says; and a pooler may lead each transaction elsewhere."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    database = Database(shared_postgresql().create())
    async with database.reading() as session:
        for _ in range(10):
            assert await session.scalar(text("SHOW client_encoding")) == "UTF8"
        assert await session.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0
    await database.close()


async def test_what_the_address_says_of_the_connection_wins() -> None:
    """An operator may know the network better."""
    url = f"{shared_postgresql().create()}?application_name=soc&keepalives_idle=77"
    assert engine_options(url)["connect_args"].get("keepalives_idle") is None
    database = Database(url)
    async with database.reading() as session:
        assert await session.scalar(text("SHOW application_name")) == "soc"
    await database.close()


async def test_one_statement_is_spared_a_transaction(stored: Stored) -> None:
    """What begins and ends one is two trips; the next reader has its transaction all the same."""
    database = Database(stored.url)
    for once, transactions in ((True, 2), (False, 1)):
        async with database.reading(once=once) as session:
            began = {await session.scalar(text("SELECT now()")) for _ in range(2)}
        assert len(began) == transactions
    await database.close()
