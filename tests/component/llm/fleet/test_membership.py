"""This process's own row: written when it joins and adopts, deleted when it leaves."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import String, select

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import InstanceRow
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.fleet import membership as membership_room
from aurorasoc.llm.fleet.live import REMEMBERED_US
from aurorasoc.llm.fleet.membership import Membership, this_process
from aurorasoc.llm.models.health import HealthBook, Subject
from tests.component.llm.fleet.fleet_world import report, write_revision
from tests.examples import OTHER_SEED, SEED, keyring, settings
from tests.world.databases import ON_BOTH

DEADLINE = 60.0

pytestmark = ON_BOTH


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a busy machine the time to leave."""
    monkeypatch.setattr(membership_room, "LEAVE_SECONDS", DEADLINE)


@pytest.fixture
async def adoption(database: Database, tmp_path: Path) -> Adoption:
    """Return what this process runs: the boot defaults, with Ollama active."""
    boot = settings(tmp_path, LLM_BACKEND="ollama")
    here = Adoption(boot, database, open_secret_store(boot, keyring()), keyring())
    await here.adopt()
    return here


@pytest.fixture
async def member(database: Database, adoption: Adoption) -> AsyncIterator[Membership]:
    """Yield a process that joins when it is told to."""
    seeds = keyring(SEED, OTHER_SEED)
    process = this_process("agent", "triage")
    membership = Membership(
        process, database, adoption, seeds, lambda: "data_version", health=HealthBook()
    )
    yield membership
    await membership.close()


async def _rows(database: Database) -> list[InstanceRow]:
    async with database.reading() as session:
        return list(await session.scalars(select(InstanceRow)))


async def _row(database: Database, *, revision: int = 0) -> InstanceRow:
    """Wait for the one row to show a revision."""
    async with asyncio.timeout(DEADLINE):
        while True:
            rows = await _rows(database)
            if rows and rows[0].revision == revision:
                return rows[0]
            await asyncio.sleep(0.02)


def test_every_start_is_an_instance_of_its_own() -> None:
    """Of a kind and a name that stay."""
    first, second = this_process("agent", "triage"), this_process("agent", "triage")
    assert first.instance != second.instance
    assert (first.kind, first.name, first.host) == (second.kind, second.name, second.host)


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("/opt/soc/triage.py", "triage.py"),
        ("/opt/soc/triage/__main__.py", "triage"),
        ("-c", "-c"),
        ("", "python"),
    ],
)
def test_process_without_a_name_is_called_as_its_program(
    monkeypatch: pytest.MonkeyPatch, program: str, name: str
) -> None:
    """Whatever opened a runtime; a package is called as the package."""
    monkeypatch.setattr("sys.argv", [program])
    assert this_process("library", None).name == name


def test_long_name_is_cut_to_what_a_row_holds() -> None:
    """PostgreSQL would refuse the row, and the process would be in no fleet."""
    column = InstanceRow.__table__.c.name.type
    assert isinstance(column, String)
    assert len(this_process("api", "x" * 300).name) == column.length


async def test_joining_writes_who_and_what(
    database: Database, adoption: Adoption, member: Membership
) -> None:
    """At once, without an adoption to wait for."""
    member.start()
    row = await _row(database)
    assert (row.kind, row.name, row.feed) == ("agent", "triage", "data_version")
    assert (row.backend, row.model) == ("ollama", "granite4:8b")
    assert row.fingerprint == adoption.snapshot.fingerprint
    assert row.key_ids == ",".join(keyring(SEED, OTHER_SEED).key_ids)


async def test_adoption_is_reported(
    database: Database, adoption: Adoption, member: Membership
) -> None:
    """Soon, and not with the next heartbeat."""
    member.start()
    await _row(database)
    await write_revision(database, 1)
    await adoption.adopt()
    row = await _row(database, revision=1)
    assert row.adopted_us == adoption.adopted_us


async def test_leaving_deletes_the_row(database: Database, member: Membership) -> None:
    """A process that closed isn't waited for."""
    member.start()
    await _row(database)
    await member.close()
    assert await _rows(database) == []


async def test_joining_clears_away_the_long_dead_only(
    database: Database, adoption: Adoption, member: Membership
) -> None:
    """Those that were killed lately may still be looked up."""
    await report(database, adoption, "lately", age=REMEMBERED_US / 1e6 - 60)
    await report(database, adoption, "long", age=REMEMBERED_US / 1e6 + 60)
    member.start()
    async with asyncio.timeout(DEADLINE):
        while "long" in {row.instance for row in await _rows(database)}:  # noqa: ASYNC110 - a row is no event
            await asyncio.sleep(0.02)
    assert {row.instance for row in await _rows(database)} == {"lately", member.instance.instance}


async def test_process_that_never_adopted_has_nothing_to_report(
    database: Database, tmp_path: Path
) -> None:
    """It isn't in the fleet before its database answered."""
    boot = settings(tmp_path)
    cold = Adoption(boot, database, open_secret_store(boot, keyring()), keyring())
    process = this_process("api", "api")
    membership = Membership(process, database, cold, keyring(), lambda: "poll", health=HealthBook())
    membership.start()
    await asyncio.sleep(0.1)
    assert await _rows(database) == []
    await cold.adopt()
    await _row(database)
    await membership.close()


async def test_leaving_a_database_that_is_away_is_not_an_error(adoption: Adoption) -> None:
    """The row ages out. A task that nobody asks how it ended tells the loop, if by an error."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, error: errors.append(error))
    away = Database("postgresql://nobody@127.0.0.1:1/aurora")
    membership = Membership(
        this_process("api", "api"), away, adoption, keyring(), lambda: "poll", health=HealthBook()
    )
    membership.start()
    await membership.close()
    await away.close()
    gc.collect()
    assert errors == []


async def test_processes_tell_each_other_how_their_calls_ended(
    database: Database, adoption: Adoption
) -> None:
    """What one saw fail, the other shows."""
    config = adoption.snapshot.connections["ollama"]
    model = str(config.model.value)
    books = HealthBook(), HealthBook()
    books[0].note(Subject("ollama", config.base_url.value, model, ""), "unreachable", 1)
    members = [
        Membership(
            this_process("agent", "a"), database, adoption, keyring(), lambda: "poll", health=book
        )
        for book in books
    ]
    for one in members:
        one.start()
    async with asyncio.timeout(DEADLINE):
        while books[1].of(config, [model]).state == "unknown":
            members[1].report()
            await asyncio.sleep(0.02)
    health = books[1].of(config, [model])
    assert (health.state, health.code) == ("failing", "unreachable")
    for one in members:
        await one.close()
