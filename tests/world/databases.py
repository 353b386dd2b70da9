"""Which database a test's services run on, and what is in it, seen without the service.

Each state folder has one database: SQLite's file in it, or one of its own in a PostgreSQL that the
run starts at the first need. `AURORASOC_TEST_DATABASE=postgresql` chooses for a whole run; where
it isn't set, tests whose subject is the database (`ON_BOTH`) run on both, the rest on SQLite.
"""

import asyncio
import atexit
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql

from aurorasoc.core.database.engine import WRITER_LOCK
from aurorasoc.core.database.migrations import migrate
from tests.world.postgresql import PostgreSQL

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
CHOSEN: Final = os.environ.get("AURORASOC_TEST_DATABASE")
KINDS: Final = (CHOSEN,) if CHOSEN else (SQLITE, POSTGRESQL)
ON_BOTH: Final = pytest.mark.usefixtures("database_kind")

_RUNNING: Final = ExitStack()
atexit.register(_RUNNING.close)

_MIGRATING: Final = threading.Lock()
_MIGRATED: Final[set[str]] = set()

Row = tuple[Any, ...]


class Stored:
    """A database, read and written without the service."""

    def __init__(self, url: str) -> None:
        """Know its address, as `AURORA_DATABASE_URL` has it."""
        self.url = url
        self.kind = url.partition(":")[0]

    def rows(self, query: str) -> list[Row]:
        """Ask it, while others may be writing."""
        with closing(self._connect("ro")) as connection:
            rows: list[Row] = connection.execute(query).fetchall()
            return rows

    async def executed(self, *statements: str) -> None:
        """Run statements in one transaction, while this process's own writers go on."""
        await asyncio.to_thread(self.execute, *statements)

    def execute(self, *statements: str) -> None:
        """Run statements in one transaction; not in a loop, whose tasks may hold the lock."""
        if asyncio.events._get_running_loop() is not None:  # the public one raises
            pytest.fail("a loop runs here: await executed()")
        with closing(self._connect("rwc")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Hold the one writer's lock: whoever wants to write waits meanwhile."""
        lock = {
            SQLITE: "BEGIN IMMEDIATE",
            POSTGRESQL: WRITER_LOCK,
        }
        with closing(self._connect("rw")) as connection:
            connection.execute(lock[self.kind])
            yield
            connection.rollback()

    def tables(self) -> set[str]:
        """Name its tables."""
        query = {
            SQLITE: "SELECT name FROM sqlite_master WHERE type = 'table'",
            POSTGRESQL: "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        }
        return {str(name) for (name,) in self.rows(query[self.kind])}

    def columns(self, table: str) -> list[str]:
        """Name a table's columns, in order."""
        with closing(self._connect("ro")) as connection:
            cursor = connection.execute(f'SELECT * FROM "{table}" LIMIT 0')  # noqa: S608 - our own name
            return [str(column[0]) for column in cursor.description or ()]

    def dump(self) -> dict[str, list[Row]]:
        """Return every row of every table, sorted."""
        return {
            table: sorted(self.rows(f'SELECT * FROM "{table}"'), key=repr)  # noqa: S608 - its own names
            for table in self.tables()
        }

    def stored_bytes(self) -> bytes:
        """Return what is on the disk: SQLite's files, or PostgreSQL's rows as text."""
        if self.kind == POSTGRESQL:
            return repr(self.dump()).encode()
        return b"".join(file.read_bytes() for file in self.file.parent.glob("aurorasoc.db*"))

    def _connect(self, mode: str) -> Any:  # noqa: ANN401 - what both drivers' connections can do
        if self.kind == POSTGRESQL:
            return psycopg.connect(self.url)
        # A busy machine's processes may hold the writer's lock in turns for long.
        return sqlite3.connect(f"file:{self.file}?mode={mode}", uri=True, timeout=60)

    @property
    def file(self) -> Path:
        """SQLite's file."""
        return Path(self.url.removeprefix("sqlite:///"))


class Databases:
    """The database of each state folder, of the kind that is chosen at the time."""

    def __init__(self) -> None:
        """Begin with the run's choice."""
        self.kind = CHOSEN or SQLITE
        self._urls: dict[Path, str] = {}

    @contextmanager
    def of_kind(self, kind: str) -> Iterator[None]:
        """Choose a kind for a while."""
        before, self.kind = self.kind, kind
        try:
            yield
        finally:
            self.kind = before

    def url(self, state_dir: Path) -> str:
        """Return the address of a folder's database; a new one is empty."""
        if state_dir not in self._urls:
            self._urls[state_dir] = self._new(state_dir)
        return self._urls[state_dir]

    def _new(self, state_dir: Path, template: str = "template0") -> str:
        if self.kind == SQLITE:
            return f"sqlite:///{state_dir}/aurorasoc.db"
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # as SQLite's file would
        return shared_postgresql().create(template)

    def migrated(self, state_dir: Path) -> Stored:
        """Return a folder's database at the newest migration; a new one is copied, for speed."""
        if state_dir not in self._urls and self.kind == POSTGRESQL:
            self._urls[state_dir] = self._new(state_dir, _migrated_database())
        elif state_dir not in self._urls:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copy(migrated_file(), state_dir / "aurorasoc.db")
        return Stored(self.url(state_dir))

    def variables(self, state_dir: Path) -> dict[str, str]:
        """Return what leads a process there; nothing for SQLite, which is the service's default."""
        url = self.url(state_dir)
        return {} if url.startswith(SQLITE) else {"AURORA_DATABASE_URL": url}


DATABASES: Final = Databases()


@cache
def shared_postgresql() -> PostgreSQL:
    """Start the run's one PostgreSQL; it ends with the run."""
    return _RUNNING.enter_context(PostgreSQL())


@contextmanager
def role_without_rights(stored: Stored, role: str) -> Iterator[None]:
    """Let a role log in that nothing was granted to, for a while."""
    name = sql.Identifier(role)
    shared_postgresql().execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    try:
        yield
    finally:
        stored.execute(f'DROP OWNED BY "{role}"')
        shared_postgresql().execute(sql.SQL("DROP ROLE {}").format(name))


def as_role(stored: Stored, role: str) -> str:
    """Return a PostgreSQL database's address for a role."""
    return shared_postgresql().url(stored.url.rpartition("/")[2], user=role)


@cache
def _migrated_database() -> str:
    """Migrate a database to copy, and give its name; nobody stays connected to it."""
    url = shared_postgresql().create()
    migrate(url)
    return url.rpartition("/")[2]


def bring_to_head(stored: Stored) -> None:
    """Migrate a database, once; a SQLite file that isn't there yet is copied, for speed."""
    with _MIGRATING:  # Alembic works for one thread at a time
        if stored.url in _MIGRATED:
            return
        if stored.kind == POSTGRESQL or stored.file.exists():
            migrate(stored.url)
        else:
            stored.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copy(migrated_file(), stored.file)
        _MIGRATED.add(stored.url)


@cache
def migrated_file() -> Path:
    """Migrate a SQLite file to copy; it is never opened itself."""
    folder = _RUNNING.enter_context(tempfile.TemporaryDirectory(prefix="aurorasoc-migrated-"))
    file = Path(folder) / "aurorasoc.db"
    migrate(f"sqlite:///{file}")
    return file
