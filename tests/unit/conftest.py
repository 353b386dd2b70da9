"""Fixtures of all unit tests: an environment without surprises, and migrated databases."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aurorasoc.core.database.engine import Database
from aurorasoc.granite.backend_resolution import reset_resolution_cache
from tests.unit.examples import AMBIENT_PREFIXES
from tests.world import databases
from tests.world.databases import DATABASES, SQLITE, Stored
from tests.world.fixtures import database_kind
from tests.world.vault import pytest_collection_modifyitems, vault_program

__all__ = ["database_kind", "pytest_collection_modifyitems", "vault_program"]  # for pytest


@pytest.fixture(autouse=True)
def _clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Leave nothing in the environment that the service or a model library would read."""
    for name in os.environ:
        if name.startswith(AMBIENT_PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(autouse=True)
def _nothing_probed() -> Iterator[None]:
    """Begin and end with an empty resolution cache."""
    reset_resolution_cache()
    yield
    reset_resolution_cache()


@pytest.fixture(scope="session")
def migrated_file() -> Path:
    """Give an empty, migrated SQLite file to copy; it is never opened itself."""
    return databases.migrated_file()


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """Give a migrated database of the test's own: SQLite, unless its module is `ON_BOTH`."""
    return DATABASES.migrated(tmp_path)


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    """Give a migrated SQLite file of the test's own, where settings expect it."""
    with DATABASES.of_kind(SQLITE):
        DATABASES.migrated(tmp_path)
    return tmp_path / "aurorasoc.db"


@pytest.fixture
async def database(stored: Stored) -> AsyncIterator[Database]:
    """Open the test's own database."""
    opened = Database(stored.url)
    yield opened
    await opened.close()
