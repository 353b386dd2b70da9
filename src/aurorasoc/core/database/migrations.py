"""Run the migrations, from the installed wheel or from the repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aurorasoc.core.database.engine import create_sqlite_file
from aurorasoc.core.database.reach import NO_FILE, known_cure
from aurorasoc.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.types import TypeEngine

_NO_PRIVILEGE: Final = "42501"  # https://www.postgresql.org/docs/16/errcodes-appendix.html
VERSION_TABLE: Final = "aurorasoc_alembic_version"
"""Our own table: a host platform's Alembic chain in the same database stays untouched."""


def migrate(database_url: str) -> None:
    """Migrate a database to the newest version; do nothing if it is already there.

    Args:
        database_url: As configured. A missing SQLite file is created, readable by its owner only.

    Raises:
        ConfigurationError: One of our tables has other columns, the database refuses, or its
            encoding isn't UTF8.
    """
    from alembic import command  # noqa: PLC0415 - costs 165 ms
    from alembic.config import Config  # noqa: PLC0415 - the same
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - beside its use

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.attributes["database_url"] = database_url
    try:
        create_sqlite_file(database_url)
        command.upgrade(config, "head")
    except (OSError, SQLAlchemyError) as error:
        detail = _why_not(error)
    else:
        return
    raise ConfigurationError(detail)


def _why_not(error: OSError | SQLAlchemyError) -> str:
    """Return what to do about a failed migration, without the driver's text."""
    from sqlalchemy.exc import DatabaseError, OperationalError  # noqa: PLC0415 - beside its use

    if isinstance(error, OSError):
        return NO_FILE
    failure = getattr(error, "orig", error)
    if getattr(failure, "sqlstate", None) == _NO_PRIVILEGE:
        return (
            "The role in AURORA_DATABASE_URL may not migrate this database. Run `aurorasoc "
            "migrate` as the role that owns the database and its tables."
        )
    cure = known_cure(failure) if type(error) in {DatabaseError, OperationalError} else None
    return cure or (
        f"The database can't be migrated ({type(error).__name__}). Check AURORA_DATABASE_URL and "
        "its rights."
    )


def scripts() -> Path:
    """Return the migrations' folder: beside this package in the wheel, else in the repository."""
    package = Path(__file__).resolve().parents[2]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent.parent / "alembic"


def sync_url(url: str) -> str:
    """Return the URL with the driver that migrations use."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def require_utf8(connection: Connection) -> None:
    """Refuse a PostgreSQL database that can't store every text.

    Raises:
        ConfigurationError: Its encoding isn't UTF8.
    """
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        detail = (
            f"The database's encoding is {encoding} and this service needs UTF8. Create another "
            "with `CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'`, and name it in "
            "AURORA_DATABASE_URL."
        )
        raise ConfigurationError(detail)


def create_if_absent(table: str, *columns: Column[Any], indexed: tuple[str, ...] = ()) -> None:
    """Create a table unless the platform already has it.

    Raises:
        ConfigurationError: A table of that name has other columns.
    """
    import sqlalchemy as sa  # noqa: PLC0415 - migrations only
    from alembic import op  # noqa: PLC0415 - migrations only

    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table(table):
        op.create_table(table, *columns)
        for name in indexed:
            op.create_index(f"ix_{table}_{name}", table, [name])
        return
    existing = {(c["name"], _kind(c["type"])) for c in inspector.get_columns(table)}
    expected = {(c.name, _kind(c.type)) for c in columns}
    if existing != expected:
        names = sorted({name for name, _ in existing ^ expected})
        detail = (
            f"The table {table} exists with other columns than this service needs "
            f"({', '.join(names)} differ). Rename it, then migrate again."
        )
        raise ConfigurationError(detail)


def _kind(column_type: TypeEngine[Any]) -> str:
    """Return a column's Python type (`int`, `str`), whatever the database calls it."""
    try:
        return column_type.python_type.__name__
    except NotImplementedError:
        return "unknown"
