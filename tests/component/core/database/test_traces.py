"""A key that was deleted is in none of SQLite's files, not even sealed."""

import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import CredentialRow
from tests.world.databases import Stored, migrated_file


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """Return a migrated SQLite file."""
    file = tmp_path / "aurorasoc.db"
    file.write_bytes(migrated_file().read_bytes())
    return Stored(f"sqlite:///{file}")


def credential(token: str) -> CredentialRow:
    """Make the row of a sealed key."""
    return CredentialRow(
        connection="openai",
        origin="https://api.openai.com:443",
        token=token,
        key_id="0" * 16,
        operation_id="operation",
        set_by="alice",
        set_us=1,
    )


async def store(database: Database, token: str) -> None:
    """Store a sealed key, over the one that is there."""
    async with database.transaction() as session:
        await session.merge(credential(token))


async def remove(database: Database) -> None:
    """Delete it."""
    async with database.transaction() as session:
        row = await session.get(CredentialRow, "openai")
        assert row is not None
        await session.delete(row)


async def test_deleted_key_is_in_no_file(stored: Stored) -> None:
    """Neither in the database nor in its log, while the process still runs."""
    database, token = Database(stored.url), secrets.token_hex(150)
    await store(database, token)
    assert token.encode() in stored.stored_bytes()
    await remove(database)
    assert token.encode() not in stored.stored_bytes()
    await database.close()


async def test_replaced_key_is_in_no_file(stored: Stored) -> None:
    """The new one is stored over it; a longer one moves the row."""
    database, token = Database(stored.url), secrets.token_hex(100)
    await store(database, token)
    await store(database, secrets.token_hex(1000))
    assert token.encode() not in stored.stored_bytes()
    await database.close()


async def test_reader_at_work_only_defers_it(stored: Stored) -> None:
    """The delete is committed at once; the next write empties the log."""
    database, token = Database(stored.url), secrets.token_hex(150)
    await store(database, token)
    file = stored.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM llm_provider_credentials").fetchall()
        await remove(database)
    async with database.reading() as session:
        assert (await session.scalars(select(CredentialRow))).all() == []
    assert token.encode() in stored.stored_bytes()
    async with database.transaction():
        pass
    assert token.encode() not in stored.stored_bytes()
    await database.close()
