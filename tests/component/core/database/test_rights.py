"""What the service's role lacks on PostgreSQL is named, with the statement that grants it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.rights import (
    NEEDED,
    MissingRight,
    grants_of,
    lack_in_words,
    missing_rights,
)
from aurorasoc.core.database.tables import Base
from tests.world.databases import (
    DATABASES,
    POSTGRESQL,
    SQLITE,
    Stored,
    as_role,
    role_without_rights,
    shared_postgresql,
)

PAGE: Final = Path(__file__).resolve().parents[4] / "docs" / "deployment.md"
GRANT: Final = re.compile(r"^GRANT ([A-Z, ]+) ON ([^;]+) TO aurorasoc;$", re.MULTILINE)
ROLE: Final = "soc-service"


def granted() -> dict[str, tuple[str, ...]]:
    """Read the privileges that the page grants, by table."""
    statements = GRANT.findall(PAGE.read_text("utf-8"))
    return {
        table: tuple(privileges.split(", "))
        for privileges, tables in statements
        for table in re.split(r",\s+", tables)
    }


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    """Yield a migrated PostgreSQL database, and a role without any right in it."""
    with DATABASES.of_kind(POSTGRESQL):
        stored = DATABASES.migrated(tmp_path)
    with role_without_rights(stored, ROLE):
        yield stored


async def lacking(stored: Stored, user: str = ROLE) -> list[MissingRight]:
    """Ask as a role what it lacks."""
    database = Database(as_role(stored, user))
    try:
        return await missing_rights(database)
    finally:
        await database.close()


def test_the_page_grants_what_the_service_checks() -> None:
    """No more and no less, so that neither list is forgotten."""
    assert granted() == NEEDED


def test_every_table_is_in_the_list() -> None:
    """A table that is added later isn't forgotten there."""
    assert set(NEEDED) == {*Base.metadata.tables, "aurorasoc_alembic_version"}


async def test_statements_that_are_named_grant_what_is_missing(stored: Stored) -> None:
    """All of it: copied as they are, they leave nothing to grant."""
    missing = await lacking(stored)
    assert {(one.table, one.privilege) for one in missing} == {
        (table, privilege) for table, privileges in NEEDED.items() for privilege in privileges
    }
    await stored.executed(grants_of(missing))
    assert await lacking(stored) == []


async def test_one_missing_right_is_named_alone(stored: Stored) -> None:
    """With its table and the statement."""
    await stored.executed(
        grants_of(await lacking(stored)), f'REVOKE INSERT ON llm_learned FROM "{ROLE}"'
    )
    assert lack_in_words(await lacking(stored)) == (
        'The role "soc-service" lacks rights on llm_learned. Run as the owner of the tables: '
        'GRANT INSERT ON llm_learned TO "soc-service";'
    )


async def test_an_owner_lacks_nothing(stored: Stored) -> None:
    """Nobody has to grant the owner what is its own."""
    assert await lacking(stored, "postgres") == []


async def test_an_empty_database_lacks_its_migration_and_no_rights() -> None:
    """Tables that aren't there yet can't be granted."""
    database = Database(shared_postgresql().create())
    assert await missing_rights(database) == []
    await database.close()


async def test_sqlite_has_no_rights_to_lack(tmp_path: Path) -> None:
    """Its file belongs to whoever opens it."""
    with DATABASES.of_kind(SQLITE):
        database = Database(DATABASES.migrated(tmp_path).url)
    assert await missing_rights(database) == []
    await database.close()
