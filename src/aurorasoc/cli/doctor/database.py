"""The database: whether it answers, what its role may do, and its migration."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aurorasoc.cli.doctor.finding import Finding, good, wrong
from aurorasoc.core.database.engine import SCHEMA_HEAD, Database, sqlite_file
from aurorasoc.core.database.reach import why_unreachable
from aurorasoc.core.database.rights import lack_in_words, missing_rights
from aurorasoc.core.database.usable import require_migrated
from aurorasoc.errors import ConfigurationError


async def database_findings(url: str) -> AsyncIterator[Finding]:
    """Check a database, up to what keeps it from being checked further.

    Raises:
        DatabaseUnavailable: It went away meanwhile.
    """
    file = sqlite_file(url)
    if file is not None and not file.exists():
        yield wrong("database", f"{file} isn't there yet", "Run `aurorasoc migrate`.")
        return
    database = Database(url)
    try:
        for check in (reach, rights, migration):
            finding = await check(database)
            yield finding
            if not finding.healthy:
                return
    finally:
        await database.close()


async def reach(database: Database) -> Finding:
    """Check that a connection can be opened."""
    failure = await database.failure_to_connect()
    if failure is not None:
        return wrong("database", "can't be reached", why_unreachable(failure))
    return good("database", f"{'SQLite' if database.is_sqlite else 'PostgreSQL'} answers")


async def rights(database: Database) -> Finding:
    """Check what the role may do with the tables.

    Raises:
        DatabaseUnavailable: The database doesn't answer.
    """
    missing = await missing_rights(database)
    if missing:
        return wrong("rights", "missing", lack_in_words(missing))
    return good("rights", "the file's owner has all" if database.is_sqlite else "complete")


async def migration(database: Database) -> Finding:
    """Check that the tables are those of this version."""
    try:
        await require_migrated(database)
    except ConfigurationError as error:
        return wrong("migration", "of another version", error.detail)
    return good("migration", SCHEMA_HEAD)
