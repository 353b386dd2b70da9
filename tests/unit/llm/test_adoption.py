"""One place swaps snapshots in, and never backwards."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.core.database import Database
from aurorasoc.core.store_factory import open_secret_store
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.adoption import Adoption
from aurorasoc.runtime import Runtime
from tests.unit.examples import keyring, settings
from tests.unit.live import use

PING: Final[list[Any]] = [UserMessage("ping")]


@contextmanager
def _away(database_file: Path) -> Iterator[None]:
    """Make the configuration unreadable, as a database that is being restored does."""
    other = sqlite3.connect(database_file, isolation_level=None, timeout=20)
    other.execute("ALTER TABLE llm_runtime_config RENAME TO away")
    try:
        yield
    finally:
        other.execute("ALTER TABLE away RENAME TO llm_runtime_config")
        other.close()


async def test_a_snapshot_is_never_swapped_for_an_older_one(runtime: Runtime) -> None:
    """A slow reader's result comes too late."""
    await use("openai", runtime)
    old = runtime.adoption.snapshot
    await use("ollama", runtime)
    current = runtime.adoption.snapshot
    runtime.adoption.swap(old)
    assert runtime.adoption.snapshot is current


async def test_an_equal_snapshot_keeps_the_one_in_force(runtime: Runtime) -> None:
    """Built models stay with it."""
    current = runtime.adoption.snapshot
    runtime.adoption.swap(replace(current))
    assert runtime.adoption.snapshot is current


async def test_adopting_again_changes_nothing(runtime: Runtime) -> None:
    """What is stored gives the very same snapshot."""
    await use("openai", runtime)
    current = runtime.adoption.snapshot
    await runtime.adoption.adopt()
    assert runtime.adoption.snapshot is current


async def test_the_candidate_is_what_adoption_reads(runtime: Runtime) -> None:
    """What is swapped in before the answer is what every other process will compose."""
    await use("openai", runtime)
    candidate = runtime.adoption.snapshot
    async with runtime.database.reading() as session:
        stored = await runtime.adoption.read(session)
    assert stored.snapshot == candidate


async def test_models_keep_running_while_the_database_is_away(
    runtime: Runtime, database_file: Path
) -> None:
    """From the snapshot in memory."""
    with _away(database_file):
        with pytest.raises(DatabaseUnavailable):
            await runtime.adoption.adopt()
        assert (await get_chat_model().run(PING)).get_text_content()
        assert (await runtime.admin.inventory())["stale_since"] is not None


async def test_a_mutation_is_refused_while_the_database_is_away(
    runtime: Runtime, database_file: Path
) -> None:
    """Nothing is changed, here or there."""
    before = runtime.adoption.snapshot
    with _away(database_file), pytest.raises(DatabaseUnavailable):
        await use("openai", runtime)
    assert runtime.adoption.snapshot is before


async def test_staleness_begins_at_the_first_failure(runtime: Runtime, database_file: Path) -> None:
    """It is a time since when, not of the last try."""
    with _away(database_file):
        with pytest.raises(DatabaseUnavailable):
            await runtime.adoption.follow()
        since = runtime.adoption.stale_since
        with pytest.raises(DatabaseUnavailable):
            await runtime.adoption.follow()
        assert runtime.adoption.stale_since == since is not None


async def test_staleness_ends_when_the_database_is_back(
    runtime: Runtime, database_file: Path
) -> None:
    """Without a change to wait for."""
    with _away(database_file), pytest.raises(DatabaseUnavailable):
        await runtime.adoption.follow()
    await runtime.adoption.follow()
    assert runtime.adoption.stale_since is None


async def test_before_the_first_adoption_there_is_no_snapshot(tmp_path: Path) -> None:
    """A cold start without a database says so, and is not ready."""
    boot = settings(tmp_path, AURORA_DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}")
    database = Database(boot.database_url)
    adoption = Adoption(boot, database, open_secret_store(boot, keyring()), keyring())
    with pytest.raises(DatabaseUnavailable):
        await adoption.adopt()
    await database.close()
    assert not adoption.ready
    with pytest.raises(DatabaseUnavailable, match="could not be read yet"):
        _ = adoption.snapshot
