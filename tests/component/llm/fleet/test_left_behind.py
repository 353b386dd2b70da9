"""What a command leaves behind: heard by the fleet, in no list of processes, gone after a day."""

from pathlib import Path

import pytest
from sqlalchemy import select, update

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import InstanceRow
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.fleet.left_behind import leave_report
from aurorasoc.llm.fleet.live import COMMAND_REMEMBERED_US, is_forgotten
from aurorasoc.llm.fleet.registry import Fleet, require_seed_everywhere
from aurorasoc.llm.models.health import HealthBook, Subject
from tests.examples import keyring, settings
from tests.world.databases import ON_BOTH

pytestmark = ON_BOTH

ANSWERED = Subject("ollama", "http://127.0.0.1:9", "m", "")


@pytest.fixture
async def fleet(database: Database, tmp_path: Path) -> Fleet:
    """Return the reader of the registry."""
    boot = settings(tmp_path)
    adoption = Adoption(boot, database, open_secret_store(boot, keyring()), keyring())
    await adoption.adopt()
    return Fleet(database, adoption, keyring())


def _book(code: str | None = None, at_us: int = 1) -> HealthBook:
    book = HealthBook()
    book.note(ANSWERED, code, at_us)
    return book


async def _left(database: Database) -> list[InstanceRow]:
    async with database.reading() as session:
        return list(await session.scalars(select(InstanceRow)))


async def _age(database: Database, by_us: int) -> None:
    async with database.transaction() as session:
        await session.execute(update(InstanceRow).values(seen_us=InstanceRow.seen_us - by_us))


async def test_the_fleet_hears_how_a_command_ended(database: Database, fleet: Fleet) -> None:
    """Though it is over, and hours later."""
    await leave_report(database, _book())
    await _age(database, COMMAND_REMEMBERED_US - 60_000_000)
    assert (await fleet.reports_of_health()).texts == (_book().report(),)


async def test_a_command_is_no_process(database: Database, fleet: Fleet) -> None:
    """Nobody waits for it to adopt, and it needs no seed."""
    await leave_report(database, _book())
    assert (await fleet.look()).instances == ()
    await require_seed_everywhere(database, keyring())


async def test_what_it_left_is_forgotten_after_a_day(database: Database, fleet: Fleet) -> None:
    """Not heard any more, and deleted when the next process starts."""
    await leave_report(database, _book())
    await _age(database, COMMAND_REMEMBERED_US + 60_000_000)
    assert (await fleet.reports_of_health()).texts == ()
    async with database.reading() as session:
        gone = select(InstanceRow).where(is_forgotten(await database.clock(session)))
        assert len(list(await session.scalars(gone))) == 1


async def test_a_later_command_replaces_an_earlier_one(database: Database, fleet: Fleet) -> None:
    """However often a connection is tested, it is one row."""
    await leave_report(database, _book("unreachable"))
    await leave_report(database, _book(at_us=2))
    assert len(await _left(database)) == 1
    assert (await fleet.reports_of_health()).texts == (_book(at_us=2).report(),)


async def test_a_command_that_called_nobody_leaves_nothing(database: Database) -> None:
    """Most of them."""
    await leave_report(database, HealthBook())
    assert await _left(database) == []


async def test_a_database_that_is_away_is_no_error() -> None:
    """The command has its answer."""
    away = Database("postgresql://nobody@127.0.0.1:1/aurora")
    await leave_report(away, _book())
    await away.close()
