"""`aurorasoc keys migrate --to vault`: from sealed rows to pinned secrets, and no key lost."""

import asyncio
import json
import subprocess

import pytest

from aurorasoc.core.database.engine import Database
from aurorasoc.errors import OutcomeUnknown
from aurorasoc.llm.keys.migration import move_to_vault, stranded_keys
from tests.world.canaries import found
from tests.world.sealed import install, opened
from tests.world.service import SEED, run_command, service_env
from tests.world.vault.faults import VaultFault, VaultFaultProxy
from tests.world.vault.members import House, member

PROVIDERS = ("deepseek", "openai")


async def seal_keys(house: House, seed: str = SEED) -> dict[str, str]:
    """Store keys in the database, as before Vault was configured."""
    database = Database(house.stored.url)
    keys = await install(database, seed, providers=PROVIDERS)
    await database.close()
    return keys


def migrate_keys(house: House, *arguments: str, **own: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    variables = house.env(house.vault.url) | own
    env = service_env(house.folder, {name: value for name, value in variables.items() if value})
    command = ("keys", "migrate", "--to", "vault", *arguments)
    return run_command(*command, env=env, cwd=house.folder)


def key_in_vault(house: House, provider: str) -> str | None:
    """Give the key that Vault holds for a provider."""
    secret = house.secret(provider)
    return secret["data"]["api_key"] if secret else None


def tokens(house: House) -> list[str]:
    """Give the sealed keys that are left in the database."""
    rows = house.stored.rows("SELECT token FROM llm_provider_credentials WHERE token IS NOT NULL")
    return [str(row[0]) for row in rows]


def test_check_says_what_would_be_moved(house: House) -> None:
    """And moves nothing."""
    keys = asyncio.run(seal_keys(house))
    done = migrate_keys(house, "--check", "--json")
    assert sorted(item["provider"] for item in json.loads(done.stdout)) == sorted(keys)
    assert (done.returncode, house.secret(), opened(house.stored, SEED)) == (0, None, keys)


def test_every_key_is_moved(house: House) -> None:
    """Vault holds it, the database's sealed copy is gone, and it is in force."""
    keys = asyncio.run(seal_keys(house))
    done = migrate_keys(house)
    assert done.returncode == 0, done.stderr
    assert {provider: key_in_vault(house, provider) for provider in keys} == keys
    assert (tokens(house), found(keys.values(), {"output": done.stdout.encode()})) == ([], [])


async def test_a_second_run_finds_nothing(house: House) -> None:
    """It may be repeated at will."""
    await seal_keys(house)
    async with member(house.boot()) as own:
        for stranded in await stranded_keys(own.changer, own.keyring):
            await move_to_vault(own.changer, stranded, actor="operator")
        assert await stranded_keys(own.changer, own.keyring) == []


def test_a_key_that_no_seed_opens_is_left_and_told(house: House) -> None:
    """The exit code says that not all is done."""
    asyncio.run(seal_keys(house, "a seed that nobody has any more, 0123456789"))
    done = migrate_keys(house, "--json")
    assert {item["state"] for item in json.loads(done.stdout)} == {"unreadable"}
    assert (done.returncode, len(tokens(house))) == (1, len(PROVIDERS))


def test_without_vault_it_is_refused(house: House) -> None:
    """There is nowhere to move keys to."""
    done = migrate_keys(house, VAULT_ADDR="")
    assert (done.returncode, "VAULT_ADDR" in done.stderr) == (2, True)


async def test_the_origin_and_the_history_stay(house: House) -> None:
    """Each key belongs where it belonged, and the move is audited as one."""
    await seal_keys(house)
    async with member(house.boot()) as own:
        for stranded in await stranded_keys(own.changer, own.keyring):
            await move_to_vault(own.changer, stranded, actor="operator")
        assert own.credential.origin == "https://api.deepseek.com:443"
    moved = ["llm.key.intended", "llm.key.moved_to_vault"]
    assert house.actions() == ["llm.key.set"] * 2 + moved * 2
    await asyncio.to_thread(house.check_one_truth)


async def test_a_lost_answer_loses_no_key(house: House, proxy: VaultFaultProxy) -> None:
    """The sealed copy stays until the version is pinned; the next run makes no second version."""
    keys = await seal_keys(house)
    async with member(house.boot(proxy.url)) as own:
        stranded = (await stranded_keys(own.changer, own.keyring))[0]
        lost = VaultFault(method="POST", where="/data/", lose="reset")
        with proxy.held(lost), pytest.raises(OutcomeUnknown):
            await move_to_vault(own.changer, stranded, actor="operator")
        assert opened(house.stored, SEED) == keys
        for left in await stranded_keys(own.changer, own.keyring):
            await move_to_vault(own.changer, left, actor="operator")
    assert tokens(house) == []
    assert (house.in_vault() or (0,))[0] == 1
    await asyncio.to_thread(house.check_one_truth)


async def test_a_stranded_key_is_shown_as_such(house: House) -> None:
    """Not in force, and with the command that moves it."""
    await seal_keys(house)
    async with member(house.boot()) as own:
        problem = own.credential.problem
    assert problem is not None
    assert (problem.code, "keys migrate" in problem.detail) == ("stored_elsewhere", True)
