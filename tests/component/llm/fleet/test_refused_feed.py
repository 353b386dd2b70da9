"""A feed that the database refuses: it says so once, tries less and less often, and comes back."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.fleet import feed as feed_room
from aurorasoc.llm.fleet import postgresql
from aurorasoc.llm.fleet.feed import Feed, Source
from aurorasoc.llm.fleet.postgresql import Listener, _Pauses
from aurorasoc.llm.fleet.sqlite import DataVersion
from tests.component.live import until
from tests.world.databases import (
    DATABASES,
    POSTGRESQL,
    Stored,
    as_role,
    role_without_rights,
)

ROLE = "feeder"
GRANT = f"GRANT SELECT ON llm_runtime_config TO {ROLE}"


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Keep what is no warning, too."""
    caplog.set_level(logging.INFO, "aurorasoc")


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    """Yield a migrated PostgreSQL database, and a role that may read the revision."""
    with DATABASES.of_kind(POSTGRESQL):
        database = DATABASES.migrated(tmp_path)
    with role_without_rights(database, ROLE):
        database.execute(GRANT)
        yield database


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses that a listener makes, as it makes them; it is checked often."""
    made: list[float] = []
    monkeypatch.setattr(postgresql, "CHECK_SECONDS", 0.1)

    class Noted(_Pauses):
        def after(self, error: BaseException) -> float:
            made.append(super().after(error))
            return made[-1]

    monkeypatch.setattr(postgresql, "_Pauses", Noted)
    return made


async def _nothing(_heard: int | None) -> None:
    """Adopt nothing."""


@asynccontextmanager
async def _fed(source: Source) -> AsyncIterator[Feed]:
    feed = Feed(source, _nothing)
    feed.start()
    try:
        yield feed
    finally:
        await feed.close()


def _lines(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    return [text for text in caplog.messages if f'"event": "{event}"' in text]


async def test_a_revoked_right_is_told_once_with_its_cure(
    stored: Stored, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Each try fails anew; the pauses grow; its return is told, too."""
    async with _fed(Listener(as_role(stored, ROLE))) as feed:
        await until(lambda: feed.up)
        await stored.executed(f"REVOKE SELECT ON llm_runtime_config FROM {ROLE}")  # noqa: S608 - ours
        await until(lambda: len(pauses) >= 4)
        assert not feed.up
        assert pauses == sorted(pauses)
        (line,) = _lines(caplog, "feed refused")
        assert "GRANT SELECT ON llm_runtime_config" in line
        await stored.executed(GRANT)
        await until(lambda: feed.up)
        await until(lambda: len(_lines(caplog, "feed no longer refused")) == 1)


async def test_a_revoked_right_to_connect_is_told_once_with_its_cure(
    stored: Stored, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """It shows when the connection is lost."""
    name = stored.url.rpartition("/")[2]
    async with _fed(Listener(as_role(stored, ROLE))) as feed:
        await until(lambda: feed.up)
        await stored.executed(
            f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC',
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'",  # noqa: S608 - ours
        )
        await until(lambda: len(pauses) >= 4)
        (line,) = _lines(caplog, "feed refused")
        assert "GRANT CONNECT ON DATABASE" in line
        await stored.executed(f'GRANT CONNECT ON DATABASE "{name}" TO PUBLIC')
        await until(lambda: feed.up)


async def test_a_file_that_cannot_be_opened_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried on, and its return is told."""
    file = tmp_path / "away" / "aurorasoc.db"
    async with _fed(DataVersion(file)) as feed:
        await until(lambda: len(_lines(caplog, "feed refused")) == 1)
        assert not feed.up
        file.parent.mkdir()
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA journal_mode=WAL")
        await until(lambda: feed.up)
        await until(lambda: len(_lines(caplog, "feed no longer refused")) == 1)
    assert len(_lines(caplog, "feed refused")) == 1


async def test_what_cannot_be_adopted_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each poll fails for the same reason; the first that doesn't is told, too."""
    monkeypatch.setattr(feed_room, "POLL_SECONDS", 0.01)
    calls, healed = 0, asyncio.Event()

    async def changed(_heard: int | None) -> None:
        nonlocal calls
        calls += 1
        if not healed.is_set():
            raise DatabaseUnavailable

    feed = Feed(DataVersion(tmp_path / "a.db"), changed)
    feed.start()
    await until(lambda: calls >= 5)
    assert len(_lines(caplog, "not adopted")) == 1
    healed.set()
    await until(lambda: len(_lines(caplog, "adopting again")) == 1)
    await feed.close()
