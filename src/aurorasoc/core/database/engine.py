"""Engine, session, transaction. Services never commit; the boundary in this file does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from aurorasoc.core.clock import now_us
from aurorasoc.core.database.traces import has_erased_key, truncate_log
from aurorasoc.errors import DatabaseUnavailable

if TYPE_CHECKING:
    import aiosqlite
    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection

SCHEMA_HEAD: Final = "033"
"""The newest migration; a test compares it with the migrations' own head."""

WRITER_LOCK: Final = "LOCK TABLE llm_runtime_config IN SHARE ROW EXCLUSIVE MODE"
"""The lock of all our writers on PostgreSQL. It excludes itself and no reader.

A role needs a grant on the table to take it; any role that can connect can hold an advisory lock.
"""
_PRAGMAS: Final = (
    "busy_timeout=20000",  # milliseconds
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",  # a deleted key's ciphertext is overwritten in the file
)
LIBPQ: Final = {
    "client_encoding": "utf8",  # whatever PGCLIENTENCODING says
    "connect_timeout": 10,  # seconds
    # A peer that is gone is noticed within seconds, not after TCP's quarter of an hour.
    "keepalives_idle": 5,  # seconds
    "keepalives_interval": 2,  # seconds
    "keepalives_count": 2,
    "tcp_user_timeout": 9000,  # milliseconds
}
"""https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-PARAMKEYWORDS"""
FEED_CHANNEL: Final = "aurorasoc_llm"
_LOCK_TIMEOUT: Final = "20s"  # as SQLite's busy_timeout
_AFTER_COMMIT: Final = "aurorasoc.after_commit"


class Database:
    """One database, used through `reading()` and `transaction()`.

    Args:
        url: `sqlite:///path` or `postgresql://…`, as configured.
    """

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        options = engine_options(url)
        if self.is_sqlite:
            options["connect_args"] = {"async_creator_fn": _open_sqlite}
        self._engine = create_async_engine(_async_url(url), **options)
        self._writer = asyncio.Lock()
        self._has_traces = False
        if self.is_sqlite:
            with suppress(OSError):  # the first use will say that the database doesn't answer
                create_sqlite_file(url)
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)
            event.listen(self._engine.sync_engine, "invalidate", _roll_back_sqlite)

    @asynccontextmanager
    async def reading(self, *, once: bool = False) -> AsyncIterator[AsyncSession]:
        """Give a session that sees one consistent state and writes nothing.

        Args:
            once: For one statement, which sees one state by itself: on PostgreSQL it is spared
                the two trips that begin and end a transaction.

        Raises:
            DatabaseUnavailable: The database doesn't answer.
        """
        alone = once and not self.is_sqlite
        engine = self._engine.execution_options(**_ALONE) if alone else self._engine
        async with _as_unavailable(), AsyncSession(engine) as session:
            yield session

    @asynccontextmanager
    async def transaction(self, *, ordered: bool = True) -> AsyncIterator[AsyncSession]:
        """Give the one writing session: all of it is committed, or nothing.

        Writers are serialised, across processes too: the audit chain's head and the revision
        are read under this lock (docs/decisions/025).

        Args:
            ordered: False for rows that are this process's alone: hundreds of processes that
                report themselves must not hold up a change. SQLite has one writer all the same.

        Raises:
            DatabaseUnavailable: The database doesn't answer; nothing was committed.
        """
        lock = self._writer if ordered or self.is_sqlite else nullcontext()
        async with _as_unavailable(), lock, self._engine.connect() as connection:
            await connection.execution_options(**_WRITING[self._engine.dialect.name])
            async with AsyncSession(connection, expire_on_commit=False) as session:
                if ordered and not self.is_sqlite:
                    await _lock_writers(session)
                yield session
                await session.commit()
            for callback in session.info.get(_AFTER_COMMIT, ()):
                callback()
            if self.is_sqlite and (self._has_traces or has_erased_key(session)):
                self._has_traces = not await truncate_log(self._engine)

    async def clock(self, session: AsyncSession) -> int:
        """Give the time in microseconds by the clock that all processes share.

        Hosts' clocks differ: with PostgreSQL it is the server's. SQLite's processes are on one
        machine.
        """
        if self.is_sqlite:
            return now_us()
        now = await session.scalar(text("SELECT extract(epoch FROM clock_timestamp()) * 1000000"))
        return int(now)

    async def schema_revision(self) -> str | None:
        """Which migration the database is at; None for a database without ours.

        Raises:
            DatabaseUnavailable: The database doesn't answer.
        """
        try:
            async with self._engine.connect() as connection:
                found = await connection.execute(
                    text("SELECT version_num FROM aurorasoc_alembic_version")
                )
                return found.scalar()
        except DBAPIError as error:
            if _is_connection_failure(error):
                raise DatabaseUnavailable from None
            return None

    async def close(self) -> None:
        """Give all connections back."""
        await self._engine.dispose()


def engine_options(url: str) -> dict[str, Any]:
    """Give what an engine for this database is made with; the URL's own parameters win.

    A reader on PostgreSQL sees one state throughout, as SQLite's readers do anyway.
    """
    options: dict[str, Any] = {"hide_parameters": True}
    if url.startswith("postgresql"):
        own = make_url(url).query
        arguments = {name: value for name, value in LIBPQ.items() if name not in own}
        # A pooler may lead the next transaction to a server that never saw what was prepared.
        options["connect_args"] = {"prepare_threshold": None, **arguments}
        options["isolation_level"] = "REPEATABLE READ"
        options["pool_pre_ping"] = True  # a restart of the server costs no request
    return options


def create_sqlite_file(url: str) -> None:
    """Create a missing SQLite file for its owner only; SQLite would let others read it.

    Raises:
        OSError: It can't be created.
    """
    path = sqlite_file(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))


def sqlite_file(url: str) -> Path | None:
    """Give the file that a URL names; None for another database."""
    if not url.startswith("sqlite:///"):
        return None
    return Path(url.removeprefix("sqlite:///").partition("?")[0])


def after_commit(session: AsyncSession, callback: Callable[[], None]) -> None:
    """Run a callback once the session's transaction is committed; never if it isn't."""
    session.info.setdefault(_AFTER_COMMIT, []).append(callback)


async def announce_revision(session: AsyncSession, revision: int) -> None:
    """Announce a revision to PostgreSQL's listeners once the session's transaction is committed.

    A SQLite file is watched instead.
    """
    if session.get_bind().dialect.name == "postgresql":
        values = {"channel": FEED_CHANNEL, "revision": str(revision)}
        await session.execute(text("SELECT pg_notify(:channel, :revision)"), values)


_WRITING: Final[dict[str, dict[str, Any]]] = {
    "sqlite": {"aurorasoc_writer": True},
    # What is read after the lock must be what the writer before committed.
    "postgresql": {"isolation_level": "READ COMMITTED"},
}


_ALONE: Final[dict[str, Any]] = {"isolation_level": "AUTOCOMMIT"}


async def _lock_writers(session: AsyncSession) -> None:
    """Wait for the writer that is at work, in whatever process, but not for one that hangs."""
    await session.execute(
        text("SELECT set_config('lock_timeout', :timeout, true)"), {"timeout": _LOCK_TIMEOUT}
    )
    await session.execute(text(WRITER_LOCK))


@asynccontextmanager
async def _as_unavailable() -> AsyncIterator[None]:
    """Turn what the driver raises into our own error; its text may hold an address."""
    try:
        yield
    except SQLAlchemyError:
        failed = True
    else:
        failed = False
    if failed:
        raise DatabaseUnavailable


def _is_connection_failure(error: DBAPIError) -> bool:
    text_ = str(error.orig).lower()
    return "no such table" not in text_ and "does not exist" not in text_


def _async_url(url: str) -> str:
    scheme, rest = url.split(":", 1)
    return f"{'sqlite+aiosqlite' if scheme == 'sqlite' else 'postgresql+psycopg'}:{rest}"


async def _open_sqlite(*args: Any, **options: Any) -> aiosqlite.Connection:
    """Open a connection; where that fails, its thread ends first: later it would miss the loop."""
    import aiosqlite  # noqa: PLC0415 - the engine of a SQLite file has imported it

    connection = aiosqlite.connect(*args, **options)
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does where it opens one
    try:
        return await connection
    except BaseException:
        await asyncio.to_thread(connection._thread.join)  # noqa: SLF001 - there is no other way to know
        raise


def _prepare_sqlite(connection: DBAPIConnection, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    connection.isolation_level = None  # SQLAlchemy's BEGIN is then the only one
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
    except Exception:
        connection.close()  # the pool doesn't know it yet, and would leave its thread behind
        raise
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get("aurorasoc_writer")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def _roll_back_sqlite(connection: DBAPIConnection, _record: Any, _error: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Roll back before a cancelled connection is closed.

    Closed within its transaction it keeps the write lock for as long as one of its cursors lives,
    in a traceback for instance (https://www.sqlite.org/c3ref/close.html). That it is cancelled
    once more is no matter: the driver's thread has the rollback in its queue by then.
    """
    with suppress(asyncio.CancelledError):
        connection.rollback()
