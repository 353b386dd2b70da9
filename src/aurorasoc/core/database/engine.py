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

SCHEMA_HEAD: Final = "045"
"""The newest migration; a test compares it with the migrations' own head."""

WRITER_LOCK: Final = "LOCK TABLE llm_runtime_config IN SHARE ROW EXCLUSIVE MODE"
"""The lock that serialises our writers on PostgreSQL; readers don't wait for it.

It needs a grant on the table. Any role that can connect could hold an advisory lock.
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
    # Detect a lost peer within seconds, not after TCP's quarter of an hour.
    "keepalives_idle": 5,  # seconds
    "keepalives_interval": 2,  # seconds
    "keepalives_count": 2,
    "tcp_user_timeout": 9000,  # milliseconds
}
"""https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-PARAMKEYWORDS"""
FEED_CHANNEL: Final = "aurorasoc_llm"
_LOCK_TIMEOUT: Final = "20s"  # as SQLite's busy_timeout
_UNDEFINED_TABLE: Final = "42P01"  # https://www.postgresql.org/docs/16/errcodes-appendix.html
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
            with suppress(OSError):  # the first use reports it
                create_sqlite_file(url)
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)
            event.listen(self._engine.sync_engine, "invalidate", _roll_back_sqlite)

    @asynccontextmanager
    async def reading(self, *, once: bool = False) -> AsyncIterator[AsyncSession]:
        """Yield a session that reads one consistent state and writes nothing.

        Args:
            once: For a single statement: on PostgreSQL this saves the two round trips that
                begin and end a transaction.

        Raises:
            DatabaseUnavailable: The database doesn't answer.
        """
        autocommit = once and not self.is_sqlite
        engine = self._engine.execution_options(**_AUTOCOMMIT) if autocommit else self._engine
        async with _as_unavailable(), AsyncSession(engine) as session:
            yield session

    @asynccontextmanager
    async def transaction(self, *, ordered: bool = True) -> AsyncIterator[AsyncSession]:
        """Yield the one writing session: commit all of it or nothing.

        Writers are serialised across processes: the audit chain's head and the revision are
        read under this lock (docs/decisions/025).

        Args:
            ordered: False for rows that only this process writes, so that hundreds of reporting
                processes don't delay a change. SQLite has one writer in any case.

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
        """Return microseconds from the clock that all processes share.

        Hosts' clocks differ, so PostgreSQL's own clock is used. SQLite's processes share one
        machine.
        """
        if self.is_sqlite:
            return now_us()
        now = await session.scalar(text("SELECT extract(epoch FROM clock_timestamp()) * 1000000"))
        return int(now)

    async def schema_revision(self) -> str | None:
        """Return the database's migration; None if it has none of ours.

        Raises:
            DatabaseUnavailable: The database doesn't answer.
        """
        try:
            async with self._engine.connect() as connection:
                result = await connection.execute(
                    text("SELECT version_num FROM aurorasoc_alembic_version")
                )
                return result.scalar()
        except DBAPIError as error:
            if not _is_no_such_table(error):
                raise DatabaseUnavailable from None
            return None

    async def failure_to_connect(self) -> BaseException | None:
        """Return the driver's own failure to connect; None if it connects.

        Its text may hold an address: it is for `reach.why_unreachable` only.
        """
        try:
            async with self._engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except DBAPIError as error:
            return error.orig
        except (SQLAlchemyError, OSError) as error:
            return error
        return None

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def engine_options(url: str) -> dict[str, Any]:
    """Return the options of an engine for this database; parameters in the URL win.

    A reader on PostgreSQL sees one consistent state, as SQLite's readers always do.
    """
    options: dict[str, Any] = {"hide_parameters": True}
    if url.startswith("postgresql"):
        in_url = make_url(url).query
        arguments = {name: value for name, value in LIBPQ.items() if name not in in_url}
        # A pooler may send the next transaction to a server without the prepared statement.
        options["connect_args"] = {"prepare_threshold": None, **arguments}
        options["isolation_level"] = "REPEATABLE READ"
        options["pool_pre_ping"] = True  # no request fails after a server restart
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
    """Return the file that a URL names, as SQLAlchemy reads it; None for another database."""
    if not url.startswith("sqlite:///"):
        return None
    return Path(make_url(url).database or "")


def after_commit(session: AsyncSession, callback: Callable[[], None]) -> None:
    """Run a callback once the session's transaction is committed; never if it isn't."""
    session.info.setdefault(_AFTER_COMMIT, []).append(callback)


async def announce_revision(session: AsyncSession, revision: int) -> None:
    """Announce a revision to PostgreSQL's listeners once the session's transaction is committed.

    SQLite needs no announcement: processes watch its file.
    """
    if session.get_bind().dialect.name == "postgresql":
        values = {"channel": FEED_CHANNEL, "revision": str(revision)}
        await session.execute(text("SELECT pg_notify(:channel, :revision)"), values)


_WRITING: Final[dict[str, dict[str, Any]]] = {
    "sqlite": {"aurorasoc_writer": True},
    # Reads after the lock must see what the previous writer committed.
    "postgresql": {"isolation_level": "READ COMMITTED"},
}


_AUTOCOMMIT: Final[dict[str, Any]] = {"isolation_level": "AUTOCOMMIT"}


async def _lock_writers(session: AsyncSession) -> None:
    """Wait for the current writer of any process, but not for one that hangs."""
    await session.execute(
        text("SELECT set_config('lock_timeout', :timeout, true)"), {"timeout": _LOCK_TIMEOUT}
    )
    await session.execute(text(WRITER_LOCK))


@asynccontextmanager
async def _as_unavailable() -> AsyncIterator[None]:
    """Replace the driver's error with ours: its text may contain an address."""
    try:
        yield
    except SQLAlchemyError:
        failed = True
    else:
        failed = False
    if failed:
        raise DatabaseUnavailable


def _is_no_such_table(error: DBAPIError) -> bool:
    """Return whether a query failed on a table that isn't there; a database may be missing, too."""
    state = getattr(error.orig, "sqlstate", None)
    return state == _UNDEFINED_TABLE or "no such table" in str(error.orig)


def _async_url(url: str) -> str:
    scheme, rest = url.split(":", 1)
    return f"{'sqlite+aiosqlite' if scheme == 'sqlite' else 'postgresql+psycopg'}:{rest}"


async def _open_sqlite(*args: Any, **options: Any) -> aiosqlite.Connection:
    """Open a connection; on failure, end its thread while the event loop still runs."""
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
        connection.close()  # the pool doesn't know it yet and would leak its thread
        raise
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get("aurorasoc_writer")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def _roll_back_sqlite(connection: DBAPIConnection, _record: Any, _error: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Roll back before a cancelled connection is closed.

    A connection closed inside a transaction keeps the write lock while one of its cursors lives,
    for instance in a traceback (https://www.sqlite.org/c3ref/close.html). Another cancellation
    does no harm: the driver's thread has already queued the rollback.
    """
    with suppress(asyncio.CancelledError):
        connection.rollback()
