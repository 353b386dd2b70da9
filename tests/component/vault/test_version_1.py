"""A KV version 1 engine takes our paths for names; it must never be taken for version 2."""

import pytest

from aurorasoc.core.vault.answers import VaultProblem, VaultUndecided
from aurorasoc.errors import OutcomeUnknown
from tests.world.vault.faults import VaultFault, VaultFaultProxy
from tests.world.vault.members import KEY, OTHER_KEY, House, member
from tests.world.vendor.http1 import Answer

NAMED = "version 1.*Enable version 2"


@pytest.fixture
def old(house: House) -> House:
    """Put a version 1 engine at the house's mount."""
    replace_engine(house)
    return house


def replace_engine(house: House, version: str = "1") -> None:
    """Mount another engine in place of the one that is there."""
    house.vault.call("DELETE", f"sys/mounts/{house.mount}")
    engine = {"type": "kv", "options": {"version": version}}
    house.vault.call("POST", f"sys/mounts/{house.mount}", engine)


def kept_there(house: House) -> bool:
    """Whether the engine holds anything at all."""
    return house.vault.ask("LIST", f"{house.mount}/").is_success


async def test_a_read_is_refused_by_name(old: House) -> None:
    """It is never "no such key"."""
    async with member(old.boot()) as process:
        with pytest.raises(VaultProblem, match=NAMED) as caught:
            await process.watch.poll()
        assert caught.value.trouble == "denied"


async def test_a_key_is_not_written(old: House) -> None:
    """A 503 that says what to do; the engine holds nothing afterwards."""
    async with member(old.boot()) as process:
        with pytest.raises(VaultProblem, match=NAMED):
            await process.set_key()
        assert process.key is None
    assert (kept_there(old), old.intents(), old.revision()) == (False, [], 0)


async def test_a_key_in_force_is_not_taken_for_deleted(house: House) -> None:
    """Whoever replaced the engine: the key serves from memory, and the reason is shown."""
    async with member(house.boot()) as process:
        await process.set_key()
        replace_engine(house)
        with pytest.raises(VaultProblem, match=NAMED):
            await process.watch.poll()
        status = process.adoption.snapshot.secret_store
        assert (process.key, status.state, status.problem) == (KEY, "stale", "denied")
    assert "llm.key.changed_in_vault" not in house.actions()


async def test_a_key_that_cant_be_fetched_says_why(house: House) -> None:
    """A process that starts then shows it at the provider."""
    async with member(house.boot()) as process:
        await process.set_key()
    replace_engine(house)
    async with member(house.boot()) as late:
        problem = late.credential.problem
        assert problem is not None
        assert (late.credential.state, "version 1" in problem.detail) == ("unavailable", True)


async def test_a_deletion_is_refused(house: House) -> None:
    """Version 1 would say that it is done."""
    async with member(house.boot()) as process:
        await process.set_key()
        replace_engine(house)
        with pytest.raises(VaultProblem, match=NAMED):
            await process.delete_key()
        assert process.key == KEY


async def test_a_write_that_version_1_took_is_undecided(
    house: House, proxy: VaultFaultProxy
) -> None:
    """The engine was replaced between the look and the write: 204, and no version."""
    taken = VaultFault(method="POST", where="/data/", answer=Answer(204))
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(taken):
            with pytest.raises(VaultUndecided, match=NAMED):
                await process.store._client.write("deepseek", {"api_key": OTHER_KEY}, cas=0)
            with pytest.raises(OutcomeUnknown):
                await process.set_key()
        assert process.key is None


async def test_what_version_1_took_is_not_read_as_a_key(old: House) -> None:
    """Such a secret has no metadata."""
    path = f"{old.mount}/data/aurorasoc/llm-providers/deepseek"
    old.vault.call("POST", path, {"data": {"api_key": KEY}, "options": {"cas": 0}})
    async with member(old.boot()) as process:
        with pytest.raises(VaultProblem, match=NAMED):
            await process.watch.poll()
        assert process.key is None
    assert old.actions() == []


async def test_the_key_is_taken_once_version_2_is_enabled(old: House) -> None:
    """What the message says to do helps."""
    async with member(old.boot()) as process:
        replace_engine(old, "2")
        old.vault._eventually("GET", f"{old.mount}/config")
        await process.set_key()
        assert process.key == KEY
