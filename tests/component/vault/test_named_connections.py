"""A connection that comes and goes with its key: both or neither, whatever happens in between."""

import asyncio
from typing import Any, Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.core.database.engine import Database
from aurorasoc.errors import UnknownProvider
from aurorasoc.llm.changes import connection_edits, key_edits
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.changes.requests import ConnectionRequest
from aurorasoc.llm.keys.doctor import examine
from aurorasoc.llm.keys.migration import move_to_vault, stranded_keys
from tests.world.sealed import install
from tests.world.service import SEED
from tests.world.vault.faults import VaultFault, VaultFaultProxy, error
from tests.world.vault.members import KEY, House, Member, member

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
        (finding,) = (found for found in findings if found.name == NAME)
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
