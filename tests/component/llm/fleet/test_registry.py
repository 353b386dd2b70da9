"""The registry as it is read: who counts, how they stand, and waiting for them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import RuntimeConfigRow
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.errors import Conflict, DatabaseUnavailable, ProviderUnreachable
from aurorasoc.granite.backend_resolution import model_reference
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.fleet.live import COMMAND, lifetime_us
from aurorasoc.llm.fleet.registry import Fleet, FleetAdoption, FleetView, require_seed_everywhere
from aurorasoc.llm.models.health import open_in
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.breaker import FAILURES, Passage
from tests.component.llm.fleet.fleet_world import report, write_revision
from tests.examples import OTHER_SEED, SEED, keyring, settings
from tests.world.databases import ON_BOTH

pytestmark = ON_BOTH


@pytest.fixture
async def adoption(database: Database, tmp_path: Path) -> Adoption:
    """Return what this process runs: the boot defaults."""
    boot = settings(tmp_path)
    here = Adoption(boot, database, open_secret_store(boot, keyring()), keyring())
    await here.adopt()
    return here


@pytest.fixture
async def fleet(database: Database, adoption: Adoption) -> AsyncIterator[Fleet]:
    """Yield the reader of the registry."""
    opened = Fleet(database, adoption, keyring())
    yield opened
    await opened.close()


def _states(view: FleetView) -> dict[str, str]:
    return {member.instance: member.state for member in view.instances}


async def test_nobody_is_an_empty_fleet_at_revision_zero(fleet: Fleet) -> None:
    """Before anything was set or started."""
    assert await fleet.look() == FleetView(0, ())


async def test_process_that_runs_the_same_is_current(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """Equal revision, equal fingerprint."""
    await report(database, adoption, "same")
    assert _states(await fleet.look()) == {"same": "current"}


async def test_process_at_an_older_revision_is_behind(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """Compared with what is stored, not with what this process runs."""
    await report(database, adoption, "slow")
    await write_revision(database, 1)
    assert _states(await fleet.look()) == {"slow": "behind"}


async def test_process_that_knows_no_stop_has_not_adopted_one(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """One of an earlier version adopts the revision, and goes on calling."""
    await write_revision(database, 1)
    async with database.transaction() as session:
        await session.merge(RuntimeConfigRow(id=1, revision=1, hosted_state="stopped"))
    await report(database, adoption, "older", revision=1)
    await report(database, adoption, "stopped", revision=1, hosted_stopped=True)
    assert _states(await fleet.look())["older"] == "behind"
    assert await fleet.adoption_of(1, 0, None) == FleetAdoption(adopted=False, pending=["older"])


async def test_equal_revision_with_another_fingerprint_is_diverged(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """Its environment or its keys differ."""
    await report(database, adoption, "other", fingerprint="f" * 16)
    assert _states(await fleet.look()) == {"other": "diverged"}


async def test_process_names_the_connections_that_it_does_not_ask(
    database: Database, adoption: Adoption
) -> None:
    """As its report says, by their address and key as they are configured here."""
    ledger, failure = TrafficLedger(), ProviderUnreachable("It failed.", provider="vllm", model="m")
    called = model_reference(adoption.snapshot, "vllm", "specialist")
    breaker = ledger.breakers.of(called)
    for _ in range(FAILURES):
        with Passage(breaker, called) as passage:
            breaker.ask(passage)
            breaker.failed(passage, failure)
    await report(database, adoption, "failing", health=ledger.health.report())
    await report(database, adoption, "silent")
    view = await Fleet(database, adoption, keyring(), open_in).look()
    assert {one.instance: one.not_asked for one in view.instances} == {
        "failing": ("vllm",),
        "silent": (),
    }


async def test_fleet_counts_its_live_processes(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """Silent ones too, and none that is dead or over: it is open in so many of them."""
    await report(database, adoption, "silent")
    await report(database, adoption, "calling", health="[]")
    await report(database, adoption, "dead", age=3_000)
    await report(database, adoption, "command-1", kind=COMMAND, health="[]")
    assert (await fleet.reports_of_health()).processes == 2


async def test_what_this_process_has_not_adopted_is_not_called_diverged(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """There is nothing to compare it with."""
    await write_revision(database, 1)
    await report(database, adoption, "ahead", revision=1, fingerprint="f" * 16)
    assert _states(await fleet.look()) == {"ahead": "current"}


async def test_silent_process_ages_out(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """After three heartbeats that it missed, not before."""
    lifetime = lifetime_us(database) / 1e6
    await report(database, adoption, "late", age=lifetime - 20)
    await report(database, adoption, "dead", age=lifetime + 5)
    assert _states(await fleet.look()) == {"late": "current"}


async def test_states_are_counted(database: Database, adoption: Adoption, fleet: Fleet) -> None:
    """For the metrics."""
    await report(database, adoption, "one")
    await report(database, adoption, "two")
    await report(database, adoption, "other", fingerprint="f" * 16)
    assert (await fleet.look()).states() == {"current": 2, "diverged": 1}


async def test_glance_gives_what_is_there(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """By way of the shared loop."""
    await report(database, adoption, "one")
    view = await fleet.glance()
    assert view is not None
    assert _states(view) == {"one": "current"}


async def test_a_look_at_a_database_that_is_away_is_refused(adoption: Adoption) -> None:
    """With the status that says so."""
    away = Database("postgresql://nobody@127.0.0.1:1/aurora")
    with pytest.raises(DatabaseUnavailable):
        await Fleet(away, adoption, keyring()).look()
    await away.close()


async def test_glance_at_a_database_that_is_away_gives_nothing(adoption: Adoption) -> None:
    """Soon: a scrape must not hang."""
    away = Database("postgresql://nobody@127.0.0.1:1/aurora")
    fleet = Fleet(away, adoption, keyring())
    assert await fleet.glance() is None
    await fleet.close()
    await away.close()


async def test_change_that_all_have_adopted_has_nothing_pending(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """Answered at once."""
    await report(database, adoption, "one", revision=1)
    assert await fleet.adoption_of(1, 60, None) == FleetAdoption(adopted=True, pending=[])


async def test_asking_process_is_never_pending(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """It answers after it has adopted, whatever its row says yet."""
    await report(database, adoption, "me")
    assert await fleet.adoption_of(1, 60, "me") == FleetAdoption(adopted=True, pending=[])


async def test_without_time_the_pending_are_named_at_once(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """`?wait=0` asks how it stands."""
    await report(database, adoption, "slow")
    assert await fleet.adoption_of(1, 0, None) == FleetAdoption(adopted=False, pending=["slow"])


async def test_when_time_is_up_the_pending_are_named(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """The fast ones aren't."""
    await report(database, adoption, "slow")
    await report(database, adoption, "fast", revision=1)
    expected = FleetAdoption(adopted=False, pending=["slow"])
    assert await fleet.adoption_of(1, 2, None) == expected


async def test_wait_ends_with_the_last_adoption(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """Not with the time."""
    await report(database, adoption, "slow")
    waiting = asyncio.create_task(fleet.adoption_of(1, 60, None))
    await asyncio.sleep(0.1)  # time in which it would end for no reason
    assert not waiting.done()
    await report(database, adoption, "slow", revision=1)
    assert await waiting == FleetAdoption(adopted=True, pending=[])


async def test_wait_sees_who_joined_since_the_last_one(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """What an earlier wait saw is no answer to a later one."""
    await fleet.adoption_of(0, 60, None)
    await fleet.close()
    await report(database, adoption, "late")
    assert await fleet.adoption_of(5, 0, None) == FleetAdoption(adopted=False, pending=["late"])


async def test_wait_does_not_wait_for_the_dead(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """A process that ages out meanwhile is given up."""
    lifetime = lifetime_us(database) / 1e6
    await report(database, adoption, "dying", age=lifetime - 0.5)
    assert await fleet.adoption_of(1, 60, None) == FleetAdoption(adopted=True, pending=[])


async def test_all_who_wait_share_one_loop_that_ends_with_them(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """Nothing reads the registry while nobody asks."""
    await report(database, adoption, "slow")
    await asyncio.gather(*(fleet.adoption_of(1, 1, None) for _ in range(20)))
    watching = fleet._watching
    assert watching is not None
    await asyncio.wait({watching}, timeout=60)
    assert (watching.done(), fleet.watchers) == (True, 0)


async def test_each_change_of_the_registry_is_given_once(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """A heartbeat alone is no change."""
    await report(database, adoption, "one")
    with fleet.watching():
        first = await fleet.after(None)
        await report(database, adoption, "one", adopted_us=0)
        second = await fleet.after(first)
        await report(database, adoption, "one", adopted_us=0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await fleet.after(second)
    assert first != second


async def test_dismissal_ends_every_wait(
    database: Database, adoption: Adoption, fleet: Fleet
) -> None:
    """A process that stops keeps nobody; what was pending is told."""
    await report(database, adoption, "slow")
    waiting = asyncio.create_task(fleet.adoption_of(1, 60, None))
    with fleet.watching():
        view = await fleet.after(None)
        fleet.dismiss()
        assert await fleet.after(view) is None
    assert (await waiting).adopted is False


async def test_seed_that_all_have_may_seal(database: Database, adoption: Adoption) -> None:
    """First or previous, wherever it stands; nobody at all is fine, too."""
    new = keyring(OTHER_SEED, SEED)
    await require_seed_everywhere(database, new)
    await report(database, adoption, "ready", key_ids=",".join(reversed(new.key_ids)))
    await require_seed_everywhere(database, new)


async def test_live_process_without_the_seed_is_named(
    database: Database, adoption: Adoption
) -> None:
    """It couldn't open a single key afterwards."""
    new, old = keyring(OTHER_SEED, SEED), keyring(SEED)
    await report(database, adoption, "ready", key_ids=",".join(new.key_ids))
    await report(database, adoption, "agent-17", key_ids=",".join(old.key_ids))
    with pytest.raises(Conflict, match=r"lack the new seed: agent-17 \(triage on h\)\.") as refusal:
        await require_seed_everywhere(database, new)
    assert "AURORA_SECRET_KEY_PREVIOUS" in refusal.value.detail


async def test_dead_process_without_the_seed_is_no_hindrance(
    database: Database, adoption: Adoption
) -> None:
    """It will be started with the variables of its day."""
    age = lifetime_us(database) / 1e6 + 5
    await report(database, adoption, "dead", age=age, key_ids="0" * 16)
    await require_seed_everywhere(database, keyring())
