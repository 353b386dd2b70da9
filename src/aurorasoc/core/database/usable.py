"""Whether a database can be used as it is: reachable, migrated, and with the rights it takes."""

from __future__ import annotations

from aurorasoc.core.database.engine import SCHEMA_HEAD, Database
from aurorasoc.core.database.reach import why_unreachable
from aurorasoc.core.database.rights import require_rights
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import ConfigurationError, DatabaseUnavailable

log = get_logger("aurorasoc.runtime")


async def require_usable(database: Database, *, reachable: bool = False) -> None:
    """Refuse a database at another migration, or in which this process's role lacks rights.

    Args:
        database: Whose connections are tried.
        reachable: Refuse one that can't be reached, too; otherwise the log says why, and this
            process waits for it.

    Raises:
        ConfigurationError: It can't be used; the message says what to do.
        DatabaseUnavailable: It can't be reached, and has to be.
    """
    failure = await database.failure_to_connect()
    if failure is not None:
        why = why_unreachable(failure)
        if reachable:
            raise DatabaseUnavailable(why)
        log.warning("the database doesn't answer yet", why=why)
        return
    try:
        await require_rights(database)
        await require_migrated(database)
    except DatabaseUnavailable:
        log.warning("the database doesn't answer any more")


async def require_migrated(database: Database) -> None:
    """Refuse a database at another migration.

    Raises:
        ConfigurationError: It isn't at the newest migration.
        DatabaseUnavailable: The database doesn't answer.
    """
    revision = await database.schema_revision()
    if revision != SCHEMA_HEAD:
        detail = (
            f"The database is at migration {revision or 'none'} and this version needs "
            f"{SCHEMA_HEAD}. Run `aurorasoc migrate`."
        )
        raise ConfigurationError(detail)
