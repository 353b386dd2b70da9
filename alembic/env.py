"""Runs the migrations against the database that the settings name."""

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from aurorasoc.config.settings import load_settings
from aurorasoc.core.database.engine import engine_options
from aurorasoc.core.database.migrations import VERSION_TABLE, require_utf8, sync_url
from aurorasoc.core.database.tables import Base


def run() -> None:
    """Migrate in one transaction, under a version table of our own.

    Tables of a host platform in the same database are none of our business.
    """
    url = context.config.attributes.get("database_url") or load_settings().database_url
    engine = create_engine(sync_url(url), poolclass=NullPool, **engine_options(url))
    with engine.begin() as connection:
        require_utf8(connection)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            version_table=VERSION_TABLE,
            render_as_batch=True,
            include_name=lambda name, kind, _parents: (
                kind != "table" or name in Base.metadata.tables
            ),
        )
        with context.begin_transaction():
            context.run_migrations()


run()
