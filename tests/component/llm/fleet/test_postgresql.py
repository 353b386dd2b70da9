"""PostgreSQL tells of every commit; what is lost, frozen or restarted is found again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from aurorasoc.core.database.engine import FEED_CHANNEL, Database
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.llm.adoption import adopt
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.adoption.rows import save_config
from aurorasoc.llm.adoption.stored import StoredConfig
from aurorasoc.llm.fleet import postgresql
from aurorasoc.llm.fleet.feed import CLOSE_SECONDS, Feed
from aurorasoc.llm.fleet.postgresql import Listener
from aurorasoc.llm.fleet.sources import source_of
from aurorasoc.llm.fleet.sqlite import DataVersion
from tests.component.live import until
from tests.examples import keyring, settings
from tests.world.databases import DATABASES, POSTGRESQL, Stored, shared_postgresql
from tests.world.relay import Relay


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    """Yield a migrated PostgreSQL database."""
    with DATABASES.of_kind(POSTGRESQL):
        yield DATABASES.migrated(tmp_path)


@pytest.fixture
def relay() -> Iterator[Relay]:
    """Yield a wire to PostgreSQL that can be cut and frozen."""
    with Relay(shared_postgresql().port) as wire:
        yield wire


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the connection checked often, so that a test needn't wait for it."""
    monkeypatch.setattr(postgresql, "CHECK_SECONDS", 0.2)
    monkeypatch.setattr(postgresql, "ANSWER_SECONDS", 0.3)


class Heard:
    """What a feed was told, by the calls that it makes."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.calls: list[int | None] = []

    async def changed(self, revision: int | None) -> None:
        """Note a call."""
        self.calls.append(revision)


@asynccontextmanager
async def _listening(url: str, heard: Heard) -> AsyncIterator[Feed]:
    """Open a feed and wait until it is connected."""
    feed = Feed(Listener(url), heard.changed)
    feed.start()
    try:
        await until(lambda: feed.up)
        yield feed
    finally:
        await feed.close()


async def _commit(database: Database, revision: int) -> None:
    async with database.transaction() as session:
        await save_config(session, StoredConfig(revision=revision))


async def _notify(stored: Stored, *payloads: str) -> None:
    async with (
        await psycopg.AsyncConnection.connect(stored.url) as connection,
        connection.transaction(),
    ):
        for payload in payloads:
            await connection.execute("SELECT pg_notify(%s, %s)", (FEED_CHANNEL, payload))


async def test_commit_is_heard_with_its_revision(database: Database, stored: Stored) -> None:
    """Nothing needs to be read to know that it is newer."""
    heard = Heard()
    async with _listening(stored.url, heard):
        await _commit(database, 7)
        await until(lambda: 7 in heard.calls)


async def test_what_is_rolled_back_is_not_heard(database: Database, stored: Stored) -> None:
    """The notification is part of the transaction."""
    heard = Heard()
    async with _listening(stored.url, heard):
        async with database.transaction() as session:
            await save_config(session, StoredConfig(revision=7))
            await session.rollback()
        await _commit(database, 8)
        await until(lambda: 8 in heard.calls)
    assert 7 not in heard.calls


async def test_first_thing_heard_is_the_revision_that_stands(
    database: Database, stored: Stored
) -> None:
    """What was committed before anyone listened isn't lost."""
    await _commit(database, 5)
    heard = Heard()
    async with _listening(stored.url, heard):
        await until(lambda: bool(heard.calls))
    assert heard.calls[0] == 5


async def test_flood_is_a_few_calls_that_end_with_the_newest(stored: Stored) -> None:
    """While one is being adopted, the others are gathered."""
    calls: list[int | None] = []

    async def slowly(revision: int | None) -> None:
        calls.append(revision)
        await asyncio.sleep(0.2)

    feed = Feed(Listener(stored.url), slowly)
    feed.start()
    await until(lambda: feed.up)
    await _notify(stored, *map(str, range(1, 501)))
    await until(lambda: calls[-1:] == [500])
    await feed.close()
    assert len(calls) < 100


@pytest.mark.parametrize(
    "payload", ["", "newest", "-3", "²", "9" * 5_000], ids=lambda text: text[:9]
)
async def test_notification_without_a_revision_has_it_read(stored: Stored, payload: str) -> None:
    """Anyone who may connect may notify."""
    heard = Heard()
    async with _listening(stored.url, heard):
        before = len(heard.calls)
        await _notify(stored, payload)
        await until(lambda: None in heard.calls[before:])


async def test_what_was_committed_while_the_wire_was_cut_is_heard_when_it_is_mended(
    database: Database, stored: Stored, relay: Relay
) -> None:
    """The feed is down meanwhile, and says since when."""
    heard = Heard()
    async with _listening(relay.leading_to(stored.url), heard) as feed:
        connected_us = feed.since_us
        relay.cut()
        await until(lambda: not feed.up)
        assert (feed.hears_by, feed.since_us > connected_us) == ("poll", True)
        await _commit(database, 9)
        relay.heal()
        await until(lambda: 9 in heard.calls and feed.hears_by == "listen")


@pytest.mark.usefixtures("impatient")
async def test_frozen_peer_is_found_and_left(
    database: Database, stored: Stored, relay: Relay
) -> None:
    """Its kernel acknowledges everything; only an answer that is late shows it."""
    heard = Heard()
    async with _listening(relay.leading_to(stored.url), heard) as feed:
        relay.freeze()
        await until(lambda: not feed.up)
        await _commit(database, 4)
        relay.thaw()
        await until(lambda: 4 in heard.calls)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", [Relay.cut, Relay.freeze])
async def test_feed_in_trouble_closes_at_once(
    stored: Stored, relay: Relay, trouble: Callable[[Relay], None]
) -> None:
    """Whatever it was waiting for."""
    async with _listening(relay.leading_to(stored.url), Heard()) as feed:
        trouble(relay)
        await until(lambda: not feed.up)
        began = time.monotonic()
        await feed.close()
        thread = feed._thread
    assert thread is not None
    assert not thread.is_alive()
    assert time.monotonic() - began < CLOSE_SECONDS


async def test_server_that_is_not_there_yet_is_waited_for(relay: Relay, stored: Stored) -> None:
    """The process serves from what it has meanwhile."""
    relay.cut()
    heard = Heard()
    feed = Feed(Listener(relay.leading_to(stored.url)), heard.changed)
    feed.start()
    await asyncio.sleep(0.5)
    assert (feed.up, feed.hears_by) == (False, "poll")
    relay.heal()
    await until(lambda: feed.up)
    await feed.close()


async def test_turning_is_told_each_time(relay: Relay, stored: Stored) -> None:
    """The fleet shows how each process hears."""
    turns: list[bool] = []
    feed = Feed(Listener(relay.leading_to(stored.url)), Heard().changed)
    feed.on_turned(lambda: turns.append(feed.up))
    feed.start()
    await until(lambda: turns == [True])
    relay.cut()
    await until(lambda: turns == [True, False])
    relay.heal()
    await until(lambda: turns == [True, False, True])
    await feed.close()


def test_source_is_the_databases_own(tmp_path: Path) -> None:
    """A file is watched, a server is listened to, directly where a pooler is in between."""
    assert isinstance(source_of(f"sqlite:///{tmp_path}/x.db", None), DataVersion)
    with_options = source_of(f"sqlite:///{tmp_path}/x.db?timeout=9", None)
    assert isinstance(with_options, DataVersion)
    assert with_options._path == tmp_path / "x.db"
    direct = source_of("postgresql://u@pooler:6432/x", "postgresql://u@server:5432/x")
    assert isinstance(direct, Listener)
    assert (direct._arguments["host"], direct._arguments["port"]) == ("server", 5432)


def test_what_the_address_says_of_the_connection_wins() -> None:
    """An operator may know the network better."""
    chosen = Listener("postgresql://u@server/x?keepalives_idle=77&sslmode=verify-full")._arguments
    assert (chosen["keepalives_idle"], chosen["sslmode"]) == ("77", "verify-full")
    assert chosen["keepalives_count"] == 2


async def test_database_that_is_silent_is_shown_as_stale_meanwhile(
    monkeypatch: pytest.MonkeyPatch, stored: Stored, relay: Relay, tmp_path: Path
) -> None:
    """It doesn't refuse; what is in force stays in force, and it is over when it answers again."""
    monkeypatch.setattr(adopt, "LATE_SECONDS", 0.2)
    boot = settings(tmp_path)
    database = Database(relay.leading_to(stored.url))
    here = Adoption(boot, database, open_secret_store(boot, keyring()), keyring())
    in_force = await here.adopt()
    relay.freeze()
    adopting = asyncio.create_task(here.adopt())
    await until(lambda: here.stale_since is not None)
    assert (here.snapshot, adopting.done()) == (in_force, False)
    relay.thaw()
    await adopting
    assert here.stale_since is None
    await database.close()
