"""The database lies in the state folder, whatever the folder is called."""

from pathlib import Path
from typing import Final

from aurorasoc.core.database.engine import SCHEMA_HEAD, Database, sqlite_file
from aurorasoc.core.database.migrations import migrate
from tests.examples import settings

ODD: Final = "what? 100% per%20cent %2F ha#sh ü plus+&; quo'te co:lon@at back\\slash"
"""What means something in a URL, and in SQLAlchemy's reading of one."""


def _names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


async def test_a_folder_of_any_name_holds_the_database(tmp_path: Path) -> None:
    """Migration, service and feed use one file there, and leave nothing beside it."""
    folder = tmp_path / ODD
    url = settings(folder).database_url
    migrate(url)
    database = Database(url)
    try:
        assert await database.schema_revision() == SCHEMA_HEAD
    finally:
        await database.close()
    assert sqlite_file(url) == folder / "aurorasoc.db"
    assert _names(tmp_path) == {ODD}
    assert "aurorasoc.db" in _names(folder)
