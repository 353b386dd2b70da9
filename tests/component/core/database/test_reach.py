"""Why a database can't be reached: each cause has a sentence of its own, which says what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg import sql

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.reach import why_unreachable
from aurorasoc.errors import DatabaseUnavailable
from tests.world.databases import shared_postgresql
from tests.world.loopback import LOOPBACK
from tests.world.postgresql import PostgreSQL
from tests.world.processes import free_port

SECRET: Final = "canary-5e8d"


async def sentence(url: str) -> str:
    """Fail to connect, and say why."""
    database = Database(url)
    try:
        failure = await database.failure_to_connect()
    finally:
        await database.close()
    assert failure is not None
    return why_unreachable(failure)


@pytest.fixture(scope="module")
def guarded() -> Iterator[PostgreSQL]:
    """Run a server that asks everyone but the superuser for a password."""
    rules = ["host all postgres 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256"]
    with PostgreSQL() as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            (file,) = connection.execute("SHOW hba_file").fetchone() or ("",)
            connection.execute(
                sql.SQL("COPY (SELECT unnest({}::text[])) TO {}").format(
                    sql.Literal(rules), sql.Literal(file)
                )
            )
            connection.execute(sql.SQL("CREATE ROLE soc LOGIN PASSWORD {}").format("right"))
            connection.execute("SELECT pg_reload_conf()")
        yield server


async def test_a_wrong_password_is_called_one(guarded: PostgreSQL) -> None:
    """Without repeating it."""
    url = guarded.url(user=f"soc:{SECRET}")
    said = await sentence(url)
    assert "refuses the user or the password" in said
    assert SECRET not in said
    assert await sentence(guarded.url(user="soc")) == said


async def test_a_wrong_database_is_called_one() -> None:
    """It isn't an empty database that waits for its migration."""
    url = shared_postgresql().url("nonesuch")
    assert "no database of the name" in await sentence(url)
    database = Database(url)
    with pytest.raises(DatabaseUnavailable):
        await database.schema_revision()
    await database.close()


async def test_a_port_where_nothing_listens_is_called_one() -> None:
    """So that nobody looks for a wrong password."""
    said = await sentence(f"postgresql://soc:{SECRET}@{LOOPBACK}:{free_port()}/aurorasoc")
    assert "Nothing listens" in said
    assert SECRET not in said


async def test_a_server_without_tls_is_called_one() -> None:
    """Where the address demands it."""
    assert "TLS" in await sentence(f"{shared_postgresql().url()}?sslmode=require")


async def test_a_file_that_is_no_database_is_called_one(tmp_path: Path) -> None:
    """It is left as it is."""
    file = tmp_path / "notes.txt"
    file.write_text("no database\n" * 100)
    assert "something else than a SQLite database" in await sentence(f"sqlite:///{file}")
    assert file.read_text() == "no database\n" * 100


async def test_a_folder_that_takes_no_file_is_called_one() -> None:
    """Such as one that can't be made."""
    assert "can't be opened or created" in await sentence("sqlite:////proc/nonesuch/a.db")


async def test_a_database_that_answers_has_no_failure(database: Database) -> None:
    """Then there is nothing to say."""
    assert await database.failure_to_connect() is None
