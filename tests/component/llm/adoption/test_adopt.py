"""One place swaps snapshots in, and never backwards."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc import get_chat_model
from aurorasoc.core.clock import now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import CredentialRow
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.core.secret_store import DatabaseSecretStore
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.adoption.adopt import SPREAD_SECONDS, Adoption
from aurorasoc.runtime import Runtime
from tests.component.live import table_away, use
from tests.component.llm.fleet.fleet_world import write_revision
from tests.examples import keyring, settings

PING: Final[list[Any]] = [UserMessage("ping")]


def _away(database_file: Path) -> AbstractAsyncContextManager[None]:
    return table_away(database_file, "llm_runtime_config")


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
    async with _away(database_file):
        with pytest.raises(DatabaseUnavailable):
            await runtime.adoption.adopt()
        assert (await get_chat_model().run(PING)).get_text_content()
        assert (await runtime.admin.inventory()).stale_since is not None


async def test_a_mutation_is_refused_while_the_database_is_away(
    runtime: Runtime, database_file: Path
) -> None:
    """Nothing is changed, here or there."""
    before = runtime.adoption.snapshot
    async with _away(database_file):
        with pytest.raises(DatabaseUnavailable):
            await use("openai", runtime)
    assert runtime.adoption.snapshot is before


async def test_staleness_begins_at_the_first_failure(runtime: Runtime, database_file: Path) -> None:
    """It is a time since when, not of the last try."""
    async with _away(database_file):
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
    async with _away(database_file):
        with pytest.raises(DatabaseUnavailable):
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


async def test_change_of_another_process_is_timed(runtime: Runtime) -> None:
    """From when it was written to its being in force here."""
    await write_revision(runtime.database, 1)
    await runtime.adoption.adopt()
    assert runtime.adoption.latencies.buckets()[-1] == ("+Inf", 1)


async def test_own_change_is_not_timed(runtime: Runtime) -> None:
    """It is in force before it is answered."""
    await use("openai", runtime)
    assert runtime.adoption.latencies.buckets()[-1] == ("+Inf", 0)


async def test_own_change_is_not_timed_where_the_feed_is_quicker(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit is heard of, read and adopted before the task that made it goes on."""
    transaction = runtime.database.transaction

    @asynccontextmanager
    async def slow_to_return() -> AsyncIterator[AsyncSession]:
        async with transaction() as session:
            yield session
        await runtime.adoption.follow(1)
        assert runtime.adoption.snapshot.revision == 1

    monkeypatch.setattr(runtime.database, "transaction", slow_to_return)
    await use("openai", runtime)
    assert runtime.adoption.latencies.buckets()[-1] == ("+Inf", 0)


async def test_change_of_another_process_is_timed_after_an_own_one_failed(
    runtime: Runtime,
) -> None:
    """It has the revision that ours would have had."""
    runtime.adoption.will_write(1, now_us() - 1_000_000)
    await write_revision(runtime.database, 1)
    await runtime.adoption.adopt()
    assert runtime.adoption.latencies.buckets()[-1] == ("+Inf", 1)


async def test_each_adoption_is_told(runtime: Runtime) -> None:
    """Once it is in force; what changes nothing is none."""
    seen: list[int] = []
    runtime.adoption.on_adopted(lambda: seen.append(runtime.adoption.snapshot.revision))
    await use("openai", runtime)
    await runtime.adoption.adopt()
    assert seen == [1]


class _Recording(DatabaseSecretStore):
    """Keeps keys elsewhere, and notes over how many seconds reads were to be spread."""

    transactional = False
    spreads: list[float]

    async def refresh(self, rows: Sequence[CredentialRow], *, spread: float = 0.0) -> None:
        del rows
        self.spreads.append(spread)


@pytest.mark.parametrize(("follows", "spread"), [(True, SPREAD_SECONDS), (False, 0.0)])
async def test_only_what_the_feed_tells_is_fetched_at_a_random_moment(
    runtime: Runtime,
    follows: bool,  # noqa: FBT001 - a table's column
    spread: float,
) -> None:
    """All processes hear of it at once; who asks for something here and now doesn't wait."""
    store = _Recording(keyring())
    store.spreads = []
    adoption = Adoption(runtime.settings, runtime.database, store, keyring())
    await (adoption.follow() if follows else adoption.adopt())
    assert store.spreads == [spread]
