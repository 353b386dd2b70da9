"""Remove what a deleted or replaced key leaves in SQLite's files.

`secure_delete` overwrites the row in the database file. The write-ahead log still holds the page
as it was until it is checkpointed and truncated (https://www.sqlite.org/wal.html#ckpt).
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import object_session

from aurorasoc.core.database.tables import CredentialRow
from aurorasoc.core.logs import get_logger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

_ERASED: Final = "aurorasoc.erased_key"
_CHECKPOINT_TIMEOUT: Final = 1_000  # milliseconds
_WRITER_TIMEOUT: Final = 20_000  # milliseconds

log = get_logger("aurorasoc.database")


def has_erased_key(session: AsyncSession) -> bool:
    """Return whether the session deleted or replaced a stored key."""
    return bool(session.info.get(_ERASED))


async def truncate_log(engine: AsyncEngine) -> bool:
    """Move the write-ahead log into SQLite's file and empty it.

    Returns:
        Whether it succeeded. An active reader can prevent it; try again later.
    """
    try:
        async with engine.connect() as connection:
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.execute(f"PRAGMA busy_timeout={_CHECKPOINT_TIMEOUT}")
            try:
                (row,) = await raw.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                await raw.execute(f"PRAGMA busy_timeout={_WRITER_TIMEOUT}")
            done = bool(row[0] == 0)
    except (SQLAlchemyError, sqlite3.Error):
        done = False
    if not done:
        log.warning("a deleted key is still in SQLite's write-ahead log until the next write")
    return done


def _note(_mapper: Any, _connection: Any, row: CredentialRow) -> None:  # noqa: ANN401 - SQLAlchemy's
    session = object_session(row)
    if session is not None:
        session.info[_ERASED] = True


for _change in ("after_update", "after_delete"):
    event.listen(CredentialRow, _change, _note)
