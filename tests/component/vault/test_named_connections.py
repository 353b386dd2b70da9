"""A connection that comes and goes with its key: both or neither, whatever happens in between."""

import asyncio
import json
from typing import Any, Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.core.database.engine import Database
from aurorasoc.core.vault.answers import VaultProblem
from aurorasoc.errors import ChangeInProgress, OutcomeUnknown, UnknownProvider
from aurorasoc.llm.adoption.stored import StoredConfig
from aurorasoc.llm.changes import connection_edits, edits, key_edits
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.changes.requests import AssignmentsRequest, ConnectionRequest, RollbackKey
from aurorasoc.llm.keys.doctor import examine
from aurorasoc.llm.keys.migration import move_to_vault, stranded_keys
from tests.examples import config_request, policy_request
from tests.world.sealed import install
from tests.world.service import SEED
from tests.world.vault.faults import VaultFault, VaultFaultProxy, error
from tests.world.vault.members import DEEPSEEK, KEY, OTHER_KEY, House, Member, member

NAME: Final = "lab"
ORIGIN: Final = "https://gw.example:443"
ROW: Final = """INSERT INTO llm_provider_credentials
(provider, origin, vault_version, operation_id, set_by, set_us) VALUES """

LOST: Final = VaultFault(method="POST", where="/data/", lose="reset")
NOT_TAKEN: Final = VaultFault(method="POST", where="/data/", answer=error(504, "time-out"))
REMOVAL_LOST: Final = VaultFault(method="DELETE", lose="reset")


def created(boot: Settings, name: str = NAME, key: str | None = KEY, **fields: Any) -> Change:
    """Return the change that makes a connection, with a key or without."""
    body = {"provider": "openai", "base_url": "https://gw.example/v1", "model": "m", **fields}
    if key is not None:
        body["api_key"] = key
    return connection_edits.put_connection(boot, name, ConnectionRequest.model_validate(body))


def deleted(boot: Settings, name: str = NAME) -> Change:
    """Return the change that removes a connection and its key."""
    return connection_edits.delete_connection(boot, name)


def key_of(process: Member, name: str = NAME) -> str | None:
    """Return a connection's key in force."""
    key = process.adoption.snapshot.connections[name].credential.api_key
    return key.get_secret_value() if key else None


def exists(process: Member, name: str = NAME) -> bool:
    """Return whether a connection is in force."""
    return name in process.adoption.snapshot.connections


async def follow(*processes: Member) -> None:
    """Let processes adopt what is stored, as the feed does."""
    await asyncio.gather(*(process.adoption.adopt() for process in processes))


def in_step(*processes: Member) -> bool:
    """Whether processes run the same configuration."""
    snapshots = [process.adoption.snapshot for process in processes]
    return len({(one.revision, one.fingerprint) for one in snapshots}) == 1


# --- created -----------------------------------------------------------------------------------


async def test_a_connection_comes_with_its_key(house: House) -> None:
    """In one revision, in every process, without a switch."""
    async with member(house.boot()) as one, member(house.boot()) as two:
        snapshot = await one.apply(created(one.settings))
        await follow(two)
        assert (key_of(one), key_of(two), in_step(one, two)) == (KEY, KEY, True)
        assert (snapshot.revision, snapshot.requested.value) == (1, "vllm")
    secret = house.secret(NAME)
    assert secret is not None
    assert (secret["data"]["api_key"], secret["data"]["origin"]) == (KEY, ORIGIN)


async def test_a_connection_whose_answer_is_lost_comes_once_it_is_settled(
    house: House, proxy: VaultFaultProxy
) -> None:
    """By another process, after the one that began it has died; nothing is there before."""
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(LOST), pytest.raises(OutcomeUnknown):
            await process.apply(created(process.settings))
        assert not exists(process)
    async with member(house.boot()) as one, member(house.boot()) as two:
        assert not exists(one)
        await one.watch.settle()
        await follow(two)
        assert (key_of(one), key_of(two), in_step(one, two)) == (KEY, KEY, True)
        assert one.adoption.snapshot.requested.value == "vllm"
    assert (house.intents(), house.revision()) == ([], 1)


async def test_the_same_request_again_settles_the_creation(
    house: House, proxy: VaultFaultProxy
) -> None:
    """With one version of the secret, and no second connection."""
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(LOST), pytest.raises(OutcomeUnknown):
            await process.apply(created(process.settings))
        with pytest.raises(ChangeInProgress):
            await process.apply(created(process.settings, key=OTHER_KEY))
        await process.apply(created(process.settings))
        assert key_of(process) == KEY
    secret = house.secret(NAME)
    assert secret is not None
    assert (secret["metadata"]["version"], house.revision()) == (1, 1)


async def test_a_connection_whose_key_was_not_written_does_not_come(
    house: House, proxy: VaultFaultProxy
) -> None:
    """Nothing of it is left, and it can be made again."""
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(NOT_TAKEN), pytest.raises(OutcomeUnknown):
            await process.apply(created(process.settings))
        await process.watch.settle()
        assert (exists(process), house.intents(), house.revision()) == (False, [], 0)
        await process.apply(created(process.settings))
        assert key_of(process) == KEY


# --- deleted -----------------------------------------------------------------------------------


async def test_a_connection_goes_with_its_key(house: House) -> None:
    """From Vault, from the database and from every process."""
    async with member(house.boot()) as one, member(house.boot()) as two:
        await one.apply(created(one.settings))
        await follow(two)
        await one.apply(deleted(one.settings))
        await follow(two)
        assert (exists(one), exists(two), in_step(one, two)) == (False, False, True)
    rows = house.stored.rows("SELECT count(*) FROM llm_provider_credentials")
    assert (house.secret(NAME), rows) == (None, [(0,)])


async def test_a_deletion_whose_answer_is_lost_is_settled(
    house: House, proxy: VaultFaultProxy
) -> None:
    """By another process; until then the connection is there."""
    async with member(house.boot(proxy.url)) as one, member(house.boot()) as two:
        await one.apply(created(one.settings))
        await follow(two)
        with proxy.held(REMOVAL_LOST), pytest.raises(OutcomeUnknown):
            await one.apply(deleted(one.settings))
        assert exists(one)
        await two.watch.settle()
        await follow(one)
        assert (exists(one), exists(two), in_step(one, two)) == (False, False, True)
    assert (house.secret(NAME), house.intents(), house.revision()) == (None, [], 2)


@pytest.mark.parametrize("use", ["assigned", "active"])
async def test_a_connection_in_use_when_its_deletion_is_settled_stays_without_its_key(
    house: House, proxy: VaultFaultProxy, use: str
) -> None:
    """Whoever uses it is refused by name, instead of leading nowhere; later changes go on."""
    async with member(house.boot(proxy.url)) as process:
        await process.apply(created(process.settings))
        if use == "active":
            at_that_time = await _switched(process)
            await process.apply(edits.reset())
        with proxy.held(REMOVAL_LOST), pytest.raises(OutcomeUnknown):
            await process.apply(deleted(process.settings))
        if use == "active":
            await process.apply(edits.roll_back(process.settings, at_that_time))
        else:
            body = {"roles": {"specialist": {"connection": NAME}}}
            assigned = AssignmentsRequest.model_validate(body)
            await process.apply(connection_edits.assign(assigned))
        await process.watch.settle()
        config = process.adoption.snapshot.connections[NAME]
        assert [problem.code for problem in config.problems] == ["key_missing"]
        await process.apply(key_edits.set_key(NAME, SecretStr(OTHER_KEY)))
        assert key_of(process) == OTHER_KEY
    assert (house.intents(), house.actions()[-3]) == ([], "llm.key.deleted")


async def _switched(process: Member) -> StoredConfig:
    """Switch to the connection, and return what is stored then."""
    await process.apply(edits.switch(process.settings, config_request(NAME)))
    async with process.database.reading() as session:
        return (await process.adoption.read(session)).config


# --- rows of nobody ----------------------------------------------------------------------------


async def test_keys_of_nobody_are_not_read(house: House, proxy: VaultFaultProxy) -> None:
    """Hundreds of rows, possible names and others: none becomes a path in Vault."""
    names = [*(f"p{n}" for n in range(300)), "../other", "..", "a/b", "%2e%2e", ""]
    rows = ", ".join(f"('{name}', '{ORIGIN}', 1, 'op', 'm', 1)" for name in names)
    await house.stored.executed(ROW + rows)
    async with member(house.boot(proxy.url)) as process:
        await process.watch.poll()
        await process.set_key()
        assert process.key == KEY
    asked = [seen.exchange.path for seen in proxy.seen("/llm-providers/")]
    paths = {path.rpartition("/llm-providers/")[2] for path in asked}
    keyed = {"anthropic", "deepseek", "gemini", "openai", "vllm"}
    assert {path.partition("?")[0] for path in paths} <= keyed


async def test_a_key_that_outlived_its_connection_is_in_force_with_it_again(house: House) -> None:
    """In the process that adds the connection as in all others, at its origin."""
    declared = {"LLM_CONNECTION_LAB_PROVIDER": "openai"}
    declared["LLM_CONNECTION_LAB_BASE_URL"] = "https://gw.example/v1"
    async with member(house.boot(**declared)) as process:
        await process.apply(key_edits.set_key(NAME, SecretStr(KEY)))
    async with member(house.boot()) as one, member(house.boot()) as two:
        findings = await examine(one.database, one.keyring, one.adoption)
        (finding,) = (one for one in findings if one.name == NAME)
        assert (finding.state, finding.healthy) == ("stored for no connection", False)
        with pytest.raises(UnknownProvider):
            await one.apply(key_edits.delete_key(NAME))
        await one.apply(created(one.settings, key=None))
        await follow(one, two)
        assert (key_of(one), key_of(two), in_step(one, two)) == (KEY, KEY, True)
        await one.apply(deleted(one.settings))
        assert house.secret(NAME) is None


async def test_a_key_of_nobody_in_the_database_is_moved_to_vault(house: House) -> None:
    """With its origin; nothing is lost that a connection may need again."""
    database = Database(house.stored.url)
    keys = await install(database, SEED, providers=[NAME], origins={NAME: ORIGIN})
    await database.close()
    async with member(house.boot()) as process:
        for stranded in await stranded_keys(process.changer, process.keyring):
            await move_to_vault(process.changer, stranded, actor="operator")
        assert await stranded_keys(process.changer, process.keyring) == []
    secret = house.secret(NAME)
    assert secret is not None
    assert (secret["data"]["api_key"], secret["data"]["origin"]) == (keys[NAME], ORIGIN)


# --- intents of nobody -------------------------------------------------------------------------

INTENT: Final = """INSERT INTO llm_key_intents
(provider, operation_id, kind, origin, tag, activation, action, actor, begun_us) VALUES """


async def test_intents_of_nobody_keep_no_other_from_being_settled(
    house: House, proxy: VaultFaultProxy
) -> None:
    """They are older and many, and their names impossible."""
    rows = (f"('../{n}', 'i', 'set', 'o', 't', NULL, 'llm.key.set', 'm', -1)" for n in range(200))
    await house.stored.executed(INTENT + ", ".join(rows))
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(LOST), pytest.raises(OutcomeUnknown):
            await process.set_key()
        await process.watch.settle()
        assert process.key == KEY


async def test_a_path_that_vault_refuses_keeps_no_other_from_being_settled_or_heard(
    house: House, proxy: VaultFaultProxy
) -> None:
    """A policy from before named connections may list the six paths."""
    denied = VaultFault(where="/anthropic", answer=error(403, "permission denied"))
    row = "('anthropic', 'i', 'set', 'o', 't', NULL, 'llm.key.set', 'm', -1)"
    await house.stored.executed(INTENT + row)
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(LOST), pytest.raises(OutcomeUnknown):
            await process.set_key()
        with proxy.held(denied):
            with pytest.raises(VaultProblem):
                await process.watch.settle()
            assert process.key == KEY
            house.put(api_key=OTHER_KEY)
            with pytest.raises(VaultProblem):
                await process.watch.poll()
            await process.adoption.adopt()
            assert process.key == OTHER_KEY


@pytest.mark.parametrize("backend", ["nobody", NAME])
async def test_an_intent_that_would_activate_nobody_activates_nothing(
    house: House, backend: str
) -> None:
    """A forged one, for instance: it is settled, and what is in force stays."""
    activation = json.dumps({"backend": backend, "choice": {"model": "forged"}})
    row = f"('deepseek', 'i', 'delete', 'o', 't', '{activation}', 'llm.key.set', 'm', -1)"
    await house.stored.executed(INTENT + row)
    async with member(house.boot()) as process:
        await process.watch.settle()
        snapshot = process.adoption.snapshot
        assert snapshot.connections[DEEPSEEK].model.value != "forged"
        await process.set_key()
        assert process.key == KEY
    assert house.intents() == []


async def test_a_process_that_lacks_the_connection_settles_its_key(
    house: House, proxy: VaultFaultProxy
) -> None:
    """Set or removed: the process whose environment declares it sees the outcome."""
    declared = {"LLM_CONNECTION_LAB_PROVIDER": "openai"}
    boot = house.boot(proxy.url, **declared)
    async with member(boot) as process, member(house.boot()) as without:
        with proxy.held(LOST), pytest.raises(OutcomeUnknown):
            await process.apply(key_edits.set_key(NAME, SecretStr(KEY)))
        await without.watch.settle()
        await follow(process)
        assert key_of(process) == KEY
        with proxy.held(REMOVAL_LOST), pytest.raises(OutcomeUnknown):
            await process.apply(key_edits.delete_key(NAME))
        await without.watch.settle()
        await follow(process)
        assert process.adoption.snapshot.connections[NAME].credential.state == "absent"
    rows = house.stored.rows("SELECT count(*) FROM llm_provider_credentials")
    assert (rows, house.revision()) == ([(0,)], 2)


# --- restored ----------------------------------------------------------------------------------


async def moved(process: Member) -> StoredConfig:
    """Make a connection, and move it with another key; return what was stored before."""
    await process.apply(created(process.settings))
    await process.apply(edits.set_policy(policy_request(require_tlp=True)))
    async with process.database.reading() as session:
        before = (await process.adoption.read(session)).config
    elsewhere = {"base_url": "https://other.example/v1", "key": OTHER_KEY}
    await process.apply(created(process.settings, **elsewhere))
    await process.apply(edits.set_policy(policy_request(require_tlp=False)))
    return before


def restored(process: Member, before: StoredConfig) -> Change:
    """Return the rollback with the key for the old address."""
    key = RollbackKey(connection=NAME, api_key=SecretStr(KEY))
    return edits.roll_back(process.settings, before, key)


async def test_a_rollback_with_a_key_restores_everything(house: House) -> None:
    """Address, key and policy, in one revision."""
    async with member(house.boot()) as process:
        before = await moved(process)
        snapshot = await process.apply(restored(process, before))
        assert (key_of(process), snapshot.connections[NAME].origin) == (KEY, ORIGIN)
        assert (snapshot.policy.require_tlp.value, snapshot.revision) == (True, 5)


async def test_a_rollback_whose_answer_is_lost_is_settled_whole(
    house: House, proxy: VaultFaultProxy
) -> None:
    """By another process."""
    async with member(house.boot(proxy.url)) as one, member(house.boot()) as two:
        before = await moved(one)
        with proxy.held(LOST), pytest.raises(OutcomeUnknown):
            await one.apply(restored(one, before))
        assert one.adoption.snapshot.policy.require_tlp.value is False
        await two.watch.settle()
        await follow(one)
        assert (key_of(one), one.adoption.snapshot.policy.require_tlp.value) == (KEY, True)


async def test_a_rollback_that_is_settled_late_undoes_no_change_in_between(
    house: House, proxy: VaultFaultProxy
) -> None:
    """The key alone comes, for an address that isn't in force: it isn't sent."""
    async with member(house.boot(proxy.url)) as process:
        before = await moved(process)
        with proxy.held(LOST), pytest.raises(OutcomeUnknown):
            await process.apply(restored(process, before))
        await process.apply(edits.set_policy(policy_request(hosted_max_tlp="CLEAR")))
        await process.watch.settle()
        snapshot = process.adoption.snapshot
        assert snapshot.policy.hosted_max_tlp.value == "CLEAR"
        assert snapshot.connections[NAME].origin == "https://other.example:443"
        assert key_of(process) is None
        assert house.actions()[-1] == "llm.key.set"
