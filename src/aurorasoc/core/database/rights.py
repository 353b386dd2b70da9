"""What a role may do with the tables on PostgreSQL: what the service needs, and what is missing.

docs/deployment.md grants the same, table by table; a test compares the two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import text

from aurorasoc.core.database.engine import Database
from aurorasoc.errors import ConfigurationError

_READ: Final = ("SELECT",)
_APPEND: Final = ("SELECT", "INSERT")
_KEEP: Final = ("SELECT", "INSERT", "UPDATE")
_ALL: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "aurorasoc_alembic_version": _READ,
    "user_audit_log": _APPEND,
    "user_audit_keys": _APPEND,
    "llm_revisions": _APPEND,
    "llm_investigations": _KEEP,
    "llm_investigation_steps": _KEEP,
    "llm_provider_credentials": _ALL,
    "llm_key_intents": _ALL,
    "llm_runtime_config": _ALL,
    "llm_provider_config": _ALL,
    "llm_instances": _ALL,
    "llm_learned": _ALL,
    "llm_spending": _ALL,
    "llm_reservations": _ALL,
    "llm_clients": _ALL,
    "llm_usage": _ALL,
}
"""The privileges that every process needs, by table."""

_LACKING: Final = text(
    "SELECT quote_ident(current_user), name, privilege "
    "FROM unnest(CAST(:tables AS text[]), CAST(:privileges AS text[])) "
    "WITH ORDINALITY AS needed(name, privilege, position) "
    "WHERE NOT has_table_privilege(to_regclass(name), privilege) ORDER BY position"
)
"""A table that doesn't exist yet gives null: that is the migration's matter.

https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-INFO-ACCESS
"""


class MissingRight(NamedTuple):
    """A privilege on a table that a role lacks. `role` is quoted as SQL needs it."""

    role: str
    table: str
    privilege: str


async def missing_rights(database: Database) -> list[MissingRight]:
    """Return what this process's role lacks; SQLite has no roles, and lacks nothing.

    Raises:
        DatabaseUnavailable: The database doesn't answer.
    """
    if database.is_sqlite:
        return []
    needed = [(table, privilege) for table, all_ in NEEDED.items() for privilege in all_]
    tables, privileges = map(list, zip(*needed, strict=True))
    async with database.reading(once=True) as session:
        rows = await session.execute(_LACKING, {"tables": tables, "privileges": privileges})
        return [MissingRight(*row) for row in rows]


async def require_rights(database: Database) -> None:
    """Refuse a database in which this process's role lacks rights.

    Raises:
        ConfigurationError: It does; the message names the tables, and the statements to run.
        DatabaseUnavailable: The database doesn't answer.
    """
    missing = await missing_rights(database)
    if missing:
        raise ConfigurationError(lack_in_words(missing))


def grants_of(missing: Iterable[MissingRight]) -> str:
    """Return the statements that grant what is missing, tables with the same gap in one."""
    lacks: dict[tuple[str, str], list[str]] = defaultdict(list)
    for role, table, privilege in missing:
        lacks[role, table].append(privilege)
    same: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (role, table), privileges in lacks.items():
        same[role, ", ".join(privileges)].append(table)
    return " ".join(
        f"GRANT {privileges} ON {', '.join(tables)} TO {role};"
        for (role, privileges), tables in same.items()
    )


def lack_in_words(missing: Iterable[MissingRight]) -> str:
    """Name the role, the tables and the statements to run."""
    missing = list(missing)
    tables = ", ".join(dict.fromkeys(one.table for one in missing))
    return (
        f"The role {missing[0].role} lacks rights on {tables}. Run as the owner of the tables: "
        f"{grants_of(missing)}"
    )
