"""`aurorasoc keys migrate --to vault`: from sealed rows to pinned secrets, and no key lost."""

import asyncio

import pytest

from aurorasoc.core.database.engine import Database
from aurorasoc.errors import OutcomeUnknown
from aurorasoc.llm.keys.migration import move_to_vault, stranded_keys
from tests.examples import API_KEY
from tests.world.canaries import found
from tests.world.sealed import install, opened
from tests.world.service import SEED
from tests.world.shell import Outcome, Shell
from tests.world.vault.faults import VaultFault, VaultFaultProxy
from tests.world.vault.members import House, member

PROVIDERS = ("deepseek", "openai")


async def seal_keys(house: House, seed: str = SEED) -> dict[str, str]:
    """Store keys in the database, as before Vault was configured."""
    database = Database(house.stored.url)
    keys = await install(database, seed, providers=PROVIDERS)
    await database.close()
    return keys


@pytest.fixture
def shell(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Return an operator's shell, in the house's environment."""
    variables = {"AURORA_STATE_DIR": str(house.folder), **house.env(house.vault.url)}
    return Shell(monkeypatch, capsys).within(variables)


def migrate_keys(shell: Shell, *arguments: str) -> Outcome:
    """Run the command as an operator does."""
    return shell("keys", "migrate", "--to", "vault", *arguments)


def key_in_vault(house: House, provider: str) -> str | None:
    """Return the key that Vault holds for a provider."""
    secret = house.secret(provider)
    return secret["data"]["api_key"] if secret else None


def tokens(house: House) -> list[str]:
    """Return the sealed keys that are left in the database."""
    rows = house.stored.rows("SELECT token FROM llm_provider_credentials WHERE token IS NOT NULL")
    return [str(row[0]) for row in rows]


def test_check_says_what_would_be_moved(house: House, shell: Shell) -> None:
    """And moves nothing."""
    keys = asyncio.run(seal_keys(house))
    done = migrate_keys(shell, "--check", "--json")
    assert sorted(item["provider"] for item in done.json) == sorted(keys)
    assert (done.code, house.secret(), opened(house.stored, SEED)) == (0, None, keys)


def test_every_key_is_moved(house: House, shell: Shell) -> None:
    """Vault holds it, the database's sealed copy is gone, and it is in force."""
    keys = asyncio.run(seal_keys(house))
    done = migrate_keys(shell)
    assert done.code == 0, done.err
    assert {provider: key_in_vault(house, provider) for provider in keys} == keys
    assert tokens(house) == []
    assert found(keys.values(), {"output": (done.out + done.err).encode()}) == []


async def test_a_second_run_finds_nothing(house: House) -> None:
    """It may be repeated at will."""
    await seal_keys(house)
    async with member(house.boot()) as process:
        for stranded in await stranded_keys(process.changer, process.keyring):
            await move_to_vault(process.changer, stranded, actor="operator")
        assert await stranded_keys(process.changer, process.keyring) == []


def test_a_key_that_no_seed_opens_is_left_and_told(house: House, shell: Shell) -> None:
    """The exit code says that not all is done."""
    asyncio.run(seal_keys(house, "a seed that nobody has any more, 0123456789"))
    done = migrate_keys(shell, "--json")
    assert {item["state"] for item in done.json} == {"unreadable"}
    assert (done.code, len(tokens(house))) == (1, len(PROVIDERS))


def test_without_vault_it_is_refused(shell: Shell) -> None:
    """There is nowhere to move keys to."""
    shell.patch.delenv("VAULT_ADDR")
    done = migrate_keys(shell)
    assert (done.code, "VAULT_ADDR" in done.err) == (2, True)


async def test_the_origin_and_the_history_stay(house: House) -> None:
    """Each key belongs where it belonged, and the move is audited as one."""
    await seal_keys(house)
    async with member(house.boot()) as process:
        for stranded in await stranded_keys(process.changer, process.keyring):
            await move_to_vault(process.changer, stranded, actor="operator")
        assert process.credential.origin == "https://api.deepseek.com:443"
    moved = ["llm.key.intended", "llm.key.moved_to_vault"]
    assert house.actions() == ["llm.key.set"] * 2 + moved * 2
    await asyncio.to_thread(house.check_one_truth)


async def test_a_lost_answer_loses_no_key(house: House, proxy: VaultFaultProxy) -> None:
    """The sealed copy stays until the version is pinned; the next run makes no second version."""
    keys = await seal_keys(house)
    async with member(house.boot(proxy.url)) as process:
        stranded = (await stranded_keys(process.changer, process.keyring))[0]
        lost = VaultFault(method="POST", where="/data/", lose="reset")
        with proxy.held(lost), pytest.raises(OutcomeUnknown):
            await move_to_vault(process.changer, stranded, actor="operator")
        assert opened(house.stored, SEED) == keys
        for left in await stranded_keys(process.changer, process.keyring):
            await move_to_vault(process.changer, left, actor="operator")
    assert tokens(house) == []
    assert (house.in_vault() or (0,))[0] == 1
    await asyncio.to_thread(house.check_one_truth)


async def test_a_stranded_key_is_shown_as_such(house: House) -> None:
    """Not in force, and with the command that moves it."""
    await seal_keys(house)
    async with member(house.boot()) as process:
        problem = process.credential.problem
    assert problem is not None
    assert (problem.code, "keys migrate" in problem.detail) == ("stored_elsewhere", True)


def test_a_key_stored_at_the_shell_is_said_to_be_in_vault(house: House, shell: Shell) -> None:
    """And is there, and nowhere else."""
    answer = shell("key", "set", "deepseek", stdin=API_KEY).out.splitlines()[0]
    assert answer == "key of deepseek stored for https://api.deepseek.com:443 in Vault"
    assert (key_in_vault(house, "deepseek"), tokens(house)) == (API_KEY, [])
