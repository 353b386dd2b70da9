"""Which source this process hears of changes by. The database's kind chooses it."""

from __future__ import annotations

from aurorasoc.core.database.engine import sqlite_file
from aurorasoc.llm.fleet.feed import Source
from aurorasoc.llm.fleet.sqlite import DataVersion


def source_of(database_url: str, feed_url: str | None) -> Source:
    """Give the source for a database.

    Args:
        database_url: `sqlite:///path` or `postgresql://…`.
        feed_url: A direct connection, where PostgreSQL's other address goes through a pooler.
    """
    file = sqlite_file(database_url)
    if file is not None:
        return DataVersion(file)
    from aurorasoc.llm.fleet.postgresql import Listener  # noqa: PLC0415 - psycopg costs 60 ms

    return Listener(feed_url or database_url)
