"""A database that can't be used is refused with what to do, not with "it doesn't answer"."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.core.database.rights import NEEDED, MissingRight, grants_of
from tests.component.cli.conftest import Shell
from tests.world.databases import (
    DATABASES,
    POSTGRESQL,
    Stored,
    as_role,
    role_without_rights,
    shared_postgresql,
)
from tests.world.processes import free_port

ROLE: Final = "soc_short_of_a_right"
GRANT: Final = f"GRANT SELECT ON aurorasoc_alembic_version TO {ROLE};"


@pytest.fixture
def short_of_a_right(shell: Shell, tmp_path: Path) -> Iterator[Shell]:
    """Yield a shell whose role may do all but read the migration."""
    with DATABASES.of_kind(POSTGRESQL):
        stored: Stored = DATABASES.migrated(tmp_path / "postgresql")
    granted = [
        MissingRight(ROLE, table, privilege)
        for table, privileges in NEEDED.items()
        for privilege in privileges
        if table != "aurorasoc_alembic_version"
    ]
    with role_without_rights(stored, ROLE):
        stored.execute(grants_of(granted))
        shell.patch.setenv("AURORA_DATABASE_URL", as_role(stored, ROLE))
        yield shell


@pytest.mark.parametrize(
    "command",
    [
        ("serve",),
        ("agent", "serve", "threat-hunter"),
        ("providers", "list"),
    ],
    ids=" ".join,
)
def test_a_missing_right_is_refused_with_its_statement(
    short_of_a_right: Shell, command: tuple[str, ...]
) -> None:
    """Whoever starts: the service, an agent, a command."""
    port = ("--port", str(free_port())) if command == ("serve",) else ()
    outcome = short_of_a_right(*command, *port)
    assert (outcome.code, outcome.out) == (2, "")
    assert GRANT in outcome.error


def test_the_doctor_names_a_missing_right(short_of_a_right: Shell) -> None:
    """As the one thing that is wrong, and the last that can be looked at."""
    outcome = short_of_a_right("doctor", "--json")
    assert outcome.code == 1
    (finding,) = [one for one in outcome.json if not one["healthy"]]
    assert finding["name"] == "rights"
    assert GRANT in finding["cure"]
    assert outcome.json[-1] == finding


def test_migrate_says_that_its_role_may_not(short_of_a_right: Shell) -> None:
    """With who may."""
    outcome = short_of_a_right("migrate")
    assert outcome.code == 2
    assert "as the role that owns the database" in outcome.error


def test_a_wrong_database_is_told_from_an_empty_one(shell: Shell) -> None:
    """A command that needs it refuses; it isn't sent to migrate what isn't there."""
    shell.patch.setenv("AURORA_DATABASE_URL", shared_postgresql().url("nonesuch"))
    outcome = shell("providers", "list")
    assert outcome.code == 2
    assert "no database of the name" in outcome.error


def test_an_unmigrated_database_is_one_sentence(shell: Shell) -> None:
    """It names the command."""
    shell.patch.setenv("AURORA_DATABASE_URL", shared_postgresql().create())
    outcome = shell("providers", "list")
    assert (outcome.code, outcome.out) == (2, "")
    assert "Run `aurorasoc migrate`" in outcome.error
