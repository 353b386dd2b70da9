"""Choose the source of this process's feed by the kind of its database."""

from __future__ import annotations

from aurorasoc.core.database.engine import sqlite_file
from aurorasoc.llm.fleet.feed import Source
from aurorasoc.llm.fleet.sqlite import DataVersion


def source_of(database_url: str, feed_url: str | None) -> Source:
    """Return the source for a database.

    Args:
        database_url: `sqlite:///path` or `postgresql://…`.
        feed_url: A direct connection, if `database_url` leads to a pooler of PostgreSQL.
    """
    file = sqlite_file(database_url)
    if file is not None:
        return DataVersion(file)
    from aurorasoc.llm.fleet.postgresql import Listener  # noqa: PLC0415 - psycopg costs 60 ms

    return Listener(feed_url or database_url)
