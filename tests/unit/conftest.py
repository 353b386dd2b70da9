"""Fixtures of all unit tests: an environment without surprises, and migrated databases."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aurorasoc.core.database import Database
from aurorasoc.core.migrations import migrate
from aurorasoc.granite.backend_resolution import reset_resolution_cache
from tests.unit.examples import AMBIENT_PREFIXES
from tests.world.fixtures import database_kind

__all__ = ["database_kind"]  # pytest finds the fixture here


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
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an empty, migrated SQLite file to copy; it is never opened itself."""
    file = tmp_path_factory.mktemp("migrated") / "aurorasoc.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def database_file(migrated_file: Path, tmp_path: Path) -> Path:
    """Give a migrated SQLite file of the test's own, where settings expect it."""
    return Path(shutil.copy(migrated_file, tmp_path / "aurorasoc.db"))


@pytest.fixture
async def database(database_file: Path) -> AsyncIterator[Database]:
    """Open that file."""
    opened = Database(f"sqlite:///{database_file}")
    yield opened
    await opened.close()
