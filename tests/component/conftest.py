"""Fixtures of the component tests: migrated databases, live models, the servers they call."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aurorasoc.core.database.engine import Database
from tests.component.live import boot, libraries, runtime, servers, world
from tests.world import databases
from tests.world.databases import DATABASES, SQLITE, Stored
from tests.world.fixtures import ca, capture, database_kind

__all__ = [  # pytest finds the fixtures here
    "boot",
    "ca",
    "capture",
    "database_kind",
    "libraries",
    "runtime",
    "servers",
    "world",
]


@pytest.fixture(scope="session")
def migrated_file() -> Path:
    """Return an empty, migrated SQLite file to copy; it is never opened itself."""
    return databases.migrated_file()


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """Return a migrated database of the test's own: SQLite, unless its module is `ON_BOTH`."""
    return DATABASES.migrated(tmp_path)


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    """Return a migrated SQLite file of the test's own, where settings expect it."""
    with DATABASES.of_kind(SQLITE):
        DATABASES.migrated(tmp_path)
    return tmp_path / "aurorasoc.db"


@pytest.fixture
async def database(stored: Stored) -> AsyncIterator[Database]:
    """Open the test's own database."""
    opened = Database(stored.url)
    yield opened
    await opened.close()
